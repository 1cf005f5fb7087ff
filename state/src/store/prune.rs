//! Pruning: what is old goes from the journal, a bounded part of it at a time.

use std::collections::BTreeSet;

use redb::{ReadableTable, ReadableTableMetadata};

use super::entries::read_entry;
use super::error::StoreError;
use super::file::Store;
use super::rewrite::ask_for_rewriting;
use super::table::{JOURNAL, MARK, OPEN, PRUNED};
use crate::journal::Entry;

impl Store {
    /// Takes entries out of the journal that are older than `before` (Unix milliseconds), the oldest first, and looks at
    /// no more than `most` of them. An intent goes with its outcomes: it stays while its
    /// last one is not known or not old enough. So does the last entry, from which
    /// the next one has its number. Where more was taken out than a quarter of what is left, the file is to be written
    /// anew. Gives how many went.
    ///
    /// # Errors
    /// Where the file refuses or is damaged.
    pub fn prune_journal(&self, before: i64, most: usize) -> Result<u64, StoreError> {
        let old = self.inner.read_folded(|txn| {
            let (journal, open) = (txn.open_table(JOURNAL)?, txn.open_table(OPEN)?);
            let last = journal.last()?.map(|(number, _)| number.value());
            let (mut old, mut written, mut settled) = (Vec::new(), Vec::new(), BTreeSet::new());
            for entry in journal.iter()?.take(most) {
                let (number, entry) = entry?;
                let number = number.value();
                let entry = read_entry(entry.value())?;
                let at = match &entry {
                    Entry::Intent(intent) => intent.at,
                    Entry::Outcome(outcome) => outcome.at,
                    Entry::Note(note) => note.at,
                };
                if at >= before || Some(number) == last {
                    break;
                }
                match entry {
                    Entry::Intent(_) => written.push((number, number)),
                    Entry::Outcome(outcome) => {
                        written.push((number, outcome.intent));
                        settled.extend(outcome.settles().then_some(outcome.intent));
                    }
                    Entry::Note(_) => old.push(number),
                }
            }
            // An intent goes with all that came of it, or stays with it.
            for (number, intent) in written {
                if settled.contains(&intent) && open.get(intent)?.is_none() {
                    old.push(number);
                }
            }
            Ok(old)
        })?;
        if old.is_empty() {
            return Ok(0);
        }
        self.inner.write_folded(|txn| {
            let mut journal = txn.open_table(JOURNAL)?;
            for number in &old {
                journal.remove(number)?;
            }
            let left = journal.len()?;
            drop(journal);
            let mut marks = txn.open_table(MARK)?;
            let pruned = marks.get(PRUNED)?.map_or(0, |pruned| pruned.value()).saturating_add(old.len() as u64);
            let due = pruned > left / 4;
            marks.insert(PRUNED, if due { 0 } else { pruned })?;
            drop(marks);
            if due {
                ask_for_rewriting(txn)?;
            }
            Ok(())
        })?;
        Ok(old.len() as u64)
    }
}
