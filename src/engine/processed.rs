//! What a pipeline has carried through: for each person the digest of what the sources said when
//! nothing was left to do. `--changed` starts from the difference. Beside it until when that holds, where a date will
//! change what is called for although no source does.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::store::{DigestSet, Scope, Side, Store};
use reconcile_state::{Attribute, AttributeId, Digest, Digester, Key, Record, Schema, Value};

use super::error::PassError;
use crate::model::person::PEOPLE;

const SCOPE: Scope<'_> = Scope { kind: "person", side: Side::Processed };
const SAID: AttributeId = AttributeId(1);
const DATED: Scope<'_> = Scope { kind: "dated", side: Side::Processed };
const UNTIL: AttributeId = AttributeId(1);

/// People by the time, in Unix milliseconds, at which what is called for of them changes by itself.
pub type Dates = BTreeMap<i64, Vec<Key>>;

fn schema() -> Result<Schema, PassError> {
    let said = Attribute { shape: reconcile_state::Shape::Sealed, ..Attribute::text(SAID.0, "said") };
    Ok(Schema::new(PEOPLE, SCOPE.kind, 0, [said])?)
}

fn dated() -> Result<Schema, PassError> {
    let until = Attribute { shape: reconcile_state::Shape::Number, ..Attribute::text(UNTIL.0, "until") };
    Ok(Schema::new(PEOPLE, DATED.kind, 0, [until])?)
}

/// One pipeline's memory of people carried through.
pub struct Processed {
    store: Store,
    digester: Digester,
    schema: Schema,
    rows: DigestSet,
}

impl Processed {
    /// Reads it.
    pub fn load(store: &Store) -> Result<Self, PassError> {
        let digester = store.digester().clone();
        Ok(Self { store: store.clone(), digester, schema: schema()?, rows: store.digests(SCOPE)? })
    }

    /// People who were carried through, and for whom a date has come since, at `at` (Unix milliseconds).
    ///
    /// # Errors
    /// [`PassError::Store`]
    pub fn overtaken(&self, at: i64) -> Result<BTreeSet<Key>, PassError> {
        let mut overtaken = BTreeSet::new();
        self.store.for_each_body(DATED, |row| {
            if matches!(row.get(UNTIL), Some(Value::Number(until)) if *until <= at) {
                overtaken.insert(row.key);
            }
        })?;
        Ok(overtaken)
    }

    /// Whether what the sources say of a person is not what was carried through.
    pub fn moved(&self, key: &Key, directory: &DigestSet, vault: &DigestSet) -> bool {
        let at = self.digester.key(key);
        let said = said(&self.digester, directory.get(&at), vault.get(&at));
        self.rows.get(&at) != Some(self.digester.record(&self.schema, &row(key, said)))
    }

    /// Whether the person's last change did not go through.
    pub fn left(&self, key: &Key) -> bool {
        self.rows.get(&self.digester.key(key)) == Some(self.digester.record(&self.schema, &row(key, LEFT)))
    }
}

/// What stands in the place of what the sources said of somebody whose last change did not go through.
const LEFT: Digest = Digest([0xff; 16]);

/// Remembers people whose last change failed, was deferred, is in doubt or waits for another try: they are not
/// carried through, whatever the sources say.
pub fn leave(store: &Store, people: &[Key]) -> Result<(), PassError> {
    let rows: Vec<Record> = people.iter().map(|key| row(key, LEFT)).collect();
    store.put(SCOPE, &schema()?, &rows)?;
    Ok(())
}

/// Whether what the sources say of one person is not what was carried through, without a look at all others.
///
/// # Errors
/// [`PassError::Store`]
pub fn moved(
    store: &Store,
    key: &Key,
    (directory, vault): (Option<Digest>, Option<Digest>),
) -> Result<bool, PassError> {
    let digester = store.digester();
    let said = said(digester, directory, vault);
    Ok(store.digest_of(SCOPE, key)? != Some(digester.record(&schema()?, &row(key, said))))
}

/// Remembers people as carried through, and until when: first that, so that no date is missed for a death in between.
pub fn remember(store: &Store, people: &[(Key, Digest)], dates: &Dates) -> Result<(), PassError> {
    let carried: BTreeSet<&Key> = people.iter().map(|(key, _)| key).collect();
    let until = dates.iter().flat_map(|(until, keys)| keys.iter().map(move |key| (key, *until)));
    let until: BTreeMap<&Key, i64> = until.filter(|(key, _)| carried.contains(key)).collect();
    let mut over = Vec::new();
    store.for_each_body(DATED, |row| {
        if carried.contains(&row.key) && !until.contains_key(&row.key) {
            over.push(row.key);
        }
    })?;
    let rows: Vec<Record> =
        until.into_iter().map(|(key, until)| Record::new(key.clone()).with(UNTIL, Value::Number(until))).collect();
    store.put(DATED, &dated()?, &rows)?;
    let rows: Vec<Record> = people.iter().map(|(key, said)| row(key, *said)).collect();
    store.put(SCOPE, &schema()?, &rows)?;
    Ok(store.remove(DATED, &over)?)
}

/// Forgets that anybody was carried through: it was at another target.
pub fn forget(store: &Store) -> Result<(), PassError> {
    for scope in [SCOPE, DATED] {
        store.remove(scope, &keys(store, scope)?)?;
    }
    Ok(())
}

/// Everybody who was carried through, or whose change did not go through.
pub fn people(store: &Store) -> Result<Vec<Key>, PassError> {
    keys(store, SCOPE)
}

fn keys(store: &Store, scope: Scope<'static>) -> Result<Vec<Key>, PassError> {
    let mut keys = Vec::new();
    store.for_each_body(scope, |row| keys.push(row.key))?;
    Ok(keys)
}

/// Takes people back of whom something is left to do again.
pub fn reopen(store: &Store, people: &[Key]) -> Result<(), PassError> {
    Ok(store.remove(SCOPE, people)?)
}

/// What the sources say of a person, in one digest.
pub fn said(digester: &Digester, directory: Option<Digest>, vault: Option<Digest>) -> Digest {
    let text = |digest: Option<Digest>| digest.map(|digest| digest.to_string()).unwrap_or_default();
    digester.texts([text(directory).as_str(), text(vault).as_str()])
}

fn row(key: &Key, said: Digest) -> Record {
    Record::new(key.clone()).with(SAID, Value::Sealed(said.0))
}
