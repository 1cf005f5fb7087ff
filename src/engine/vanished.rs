//! Whether an attribute vanished from a reading: a target that may no longer be read in full shows its records
//! without it, which looks like everybody having lost it.
//!
//! What was wanted and settled is what this is held against, not the last reading: it stays until something else
//! is settled, so that the doubt stays too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reconcile_state::trust::{Doubt, all_gone};
use reconcile_state::{Attribute, AttributeId, Digest, Key, Ownership, Record, Value};

use super::blocking::blocking;
use super::bounds::cut;
use super::correlate::{Correlated, Found};
use super::error::PassError;
use super::question::Question;
use crate::model::Bounds;
use crate::targets::port::Seen;

/// The doubt's code.
pub const ATTRIBUTE_VANISHED: &str = "attribute-vanished";

/// Which attributes several of the records that were read bore when they were settled, and none bears now.
///
/// # Errors
/// [`PassError::Store`]
pub async fn vanished(
    question: &Question<'_>,
    seen: &[Seen],
    digests: &[Digest],
    correlated: &Correlated,
) -> Result<Vec<Doubt>, PassError> {
    let Question { observer, schema, memory, .. } = question;
    let applied = memory.applied.get(schema.kind);
    // Only what was seen as it was wanted had been read, and another target than before has no claims.
    let settled = |key: &Key| {
        let pair = applied.and_then(|set| set.get(&memory.store.digester().key(key)))?;
        (pair.wanted == pair.seen && memory.claim(schema.kind, key).is_some()).then_some(pair.seen)
    };
    let mut present: Vec<&Record> = Vec::new();
    let mut changed: BTreeMap<Key, Bounds> = BTreeMap::new();
    for (key, found) in &correlated.found {
        let Found::Present(at) = found else { continue };
        let Some(before) = settled(key) else { continue };
        present.push(&seen[*at].record);
        // Who looks as before still bears what they bore.
        if before != digests[*at] {
            changed.insert(key.clone(), question.rows.get(key).map(|row| row.bounds.clone()).unwrap_or_default());
        }
    }
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let is_read =
        |one: &&Attribute| !one.rewritten && !matches!(one.ownership, Ownership::WriteOnce | Ownership::CreateOnly);
    let bare: BTreeSet<AttributeId> = schema
        .attributes()
        .iter()
        .filter(is_read)
        .map(|attribute| attribute.id)
        .filter(|id| !present.iter().any(|record| bears(record, *id)))
        .collect();
    if bare.is_empty() {
        return Ok(Vec::new());
    }
    let (store, project, of) = (memory.store.clone(), Arc::clone(&observer.project), (*schema).clone());
    let carriers = blocking(move || {
        let mut carriers: BTreeMap<AttributeId, u64> = BTreeMap::new();
        for (key, bounds) in &changed {
            let Some(mut record) = store.wanted_body(of.kind, key)? else { continue };
            // What is no longer ours to look at is not missed.
            cut(bounds, project.as_ref(), &of, &mut record);
            for id in bare.iter().filter(|id| bears(&record, **id)) {
                *carriers.entry(*id).or_default() += 1;
            }
        }
        Ok(carriers)
    })
    .await?;
    let gone = carriers.into_iter().filter(|(_, carried)| all_gone(*carried, 0));
    Ok(gone.map(|(id, carried)| doubt(question, id, carried)).collect())
}

fn doubt(question: &Question<'_>, id: AttributeId, carried: u64) -> Doubt {
    let name = question.schema.attributes().iter().find(|one| one.id == id).map_or("?", |one| one.name);
    let message = format!(
        "{}: {carried} of the records read had {name} when they were last in order, and none shows it now; nothing is \
         written. Check that the account may still read it; if it was really emptied, accept it with --allow \
         {ATTRIBUTE_VANISHED}",
        question.observer.name
    );
    Doubt::new(ATTRIBUTE_VANISHED, message).of(name)
}

fn bears(record: &Record, id: AttributeId) -> bool {
    match record.get(id) {
        None => false,
        Some(Value::Set(elements)) => !elements.is_empty(),
        Some(Value::Text(text)) => !text.is_empty(),
        Some(_) => true,
    }
}
