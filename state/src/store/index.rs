//! The index: which records of a scope bear a value in an attribute that its schema calls indexed. Kept are keyed
//! digests of the folded values; it is brought up to date with the bodies, in their transaction, and made anew where
//! it is not there or was made of other attributes.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::error::{Fault, StoreError};
use super::file::Store;
use super::pages::read_body;
use super::scope::Scope;
use super::table::{BODY, FOUND_BY, INDEXED, MARK, SCOPE, scope_id};
use crate::digest::{Digest, Digester};
use crate::record::{AttributeId, Key, Record, Value};
use crate::schema::{Normal, Schema};

impl Store {
    /// The records of a scope whose attribute has this text, in whatever case it is written; in key order. Of an
    /// attribute that `schema` calls indexed they are found at once, of any other, or where no record was put since
    /// this was kept, every body is read.
    ///
    /// # Errors
    /// Where the file refuses or is damaged.
    pub fn find(
        &self,
        scope: Scope<'_>,
        schema: &Schema,
        attribute: AttributeId,
        value: &str,
    ) -> Result<Vec<Record>, StoreError> {
        let form = Normal::Folded.form(value);
        let bears = |record: &Record| record.text(attribute).is_some_and(|text| Normal::Folded.form(text) == form);
        self.inner.read_folded(|txn| {
            let Some(id) = scope_id(&txn.open_table(SCOPE)?, scope)? else { return Ok(Vec::new()) };
            let indexed = schema.attribute(attribute).is_some_and(|attribute| attribute.indexed);
            let is_kept = indexed && mark(&txn.open_table(MARK)?, id)? == fingerprint(schema);
            let mut found = if is_kept {
                look_up(txn, scope, id, entry(&self.inner.digester, attribute, &form))?
            } else {
                all(&txn.open_table(BODY)?, scope.kind, id)?
            };
            found.retain(bears);
            Ok(found)
        })
    }
}

fn look_up(txn: &ReadTransaction, scope: Scope<'_>, id: u16, entry: Digest) -> Result<Vec<Record>, Fault> {
    let bodies = txn.open_table(BODY)?;
    let mut found = Vec::new();
    for row in txn.open_table(FOUND_BY)?.range::<(u16, &[u8], &str)>((id, &entry.0[..], "")..)? {
        let (at, ()) = (row?.0, ());
        let (scope_at, digest, key) = at.value();
        if (scope_at, digest) != (id, &entry.0[..]) {
            break;
        }
        if let Some(body) = bodies.get((id, key))? {
            found.push(read_body(scope.kind, &key.into(), body.value())?);
        }
    }
    Ok(found)
}

fn all(
    bodies: &impl ReadableTable<(u16, &'static str), &'static [u8]>,
    kind: &str,
    id: u16,
) -> Result<Vec<Record>, Fault> {
    let mut all = Vec::new();
    for row in bodies.range::<(u16, &str)>((id, "")..)? {
        let (at, body) = row?;
        let (scope_at, key) = at.value();
        if scope_at != id {
            break;
        }
        all.push(read_body(kind, &key.into(), body.value())?);
    }
    Ok(all)
}

/// Of which attributes an index is made; `None` where of none.
fn fingerprint(schema: &Schema) -> Option<u64> {
    let indexed = schema.attributes().iter().filter(|attribute| attribute.indexed);
    indexed.map(|attribute| u64::from(attribute.id.0)).fold(None, |print, id| {
        let print: u64 = print.unwrap_or(1);
        Some(print.wrapping_mul(65_537).wrapping_add(id + 1))
    })
}

fn mark(table: &impl ReadableTable<&'static str, u64>, id: u16) -> Result<Option<u64>, Fault> {
    Ok(table.get(format!("{INDEXED}{id}").as_str())?.map(|print| print.value()))
}

/// Under what a folded value is kept. The attribute is part of it, so that equal values of two attributes differ.
fn entry(digester: &Digester, attribute: AttributeId, form: &str) -> Digest {
    digester.texts(["index", &attribute.0.to_string(), form])
}

fn entries(digester: &Digester, record: &Record, is_kept: &dyn Fn(AttributeId) -> bool) -> BTreeSet<Digest> {
    let texts = record.attributes().iter().filter(|(id, _)| is_kept(*id));
    let texts = texts.filter_map(|(id, value)| match value {
        Value::Text(text) => Some((*id, text)),
        _ => None,
    });
    texts.map(|(id, text)| entry(digester, id, &Normal::Folded.form(text))).collect()
}

/// Takes in bodies that are about to be put into a scope.
pub(super) fn take_in<'b>(
    txn: &WriteTransaction,
    (kind, id): (&str, u16),
    schema: &Schema,
    digester: &Digester,
    bodies: impl IntoIterator<Item = (&'b Key, &'b [u8])>,
) -> Result<(), Fault> {
    let Some(print) = fingerprint(schema) else { return Ok(()) };
    let is_kept = |id: AttributeId| schema.attribute(id).is_some_and(|attribute| attribute.indexed);
    let held = txn.open_table(BODY)?;
    let mut index = txn.open_table(FOUND_BY)?;
    if mark(&txn.open_table(MARK)?, id)? != Some(print) {
        index.retain_in((id, &[][..], "")..(id.saturating_add(1), &[][..], ""), |_, ()| false)?;
        for record in all(&held, kind, id)? {
            for entry in entries(digester, &record, &is_kept) {
                index.insert((id, &entry.0[..], record.key.as_str()), ())?;
            }
        }
        txn.open_table(MARK)?.insert(format!("{INDEXED}{id}").as_str(), print)?;
    }
    // In the order of the table, which a first reading fills.
    let mut new = BTreeSet::new();
    for (key, body) in bodies {
        let now = entries(digester, &read_body(kind, key, body)?, &is_kept);
        let before = match held.get((id, key.as_str()))? {
            Some(body) => entries(digester, &read_body(kind, key, body.value())?, &is_kept),
            None => BTreeSet::new(),
        };
        for entry in before.difference(&now) {
            index.remove((id, &entry.0[..], key.as_str()))?;
        }
        new.extend(now.difference(&before).map(|entry| (*entry, key)));
    }
    for (entry, key) in new {
        index.insert((id, &entry.0[..], key.as_str()), ())?;
    }
    Ok(())
}

/// Takes out bodies that are about to be removed from a scope.
pub(super) fn take_out<'k>(
    txn: &WriteTransaction,
    (kind, id): (&str, u16),
    digester: &Digester,
    keys: impl IntoIterator<Item = &'k Key>,
) -> Result<(), Fault> {
    if mark(&txn.open_table(MARK)?, id)?.is_none() {
        return Ok(());
    }
    let held = txn.open_table(BODY)?;
    let mut index = txn.open_table(FOUND_BY)?;
    for key in keys {
        let Some(body) = held.get((id, key.as_str()))? else { continue };
        // Of which attributes it was made is not known here: what is not in it cannot be taken out.
        for entry in entries(digester, &read_body(kind, key, body.value())?, &|_| true) {
            index.remove((id, &entry.0[..], key.as_str()))?;
        }
    }
    Ok(())
}
