//! Every rule trips above its limit and not at it; consent passes what it names and nothing else.

use reconcile_state::trust::{Doubt, Trust};
use reconcile_state::window::{Span, Window};
use reconcile_state::{Attribute, AttributeId, Digest, Drift, Edit, Record, Role, Schema, Standing, Value};

use super::*;
use crate::config::test_settings;
use crate::model::pass::{PipelineSummary, ScopeSummary, SourceSummary};
use crate::model::{Action, Cause, Plan};

const NAME: AttributeId = AttributeId(1);
const TITLE: AttributeId = AttributeId(2);
const PLACE: AttributeId = AttributeId(3);
const BASE: u64 = 1000;

fn schema() -> Schema {
    let (name, place) = (Attribute::text(1, "name").role(Role::Name), Attribute::text(3, "place").role(Role::Place));
    Schema::new("p", "k", 0, [name, Attribute::text(2, "title"), place]).unwrap()
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
        window: Window::default(),
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
        dates: BTreeMap::new(),
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
    let place = |at: usize| set(PLACE, "x", format!("p{at}"));
    let cases: Vec<(usize, &str, Make)> = vec![
        (100, "creates", Box::new(|at| change(at, Action::Create, vec![]))),
        (20, "lost", Box::new(lost)),
        (20, "disables", Box::new(|at| disable(at, Reason("not-entitled")))),
        (20, "renames", update(name)),
        (20, "moves", update(place)),
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
    let listed = RULE_CODES.into_iter().filter(|code| *code != FIRST_LOAD);
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

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A pass at a time, whose pipeline wrote this lately.
fn later(changes: Vec<Change>, window: &Window, at: i64) -> Planned {
    let mut planned = planned(changes, false, true);
    planned.pipelines[0].window = window.clone();
    planned.at = jiff::Timestamp::from_millisecond(at).unwrap();
    planned
}

/// Counts what a pass wrote.
fn spend(window: &mut Window, judged: &Judged) {
    let at = judged.approved.planned().at.as_millisecond();
    let written: BTreeSet<ChangeId> = judged.approved.changes().iter().map(|change| change.id).collect();
    judged.approved.unapproved("p").filter(|(id, _)| written.contains(id)).for_each(|(_, tally)| window.add(at, tally));
}

#[test]
fn what_one_pass_may_not_do_many_within_a_day_may_not_either() {
    let mut window = Window::default();
    let close = |from: usize, count: usize| (from..from + count).map(|at| disable(at, Reason("not-entitled")));
    for pass in 0..4 {
        let judged = judged(later(close(pass * 5, 5).collect(), &window, 1000 * DAY), Consent::default());
        assert!(judged.verdicts["p"].passes(), "{pass}");
        spend(&mut window, &judged);
    }
    let refused = judged(later(close(20, 5).collect(), &window, 1000 * DAY), Consent::default());
    let trip = &refused.verdicts["p"].trips[0];
    assert_eq!((trip.rule, trip.count, trip.limit, trip.changes.len()), ("disables", 25, 20, 5));
    for told in ["5 records", "20 were within the last 24 hours", "25 together", "from 1972-09-28T01:00:00Z on"] {
        assert!(trip.message.contains(told), "{}", trip.message);
    }
    let later_on = judged(later(close(20, 5).collect(), &window, 1001 * DAY + DAY / 24), Consent::default());
    assert!(later_on.verdicts["p"].passes(), "it frees when it was said to");
    assert!(
        judged(later(vec![change(99, Action::Create, vec![])], &window, 1000 * DAY), Consent::default()).verdicts["p"]
            .passes()
    );
}

#[test]
fn a_week_holds_three_days_of_a_limit() {
    let mut window = Window::default();
    let close = |day: usize| many(20, |at| disable(day * 20 + at, Reason("not-entitled")));
    let days = (0..8).map(|day| {
        let at = (1000 + 2 * i64::try_from(day).unwrap()) * DAY;
        let judged = judged(later(close(day), &window, at), Consent::default());
        spend(&mut window, &judged);
        judged.verdicts["p"].trips.first().map(|trip| trip.message.contains("within the last 7 days")).is_none()
    });
    assert_eq!(days.collect::<Vec<_>>(), [true, true, true, false, true, true, true, false]);
}

#[test]
fn what_somebody_approved_or_named_uses_no_window_up() {
    let all = || many(21, |at| disable(at, Reason("not-entitled")));
    let spent = |consent: Consent| {
        let mut window = Window::default();
        let judged = judged(later(all(), &window, 0), consent);
        assert_eq!(judged.approved.changes().len(), 21);
        spend(&mut window, &judged);
        window.sum("disables", Span::Week, 0)
    };
    let named = || Consent { allow: ["disables".to_owned()].into(), ..Consent::default() };
    assert_eq!(spent(named()), 0);
    let ids: BTreeSet<ChangeId> = all().iter().map(|change| change.id).collect();
    assert_eq!(spent(Consent { approved: Some(ids), ..named() }), 0);
    let mut window = Window::default();
    let few = judged(later(many(20, |at| disable(at, Reason("not-entitled"))), &window, 0), Consent::default());
    spend(&mut window, &few);
    assert_eq!(window.sum("disables", Span::Week, 0), 20, "what --yes wrote does");
}

#[test]
fn a_first_load_uses_no_window_up() {
    let mut window = Window::default();
    let mut first = planned(many(900, |at| change(at, Action::Create, vec![])), true, true);
    first.pipelines[0].window = window.clone();
    let mut settings = test_settings();
    settings.guard.first_load = true;
    let judged = judge(first, &[("p", settings)].into(), Consent::default());
    assert_eq!(judged.approved.changes().len(), 900);
    spend(&mut window, &judged);
    assert_eq!(window, Window::default());
}

#[test]
fn the_reserve_is_one_for_the_whole_window() {
    let mut window = Window::default();
    let mut pass = |changes: Vec<Change>| {
        let judged = judged(later(changes, &window, 0), Consent::default());
        spend(&mut window, &judged);
        judged.verdicts["p"].passes()
    };
    assert!(pass(many(20, |at| disable(at, Reason("not-entitled")))));
    assert!(pass((20..26).map(|at| disable(at, DISABLED)).collect()));
    assert!(pass((26..30).map(|at| disable(at, DISABLED)).collect()));
    assert!(!pass(vec![disable(30, DISABLED)]), "the reserve of ten is used up");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever the changes and however they are cut: a pass over everything is refused if and only if one of the
    /// slices is, and the slices together never write more than a pass may.
    #[test]
    fn a_pass_over_everything_and_passes_over_slices_get_the_same_verdict(
        sorts in proptest::collection::vec((0..7_usize, 0..20_usize), 0..260),
        hours in proptest::collection::vec(0..2_i64, 20),
    ) {
        let one = |at: usize, sort: usize| match sort {
            0 => disable(at, Reason("not-entitled")),
            1 => disable(at, DISABLED),
            2 => change(at, Action::Create, vec![]),
            3 => change(at, Action::Update, vec![set(TITLE, "x", format!("t{at}"))]),
            4 => change(at, Action::Update, vec![Edit::Clear { attribute: TITLE, from: "x".into() }]),
            5 => Change { taken_from: [("a".to_owned(), 1)].into(), ..seat(at, take) },
            _ => Change { again: 1, ..seat(at, give) },
        };
        // Of each sort so many that some are at their limit.
        let all: Vec<(usize, Change)> =
            sorts.iter().enumerate().map(|(at, (sort, slice))| (*slice, one(at, *sort))).collect();
        let whole = judged(planned(all.iter().map(|(_, change)| change.clone()).collect(), false, true), Consent::default());
        let (mut window, mut at, mut refused) = (Window::default(), 1000 * DAY, BTreeSet::new());
        for (slice, hours) in hours.into_iter().enumerate() {
            at += hours * DAY / 24;
            let mine = all.iter().filter(|(of, _)| *of == slice).map(|(_, change)| change.clone()).collect();
            let judged = judged(later(mine, &window, at), Consent::default());
            refused.extend(judged.verdicts["p"].trips.iter().map(|trip| trip.rule));
            // What is refused is counted too, so that every rule is held to all of it.
            judged.approved.unapproved("p").for_each(|(_, tally)| window.add(at, tally));
        }
        let tripped: BTreeSet<&str> = whole.verdicts["p"].trips.iter().map(|trip| trip.rule).collect();
        proptest::prop_assert_eq!(tripped, refused);
    }
}
