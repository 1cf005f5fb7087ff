//! The journal's table: intents before their writes, outcomes after them.

use std::collections::BTreeMap;

use redb::ReadableTable;

use super::claims::put_claim;
use super::entries::{append, intent, read_entry};
use super::error::StoreError;
use super::file::Store;
use super::pages::put_bodies;
use super::scope::{Scope, Side};
use super::table::{JOURNAL, OPEN, allot};
use crate::claim::Claim;
use crate::digest::{Digest, encode};
use crate::drift::Applied;
use crate::journal::{After, Entry, Intent, Landing, Note, Outcome};
use crate::record::Record;

/// What a note's entry begins with.
const NOTE: &[u8] = br#"{"entry":"note""#;

/// What the target was read to hold after a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Observed {
    /// It was not read back.
    Unread,
    /// It has no such record.
    Absent,
    /// This record, with its digest.
    Present(Digest, Record),
}

/// An outcome with the bodies and the claim that belong to it. Those go to their tables in the same
/// commit; the journal gets the bodies' digests, and nothing of the claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutcomeRecord {
    /// Number of the intent.
    pub intent: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What came of it.
    pub landing: Landing,
    /// The pair to remember, with what was wanted; `None` leaves what is remembered.
    pub applied: Option<(Applied, Record)>,
    /// What the target held afterwards.
    pub observed: Observed,
    /// What is now known of the record; `None` leaves the claim as it is.
    pub claim: Option<Claim>,
}

impl OutcomeRecord {
    fn entry(&self) -> Outcome {
        Outcome {
            intent: self.intent,
            at: self.at,
            landing: self.landing.clone(),
            applied: self.applied.as_ref().map(|(applied, _)| *applied),
            after: match &self.observed {
                Observed::Unread => After::Unread,
                Observed::Absent => After::Absent,
                Observed::Present(digest, record) => After::Present { digest: *digest, standing: record.standing },
            },
        }
    }
}

/// An intent without a settling outcome ([`Outcome::settles`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenIntent {
    /// Number of its entry.
    pub number: u64,
    /// The entry.
    pub intent: Intent,
    /// Since when its outcome is known to be unknown, in Unix milliseconds; `None` where it may only just
    /// be on its way.
    pub unknown_since: Option<i64>,
}

impl OpenIntent {
    /// Whether the target may still carry it out at `now` (Unix milliseconds).
    pub fn may_land(&self, now: i64) -> bool {
        let settle_after = i64::try_from(self.intent.settle_after_ms).unwrap_or(i64::MAX);
        self.unknown_since.is_none_or(|since| now < since.saturating_add(settle_after))
    }
}

impl Store {
    /// Records what is about to be written, in one durable commit; gives the entries' numbers. Nothing may
    /// be sent before this returns.
    ///
    /// # Errors
    /// Where the file refuses; then none of them is recorded. So for all that follow.
    pub fn record_intents(&self, intents: &[Intent]) -> Result<Vec<u64>, StoreError> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        self.inner.write(|txn| {
            let mut open = txn.open_table(OPEN)?;
            let numbers = append(txn, intents.iter().cloned().map(Entry::Intent))?;
            for number in &numbers {
                open.insert(number, None)?;
            }
            Ok(numbers)
        })
    }

    /// Records what came of writes, with the bodies and claims, in one durable commit. An intent that stays
    /// open is unknown since its outcome.
    ///
    /// # Errors
    /// [`StoreError::NoIntent`] where a number is no intent's.
    pub fn record_outcomes(&self, outcomes: &[OutcomeRecord]) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        self.inner.write_outcomes(outcomes.len(), |txn| {
            for outcome in outcomes {
                let intent = intent(&txn.open_table(JOURNAL)?, outcome.intent)?;
                let (kind, key) = (intent.kind.as_str(), &intent.key);
                if let Some((_, wanted)) = &outcome.applied {
                    put_bodies(txn, allot(txn, Scope::new(kind, Side::Wanted))?, [(key, encode(kind, wanted))])?;
                }
                if let Observed::Present(_, seen) = &outcome.observed {
                    put_bodies(txn, allot(txn, Scope::new(kind, Side::Observed))?, [(key, encode(kind, seen))])?;
                }
                if let Some(claim) = &outcome.claim {
                    put_claim(txn, kind, key, Some(claim))?;
                }
            }
            let entries: Vec<_> = outcomes.iter().map(OutcomeRecord::entry).collect();
            let mut open = txn.open_table(OPEN)?;
            for outcome in &entries {
                let was_open = open.remove(outcome.intent)?.is_some();
                if was_open && !outcome.settles() {
                    open.insert(outcome.intent, Some(outcome.at))?;
                }
            }
            append(txn, entries.into_iter().map(Entry::Outcome))?;
            Ok(())
        })
    }

    /// Records something beside the writes.
    pub fn record_note(&self, note: Note) -> Result<u64, StoreError> {
        self.inner.write(|txn| Ok(append(txn, [Entry::Note(note)])?.into_iter().sum()))
    }

    /// Takes intents of which no outcome at all was recorded for unknown since `at` (Unix milliseconds):
    /// whoever sent them is gone, at the latest by then. Those that are unknown already stay so since then.
    pub fn give_up_intents(&self, at: i64) -> Result<(), StoreError> {
        let without = self.open_intents()?.into_iter().filter(|open| open.unknown_since.is_none());
        let numbers: Vec<u64> = without.map(|open| open.number).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        self.inner.write(|txn| {
            let mut open = txn.open_table(OPEN)?;
            for number in numbers {
                // Its outcome may have come since it was looked for.
                if open.get(number)?.is_some_and(|since| since.value().is_none()) {
                    open.insert(number, Some(at))?;
                }
            }
            Ok(())
        })
    }

    /// Intents without a settling outcome, oldest first: to be read back.
    pub fn open_intents(&self) -> Result<Vec<OpenIntent>, StoreError> {
        self.inner.read(|txn| {
            let journal = txn.open_table(JOURNAL)?;
            let mut intents = Vec::new();
            for entry in txn.open_table(OPEN)?.iter()? {
                let (number, since) = entry?;
                let (number, unknown_since) = (number.value(), since.value());
                intents.push(OpenIntent { number, intent: intent(&journal, number)?, unknown_since });
            }
            Ok(intents)
        })
    }

    /// At most `limit` entries from number `from` on, with their numbers; the first is number 1.
    pub fn journal(&self, from: u64, limit: usize) -> Result<Vec<(u64, Entry)>, StoreError> {
        self.inner.read(|txn| {
            let mut entries = Vec::new();
            for entry in txn.open_table(JOURNAL)?.range(from..)?.take(limit) {
                let (number, entry) = entry?;
                entries.push((number.value(), read_entry(entry.value())?));
            }
            Ok(entries)
        })
    }

    /// At most `limit` entries before number `before` (`None`: from the last one), newest first.
    pub fn journal_back(&self, before: Option<u64>, limit: usize) -> Result<Vec<(u64, Entry)>, StoreError> {
        self.inner.read(|txn| {
            let mut entries = Vec::new();
            for entry in txn.open_table(JOURNAL)?.range(..before.unwrap_or(u64::MAX))?.rev().take(limit) {
                let (number, entry) = entry?;
                entries.push((number.value(), read_entry(entry.value())?));
            }
            Ok(entries)
        })
    }

    /// The notes among the `limit` entries before number `before`, newest first, and the number of the first entry
    /// that was looked at; `None` where there was none. Other entries are not read, only passed over.
    pub fn notes_back(&self, before: Option<u64>, limit: usize) -> Result<(Vec<Note>, Option<u64>), StoreError> {
        self.inner.read(|txn| {
            let (mut notes, mut first) = (Vec::new(), None);
            for entry in txn.open_table(JOURNAL)?.range(..before.unwrap_or(u64::MAX))?.rev().take(limit) {
                let (number, entry) = entry?;
                first = Some(number.value());
                if entry.value().starts_with(NOTE)
                    && let Entry::Note(note) = read_entry(entry.value())?
                {
                    notes.push(note);
                }
            }
            Ok((notes, first))
        })
    }

    /// The entries with these numbers; a number that is none is left out.
    pub fn journal_entries(&self, numbers: impl IntoIterator<Item = u64>) -> Result<BTreeMap<u64, Entry>, StoreError> {
        self.inner.read(|txn| {
            let (journal, mut entries) = (txn.open_table(JOURNAL)?, BTreeMap::new());
            for number in numbers {
                if let Some(entry) = journal.get(number)? {
                    entries.insert(number, read_entry(entry.value())?);
                }
            }
            Ok(entries)
        })
    }
}
