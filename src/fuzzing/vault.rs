//! Rows of MetaVault and the people that are made of them.

use std::collections::BTreeMap;

use reconcile_state::Key;
use reconcile_state::digest::{decode, encode};

use crate::model::person::vault as person;
use crate::model::{Teaching, Topic};
use crate::policy::org_tuple;
use crate::sources::metavault::fold::{self, Group, NotUtf8, PARTS, PersonRow, Text};
use crate::sources::port::{Catalogue, VaultEntry};

/// Holds that rows make the same people in any order, that nobody appears of whom there is no row, and that a person
/// fits the schema and survives the store. Rows are lines, their fields stand between tabs.
///
/// # Panics
/// Where that does not hold.
pub fn vault(bytes: &[u8]) {
    let lines: Vec<Vec<&[u8]>> =
        bytes.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b'\t').collect()).collect();
    let (mut rows, mut groups, mut catalogue) = (Vec::new(), Vec::new(), Catalogue::default());
    for fields in &lines {
        let at = |index: usize| fields.get(index).copied().unwrap_or_default();
        let plain = |index| String::from_utf8_lossy(at(index)).into_owned();
        match at(0) {
            b"t" => {
                let one = Teaching { id: plain(1), topic: plain(2), semester: plain(3), term_no: 1, status: plain(4) };
                catalogue.teachings.insert(one.id.clone(), one);
            }
            b"o" => {
                let one = Topic { id: plain(1), status: plain(2), ..Topic::default() };
                catalogue.topics.insert(one.id.clone(), one);
            }
            b"a" | b"p" | b"e" => {
                let part = PARTS[usize::from(at(0) == b"p") + 2 * usize::from(at(0) == b"e")];
                if let Some(key) = fold::key(&plain(1)) {
                    groups.push((part, Group { key, rows: at(2).len() as u64, text: text(at(3)) }));
                }
            }
            _ => {
                if let Some(key) = fold::key(&plain(0)) {
                    rows.push(PersonRow {
                        key,
                        active: at(1) == b"A",
                        source_system: plain(2),
                        source_id: plain(3),
                        values: [4, 5, 6, 7, 8].map(|index| text(at(index))),
                    });
                }
            }
        }
    }
    let people = |rows: Vec<PersonRow>| {
        let mut people: BTreeMap<Key, VaultEntry> = fold::people(rows);
        for (part, group) in &groups {
            let known = people.contains_key(&group.key);
            let orphans = fold::add(&mut people, *part, [group.clone()]);
            assert_eq!(orphans.is_empty(), known);
        }
        fold::resolve(&mut people, &catalogue);
        people
    };
    let mut keys: Vec<Key> = rows.iter().map(|row| row.key.clone()).collect();
    keys.sort();
    keys.dedup();
    let mut turned = rows.clone();
    turned.reverse();
    let ties = rows.iter().any(|one| {
        let same = |other: &&PersonRow| {
            (&other.key, &other.source_system, &other.source_id) == (&one.key, &one.source_system, &one.source_id)
        };
        rows.iter().filter(same).count() > 1
    });
    let made = people(rows);
    assert_eq!(made.keys().cloned().collect::<Vec<_>>(), keys);
    // Rows that agree in all that orders them stand as they came.
    if !ties {
        assert!(made == people(turned), "another order of rows, and other people");
    }
    let Ok(schema) = person::schema() else { return };
    for (key, entry) in made {
        assert_eq!(schema.check(&entry.record), Ok(()));
        assert_eq!(decode(schema.kind, key, &encode(schema.kind, &entry.record)), Ok(entry.record.clone()));
        for unit in entry.record.attributes().iter().filter_map(|(id, _)| entry.record.text(*id)) {
            let _ = org_tuple(unit);
        }
    }
}

fn text(bytes: &[u8]) -> Text {
    match std::str::from_utf8(bytes) {
        Ok("-") => None,
        Ok(text) => Some(Ok(text.to_owned())),
        Err(_) => Some(Err(NotUtf8)),
    }
}
