//! A small, invented pass for tests of reports and command line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconcile_state::trust::Trust;
use reconcile_state::{
    Applied, Attribute, AttributeId, Digest, Digester, Drift, Edit, Key, Record, Remote, Role, Schema, Sensitivity,
    Standing,
};

use crate::config::toy::COUNTERS;
use crate::model::pass::{PipelineSummary, Planned, ScopeSummary, SourceSummary};
use crate::model::{Action, Candidate, Cause, Change, Conflict, Finding, Link, Match, PipelinePlan, Plan, Reason};
use crate::targets::port::Identity;

pub(crate) const USERNAME: AttributeId = AttributeId(1);
pub(crate) const EMAIL: AttributeId = AttributeId(2);
pub(crate) const PIN: AttributeId = AttributeId(3);

pub(crate) fn schema() -> Schema {
    let attributes = vec![
        Attribute::text(USERNAME.0, "username").role(Role::Name),
        Attribute::text(EMAIL.0, "email"),
        Attribute::text(PIN.0, "pin").sensitivity(Sensitivity::Secret),
    ];
    Schema::new("toy", "account", 0, attributes).unwrap()
}

pub(crate) fn set(attribute: AttributeId, from: Option<&str>, to: &str) -> Edit {
    Edit::Set { attribute, from: from.map(Into::into), to: to.into() }
}

pub(crate) fn change(key: &str, action: Action, edits: Vec<Edit>) -> Change {
    let zero = Digest([0; 16]);
    let (drift, remote) = match action {
        Action::Create => (Drift::Missing, None),
        _ => (Drift::Behind, Some(Remote { id: Some("17".into()), handle: Some(format!("u-{key}")) })),
    };
    let username = Match { field: "username", value: format!("new-{key}"), only_unique: false };
    Change {
        id: Digester::new([0; 32]).texts([key, &action.to_string()]),
        pipeline: "toy",
        kind: "account",
        key: Key::new(key),
        action,
        edits,
        cause: Cause::Source,
        reason: (action == Action::Disable).then_some(Reason("not-entitled")),
        drift,
        wanted: zero,
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
        matches: vec![username],
        desired: Record::new(Key::new(key)),
    }
}

/// One change of each action, one conflict, one first meeting and one reported drift.
pub(crate) fn planned() -> Planned {
    let changes = vec![
        change("p1", Action::Create, vec![set(USERNAME, None, "new-p1"), set(PIN, None, "4711")]),
        change("p2", Action::Update, vec![set(EMAIL, Some("a@uni.example"), "b@uni.example")]),
        change("p3", Action::Disable, vec![Edit::Standing { to: Standing::Disabled }]),
        change("p4", Action::Enable, vec![Edit::Standing { to: Standing::Active }]),
    ];
    let by = |id: &str, by| Candidate { remote: Remote { id: Some(id.into()), handle: None }, by: vec![by] };
    let plan = PipelinePlan {
        drift: [
            (Drift::Missing, 1),
            (Drift::Behind, 3),
            (Drift::InSync, 5),
            (Drift::Untouched, 2),
            (Drift::Conflict, 1),
            (Drift::FirstMeeting, 1),
            (Drift::Drifted, 1),
        ]
        .into(),
        untouched: [(Reason("not-entitled"), 2)].into(),
        foreign: 1,
        conflicts: vec![Conflict {
            kind: "account",
            key: "p5".into(),
            code: "two-candidates",
            candidates: vec![by("21", "username"), by("22", "idnumber")],
            rivals: Vec::new(),
        }],
        links: vec![Link {
            kind: "account",
            key: "p6".into(),
            remote: Remote { id: Some("23".into()), handle: None },
            differences: vec![Edit::Clear { attribute: EMAIL, from: "old@uni.example".into() }],
            new: true,
            begun: false,
            after: None,
            kept: std::collections::BTreeSet::new(),
            applied: Applied { wanted: Digest([2; 16]), seen: Digest([3; 16]) },
            wanted: Record::new("p6".into()),
        }],
        findings: vec![Finding {
            kind: "account",
            key: "p7".into(),
            drift: Drift::Drifted,
            differences: vec![set(EMAIL, Some("x"), "y")],
            not_before: None,
        }],
        ..PipelinePlan::default()
    };
    let pipeline = PipelineSummary {
        name: "toy",
        target: Some(Identity { id: "toy".into(), title: "Toy 1.0".into(), warnings: Vec::new() }),
        trust: Trust::default(),
        observed: 14,
        base: 14,
        people: 0,
        tables: BTreeMap::new(),
        within: BTreeMap::new(),
        elements: BTreeMap::new(),
        population: 14,
        first_load: false,
        anew: false,
        stopped: None,
        counters: Some(COUNTERS),
        schemas: vec![schema()],
        window: reconcile_state::window::Window::default(),
    };
    Planned {
        run: "r1".into(),
        at: Timestamp::from_second(1_785_722_400).unwrap(),
        scope: ScopeSummary { what: "everything".into(), people: 14, unknown_keys: Vec::new() },
        sources: vec![SourceSummary {
            name: "Portal LDAP",
            people: 14,
            new: 1,
            changed: 2,
            gone: 0,
            trust: Trust::default(),
            findings: BTreeMap::new(),
        }],
        pipelines: vec![pipeline],
        plan: Plan { hash: Digest([1; 16]), changes, pipelines: [("toy", plan)].into() },
        events: Vec::new(),
        adopt: false,
        whole: true,
        figures: BTreeMap::new(),
        dates: BTreeMap::new(),
        people: Vec::new(),
        unread: std::collections::BTreeSet::new(),
    }
}
