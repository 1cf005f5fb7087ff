//! Single records, last applied, claims, values by name.

use std::collections::BTreeMap;

use reconcile_state::drift::Applied;
use reconcile_state::store::{Absence, Scope, Side};
use reconcile_state::{Claim, Key};

use crate::campus::{OBSERVED, bodies, digest, fresh, key, key_digest, open, people, person, read_all, schema};
use crate::journal::claim;

#[test]
fn single_records_change_in_place_and_leave_the_root_stale() {
    let (_dir, store) = fresh();
    read_all(&store, &people(0..500), Absence::Believed);
    let before = store.root(OBSERVED).unwrap().unwrap();
    let changed = store.put(OBSERVED, &schema(), &[person(3, 1), person(4, 0), person(600, 0), person(3, 2)]).unwrap();
    assert_eq!(changed, 2, "the one that is as known is not counted, the last of two counts");
    store.remove(OBSERVED, &[key(5), key(5), key(700)]).unwrap();
    let root = store.root(OBSERVED).unwrap().unwrap();
    assert_eq!((root.count, root.digest, root.whole), (500, None, true));
    let digests = store.digests(OBSERVED).unwrap();
    assert_eq!(digests.get(&key_digest(3)), Some(digest(&person(3, 2))));
    assert_eq!(digests.get(&key_digest(5)), None);
    assert_eq!(store.body(OBSERVED, &key(3)).unwrap(), Some(person(3, 2)));
    assert_eq!(store.body(OBSERVED, &key(5)).unwrap(), None);
    store.put(OBSERVED, &schema(), &[person(3, 0), person(5, 0)]).unwrap();
    store.remove(OBSERVED, &[key(600)]).unwrap();
    read_all(&store, &people(0..500), Absence::Believed);
    assert_eq!(store.root(OBSERVED).unwrap().unwrap(), before, "back where it was");
}

#[test]
fn scopes_do_not_see_each_other() {
    let (_dir, store) = fresh();
    let others =
        [Scope::new("account", Side::Source), Scope::new("accoun", Side::Observed), Scope::new("b", Side::Processed)];
    store.put(OBSERVED, &schema(), &people(0..3)).unwrap();
    for (n, scope) in (10..).zip(others) {
        store.put(scope, &schema(), &people(n..=n)).unwrap();
    }
    store.remove(others[0], &[key(0)]).unwrap();
    assert_eq!(bodies(&store, OBSERVED), people(0..3));
    for (n, scope) in (10..).zip(others) {
        assert_eq!(bodies(&store, scope), people(n..=n));
        assert_eq!(store.digests(scope).unwrap().len(), 1);
    }
    read_all(&store, &people(0..5), Absence::Believed);
    assert_eq!(bodies(&store, OBSERVED), people(0..5));
    assert_eq!(bodies(&store, others[0]), people(10..11), "the next scope's first body is where it was");
    let wanted = [key_digest(1), key_digest(10), key_digest(99)].into();
    assert_eq!(store.keys(OBSERVED, &wanted).unwrap(), [(key_digest(1), key(1))].into());
}

#[test]
fn bodies_come_in_key_order_and_their_reader_may_write() {
    let (_dir, store) = fresh();
    read_all(&store, &people((0..2500).rev()), Absence::Believed);
    let mut keys: Vec<Key> = Vec::new();
    store
        .for_each_body(OBSERVED, |record| {
            if keys.len().is_multiple_of(700) {
                store.set_meta("at", &record.key).unwrap();
            }
            keys.push(record.key);
        })
        .unwrap();
    assert_eq!(keys, (0..2500).map(key).collect::<Vec<_>>());
}

#[test]
fn last_applied_is_a_pair_with_the_body_of_what_was_wanted() {
    let (dir, store) = fresh();
    let pair = |n| Applied { wanted: digest(&person(n, 1)), seen: digest(&person(n, 2)) };
    let pairs: Vec<_> = (0..300).map(|n| (pair(n), person(n, 1))).collect();
    store.put_applied("account", &pairs).unwrap();
    store.forget_applied("account", &[key(7), key(900)]).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    let applied = store.applied("account").unwrap();
    assert_eq!(applied.len(), 299);
    assert_eq!(applied.get(&key_digest(8)), Some(pair(8)));
    assert_eq!(applied.get(&key_digest(7)), None);
    assert!(applied.iter().is_sorted_by_key(|(key, _)| key));
    assert_eq!(store.wanted_body("account", &key(8)).unwrap(), Some(person(8, 1)));
    assert_eq!(store.wanted_body("account", &key(7)).unwrap(), None);
    assert!(store.applied("badge").unwrap().is_empty());
}

#[test]
fn claims_are_kept_dropped_and_copied_in_order() {
    let (dir, store) = fresh();
    let claims: BTreeMap<Key, Option<Claim>> = (0..5).rev().map(|n| (key(n), Some(claim(&n.to_string())))).collect();
    store.put_claims("badge", &claims).unwrap();
    store.put_claims("account", &[(key(9), Some(claim("9")))].into()).unwrap();
    store.put_claims("badge", &[(key(3), None)].into()).unwrap();
    let held = store.claims("badge").unwrap();
    assert_eq!(held.keys().cloned().collect::<Vec<_>>(), [0, 1, 2, 4].map(key));
    assert_eq!(held[&key(4)], claim("4"));
    assert_eq!(store.claims("bad").unwrap(), BTreeMap::new());

    let to = dir.path().join("claims.jsonl");
    std::fs::write(&to, "older").unwrap();
    store.backup_claims(&to).unwrap();
    let text = std::fs::read_to_string(&to).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[0],
        r#"{"kind":"account","key":"uh000009","claim":{"remote":{"id":"9"},"origin":"created","disabled_by_us":false}}"#
    );
    assert!(lines[1].contains("uh000000") && lines[4].contains("uh000004"));
    let refused = store.backup_claims(&dir.path().join("nowhere/claims.jsonl")).unwrap_err().to_string();
    assert!(refused.contains("nowhere"), "{refused}");
}

#[test]
fn values_are_kept_by_name_and_type() {
    let (dir, store) = fresh();
    assert_eq!(store.meta::<u32>("a").unwrap(), None);
    store.set_meta("a", &vec!["x".to_owned()]).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    assert_eq!(store.meta::<Vec<String>>("a").unwrap(), Some(vec!["x".to_owned()]));
    let text = store.meta::<u32>("a").unwrap_err().to_string();
    assert!(!text.contains('x') || !text.contains("\"x\""), "the value is not told: {text}");
}
