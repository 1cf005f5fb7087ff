//! What can go wrong with the store, each with the path and the next step. Texts name keys, kinds and
//! tables, never values.

use std::io;
use std::path::{Path, PathBuf};

use super::names::{CLAIMS, SOURCES, beside};

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
    /// The place is not the store's own.
    #[error(
        "{}: {what}; move that away, or name a directory of the store's own in the configuration", .path.display()
    )]
    Place {
        /// The store's directory.
        path: PathBuf,
        /// What is there.
        what: String,
    },
    /// Everybody may enter the directory, and it is not ours to close.
    #[error(
        "{}: everybody may enter the store's directory (mode {mode:o}), and it belongs to another account; give it to \
         the account reconcile runs under, or set its mode to 700", .path.display()
    )]
    Unlocked {
        /// The store's directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key that all digests depend on is not there, or not a key.
    #[error(
        "{}: the key of the store's digests is {state}; restore this one file from the backup. Without a backup move the \
         whole directory away and put only its folder `claims` back in a new one: then the claims are kept, the journal \
         and the last trusted figures stay behind, everything is read again, and what differs is listed as at a first \
         meeting", .path.display()
    )]
    Key {
        /// Where it should be.
        path: PathBuf,
        /// `missing` or `damaged`.
        state: &'static str,
    },
    /// The copy of a pipeline's claims, of which the own file is lost, cannot be read; nothing was restored.
    #[error(
        "{}: line {line} {why}; the claims of this pipeline are restored from here, because its own file is not there. \
         Restore either file from the backup. Without a backup derive the claims from evidence: \
         `reconcile --rebuild-claims --plan`, read it, then `reconcile --rebuild-claims`", .path.display()
    )]
    Copy {
        /// The copy.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A pipeline that has had claims has neither its file nor a copy that could be restored.
    #[error(
        "{}: the pipeline's file is not there, and {} {why}: what was remembered of it ({count} claims in the last copy) \
         is lost, and it is not taken for a new pipeline; restore either file from the backup{}. Without a backup derive \
         the claims from evidence: `reconcile --rebuild-claims --plan`, read it, then `reconcile --rebuild-claims`",
        .path.display(), .copy.display(), kept(.copy)
    )]
    ClaimsLost {
        /// The file.
        path: PathBuf,
        /// Its copy.
        copy: PathBuf,
        /// What is wrong with the copy.
        why: String,
        /// So many claims the last copy held.
        count: u64,
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
    /// A file that is only looked at would have to be written to.
    #[error(
        "{}: the last pass was cut off before it brought this file up to date, and looking does not change it; the next \
         pass brings it up to date, also one with --plan", .path.display()
    )]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
    },
    /// What is there cannot be read.
    #[error("{}: {what} is damaged; {}", .path.display(), without(.path))]
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
    #[error("{}: {}", .path.display(), in_words(.source))]
    Database {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: Box<redb::Error>,
    },
}

const MAKE_ROOM: &str = "make room on this file system and start again: what is durable is kept";

fn in_words(error: &redb::Error) -> String {
    match error {
        // The database tells the first refusal to whoever met it, and everybody after that only this.
        redb::Error::PreviousIo => format!("the disk refused an earlier write, and is most likely full; {MAKE_ROOM}"),
        error => format!("{error}; stop, and start again: what is durable is kept"),
    }
}

fn next_step(error: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    match error.kind() {
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => MAKE_ROOM,
        K::PermissionDenied | K::ReadOnlyFilesystem => "let the account reconcile runs under read and write here",
        K::NotFound | K::NotADirectory => "check the path of the store in the configuration",
        _ => "check the disk and the path of the store in the configuration",
    }
}

/// A former copy that stands beside.
fn kept(copy: &Path) -> String {
    let kept = beside(copy);
    if kept.exists() {
        format!(", or look at {}, a former copy with more claims", kept.display())
    } else {
        String::new()
    }
}

/// What to do without a file, and what that costs.
fn without(path: &Path) -> String {
    if path.file_stem().is_some_and(|name| name == SOURCES) {
        return "move the file away: it is a cache. The next pass reads both sources whole; the last trusted figures and \
                the list of used plans are lost with it, so read the next plan before it is carried out"
            .to_owned();
    }
    let copy = path
        .parent()
        .unwrap_or(Path::new(""))
        .join(CLAIMS)
        .join(path.with_extension("jsonl").file_name().unwrap_or_default());
    format!(
        "move the file away and run a plan: the claims come back from {}, what differs is listed as at a first meeting, \
         and the journal stays in the file that was moved",
        copy.display()
    )
}

impl StoreError {
    /// Whether a pipeline's claims are lost: they can neither be read nor restored.
    pub fn is_loss_of_claims(&self) -> bool {
        matches!(self, Self::Copy { .. } | Self::ClaimsLost { .. })
    }

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
    ReadOnly,
}

impl Fault {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Redb(error) if is_damage(&error) => StoreError::Damaged { path, what: "the database".to_owned() },
            Self::Redb(redb::Error::Io(source)) => StoreError::Io { path, source },
            Self::Redb(source) => StoreError::Database { path, source: Box::new(source) },
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::NoIntent(intent) => StoreError::NoIntent { path, intent },
            Self::ReadOnly => StoreError::ReadOnly { path },
        }
    }
}

/// Whether an answer of the database can only come from a file that is not as it was left. A poisoned lock is
/// what a panic leaves behind.
fn is_damage(error: &redb::Error) -> bool {
    use redb::Error as E;
    match error {
        E::Io(error) => matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData),
        E::Corrupted(_)
        | E::UpgradeRequired(_)
        | E::RepairAborted
        | E::TableTypeMismatch { .. }
        | E::TableIsMultimap(_)
        | E::TypeDefinitionChanged { .. }
        | E::TableDoesNotExist(_)
        | E::LockPoisoned(_) => true,
        _ => false,
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Redb(redb::Error::Io(error))
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
