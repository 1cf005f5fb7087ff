//! Contest: values that no two records may hold, called for by two people. Pure.

use std::collections::BTreeMap;

use reconcile_state::{Key, Schema, Standing, Value};

use super::correlate::Found;
use super::observe::Observed;
use super::project::Row;
use crate::model::{Call, Rival};

/// One value is called for by several people, and no record of this one's holds it yet.
pub const WANTED_TWICE: &str = "value-wanted-twice";

/// Whoever calls for a value that somebody else calls for too, with the others. Whoever holds it already
/// keeps it; of the rest none is preferred.
pub fn contested(schema: &Schema, rows: &BTreeMap<Key, Row>, observed: &Observed) -> BTreeMap<Key, Vec<Rival>> {
    let mut contested: BTreeMap<Key, Vec<Rival>> = BTreeMap::new();
    for attribute in schema.attributes().iter().filter(|attribute| attribute.unique) {
        let mut wanted: BTreeMap<Value, Vec<&Key>> = BTreeMap::new();
        for (key, row) in rows {
            let Call::Active(record) = &row.call else { continue };
            if record.standing == Standing::Active
                && let Some(value) = record.get(attribute.id)
            {
                wanted.entry(attribute.comparable(value).into_owned()).or_default().push(key);
            }
        }
        for (value, keys) in wanted.into_iter().filter(|(_, keys)| keys.len() > 1) {
            let holds = |key: &Key| match observed.correlated.found.get(key) {
                Some(Found::Present(at)) => {
                    let held = observed.seen[*at].record.get(attribute.id);
                    held.is_some_and(|held| *attribute.comparable(held) == value)
                }
                _ => false,
            };
            for key in keys.iter().filter(|key| !holds(key)) {
                let others = keys.iter().filter(|other| *other != key);
                let others = others.map(|&other| Rival { key: other.clone(), attribute: attribute.name });
                contested.entry((*key).clone()).or_default().extend(others);
            }
        }
    }
    contested
}
