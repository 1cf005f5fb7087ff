//! The store's directory: lock, format, key, files. The lock is taken before anything is read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StoreError;
use super::file::Store;
use crate::digest::Digester;

const FORMAT: &str = "reconcile store 1";
const SOURCES: &str = "sources";

/// The directory of a store, locked for as long as this or one of its [`Store`]s lives.
#[derive(Debug)]
pub struct StoreDir {
    path: PathBuf,
    digester: Digester,
    lock: Arc<File>,
    files: Mutex<BTreeMap<String, Store>>,
}

impl StoreDir {
    /// Opens the store at `path`, or makes a new one there. `fresh_key` becomes the key of a new store's
    /// digests; a store that exists keeps the key it has.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Format`], [`StoreError::MissingKey`] or
    /// [`StoreError::Io`]; nothing half-made is left behind.
    pub fn open(path: impl Into<PathBuf>, fresh_key: [u8; 32]) -> Result<Self, StoreError> {
        let path = path.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(StoreError::io(&path))?;
        let lock = Arc::new(take_lock(&path)?);
        let key = match read_line(&path.join("format"))? {
            Some(format) if format == FORMAT => {
                read_key(&path)?.ok_or_else(|| StoreError::MissingKey { path: path.join("digest.key") })?
            }
            Some(found) => return Err(StoreError::Format { path: path.join("format"), found, expected: FORMAT }),
            None => make_new(&path, fresh_key)?,
        };
        Ok(Self { path, digester: Digester::new(key), lock, files: Mutex::default() })
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes digests under this store's key.
    pub fn digester(&self) -> &Digester {
        &self.digester
    }

    /// What the sources showed.
    ///
    /// # Errors
    /// Where the file cannot be opened or made.
    pub fn sources(&self) -> Result<Store, StoreError> {
        self.file(SOURCES)
    }

    /// What is known of one pipeline.
    ///
    /// # Errors
    /// [`StoreError::Name`], or where the file cannot be opened or made.
    pub fn pipeline(&self, name: &str) -> Result<Store, StoreError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name == SOURCES || !name.chars().all(plain) {
            return Err(StoreError::Name { name: name.to_owned() });
        }
        self.file(name)
    }

    fn file(&self, name: &str) -> Result<Store, StoreError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = files.get(name) {
            return Ok(store.clone());
        }
        let path = self.path.join(format!("{name}.redb"));
        let store = Store::open(path, self.digester.clone(), Arc::clone(&self.lock))?;
        files.insert(name.to_owned(), store.clone());
        Ok(store)
    }
}

fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whoever holds it may be about to write its number: then it is not known.
            let holder = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
            return Err(StoreError::Locked { path: dir.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, source }),
    }
    let mut say = || {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    say().map_err(StoreError::io(&path))?;
    Ok(file)
}

/// The format is written last: a directory without it is no store yet, and may be begun again.
fn make_new(dir: &Path, fresh_key: [u8; 32]) -> Result<[u8; 32], StoreError> {
    let entries = dir.read_dir().map_err(StoreError::io(dir))?;
    for entry in entries {
        let name = entry.map_err(StoreError::io(dir))?.file_name();
        if Path::new(&name).extension().is_some_and(|e| e == "redb") {
            let found = "a store without this file".to_owned();
            return Err(StoreError::Format { path: dir.join("format"), found, expected: FORMAT });
        }
    }
    let key = if let Some(key) = read_key(dir)? {
        key
    } else {
        let text: String = fresh_key.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect();
        write_whole(&dir.join("digest.key"), text.as_bytes())?;
        fresh_key
    };
    write_whole(&dir.join("format"), format!("{FORMAT}\n").as_bytes())?;
    Ok(key)
}

fn read_key(dir: &Path) -> Result<Option<[u8; 32]>, StoreError> {
    let path = dir.join("digest.key");
    let Some(text) = read_line(&path)? else { return Ok(None) };
    let mut key = [0; 32];
    let pairs = text.as_bytes().as_chunks::<2>().0;
    let digits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    for (byte, pair) in key.iter_mut().zip(pairs).filter(|_| digits) {
        *byte = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
    }
    if digits { Ok(Some(key)) } else { Err(StoreError::Damaged { path, what: "the key of the digests".to_owned() }) }
}

/// The first line of a small file, `None` where there is no file.
fn read_line(path: &Path) -> Result<Option<String>, StoreError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(256).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}

/// Writes a file beside its place, 0600, and moves it there when it is durable: there is the old one or
/// the new one, never a part.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut file = fresh(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(StoreError::io(&beside)).and_then(|()| put_in_place(&beside, path)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    })
}

/// An empty file, 0600.
pub(super) fn fresh(path: &Path) -> io::Result<File> {
    // One left by an earlier, interrupted attempt may have other permissions.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Moves a durable file to its place, durably.
pub(super) fn put_in_place(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to).map_err(StoreError::io(to))?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io(dir))
}
