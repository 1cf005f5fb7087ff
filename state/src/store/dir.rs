//! The store's directory: lock, format, key, files. The lock is taken before anything is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claimed;
use super::copy::Line;
use super::disk::write_whole;
use super::error::StoreError;
use super::file::{Beginning, Store};
use super::names::{CLAIMED, CLAIMS, SOURCES, claims_copy, file, is_pipeline};
use super::rewrite::rewrite;
use crate::digest::Digester;

const FORMAT: &str = "reconcile store 1";

/// The directory of a store, locked for as long as this or one of its [`Store`]s lives.
#[derive(Debug)]
pub struct StoreDir {
    path: PathBuf,
    digester: Digester,
    lock: Arc<File>,
    tightened: Option<u32>,
    files: Mutex<BTreeMap<String, Store>>,
    /// Whoever changes the list of pipelines with claims takes turns here.
    turn: Mutex<()>,
}

impl StoreDir {
    /// Opens the store at `path`, or makes a new one there. `fresh_key` becomes the key of a new store's
    /// digests; a store that exists keeps the key it has. A directory that others may enter is closed to
    /// them ([`tightened`](Self::tightened)).
    ///
    /// # Errors
    /// [`StoreError::Place`], [`StoreError::Unlocked`], [`StoreError::Locked`], [`StoreError::Format`],
    /// [`StoreError::Key`] or [`StoreError::Io`]; nothing half-made is left behind.
    pub fn open(path: impl Into<PathBuf>, fresh_key: [u8; 32]) -> Result<Self, StoreError> {
        let path = path.into();
        if path.metadata().is_ok_and(|there| !there.is_dir()) {
            return Err(StoreError::Place { path, what: "a file is where the store's directory should be".to_owned() });
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(StoreError::io(&path))?;
        refuse_others(&path)?;
        let lock = Arc::new(take_lock(&path)?);
        let tightened = tighten(&path)?;
        let key = match existing_key(&path)? {
            Some(key) => key,
            None => make_new(&path, fresh_key)?,
        };
        Ok(Self {
            path,
            digester: Digester::new(key),
            lock,
            tightened,
            files: Mutex::default(),
            turn: Mutex::default(),
        })
    }

    /// The permission bits the directory had, where others could enter it before it was opened.
    pub fn tightened(&self) -> Option<u32> {
        self.tightened
    }

    /// Where a pipeline's claims are copied to, and restored from where its own file is lost.
    pub fn claims_copy(&self, pipeline: &str) -> PathBuf {
        claims_copy(&self.path, pipeline)
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
        self.file(SOURCES, || Ok(Vec::new()))
    }

    /// What is known of one pipeline. Where its file is not there and a copy of its claims is, these are
    /// restored from it ([`Store::restored_claims`]).
    ///
    /// # Errors
    /// [`StoreError::Name`], [`StoreError::Copy`], [`StoreError::ClaimsLost`], or where the file cannot be opened or
    /// made.
    pub fn pipeline(&self, name: &str) -> Result<Store, StoreError> {
        refuse_name(name)?;
        if let Some(store) = self.opened(name) {
            return Ok(store);
        }
        let store = self.file(name, || claimed::restore(&self.path, name))?;
        if store.is_claimed()? {
            self.expect_claims(name)?;
        }
        Ok(store)
    }

    fn file(&self, name: &str, claims: impl FnOnce() -> Result<Vec<Line>, StoreError>) -> Result<Store, StoreError> {
        if let Some(store) = self.opened(name) {
            return Ok(store);
        }
        let path = file(&self.path, name);
        if path.try_exists().map_err(StoreError::io(&path))? {
            return self.open_file(name);
        }
        self.make(name, &Beginning { claims: claims()?, values: &[], restored: true })
    }

    fn opened(&self, name: &str) -> Option<Store> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The pipelines that have a file here, or have had claims.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn pipelines(&self) -> Result<Vec<String>, StoreError> {
        let mut names: BTreeSet<String> = claimed::read(&self.path)?.into_keys().collect();
        for entry in self.path.read_dir().map_err(StoreError::io(&self.path))? {
            let name = entry.map_err(StoreError::io(&self.path))?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".redb")).filter(|name| is_pipeline(name));
            names.extend(name.map(str::to_owned));
        }
        Ok(names.into_iter().collect())
    }

    /// Lets go of an open file. It is closed where nobody else has it.
    pub(super) fn close(&self, name: &str) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn open_file(&self, name: &str) -> Result<Store, StoreError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = files.get(name) {
            return Ok(store.clone());
        }
        let open = || Store::open(file(&self.path, name), self.digester.clone(), Arc::clone(&self.lock));
        let mut store = open()?;
        // Whoever took something out did not come to it. Where there is no room for both files it stays due.
        if store.is_to_be_rewritten()? {
            drop(store);
            let _ = rewrite(&file(&self.path, name));
            store = open()?;
        }
        files.insert(name.to_owned(), store.clone());
        Ok(store)
    }

    /// Makes a file that is not there and opens it.
    pub(super) fn make(&self, name: &str, beginning: &Beginning<'_>) -> Result<Store, StoreError> {
        {
            let _turn = self.turn();
            let path = file(&self.path, name);
            // Somebody else's turn may have made it.
            if !path.try_exists().map_err(StoreError::io(&path))? {
                super::file::make(&path, beginning)?;
            }
        }
        self.open_file(name)
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of the store at `dir`; `None` where there is no store yet.
pub(super) fn existing_key(dir: &Path) -> Result<Option<[u8; 32]>, StoreError> {
    match read_line(&dir.join("format"))? {
        Some(format) if format == FORMAT => {
            let missing = || StoreError::Key { path: dir.join("digest.key"), state: "missing" };
            read_key(dir)?.ok_or_else(missing).map(Some)
        }
        Some(found) => Err(StoreError::Format { path: dir.join("format"), found, expected: FORMAT }),
        None => Ok(None),
    }
}

/// Refuses what cannot name a pipeline's file.
pub(super) fn refuse_name(name: &str) -> Result<(), StoreError> {
    if !is_pipeline(name) {
        return Err(StoreError::Name { name: name.to_owned() });
    }
    Ok(())
}

/// A directory in which others keep their files becomes no store.
fn refuse_others(dir: &Path) -> Result<(), StoreError> {
    if dir.join("format").try_exists().map_err(StoreError::io(dir))? {
        return Ok(());
    }
    let mut others = 0;
    for entry in dir.read_dir().map_err(StoreError::io(dir))? {
        let name = entry.map_err(StoreError::io(dir))?.file_name();
        let name = name.to_string_lossy();
        let name = name.strip_suffix(".new").unwrap_or(&name);
        // A file system's own folder is no file of somebody.
        let known = ["lock", "format", "digest.key", CLAIMS, CLAIMED, "lost+found"].contains(&name);
        let ours = known || Path::new(name).extension().is_some_and(|ending| ending == "redb");
        others += usize::from(!ours);
    }
    if others == 0 {
        return Ok(());
    }
    let what = format!("the directory holds no store, but {others} other file{}", if others == 1 { "" } else { "s" });
    Err(StoreError::Place { path: dir.to_owned(), what })
}

/// Closes the directory to others; gives the mode it had. One that belongs to another account may be shared
/// with ours by its group, but not with everybody.
fn tighten(dir: &Path) -> Result<Option<u32>, StoreError> {
    let mode = dir.metadata().map_err(StoreError::io(dir))?.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(None);
    }
    match std::fs::set_permissions(dir, Permissions::from_mode(0o700)) {
        Ok(()) => Ok(Some(mode)),
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
            Err(StoreError::Io { path: dir.to_owned(), source: error })
        }
        Err(_) if mode & 0o007 != 0 => Err(StoreError::Unlocked { path: dir.to_owned(), mode }),
        Err(_) => Ok(None),
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
        Err(error) => return Err(refused(error, dir, &mut file)),
    }
    let mut say = || {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    say().map_err(StoreError::io(&path))?;
    Ok(file)
}

/// Why the lock is not to be had.
pub(super) fn refused(error: TryLockError, dir: &Path, file: &mut File) -> StoreError {
    match error {
        TryLockError::WouldBlock => {
            let mut holder = String::new();
            // Whoever holds it may be about to write its number, or only looks at the store and writes none: then
            // it is not known.
            let holder = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
            let runs = |pid: &u32| !Path::new("/proc/self").exists() || Path::new(&format!("/proc/{pid}")).exists();
            StoreError::Locked { path: dir.to_owned(), holder: holder.filter(runs) }
        }
        TryLockError::Error(source) => StoreError::Io { path: dir.join("lock"), source },
    }
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
    if digits { Ok(Some(key)) } else { Err(StoreError::Key { path, state: "damaged" }) }
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
