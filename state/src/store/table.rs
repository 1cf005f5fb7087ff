//! The tables of one file.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::scope::Scope;
use crate::digest::{Digest, ENCODING_VERSION};

/// Digest blocks: rows of key digest and record digest, sorted, by scope and top bits of the key digest.
pub(super) const DIGEST: TableDefinition<(u16, u32), &[u8]> = TableDefinition::new("digest");
/// The same of last applied: rows of key digest, wanted, seen.
pub(super) const APPLIED: TableDefinition<(u16, u32), &[u8]> = TableDefinition::new("applied");
/// Rows whose bodies are in while their snapshot is still open: laid over the blocks, piece by piece.
pub(super) const PIECE: TableDefinition<(u16, u32), &[u8]> = TableDefinition::new("piece");
/// Canonical bytes of records by scope and key.
pub(super) const BODY: TableDefinition<(u16, &str), &[u8]> = TableDefinition::new("body");
/// Keys of records by scope and the digest of a value they bear, where their schema calls its attribute indexed.
pub(super) const FOUND_BY: TableDefinition<(u16, &[u8], &str), ()> = TableDefinition::new("found-by");
/// Roots by scope.
pub(super) const ROOT: TableDefinition<u16, &[u8]> = TableDefinition::new("root");
/// Numbers of scopes.
pub(super) const SCOPE: TableDefinition<&str, u16> = TableDefinition::new("scope");
/// Claims by kind and key.
pub(super) const CLAIM: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("claim");
/// Whatever the callers keep by name.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Entries of the journal by number, from 1.
pub(super) const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");
/// Intents without a settling outcome by number: since when their outcome is known to be unknown, in Unix
/// milliseconds; `None` where nothing came of them yet.
pub(super) const OPEN: TableDefinition<u64, Option<i64>> = TableDefinition::new("open");
/// Our own marks: `encoding`, `folded`, `restored`, `rewrite`, `pruned`, and for each indexed scope of which attributes.
pub(super) const MARK: TableDefinition<&str, u64> = TableDefinition::new("mark");

/// Encoding version of the digests and bodies in the file.
pub(super) const ENCODING: &str = "encoding";
/// Number of the last journal entry folded into the tables.
pub(super) const FOLDED: &str = "folded";
/// Number of claims taken from their copy when the file was made.
pub(super) const RESTORED: &str = "restored";
/// Set while the file holds what was taken out of it.
pub(super) const REWRITE: &str = "rewrite";
/// Number of entries that were taken out of the journal since the file was last written anew.
pub(super) const PRUNED: &str = "pruned";
/// Begins the mark of an indexed scope; the scope's number follows.
pub(super) const INDEXED: &str = "indexed ";

/// What is known of a scope as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Root {
    /// Number of records.
    pub count: u64,
    /// Digest over all rows, whatever the order they came in; `None` where single records changed since
    /// it was taken.
    pub digest: Option<Digest>,
    /// Whether the last snapshot was finished and believed in what it did not show.
    pub whole: bool,
    /// Whether a snapshot was begun and not finished.
    pub open: bool,
    /// Version of the canonical encoding.
    pub encoding: u8,
    /// Blocks are `2^bits`.
    pub(super) bits: u8,
}

impl Default for Root {
    fn default() -> Self {
        Self { count: 0, digest: None, whole: false, open: false, encoding: ENCODING_VERSION, bits: 0 }
    }
}

pub(super) fn to_json<T: Serialize>(value: &T, what: &str) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|_| Fault::damaged(what))
}

/// The parser's own message is left out: it may quote what it read.
pub(super) fn from_json<T: for<'d> Deserialize<'d>>(bytes: &[u8], what: &str) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::damaged(what))
}

/// A scope's number; `None` where nothing was ever written to it.
pub(super) fn scope_id(table: &impl ReadableTable<&'static str, u16>, scope: Scope<'_>) -> Result<Option<u16>, Fault> {
    Ok(table.get(scope.name().as_str())?.map(|id| id.value()))
}

/// A scope's number, allotted where it has none.
pub(super) fn allot(txn: &WriteTransaction, scope: Scope<'_>) -> Result<u16, Fault> {
    let mut table = txn.open_table(SCOPE)?;
    if let Some(id) = scope_id(&table, scope)? {
        return Ok(id);
    }
    let mut next = 0;
    for entry in table.iter()? {
        next = next.max(entry?.1.value().saturating_add(1));
    }
    table.insert(scope.name().as_str(), next)?;
    Ok(next)
}

pub(super) fn root(table: &impl ReadableTable<u16, &'static [u8]>, id: u16) -> Result<Option<Root>, Fault> {
    table.get(id)?.map(|bytes| from_json(bytes.value(), "a root")).transpose()
}

pub(super) fn set_root(txn: &WriteTransaction, id: u16, root: &Root) -> Result<(), Fault> {
    txn.open_table(ROOT)?.insert(id, to_json(root, "a root")?.as_slice())?;
    Ok(())
}

/// Makes every table, so that readers always find them.
pub(super) fn make(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.open_table(DIGEST)?;
    txn.open_table(APPLIED)?;
    txn.open_table(PIECE)?;
    txn.open_table(BODY)?;
    txn.open_table(FOUND_BY)?;
    txn.open_table(ROOT)?;
    txn.open_table(SCOPE)?;
    txn.open_table(CLAIM)?;
    txn.open_table(META)?;
    txn.open_table(JOURNAL)?;
    txn.open_table(OPEN)?;
    txn.open_table(MARK)?.insert(ENCODING, u64::from(ENCODING_VERSION))?;
    Ok(())
}

/// Drops what depends on the encoding; claims, journal and the callers' values stay.
pub(super) fn drop_caches(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.delete_table(DIGEST)?;
    txn.delete_table(APPLIED)?;
    txn.delete_table(PIECE)?;
    txn.delete_table(BODY)?;
    txn.delete_table(FOUND_BY)?;
    txn.open_table(MARK)?.retain(|name, _| !name.starts_with(INDEXED))?;
    txn.delete_table(ROOT)?;
    make(txn)
}
