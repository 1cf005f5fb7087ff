//! Witnesses: people who are read beside a reading of some, to see whether what they carried can still be read.
//!
//! A reading of one person looks the same whether the person lost an attribute or we lost the right to read it. Whoever
//! carried it when it was last read tells the two apart.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::trust::{ATTRIBUTE_SHRUNK, Doubt, all_gone};
use reconcile_state::{AttributeId, Key, Record, Schema};

use super::{Collector, DIRECTORY, DIRECTORY_SCOPE};
use crate::engine::blocking::blocking;
use crate::engine::error::PassError;
use crate::model::person::FINDINGS;

/// So many are asked for each attribute.
const EACH: usize = 5;

type Witnesses = BTreeMap<(&'static str, AttributeId), Vec<Key>>;

/// Reads some who carried each attribute and were not asked for. What none of them shows any more is doubted.
///
/// # Errors
/// [`PassError`]
pub(super) async fn hear(
    collector: &Collector<'_>,
    schema: Schema,
    asked: BTreeSet<Key>,
) -> Result<Vec<Doubt>, PassError> {
    let store = collector.store.clone();
    let witnesses = blocking(move || {
        let mut witnesses = Witnesses::new();
        store.for_each_body(DIRECTORY_SCOPE, |record| call(&mut witnesses, &schema, &asked, &record))?;
        Ok(witnesses)
    })
    .await?;
    let keys: BTreeSet<&Key> = witnesses.values().flatten().collect();
    let keys: Vec<Key> = keys.into_iter().cloned().collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = collector.directory.read(&keys).await?;
    let found: BTreeMap<Key, Record> =
        found.into_iter().map(|entry| (entry.record.key.clone(), entry.record)).collect();
    let doubt = |((name, id), keys): (&(&'static str, AttributeId), &Vec<Key>)| {
        let there: Vec<&Record> = keys.iter().filter_map(|key| found.get(key)).collect();
        let carry = there.iter().filter(|record| record.get(*id).is_some()).count();
        let message = format!(
            "{DIRECTORY}: {} people who carried {name} were read beside those in scope, and none does any more; check that \
             the account may still read it, or accept it with --allow {ATTRIBUTE_SHRUNK}",
            there.len()
        );
        all_gone(there.len() as u64, carry as u64).then(|| Doubt::new(ATTRIBUTE_SHRUNK, message).of(name))
    };
    Ok(witnesses.iter().filter_map(doubt).collect())
}

fn call(witnesses: &mut Witnesses, schema: &Schema, asked: &BTreeSet<Key>, record: &Record) {
    if asked.contains(&record.key) {
        return;
    }
    for attribute in schema.attributes().iter().filter(|attribute| attribute.name != FINDINGS) {
        if record.get(attribute.id).is_some() {
            let mine = witnesses.entry((attribute.name, attribute.id)).or_default();
            if mine.len() < EACH {
                mine.push(record.key.clone());
            }
        }
    }
}
