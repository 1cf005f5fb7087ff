//! Reading digests and bodies of a scope, and changing single records of it.

use std::collections::{BTreeMap, BTreeSet};

use super::block::{self, Change};
use super::error::StoreError;
use super::file::Store;
use super::index;
use super::pages::{
    change_applied, change_digests, chunk_of_bodies, count, digest_rows, find_rows, keys, put_bodies, read_body,
    remove_bodies,
};
use super::scope::{Scope, Side};
use super::set::{AppliedSet, DigestSet, Rows, applied_row, digest_row};
use super::table::{APPLIED, BODY, ROOT, Root, SCOPE, allot, root, scope_id};
use crate::digest::{Digest, encode};
use crate::drift::Applied;
use crate::record::{Key, Record};
use crate::schema::Schema;

impl Store {
    /// What is known of a scope as a whole; `None` where nothing was ever written to it.
    ///
    /// # Errors
    /// Where the file refuses or is damaged; so for all that follow.
    pub fn root(&self, scope: Scope<'_>) -> Result<Option<Root>, StoreError> {
        self.inner.read_folded(|txn| match scope_id(&txn.open_table(SCOPE)?, scope)? {
            Some(id) => root(&txn.open_table(ROOT)?, id),
            None => Ok(None),
        })
    }

    /// Digests of all records of a scope: 32 bytes each in memory.
    pub fn digests(&self, scope: Scope<'_>) -> Result<DigestSet, StoreError> {
        let rows = self.inner.read_folded(|txn| digest_rows(txn, scope))?;
        Ok(DigestSet(Rows::new(rows)))
    }

    /// Last applied pairs of all records of a kind: 48 bytes each in memory.
    pub fn applied(&self, kind: &str) -> Result<AppliedSet, StoreError> {
        let rows = self.inner.read_folded(|txn| {
            let id = scope_id(&txn.open_table(SCOPE)?, Scope::new(kind, Side::Wanted))?;
            id.map_or(Ok(Vec::new()), |id| block::load(&txn.open_table(APPLIED)?, id, count(txn, id)?))
        })?;
        Ok(AppliedSet(Rows::new(rows)))
    }

    /// The body of one record.
    pub fn body(&self, scope: Scope<'_>, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.read_folded(|txn| {
            let Some(id) = scope_id(&txn.open_table(SCOPE)?, scope)? else { return Ok(None) };
            let body = txn.open_table(BODY)?.get((id, key.as_str()))?;
            body.map(|bytes| read_body(scope.kind, key, bytes.value())).transpose()
        })
    }

    /// What was wanted of one record when it was last applied.
    pub fn wanted_body(&self, kind: &str, key: &Key) -> Result<Option<Record>, StoreError> {
        self.body(Scope::new(kind, Side::Wanted), key)
    }

    /// Every body of a scope in key order. No transaction is open while `f` runs, so records written
    /// meanwhile may or may not come.
    pub fn for_each_body(&self, scope: Scope<'_>, mut f: impl FnMut(Record)) -> Result<(), StoreError> {
        let mut last: Option<Key> = None;
        loop {
            let chunk = self.inner.read_folded(|txn| chunk_of_bodies(txn, scope, last.as_ref()))?;
            let Some(end) = chunk.last() else { return Ok(()) };
            last = Some(end.key.clone());
            chunk.into_iter().for_each(&mut f);
        }
    }

    /// The keys behind key digests, as far as the scope has their bodies. Walks all keys of the scope.
    pub fn keys(&self, scope: Scope<'_>, of: &BTreeSet<Digest>) -> Result<BTreeMap<Digest, Key>, StoreError> {
        self.inner.read_folded(|txn| match scope_id(&txn.open_table(SCOPE)?, scope)? {
            Some(id) => keys(&txn.open_table(BODY)?, id, &self.inner.digester, of),
            None => Ok(BTreeMap::new()),
        })
    }

    /// Puts single records, as a reading of these alone showed them; says how many were new or changed.
    /// Of several with one key the last stays.
    pub fn put(&self, scope: Scope<'_>, schema: &Schema, records: &[Record]) -> Result<usize, StoreError> {
        let digester = &self.inner.digester;
        let last: BTreeMap<_, _> = records.iter().map(|record| (&record.key, record)).collect();
        let mut rows: Vec<_> = last
            .into_values()
            .map(|record| (record, digester.key(&record.key), digester.record(schema, record)))
            .collect();
        let held = self.inner.read_folded(|txn| find_rows(txn, scope, rows.iter().map(|row| row.1)))?;
        let mut held = held.into_iter();
        rows.retain(|(_, key, record)| held.next().flatten() != Some(digest_row(*key, *record)));
        if rows.is_empty() {
            return Ok(0);
        }
        self.inner.write_folded(|txn| {
            let id = allot(txn, scope)?;
            let bodies: Vec<_> = rows.iter().map(|(record, ..)| (&record.key, encode(scope.kind, record))).collect();
            let about = bodies.iter().map(|(key, body)| (*key, body.as_slice()));
            index::take_in(txn, (scope.kind, id), schema, digester, about)?;
            put_bodies(txn, id, bodies)?;
            let change =
                |&(_, key, record): &(_, Digest, Digest)| Change { id: key.0, row: Some(digest_row(key, record)) };
            change_digests(txn, id, rows.iter().map(change).collect())
        })?;
        Ok(rows.len())
    }

    /// Removes single records, rows and bodies, found absent by a reading that would have shown them.
    pub fn remove(&self, scope: Scope<'_>, keys: &[Key]) -> Result<(), StoreError> {
        let digester = &self.inner.digester;
        let ids = || keys.iter().map(|key| digester.key(key));
        let held = self.inner.read_folded(|txn| find_rows(txn, scope, ids()))?;
        if held.iter().all(Option::is_none) {
            return Ok(());
        }
        self.inner.write_folded(|txn| {
            let id = allot(txn, scope)?;
            index::take_out(txn, (scope.kind, id), digester, keys)?;
            remove_bodies(txn, id, keys)?;
            change_digests(txn, id, ids().map(|key| Change { id: key.0, row: None }).collect())?;
            Ok(())
        })
    }

    /// Remembers pairs with the bodies of what was wanted where nothing was written to the target: what
    /// was met for the first time and found as wanted.
    pub fn put_applied(&self, kind: &str, pairs: &[(Applied, Record)]) -> Result<(), StoreError> {
        if pairs.is_empty() {
            return Ok(());
        }
        self.inner.write_folded(|txn| {
            let id = allot(txn, Scope::new(kind, Side::Wanted))?;
            put_bodies(txn, id, pairs.iter().map(|(_, wanted)| (&wanted.key, encode(kind, wanted))))?;
            let change = |(applied, wanted): &(Applied, Record)| {
                let key = self.inner.digester.key(&wanted.key);
                Change { id: key.0, row: Some(applied_row(key, *applied)) }
            };
            change_applied(txn, id, pairs.iter().map(change).collect())
        })
    }

    /// Forgets pairs and the bodies of what was wanted: of records that are gone, or not there and not
    /// wanted there.
    pub fn forget_applied(&self, kind: &str, keys: &[Key]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.inner.write_folded(|txn| {
            let id = allot(txn, Scope::new(kind, Side::Wanted))?;
            remove_bodies(txn, id, keys)?;
            let gone = keys.iter().map(|key| Change { id: self.inner.digester.key(key).0, row: None });
            change_applied(txn, id, gone.collect())
        })
    }
}
