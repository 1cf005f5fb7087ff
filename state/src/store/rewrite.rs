//! Writing a file anew: pages that nothing refers to any more keep what stood in them, and the database never blanks
//! them. A file from which something was taken out that must not be found again is copied table by table into a new one,
//! which takes its place whole or not at all.
//!
//! That it is due is marked in the commit that takes out. So it is done by whoever opens the file next for a pass, where
//! the process that took out did not come to it.

use std::fs::File;
use std::path::Path;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableHandle, WriteTransaction};

use super::damage::caught;
use super::dir::{StoreDir, refuse_name};
use super::disk::{fresh, put_in_place};
use super::error::{Fault, StoreError};
use super::file::{Store, builder};
use super::names::{SOURCES, file};
use super::table::{APPLIED, BODY, CLAIM, DIGEST, FOUND_BY, JOURNAL, MARK, META, OPEN, PIECE, REWRITE, ROOT, SCOPE};

impl StoreDir {
    /// Writes a pipeline's file, or that of the sources (`sources`), anew: nothing is left in it of what was ever taken
    /// out. Nobody else may have it open. A file that is not there is left so.
    ///
    /// # Errors
    /// Where the disk has no room for both, or refuses: then the former file stays as it is, and it stays due.
    pub fn write_anew(&self, name: &str) -> Result<(), StoreError> {
        if name != SOURCES {
            refuse_name(name)?;
        }
        let path = file(self.path(), name);
        if !path.try_exists().map_err(StoreError::io(&path))? {
            return Ok(());
        }
        self.close(name);
        rewrite(&path)
    }
}

impl Store {
    /// Whether the file still holds what was taken out of it.
    ///
    /// # Errors
    /// Where the file refuses.
    pub fn is_to_be_rewritten(&self) -> Result<bool, StoreError> {
        self.inner.read(|txn| Ok(txn.open_table(MARK)?.get(REWRITE)?.is_some()))
    }
}

/// Marks that what is taken out is not to be found in the file any more.
pub(super) fn ask_for_rewriting(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.open_table(MARK)?.insert(REWRITE, 1)?;
    Ok(())
}

/// Copies a file that nobody has open, and puts the copy in its place.
pub(super) fn rewrite(path: &Path) -> Result<(), StoreError> {
    let beside = path.with_extension("redb.new");
    let new = fresh(&beside).map_err(StoreError::io(&beside))?;
    let copy = || {
        let (old, new) = (builder(path).open(path)?, builder(path).create_file(new)?);
        let (from, to) = (old.begin_read()?, new.begin_write()?);
        copy_all(&from, &to)?;
        to.commit()?;
        Ok(())
    };
    caught(copy)
        .map_err(|fault| fault.at(path))
        .and_then(|()| File::open(&beside).and_then(|file| file.sync_all()).map_err(StoreError::io(&beside)))
        .and_then(|()| put_in_place(&beside, path))
        .inspect_err(|_| {
            // The first error is the one to tell.
            let _ = std::fs::remove_file(&beside);
        })
}

fn copy_all(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), Fault> {
    copy(from, to, DIGEST)?;
    copy(from, to, APPLIED)?;
    copy(from, to, PIECE)?;
    copy(from, to, BODY)?;
    copy(from, to, FOUND_BY)?;
    copy(from, to, ROOT)?;
    copy(from, to, SCOPE)?;
    copy(from, to, CLAIM)?;
    copy(from, to, META)?;
    copy(from, to, JOURNAL)?;
    copy(from, to, OPEN)?;
    copy(from, to, MARK)?;
    to.open_table(MARK)?.remove(REWRITE)?;
    // A table that is not known here would be lost in silence.
    let names = |tables: &mut dyn Iterator<Item = redb::UntypedTableHandle>| {
        let mut names: Vec<String> = tables.map(|table| table.name().to_owned()).collect();
        names.sort();
        names
    };
    if names(&mut from.list_tables()?) != names(&mut to.list_tables()?) {
        return Err(Fault::damaged("the list of tables"));
    }
    Ok(())
}

fn copy<K: redb::Key + 'static, V: redb::Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), Fault> {
    let (from, mut to) = (from.open_table(table)?, to.open_table(table)?);
    for entry in from.iter()? {
        let (key, value) = entry?;
        to.insert(key.value(), value.value())?;
    }
    Ok(())
}
