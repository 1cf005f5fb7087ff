//! The guard's rules: each a small pure function over one pipeline's changes. What a rule counts is held against its
//! limit in `count`.

use std::collections::BTreeMap;

use reconcile_state::{Drift, Edit, Ownership, Role, Schema, Value};

use super::count::{Count, Hit};
use crate::config::{GuardSettings, Limit};
use crate::model::pass::Trip;
use crate::model::{Action, Change};
use crate::policy::DISABLED;

/// What a rule looks at.
pub struct Case<'c> {
    /// Changes that would be written: not those held one by one.
    pub changes: &'c [&'c Change],
    /// The base of percents.
    pub base: u64,
    /// Whether nothing is remembered of the pipeline.
    pub first_load: bool,
    /// The pipeline's limits.
    pub settings: &'c GuardSettings,
    /// Its kinds.
    pub schemas: &'c [Schema],
    /// Elements of the sets of parts, by kind and scope.
    pub elements: &'c BTreeMap<&'static str, BTreeMap<String, u64>>,
}

impl<'c> Case<'c> {
    fn schema(&self, change: &Change) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.kind == change.kind)
    }

    /// Whether a record is a bundle of elements, judged by what is put in and taken out.
    fn is_bundle(&self, change: &Change) -> bool {
        self.schema(change).is_some_and(is_bundle)
    }

    /// How many elements a kind's sets have: where nobody counted them, one for each record.
    fn elements_of(&self, kind: &str) -> u64 {
        self.elements.get(kind).map_or(self.base, |scopes| scopes.values().sum())
    }

    fn role(&self, change: &Change, role: Role) -> bool {
        let schema = self.schema(change);
        change.action != Action::Create
            && change.edits.iter().filter_map(Edit::attribute).any(|id| {
                schema.and_then(|schema| schema.attribute(id)).is_some_and(|attribute| attribute.role == role)
            })
    }

    /// One count of changes for which this holds.
    fn count(&self, rule: &'static str, limit: Limit, what: &str, holds: impl Fn(&Change) -> bool) -> Vec<Count<'c>> {
        let hits = self.changes.iter().filter(|change| holds(change)).map(|change| Hit::new(change, 1));
        vec![Count::new(rule, limit, what, self.base, hits.collect())]
    }
}

fn is_bundle(schema: &Schema) -> bool {
    let shared = schema.attributes().iter().any(|one| one.ownership == Ownership::ClaimedSet);
    schema.part_of.is_some() || shared
}

/// A rule: what it counts, each figure against a limit of its own. The same changes in many passes give the same
/// counts as in one.
pub type Rule = for<'c> fn(&Case<'c>) -> Vec<Count<'c>>;

/// All rules with a limit, in the order in which they are reported.
pub const RULES: &[Rule] = &[
    creates,
    lost,
    disables,
    renames,
    moves,
    updates,
    additions,
    lost_elements,
    removals,
    removals_people,
    removals_within,
    one_attribute,
    collapse,
];

/// Codes of all rules, in the same order; that of the first load comes first.
pub const RULE_CODES: [&str; 14] = [
    FIRST_LOAD,
    "creates",
    "lost",
    "disables",
    "renames",
    "moves",
    "updates",
    "additions",
    "lost-elements",
    "removals",
    "removals-people",
    "removals-within",
    "one-attribute",
    "collapse",
];

/// Code of the rule that an approved plan or `first_load = true` passes.
pub const FIRST_LOAD: &str = "first-load";

/// Until a whole pass has carried a first load through, somebody has to read what it would do.
pub fn first_load(case: &Case<'_>) -> Option<Trip> {
    (case.first_load && !case.changes.is_empty()).then(|| Trip {
        rule: FIRST_LOAD,
        message: format!(
            "the first load of this target has not been carried through yet, and {} would be made; read the plan \
             and approve it",
            if case.changes.len() == 1 { "1 change".to_owned() } else { format!("{} changes", case.changes.len()) }
        ),
        count: case.changes.len() as u64,
        limit: 0,
        changes: case.changes.iter().map(|change| change.id).collect(),
        may_allow: true,
    })
}

/// On a first load everybody may be new: that is what the rule above is for.
fn creates<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let is_new = |change: &Change| change.action == Action::Create && change.drift == Drift::Missing;
    case.count("creates", case.settings.creates, "records would be created", |change| {
        !case.first_load && is_new(change)
    })
}

fn lost<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let what = "records vanished from the target and would be made again";
    case.count("lost", case.settings.lost, what, |change| change.drift == Drift::Lost)
}

/// People whom the directory itself calls disabled have a small reserve of their own, so that an
/// exclusion closes doors also when other closures have used the limit up.
fn disables<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let hits = case.changes.iter().filter(|change| change.disables());
    let hits = hits.map(|change| Hit { spared: change.reason == Some(DISABLED), ..Hit::new(change, 1) });
    let count = Count::new("disables", case.settings.disables, "records would be disabled", case.base, hits.collect());
    vec![Count { reserve: case.settings.disabled_reserve, ..count }]
}

fn renames<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    case.count("renames", case.settings.renames, "records would be renamed", |change| case.role(change, Role::Name))
}

fn moves<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    case.count("moves", case.settings.moves, "records would be moved", |change| case.role(change, Role::Place))
}

fn updates<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let values = |change: &Change| !case.is_bundle(change) || change.edits.iter().any(replaces);
    case.count("updates", case.settings.updates, "records would be changed", |change| {
        matches!(change.action, Action::Update | Action::Enable) && values(change)
    })
}

/// Whether an edit puts a value in the place of another, or of nothing.
fn replaces(edit: &Edit) -> bool {
    matches!(edit, Edit::Standing { .. } | Edit::Clear { .. } | Edit::Set { from: Some(_), .. })
}

/// What is put into or taken out of sets, kind by kind: each against as many as there are of its own.
fn elements<'c>(
    case: &Case<'c>,
    (rule, limit, what): (&'static str, Limit, &str),
    count: impl Fn(&Change) -> u64,
) -> Vec<Count<'c>> {
    let of = |schema: &Schema| {
        let mine = case.changes.iter().filter(|change| change.kind == schema.kind);
        let hits = mine.map(|change| Hit::new(change, count(change))).filter(|hit| hit.count > 0).collect();
        let base = if is_bundle(schema) { case.elements_of(schema.kind) } else { case.base };
        Count::new(rule, limit, &format!("{what} ({})", schema.kind), base, hits).of(schema.kind)
    };
    case.schemas.iter().map(of).collect()
}

/// On a first load everything may be new.
fn additions<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let adds = |change: &Change| change.edits.iter().filter(|edit| matches!(edit, Edit::Add { .. })).count() as u64;
    let limit = ("additions", case.settings.additions, "elements would be put into sets");
    elements(case, limit, |change| if !case.first_load && case.is_bundle(change) { adds(change) } else { 0 })
}

fn lost_elements<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let what = "elements vanished from the target and would be put there again";
    elements(case, ("lost-elements", case.settings.lost_elements, what), |change| change.again)
}

fn removes(change: &Change) -> u64 {
    change.edits.iter().filter(|edit| matches!(edit, Edit::Remove { .. })).count() as u64
}

fn removals<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    elements(case, ("removals", case.settings.removals, "elements would be taken out of sets"), removes)
}

fn removals_people<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let limit = case.settings.removals_people;
    case.count("removals-people", limit, "records would lose elements", |change| removes(change) > 0)
}

/// One course that loses many of its people: its teaching was moved, or a table was half full.
fn removals_within<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let mut taken: BTreeMap<(&'static str, &str), Vec<Hit<'c>>> = BTreeMap::new();
    for change in case.changes {
        for (scope, count) in &change.taken_from {
            taken.entry((change.kind, scope)).or_default().push(Hit::new(change, *count));
        }
    }
    let of = |((kind, scope), hits): ((&'static str, &str), Vec<Hit<'c>>)| {
        let base = case.elements.get(kind)?.get(scope).copied().unwrap_or(0);
        let what = format!("{kind} would be taken out of {scope}");
        let count = Count::new("removals-within", case.settings.removals_within, &what, base, hits);
        (base >= case.settings.within_floor).then(|| count.of(&format!("{kind} {scope}")))
    };
    taken.into_iter().filter_map(of).collect()
}

/// One attribute that changes for very many people is a mapping or a source that broke.
fn one_attribute<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let mut touched: BTreeMap<(&str, &str), BTreeMap<_, &Change>> = BTreeMap::new();
    each_value_edit(case, |change, name, _| {
        touched.entry((change.kind, name)).or_default().insert(change.id, change);
    });
    let of = |((kind, name), changes): ((&str, &str), BTreeMap<_, &'c Change>)| {
        let what = format!("records would change in one attribute, {kind}.{name}");
        let hits = changes.into_values().map(|change| Hit::new(change, 1)).collect();
        let count = Count::new("one-attribute", case.settings.one_attribute, &what, case.base, hits);
        count.of(&format!("{kind}.{name}"))
    };
    touched.into_iter().map(of).collect()
}

/// Many values that become none, or all the same.
fn collapse<'c>(case: &Case<'c>) -> Vec<Count<'c>> {
    let mut ends: BTreeMap<(&str, &str, Option<&Value>), Vec<Hit<'c>>> = BTreeMap::new();
    each_value_edit(case, |change, name, edit| {
        let to = match edit {
            // Giving many people a value they did not have (a new department) loses nothing.
            Edit::Set { from: Some(_), to, .. } => Some(to),
            Edit::Clear { .. } => None,
            _ => return,
        };
        ends.entry((change.kind, name, to)).or_default().push(Hit::new(change, 1));
    });
    let of = |((kind, name, to), hits): ((&str, &str, Option<&Value>), Vec<Hit<'c>>)| {
        let end = if to.is_some() { "get one and the same value" } else { "be emptied" };
        let what = format!("records in which {kind}.{name} would {end}");
        let count = Count::new("collapse", case.settings.collapse, &what, case.base, hits);
        count.of(&format!("{kind}.{name} {}", to.map(named).unwrap_or_default()))
    };
    ends.into_iter().map(of).collect()
}

/// Names a value without telling it: the same one has the same name in another pass.
fn named(value: &Value) -> String {
    let hash = blake3::hash(format!("{value:?}").as_bytes());
    hash.to_hex().chars().take(16).collect()
}

fn each_value_edit<'c>(case: &Case<'c>, mut with: impl FnMut(&'c Change, &'static str, &'c Edit)) {
    for change in case.changes.iter().copied().filter(|change| change.action != Action::Create) {
        let Some(schema) = case.schema(change) else { continue };
        let bundle = case.is_bundle(change);
        for edit in change.edits.iter().filter(|edit| !bundle || replaces(edit)) {
            if let Some(attribute) = edit.attribute().and_then(|id| schema.attribute(id)) {
                with(change, attribute.name, edit);
            }
        }
    }
}
