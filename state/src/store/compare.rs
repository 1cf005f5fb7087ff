//! Comparing two scopes of a file as a whole: by their roots, then block by block, and row by row only in blocks that
//! differ.

use std::cmp::Ordering;

use redb::ReadTransaction;

use super::block::{Id, id, rows_of};
use super::error::{Fault, StoreError};
use super::file::Store;
use super::pages::digest_rows;
use super::scope::Scope;
use super::table::{DIGEST, PIECE, ROOT, Root, SCOPE, root, scope_id};
use crate::digest::Digest;

type Row = [u8; 32];

impl Store {
    /// The key digests of records that only one of two scopes has, or both with different digests; in ascending
    /// order. A million records that are the same on both sides are found to be so in milliseconds, without any of
    /// them held in memory.
    ///
    /// # Errors
    /// Where the file refuses or is damaged.
    pub fn differences(&self, one: Scope<'_>, two: Scope<'_>) -> Result<Vec<Digest>, StoreError> {
        self.inner.read_folded(|txn| {
            let mut found = Vec::new();
            match (sealed(txn, one)?, sealed(txn, two)?) {
                (Some((_, one)), Some((_, two))) if one.digest.is_some() && one.digest == two.digest => {}
                (Some((one, of_one)), Some((two, of_two))) if of_one.bits == of_two.bits => {
                    compare_blocks(txn, (one, two), &mut found)?;
                }
                _ => compare_rows(&digest_rows(txn, one)?, &digest_rows(txn, two)?, &mut found),
            }
            Ok(found)
        })
    }
}

/// A scope's number and root, where all its rows lie in blocks.
fn sealed(txn: &ReadTransaction, scope: Scope<'_>) -> Result<Option<(u16, Root)>, Fault> {
    let Some(number) = scope_id(&txn.open_table(SCOPE)?, scope)? else { return Ok(None) };
    let pieces = txn.open_table(PIECE)?.range((number, 0)..=(number, u32::MAX))?.next().transpose()?;
    let root = root(&txn.open_table(ROOT)?, number)?;
    Ok(root.filter(|_| pieces.is_none()).map(|root| (number, root)))
}

fn compare_blocks(txn: &ReadTransaction, (one, two): (u16, u16), found: &mut Vec<Digest>) -> Result<(), Fault> {
    let table = txn.open_table(DIGEST)?;
    let (mut ones, mut twos) = (table.range((one, 0)..=(one, u32::MAX))?, table.range((two, 0)..=(two, u32::MAX))?);
    let (mut mine, mut theirs) = (ones.next().transpose()?, twos.next().transpose()?);
    while mine.is_some() || theirs.is_some() {
        let order = match (&mine, &theirs) {
            (Some((mine, _)), Some((theirs, _))) => mine.value().1.cmp(&theirs.value().1),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        // A block that is not there is an empty one.
        let left = mine.as_ref().filter(|_| order.is_le()).map_or(&[][..], |(_, block)| block.value());
        let right = theirs.as_ref().filter(|_| order.is_ge()).map_or(&[][..], |(_, block)| block.value());
        if left != right {
            compare_rows(rows_of(left)?, rows_of(right)?, found);
        }
        if order.is_le() {
            mine = ones.next().transpose()?;
        }
        if order.is_ge() {
            theirs = twos.next().transpose()?;
        }
    }
    Ok(())
}

/// Both in order.
fn compare_rows(mut one: &[Row], mut two: &[Row], found: &mut Vec<Digest>) {
    let mut differs = |row: &Row| {
        let mut digest: Id = [0; 16];
        digest.copy_from_slice(id(row));
        found.push(Digest(digest));
    };
    while let (Some(a), Some(b)) = (one.first(), two.first()) {
        let order = id(a).cmp(id(b));
        if a != b {
            differs(if order.is_le() { a } else { b });
        }
        one = &one[usize::from(order.is_le())..];
        two = &two[usize::from(order.is_ge())..];
    }
    one.iter().chain(two).for_each(differs);
}
