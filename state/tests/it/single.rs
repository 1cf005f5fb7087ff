//! Single records, and records found by what they bear.

use proptest::prelude::*;
use reconcile_state::store::{Absence, Scope, Side, StoreDir, StoreView};
use reconcile_state::{
    Applied, Attribute, AttributeId, Claim, Key, Normal, Origin, Record, Remote, Schema, Store, Value,
};

const NAME: AttributeId = AttributeId(1);
const OTHER: AttributeId = AttributeId(2);
const SCOPE: Scope<'static> = Scope { kind: "k", side: Side::Source };

fn schema(indexed: bool) -> Schema {
    let name = Attribute::text(NAME.0, "name").normal(Normal::Folded);
    let name = if indexed { name.indexed() } else { name };
    Schema::new("p", "k", 0, [name, Attribute::text(OTHER.0, "other")]).unwrap()
}

fn record(n: u32, name: &str) -> Record {
    Record::new(Key::new(format!("key{n}"))).with(NAME, name).with(OTHER, "same")
}

fn found(store: &Store, name: &str) -> Vec<Key> {
    store.find(SCOPE, &schema(true), NAME, name).unwrap().into_iter().map(|record| record.key).collect()
}

#[test]
fn a_single_record_is_known_as_it_is_among_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreDir::open(dir.path(), [1; 32]).unwrap().pipeline("p").unwrap();
    let schema = schema(true);
    let (key, none) = (Key::new("key7"), Key::new("nobody"));
    assert_eq!(store.claim_of("k", &key).unwrap(), None);
    assert_eq!(store.applied_of("k", &key).unwrap(), None);
    assert_eq!(store.digest_of(SCOPE, &key).unwrap(), None);
    assert!(!store.has_claims("k").unwrap());
    let records: Vec<Record> = (0..2000).map(|n| record(n, &format!("name{n}"))).collect();
    store.put(SCOPE, &schema, &records).unwrap();
    let digest = |record: &Record| store.digester().record(&schema, record);
    let pairs: Vec<(Applied, Record)> = records
        .iter()
        .map(|record| (Applied { wanted: digest(record), seen: store.digester().key(&record.key) }, record.clone()))
        .collect();
    store.put_applied("k", &pairs).unwrap();
    let claim = Claim::new(Remote { id: Some("7".into()), handle: None }, Origin::Created);
    store.put_claims("k", &[(key.clone(), Some(claim.clone()))].into()).unwrap();
    for (applied, record) in &pairs {
        assert_eq!(store.applied_of("k", &record.key).unwrap(), Some(*applied));
        assert_eq!(store.digest_of(SCOPE, &record.key).unwrap(), Some(digest(record)));
    }
    assert_eq!(store.claim_of("k", &key).unwrap(), Some(claim));
    assert_eq!(store.claim_of("other", &key).unwrap(), None);
    assert!(store.has_claims("k").unwrap() && !store.has_claims("j").unwrap());
    assert_eq!(store.applied_of("k", &none).unwrap(), None);
    assert_eq!(store.digest_of(SCOPE, &none).unwrap(), None);
}

#[test]
fn what_is_put_while_a_reading_is_open_is_known_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreDir::open(dir.path(), [1; 32]).unwrap().sources().unwrap();
    let mut writer = store.snapshot(SCOPE, &schema(true)).unwrap();
    let large = "x".repeat(9 << 20);
    for n in 0..2 {
        writer.see(&record(n, &format!("name{n}")).with(OTHER, large.as_str())).unwrap();
    }
    drop(writer);
    assert!(store.root(SCOPE).unwrap().unwrap().open, "a piece was written");
    assert!(store.digest_of(SCOPE, &"key1".into()).unwrap().is_some());
    assert_eq!(found(&store, "NAME1"), ["key1".into()]);
}

#[test]
fn records_are_found_also_where_no_index_was_kept_and_in_a_store_that_is_only_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreDir::open(dir.path(), [1; 32]).unwrap().sources().unwrap();
    store.put(SCOPE, &schema(false), &[record(1, "Åse"), record(2, "ASE"), record(3, "åsE")]).unwrap();
    let expected: [Key; 2] = ["key1".into(), "key3".into()];
    assert_eq!(found(&store, "åse "), expected, "every body was read");
    assert_eq!(store.find(SCOPE, &schema(true), OTHER, "same").unwrap().len(), 3);
    store.put(SCOPE, &schema(true), &[record(4, "new")]).unwrap();
    assert_eq!(found(&store, "ÅSE"), expected, "an index was made of what was there");
    assert_eq!(found(&store, ""), []);
    drop(store);
    let view = StoreView::open(dir.path()).unwrap().unwrap().sources().unwrap().unwrap();
    assert_eq!(found(&view, "åse"), expected);
    assert_eq!(found(&view, "nobody"), []);
}

#[derive(Clone, Debug)]
enum Event {
    Put(u32, u8),
    Remove(u32),
    Read(Vec<(u32, u8)>, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let one = || (0..8_u32, 0..4_u8);
    prop_oneof![
        one().prop_map(|(n, name)| Event::Put(n, name)),
        (0..8_u32).prop_map(Event::Remove),
        (proptest::collection::vec(one(), 0..8), any::<bool>()).prop_map(|(all, whole)| Event::Read(all, whole)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_bears_a_name_is_found_and_nobody_else(events in proptest::collection::vec(event(), 1..12)) {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::open(dir.path(), [1; 32]).unwrap().sources().unwrap();
        let name = |name: u8| ["", "anna", "Anna", "bo"][usize::from(name)];
        for event in events {
            match event {
                Event::Put(n, x) => drop(store.put(SCOPE, &schema(true), &[record(n, name(x))]).unwrap()),
                Event::Remove(n) => store.remove(SCOPE, &[Key::new(format!("key{n}"))]).unwrap(),
                Event::Read(all, whole) => {
                    let mut writer = store.snapshot(SCOPE, &schema(true)).unwrap();
                    for (n, x) in all {
                        writer.see(&record(n, name(x))).unwrap();
                    }
                    writer.finish(if whole { Absence::Believed } else { Absence::Doubted }).unwrap();
                }
            }
            for wanted in ["anna", "bo", "nobody"] {
                let mut expected = Vec::new();
                store
                    .for_each_body(SCOPE, |record| {
                        if record.get(NAME).and_then(Value::as_text).is_some_and(|text| text.to_lowercase() == wanted) {
                            expected.push(record.key);
                        }
                    })
                    .unwrap();
                prop_assert_eq!(found(&store, wanted), expected);
            }
        }
    }
}
