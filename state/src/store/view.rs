//! A store that is only looked at: nothing is made, folded, repaired or tightened. [`StoreDir`](super::StoreDir)
//! is for passes.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::claimed;
use super::dir::{existing_key, refuse_name, refused};
use super::error::StoreError;
use super::file::Store;
use super::names::{SOURCES, claims_copy, file};
use crate::digest::Digester;

/// The directory of a store, for reading. For as long as this or one of its [`Store`]s lives no pass gets the
/// store; others may look at the same time.
#[derive(Debug)]
pub struct StoreView {
    path: PathBuf,
    digester: Digester,
    lock: Arc<File>,
}

impl StoreView {
    /// Looks at the store at `path`; `None` where none was made yet.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Place`], [`StoreError::Format`], [`StoreError::Key`] or
    /// [`StoreError::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Option<Self>, StoreError> {
        let path = path.into();
        if path.metadata().is_ok_and(|there| !there.is_dir()) {
            return Err(StoreError::Place { path, what: "a file is where the store's directory should be".to_owned() });
        }
        let Some(lock) = share_lock(&path)? else { return Ok(None) };
        let Some(key) = existing_key(&path)? else { return Ok(None) };
        Ok(Some(Self { path, digester: Digester::new(key), lock: Arc::new(lock) }))
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a pipeline's claims are copied to, and restored from where its own file is lost.
    pub fn claims_copy(&self, pipeline: &str) -> PathBuf {
        claims_copy(&self.path, pipeline)
    }

    /// What the sources showed; `None` where no pass has read them.
    ///
    /// # Errors
    /// Where the file is there and cannot be opened. What would have to write to it is refused with
    /// [`StoreError::ReadOnly`].
    pub fn sources(&self) -> Result<Option<Store>, StoreError> {
        self.look(SOURCES)
    }

    /// What is known of one pipeline; `None` where nothing is.
    ///
    /// # Errors
    /// [`StoreError::Name`], and as for [`sources`](Self::sources).
    pub fn pipeline(&self, name: &str) -> Result<Option<Store>, StoreError> {
        refuse_name(name)?;
        self.look(name)
    }

    /// Why the claims of a pipeline cannot be had any more, where they are lost.
    ///
    /// # Errors
    /// Where a file refuses.
    pub fn lost_claims(&self, name: &str) -> Result<Option<StoreError>, StoreError> {
        let path = file(&self.path, name);
        if path.try_exists().map_err(StoreError::io(&path))? {
            return Ok(None);
        }
        match claimed::restore(&self.path, name) {
            Ok(_) => Ok(None),
            Err(error) if error.is_loss_of_claims() => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    fn look(&self, name: &str) -> Result<Option<Store>, StoreError> {
        let path = file(&self.path, name);
        if !path.try_exists().map_err(StoreError::io(&path))? {
            return Ok(None);
        }
        Store::look(path, self.digester.clone(), Arc::clone(&self.lock)).map(Some)
    }
}

/// The lock, shared with others who only look; `None` where there is no store that anybody could hold.
fn share_lock(dir: &Path) -> Result<Option<File>, StoreError> {
    let open = |name: &str| match File::open(dir.join(name)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: dir.join(name), source }),
    };
    // A backup may lack the lock; then nobody has held this one yet.
    let Some(mut lock) = open("lock")? else { return open("format") };
    match lock.try_lock_shared() {
        Ok(()) => Ok(Some(lock)),
        Err(error) => Err(refused(error, dir, &mut lock)),
    }
}
