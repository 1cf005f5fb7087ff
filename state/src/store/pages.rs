//! Rows and bodies of a scope within a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::block::{self, Change};
use super::error::Fault;
use super::scope::Scope;
use super::set::Rows;
use super::table::{APPLIED, BODY, DIGEST, PIECE, ROOT, Root, SCOPE, root, scope_id, set_root};
use crate::digest::{Digest, Digester, decode};
use crate::record::{Key, Record};

/// Bodies read in one transaction: a reader that takes its time must not keep old pages alive.
const CHUNK: usize = 1000;

/// Reads a body; what it was of is said where it is none.
pub(super) fn read_body(kind: &str, key: &Key, bytes: &[u8]) -> Result<Record, Fault> {
    decode(kind, key.clone(), bytes).map_err(|_| Fault::damaged(format!("the body of {kind} {key}")))
}

/// How many rows a scope has.
pub(super) fn count(txn: &ReadTransaction, id: u16) -> Result<u64, Fault> {
    Ok(root(&txn.open_table(ROOT)?, id)?.map_or(0, |root| root.count))
}

/// Rows of a scope, those of an unfinished snapshot included.
pub(super) fn digest_rows(txn: &ReadTransaction, scope: Scope<'_>) -> Result<Vec<[u8; 32]>, Fault> {
    let Some(id) = scope_id(&txn.open_table(SCOPE)?, scope)? else { return Ok(Vec::new()) };
    let rows = block::load(&txn.open_table(DIGEST)?, id, count(txn, id)?)?;
    let mut pieces = pieces(&txn.open_table(PIECE)?, id)?;
    if pieces.is_empty() {
        return Ok(rows);
    }
    block::in_order(&mut pieces);
    Ok(block::merge(&rows, &pieces))
}

/// The rows of some key digests.
pub(super) fn find_rows(
    txn: &ReadTransaction,
    scope: Scope<'_>,
    ids: impl Iterator<Item = Digest>,
) -> Result<Vec<Option<[u8; 32]>>, Fault> {
    let Some(id) = scope_id(&txn.open_table(SCOPE)?, scope)? else { return Ok(ids.map(|_| None).collect()) };
    let root = root(&txn.open_table(ROOT)?, id)?.unwrap_or_default();
    if root.open {
        let rows = Rows::new(digest_rows(txn, scope)?);
        return Ok(ids.map(|key| rows.find(&key.0).map(|at| rows.rows()[at])).collect());
    }
    let blocks = txn.open_table(DIGEST)?;
    ids.map(|key| block::find(&blocks, id, root.bits, &key.0)).collect()
}

fn pieces(table: &impl ReadableTable<(u16, u32), &'static [u8]>, id: u16) -> Result<Vec<Change<32>>, Fault> {
    let rows = block::load::<32>(table, id, 0)?;
    Ok(rows.into_iter().map(|row| Change { id: first(&row), row: Some(row) }).collect())
}

fn first(row: &[u8; 32]) -> block::Id {
    let mut id = [0; 16];
    id.copy_from_slice(block::id(row));
    id
}

/// The bodies after a key, at most [`CHUNK`].
pub(super) fn chunk_of_bodies(
    txn: &ReadTransaction,
    scope: Scope<'_>,
    after: Option<&Key>,
) -> Result<Vec<Record>, Fault> {
    let Some(id) = scope_id(&txn.open_table(SCOPE)?, scope)? else { return Ok(Vec::new()) };
    let from = after.map_or(Bound::Included((id, "")), |key| Bound::Excluded((id, key.as_str())));
    let mut chunk = Vec::new();
    for entry in txn.open_table(BODY)?.range::<(u16, &str)>((from, Bound::Unbounded))?.take(CHUNK) {
        let (at, body) = entry?;
        let (scope_at, key) = at.value();
        if scope_at != id {
            break;
        }
        chunk.push(read_body(scope.kind, &key.into(), body.value())?);
    }
    Ok(chunk)
}

/// Only digests of keys are kept in rows: the keys themselves are where the bodies are.
pub(super) fn keys(
    bodies: &impl ReadableTable<(u16, &'static str), &'static [u8]>,
    id: u16,
    digester: &Digester,
    of: &BTreeSet<Digest>,
) -> Result<BTreeMap<Digest, Key>, Fault> {
    let mut found = BTreeMap::new();
    if of.is_empty() {
        return Ok(found);
    }
    for entry in bodies.range::<(u16, &str)>((id, "")..)? {
        let at = entry?.0;
        let (scope, key) = at.value();
        if scope != id {
            break;
        }
        let digest = digester.bytes(key.as_bytes());
        if of.contains(&digest) {
            found.insert(digest, key.into());
        }
    }
    Ok(found)
}

pub(super) fn put_bodies<'k>(
    txn: &WriteTransaction,
    id: u16,
    bodies: impl IntoIterator<Item = (&'k Key, impl AsRef<[u8]>)>,
) -> Result<(), Fault> {
    let mut table = txn.open_table(BODY)?;
    for (key, body) in bodies {
        table.insert((id, key.as_str()), body.as_ref())?;
    }
    Ok(())
}

/// Bodies in ascending order of their keys. Where they come after all the scope has, as those of a first
/// reading in key order do, each is put behind the last without a search from the top.
pub(super) fn put_sorted_bodies(txn: &WriteTransaction, id: u16, bodies: &[(&Key, &[u8])]) -> Result<(), Fault> {
    let mut table = txn.open_table(BODY)?;
    let Some((first, _)) = bodies.first() else { return Ok(()) };
    let first = (id, first.as_str());
    let next = table.range::<(u16, &str)>(first..)?.next().transpose()?.map(|(at, _)| at.value().0);
    if next == Some(id) {
        for (key, body) in bodies {
            table.insert((id, key.as_str()), *body)?;
        }
        return Ok(());
    }
    let mut end = table.upper_bound_mut(Bound::Excluded(first))?;
    for (key, body) in bodies {
        end.insert_before((id, key.as_str()), *body)?;
    }
    // A cursor that is only dropped hides what the disk refused.
    end.close()?;
    Ok(())
}

pub(super) fn remove_bodies<'k>(
    txn: &WriteTransaction,
    id: u16,
    keys: impl IntoIterator<Item = &'k Key>,
) -> Result<(), Fault> {
    let mut table = txn.open_table(BODY)?;
    for key in keys {
        table.remove((id, key.as_str()))?;
    }
    Ok(())
}

/// Adds rows to an unfinished snapshot.
pub(super) fn put_piece(txn: &WriteTransaction, id: u16, rows: &[[u8; 32]]) -> Result<(), Fault> {
    let mut table = txn.open_table(PIECE)?;
    let last = table.range((id, 0)..=(id, u32::MAX))?.next_back().transpose()?.map(|(at, _)| at.value().1);
    table.insert((id, last.map_or(0, |last| last.saturating_add(1))), rows.as_flattened())?;
    Ok(())
}

/// Changes rows of digests, after those of pieces; the root is brought up to date, and stale.
pub(super) fn change_digests(txn: &WriteTransaction, id: u16, changes: Vec<Change<32>>) -> Result<Root, Fault> {
    let mut table = txn.open_table(PIECE)?;
    let mut all = pieces(&table, id)?;
    if !all.is_empty() {
        table.retain_in((id, 0)..=(id, u32::MAX), |_, _| false)?;
    }
    all.extend(changes);
    change_rows(txn, DIGEST, id, all)
}

/// Changes rows of last applied.
pub(super) fn change_applied(txn: &WriteTransaction, id: u16, changes: Vec<Change<48>>) -> Result<(), Fault> {
    change_rows(txn, APPLIED, id, changes)?;
    Ok(())
}

fn change_rows<const W: usize>(
    txn: &WriteTransaction,
    blocks: TableDefinition<'static, (u16, u32), &'static [u8]>,
    id: u16,
    mut changes: Vec<Change<W>>,
) -> Result<Root, Fault> {
    block::in_order(&mut changes);
    let mut root = root(&txn.open_table(ROOT)?, id)?.unwrap_or_default();
    if block::change(&mut txn.open_table(blocks)?, id, (&mut root.count, &mut root.bits), &changes)? {
        root.digest = None;
    }
    set_root(txn, id, &root)?;
    Ok(root)
}
