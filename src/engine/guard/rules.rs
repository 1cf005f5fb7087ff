//! The guard's rules: each a small pure function over one pipeline's changes.

use std::collections::BTreeMap;

use reconcile_state::{Drift, Edit, Role, Schema, Value};

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
}

impl Case<'_> {
    fn role(&self, change: &Change, role: Role) -> bool {
        let schema = self.schemas.iter().find(|schema| schema.kind == change.kind);
        change.action != Action::Create
            && change.edits.iter().filter_map(Edit::attribute).any(|id| {
                schema.and_then(|schema| schema.attribute(id)).is_some_and(|attribute| attribute.role == role)
            })
    }

    /// Judges a count by floor, number and percent.
    fn limited(&self, rule: &'static str, limit: Limit, what: &str, hits: &[&Change]) -> Option<Trip> {
        self.limited_count(rule, limit, what, hits.len() as u64, hits)
    }

    fn limited_count(
        &self,
        rule: &'static str,
        limit: Limit,
        what: &str,
        count: u64,
        hits: &[&Change],
    ) -> Option<Trip> {
        let share = limit.percent.map(|percent| self.base * u64::from(percent) / 100);
        let most = limit.number.into_iter().chain(share).min()?.max(self.settings.floor);
        let in_words = match (limit.number, limit.percent) {
            (Some(number), Some(percent)) => format!("{number} or {percent} % of {}", self.base),
            (Some(number), None) => number.to_string(),
            (None, percent) => format!("{} % of {}", percent.unwrap_or(0), self.base),
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
pub const RULES: &[Rule] =
    &[first_load, creates, lost, disables, renames, moves, updates, removals, one_attribute, collapse];

/// Codes of all rules, in the same order.
pub const RULE_CODES: [&str; 10] =
    [FIRST_LOAD, "creates", "lost", "disables", "renames", "moves", "updates", "removals", "one-attribute", "collapse"];

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
    case.limited_count("disables", case.settings.disables, "records would be disabled", count, &hits)
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
    let hits = case.hits(|change| matches!(change.action, Action::Update | Action::Enable));
    case.limited("updates", case.settings.updates, "records would be changed", &hits)
}

fn removals(case: &Case<'_>) -> Option<Trip> {
    let removes =
        |change: &Change| change.edits.iter().filter(|edit| matches!(edit, Edit::Remove { .. })).count() as u64;
    let hits = case.hits(|change| removes(change) > 0);
    let count = hits.iter().map(|change| removes(change)).sum();
    case.limited_count("removals", case.settings.removals, "elements would be taken out of sets", count, &hits)
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
        for edit in &change.edits {
            if let Some(attribute) = edit.attribute().and_then(|id| schema.attribute(id)) {
                with(change, attribute.name, edit);
            }
        }
    }
}
