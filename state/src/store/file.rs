//! One file of the store: opening, transactions, and values kept by name.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{
    Builder, Database, Durability, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, StorageBackend,
    WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::copy::Line;
use super::damage::{caught, look_at};
use super::disk::{fresh, put_in_place};
use super::error::{Fault, StoreError};
use super::{fold, table};
use crate::digest::{Digester, ENCODING_VERSION};

/// Half of a file's cache is for what a transaction has written: beyond that, pages go to the disk twice.
const LEAST_CACHE: u64 = 6 << 20;
/// Holds the digest blocks of two million records.
const MOST_CACHE: u64 = 128 << 20;

/// The sources' or one pipeline's part of the store. Cheap to clone; every call blocks until what it did
/// is durable.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    /// Taken out only to be closed.
    db: Option<Db>,
    pub(super) path: PathBuf,
    pub(super) digester: Digester,
    /// Writers take turns here, so that a reader that has to fold first waits for those before it.
    turn: Mutex<()>,
    /// How many outcomes the journal may hold that are not in the tables; of a file that was just opened any number,
    /// and then one stands for them. Changed by the writer whose turn it is, before its commit where it adds some.
    unfolded: AtomicUsize,
    /// Scopes of which a snapshot is being written.
    pub(super) snapshots: Mutex<BTreeSet<String>>,
    reencoded_from: Option<u8>,
    /// Held for the whole directory until the last file is closed.
    _lock: Option<Arc<File>>,
}

/// The database, opened for what it is to be used for.
enum Db {
    Writable(Database),
    Readable(ReadOnlyDatabase),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.inner.path.display())
    }
}

impl Store {
    /// Opens a file.
    pub(super) fn open(path: PathBuf, digester: Digester, lock: Arc<File>) -> Result<Self, StoreError> {
        look_at(&path)?;
        let db = caught(|| Ok(builder(&path).open(&path)?)).map_err(|fault| fault.at(&path))?;
        Self::of(Inner::new(Db::Writable(db), path, digester, Some(lock)))
    }

    /// Opens what is on a device of the caller's, or makes a file there where it is empty: tests let its power fail.
    /// There is no directory, so nothing else may have it.
    ///
    /// # Errors
    /// Where the device refuses, or holds something damaged.
    #[doc(hidden)]
    pub fn open_on(device: impl StorageBackend, digester: Digester) -> Result<Self, StoreError> {
        let path = PathBuf::from("a device");
        let open = || {
            let is_new = device.len()? == 0;
            let db = builder(&path).create_with_backend(device)?;
            if is_new {
                let txn = db.begin_write()?;
                table::make(&txn)?;
                txn.commit()?;
            }
            Ok(db)
        };
        let db = caught(open).map_err(|fault| fault.at(&path))?;
        Self::of(Inner::new(Db::Writable(db), path, digester, None))
    }

    fn of(mut inner: Inner) -> Result<Self, StoreError> {
        let written_as = inner.written_as()?;
        // Folding first: digests of the former encoding must not come into the tables afterwards.
        inner.fold()?;
        if written_as != ENCODING_VERSION {
            inner.write(table::drop_caches)?;
            inner.reencoded_from = Some(written_as);
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens a file to read it: nothing of it changes, and all that writes is refused. So is a file that a killed
    /// process left open, because opening it repairs it.
    pub(super) fn look(path: PathBuf, digester: Digester, lock: Arc<File>) -> Result<Self, StoreError> {
        look_at(&path)?;
        let open = || match builder(&path).open_read_only(&path) {
            Err(redb::DatabaseError::RepairAborted) => Err(Fault::ReadOnly),
            opened => Ok(opened?),
        };
        let db = caught(open).map_err(|fault| fault.at(&path))?;
        let mut inner = Inner::new(Db::Readable(db), path, digester, Some(lock));
        let written_as = inner.written_as()?;
        inner.reencoded_from = (written_as != ENCODING_VERSION).then_some(written_as);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes digests under this store's key.
    pub fn digester(&self) -> &Digester {
        &self.inner.digester
    }

    /// The encoding version the file was written under, where that was another: its digests, bodies and
    /// last applied pairs are dropped when it is opened for a pass, claims and journal are kept.
    pub fn reencoded_from(&self) -> Option<u8> {
        self.inner.reencoded_from
    }

    /// A value kept under a name, `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is there and is no `T`.
    pub fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.inner.read(|txn| {
            let value = txn.open_table(table::META)?.get(name)?;
            value.map(|bytes| table::from_json(bytes.value(), name)).transpose()
        })
    }

    /// Keeps a value under a name. Writes nothing where it is there already.
    ///
    /// # Errors
    /// Where the file refuses.
    pub fn set_meta<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let json = table::to_json(value, name).map_err(|fault| fault.at(&self.inner.path))?;
        let same = self
            .inner
            .read(|txn| Ok(txn.open_table(table::META)?.get(name)?.is_some_and(|held| held.value() == json)))?;
        if same {
            return Ok(());
        }
        self.inner.write(|txn| {
            txn.open_table(table::META)?.insert(name, json.as_slice())?;
            Ok(())
        })
    }

    /// Brings outcomes of the journal into digests and last applied. Reading does it where needed, and so does
    /// recording a great many; calling it after a group of outcomes keeps that short.
    ///
    /// # Errors
    /// Where the file refuses.
    pub fn fold(&self) -> Result<(), StoreError> {
        self.inner.fold()
    }
}

impl Inner {
    fn new(db: Db, path: PathBuf, digester: Digester, lock: Option<Arc<File>>) -> Self {
        Self {
            db: Some(db),
            path,
            digester,
            turn: Mutex::default(),
            unfolded: AtomicUsize::new(1),
            snapshots: Mutex::default(),
            reencoded_from: None,
            _lock: lock,
        }
    }

    fn written_as(&self) -> Result<u8, StoreError> {
        self.read(|txn| {
            let mark = txn.open_table(table::MARK)?.get(table::ENCODING)?.map_or(0, |version| version.value());
            Ok(u8::try_from(mark).unwrap_or(u8::MAX))
        })
    }

    pub(super) fn read<T>(&self, f: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, StoreError> {
        let begin = || match self.db()? {
            Db::Writable(db) => Ok::<_, Fault>(db.begin_read()?),
            Db::Readable(db) => Ok(db.begin_read()?),
        };
        caught(|| f(&begin()?)).map_err(|fault| fault.at(&self.path))
    }

    /// Reads what reflects every recorded outcome.
    pub(super) fn read_folded<T>(&self, f: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.fold()?;
        self.read(f)
    }

    /// Writes journal entries, claims and named values, which need no folding.
    pub(super) fn write<T>(&self, f: impl FnOnce(&WriteTransaction) -> Result<T, Fault>) -> Result<T, StoreError> {
        let _turn = self.turn();
        self.commit(f)
    }

    /// Writes what outcomes are folded into: those recorded before come first.
    pub(super) fn write_folded<T>(
        &self,
        f: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _turn = self.turn();
        let unfolded = self.unfolded.load(Ordering::Acquire);
        let done = self.commit(|txn| {
            if unfolded > 0 {
                fold::fold(txn, &self.digester)?;
            }
            f(txn)
        })?;
        self.unfolded.store(0, Ordering::Release);
        Ok(done)
    }

    /// Writes so many outcomes; and folds them with those before, where that would be too many to leave.
    pub(super) fn write_outcomes<T>(
        &self,
        count: usize,
        f: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _turn = self.turn();
        let unfolded = self.unfolded.fetch_add(count, Ordering::AcqRel) + count;
        let folds = unfolded > fold::MOST_UNFOLDED;
        let done = self.commit(|txn| {
            let done = f(txn)?;
            if folds {
                fold::fold(txn, &self.digester)?;
            }
            Ok(done)
        })?;
        if folds {
            self.unfolded.store(0, Ordering::Release);
        }
        Ok(done)
    }

    fn fold(&self) -> Result<(), StoreError> {
        if self.unfolded.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let _turn = self.turn();
        // Somebody else's turn may have done it; and at open there is mostly nothing to do.
        if self.unfolded.load(Ordering::Acquire) > 0 && self.read(fold::is_needed)? {
            self.commit(|txn| fold::fold(txn, &self.digester))?;
        }
        self.unfolded.store(0, Ordering::Release);
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit<T>(&self, f: impl FnOnce(&WriteTransaction) -> Result<T, Fault>) -> Result<T, StoreError> {
        let commit = || {
            let Db::Writable(db) = self.db()? else { return Err(Fault::ReadOnly) };
            let mut txn = db.begin_write()?;
            txn.set_durability(Durability::Immediate)?;
            // A killed process costs milliseconds at the next start, not a reading of the whole file.
            txn.set_quick_repair(true);
            let done = f(&txn)?;
            txn.commit()?;
            Ok(done)
        };
        caught(commit).map_err(|fault| fault.at(&self.path))
    }

    fn db(&self) -> Result<&Db, Fault> {
        self.db.as_ref().ok_or(Fault::Redb(redb::Error::DatabaseClosed))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing writes, and meets damage too. What it cannot write, opening repairs.
        let _ = caught(|| {
            drop(self.db.take());
            Ok(())
        });
    }
}

/// The cache grows with the file, of which the digest blocks of a kind are about this part.
pub(super) fn builder(path: &Path) -> Builder {
    let length = path.metadata().map_or(0, |file| file.len());
    let cache = (length / 16).clamp(LEAST_CACHE, MOST_CACHE);
    let mut builder = Builder::new();
    builder.set_cache_size(usize::try_from(cache).unwrap_or(usize::MAX));
    builder
}

/// What a new file begins with.
pub(super) struct Beginning<'b> {
    /// Claims.
    pub(super) claims: Vec<Line>,
    /// Values by name, as [`Store::meta`] reads them.
    pub(super) values: &'b [(&'b str, serde_json::Value)],
    /// Whether the claims come from the pipeline's copy.
    pub(super) restored: bool,
}

/// Makes a file with empty tables but for its beginning, which appears in its place whole or not at all.
pub(super) fn make(path: &Path, beginning: &Beginning<'_>) -> Result<(), StoreError> {
    let beside = path.with_extension("redb.new");
    let file = fresh(&beside).map_err(StoreError::io(&beside))?;
    let fill_in = || {
        let db = builder(&beside).create_file(file)?;
        let txn = db.begin_write()?;
        table::make(&txn)?;
        {
            let mut table = txn.open_table(table::CLAIM)?;
            for Line { kind, key, claim } in &beginning.claims {
                table.insert((kind.as_str(), key.as_str()), table::to_json(claim, "a claim")?.as_slice())?;
            }
            let mut table = txn.open_table(table::META)?;
            for (name, value) in beginning.values {
                table.insert(*name, table::to_json(value, name)?.as_slice())?;
            }
        }
        if beginning.restored && !beginning.claims.is_empty() {
            txn.open_table(table::MARK)?.insert(table::RESTORED, beginning.claims.len() as u64)?;
        }
        txn.commit()?;
        Ok(())
    };
    caught(fill_in)
        .map_err(|fault| fault.at(&beside))
        .and_then(|()| File::open(&beside).and_then(|file| file.sync_all()).map_err(StoreError::io(&beside)))
        .and_then(|()| put_in_place(&beside, path))
        .inspect_err(|_| {
            // The first error is the one to tell.
            let _ = std::fs::remove_file(&beside);
        })
}
