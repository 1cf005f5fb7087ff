//! What was carried out at the targets without anybody's consent, and when: the guard's limits are added up here over
//! days and weeks, by what the targets did and not by what the engine remembers of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reconcile::config::{GuardSettings, Limit};
use reconcile::model::pass::Planned;
use reconcile::model::{Action, Change, ChangeId};
use reconcile_state::{Drift, Edit, Ownership, Role, Schema};

use crate::books::landed;
use crate::college::College;
use crate::event::At;

/// One pass: when it was, whether somebody agreed to it, and what it may write.
struct Pass {
    at: Timestamp,
    agreed: bool,
    changes: BTreeMap<ChangeId, Change>,
    /// Of those, what was carried out, and how much of it, by target.
    done: BTreeSet<(At, ChangeId)>,
}

/// All passes, with how far each target's deeds were read.
#[derive(Default)]
pub struct Ledger {
    passes: Vec<Pass>,
    read: BTreeMap<At, usize>,
}

/// A class of changes: its rule, its limit, and for how much a change counts.
type Class = (&'static str, fn(&GuardSettings) -> Limit, fn(&Schema, &Change) -> u64);

fn is_bundle(schema: &Schema) -> bool {
    schema.part_of.is_some() || schema.attributes().iter().any(|one| one.ownership == Ownership::ClaimedSet)
}

fn renames(schema: &Schema, change: &Change) -> bool {
    let names = |id| schema.attribute(id).is_some_and(|attribute| attribute.role == Role::Name);
    change.action != Action::Create && change.edits.iter().filter_map(Edit::attribute).any(names)
}

fn updates(schema: &Schema, change: &Change) -> bool {
    let replaces = |edit: &Edit| !matches!(edit, Edit::Add { .. } | Edit::Remove { .. } | Edit::Set { from: None, .. });
    let moves = matches!(change.action, Action::Update | Action::Enable);
    moves && (!is_bundle(schema) || change.edits.iter().any(replaces))
}

fn count(change: &Change, is: fn(&Edit) -> bool) -> u64 {
    change.edits.iter().filter(|edit| is(edit)).count() as u64
}

const CLASSES: [Class; 7] = [
    (
        "creates",
        |guard| guard.creates,
        |_, change| u64::from(change.action == Action::Create && change.drift == Drift::Missing),
    ),
    ("lost", |guard| guard.lost, |_, change| u64::from(change.drift == Drift::Lost)),
    ("disables", |guard| guard.disables, |_, change| u64::from(change.disables())),
    ("updates", |guard| guard.updates, |schema, change| u64::from(updates(schema, change))),
    ("renames", |guard| guard.renames, |schema, change| u64::from(renames(schema, change))),
    (
        "additions",
        |guard| guard.additions,
        |schema, change| {
            if is_bundle(schema) { count(change, |edit| matches!(edit, Edit::Add { .. })) } else { 0 }
        },
    ),
    ("removals", |guard| guard.removals, |_, change| count(change, |edit| matches!(edit, Edit::Remove { .. }))),
];

/// What the guard counts kind by kind.
fn is_by_kind(rule: &str) -> bool {
    matches!(rule, "additions" | "removals")
}

impl Ledger {
    /// A pass is about to write this, with consent or without; tells which limit it would pass with what was done before.
    pub fn begin(
        &mut self,
        college: &College,
        planned: &Planned,
        agreed: bool,
        changes: &BTreeMap<ChangeId, Change>,
    ) -> Vec<String> {
        let target = |name| college.setting.kind.targets().iter().find(|at| at.pipeline() == name);
        let done = changes.values().filter_map(|change| Some((*target(change.pipeline)?, change.id))).collect();
        self.passes.push(Pass { at: planned.at, agreed, changes: changes.clone(), done });
        let wrong = self.above(college, planned);
        self.passes.iter_mut().last().into_iter().for_each(|pass| pass.done.clear());
        wrong
    }

    /// Reads on what the targets did, and tells which limit was passed. What landed late is of the last pass that might
    /// write it.
    pub fn check(&mut self, college: &College, planned: &Planned) -> Vec<String> {
        for at in college.setting.kind.targets() {
            let all = landed(college, *at);
            let read = self.read.insert(*at, all.len()).unwrap_or(0);
            for one in &all[read.min(all.len())..] {
                if let Some(pass) = self.passes.iter_mut().rfind(|pass| pass.changes.contains_key(&one.change)) {
                    pass.done.insert((*at, one.change));
                }
            }
        }
        self.above(college, planned)
    }

    fn above(&self, college: &College, planned: &Planned) -> Vec<String> {
        if !college.setting.strict {
            return Vec::new();
        }
        let settings = college.school.planner().settings();
        let mut wrong = Vec::new();
        for pipeline in &planned.pipelines {
            let guard = &settings[pipeline.name].guard;
            for (hours, times) in [(24, guard.windows.day), (7 * 24, guard.windows.week)] {
                let since = planned.at - SignedDuration::from_hours(hours);
                let lately = self.passes.iter().filter(|pass| !pass.agreed && pass.at > since);
                let done = lately.flat_map(|pass| pass.done.iter().map(|(at, id)| (*at, &pass.changes[id])));
                let mine = done.filter(|(at, _)| at.pipeline() == pipeline.name).map(|(_, change)| change);
                for ((rule, of), (sum, most)) in sums(guard, &pipeline.schemas, mine) {
                    if sum > most.saturating_mul(times) {
                        let name = pipeline.name;
                        wrong.push(format!("{name}: {sum} {rule} {of} within {hours} hours, not {times} times {most}"));
                    }
                }
            }
        }
        wrong
    }
}

/// How much changes count for, with the limit, by rule and by what the rule counts apart.
fn sums<'c>(
    guard: &GuardSettings,
    schemas: &[Schema],
    changes: impl Iterator<Item = &'c Change>,
) -> BTreeMap<(&'static str, &'static str), (u64, u64)> {
    let mut sums: BTreeMap<(&'static str, &'static str), (u64, u64)> = BTreeMap::new();
    for change in changes {
        let Some(schema) = schemas.iter().find(|one| one.kind == change.kind) else { continue };
        for (rule, limit, weigh) in CLASSES {
            let Some(most) = limit(guard).number else { continue };
            let of = if is_by_kind(rule) { change.kind } else { "" };
            let (sum, _) = sums.entry((rule, of)).or_insert((0, most.max(guard.floor)));
            *sum += weigh(schema, change);
        }
    }
    sums
}
