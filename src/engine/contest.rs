//! Contest: what no two records may have, called for by two people. Pure.

use std::collections::BTreeMap;

use reconcile_state::{Key, Schema, Value};

use super::correlate::{Found, SHARED};
use super::observe::Observed;
use super::project::Row;
use crate::model::{Call, Rival};

/// One value is called for by several people, and no record of this one's holds it yet.
pub const WANTED_TWICE: &str = "value-wanted-twice";

/// So many of the others are named: a broken template makes rivals of everybody.
const NAMED: usize = 10;

/// Why nothing is written for somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contest {
    /// The rule's code.
    pub code: &'static str,
    /// The others.
    pub rivals: Vec<Rival>,
}

/// Whoever calls for what somebody else calls for too: a value that no two records may hold, or one by
/// which neither of two new records could be told from the other. Whoever holds it already keeps it; of
/// the rest none is preferred.
pub fn contested(schema: &Schema, rows: &BTreeMap<Key, Row>, observed: &Observed) -> BTreeMap<Key, Contest> {
    let mut contests = BTreeMap::new();
    for attribute in schema.attributes().iter().filter(|attribute| attribute.unique) {
        let mut wanted: BTreeMap<Value, Vec<&Key>> = BTreeMap::new();
        for (key, row) in rows {
            if let Call::Active(record) = &row.call
                && let Some(value) = record.get(attribute.id)
            {
                wanted.entry(attribute.comparable(value).into_owned()).or_default().push(key);
            }
        }
        for (value, keys) in wanted {
            let holds = |key: &Key| match observed.correlated.found.get(key) {
                Some(Found::Present(at)) => {
                    let held = observed.seen[*at].record.get(attribute.id);
                    held.is_some_and(|held| *attribute.comparable(held) == value)
                }
                _ => false,
            };
            contest(&mut contests, WANTED_TWICE, attribute.name, &keys, &holds);
        }
    }
    let mut bearers: BTreeMap<(&'static str, &str), Vec<&Key>> = BTreeMap::new();
    for (key, row) in rows.iter().filter(|(_, row)| matches!(row.call, Call::Active(_))) {
        for wanted in row.matches.iter().filter(|wanted| !wanted.only_unique) {
            bearers.entry((wanted.field, &wanted.value)).or_default().push(key);
        }
    }
    for ((field, _), keys) in bearers {
        let found = |key: &Key| observed.correlated.found.contains_key(key);
        contest(&mut contests, SHARED, field, &keys, &found);
    }
    contests
}

fn contest(
    contests: &mut BTreeMap<Key, Contest>,
    code: &'static str,
    name: &'static str,
    keys: &[&Key],
    keeps: &dyn Fn(&Key) -> bool,
) {
    if keys.len() < 2 {
        return;
    }
    for key in keys.iter().filter(|key| !keeps(key)) {
        let others = keys.iter().filter(|other| *other != key).take(NAMED);
        let rivals = others.map(|&other| Rival { key: other.clone(), attribute: name });
        let mine = contests.entry((*key).clone()).or_insert_with(|| Contest { code, rivals: Vec::new() });
        mine.rivals.extend(rivals);
        mine.rivals.sort();
        mine.rivals.dedup();
    }
}
