//! Both sources in memory: people are hired, edited and let go between passes, and readings fail as told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use reconcile::model::person::{directory as d, vault as v};
use reconcile::model::{Check, KeyField};
use reconcile::sources::port::{Directory, DirectoryEntry, DirectoryPage, Listing, Vault, VaultEntry, VaultReading};
use reconcile::sources::{Origin, SourceError, SourceErrorKind};
use reconcile_state::edit::perform;
use reconcile_state::{AttributeId, Edit, Key, Record, Value};

use crate::toys::marked::MARKS;

/// What is wrong with the directory's next readings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Nothing comes at all.
    AtStart,
    /// It breaks off after the first page.
    Midway,
    /// The last page is never marked as such.
    Incomplete,
    /// Every other person is missing.
    HalfMissing,
    /// Nobody is there.
    Empty,
}

/// Portal LDAP and MetaVault.
#[derive(Default)]
pub struct People(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    people: BTreeMap<Key, (Record, u64)>,
    vault: BTreeMap<Key, Record>,
    marks: BTreeMap<Key, Record>,
    tables: BTreeMap<&'static str, u64>,
    clock: u64,
    fault: Fault,
    hidden: Option<AttributeId>,
    order: Option<u64>,
}

const PAGE: usize = 4;

/// The directory attributes that hold marks, of birthright and of requested entitlements.
pub const MARKED_IN: (&str, &str) = ("marks-2", "marks-6");

/// The key of the nth person.
pub fn key(n: u32) -> Key {
    Key::new(format!("uhid-{n:03}"))
}

impl People {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// A person with everything that is essential, entitled to both toys.
    pub fn hire(&self, n: u32) {
        let name = format!("user{n:03}");
        let record = Record::new(key(n))
            .with(d::USERNAME, name.as_str())
            .with(d::UH_USERNAME, format!("uh{n:06}").as_str())
            .with(d::EMAIL, format!("mail{n:03}").as_str())
            .with(d::EPPN, format!("eppn{n:03}").as_str())
            .with(d::GIVEN_NAME, format!("Given{n:03}").as_str())
            .with(d::SURNAME, format!("Surname{n:03}").as_str())
            .with(d::AFFILIATION, "Student")
            .with(d::STUDENT_NUMBER, format!("number{n:03}").as_str())
            .with(d::AFFILIATIONS, Value::Set(["one".to_owned(), "two".to_owned()].into()))
            .with(d::REQUESTED, Value::Set(["toy-listed".to_owned(), "toy-asked".to_owned()].into()));
        let mut inner = self.inner();
        inner.clock += 1;
        let csn = inner.clock;
        inner.people.insert(key(n), (record, csn));
        inner.vault.insert(key(n), Record::new(key(n)).with(v::CAMPUS, "north"));
    }

    /// The same, many times.
    pub fn hire_all(&self, people: impl IntoIterator<Item = u32>) {
        people.into_iter().for_each(|n| self.hire(n));
    }

    /// Edits a person's entry; nothing where there is none.
    pub fn edit(&self, n: u32, id: AttributeId, value: impl Into<Value>) {
        let mut inner = self.inner();
        inner.clock += 1;
        let csn = inner.clock;
        if let Some((record, last)) = inner.people.get_mut(&key(n)) {
            record.set(id, value.into());
            *last = csn;
        }
    }

    /// What the entry says; nothing where there is none.
    pub fn entry(&self, n: u32) -> Option<Record> {
        self.inner().people.get(&key(n)).map(|(record, _)| record.clone())
    }

    /// Entitles a person to exactly these systems.
    pub fn entitle(&self, n: u32, systems: &[&str]) {
        self.edit(n, d::REQUESTED, Value::Set(systems.iter().map(|&system| system.to_owned()).collect()));
    }

    /// Lets a person go from both sources.
    pub fn let_go(&self, n: u32) {
        let mut inner = self.inner();
        inner.people.remove(&key(n));
        inner.vault.remove(&key(n));
        inner.marks.remove(&key(n));
    }

    /// Drops a person's row in MetaVault.
    pub fn drop_row(&self, n: u32) {
        self.inner().vault.remove(&key(n));
    }

    /// Whether a person has a row in MetaVault.
    pub fn has_row(&self, n: u32) -> bool {
        self.inner().vault.contains_key(&key(n))
    }

    /// Everybody the directory has.
    pub fn keys(&self) -> Vec<Key> {
        self.inner().people.keys().cloned().collect()
    }

    /// The marks and ids in somebody's entry, as they are now; nothing where there is none.
    pub fn marks(&self, key: &Key) -> Option<Record> {
        let inner = self.inner();
        inner.people.get(key)?;
        Some(inner.marks.get(key).cloned().unwrap_or_else(|| Record::new(key.clone())))
    }

    /// Writes marks and ids into an entry: it moves, and the person does not.
    pub fn mark(&self, key: &Key, edits: &[Edit]) {
        let mut inner = self.inner();
        inner.clock += 1;
        let csn = inner.clock;
        if let Some((_, last)) = inner.people.get_mut(key) {
            *last = csn;
            perform(inner.marks.entry(key.clone()).or_insert_with(|| Record::new(key.clone())), edits);
        }
    }

    /// What is wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.inner().fault = fault;
    }

    /// How much was edited so far.
    pub fn stamp(&self) -> u64 {
        self.inner().clock
    }

    /// What is wrong now.
    pub fn is_faulty(&self) -> Fault {
        self.inner().fault
    }

    /// Whether an attribute is hidden.
    pub fn is_hiding(&self) -> bool {
        self.inner().hidden.is_some()
    }

    /// How many people a whole reading shows now.
    pub fn shown_count(&self) -> usize {
        self.inner().shown().len()
    }

    /// Hides an attribute of everybody, or nothing any more.
    pub fn hide(&self, id: Option<AttributeId>) {
        self.inner().hidden = id;
    }

    /// How many rows a table of MetaVault has.
    pub fn table(&self, name: &'static str, rows: u64) {
        self.inner().tables.insert(name, rows);
    }

    /// From now on people come in an order of their own.
    pub fn shuffle(&self, seed: u64) {
        self.inner().order = Some(seed);
    }
}

impl Inner {
    fn entry(&self, key: &Key) -> Option<DirectoryEntry> {
        let (record, csn) = self.people.get(key)?;
        let mut record = record.clone();
        if let Some(hidden) = self.hidden {
            record.set(hidden, Value::Text(String::new()));
        }
        Some(DirectoryEntry { record, csn: Some(csn.to_string()), findings: Vec::new() })
    }

    fn shown(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = match self.fault {
            Fault::Empty => Vec::new(),
            Fault::HalfMissing => self.people.keys().step_by(2).cloned().collect(),
            _ => self.people.keys().cloned().collect(),
        };
        if let Some(seed) = self.order {
            fastrand::Rng::with_seed(seed).shuffle(&mut keys);
        }
        keys
    }

    fn read(&self, keys: Option<&[Key]>) -> VaultReading {
        let asked = |key: &Key| keys.is_none_or(|keys| keys.contains(key));
        let entry = |record: &Record| VaultEntry { record: record.clone(), findings: Vec::new() };
        let people = self.vault.iter().filter(|(key, _)| asked(key)).map(|(key, r)| (key.clone(), entry(r)));
        VaultReading { people: people.collect(), tables: self.tables.clone(), ..VaultReading::default() }
    }
}

fn broken() -> SourceError {
    let mut error = SourceError::configuration(Origin::PortalLdap, "told to fail");
    error.kind = SourceErrorKind::Connect;
    error
}

impl Directory for People {
    fn read_all(&self) -> BoxStream<'_, Result<DirectoryPage, SourceError>> {
        let inner = self.inner();
        if inner.fault == Fault::AtStart {
            return stream::iter([Err(broken())]).boxed();
        }
        let entries: Vec<DirectoryEntry> = inner.shown().iter().filter_map(|key| inner.entry(key)).collect();
        let mut pages: Vec<Result<DirectoryPage, SourceError>> = entries
            .chunks(PAGE)
            .map(|some| Ok(DirectoryPage { entries: some.to_vec(), invalid_keys: 0, last: false }))
            .collect();
        if pages.is_empty() {
            pages.push(Ok(DirectoryPage { entries: Vec::new(), invalid_keys: 0, last: false }));
        }
        if inner.fault == Fault::Midway {
            pages.truncate(1);
            pages.push(Err(broken()));
        }
        if let (Some(Ok(page)), true) = (pages.last_mut(), inner.fault != Fault::Incomplete) {
            page.last = true;
        }
        stream::iter(pages).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Listing, SourceError>> {
        let inner = self.inner();
        if inner.fault == Fault::AtStart {
            return async { Err(broken()) }.boxed();
        }
        let csn = |key: Key| inner.people.get(&key).map(|(_, csn)| (key.clone(), Some(csn.to_string())));
        let entries = inner.shown().into_iter().filter_map(csn).collect();
        async { Ok(Listing { entries, invalid_keys: 0 }) }.boxed()
    }

    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<DirectoryEntry>, SourceError>> {
        async move { Ok(keys.iter().filter_map(|key| self.inner().entry(key)).collect()) }.boxed()
    }

    fn unmarked<'a>(
        &'a self,
        entitlements: &'a [&'a str],
        marks: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<Vec<Key>, SourceError>> {
        assert_eq!(marks, MARKED_IN);
        async move {
            let inner = self.inner();
            let is_marked = |key: &Key, system: &str| {
                inner.marks.get(key).is_some_and(|marks| marks.elements(MARKS).any(|mark| mark == system))
            };
            let lacks = |(key, (record, _)): &(&Key, &(Record, u64))| {
                let entitled = |system: &&&str| record.elements(d::REQUESTED).any(|text| text == **system);
                let enabled = record.get(d::DISABLED) != Some(&Value::Flag(true));
                enabled && entitlements.iter().filter(entitled).any(|system| !is_marked(key, system))
            };
            Ok(inner.people.iter().filter(lacks).map(|(key, _)| key.clone()).collect())
        }
        .boxed()
    }

    fn find<'a>(&'a self, field: KeyField, value: &'a str) -> BoxFuture<'a, Result<Vec<DirectoryEntry>, SourceError>> {
        async move {
            let inner = self.inner();
            let id = match field {
                KeyField::Username => d::USERNAME,
                KeyField::UhUsername => d::UH_USERNAME,
                KeyField::IdautoId => return Ok(inner.entry(&value.into()).into_iter().collect()),
            };
            let bears = |(_, (record, _)): &(&Key, &(Record, u64))| record.text(id) == Some(value);
            Ok(inner.people.iter().filter(bears).filter_map(|(key, _)| inner.entry(key)).collect())
        }
        .boxed()
    }
}

impl Vault for People {
    fn read_all(&self) -> BoxFuture<'_, Result<VaultReading, SourceError>> {
        async { Ok(self.inner().read(None)) }.boxed()
    }

    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<VaultReading, SourceError>> {
        async { Ok(self.inner().read(Some(keys))) }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        async { Vec::new() }.boxed()
    }
}
