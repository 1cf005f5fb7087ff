//! The seeds' counters. They count people: `total` = skipped + unchanged + people changed + people failed,
//! and one person may stand in several counters of changes.
//!
//! Before anything is written they say what would be: a planned change counts as made.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Drift, Edit, Key, Role, Schema};

use super::value::Counts;
use crate::model::pass::Fate;
use crate::model::{Action, Change, ChangeId, PipelinePlan};
use crate::targets::port::Counters;

/// Names of a target that does not say its own.
const PLAIN: Counters = Counters {
    unchanged: "totalUnchanged",
    add: "totalAdd",
    update: "totalUpdate",
    rename: None,
    moved: None,
    disable: "totalDisable",
    enable: "totalEnable",
    parts: None,
};

/// What a change came to, for a counter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Result {
    Done,
    Failed,
    NotDone,
}

fn result(fate: Option<&Fate>) -> Result {
    match fate {
        None | Some(Fate::Landed) => Result::Done,
        // What did not come out as wanted is tried again: it must not look settled.
        Some(Fate::NotConverged(_) | Fate::Failed(_) | Fate::NotTried(_) | Fate::InDoubt(_)) => Result::Failed,
        Some(Fate::Superseded | Fate::Deferred(_) | Fate::Held(_) | Fate::NotApproved | Fate::Interrupted) => {
            Result::NotDone
        }
    }
}

/// Counts one pipeline. `changes` are its own.
pub(super) fn count(
    names: Option<Counters>,
    schemas: &[Schema],
    plan: &PipelinePlan,
    changes: &[&Change],
    fates: &BTreeMap<ChangeId, &Fate>,
) -> Counts {
    let names = names.unwrap_or(PLAIN);
    let mut done: BTreeMap<&'static str, BTreeSet<&Key>> = BTreeMap::new();
    let mut failed = done.clone();
    let (mut changed, mut broken, mut kept) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut deferred, mut refused) = (0, 0);
    for change in changes {
        let fate = fates.get(&change.id).copied();
        deferred += u64::from(matches!(fate, Some(Fate::Deferred(_))));
        refused += u64::from(matches!(fate, Some(Fate::Held(_))));
        let (people, by_name) = match result(fate) {
            Result::Done => (&mut changed, &mut done),
            Result::Failed => (&mut broken, &mut failed),
            Result::NotDone => {
                kept.insert(&change.key);
                continue;
            }
        };
        people.insert(&change.key);
        let schema = schemas.iter().find(|schema| schema.kind == change.kind);
        for name in classes(&names, schema, change) {
            by_name.entry(name).or_default().insert(&change.key);
        }
    }
    changed.retain(|key| !broken.contains(key));
    kept.retain(|key| !broken.contains(key) && !changed.contains(key));
    let (changed, failed_people, kept) = (changed.len() as u64, broken.len() as u64, kept.len() as u64);
    let kinds = schemas.iter().filter(|schema| schema.part_of.is_none()).count() as u64;
    let people = People::of(plan, kinds, changed + failed_people, kept);

    let mut counts = vec![
        ("total".to_owned(), people.total),
        ("totalSkipped".to_owned(), people.skipped),
        (names.unchanged.to_owned(), people.unchanged),
    ];
    for name in in_order(&names) {
        let of = |by_name: &BTreeMap<&str, BTreeSet<&Key>>| by_name.get(name).map_or(0, BTreeSet::len) as u64;
        counts.push((name.to_owned(), of(&done)));
        counts.push((format!("{name}Fail"), of(&failed)));
    }
    let drift = |class| plan.drift.get(&class).copied().unwrap_or(0);
    let moved = [Drift::Drifted, Drift::Diverged];
    let of_parts = plan.parts.values().flat_map(|part| &part.drift).filter(|(class, _)| moved.contains(class));
    let of_parts: u64 = of_parts.map(|(_, count)| count).sum();
    counts.extend(elements(schemas, changes, fates));
    counts.extend([
        ("peopleChanged".to_owned(), changed),
        ("peopleFailed".to_owned(), failed_people),
        ("drifted".to_owned(), drift(Drift::Drifted) + drift(Drift::Diverged) + of_parts),
        ("conflicts".to_owned(), plan.conflicts.len() as u64),
        ("waiting".to_owned(), plan.waiting),
        ("deferred".to_owned(), deferred),
        ("refused".to_owned(), refused),
    ]);
    Counts(counts)
}

/// Elements of parts that were put in and taken out, kind by kind: `enrolmentsAdded`, `enrolmentsRemoved`.
fn elements(
    schemas: &[Schema],
    changes: &[&Change],
    fates: &BTreeMap<ChangeId, &Fate>,
) -> impl Iterator<Item = (String, u64)> {
    schemas.iter().filter(|schema| schema.part_of.is_some()).flat_map(|schema| {
        let done =
            |change: &&&Change| change.kind == schema.kind && result(fates.get(&change.id).copied()) == Result::Done;
        let edits: Vec<&Edit> = changes.iter().filter(done).flat_map(|change| &change.edits).collect();
        let count = |is: fn(&Edit) -> bool| edits.iter().filter(|edit| is(edit)).count() as u64;
        let added = count(|edit| matches!(edit, Edit::Add { .. }));
        let removed = count(|edit| matches!(edit, Edit::Remove { .. }));
        [(format!("{}Added", schema.kind), added), (format!("{}Removed", schema.kind), removed)]
    })
}

/// People nothing was done for, by whether there was anything to do.
struct People {
    total: u64,
    skipped: u64,
    unchanged: u64,
}

impl People {
    /// Every person in scope has one row for each kind that stands by itself. Skipped are those who are left alone, could not be
    /// read or decided, are in doubt, or whose changes were all held back; unchanged is the rest.
    fn of(plan: &PipelinePlan, kinds: u64, acted: u64, kept: u64) -> Self {
        let kinds = kinds.max(1);
        // Records in doubt are not classed: nothing is known of them yet.
        let of_parts: u64 = plan.parts.values().map(|part| part.in_doubt).sum();
        let in_doubt = (plan.in_doubt.len() as u64).saturating_sub(of_parts);
        let rows: u64 = plan.drift.iter().filter(|(class, _)| **class != Drift::Foreign).map(|(_, n)| n).sum();
        let rows = rows + in_doubt;
        let left_alone: u64 = [Drift::Untouched, Drift::Unobserved, Drift::Conflict]
            .iter()
            .filter_map(|class| plan.drift.get(class))
            .sum::<u64>()
            + in_doubt;
        let total = rows.div_ceil(kinds).max(acted + kept);
        let rest = total - acted;
        let skipped = (left_alone.div_ceil(kinds) + kept).min(rest);
        Self { total, skipped, unchanged: rest - skipped }
    }
}

fn in_order(names: &Counters) -> impl Iterator<Item = &'static str> + use<> {
    let Counters { add, update, rename, moved, enable, disable, parts, .. } = *names;
    [Some(add), Some(update), parts, rename, moved, Some(enable), Some(disable)].into_iter().flatten()
}

/// The counters a change stands in.
fn classes(names: &Counters, schema: Option<&Schema>, change: &Change) -> BTreeSet<&'static str> {
    match change.action {
        Action::Create => return [names.add].into(),
        Action::Disable => return [names.disable].into(),
        Action::Enable | Action::Update => {}
    }
    if schema.is_some_and(|schema| schema.part_of.is_some()) {
        return [names.parts.unwrap_or(names.update)].into();
    }
    let class = |edit: &Edit| {
        let attribute = schema.zip(edit.attribute()).and_then(|(schema, id)| schema.attribute(id));
        match attribute.map(|attribute| attribute.role) {
            Some(Role::Name) => names.rename.unwrap_or(names.update),
            Some(Role::Place) => names.moved.unwrap_or(names.update),
            _ => names.update,
        }
    };
    let edits = change.edits.iter().filter(|edit| edit.attribute().is_some());
    let mut classes: BTreeSet<&'static str> = edits.map(class).collect();
    if change.action == Action::Enable {
        // Whatever else differs is put right with it: that is no update of its own.
        classes.remove(names.update);
        classes.insert(names.enable);
    }
    classes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::toy::COUNTERS;
    use crate::model::{ErrorKind, Reason, TargetError};
    use crate::report::sample::{EMAIL, USERNAME, change, schema, set};

    fn fate(number: u8) -> Option<Fate> {
        let error = || TargetError::new(ErrorKind::Rejected, "E", "m");
        [
            None,
            Some(Fate::Landed),
            Some(Fate::NotConverged(vec![Edit::Clear { attribute: EMAIL, from: "x".into() }])),
            Some(Fate::Superseded),
            Some(Fate::Failed(error())),
            Some(Fate::NotTried(error())),
            Some(Fate::InDoubt(error())),
            Some(Fate::Deferred(reconcile_state::Digest([0; 16]))),
            Some(Fate::Held(Reason("refused"))),
            Some(Fate::NotApproved),
            Some(Fate::Interrupted),
        ][usize::from(number)]
        .clone()
    }

    const ACTIONS: [Action; 4] = [Action::Create, Action::Update, Action::Enable, Action::Disable];

    proptest! {
        #[test]
        fn total_is_skipped_unchanged_changed_and_failed_people(
            planned in proptest::collection::vec((0u8..8, 0usize..4, 0u8..10), 0..30),
            (in_sync, untouched, conflicts) in (0u64..5, 0u64..5, 0u64..5),
        ) {
            let changes: Vec<Change> = planned
                .iter()
                .map(|(person, action, _)| change(&format!("p{person}"), ACTIONS[*action], vec![set(EMAIL, None, "x")]))
                .collect();
            let fates: Vec<Option<Fate>> = planned.iter().map(|(_, _, number)| fate(*number)).collect();
            let by_id = changes.iter().zip(&fates).filter_map(|(change, fate)| Some((change.id, fate.as_ref()?))).collect();
            let people: BTreeSet<&Key> = changes.iter().map(|change| &change.key).collect();
            let plan = PipelinePlan {
                drift: [
                    (Drift::InSync, in_sync),
                    (Drift::Untouched, untouched),
                    (Drift::Conflict, conflicts),
                    (Drift::Behind, people.len() as u64),
                    (Drift::Foreign, 9),
                ]
                .into(),
                ..PipelinePlan::default()
            };
            let changes: Vec<&Change> = changes.iter().collect();
            let counts = count(Some(COUNTERS), &[schema()], &plan, &changes, &by_id);
            let sum = ["totalSkipped", "totalUnchanged", "peopleChanged", "peopleFailed"].map(|name| counts.get(name));
            prop_assert_eq!(counts.get("total"), sum.iter().sum::<u64>());
            prop_assert_eq!(counts.get("total"), in_sync + untouched + conflicts + people.len() as u64);
            prop_assert_eq!(counts.get("totalUnchanged"), in_sync);
        }
    }

    #[test]
    fn a_renamed_person_counts_as_renamed_and_for_what_else_changed_as_updated() {
        let one = change("p", Action::Update, vec![set(USERNAME, Some("a"), "b"), set(EMAIL, None, "x")]);
        let count = |names| super::count(Some(names), &[schema()], &PipelinePlan::default(), &[&one], &BTreeMap::new());
        let counts = count(COUNTERS);
        assert_eq!([counts.get("totalRename"), counts.get("totalUpdate"), counts.get("peopleChanged")], [1, 1, 1]);
        let counts = count(Counters { rename: None, ..COUNTERS });
        assert_eq!([counts.get("totalRename"), counts.get("totalUpdate")], [0, 1]);
    }

    #[test]
    fn a_person_put_right_while_opened_counts_as_enabled_alone() {
        let one = change("p", Action::Enable, vec![set(EMAIL, None, "x")]);
        let counts = count(Some(COUNTERS), &[schema()], &PipelinePlan::default(), &[&one], &BTreeMap::new());
        assert_eq!([counts.get("totalEnable"), counts.get("totalUpdate")], [1, 0]);
    }
}
