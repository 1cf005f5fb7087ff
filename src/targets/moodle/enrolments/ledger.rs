//! What became of each edit while a batch is sent piece by piece. Pure.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::Remote;

use super::steps::{Stage, Step};
use crate::model::{Change, Effect, Outcome, TargetError};

/// A step on its way to the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Whose it is, by its place in the batch.
    pub change: usize,
    /// The account's row id.
    pub user: u64,
    /// The course's row id.
    pub course: u64,
    /// The role's id; 0 where the whole enrolment goes.
    pub role: u64,
    /// What it is made of.
    pub step: Step,
}

impl Piece {
    /// What the site judges together whoever the person is.
    pub fn pair(&self) -> (Stage, String, String) {
        (self.step.stage, self.step.course.clone(), self.step.role.clone())
    }
}

/// One change's account.
#[derive(Default)]
struct Entry {
    /// Steps that have not landed, by edit.
    open: BTreeMap<usize, usize>,
    failed: BTreeMap<usize, TargetError>,
    /// Courses in which a step failed: later ones there are not sent.
    broken: BTreeMap<String, TargetError>,
    error: Option<TargetError>,
    /// Whether the site accepted any step, also one that is only half an edit.
    touched: bool,
}

/// The accounts of a batch.
pub struct Ledger {
    entries: Vec<Entry>,
    landed: bool,
    over: Option<TargetError>,
}

impl Ledger {
    /// Accounts for so many changes.
    pub fn new(changes: usize) -> Self {
        Self { entries: (0..changes).map(|_| Entry::default()).collect(), landed: false, over: None }
    }

    /// Notes a step that is to be sent.
    pub fn expect(&mut self, change: usize, step: &Step) {
        for edit in &step.edits {
            *self.entries[change].open.entry(*edit).or_default() += 1;
        }
    }

    /// Refuses a change as a whole.
    pub fn refuse(&mut self, change: usize, error: TargetError) {
        self.entries[change].error.get_or_insert(error);
    }

    /// Refuses a step.
    pub fn fail(&mut self, change: usize, step: &Step, error: &TargetError) {
        let entry = &mut self.entries[change];
        for edit in &step.edits {
            entry.failed.entry(*edit).or_insert_with(|| error.clone());
        }
        entry.broken.entry(step.course.clone()).or_insert_with(|| error.clone());
    }

    /// Notes what the site accepted.
    pub fn land(&mut self, pieces: &[Piece]) {
        self.landed |= !pieces.is_empty();
        for piece in pieces {
            self.entries[piece.change].touched = true;
            for edit in &piece.step.edits {
                if let Some(open) = self.entries[piece.change].open.get_mut(edit) {
                    *open = open.saturating_sub(1);
                }
            }
        }
    }

    /// Ends the changes of these pieces with an error, and the whole batch where nothing more can be sent.
    pub fn end(&mut self, pieces: &[Piece], error: &TargetError, all: bool) {
        for piece in pieces {
            self.refuse(piece.change, error.clone());
        }
        if all {
            // What is not sent has no effect.
            self.over.get_or_insert_with(|| error.clone().effect(Effect::None));
        }
    }

    /// Those that are still to be sent; of the others it is noted why not.
    pub fn admit(&mut self, pieces: Vec<Piece>) -> Vec<Piece> {
        let mut admitted = Vec::with_capacity(pieces.len());
        for piece in pieces {
            if let Some(error) = self.over.clone() {
                self.refuse(piece.change, error);
            } else if let Some(error) = self.entries[piece.change].broken.get(&piece.step.course).cloned() {
                self.fail(piece.change, &piece.step, &error);
            } else if self.entries[piece.change].error.is_none() {
                admitted.push(piece);
            }
        }
        admitted
    }

    /// Whether nothing landed and nothing failed so far: then a refusal is one of the batch as a whole.
    pub fn is_untouched(&self) -> bool {
        !self.landed && self.entries.iter().all(|entry| entry.error.is_none() && entry.failed.is_empty())
    }

    /// What came of each change; `ids` are the accounts' row ids, where they are known.
    pub fn outcomes(self, changes: &[&Change], ids: &[Option<u64>]) -> Vec<Outcome> {
        let outcome = |((entry, change), id): ((Entry, &&Change), &Option<u64>)| {
            let edits = |places: BTreeSet<usize>| places.into_iter().filter_map(|at| change.edits.get(at).cloned());
            let landed = entry.open.iter().filter(|(at, open)| **open == 0 && !entry.failed.contains_key(at));
            let landed: BTreeSet<usize> = landed.map(|(at, _)| *at).collect();
            let failed = entry.failed.into_iter();
            let remote = id.map(|id| {
                let seen = Remote { id: Some(id.to_string()), handle: None };
                change.remote.as_ref().map_or_else(|| seen.clone(), |known| known.refreshed(&seen))
            });
            Outcome {
                id: change.id,
                landed: edits(landed).collect(),
                failed: failed.filter_map(|(at, error)| Some((change.edits.get(at)?.clone(), error))).collect(),
                // What was not sent has no effect; what was sent before it has.
                error: entry.error.map(|error| match error.effect {
                    Effect::None if entry.touched => error.effect(Effect::Partial),
                    _ => error,
                }),
                remote,
            }
        };
        self.entries.into_iter().zip(changes).zip(ids).map(outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;
    use crate::targets::moodle::testing::enrolment_change;

    #[test]
    fn a_change_of_which_a_step_was_accepted_is_never_told_as_without_effect() {
        let step = |stage| Step { stage, course: "c".into(), role: "student".into(), edits: vec![0] };
        let piece = |change, stage| Piece { change, user: 7, course: 1, role: 5, step: step(stage) };
        let mut ledger = Ledger::new(2);
        for (at, stage) in [(0, Stage::Suspend), (0, Stage::Unassign), (1, Stage::Suspend)] {
            ledger.expect(at, &step(stage));
        }
        ledger.land(&[piece(0, Stage::Suspend)]);
        let away = TargetError::new(ErrorKind::Auth, "AWAY", "");
        ledger.end(&[piece(0, Stage::Unassign), piece(1, Stage::Suspend)], &away, true);
        let ready = enrolment_change("k", "7", [].into(), ["c/student".to_owned()].into());
        let outcomes = ledger.outcomes(&[&ready.change, &ready.change], &[None, None]);
        let effects: Vec<_> = outcomes.iter().map(|o| (o.landed.len(), o.error.as_ref().unwrap().effect)).collect();
        assert_eq!(effects, [(0, Effect::Partial), (0, Effect::None)]);
    }
}
