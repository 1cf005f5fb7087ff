//! The guard's rules: each a small pure function over one pipeline's changes.

use std::collections::BTreeMap;

use reconcile_state::{Drift, Edit, Ownership, Role, Schema, Value};

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

impl Case<'_> {
    fn schema(&self, change: &Change) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.kind == change.kind)
    }

    /// Whether a record is a bundle of elements, judged by what is put in and taken out.
    fn is_bundle(&self, change: &Change) -> bool {
        let shared = |schema: &Schema| schema.attributes().iter().any(|one| one.ownership == Ownership::ClaimedSet);
        self.schema(change).is_some_and(|schema| schema.part_of.is_some() || shared(schema))
    }

    /// How many elements a kind's sets have: where nobody counted them, one for each record.
    fn elements_of(&self, kind: &str) -> u64 {
        self.elements.get(kind).map_or(self.base, |scopes| scopes.values().sum())
    }

    fn role(&self, change: &Change, role: Role) -> bool {
        let schema = self.schemas.iter().find(|schema| schema.kind == change.kind);
        change.action != Action::Create
            && change.edits.iter().filter_map(Edit::attribute).any(|id| {
                schema.and_then(|schema| schema.attribute(id)).is_some_and(|attribute| attribute.role == role)
            })
    }

    /// Judges a count by floor, number and percent.
    fn limited(&self, rule: &'static str, limit: Limit, what: &str, hits: &[&Change]) -> Option<Trip> {
        self.limited_count(rule, limit, what, (hits.len() as u64, self.base), hits)
    }

    fn limited_count(
        &self,
        rule: &'static str,
        limit: Limit,
        what: &str,
        (count, base): (u64, u64),
        hits: &[&Change],
    ) -> Option<Trip> {
        let share = limit.percent.map(|percent| base * u64::from(percent) / 100);
        let most = limit.number.into_iter().chain(share).min()?.max(self.settings.floor);
        let in_words = match (limit.number, limit.percent) {
            (Some(number), Some(percent)) => format!("{number} or {percent} % of {base}"),
            (Some(number), None) => number.to_string(),
            (None, percent) => format!("{} % of {base}", percent.unwrap_or(0)),
        };
        (count > most).then(|| Trip {
            rule,
            message: format!("{count} {what}; the limit is {in_words}, never less than {}", self.settings.floor),
            count,
            limit: most,
            changes: hits.iter().map(|change| change.id).collect(),
            may_allow: true,
        })
    }

    fn hits(&self, holds: impl Fn(&Change) -> bool) -> Vec<&Change> {
        self.changes.iter().copied().filter(|change| holds(change)).collect()
    }
}

/// A rule.
pub type Rule = fn(&Case<'_>) -> Option<Trip>;

/// All rules, in the order in which they are reported.
pub const RULES: &[Rule] = &[
    first_load,
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

/// Codes of all rules, in the same order.
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

fn first_load(case: &Case<'_>) -> Option<Trip> {
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
fn creates(case: &Case<'_>) -> Option<Trip> {
    let hits = case.hits(|change| change.action == Action::Create && change.drift == Drift::Missing);
    (!case.first_load).then(|| case.limited("creates", case.settings.creates, "records would be created", &hits))?
}

fn lost(case: &Case<'_>) -> Option<Trip> {
    let hits = case.hits(|change| change.drift == Drift::Lost);
    case.limited("lost", case.settings.lost, "records vanished from the target and would be made again", &hits)
}

/// People whom the directory itself calls disabled have a small reserve of their own, so that an
/// exclusion closes doors also when other closures have used the limit up.
fn disables(case: &Case<'_>) -> Option<Trip> {
    let hits = case.hits(Change::disables);
    let positive = hits.iter().filter(|change| change.reason == Some(DISABLED)).count() as u64;
    let count = hits.len() as u64 - positive.min(case.settings.disabled_reserve);
    case.limited_count("disables", case.settings.disables, "records would be disabled", (count, case.base), &hits)
}

fn renames(case: &Case<'_>) -> Option<Trip> {
    let hits = case.hits(|change| case.role(change, Role::Name));
    case.limited("renames", case.settings.renames, "records would be renamed", &hits)
}

fn moves(case: &Case<'_>) -> Option<Trip> {
    let hits = case.hits(|change| case.role(change, Role::Place));
    case.limited("moves", case.settings.moves, "records would be moved", &hits)
}

fn updates(case: &Case<'_>) -> Option<Trip> {
    let values = |change: &Change| !case.is_bundle(change) || change.edits.iter().any(replaces);
    let hits = case.hits(|change| matches!(change.action, Action::Update | Action::Enable) && values(change));
    case.limited("updates", case.settings.updates, "records would be changed", &hits)
}

/// Whether an edit puts a value in the place of another, or of nothing.
fn replaces(edit: &Edit) -> bool {
    matches!(edit, Edit::Standing { .. } | Edit::Clear { .. } | Edit::Set { from: Some(_), .. })
}

/// What is put into or taken out of sets, kind by kind: each against as many as there are of its own.
fn elements(
    case: &Case<'_>,
    (rule, limit, what): (&'static str, Limit, &str),
    count: impl Fn(&Change) -> u64,
) -> Option<Trip> {
    case.schemas.iter().find_map(|schema| {
        let hits = case.hits(|change| change.kind == schema.kind && count(change) > 0);
        let bundle = hits.first().is_some_and(|change| case.is_bundle(change));
        let base = if bundle { case.elements_of(schema.kind) } else { case.base };
        let all = hits.iter().map(|change| count(change)).sum();
        case.limited_count(rule, limit, &format!("{what} ({})", schema.kind), (all, base), &hits)
    })
}

/// On a first load everything may be new.
fn additions(case: &Case<'_>) -> Option<Trip> {
    let adds = |change: &Change| change.edits.iter().filter(|edit| matches!(edit, Edit::Add { .. })).count() as u64;
    let count = |change: &Change| if case.is_bundle(change) { adds(change) } else { 0 };
    let limit = ("additions", case.settings.additions, "elements would be put into sets");
    (!case.first_load).then(|| elements(case, limit, count))?
}

fn lost_elements(case: &Case<'_>) -> Option<Trip> {
    let what = "elements vanished from the target and would be put there again";
    elements(case, ("lost-elements", case.settings.lost_elements, what), |change| change.again)
}

fn removes(change: &Change) -> u64 {
    change.edits.iter().filter(|edit| matches!(edit, Edit::Remove { .. })).count() as u64
}

fn removals(case: &Case<'_>) -> Option<Trip> {
    elements(case, ("removals", case.settings.removals, "elements would be taken out of sets"), removes)
}

fn removals_people(case: &Case<'_>) -> Option<Trip> {
    let hits = case.hits(|change| removes(change) > 0);
    case.limited("removals-people", case.settings.removals_people, "records would lose elements", &hits)
}

/// One course that loses many of its people: its teaching was moved, or a table was half full.
fn removals_within(case: &Case<'_>) -> Option<Trip> {
    let mut taken: BTreeMap<(&'static str, &str), (u64, Vec<&Change>)> = BTreeMap::new();
    for change in case.changes {
        for (scope, count) in &change.taken_from {
            let one = taken.entry((change.kind, scope)).or_default();
            one.0 += count;
            one.1.push(change);
        }
    }
    taken.into_iter().find_map(|((kind, scope), (count, hits))| {
        let base = case.elements.get(kind)?.get(scope).copied().unwrap_or(0);
        let judged = base >= case.settings.within_floor;
        let what = format!("{kind} would be taken out of {scope}");
        let limit = case.settings.removals_within;
        judged.then(|| case.limited_count("removals-within", limit, &what, (count, base), &hits))?
    })
}

/// One attribute that changes for very many people is a mapping or a source that broke.
fn one_attribute(case: &Case<'_>) -> Option<Trip> {
    let mut touched: BTreeMap<(&str, &str), Vec<&Change>> = BTreeMap::new();
    each_value_edit(case, |change, name, _| touched.entry((change.kind, name)).or_default().push(change));
    touched.into_iter().find_map(|((kind, name), mut hits)| {
        hits.dedup_by_key(|change| change.id);
        let what = format!("records would change in one attribute, {kind}.{name}");
        case.limited("one-attribute", case.settings.one_attribute, &what, &hits)
    })
}

/// Many values that become none, or all the same.
fn collapse(case: &Case<'_>) -> Option<Trip> {
    let mut ends: BTreeMap<(&str, &str, Option<&Value>), Vec<&Change>> = BTreeMap::new();
    each_value_edit(case, |change, name, edit| {
        let to = match edit {
            // Giving many people a value they did not have (a new department) loses nothing.
            Edit::Set { from: Some(_), to, .. } => Some(to),
            Edit::Clear { .. } => None,
            _ => return,
        };
        ends.entry((change.kind, name, to)).or_default().push(change);
    });
    ends.into_iter().find_map(|((kind, name, to), hits)| {
        let end = if to.is_some() { "get one and the same value" } else { "be emptied" };
        let what = format!("records in which {kind}.{name} would {end}");
        case.limited("collapse", case.settings.collapse, &what, &hits)
    })
}

fn each_value_edit<'c>(case: &Case<'c>, mut with: impl FnMut(&'c Change, &'static str, &'c Edit)) {
    for change in case.changes.iter().copied().filter(|change| change.action != Action::Create) {
        let Some(schema) = case.schemas.iter().find(|schema| schema.kind == change.kind) else { continue };
        let bundle = case.is_bundle(change);
        for edit in change.edits.iter().filter(|edit| !bundle || replaces(edit)) {
            if let Some(attribute) = edit.attribute().and_then(|id| schema.attribute(id)) {
                with(change, attribute.name, edit);
            }
        }
    }
}
