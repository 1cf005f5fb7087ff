//! What can go wrong with the store, each with the path and the next step. Texts name keys, kinds and
//! tables, never values.

use std::io;
use std::path::{Path, PathBuf};

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the store.
    #[error(
        "{}: the store is in use by {}; wait until it is done",
        .path.display(), .holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Locked {
        /// The store's directory.
        path: PathBuf,
        /// Process id of the holder, where it could be read.
        holder: Option<u32>,
    },
    /// Written by another version of this program, or no store at all.
    #[error(
        "{}: found {found:?}, expected {expected:?}; use the version of reconcile that wrote it, \
         or another directory for this one", .path.display()
    )]
    Format {
        /// The file that tells the format.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What this version writes.
        expected: &'static str,
    },
    /// The key that all digests depend on is gone.
    #[error(
        "{}: the key of the store's digests is missing; restore the file from the backup. A new key would make every \
         record look changed: to start over with a first load, move the whole directory away", .path.display()
    )]
    MissingKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// A name that cannot be a file's.
    #[error("{name:?} cannot name a pipeline's store: use a-z, 0-9 and -, and not `sources`")]
    Name {
        /// The name.
        name: String,
    },
    /// Two readings of one scope at a time.
    #[error("{}: a snapshot of {scope} is being written already; finish or drop it first", .path.display())]
    Busy {
        /// The store's file.
        path: PathBuf,
        /// The scope.
        scope: String,
    },
    /// An outcome of nothing.
    #[error("{}: entry {intent} of the journal is no intent; the outcomes were not recorded", .path.display())]
    NoIntent {
        /// The store's file.
        path: PathBuf,
        /// The number given.
        intent: u64,
    },
    /// What is there cannot be read.
    #[error(
        "{}: {what} is damaged; move the file away, put the claims back from their backup and read everything again",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The part of it.
        what: String,
    },
    /// The operating system refused.
    #[error("{}: {source}; {}", .path.display(), next_step(.source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// The database refused.
    #[error("{}: {source}; stop, and start again: what is durable is kept", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: Box<redb::Error>,
    },
}

fn next_step(error: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    match error.kind() {
        K::StorageFull | K::QuotaExceeded => "make room on this file system and start again: what is durable is kept",
        K::PermissionDenied | K::ReadOnlyFilesystem => "let the account reconcile runs under read and write here",
        K::NotFound | K::NotADirectory => "check the path of the store in the configuration",
        _ => "check the disk and the path of the store in the configuration",
    }
}

impl StoreError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// What goes wrong inside a transaction, where the path is not at hand.
#[derive(Debug)]
pub(super) enum Fault {
    Redb(redb::Error),
    Damaged(String),
    NoIntent(u64),
}

impl Fault {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Redb(redb::Error::Io(source)) => StoreError::Io { path, source },
            Self::Redb(redb::Error::Corrupted(_)) => StoreError::Damaged { path, what: "the database".to_owned() },
            Self::Redb(source) => StoreError::Database { path, source: Box::new(source) },
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::NoIntent(intent) => StoreError::NoIntent { path, intent },
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::SetDurabilityError,
    redb::TableError,
    redb::StorageError,
    redb::CursorError,
    redb::CommitError
);
