//! Claims: kept by kind and key, and copied to a file.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::copy::{self, Line};
use super::error::{Fault, StoreError};
use super::file::Store;
use super::table::{CLAIM, MARK, RESTORED, from_json, to_json};
use crate::claim::Claim;
use crate::record::Key;

impl Store {
    /// All claims of a kind.
    ///
    /// # Errors
    /// Where the file refuses or is damaged.
    pub fn claims(&self, kind: &str) -> Result<BTreeMap<Key, Claim>, StoreError> {
        self.inner.read(|txn| {
            let mut claims = Vec::new();
            for entry in txn.open_table(CLAIM)?.range::<(&str, &str)>((kind, "")..)? {
                let (at, claim) = entry?;
                let (at_kind, key) = at.value();
                if at_kind != kind {
                    break;
                }
                claims.push((key.into(), from_json(claim.value(), "a claim")?));
            }
            // Of pairs in order a map is made without the room that single insertions leave in it.
            Ok(claims.into_iter().collect())
        })
    }

    /// Sets claims where nothing was written to the target (links), or drops them (`None`).
    ///
    /// # Errors
    /// Where the file refuses.
    pub fn put_claims(&self, kind: &str, claims: &BTreeMap<Key, Option<Claim>>) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        self.inner.write(|txn| claims.iter().try_for_each(|(key, claim)| put_claim(txn, kind, key, claim.as_ref())))
    }

    /// Whether there is any claim.
    pub(super) fn is_claimed(&self) -> Result<bool, StoreError> {
        self.inner.read(|txn| Ok(!txn.open_table(CLAIM)?.is_empty()?))
    }

    /// Number of claims that were taken from their copy when the file was made, `None` where it was not made
    /// in the place of one that was lost.
    ///
    /// # Errors
    /// Where the file refuses or is damaged.
    pub fn restored_claims(&self) -> Result<Option<u64>, StoreError> {
        self.inner.read(|txn| Ok(txn.open_table(MARK)?.get(RESTORED)?.map(|count| count.value())))
    }

    /// Copies the claims of all kinds to a file, 0600, one JSON object a line in order of kind and key;
    /// what stood there before is replaced when the copy is durable, and kept beside it with `.1` at its
    /// end where it had more than twice as many claims.
    ///
    /// # Errors
    /// Where either file refuses.
    ///
    /// Gives the number of claims.
    pub fn backup_claims(&self, to: &Path) -> Result<u64, StoreError> {
        let (lines, count) = self.inner.read(|txn| {
            let (mut lines, mut count) = (Vec::new(), 0);
            for entry in txn.open_table(CLAIM)?.iter()? {
                let (at, claim) = entry?;
                let (kind, key) = at.value();
                let claim = from_json(claim.value(), "a claim")?;
                lines.extend(to_json(&Line { kind: kind.to_owned(), key: key.into(), claim }, "a claim")?);
                lines.push(b'\n');
                count += 1;
            }
            Ok((lines, count))
        })?;
        copy::write(to, &lines)?;
        Ok(count)
    }
}

/// Sets a record's claim, or drops it.
pub(super) fn put_claim(txn: &WriteTransaction, kind: &str, key: &Key, claim: Option<&Claim>) -> Result<(), Fault> {
    let mut table = txn.open_table(CLAIM)?;
    match claim {
        Some(claim) => table.insert((kind, key.as_str()), to_json(claim, "a claim")?.as_slice())?,
        None => table.remove((kind, key.as_str()))?,
    };
    Ok(())
}
