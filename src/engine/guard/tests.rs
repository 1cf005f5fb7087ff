//! Every rule trips above its limit and not at it; consent passes what it names and nothing else.

use reconcile_state::trust::{Doubt, Trust};
use reconcile_state::{Attribute, AttributeId, Digest, Drift, Edit, Record, Role, Schema, Standing, Value};

use super::*;
use crate::config::test_settings;
use crate::model::pass::{PipelineSummary, ScopeSummary, SourceSummary};
use crate::model::{Action, Cause, Plan};

const NAME: AttributeId = AttributeId(1);
const TITLE: AttributeId = AttributeId(2);
const BASE: u64 = 1000;

fn schema() -> Schema {
    Schema::new("p", "k", 0, [Attribute::text(1, "name").role(Role::Name), Attribute::text(2, "title")]).unwrap()
}

/// A kind of parts: a thousand elements in two scopes.
fn seats() -> Schema {
    let seats = Attribute::set(1, "seats").owned(reconcile_state::Ownership::ScopedSet);
    Schema::new("p", "seats", 1, [seats]).unwrap().part_of("k")
}

fn seat(at: usize, edit: fn(String) -> Edit) -> Change {
    Change { kind: "seats", ..change(at, Action::Update, vec![edit(format!("b/{at}"))]) }
}

fn give(element: String) -> Edit {
    Edit::Add { attribute: AttributeId(1), element }
}

fn take(element: String) -> Edit {
    Edit::Remove { attribute: AttributeId(1), element }
}

fn change(at: usize, action: Action, edits: Vec<Edit>) -> Change {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&at.to_be_bytes());
    let key = format!("p{at}");
    Change {
        id: Digest(id),
        pipeline: "p",
        kind: "k",
        key: key.as_str().into(),
        action,
        edits,
        cause: Cause::Source,
        reason: None,
        drift: if action == Action::Create { Drift::Missing } else { Drift::Behind },
        wanted: Digest([1; 16]),
        expect: None,
        remote: None,
        protected: None,
        requires: Vec::new(),
        seen_as: None,
        after: BTreeSet::new(),
        bounds: crate::model::Bounds::default(),
        taken_from: std::collections::BTreeMap::new(),
        again: 0,
        listed: BTreeSet::new(),
        left: Vec::new(),
        kept: BTreeSet::new(),
        remembered: None,
        matches: Vec::new(),
        desired: Record::new(key.as_str().into()),
    }
}

fn disable(at: usize, reason: Reason) -> Change {
    let edit = Edit::Standing { to: Standing::Disabled };
    Change { reason: Some(reason), ..change(at, Action::Disable, vec![edit]) }
}

fn set(attribute: AttributeId, from: &str, to: String) -> Edit {
    Edit::Set { attribute, from: Some(Value::from(from)), to: to.into() }
}

fn planned(changes: Vec<Change>, first_load: bool, trusted: bool) -> Planned {
    let doubts = if trusted { vec![] } else { vec![Doubt::new("source-shrunk", "smaller")] };
    let source = SourceSummary {
        name: "Portal LDAP",
        people: BASE,
        new: 0,
        changed: 0,
        gone: 0,
        trust: Trust { doubts },
        findings: BTreeMap::new(),
    };
    let pipeline = PipelineSummary {
        name: "p",
        target: None,
        trust: Trust::default(),
        observed: BASE,
        base: BASE,
        people: 0,
        tables: [("seats", vec!["mv_enrolment"])].into(),
        within: BTreeMap::new(),
        elements: [("seats", [("a".to_owned(), 100), ("b".to_owned(), 900)].into())].into(),
        population: BASE,
        anew: false,
        first_load,
        stopped: None,
        counters: None,
        schemas: vec![schema(), seats()],
    };
    Planned {
        run: "r".into(),
        at: jiff::Timestamp::UNIX_EPOCH,
        scope: ScopeSummary { what: "everything".into(), people: BASE, unknown_keys: vec![] },
        sources: vec![source],
        pipelines: vec![pipeline],
        plan: Plan { hash: Digest([0; 16]), changes, pipelines: BTreeMap::new() },
        events: vec![],
        adopt: false,
        whole: true,
        figures: BTreeMap::new(),
        people: vec![],
        unread: BTreeSet::new(),
    }
}

fn judged(planned: Planned, consent: Consent) -> Judged {
    judge(planned, &[("p", test_settings())].into(), consent)
}

fn trips(changes: Vec<Change>) -> Vec<&'static str> {
    let judged = judged(planned(changes, false, true), Consent::default());
    let trips: Vec<&'static str> = judged.verdicts["p"].trips.iter().map(|trip| trip.rule).collect();
    assert_eq!(trips.is_empty(), !judged.approved.changes().is_empty() || judged.approved.held().is_empty());
    trips
}

fn many(count: usize, make: impl Fn(usize) -> Change) -> Vec<Change> {
    (0..count).map(make).collect()
}

#[test]
fn every_rule_trips_above_its_limit_and_not_at_it() {
    type Make = Box<dyn Fn(usize) -> Change>;
    let update = |edit: fn(usize) -> Edit| -> Make { Box::new(move |at| change(at, Action::Update, vec![edit(at)])) };
    let lost = |at| Change { drift: Drift::Lost, ..change(at, Action::Create, vec![]) };
    let title = |at: usize| set(TITLE, "x", format!("t{at}"));
    let name = |at: usize| set(NAME, "x", format!("n{at}"));
    let cases: Vec<(usize, &str, Make)> = vec![
        (100, "creates", Box::new(|at| change(at, Action::Create, vec![]))),
        (20, "lost", Box::new(lost)),
        (20, "disables", Box::new(|at| disable(at, Reason("not-entitled")))),
        (20, "renames", update(name)),
        (50, "updates", update(title)),
        (50, "removals", update(|_| Edit::Remove { attribute: TITLE, element: "e".into() })),
        (20, "collapse", update(|_| Edit::Clear { attribute: TITLE, from: "x".into() })),
        (20, "collapse", update(|_| set(TITLE, "x", "same".into()))),
        (50, "one-attribute", update(title)),
        (100, "additions", Box::new(|at| seat(at, give))),
        (20, "lost-elements", Box::new(|at| Change { again: 1, ..seat(at, give) })),
        (200, "removals-people", Box::new(|at| seat(at, take))),
        (30, "removals-within", Box::new(|at| Change { taken_from: [("a".to_owned(), 1)].into(), ..seat(at, take) })),
    ];
    let judged: BTreeSet<&str> = cases.iter().map(|(_, rule, _)| *rule).collect();
    let listed = RULE_CODES.into_iter().filter(|code| !matches!(*code, FIRST_LOAD | "moves"));
    assert_eq!(judged, listed.collect::<BTreeSet<_>>(), "every rule is listed, and every one listed is judged here");
    for (limit, rule, make) in cases {
        let at = trips(many(limit, &make));
        assert!(!at.contains(&rule), "{rule} at its limit: {at:?}");
        let above = trips(many(limit + 1, &make));
        assert!(above.contains(&rule), "{rule} above its limit: {above:?}");
    }
}

#[test]
fn a_few_changes_never_trip() {
    let mut small = planned(many(10, |at| disable(at, Reason("not-entitled"))), false, true);
    small.pipelines[0].base = 12;
    assert!(judged(small, Consent::default()).verdicts["p"].passes());
}

#[test]
fn the_directorys_own_disables_have_a_reserve() {
    let mut changes = many(20, |at| disable(at, Reason("not-entitled")));
    changes.extend((20..30).map(|at| disable(at, DISABLED)));
    assert!(trips(changes.clone()).is_empty());
    changes.push(disable(30, DISABLED));
    assert_eq!(trips(changes), ["disables"]);
}

#[test]
fn a_refused_pipeline_writes_nothing() {
    let mut changes = many(21, |at| disable(at, Reason("not-entitled")));
    changes.push(change(99, Action::Update, vec![set(TITLE, "a", "b".into())]));
    let judged = judged(planned(changes, false, true), Consent::default());
    assert_eq!(judged.approved.changes(), []);
    assert!(judged.approved.held().iter().all(|done| done.fate == Fate::Held(REFUSED)));
    assert_eq!(judged.approved.held().len(), 22, "and says what would have been done");
}

#[test]
fn a_first_load_needs_a_plan_that_was_read() {
    let first = || planned(many(900, |at| change(at, Action::Create, vec![])), true, true);
    assert!(!judged(first(), Consent::default()).verdicts["p"].passes());
    let ids: BTreeSet<ChangeId> = first().plan.changes.iter().take(899).map(|change| change.id).collect();
    let read = judged(first(), Consent { approved: Some(ids), ..Consent::default() });
    assert_eq!(read.approved.changes().len(), 899);
    assert_eq!(read.approved.held()[0].fate, Fate::NotApproved);
    let mut settings = test_settings();
    settings.guard.first_load = true;
    assert!(judge(first(), &[("p", settings)].into(), Consent::default()).verdicts["p"].passes());
}

#[test]
fn approval_does_not_pass_other_rules_unless_they_are_named() {
    let make = || planned(many(60, |at| disable(at, Reason("not-entitled"))), false, true);
    let ids: BTreeSet<ChangeId> = make().plan.changes.iter().map(|change| change.id).collect();
    let approved = Consent { approved: Some(ids), ..Consent::default() };
    assert!(!judged(make(), approved.clone()).verdicts["p"].passes());
    let named = Consent { allow: ["disables".to_owned()].into(), ..approved };
    assert_eq!(judged(make(), named).approved.changes().len(), 60);
}

#[test]
fn an_untrusted_source_closes_and_removes_nothing_by_inference() {
    let changes = vec![
        disable(0, Reason("not-entitled")),
        disable(1, DISABLED),
        change(2, Action::Update, vec![Edit::Clear { attribute: TITLE, from: "x".into() }]),
        change(3, Action::Update, vec![set(TITLE, "a", "b".into())]),
    ];
    let judged = judged(planned(changes, false, false), Consent::default());
    let written: Vec<&str> = judged.approved.changes().iter().map(|change| change.key.as_str()).collect();
    assert_eq!(written, ["p1", "p3"]);
    assert!(judged.approved.held().iter().all(|done| done.fate == Fate::Held(UNTRUSTED_SOURCE)));
}

#[test]
fn protected_records_are_shown_and_not_written() {
    let mut one = change(0, Action::Update, vec![set(TITLE, "a", "b".into())]);
    one.protected = Some(PROTECTED);
    let judged = judged(planned(vec![one], false, true), Consent::default());
    assert_eq!(judged.approved.changes(), []);
    assert_eq!(judged.approved.held()[0].fate, Fate::Held(PROTECTED));
}

#[test]
fn a_table_that_is_doubted_holds_what_is_made_of_it_and_nothing_else() {
    let remove = |kind: &'static str, at| Change { kind, ..seat(at, take) };
    for (of, held) in
        [(Some("mv_enrolment"), vec!["seats", "k"]), (Some("mv_position"), vec!["k"]), (None, vec!["seats", "k"])]
    {
        let mut planned = planned(vec![remove("seats", 1), remove("k", 2)], false, true);
        let doubt = Doubt::new(ATTRIBUTE_SHRUNK, "half of it");
        planned.sources[0].trust.doubts = vec![Doubt { of: of.map(str::to_owned), ..doubt }];
        let judged = judged(planned, Consent::default());
        let kinds: Vec<&str> = judged.approved.held().iter().map(|done| done.change.kind).collect();
        assert_eq!(kinds, held, "{of:?}");
    }
}
