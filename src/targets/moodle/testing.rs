//! Settings for this target's own tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use futures::future::BoxFuture;

use reconcile_state::{Digester, Drift, Edit, Record, Remote, Value};

use super::config::{Config, Settings};
use super::schema as id;
use crate::config::Institution;
use crate::model::{Action, Cause, Change, Ready, TargetError};
use crate::targets::moodle::transport::{Judge, Transport};
use crate::targets::port::Surroundings;
use crate::wire::{Reply, Request};

pub(super) fn institution() -> Institution {
    Institution { number: "185".into(), name: "Universitetet".into(), mail_domain: "example.no".into() }
}

/// The least section and what `more` says beside it.
pub(super) fn section(more: &str) -> toml::Table {
    toml::from_str(&format!("url = 'http://127.0.0.1:9'\ntoken = 'env:TOKEN'\nauth = 'oidc'\n{more}")).unwrap()
}

pub(super) fn settings(more: &str) -> Settings {
    let config: Config = section(more).try_into().unwrap();
    let environment = |_: &str| Some("token".to_owned());
    config.check(&Surroundings::new(&institution(), &environment)).unwrap()
}

/// Why the least section is refused with `more` beside it.
pub(super) fn refusal(more: &str) -> String {
    let environment = |_: &str| Some("token".to_owned());
    let institution = institution();
    let around = Surroundings::new(&institution, &environment);
    let checked = section(more).try_into::<Config>().map_err(crate::targets::port::OpenError::from);
    checked.and_then(|config| config.check(&around)).unwrap_err().to_string()
}

/// An invented account with all that a new one needs.
pub(super) fn account(username: &str) -> Record {
    Record::new(format!("key-{username}").as_str().into())
        .with(id::USERNAME, username)
        .with(id::EMAIL, format!("{username}@example.invalid"))
        .with(id::FIRSTNAME, "Kari")
        .with(id::LASTNAME, "Nordmann")
        .with(id::AUTH, "oidc")
}

fn change(kind: &'static str, action: Action, desired: Record, edits: Vec<Edit>, remote: Option<Remote>) -> Ready {
    let digest = Digester::new([0; 32]).texts([desired.key.as_str()]);
    let change = Change {
        id: digest,
        pipeline: id::PIPELINE,
        kind,
        key: desired.key.clone(),
        action,
        edits,
        cause: Cause::Source,
        reason: None,
        drift: Drift::Missing,
        wanted: digest,
        expect: None,
        remote,
        protected: None,
        requires: Vec::new(),
        seen_as: None,
        after: std::collections::BTreeSet::new(),
        bounds: crate::model::Bounds::default(),
        taken_from: std::collections::BTreeMap::new(),
        again: 0,
        listed: std::collections::BTreeSet::new(),
        left: Vec::new(),
        kept: std::collections::BTreeSet::new(),
        remembered: None,
        matches: Vec::new(),
        desired,
    };
    Ready { change, references: BTreeMap::new() }
}

pub(super) fn create(desired: Record) -> Ready {
    let schema = id::account(true).unwrap();
    let edits = reconcile_state::edit::creation(&schema, &desired);
    change(id::ACCOUNT, Action::Create, desired, edits, None)
}

pub(super) fn update(key: &str, remote: &str, edits: Vec<Edit>) -> Ready {
    let remote = Remote { id: Some(remote.to_owned()), handle: None };
    change(id::ACCOUNT, Action::Update, Record::new(key.into()), edits, Some(remote))
}

/// A change of an account known by its user name only, as a report shows it.
#[cfg(feature = "sim")]
pub(super) fn update_named(handle: &str, edits: Vec<Edit>) -> Ready {
    let remote = Remote { id: None, handle: Some(handle.to_owned()) };
    change(id::ACCOUNT, Action::Update, Record::new(format!("key-{handle}").as_str().into()), edits, Some(remote))
}

/// A change of what somebody is enrolled in, from what is held to what is wanted.
pub(super) fn enrolment_change(key: &str, remote: &str, want: BTreeSet<String>, held: BTreeSet<String>) -> Ready {
    let record = |elements| Record::new(key.into()).with(id::COURSES, Value::Set(BTreeSet::into(elements)));
    let (desired, observed) = (record(want), record(held));
    let edits = reconcile_state::edit::difference(&id::enrolments().unwrap(), &desired, &observed);
    let remote = Remote { id: Some(remote.to_owned()), handle: None };
    change(id::ENROLMENTS, Action::Update, desired, edits, Some(remote))
}

/// Answers that are given one after the other, whatever is asked. More requests than answers fail the test.
pub(super) struct Script(Mutex<VecDeque<&'static str>>);

impl Script {
    pub(super) fn of<const N: usize>(bodies: [&'static str; N]) -> Self {
        Self(Mutex::new(bodies.into()))
    }
}

impl Transport for Script {
    fn post<'t>(&'t self, _: Request, judge: Judge<'t>) -> BoxFuture<'t, Result<(), TargetError>> {
        let body = self.0.lock().unwrap().pop_front().expect("a request that was expected");
        let reply = Reply {
            status: 200,
            content_type: String::new(),
            retry_after: None,
            body: body.as_bytes().to_vec().into(),
        };
        Box::pin(async move { judge(reply) })
    }
}
