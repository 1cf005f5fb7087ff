//! The plan as a DAG: references and values that change hands become requirements, requirements an
//! order. Pure.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Digest, Digester, Drift, Edit, Key, Schema, Shape, Value};

use super::held::{Held, blocked};
use crate::model::{Action, Address, Change, ChangeId, PipelinePlan, Plan};

/// What ordering needs to know beside the changes.
pub struct Surroundings<'s> {
    /// Schemas of all pipelines in scope.
    pub schemas: &'s [Schema],
    /// Whether a record exists at its target and its id there is remembered.
    pub exists: &'s dyn Fn(&'static str, &'static str, &Key) -> bool,
    /// Who has the values that the changes give and that no two records may have.
    pub held: &'s Held,
    /// Gives ids.
    pub digester: &'s Digester,
}

impl Surroundings<'_> {
    fn schema(&self, change: &Change) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.pipeline == change.pipeline && schema.kind == change.kind)
    }
}

/// The record an edit refers to.
fn target(schema: &Schema, edit: &Edit) -> Option<Address> {
    let Edit::Set { attribute, to: Value::Reference(key), .. } = edit else { return None };
    match schema.attribute(*attribute)?.shape {
        Shape::Reference { pipeline, kind } => Some((pipeline, kind, key.clone())),
        _ => None,
    }
}

/// Orders the changes of a plan, so that what a change refers to exists before it.
///
/// An edit whose other end neither exists nor is planned is left out and counted as waiting. New
/// records that refer to each other in a circle are made without those references, which are set by
/// changes of their own. A value that another record has now is given after it was taken away there; where
/// nothing takes it away, or records would take from each other in a circle, the change is a conflict and
/// left out.
pub fn order(
    mut changes: Vec<Change>,
    mut pipelines: BTreeMap<&'static str, PipelinePlan>,
    around: &Surroundings<'_>,
) -> Plan {
    drop_impossible(&mut changes, &mut pipelines, around);
    identify(&mut changes, around);
    let mut ordered = sort(&changes, around);
    if ordered.len() < changes.len() {
        changes = open_circles(changes, &ordered.iter().copied().collect(), around);
        identify(&mut changes, around);
        ordered = sort(&changes, around);
    }
    let place: BTreeMap<usize, usize> = ordered.iter().enumerate().map(|(place, &at)| (at, place)).collect();
    let mut placed: Vec<(usize, Change)> = changes
        .into_iter()
        .enumerate()
        .map(|(at, change)| (place.get(&at).copied().unwrap_or(usize::MAX), change))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    let changes: Vec<Change> = placed.into_iter().map(|(_, change)| change).collect();
    let ids: Vec<u8> = changes.iter().flat_map(|change| change.id.0).collect();
    Plan { hash: around.digester.bytes(&ids), changes, pipelines }
}

/// Leaves out what cannot land whatever the order: what refers to nobody, or wants a value that is not to be had,
/// and whatever was to come after such a change.
pub fn drop_impossible(
    changes: &mut Vec<Change>,
    pipelines: &mut BTreeMap<&'static str, PipelinePlan>,
    around: &Surroundings<'_>,
) {
    // What is left out may have been what another change refers to, or what was to make room for it.
    while {
        wait(changes, pipelines, around);
        let blocked = leave_out_blocked(changes, pipelines, around);
        leave_out_orphans(changes, pipelines) || blocked
    } {}
}

/// Leaves out changes that were to come after one which is not in the plan any more; gives whether there were any.
/// They are due again with it.
fn leave_out_orphans(changes: &mut Vec<Change>, pipelines: &mut BTreeMap<&'static str, PipelinePlan>) -> bool {
    if changes.iter().all(|change| change.after.is_empty()) {
        return false;
    }
    let planned: BTreeSet<Address> = changes.iter().map(address).collect();
    let before = changes.len();
    changes.retain(|change| {
        let whole = change.after.iter().all(|address| planned.contains(address));
        if !whole && let Some(pipeline) = pipelines.get_mut(change.pipeline) {
            pipeline.waiting_for.push(change.key.clone());
        }
        whole
    });
    changes.len() < before
}

fn address(change: &Change) -> Address {
    (change.pipeline, change.kind, change.key.clone())
}

/// Whether others can refer to the record only once this change has landed: it makes it, or meets it.
fn makes_known(change: &Change) -> bool {
    let met = change.remembered.is_none() && change.remote.as_ref().is_some_and(|remote| remote.id.is_some());
    change.action == Action::Create || met
}

fn wait(changes: &mut Vec<Change>, pipelines: &mut BTreeMap<&'static str, PipelinePlan>, around: &Surroundings<'_>) {
    let planned: BTreeSet<Address> = changes.iter().filter(|c| makes_known(c)).map(address).collect();
    for change in changes.iter_mut() {
        let waiting = drop_waiting(change, &planned, around);
        if waiting > 0
            && let Some(pipeline) = pipelines.get_mut(change.pipeline)
        {
            pipeline.waiting += waiting;
            pipeline.waiting_for.push(change.key.clone());
        }
    }
    changes.retain(|change| change.action == Action::Create || !change.edits.is_empty());
}

/// Makes conflicts of changes whose values are not to be had; gives whether there were any.
fn leave_out_blocked(
    changes: &mut Vec<Change>,
    pipelines: &mut BTreeMap<&'static str, PipelinePlan>,
    around: &Surroundings<'_>,
) -> bool {
    let mut blocked = blocked(changes, &around.held.needs(changes, around.schemas));
    if blocked.is_empty() {
        return false;
    }
    let all = std::mem::take(changes);
    for (at, change) in all.into_iter().enumerate() {
        let Some(conflict) = blocked.remove(&at) else {
            changes.push(change);
            continue;
        };
        let Some(pipeline) = pipelines.get_mut(change.pipeline) else { continue };
        // Every record counts once, as what it turned out to be.
        if let Some(count) = pipeline.drift.get_mut(&change.drift) {
            *count = count.saturating_sub(1);
        }
        pipeline.drift.retain(|_, count| *count > 0);
        *pipeline.drift.entry(Drift::Conflict).or_default() += 1;
        pipeline.conflicts.push(conflict);
        pipeline.conflicts.sort_by(|a, b| (&a.key, a.kind).cmp(&(&b.key, b.kind)));
    }
    true
}

/// Takes out edits that refer to nobody. What is not written now is not wanted now either: the next
/// pass wants it again.
fn drop_waiting(change: &mut Change, planned: &BTreeSet<Address>, around: &Surroundings<'_>) -> u64 {
    let Some(schema) = around.schema(change) else { return 0 };
    let (waiting, kept): (Vec<Edit>, Vec<Edit>) = std::mem::take(&mut change.edits).into_iter().partition(|edit| {
        target(schema, edit).is_some_and(|(pipeline, kind, key)| {
            !(around.exists)(pipeline, kind, &key) && !planned.contains(&(pipeline, kind, key))
        })
    });
    change.edits = kept;
    if !waiting.is_empty() {
        for id in waiting.iter().filter_map(Edit::attribute) {
            change.desired.set(id, Value::Text(String::new()));
        }
        change.wanted = around.digester.record(schema, &change.desired);
    }
    waiting.len() as u64
}

/// Gives every change its id and the ids it requires: those that make what it refers to, those that take
/// away elsewhere what it gives, and the one that comes before it on its own record.
fn identify(changes: &mut [Change], around: &Surroundings<'_>) {
    let mut makers: BTreeMap<Address, ChangeId> = BTreeMap::new();
    let mut all: BTreeMap<Address, Vec<ChangeId>> = BTreeMap::new();
    let mut first: BTreeMap<Address, ChangeId> = BTreeMap::new();
    for change in changes.iter_mut() {
        change.id = id(change, around.digester);
        first.entry(address(change)).or_insert(change.id);
        all.entry(address(change)).or_default().push(change.id);
        if makes_known(change) {
            makers.entry(address(change)).or_insert(change.id);
        }
    }
    let mut vacated: BTreeMap<usize, BTreeSet<ChangeId>> = BTreeMap::new();
    for need in around.held.needs(changes, around.schemas) {
        vacated.entry(need.taker).or_default().extend(need.giver.map(|giver| changes[giver].id));
    }
    for (at, change) in changes.iter_mut().enumerate() {
        let mut requires = vacated.remove(&at).unwrap_or_default();
        if let Some(schema) = around.schema(change) {
            let referred = change.edits.iter().filter_map(|edit| target(schema, edit));
            requires.extend(referred.filter_map(|address| makers.get(&address)));
        }
        requires.extend(change.after.iter().filter_map(|address| all.get(address)).flatten());
        // A new record that refers to itself requires itself: a circle like any other.
        requires.extend(first.get(&address(change)).filter(|first| **first != change.id));
        change.requires = requires.into_iter().collect();
    }
}

fn id(change: &Change, digester: &Digester) -> ChangeId {
    let edits = serde_json::to_string(&change.edits).unwrap_or_default();
    let expect = change.expect.map(|digest: Digest| digest.to_string()).unwrap_or_default();
    digester.texts([
        change.pipeline,
        change.kind,
        change.key.as_str(),
        &change.action.to_string(),
        &edits,
        &change.wanted.to_string(),
        &expect,
    ])
}

/// Places in an order in which requirements come first; what stands in or behind a circle is left out.
fn sort(changes: &[Change], around: &Surroundings<'_>) -> Vec<usize> {
    let by_id: BTreeMap<ChangeId, usize> = changes.iter().enumerate().map(|(at, change)| (change.id, at)).collect();
    let mut open: Vec<usize> =
        changes.iter().map(|c| c.requires.iter().filter(|id| by_id.contains_key(id)).count()).collect();
    let mut dependants: BTreeMap<ChangeId, Vec<usize>> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        change.requires.iter().for_each(|id| dependants.entry(*id).or_default().push(at));
    }
    let rank = |at: usize| {
        let change = &changes[at];
        let rank = around.schema(change).map_or(0, |schema| schema.rank);
        (rank, change.pipeline, change.kind, change.key.clone(), change.id, at)
    };
    let mut ready: BTreeSet<_> = (0..changes.len()).filter(|&at| open[at] == 0).map(rank).collect();
    let mut ordered = Vec::with_capacity(changes.len());
    while let Some(next) = ready.pop_first() {
        let at = next.5;
        ordered.push(at);
        for &dependant in dependants.get(&changes[at].id).into_iter().flatten() {
            open[dependant] -= 1;
            if open[dependant] == 0 {
                ready.insert(rank(dependant));
            }
        }
    }
    ordered
}

/// Takes the references within circles out of creations, and out of what must land before one, and sets
/// them by changes of their own, each behind what it was taken from.
fn open_circles(changes: Vec<Change>, ordered: &BTreeSet<usize>, around: &Surroundings<'_>) -> Vec<Change> {
    let stuck: BTreeSet<Address> = changes
        .iter()
        .enumerate()
        .filter(|(at, change)| !ordered.contains(at) && makes_known(change))
        .map(|(_, change)| address(change))
        .collect();
    let needs = around.held.needs(&changes, around.schemas);
    let givers: BTreeSet<usize> = needs.iter().filter_map(|need| need.giver).collect();
    let mut opened = Vec::with_capacity(changes.len());
    for (at, mut change) in changes.into_iter().enumerate() {
        let opens = makes_known(&change) || givers.contains(&at);
        let schema = around.schema(&change).filter(|_| !ordered.contains(&at) && opens);
        let Some(schema) = schema else {
            opened.push(change);
            continue;
        };
        let (later, now): (Vec<Edit>, Vec<Edit>) = std::mem::take(&mut change.edits)
            .into_iter()
            .partition(|edit| target(schema, edit).is_some_and(|address| stuck.contains(&address)));
        change.edits = now;
        if later.is_empty() {
            opened.push(change);
            continue;
        }
        let whole = change.desired.clone();
        for edit in &later {
            if let Edit::Set { attribute, from, .. } = edit {
                change.desired.set(*attribute, from.clone().unwrap_or_else(|| Value::Text(String::new())));
            }
        }
        let wanted = std::mem::replace(&mut change.wanted, around.digester.record(schema, &change.desired));
        let later = Change { action: Action::Update, edits: later, desired: whole, wanted, ..change.clone() };
        opened.extend([change, later]);
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cause;
    use reconcile_state::edit::creation;
    use reconcile_state::{Attribute, AttributeId, Normal, Record, Remote};

    use super::super::correlate::Found;
    use super::super::observe::Observed;
    use crate::model::Rival;
    use crate::targets::port::Seen;

    const BOSS: AttributeId = AttributeId(2);
    const MAIL: AttributeId = AttributeId(3);

    fn schema() -> Schema {
        let mail = Attribute::text(3, "mail").normal(Normal::Folded).unique();
        Schema::new("p", "k", 0, [Attribute::text(1, "name"), Attribute::reference(2, "boss", "p", "k"), mail]).unwrap()
    }

    fn create(key: &str, boss: Option<&str>) -> Change {
        let mut desired = Record::new(key.into()).with(AttributeId(1), key);
        if let Some(boss) = boss {
            desired.set(BOSS, Value::Reference(boss.into()));
        }
        Change {
            id: Digest([0; 16]),
            pipeline: "p",
            kind: "k",
            key: key.into(),
            action: Action::Create,
            edits: creation(&schema(), &desired),
            cause: Cause::Source,
            reason: None,
            drift: Drift::Missing,
            wanted: Digester::new([1; 32]).record(&schema(), &desired),
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
            desired,
        }
    }

    /// The record `key` has the address `from`, and is to have `to`.
    fn swap(key: &str, from: &str, to: Option<&str>) -> Change {
        let edit = match to {
            Some(to) => Edit::Set { attribute: MAIL, from: Some(from.into()), to: to.into() },
            None => Edit::Clear { attribute: MAIL, from: from.into() },
        };
        let desired = Record::new(key.into()).with(MAIL, to.unwrap_or_default());
        let remote = Some(Remote { id: Some(key.into()), handle: None });
        Change { action: Action::Update, edits: vec![edit], drift: Drift::Behind, desired, remote, ..create(key, None) }
    }

    /// The plan where these records, by key, have these addresses; a stranger's has no key.
    fn plan_held(changes: Vec<Change>, seen: &[(Option<&str>, &str)]) -> Plan {
        let mut observed = Observed::default();
        for (at, (key, mail)) in seen.iter().enumerate() {
            let remote = Remote { id: Some(key.unwrap_or("stranger").into()), handle: None };
            let record = Record::new("".into()).with(MAIL, *mail);
            observed.seen.push(Seen { remote, record, matches: Vec::new(), foreign: None, kept: BTreeSet::new() });
            if let Some(key) = key {
                observed.correlated.found.insert((*key).into(), Found::Present(at));
            }
        }
        let (digester, schemas) = (Digester::new([1; 32]), [schema()]);
        let mut held = Held::default();
        held.look(&schemas[0], &changes, &observed, &|_| None);
        let counted = PipelinePlan { drift: [(Drift::Behind, changes.len() as u64)].into(), ..PipelinePlan::default() };
        let around = Surroundings { schemas: &schemas, exists: &|_, _, _| false, held: &held, digester: &digester };
        order(changes, [("p", counted)].into(), &around)
    }

    fn conflicts(plan: &Plan) -> Vec<(&str, &'static str, Vec<&str>, usize)> {
        let all = plan.pipelines["p"].conflicts.iter();
        all.map(|c| (c.key.as_str(), c.code, c.rivals.iter().map(|r| r.key.as_str()).collect(), c.candidates.len()))
            .collect()
    }

    #[test]
    fn a_value_is_given_after_it_was_taken_away_elsewhere() {
        let seen = [(Some("a"), "1@x"), (Some("b"), "2@x"), (Some("c"), "3@x")];
        let changes = || vec![swap("a", "1@x", Some("2@X")), swap("b", "2@x", Some("3@x")), swap("c", "3@x", None)];
        let plan = plan_held(changes(), &seen);
        assert_eq!(names(&plan).iter().map(|n| n.0.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert_eq!(plan.changes.iter().map(|c| c.requires.len()).collect::<Vec<_>>(), [0, 1, 1]);
        requirements_come_first(&plan);
        assert_eq!(conflicts(&plan), []);
        let turned = plan_held(changes().into_iter().rev().collect(), &[seen[2], seen[0], seen[1]]);
        assert_eq!(plan, turned, "the order of input changes nothing");
    }

    #[test]
    fn a_value_that_nothing_takes_away_is_a_conflict_and_so_is_what_waits_for_it() {
        let changes = vec![swap("a", "1@x", Some("2@x")), swap("b", "2@x", Some("9@x")), swap("c", "3@x", Some("4@x"))];
        let plan = plan_held(changes, &[(Some("a"), "1@x"), (Some("b"), "2@x"), (None, "9@X"), (Some("c"), "3@x")]);
        assert_eq!(conflicts(&plan), [("a", "value-held", vec!["b"], 1), ("b", "value-held", vec![], 1)]);
        assert_eq!(plan.pipelines["p"].conflicts[0].candidates[0].by, ["mail"]);
        assert_eq!(names(&plan), [("c".to_owned(), Action::Update)], "nobody else is held up");
        assert_eq!(plan.pipelines["p"].drift, [(Drift::Behind, 1), (Drift::Conflict, 2)].into());
    }

    #[test]
    fn a_swap_is_a_conflict_of_all_who_are_in_it() {
        let seen = [(Some("a"), "1@x"), (Some("b"), "2@x"), (Some("d"), "4@x")];
        let changes = vec![swap("a", "1@x", Some("2@x")), swap("b", "2@x", Some("1@x")), swap("d", "4@x", Some("5@x"))];
        let plan = plan_held(changes, &seen);
        assert_eq!(conflicts(&plan), [("a", "value-swap", vec!["b"], 0), ("b", "value-swap", vec!["a"], 0)]);
        assert_eq!(plan.pipelines["p"].conflicts[0].rivals, [Rival { key: "b".into(), attribute: "mail" }]);
        assert_eq!(names(&plan), [("d".to_owned(), Action::Update)]);
    }

    #[test]
    fn who_refers_to_a_new_record_that_is_a_conflict_waits() {
        let mut taker = create("new", None);
        taker.edits.push(Edit::Set { attribute: MAIL, from: None, to: "9@x".into() });
        let plan = plan_held(vec![taker, create("other", Some("new"))], &[(None, "9@x")]);
        assert_eq!(names(&plan), [("other".to_owned(), Action::Create)]);
        assert_eq!((plan.pipelines["p"].waiting, plan.changes[0].edits.len()), (1, 1));
    }

    #[test]
    fn a_circle_of_a_value_and_a_reference_is_opened_at_the_reference() {
        let mut new = create("new", None);
        new.edits.push(Edit::Set { attribute: MAIL, from: None, to: "2@x".into() });
        let mut old = swap("old", "2@x", Some("3@x"));
        old.edits.push(Edit::Set { attribute: BOSS, from: None, to: Value::Reference("new".into()) });
        old.desired.set(BOSS, Value::Reference("new".into()));
        let plan = plan_held(vec![new, old], &[(Some("old"), "2@x")]);
        let expected = [("old", Action::Update), ("new", Action::Create), ("old", Action::Update)];
        assert_eq!(names(&plan), expected.map(|(key, action)| (key.to_owned(), action)));
        assert_eq!(plan.changes[2].requires.len(), 2, "the record it refers to, and its own first change");
        assert_eq!(plan.changes[0].desired.get(BOSS), None);
        requirements_come_first(&plan);
    }

    fn plan(changes: Vec<Change>, exists: &dyn Fn(&str, &str, &Key) -> bool) -> Plan {
        let digester = Digester::new([1; 32]);
        let schemas = [schema()];
        order(
            changes,
            [("p", PipelinePlan::default())].into(),
            &Surroundings { schemas: &schemas, exists, held: &Held::default(), digester: &digester },
        )
    }

    fn names(plan: &Plan) -> Vec<(String, Action)> {
        plan.changes.iter().map(|c| (c.key.to_string(), c.action)).collect()
    }

    fn requirements_come_first(plan: &Plan) {
        for (at, change) in plan.changes.iter().enumerate() {
            for id in &change.requires {
                assert!(plan.changes[..at].iter().any(|before| before.id == *id), "{}", change.key);
            }
        }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let plan = plan(vec![create("a", Some("b")), create("b", Some("c")), create("c", None)], &|_, _, _| false);
        assert_eq!(names(&plan).iter().map(|n| n.0.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        requirements_come_first(&plan);
    }

    #[test]
    fn the_order_of_input_changes_nothing() {
        let one = plan(vec![create("a", None), create("b", Some("a")), create("c", None)], &|_, _, _| false);
        let two = plan(vec![create("c", None), create("b", Some("a")), create("a", None)], &|_, _, _| false);
        assert_eq!(one, two);
    }

    #[test]
    fn a_circle_is_opened_by_changes_of_their_own() {
        let plan = plan(vec![create("a", Some("b")), create("b", Some("a"))], &|_, _, _| false);
        assert_eq!(plan.changes.len(), 4);
        requirements_come_first(&plan);
        let later = plan.changes.iter().filter(|c| c.action == Action::Update);
        assert!(later.clone().count() == 2 && later.clone().all(|c| c.requires.len() == 2));
    }

    #[test]
    fn a_new_record_that_refers_to_itself_is_made_first() {
        let plan = plan(vec![create("a", Some("a"))], &|_, _, _| false);
        assert_eq!(names(&plan), [("a".to_owned(), Action::Create), ("a".to_owned(), Action::Update)]);
        requirements_come_first(&plan);
    }

    #[test]
    fn a_reference_to_nobody_waits() {
        let waiting = plan(vec![create("a", Some("ghost"))], &|_, _, _| false);
        assert_eq!((waiting.pipelines["p"].waiting, waiting.changes[0].edits.len()), (1, 1));
        assert_eq!(waiting.changes[0].desired.get(BOSS), None);
        let known = plan(vec![create("a", Some("ghost"))], &|_, _, _| true);
        assert_eq!((known.pipelines["p"].waiting, known.changes[0].edits.len()), (0, 2));
    }
}
