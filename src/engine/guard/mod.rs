//! The guard: judges a whole plan before its first write.
//!
//! The only maker of an [`ApprovedPlan`], and apply takes nothing else. There is no way around it: what
//! a rule refuses is passed by an operator who names the rule, or by approving a plan that was read.

mod count;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::Edit;
use reconcile_state::trust::{ATTRIBUTE_SHRUNK, Doubt};
use reconcile_state::window::Tally;

use self::count::Count;
use self::rules::{Case, RULES, first_load};
pub use self::rules::{FIRST_LOAD, RULE_CODES};
use crate::config::PipelineSettings;
use crate::model::pass::{Done, Fate, Planned, Trip, Verdict};
use crate::model::person::vault::TABLES;
use crate::model::{Action, Cause, Change, ChangeId, Reason};
use crate::policy::DISABLED;

/// Held: configuration protects the record.
pub const PROTECTED: Reason = Reason("protected");
/// Held: it follows from the absence of something in a source that is not trusted.
pub const UNTRUSTED_SOURCE: Reason = Reason("untrusted-source");
/// Held: the guard refused the whole pipeline.
pub const REFUSED: Reason = Reason("refused");

/// What the operator consents to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Consent {
    /// Ids of a plan that was read and approved; `None` without one.
    pub approved: Option<BTreeSet<ChangeId>>,
    /// Rules that may trip this once.
    pub allow: BTreeSet<String>,
    /// Who consents, for the journal.
    pub who: String,
    /// Why, for the journal.
    pub why: Option<String>,
}

/// A plan that was judged. What it holds back is in it too, so that nothing is left out of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovedPlan {
    planned: Planned,
    changes: Vec<Change>,
    held: Vec<Done>,
    passing: BTreeSet<&'static str>,
    unapproved: BTreeMap<&'static str, BTreeMap<ChangeId, Tally>>,
    consent: Consent,
}

impl ApprovedPlan {
    /// Changes that may be written, in the plan's order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Changes that may not.
    pub fn held(&self) -> &[Done] {
        &self.held
    }

    /// The pass it belongs to.
    pub fn planned(&self) -> &Planned {
        &self.planned
    }

    /// Whether a pipeline may act at all.
    pub fn passes(&self, pipeline: &str) -> bool {
        self.passing.contains(pipeline)
    }

    /// What changes that nobody approved count for, in a pipeline and change by change: many small passes together are
    /// held to the limits of one.
    pub fn unapproved(&self, pipeline: &str) -> impl Iterator<Item = (&ChangeId, &Tally)> {
        self.unapproved.get(pipeline).into_iter().flatten()
    }

    /// What the operator consented to.
    pub fn consent(&self) -> &Consent {
        &self.consent
    }
}

/// The verdicts, and what may be written under them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// By pipeline.
    pub verdicts: BTreeMap<&'static str, Verdict>,
    /// What may be written.
    pub approved: ApprovedPlan,
}

/// Judges a planned pass, pipeline by pipeline.
pub fn judge(planned: Planned, settings: &BTreeMap<&'static str, PipelineSettings>, consent: Consent) -> Judged {
    let doubts: Vec<&Doubt> = planned.sources.iter().flat_map(|source| &source.trust.doubts).collect();
    let (mut verdicts, mut unapproved) = (BTreeMap::new(), BTreeMap::new());
    for pipeline in &planned.pipelines {
        let Some(settings) = settings.get(pipeline.name) else { continue };
        // Of a target that was not read nothing is known, settled or remembered.
        if pipeline.stopped.is_some() {
            continue;
        }
        let mine: Vec<&Change> =
            planned.plan.changes.iter().filter(|change| change.pipeline == pipeline.name).collect();
        let mut verdict = Verdict::default();
        for change in &mine {
            let doubted: Vec<&Doubt> =
                doubts.iter().copied().filter(|doubt| concerns(doubt, pipeline.tables.get(change.kind))).collect();
            let trusted = doubted.is_empty();
            let blind = doubted.iter().any(|doubt| doubt.code == ATTRIBUTE_SHRUNK);
            if change.protected.is_some() {
                verdict.held.insert(change.id, PROTECTED);
            } else if (!trusted && infers_absence(change)) || (blind && rests_on_source(change)) {
                verdict.held.insert(change.id, UNTRUSTED_SOURCE);
            }
        }
        let acting: Vec<&Change> = mine.into_iter().filter(|change| !verdict.held.contains_key(&change.id)).collect();
        let case = Case {
            changes: &acting,
            base: pipeline.base,
            first_load: pipeline.first_load,
            settings: &settings.guard,
            schemas: &pipeline.schemas,
            elements: &pipeline.elements,
        };
        let counts: Vec<Vec<Count<'_>>> = RULES.iter().map(|rule| rule(&case)).collect();
        let limited = counts.iter().filter_map(|counts| {
            counts.iter().find_map(|count| count.judge(&settings.guard, &pipeline.window, planned.at))
        });
        for trip in first_load(&case).into_iter().chain(limited) {
            if allowed(&trip, settings, &consent) { &mut verdict.allowed } else { &mut verdict.trips }.push(trip);
        }
        unapproved.insert(pipeline.name, tally(counts.iter().flatten(), &consent));
        verdicts.insert(pipeline.name, verdict);
    }
    let approved = approve(planned, &verdicts, unapproved, consent);
    Judged { verdicts, approved }
}

/// Whether a doubt is about something that a kind's records are made of. People, and with them entitlements, come
/// from the directory: what is doubted there concerns everybody.
fn concerns(doubt: &Doubt, tables: Option<&Vec<&'static str>>) -> bool {
    match (doubt.of.as_deref().filter(|of| TABLES.contains(of)), tables) {
        (Some(table), Some(tables)) => tables.contains(&table),
        _ => true,
    }
}

/// Whether a change rests on something that a source did not say.
pub(super) fn infers_absence(change: &Change) -> bool {
    let takes_away = |edit: &Edit| matches!(edit, Edit::Remove { .. } | Edit::Clear { .. });
    (change.disables() && change.reason != Some(DISABLED)) || change.edits.iter().any(takes_away)
}

/// Whether a change lets somebody in, or writes what the sources moved. While attributes are missing from
/// a source that is not believed: that it does not say `disabled` of a person is an absence, and so is a
/// value that a template fell back from. Repairs of what was wanted before go on, and so do closures of
/// people whom the directory calls disabled.
fn rests_on_source(change: &Change) -> bool {
    let lets_in = matches!(change.action, Action::Create | Action::Enable);
    change.reason != Some(DISABLED) && (lets_in || change.cause != Cause::Drift)
}

fn allowed(trip: &Trip, settings: &PipelineSettings, consent: &Consent) -> bool {
    let read = consent.approved.is_some() || settings.guard.first_load;
    trip.may_allow && (consent.allow.contains(trip.rule) || (trip.rule == FIRST_LOAD && read))
}

/// What changes count for that nobody has read or whose rule nobody has named.
fn tally<'c>(counts: impl Iterator<Item = &'c Count<'c>>, consent: &Consent) -> BTreeMap<ChangeId, Tally> {
    let mut tallies: BTreeMap<ChangeId, Tally> = BTreeMap::new();
    let counted = counts.filter(|count| consent.approved.is_none() && !consent.allow.contains(count.rule));
    for (change, tally) in counted.flat_map(Count::tallies) {
        let sums = tallies.entry(change).or_default();
        tally.into_iter().for_each(|(class, count)| *sums.entry(class).or_default() += count);
    }
    tallies
}

fn approve(
    planned: Planned,
    verdicts: &BTreeMap<&'static str, Verdict>,
    unapproved: BTreeMap<&'static str, BTreeMap<ChangeId, Tally>>,
    consent: Consent,
) -> ApprovedPlan {
    let passing: BTreeSet<&'static str> =
        verdicts.iter().filter(|(_, verdict)| verdict.passes()).map(|(&name, _)| name).collect();
    let (mut changes, mut held) = (Vec::new(), Vec::new());
    for change in &planned.plan.changes {
        let reason = match verdicts.get(change.pipeline) {
            Some(verdict) if verdict.passes() => verdict.held.get(&change.id).copied(),
            _ => Some(REFUSED),
        };
        let listed = consent.approved.as_ref().is_none_or(|ids| ids.contains(&change.id));
        let fate = match reason {
            Some(reason) => Some(Fate::Held(reason)),
            None if !listed => Some(Fate::NotApproved),
            None => None,
        };
        match fate {
            Some(fate) => held.push(Done { change: change.clone(), fate }),
            None => changes.push(change.clone()),
        }
    }
    ApprovedPlan { planned, changes, held, passing, unapproved, consent }
}

#[cfg(test)]
mod tests;
