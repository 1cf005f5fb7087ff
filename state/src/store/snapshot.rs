//! Snapshots: a whole reading of one scope, laid beside what is known. Only what is new or changed is
//! kept and written; where nothing is, nothing is written at all.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, PoisonError};

use redb::WriteTransaction;

use super::block::{self, Change, Id};
use super::error::{Fault, StoreError};
use super::file::Store;
use super::index;
use super::pages::{change_digests, keys, put_piece, put_sorted_bodies, remove_bodies};
use super::scope::{Scope, Side};
use super::set::{Rows, digest_row};
use super::table::{BODY, DIGEST, ROOT, Root, allot, root, set_root};
use crate::digest::{Digest, ENCODING_VERSION};
use crate::record::{Key, Record};
use crate::schema::Schema;

/// Bodies waiting to be written; then they are committed, so that a reading of any size needs as much
/// memory and no transaction waits on the network (design, The store).
const PIECE_BYTES: usize = 16 << 20;

/// What one record of a reading is to the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Not known before.
    New,
    /// Known with another digest.
    Changed,
    /// As known; its body stays the one first read with this digest.
    Same,
    /// Came before in this reading; ignored, the first stays.
    Repeated,
}

/// Whether what a reading did not show is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absence {
    /// The reading is whole and trusted: it is gone.
    Believed,
    /// It is not, or not trusted: what was known stays.
    Doubted,
}

/// A finished snapshot in figures.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Records of the reading, each key once.
    pub seen: u64,
    /// Of these, not known before.
    pub new: u64,
    /// Of these, changed.
    pub changed: u64,
    /// Of these, as known.
    pub same: u64,
    /// Records that came again.
    pub repeated: u64,
    /// What was known, was not shown and was dropped, in order.
    pub gone: Vec<Key>,
}

struct Pending {
    key: Key,
    row: [u8; 32],
    body: Vec<u8>,
}

/// Takes in one reading, in any order. Dropped without [`finish`](Self::finish), it leaves what it has
/// written so far and the scope open: the next snapshot goes on from there.
pub struct SnapshotWriter {
    store: Store,
    kind: String,
    side: Side,
    schema: Schema,
    known: Rows<32>,
    seen: Vec<u64>,
    /// Keys of this reading that were not known before.
    fresh: HashSet<Id>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    piece_bytes: usize,
    summary: Summary,
}

impl Store {
    /// Begins a snapshot of a scope.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where one is being written already; or where the file refuses.
    pub fn snapshot(&self, scope: Scope<'_>, schema: &Schema) -> Result<SnapshotWriter, StoreError> {
        let mut snapshots = self.inner.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if snapshots.contains(&scope.name()) {
            return Err(StoreError::Busy { path: self.inner.path.clone(), scope: scope.name() });
        }
        debug_assert_eq!(scope.kind, schema.kind, "bodies are encoded under the schema's kind");
        let known = self.digests(scope)?.0;
        snapshots.insert(scope.name());
        Ok(SnapshotWriter {
            store: self.clone(),
            kind: scope.kind.to_owned(),
            side: scope.side,
            schema: schema.clone(),
            seen: vec![0; known.rows().len().div_ceil(64)],
            known,
            fresh: HashSet::new(),
            pending: Vec::new(),
            pending_bytes: 0,
            piece_bytes: PIECE_BYTES,
            summary: Summary::default(),
        })
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        let mut snapshots = self.store.inner.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        snapshots.remove(&self.scope().name());
    }
}

impl SnapshotWriter {
    /// Commits pieces of this size instead, so that a small reading has several.
    #[doc(hidden)]
    #[must_use]
    pub fn in_pieces_of(mut self, piece_bytes: usize) -> Self {
        self.piece_bytes = piece_bytes;
        self
    }

    /// Keeps everything until the end: for what says of something else that it is durable.
    #[must_use]
    pub fn in_one_piece(mut self) -> Self {
        self.piece_bytes = usize::MAX;
        self
    }

    /// Takes in one record.
    ///
    /// # Errors
    /// Where a piece is full and the file refuses it.
    pub fn see(&mut self, record: &Record) -> Result<Seen, StoreError> {
        let digester = &self.store.inner.digester;
        let key = digester.key(&record.key);
        let (digest, body) = digester.record_and_body(&self.schema, record);
        let row = digest_row(key, digest);
        let seen = match self.known.find(&key.0) {
            Some(at) if self.mark(at) => Seen::Repeated,
            Some(at) if self.known.rows()[at] == row => Seen::Same,
            Some(_) => Seen::Changed,
            None if self.fresh.insert(key.0) => Seen::New,
            None => Seen::Repeated,
        };
        let counter = match seen {
            Seen::New => &mut self.summary.new,
            Seen::Changed => &mut self.summary.changed,
            Seen::Same => &mut self.summary.same,
            Seen::Repeated => &mut self.summary.repeated,
        };
        *counter += 1;
        self.summary.seen += u64::from(seen != Seen::Repeated);
        if matches!(seen, Seen::New | Seen::Changed) {
            self.pending_bytes += body.len() + record.key.as_str().len();
            self.pending.push(Pending { key: record.key.clone(), row, body });
            if self.pending_bytes >= self.piece_bytes {
                self.write_piece()?;
            }
        }
        Ok(seen)
    }

    /// Ends the snapshot.
    ///
    /// # Errors
    /// Where the file refuses; the scope is then as if the writer had been dropped.
    pub fn finish(mut self, absence: Absence) -> Result<Summary, StoreError> {
        let unseen = match absence {
            Absence::Believed => self.unseen(),
            Absence::Doubted => Vec::new(),
        };
        let root = self.store.root(self.scope())?;
        let sealed = root.is_some_and(|root| root == Self::seal(&root, absence));
        if !sealed || !self.pending.is_empty() || !unseen.is_empty() {
            let inner = Arc::clone(&self.store.inner);
            let gone = inner.write_folded(|txn| self.write_all(txn, &unseen, absence))?;
            self.summary.gone = gone;
        }
        Ok(std::mem::take(&mut self.summary))
    }

    fn scope(&self) -> Scope<'_> {
        Scope::new(&self.kind, self.side)
    }

    /// Marks a known row as seen; says whether it was.
    fn mark(&mut self, at: usize) -> bool {
        let (word, bit) = (&mut self.seen[at / 64], 1 << (at % 64));
        let was = *word & bit != 0;
        *word |= bit;
        was
    }

    fn unseen(&self) -> Vec<[u8; 32]> {
        let rows = self.known.rows().iter().enumerate();
        rows.filter(|(at, _)| self.seen[at / 64] & (1 << (at % 64)) == 0).map(|(_, row)| *row).collect()
    }

    /// The root as this snapshot leaves it; stale where it has no digest.
    fn seal(root: &Root, absence: Absence) -> Root {
        Root {
            // Of a stale root the digest is taken anew: it is then not equal to what stands there.
            digest: Some(root.digest.unwrap_or(Digest([0; 16]))),
            whole: absence == Absence::Believed,
            open: false,
            encoding: ENCODING_VERSION,
            ..root.clone()
        }
    }

    /// Writes pending bodies in key order, and gives their rows in order.
    fn write_bodies(&mut self, txn: &WriteTransaction, id: u16) -> Result<Vec<[u8; 32]>, Fault> {
        self.pending.sort_unstable_by(|one, two| one.key.cmp(&two.key));
        let bodies: Vec<_> = self.pending.iter().map(|pending| (&pending.key, pending.body.as_slice())).collect();
        let digester = &self.store.inner.digester;
        index::take_in(txn, (&self.kind, id), &self.schema, digester, bodies.iter().copied())?;
        put_sorted_bodies(txn, id, &bodies)?;
        let mut rows: Vec<_> = self.pending.iter().map(|pending| pending.row).collect();
        rows.sort_unstable();
        Ok(rows)
    }

    /// Rows of a piece are kept apart from the blocks, of which each piece would rewrite every one.
    fn write_piece(&mut self) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.store.inner);
        inner.write_folded(|txn| {
            let id = allot(txn, self.scope())?;
            let held = root(&txn.open_table(ROOT)?, id)?.unwrap_or_default();
            set_root(txn, id, &Root { whole: false, open: true, digest: None, ..held })?;
            let rows = self.write_bodies(txn, id)?;
            put_piece(txn, id, &rows)
        })?;
        // Only now: a piece the file refused is still there to be written.
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn write_all(&mut self, txn: &WriteTransaction, unseen: &[[u8; 32]], absence: Absence) -> Result<Vec<Key>, Fault> {
        let id = allot(txn, self.scope())?;
        let rows = self.write_bodies(txn, id)?;
        let change = |row: &[u8; 32], to| Change { id: id_of(row), row: to };
        let mut held = change_digests(txn, id, rows.iter().map(|row| change(row, Some(*row))).collect())?;
        // What settled while the reading went on is newer than the reading.
        let mut gone = Vec::new();
        {
            let blocks = txn.open_table(DIGEST)?;
            for row in unseen {
                if block::find(&blocks, id, held.bits, &id_of(row))? == Some(*row) {
                    gone.push(*row);
                }
            }
        }
        let digests: BTreeSet<_> = gone.iter().map(|row| Digest(id_of(row))).collect();
        let mut gone_keys: Vec<_> =
            keys(&txn.open_table(BODY)?, id, &self.store.inner.digester, &digests)?.into_values().collect();
        gone_keys.sort_unstable();
        index::take_out(txn, (&self.kind, id), &self.store.inner.digester, &gone_keys)?;
        remove_bodies(txn, id, &gone_keys)?;
        if !gone.is_empty() {
            held = change_digests(txn, id, gone.iter().map(|row| change(row, None)).collect())?;
        }
        let mut sealed = Self::seal(&held, absence);
        if held.digest.is_none() {
            let mut cut = [0; 16];
            cut.copy_from_slice(&block::hash(&txn.open_table(DIGEST)?, id)?.as_bytes()[..16]);
            sealed.digest = Some(Digest(cut));
        }
        set_root(txn, id, &sealed)?;
        Ok(gone_keys)
    }
}

fn id_of(row: &[u8; 32]) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(block::id(row));
    id
}
