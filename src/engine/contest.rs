//! Contest: what no two records may have, called for by two people. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Key, Record, Schema, Value};

use super::correlate::{Found, SHARED};
use super::hashed::Hashed;
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
    let called: Vec<(&Key, &Row, &Record)> = rows
        .iter()
        .filter_map(|(key, row)| if let Call::Active(record) = &row.call { Some((key, row, record)) } else { None })
        .collect();
    for attribute in schema.attributes().iter().filter(|attribute| attribute.unique) {
        let mut wanted: BTreeMap<Option<Value>, Vec<&Key>> = BTreeMap::new();
        let value = |at: usize| Some(attribute.comparable(called[at].2.get(attribute.id)?));
        // Nearly everybody's is nobody else's: of those no list is made.
        let hashed = Hashed::new((0..called.len()).filter_map(|at| Some((value(at)?, at))));
        for at in hashed.several().flatten() {
            wanted.entry(value(at).map(Cow::into_owned)).or_default().push(called[at].0);
        }
        for (value, keys) in wanted {
            let holds = |key: &Key| match observed.correlated.found.get(key) {
                Some(Found::Present(at)) => {
                    let held = observed.seen[*at].record.get(attribute.id);
                    held.map(|held| attribute.comparable(held)).as_deref() == value.as_ref()
                }
                _ => false,
            };
            contest(&mut contests, WANTED_TWICE, attribute.name, &keys, &holds);
        }
    }
    let mut bearers: BTreeMap<(&'static str, &str), Vec<&Key>> = BTreeMap::new();
    let bears =
        |at: usize| called[at].1.matches.iter().filter(|one| !one.only_unique).map(|one| (one.field, &one.value));
    let hashed = Hashed::new((0..called.len()).flat_map(|at| bears(at).map(move |one| (one, at))));
    let several: BTreeSet<usize> = hashed.several().flatten().collect();
    for at in several {
        for (field, value) in bears(at) {
            bearers.entry((field, value)).or_default().push(called[at].0);
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
