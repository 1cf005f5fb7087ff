//! Snapshots: order does not matter, nothing is written for nothing, absence counts only when believed.

use proptest::prelude::*;
use reconcile_state::Record;
use reconcile_state::store::{Absence, Seen, Store, StoreError, Summary};

use crate::campus::{
    LANGUAGE, MAIL, OBSERVED, bodies, bytes, digest, fresh, key, key_digest, open, people, person, read_all, schema,
};

fn differing(one: &[u8], two: &[u8]) -> usize {
    let pages = one.chunks(4096).zip(two.chunks(4096)).filter(|(one, two)| one != two).count();
    pages * 4096 + one.len().abs_diff(two.len())
}

/// Records large enough that a few thousand make several pieces.
fn large(n: u32, version: u32) -> Record {
    person(n, version).with(LANGUAGE, "x".repeat(8000))
}

fn assert_holds(store: &Store, expected: &[Record]) {
    let held = bodies(store, OBSERVED);
    assert!(held == expected, "{} bodies, {} expected", held.len(), expected.len());
    let digests = store.digests(OBSERVED).unwrap();
    assert_eq!(digests.len(), expected.len());
    let digester = reconcile_state::Digester::new(crate::campus::KEY);
    for record in expected {
        assert_eq!(digests.get(&digester.key(&record.key)), Some(digest(record)), "{}", record.key);
    }
}

#[test]
fn a_reading_is_told_apart_from_what_was_known() {
    let (_dir, store) = fresh();
    assert_eq!(store.root(OBSERVED).unwrap(), None);
    let first = read_all(&store, &people(0..300), Absence::Believed);
    assert_eq!(first, Summary { seen: 300, new: 300, ..Summary::default() });
    let mut writer = store.snapshot(OBSERVED, &schema()).unwrap();
    assert_eq!(writer.see(&person(0, 0)).unwrap(), Seen::Same);
    assert_eq!(writer.see(&person(1, 7)).unwrap(), Seen::Changed);
    assert_eq!(writer.see(&person(900, 0)).unwrap(), Seen::New);
    for n in [0, 1, 900] {
        assert_eq!(writer.see(&person(n, 8)).unwrap(), Seen::Repeated);
    }
    for n in 4..300 {
        writer.see(&person(n, 0)).unwrap();
    }
    let second = writer.finish(Absence::Believed).unwrap();
    assert_eq!(second, Summary { seen: 299, new: 1, changed: 1, same: 297, repeated: 3, gone: vec![key(2), key(3)] });
    let mut expected = people((0..300).filter(|n| ![2, 3].contains(n)));
    expected[1] = person(1, 7);
    expected.push(person(900, 0));
    assert_holds(&store, &expected);
}

#[test]
fn a_reading_without_news_writes_nothing() {
    let (dir, store) = fresh();
    read_all(&store, &people(0..2000), Absence::Believed);
    let (before, root) = (bytes(dir.path()), store.root(OBSERVED).unwrap());
    let backwards: Vec<_> = people(0..2000).into_iter().rev().collect();
    let summary = read_all(&store, &backwards, Absence::Believed);
    assert_eq!((summary.same, summary.seen), (2000, 2000));
    store.put(OBSERVED, &schema(), &people(5..10)).unwrap();
    store.remove(OBSERVED, &[key(5000)]).unwrap();
    store.set_meta("cookie", &"a").unwrap();
    let with_cookie = bytes(dir.path());
    assert_ne!(with_cookie, before, "a write is seen in the file");
    store.set_meta("cookie", &"a").unwrap();
    store.fold().unwrap();
    read_all(&store, &backwards, Absence::Believed);
    assert!(bytes(dir.path()) == with_cookie);
    assert_eq!(store.root(OBSERVED).unwrap(), root);
}

#[test]
fn spelling_and_create_only_attributes_are_no_news() {
    let (dir, store) = fresh();
    let known = person(1, 0).with(MAIL, "a@example.org").with(LANGUAGE, "nb");
    read_all(&store, std::slice::from_ref(&known), Absence::Believed);
    let before = bytes(dir.path());
    let spelt = person(1, 0).with(MAIL, " A@Example.org").with(LANGUAGE, "nn");
    assert_eq!(read_all(&store, &[spelt], Absence::Believed).same, 1);
    assert_eq!(store.body(OBSERVED, &key(1)).unwrap(), Some(known), "the body first read stays");
    assert!(bytes(dir.path()) == before);
}

#[test]
fn what_a_doubted_reading_does_not_show_stays() {
    let (dir, store) = fresh();
    read_all(&store, &people(0..100), Absence::Believed);
    assert!(store.root(OBSERVED).unwrap().unwrap().whole);
    let doubted = read_all(&store, &people(50..101), Absence::Doubted);
    assert_eq!((doubted.new, doubted.same, doubted.gone.len()), (1, 50, 0));
    let root = store.root(OBSERVED).unwrap().unwrap();
    assert_eq!((root.count, root.whole, root.open), (101, false, false));
    assert_holds(&store, &people(0..101));
    let before = bytes(dir.path());
    read_all(&store, &people(50..101), Absence::Doubted);
    assert!(bytes(dir.path()) == before, "the same again is no news");
    let believed = read_all(&store, &people(50..101), Absence::Believed);
    assert_eq!(believed.gone, (0..50).map(key).collect::<Vec<_>>());
    let root = store.root(OBSERVED).unwrap().unwrap();
    assert_eq!((root.count, root.whole), (51, true));
    assert_holds(&store, &people(50..101));
}

#[test]
fn an_empty_believed_reading_empties_the_scope() {
    let (_dir, store) = fresh();
    read_all(&store, &people(0..1000), Absence::Believed);
    assert_eq!(read_all(&store, &[], Absence::Believed).gone.len(), 1000);
    assert_holds(&store, &[]);
    assert_eq!(store.root(OBSERVED).unwrap().unwrap().count, 0);
}

#[test]
fn a_reading_in_one_piece_keeps_nothing_before_its_end() {
    let (_dir, store) = fresh();
    let write = |in_one: bool| {
        let writer = store.snapshot(OBSERVED, &schema()).unwrap().in_pieces_of(1);
        let mut writer = if in_one { writer.in_one_piece() } else { writer };
        for person in people(0..100) {
            writer.see(&person).unwrap();
        }
        writer
    };
    let writer = write(true);
    assert_eq!(store.root(OBSERVED).unwrap(), None);
    drop(writer);
    drop(write(false));
    assert_eq!(store.digests(OBSERVED).unwrap().len(), 100, "any other keeps piece by piece");
    assert_eq!(write(true).finish(Absence::Believed).unwrap().same, 100);
}

#[test]
fn an_interrupted_reading_is_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).pipeline("test").unwrap();
    read_all(&store, &(0..10).map(|n| large(n, 0)).collect::<Vec<_>>(), Absence::Believed);
    let mut writer = store.snapshot(OBSERVED, &schema()).unwrap();
    for n in 5..5000 {
        writer.see(&large(n, 1)).unwrap();
    }
    drop(writer);
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    let root = store.root(OBSERVED).unwrap().unwrap();
    assert!(root.open && !root.whole && root.digest.is_none());
    let kept = store.digests(OBSERVED).unwrap().len();
    assert!((2000..5000).contains(&kept), "{kept}: whole pieces are in, the last is not");
    assert_eq!(bodies(&store, OBSERVED).len(), kept, "rows and bodies of a piece come together");
    let changed = store.body(OBSERVED, &key(7)).unwrap().unwrap();
    assert_eq!(store.digests(OBSERVED).unwrap().get(&key_digest(7)), Some(digest(&changed)));
    store.put(OBSERVED, &schema(), &[large(8, 2)]).unwrap();
    store.remove(OBSERVED, &[key(9)]).unwrap();

    let all: Vec<_> = (1..5000).map(|n| large(n, u32::from(n >= 5))).collect();
    let summary = read_all(&store, &all, Absence::Believed);
    assert_eq!(summary.gone, [key(0)]);
    assert_eq!(summary.changed, 1, "the one put in between");
    assert_eq!(summary.new, 1 + 5000 - kept as u64, "the one removed in between, and the last piece");
    assert_holds(&store, &all);
    let (_other_dir, other) = fresh();
    read_all(&other, &all, Absence::Believed);
    let digest = |store: &Store| store.root(OBSERVED).unwrap().unwrap().digest.unwrap();
    assert_eq!(digest(&store), digest(&other), "the way there does not show");
}

#[test]
fn one_scope_is_read_once_at_a_time() {
    let (_dir, store) = fresh();
    let writer = store.snapshot(OBSERVED, &schema()).unwrap();
    assert!(matches!(store.snapshot(OBSERVED, &schema()), Err(StoreError::Busy { .. })));
    drop(writer);
    store.snapshot(OBSERVED, &schema()).unwrap().finish(Absence::Believed).unwrap();
    store.snapshot(OBSERVED, &schema()).unwrap();
}

#[test]
fn what_settles_during_a_reading_is_newer_than_the_reading() {
    let (_dir, store) = fresh();
    read_all(&store, &people(0..3), Absence::Believed);
    let mut writer = store.snapshot(OBSERVED, &schema()).unwrap();
    writer.see(&person(0, 0)).unwrap();
    store.put(OBSERVED, &schema(), &[person(0, 5), person(1, 5), person(9, 5)]).unwrap();
    assert_eq!(writer.finish(Absence::Believed).unwrap().gone, [key(2)]);
    assert_holds(&store, &[person(0, 5), person(1, 5), person(9, 5)]);
}

#[test]
fn few_changes_touch_few_bytes() {
    let (dir, store) = fresh();
    read_all(&store, &people(0..20_000), Absence::Believed);
    read_all(&store, &people(0..20_000), Absence::Believed);
    let before = bytes(dir.path());
    let changed: Vec<_> = (0..20_000).map(|n| person(n, u32::from(n % 1000 == 0))).collect();
    assert_eq!(read_all(&store, &changed, Absence::Believed).changed, 20);
    let touched = differing(&before, &bytes(dir.path()));
    // A leaf of the blocks, one of the bodies and the way down to them for each, and the file's own account.
    assert!(touched <= 20 * 4 * 4096 + (64 << 10), "{touched} of {} bytes", before.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_root_is_of_the_records_not_of_how_they_came(
        order in Just((0..400_u32).collect::<Vec<_>>()).prop_shuffle(),
        before in prop::collection::vec((0..1500_u32, 0..2_u32), 0..1500),
        cut in 0..400_usize,
    ) {
        let (_dir, straight) = fresh();
        read_all(&straight, &people(0..400), Absence::Believed);
        let (_dir, store) = fresh();
        let before: Vec<_> = before.into_iter().map(|(n, version)| person(n, version)).collect();
        store.put(OBSERVED, &schema(), &before).unwrap();
        let some = people(order[..cut].iter().copied());
        read_all(&store, &some, Absence::Doubted);
        read_all(&store, &people(order), Absence::Believed);
        let (one, two) = (straight.root(OBSERVED).unwrap().unwrap(), store.root(OBSERVED).unwrap().unwrap());
        prop_assert_eq!((one.count, one.digest, one.whole), (two.count, two.digest, two.whole));
        prop_assert_eq!(bodies(&store, OBSERVED), people(0..400));
    }
}
