//! Toy A: one kind, listable, many changes in one request. Records are recognised by their user name, and where a test
//! says so also by a number that counts only where one person bears it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use reconcile::model::person::directory as d;
use reconcile::model::{Call, Desired, Match, Person};
use reconcile::policy::{Judgement, judge, selected_username};
use reconcile::targets::port::{
    Counters, Definition, Lookup, Observer, OpenError, Project, Subject, Surroundings, Target, Terms,
};
use reconcile_state::{Attribute, AttributeId, Ownership, Record, Role, Schema, Standing, Value};

use super::shelf::Toy;

/// The pipeline.
pub const NAME: &str = "toy-listed";
/// Its kind.
pub const ACCOUNT: &str = "account";

/// The user name, by which a record is recognised.
pub const LOGIN: AttributeId = AttributeId(1);
/// Managed text: the surname.
pub const TITLE: AttributeId = AttributeId(2);
/// Given at creation: the ePPN.
pub const BORN_AS: AttributeId = AttributeId(3);
/// Written once: the student number.
pub const NUMBER: AttributeId = AttributeId(4);
/// Unique, and the target may spell it as it likes: the e-mail address.
pub const MAIL: AttributeId = AttributeId(5);
/// Ours are the elements with the prefix `ours:`.
pub const GROUPS: AttributeId = AttributeId(6);

/// How the names of the counters come out in reports.
pub const COUNTERS: Counters = Counters {
    unchanged: "totalUnchanged",
    add: "totalAdd",
    update: "totalUpdate",
    rename: Some("totalRename"),
    moved: None,
    disable: "totalDisable",
    enable: "totalEnable",
    parts: None,
};

/// The toy and its line in the registry.
#[derive(Clone)]
pub struct Listed(Toy, Arc<AtomicBool>, Arc<Mutex<Option<Timestamp>>>);

impl Listed {
    /// An empty one.
    pub fn new() -> Self {
        let marks = |_: &'static str, record: &Record| {
            let of = |id| record.text(id).unwrap_or_default().to_owned();
            vec![("login", of(LOGIN)), ("number", of(NUMBER))]
        };
        let toy = Toy::new("listed-1", marks, 8);
        toy.shelf().unique.insert(MAIL);
        Self(toy, Arc::default(), Arc::default())
    }

    /// From now on records are recognised by their numbers too.
    pub fn recognise_by_number(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    /// From this time on whoever is called for is called for in the group `ours:late` too.
    pub fn opens_late(&self, at: Timestamp) {
        *self.2.lock().unwrap() = Some(at);
    }
}

impl Deref for Listed {
    type Target = Toy;

    fn deref(&self) -> &Toy {
        &self.0
    }
}

struct Policy {
    kinds: Vec<Schema>,
    by_number: bool,
    late: Option<Timestamp>,
}

fn schema() -> Schema {
    let attributes = [
        Attribute::text(LOGIN.0, "login").role(Role::Name),
        Attribute::text(TITLE.0, "title"),
        Attribute::text(BORN_AS.0, "born_as").owned(Ownership::CreateOnly),
        Attribute::text(NUMBER.0, "number").owned(Ownership::WriteOnce),
        Attribute::text(MAIL.0, "mail").rewritten().unique(),
        Attribute::set(GROUPS.0, "groups").owned(Ownership::ScopedSet),
    ];
    Schema::new(NAME, ACCOUNT, 0, attributes).unwrap()
}

fn record(person: &Person) -> Record {
    let text = |id| Value::from(person.text(id).unwrap_or_default());
    let groups = person.set(d::AFFILIATIONS).into_iter().map(|group| format!("ours:{group}"));
    Record::new(person.key().clone())
        .with(LOGIN, selected_username(person).unwrap_or_default())
        .with(TITLE, text(d::SURNAME))
        .with(BORN_AS, text(d::EPPN))
        .with(NUMBER, text(d::STUDENT_NUMBER))
        .with(MAIL, text(d::EMAIL))
        .with(GROUPS, Value::Set(groups.collect()))
}

/// What the shared rules say of a person, with the record made of them.
pub fn call(person: &Person, system: &str, record: impl FnOnce(&Person) -> Record) -> Call {
    match judge(person, system) {
        Judgement::Active => Call::Active(record(person)),
        Judgement::Disabled(reason) => {
            Call::Disabled(Record::new(person.key().clone()).standing(Standing::Disabled), reason)
        }
        Judgement::Untouched(reason) => Call::Untouched(reason),
    }
}

impl Project for Policy {
    fn kinds(&self) -> &[Schema] {
        &self.kinds
    }

    fn desired(&self, subject: Subject<'_>, _look: &dyn Lookup, at: Timestamp) -> Vec<Desired> {
        let Subject::Person(person) = subject;
        let login = selected_username(person).unwrap_or_default().to_owned();
        let number = person.text(d::STUDENT_NUMBER).filter(|_| self.by_number).unwrap_or_default().to_owned();
        let matches = [
            Match { field: "login", value: login, only_unique: false },
            Match { field: "number", value: number, only_unique: true },
        ];
        let matches = matches.into_iter().filter(|one| !one.value.is_empty()).collect();
        let mut call = call(person, NAME, record);
        let late = self.late.filter(|late| *late <= at).map(|_| "ours:late".to_owned());
        if let Call::Active(record) = &mut call {
            let groups = record.elements(GROUPS).map(str::to_owned).chain(late);
            let groups = Value::Set(groups.collect());
            record.set(GROUPS, groups);
        }
        vec![Desired {
            kind: ACCOUNT,
            key: person.key().clone(),
            call,
            matches,
            scopes: None,
            unasked: BTreeSet::new(),
            left_out: BTreeMap::new(),
            valid_until: self.late.filter(|late| *late > at),
        }]
    }

    fn scope_of<'e>(&self, _kind: &str, _attribute: AttributeId, element: &'e str) -> Option<&'e str> {
        Some(element).filter(|element| element.starts_with("ours:") && *element != "ours:closed")
    }
}

impl Definition for Listed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configuration(&self) -> &'static str {
        "[toy-listed]\n"
    }

    fn open(&self, _section: toml::Table, _around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let observer = Observer {
            name: NAME,
            project: Arc::new(Policy {
                kinds: vec![schema()],
                by_number: self.1.load(Ordering::Relaxed),
                late: *self.2.lock().unwrap(),
            }),
            reader: Arc::new(self.0.clone()),
            terms: Terms {
                settle_after: Duration::from_secs(30),
                reread_after: Duration::from_mins(5),
                concurrency: 2,
                listable: true,
                chunk: 5,
                known: None,
                counters: COUNTERS,
                mark: None,
                marked_in: None,
                follows: false,
            },
        };
        Ok(Target { observer, writer: Arc::new(self.0.clone()) })
    }
}
