//! Invented people, and a store to keep them in.

use std::path::Path;

use reconcile_state::digest::{Digest, Digester};
use reconcile_state::schema::{Attribute, Normal, Ownership, Schema};
use reconcile_state::store::{Absence, Scope, Side, Store, StoreDir, Summary};
use reconcile_state::{AttributeId, Key, Record};

pub const KEY: [u8; 32] = [42; 32];
pub const OBSERVED: Scope<'static> = Scope { kind: "account", side: Side::Observed };

pub const NAME: AttributeId = AttributeId(1);
pub const MAIL: AttributeId = AttributeId(2);
pub const LANGUAGE: AttributeId = AttributeId(3);
pub const ROLES: AttributeId = AttributeId(4);

pub fn schema() -> Schema {
    let attributes = [
        Attribute::text(1, "name"),
        Attribute::text(2, "mail").normal(Normal::Folded),
        Attribute::text(3, "language").owned(Ownership::CreateOnly),
        Attribute::set(4, "roles"),
        Attribute::flag(5, "hidden"),
    ];
    Schema::new("test", "account", 0, attributes).unwrap()
}

pub fn key(n: u32) -> Key {
    format!("uh{n:06}").as_str().into()
}

/// Person `n` in their `version`-th shape.
pub fn person(n: u32, version: u32) -> Record {
    Record::new(key(n)).with(NAME, format!("Invented Person {n}")).with(MAIL, format!("p{n}.v{version}@example.org"))
}

pub fn people(numbers: impl IntoIterator<Item = u32>) -> Vec<Record> {
    numbers.into_iter().map(|n| person(n, 0)).collect()
}

pub fn open(path: &Path) -> StoreDir {
    StoreDir::open(path, KEY).unwrap()
}

/// A pipeline's file in a fresh directory, which goes when the first is dropped.
pub fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).pipeline("test").unwrap();
    (dir, store)
}

pub fn digest(record: &Record) -> Digest {
    Digester::new(KEY).record(&schema(), record)
}

pub fn key_digest(n: u32) -> Digest {
    Digester::new(KEY).key(&key(n))
}

pub fn read_all(store: &Store, records: &[Record], absence: Absence) -> Summary {
    let mut writer = store.snapshot(OBSERVED, &schema()).unwrap();
    for record in records {
        writer.see(record).unwrap();
    }
    writer.finish(absence).unwrap()
}

pub fn bodies(store: &Store, scope: Scope<'_>) -> Vec<Record> {
    let mut bodies = Vec::new();
    store.for_each_body(scope, |record| bodies.push(record)).unwrap();
    bodies
}

/// The bytes of a pipeline's file.
pub fn bytes(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("test.redb")).unwrap()
}
