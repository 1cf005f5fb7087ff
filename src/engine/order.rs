//! The plan as a DAG: references become requirements, requirements an order. Pure.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Digest, Digester, Edit, Key, Schema, Shape, Value};

use crate::model::{Action, Change, ChangeId, PipelinePlan, Plan};

/// A record of any pipeline.
type Address = (&'static str, &'static str, Key);

/// What ordering needs to know beside the changes.
pub struct Surroundings<'s> {
    /// Schemas of all pipelines in scope.
    pub schemas: &'s [Schema],
    /// Whether a record exists at its target and its id there is remembered.
    pub exists: &'s dyn Fn(&str, &str, &Key) -> bool,
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
/// changes of their own.
pub fn order(
    mut changes: Vec<Change>,
    mut pipelines: BTreeMap<&'static str, PipelinePlan>,
    around: &Surroundings<'_>,
) -> Plan {
    let planned: BTreeSet<Address> = changes.iter().filter(|c| c.action == Action::Create).map(address).collect();
    for change in &mut changes {
        let waiting = drop_waiting(change, &planned, around);
        if waiting > 0
            && let Some(pipeline) = pipelines.get_mut(change.pipeline)
        {
            pipeline.waiting += waiting;
        }
    }
    changes.retain(|change| change.action == Action::Create || !change.edits.is_empty());
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

fn address(change: &Change) -> Address {
    (change.pipeline, change.kind, change.key.clone())
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

/// Gives every change its id and the ids it requires: those that make what it refers to, and those that
/// come before it on its own record.
fn identify(changes: &mut [Change], around: &Surroundings<'_>) {
    let mut makers: BTreeMap<Address, ChangeId> = BTreeMap::new();
    for change in changes.iter_mut() {
        change.id = id(change, around.digester);
        if change.action == Action::Create {
            makers.insert(address(change), change.id);
        }
    }
    for change in changes.iter_mut() {
        let mut requires: BTreeSet<ChangeId> = BTreeSet::new();
        if let Some(schema) = around.schema(change) {
            let referred = change.edits.iter().filter_map(|edit| target(schema, edit));
            requires.extend(referred.filter_map(|address| makers.get(&address)));
        }
        // A new record that refers to itself requires itself: a circle like any other.
        if change.action != Action::Create {
            requires.extend(makers.get(&address(change)));
        }
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

/// Takes the references within circles out of creations and sets them by changes of their own.
fn open_circles(changes: Vec<Change>, ordered: &BTreeSet<usize>, around: &Surroundings<'_>) -> Vec<Change> {
    let stuck: BTreeSet<Address> = changes
        .iter()
        .enumerate()
        .filter(|(at, change)| !ordered.contains(at) && change.action == Action::Create)
        .map(|(_, change)| address(change))
        .collect();
    let mut opened = Vec::with_capacity(changes.len());
    for (at, mut change) in changes.into_iter().enumerate() {
        let schema = around.schema(&change).filter(|_| !ordered.contains(&at) && change.action == Action::Create);
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
        for id in later.iter().filter_map(Edit::attribute) {
            change.desired.set(id, Value::Text(String::new()));
        }
        let wanted = std::mem::replace(&mut change.wanted, around.digester.record(schema, &change.desired));
        opened.push(Change { action: Action::Update, edits: later, desired: whole, wanted, ..change.clone() });
        opened.push(change);
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cause;
    use reconcile_state::edit::creation;
    use reconcile_state::{Attribute, AttributeId, Drift, Record};

    const BOSS: AttributeId = AttributeId(2);

    fn schema() -> Schema {
        Schema::new("p", "k", 0, [Attribute::text(1, "name"), Attribute::reference(2, "boss", "p", "k")]).unwrap()
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
            remembered: None,
            matches: Vec::new(),
            desired,
        }
    }

    fn plan(changes: Vec<Change>, exists: &dyn Fn(&str, &str, &Key) -> bool) -> Plan {
        let digester = Digester::new([1; 32]);
        let schemas = [schema()];
        order(
            changes,
            [("p", PipelinePlan::default())].into(),
            &Surroundings { schemas: &schemas, exists, digester: &digester },
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
