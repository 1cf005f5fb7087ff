//! Faults a directory can be told to play, at run time and for a number of times.
//!
//! The directory asks here on its way; nothing here knows the protocol. Faults of the targets' own
//! simulators live with them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which requests a [`Fault::Refuse`] or [`Fault::LoseAnswer`] meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Bind.
    Bind,
    /// Search, compare and "who am I".
    Read,
    /// Modify, add and delete.
    Write,
}

/// The result code of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// rc 51.
    Busy,
    /// rc 52.
    Unavailable,
    /// rc 53.
    Unwilling,
    /// rc 50.
    Forbidden,
    /// rc 80.
    Internal,
}

/// One thing that goes wrong. Entries are counted per search request, so per page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A search ends with rc 4 once it has returned so many entries, over all its pages.
    SizeLimit(usize),
    /// The connection is closed once a search request has returned so many entries.
    DropAfter(usize),
    /// Requests of a kind are answered with a code and not done.
    Refuse(Operation, Refusal),
    /// Requests of a kind are done, and the connection closed without an answer.
    LoseAnswer(Operation),
    /// A write is done so much later, whether anybody still waits for its answer or not.
    Hold(Duration),
    /// Nobody has the attribute, neither in results nor for filters: an access rule gone wrong.
    HideAttribute(String),
    /// So many percent of the entries below the suffix are not there, always the same ones.
    HideEntries(u8),
    /// An attribute with two or more values comes as two attributes of the same type, as slapd does after
    /// a load of interleaved values.
    RepeatAttribute(String),
    /// A page begins with the entry that the one before ended with: the directory was changed in between.
    RepeatEntry,
    /// Each entry is sent by itself after a pause.
    Drip(Duration),
    /// Each search request's entries are followed by a reference to this address.
    Referral(String),
    /// The first entry of a search request that has the attribute gets a value that is not UTF-8.
    NotUtf8(String),
    /// Whatever is refused by [`Fault::Refuse`] is explained so: servers quote names and values in diagnostics.
    Explain(String),
}

/// How often a fault is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Times {
    /// Until stopped.
    Always,
    /// For the next so many requests it meets.
    Next(u32),
}

#[derive(Clone, Default)]
struct Playing {
    faults: Vec<(Fault, Times)>,
    played: u64,
}

/// The knobs; clones turn the same ones.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Playing>>);

impl Faults {
    /// Starts a fault; several may be on at once.
    pub fn play(&self, fault: Fault, times: Times) {
        self.lock().faults.push((fault, times));
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.lock().faults.clear();
    }

    /// How many requests have met a fault.
    pub fn played(&self) -> u64 {
        self.lock().played
    }

    /// Whether a request of this kind is to be refused.
    pub(super) fn refusal(&self, of: Operation) -> Option<Refusal> {
        self.take(|fault| match fault {
            Fault::Refuse(operation, refusal) if *operation == of => Some(*refusal),
            _ => None,
        })
        .first()
        .copied()
    }

    /// Whether the answer to a request of this kind is to be lost.
    pub(super) fn loses_answer(&self, of: Operation) -> bool {
        !self.take(|fault| (*fault == Fault::LoseAnswer(of)).then_some(())).is_empty()
    }

    /// For how long a write is to be held.
    pub(super) fn hold(&self) -> Option<Duration> {
        self.take(|fault| if let Fault::Hold(time) = fault { Some(*time) } else { None }).first().copied()
    }

    /// Whether all that was to be played a number of times has been.
    pub fn are_spent(&self) -> bool {
        self.lock().faults.iter().all(|(_, times)| *times == Times::Always)
    }

    /// Everything that a search is to suffer.
    pub(super) fn of_search(&self) -> Vec<Fault> {
        let other = |fault: &Fault| {
            matches!(fault, Fault::Refuse(..) | Fault::LoseAnswer(_) | Fault::Hold(_) | Fault::Explain(_))
        };
        self.take(|fault| (!other(fault)).then(|| fault.clone()))
    }

    /// What a refusal says.
    pub(super) fn explanation(&self) -> String {
        let explain = |fault: &Fault| if let Fault::Explain(text) = fault { Some(text.clone()) } else { None };
        self.take(explain).pop().unwrap_or_default()
    }

    fn take<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Vec<T> {
        let mut playing = self.lock();
        let mut picked = Vec::new();
        playing.faults.retain_mut(|(fault, times)| {
            let Some(found) = pick(fault) else { return true };
            picked.push(found);
            match times {
                Times::Always => true,
                Times::Next(left) => {
                    *left = left.saturating_sub(1);
                    *left > 0
                }
            }
        });
        playing.played += u64::from(!picked.is_empty());
        picked
    }

    fn lock(&self) -> MutexGuard<'_, Playing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.lock().faults).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_ends_after_its_times_and_only_meets_its_operation() {
        let faults = Faults::default();
        faults.play(Fault::Refuse(Operation::Write, Refusal::Busy), Times::Next(2));
        assert_eq!(faults.refusal(Operation::Read), None);
        assert_eq!(faults.refusal(Operation::Write), Some(Refusal::Busy));
        assert_eq!(faults.refusal(Operation::Write), Some(Refusal::Busy));
        assert_eq!(faults.refusal(Operation::Write), None);
        assert_eq!(faults.played(), 2);
    }

    #[test]
    fn a_lasting_fault_ends_when_cleared() {
        let faults = Faults::default();
        faults.play(Fault::DropAfter(3), Times::Always);
        assert_eq!(faults.of_search(), faults.of_search());
        faults.clear();
        assert!(faults.of_search().is_empty());
    }
}
