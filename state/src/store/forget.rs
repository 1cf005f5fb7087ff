//! Forgetting: what a file holds of somebody, and taking all of it out in one commit. Whether somebody may be forgotten
//! is the engine's to say; only a write of unknown outcome is kept here whatever it says.
//!
//! What is taken out is still there byte by byte in pages that nothing refers to any more, so the file is marked to be
//! written anew ([`rewrite`](super::rewrite)).

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, WriteTransaction};

use super::block::{self, Change};
use super::entries::{append, intent, read_entry};
use super::error::{Fault, StoreError};
use super::file::Store;
use super::pages::{change_applied, change_digests, remove_bodies};
use super::rewrite::ask_for_rewriting;
use super::scope::{Scope, Side};
use super::table::{APPLIED, BODY, CLAIM, DIGEST, FOUND_BY, JOURNAL, META, OPEN, PIECE, ROOT, SCOPE, root, to_json};
use crate::digest::{Digest, Digester};
use crate::journal::{Entry, Note};
use crate::record::Key;

/// What a file holds of one key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Records, by the name of their scope: `account/observed`.
    pub records: BTreeSet<String>,
    /// Kinds of which something was last applied.
    pub applied: BTreeSet<String>,
    /// Kinds that are claimed.
    pub claims: BTreeSet<String>,
    /// Entries of the journal.
    pub entries: u64,
    /// Writes of which the outcome is not known.
    pub in_doubt: u64,
}

impl Held {
    /// Whether that is nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is a record of a scope.
    pub fn has(&self, scope: Scope<'_>) -> bool {
        self.records.contains(&scope.to_string())
    }

    /// Kinds of which the target was last seen to have a record.
    pub fn observed(&self) -> impl Iterator<Item = &str> {
        self.records.iter().filter_map(|name| name.strip_suffix(Side::Observed.ending()))
    }
}

impl Store {
    /// What the file holds of a key. Walks the whole journal.
    ///
    /// # Errors
    /// Where the file refuses or is damaged.
    pub fn held(&self, key: &Key) -> Result<Held, StoreError> {
        let digest = self.inner.digester.key(key);
        self.inner.read_folded(|txn| {
            let mut held = Held::default();
            let (bodies, roots) = (txn.open_table(BODY)?, txn.open_table(ROOT)?);
            let rows = (txn.open_table(DIGEST)?, txn.open_table(APPLIED)?, txn.open_table(PIECE)?);
            for scope in txn.open_table(SCOPE)?.iter()? {
                let (name, id) = scope?;
                let (name, id) = (name.value(), id.value());
                let kind = name.strip_suffix(Side::Wanted.ending());
                let bits = root(&roots, id)?.unwrap_or_default().bits;
                let has_row = match kind {
                    Some(_) => block::find::<48>(&rows.1, id, bits, &digest.0)?.is_some(),
                    None => has_row(&rows.0, &rows.2, id, bits, digest)?,
                };
                if has_row || bodies.get((id, key.as_str()))?.is_some() {
                    match kind {
                        Some(kind) => held.applied.insert(kind.to_owned()),
                        None => held.records.insert(name.to_owned()),
                    };
                }
            }
            for claim in txn.open_table(CLAIM)?.iter()? {
                let at = claim?.0;
                let (kind, of) = at.value();
                if of == key.as_str() {
                    held.claims.insert(kind.to_owned());
                }
            }
            let journal = txn.open_table(JOURNAL)?;
            held.entries = entries_of(&journal, &BTreeSet::from([key.clone()]))?.len() as u64;
            for open in txn.open_table(OPEN)?.iter()? {
                held.in_doubt += u64::from(intent(&journal, open?.0.value())?.key == *key);
            }
            Ok(held)
        })
    }

    /// Takes out all that the file holds of these keys and appends a note, in one durable commit; named values
    /// ([`Store::meta`]) that tell of them are given anew. Of a key of which a write is in doubt nothing is taken out.
    /// The file is to be written anew then ([`StoreDir::write_anew`](super::StoreDir::write_anew)). Gives the number of entries
    /// that are gone from the journal.
    ///
    /// # Errors
    /// Where the file refuses or is damaged; then all of it is still there.
    pub fn forget(
        &self,
        keys: &BTreeSet<Key>,
        values: &BTreeMap<&str, serde_json::Value>,
        note: Note,
    ) -> Result<u64, StoreError> {
        self.inner.write_folded(|txn| {
            let keys: BTreeSet<Key> = keys.difference(&in_doubt(txn)?).cloned().collect();
            forget_records(txn, &self.inner.digester, &keys)?;
            txn.open_table(CLAIM)?.retain(|(_, key), _| !keys.contains(&Key::new(key)))?;
            let entries = entries_of(&txn.open_table(JOURNAL)?, &keys)?;
            // The note comes first: no number is ever given twice, not even that of the last entry.
            append(txn, [Entry::Note(note)])?;
            let mut journal = txn.open_table(JOURNAL)?;
            for number in &entries {
                journal.remove(number)?;
            }
            for (name, value) in values {
                txn.open_table(META)?.insert(*name, to_json(value, name)?.as_slice())?;
            }
            ask_for_rewriting(txn)?;
            Ok(entries.len() as u64)
        })
    }
}

/// Of whom a write is in doubt.
fn in_doubt(txn: &WriteTransaction) -> Result<BTreeSet<Key>, Fault> {
    let journal = txn.open_table(JOURNAL)?;
    txn.open_table(OPEN)?.iter()?.map(|open| Ok(intent(&journal, open?.0.value())?.key)).collect()
}

fn forget_records(txn: &WriteTransaction, digester: &Digester, keys: &BTreeSet<Key>) -> Result<(), Fault> {
    let scopes: Vec<(String, u16)> = {
        let table = txn.open_table(SCOPE)?;
        table
            .iter()?
            .map(|scope| scope.map(|(name, id)| (name.value().to_owned(), id.value())))
            .collect::<Result<_, _>>()?
    };
    txn.open_table(FOUND_BY)?.retain(|(_, _, key), ()| !keys.contains(&Key::new(key)))?;
    for (name, id) in scopes {
        remove_bodies(txn, id, keys)?;
        let digests = keys.iter().map(|key| digester.key(key));
        let bits = root(&txn.open_table(ROOT)?, id)?.unwrap_or_default().bits;
        // A scope that holds nothing of them keeps the digest that is known of it as a whole.
        if name.ends_with(Side::Wanted.ending()) {
            let table = txn.open_table(APPLIED)?;
            let mut rows = Vec::new();
            for key in digests {
                rows.extend(block::find::<48>(&table, id, bits, &key.0)?.map(|_| Change { id: key.0, row: None }));
            }
            drop(table);
            if !rows.is_empty() {
                change_applied(txn, id, rows)?;
            }
        } else {
            let (table, pieces) = (txn.open_table(DIGEST)?, txn.open_table(PIECE)?);
            let mut rows = Vec::new();
            for key in digests {
                if has_row(&table, &pieces, id, bits, key)? {
                    rows.push(Change { id: key.0, row: None });
                }
            }
            drop((table, pieces));
            if !rows.is_empty() {
                change_digests(txn, id, rows)?;
            }
        }
    }
    Ok(())
}

/// Whether a scope has a row of a key; one whose snapshot is unfinished may have.
fn has_row(
    blocks: &impl ReadableTable<(u16, u32), &'static [u8]>,
    pieces: &impl ReadableTable<(u16, u32), &'static [u8]>,
    id: u16,
    bits: u8,
    key: Digest,
) -> Result<bool, Fault> {
    let in_pieces =
        || -> Result<bool, Fault> { Ok(block::load::<32>(pieces, id, 0)?.iter().any(|row| block::id(row) == key.0)) };
    Ok(block::find::<32>(blocks, id, bits, &key.0)?.is_some() || in_pieces()?)
}

/// The journal's entries about some keys: their intents, and what came of these.
fn entries_of(journal: &impl ReadableTable<u64, &'static [u8]>, keys: &BTreeSet<Key>) -> Result<BTreeSet<u64>, Fault> {
    let mut numbers = BTreeSet::new();
    for entry in journal.iter()? {
        let (number, entry) = entry?;
        let of_them = match read_entry(entry.value())? {
            Entry::Intent(intent) => keys.contains(&intent.key),
            Entry::Outcome(outcome) => numbers.contains(&outcome.intent),
            Entry::Note(_) => false,
        };
        if of_them {
            numbers.insert(number.value());
        }
    }
    Ok(numbers)
}
