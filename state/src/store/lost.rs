//! Claims of a whole directory: copied after each pass, missed where they are lost, and begun again.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::claimed;
use super::copy::Line;
use super::dir::{StoreDir, refuse_name};
use super::disk::write_whole;
use super::error::StoreError;
use super::file::{Beginning, Store};
use super::names::file;
use crate::claim::Claim;
use crate::record::Key;

impl StoreDir {
    /// Remembers, durably, that a pipeline is about to have claims: from then on it is never taken for one that has none.
    ///
    /// # Errors
    /// Where the file refuses.
    pub fn expect_claims(&self, pipeline: &str) -> Result<(), StoreError> {
        refuse_name(pipeline)?;
        let _turn = self.turn();
        claimed::remember(self.path(), pipeline, None)
    }

    /// Copies a pipeline's claims to where they are restored from ([`Store::backup_claims`]).
    ///
    /// # Errors
    /// Where one of the files refuses.
    pub fn copy_claims(&self, pipeline: &str) -> Result<(), StoreError> {
        self.copy_claims_and(pipeline, || ())
    }

    /// The same; what is given is called where the copy is durable, and how many claims it has is not remembered yet.
    ///
    /// # Errors
    /// Where one of the files refuses.
    pub fn copy_claims_and(&self, pipeline: &str, copied: impl FnOnce()) -> Result<(), StoreError> {
        let (store, copy) = (self.pipeline(pipeline)?, self.claims_copy(pipeline));
        make_place(&copy)?;
        let count = store.backup_claims(&copy)?;
        copied();
        let _turn = self.turn();
        claimed::remember(self.path(), pipeline, (count > 0 || self.is_claimed(pipeline)?).then_some(count))
    }

    fn is_claimed(&self, pipeline: &str) -> Result<bool, StoreError> {
        Ok(claimed::read(self.path())?.contains_key(pipeline))
    }

    /// Makes the file of a pipeline whose claims are lost, with claims that were derived and with values by their names
    /// ([`Store::meta`]): it is there with all of them or not at all. A copy that could not be believed is put aside as
    /// `.refused`.
    ///
    /// # Errors
    /// [`StoreError::Place`] where the file is there; otherwise where a file refuses.
    pub fn begin_again(
        &self,
        pipeline: &str,
        claims: &BTreeMap<&str, BTreeMap<Key, Claim>>,
        values: &[(&str, serde_json::Value)],
    ) -> Result<Store, StoreError> {
        refuse_name(pipeline)?;
        let path = file(self.path(), pipeline);
        if path.try_exists().map_err(StoreError::io(&path))? {
            return Err(StoreError::Place { path, what: "the pipeline's file is there".to_owned() });
        }
        let copy = self.claims_copy(pipeline);
        if copy.try_exists().map_err(StoreError::io(&copy))? {
            // Written, not moved: how long it is kept counts from now.
            let bytes = std::fs::read(&copy).map_err(StoreError::io(&copy))?;
            write_whole(&claimed::aside(&copy), &bytes)?;
            std::fs::remove_file(&copy).map_err(StoreError::io(&copy))?;
        }
        let line = |kind: &str, key: &Key, claim: &Claim| Line {
            kind: kind.to_owned(),
            key: key.clone(),
            claim: claim.clone(),
        };
        let all = claims.iter().flat_map(|(kind, claims)| claims.iter().map(|(key, claim)| line(kind, key, claim)));
        self.make(pipeline, &Beginning { claims: all.collect(), values, restored: false })
    }
}

/// The folder of the copies, durably.
fn make_place(copy: &Path) -> Result<(), StoreError> {
    let Some(place) = copy.parent() else { return Ok(()) };
    if place.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(place).map_err(StoreError::io(place))?;
    let above = place.parent().unwrap_or(Path::new("."));
    File::open(above).and_then(|dir| dir.sync_all()).map_err(StoreError::io(above))
}
