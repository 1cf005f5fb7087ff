//! Toy B: two kinds, asked by key only, one change in a request, records that refer to records.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reconcile::model::person::directory as d;
use reconcile::model::{Call, Desired, Match, Person};
use reconcile::targets::port::{
    Definition, Lookup, Observer, OpenError, Project, Subject, Surroundings, Target, Terms,
};
use reconcile_state::{Attribute, AttributeId, Key, Ownership, Record, Schema, Value};

use super::listed::{self, COUNTERS, call};
use super::shelf::Toy;

/// The pipeline.
pub const NAME: &str = "toy-asked";
/// The first kind.
pub const MEMBER: &str = "member";
/// The second, which refers to the first.
pub const CARD: &str = "card";

/// By what a record is asked for: no name, no number.
pub const CODE: AttributeId = AttributeId(1);
/// Managed text: the surname.
pub const LABEL: AttributeId = AttributeId(2);
/// The member to whom this one answers: the person's job code holds that person's key.
pub const BOSS: AttributeId = AttributeId(3);
/// The same person's account at toy A.
pub const TWIN: AttributeId = AttributeId(4);
/// On a card: the member who holds it.
pub const HOLDER: AttributeId = AttributeId(5);

/// The toy and its line in the registry.
#[derive(Clone)]
pub struct Asked(Toy);

impl Asked {
    /// One with nothing but the record that the operator knows.
    pub fn new() -> Self {
        let toy = Toy::new("asked-1", |_, record| vec![("code", record.text(CODE).unwrap_or_default().to_owned())], 1);
        for kind in [MEMBER, CARD] {
            toy.shelf().put(kind, Record::new("".into()).with(CODE, "known"));
        }
        Self(toy)
    }
}

impl Deref for Asked {
    type Target = Toy;

    fn deref(&self) -> &Toy {
        &self.0
    }
}

struct Policy {
    kinds: Vec<Schema>,
}

fn schemas() -> Vec<Schema> {
    let code = || Attribute::text(CODE.0, "code").owned(Ownership::CreateOnly);
    let member = [
        code(),
        Attribute::text(LABEL.0, "label"),
        Attribute::reference(BOSS.0, "boss", NAME, MEMBER),
        Attribute::reference(TWIN.0, "twin", listed::NAME, listed::ACCOUNT),
    ];
    let card = [code(), Attribute::text(LABEL.0, "label"), Attribute::reference(HOLDER.0, "holder", NAME, MEMBER)];
    vec![Schema::new(NAME, MEMBER, 0, member).unwrap(), Schema::new(NAME, CARD, 1, card).unwrap()]
}

/// The value by which a person's record is found.
pub fn code(key: &Key) -> String {
    format!("code-{key}")
}

fn member(person: &Person) -> Record {
    let boss = person.text(d::JOB_CODE).map_or(Value::Text(String::new()), |key| Value::Reference(key.into()));
    card(person).with(HOLDER, "").with(BOSS, boss).with(TWIN, Value::Reference(person.key().clone()))
}

fn card(person: &Person) -> Record {
    Record::new(person.key().clone())
        .with(CODE, code(person.key()).as_str())
        .with(LABEL, person.text(d::SURNAME).unwrap_or_default())
        .with(HOLDER, Value::Reference(person.key().clone()))
}

impl Project for Policy {
    fn kinds(&self) -> &[Schema] {
        &self.kinds
    }

    fn desired(&self, subject: Subject<'_>, _look: &dyn Lookup, _at: Timestamp) -> Vec<Desired> {
        let Subject::Person(person) = subject;
        let one = |kind, call: Call| Desired {
            kind,
            key: person.key().clone(),
            call,
            matches: vec![Match { field: "code", value: code(person.key()), only_unique: false }],
            scopes: None,
            unasked: BTreeSet::new(),
            left_out: BTreeMap::new(),
            valid_until: None,
        };
        vec![one(MEMBER, call(person, NAME, member)), one(CARD, call(person, NAME, card))]
    }
}

impl Definition for Asked {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configuration(&self) -> &'static str {
        "[toy-asked]\n"
    }

    fn open(&self, _section: toml::Table, _around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let observer = Observer {
            name: NAME,
            project: Arc::new(Policy { kinds: schemas() }),
            reader: Arc::new(self.0.clone()),
            terms: Terms {
                settle_after: Duration::from_secs(15),
                reread_after: Duration::from_mins(5),
                concurrency: 1,
                listable: false,
                chunk: 4,
                known: Some(Match { field: "code", value: "known".to_owned(), only_unique: false }),
                counters: COUNTERS,
                mark: None,
                marked_in: None,
                follows: false,
            },
        };
        Ok(Target { observer, writer: Arc::new(self.0.clone()) })
    }
}
