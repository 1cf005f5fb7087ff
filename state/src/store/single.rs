//! Single records: what is known of one, without loading what is known of all.

use super::block;
use super::error::StoreError;
use super::file::Store;
use super::pages::find_rows;
use super::scope::{Scope, Side};
use super::set::{pair, second};
use super::table::{APPLIED, CLAIM, ROOT, SCOPE, from_json, root, scope_id};
use crate::claim::Claim;
use crate::digest::Digest;
use crate::drift::Applied;
use crate::record::Key;

impl Store {
    /// The claim on one record.
    ///
    /// # Errors
    /// Where the file refuses or is damaged; so for all that follow.
    pub fn claim_of(&self, kind: &str, key: &Key) -> Result<Option<Claim>, StoreError> {
        self.inner.read(|txn| {
            let claim = txn.open_table(CLAIM)?.get((kind, key.as_str()))?;
            claim.map(|claim| from_json(claim.value(), "a claim")).transpose()
        })
    }

    /// Whether any record of a kind is claimed.
    pub fn has_claims(&self, kind: &str) -> Result<bool, StoreError> {
        self.inner.read(|txn| {
            let first = txn.open_table(CLAIM)?.range::<(&str, &str)>((kind, "")..)?.next().transpose()?;
            Ok(first.is_some_and(|(at, _)| at.value().0 == kind))
        })
    }

    /// The last applied pair of one record.
    pub fn applied_of(&self, kind: &str, key: &Key) -> Result<Option<Applied>, StoreError> {
        let at = self.inner.digester.key(key);
        self.inner.read_folded(|txn| {
            let Some(id) = scope_id(&txn.open_table(SCOPE)?, Scope::new(kind, Side::Wanted))? else { return Ok(None) };
            let bits = root(&txn.open_table(ROOT)?, id)?.unwrap_or_default().bits;
            Ok(block::find::<48>(&txn.open_table(APPLIED)?, id, bits, &at.0)?.map(|row| pair(&row)))
        })
    }

    /// The digest of one record.
    pub fn digest_of(&self, scope: Scope<'_>, key: &Key) -> Result<Option<Digest>, StoreError> {
        let at = self.inner.digester.key(key);
        self.inner.read_folded(|txn| {
            let rows = find_rows(txn, scope, std::iter::once(at))?;
            Ok(rows.into_iter().flatten().next().map(|row| second(&row)))
        })
    }
}
