//! What a pipeline has carried through: for each person the digest of what the sources said when
//! nothing was left to do. `--changed` starts from the difference.

use reconcile_state::store::{DigestSet, Scope, Side, Store};
use reconcile_state::{Attribute, AttributeId, Digest, Digester, Key, Record, Schema, Value};

use super::error::PassError;
use crate::model::person::PEOPLE;

const SCOPE: Scope<'_> = Scope { kind: "person", side: Side::Processed };
const SAID: AttributeId = AttributeId(1);

fn schema() -> Result<Schema, PassError> {
    let said = Attribute { shape: reconcile_state::Shape::Sealed, ..Attribute::text(SAID.0, "said") };
    Ok(Schema::new(PEOPLE, SCOPE.kind, 0, [said])?)
}

/// One pipeline's memory of people carried through.
pub struct Processed {
    digester: Digester,
    schema: Schema,
    rows: DigestSet,
}

impl Processed {
    /// Reads it.
    pub fn load(store: &Store) -> Result<Self, PassError> {
        Ok(Self { digester: store.digester().clone(), schema: schema()?, rows: store.digests(SCOPE)? })
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

/// Remembers people as carried through.
pub fn remember(store: &Store, people: &[(Key, Digest)]) -> Result<(), PassError> {
    let rows: Vec<Record> = people.iter().map(|(key, said)| row(key, *said)).collect();
    store.put(SCOPE, &schema()?, &rows)?;
    Ok(())
}

/// Forgets that anybody was carried through: it was at another target.
pub fn forget(store: &Store) -> Result<(), PassError> {
    Ok(store.remove(SCOPE, &people(store)?)?)
}

/// Everybody who was carried through, or whose change did not go through.
pub fn people(store: &Store) -> Result<Vec<Key>, PassError> {
    let mut keys = Vec::new();
    store.for_each_body(SCOPE, |row| keys.push(row.key))?;
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
