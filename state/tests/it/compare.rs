//! Two scopes compared as a whole: what differs is found, all of it and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use reconcile_state::store::{Absence, Scope, Side, Store};
use reconcile_state::{Digest, Record};

use crate::campus::{LANGUAGE, OBSERVED, fresh, key, key_digest, people, person, read_all, schema};

const OTHER: Scope<'static> = Scope { kind: "account", side: Side::Processed };

fn read(store: &Store, scope: Scope<'_>, records: &[Record]) {
    let mut writer = store.snapshot(scope, &schema()).unwrap();
    for record in records {
        writer.see(record).unwrap();
    }
    writer.finish(Absence::Believed).unwrap();
}

/// Row by row, without a block or a root.
fn by_hand(store: &Store) -> Vec<Digest> {
    let rows = |scope| store.digests(scope).unwrap().iter().collect::<BTreeMap<_, _>>();
    let (one, two) = (rows(OBSERVED), rows(OTHER));
    let keys: std::collections::BTreeSet<_> = one.keys().chain(two.keys()).copied().collect();
    keys.into_iter().filter(|key| one.get(key) != two.get(key)).collect()
}

fn both_ways(store: &Store) -> Vec<Digest> {
    let found = store.differences(OBSERVED, OTHER).unwrap();
    assert_eq!(store.differences(OTHER, OBSERVED).unwrap(), found);
    assert_eq!(found, by_hand(store));
    found
}

#[test]
fn scopes_that_hold_the_same_do_not_differ_whatever_their_roots_say() {
    let (_dir, store) = fresh();
    assert_eq!(both_ways(&store), [], "nothing was ever read");
    read(&store, OBSERVED, &people(0..3000));
    assert_eq!(both_ways(&store).len(), 3000, "one side alone");
    read(&store, OTHER, &people(0..3000));
    assert_eq!(both_ways(&store), []);
    for version in [1, 0] {
        store.put(OTHER, &schema(), &[person(7, version)]).unwrap();
        assert_eq!(store.root(OTHER).unwrap().unwrap().digest, None, "its root is stale");
        assert_eq!(both_ways(&store), if version == 0 { vec![] } else { vec![key_digest(7)] });
    }
}

#[test]
fn scopes_cut_into_other_numbers_of_blocks_are_compared_too() {
    let (_dir, store) = fresh();
    read(&store, OBSERVED, &people(0..5000));
    read(&store, OTHER, &people(4990..5003));
    assert_eq!(both_ways(&store).len(), 4993);
}

#[test]
fn rows_of_an_unfinished_reading_count() {
    let (_dir, store) = fresh();
    let large = |n| person(n, 0).with(LANGUAGE, "x".repeat(8000));
    read_all(&store, &people(0..2500), Absence::Believed);
    read(&store, OTHER, &people(0..10));
    let mut writer = store.snapshot(OTHER, &schema()).unwrap();
    for n in 0..2500 {
        writer.see(&large(n)).unwrap();
    }
    drop(writer);
    assert!(store.root(OTHER).unwrap().unwrap().open);
    let left = both_ways(&store).len();
    assert!((1..1000).contains(&left), "{left}: a piece of it is in");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_differs_is_found_and_nothing_else(
        count in 0..2500_u32,
        changed in prop::collection::vec(0..2600_u32, 0..40),
        gone in prop::collection::vec(0..2600_u32, 0..40),
    ) {
        let (_dir, store) = fresh();
        read(&store, OBSERVED, &people(0..count));
        read(&store, OTHER, &people(0..count));
        store.put(OTHER, &schema(), &changed.iter().map(|n| person(*n, 1)).collect::<Vec<_>>()).unwrap();
        store.remove(OTHER, &gone.iter().map(|n| key(*n)).collect::<Vec<_>>()).unwrap();
        both_ways(&store);
    }
}
