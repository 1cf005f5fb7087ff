//! Makes a report of what a pass left behind.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile_state::{Drift, Edit, Schema};

use super::counters;
use super::redact;
use super::value::{ChangeReport, ConflictReport, EditReport, FateReport, Listed, Mode, PipelineReport, Report};
use crate::model::pass::{Done, Event, Fate, PipelineSummary, Planned, Verdict};
use crate::model::{Change, ChangeId, PipelinePlan};

/// Version of the JSON report.
const VERSION: u32 = 1;

impl Report {
    /// A pass that wrote nothing: `held` are the changes that would not be made.
    pub fn of_plan(planned: &Planned, verdicts: &BTreeMap<&'static str, Verdict>, held: &[Done]) -> Self {
        build(Mode::Plan, planned, verdicts, held, &[])
    }

    /// A pass that wrote: `done` are all its changes with what came of each, `events` what happened on the way.
    pub fn of_pass(
        planned: &Planned,
        verdicts: &BTreeMap<&'static str, Verdict>,
        done: &[Done],
        events: &[Event],
    ) -> Self {
        build(Mode::Apply, planned, verdicts, done, events)
    }
}

fn build(
    mode: Mode,
    planned: &Planned,
    verdicts: &BTreeMap<&'static str, Verdict>,
    done: &[Done],
    events: &[Event],
) -> Report {
    let fates: BTreeMap<ChangeId, &Fate> = done.iter().map(|done| (done.change.id, &done.fate)).collect();
    let nothing = PipelinePlan::default();
    let pipelines = planned.pipelines.iter().map(|summary| {
        let plan = planned.plan.pipelines.get(summary.name).unwrap_or(&nothing);
        let changes: Vec<&Change> = planned.plan.changes.iter().filter(|c| c.pipeline == summary.name).collect();
        let verdict = verdicts.get(summary.name);
        PipelineReport { whole: planned.whole, ..pipeline(summary, plan, &changes, verdict, &fates) }
    });
    let mut pipelines: Vec<PipelineReport> = pipelines.collect();
    name_what_is_missing(&mut pipelines, planned);
    Report {
        version: VERSION,
        mode,
        run: planned.run.clone(),
        at: planned.at,
        plan: planned.plan.hash,
        interrupted: done.iter().any(|done| done.fate == Fate::Interrupted),
        scope: planned.scope.clone(),
        sources: planned.sources.clone(),
        pipelines,
        events: planned.events.iter().chain(events).cloned().collect(),
        approval: None,
    }
}

/// Says of deferred changes which record they waited for: nobody can look up the id of a change.
fn name_what_is_missing(pipelines: &mut [PipelineReport], planned: &Planned) {
    let fates = || pipelines.iter().flat_map(|pipeline| &pipeline.changes).filter_map(|change| change.fate.as_ref());
    let missing: BTreeSet<ChangeId> = fates().filter_map(|fate| fate.by).collect();
    let named = planned.plan.changes.iter().filter(|change| missing.contains(&change.id));
    let named: BTreeMap<ChangeId, String> = named
        .map(|change| (change.id, format!("the {} of {} of {}", change.kind, change.pipeline, change.key)))
        .collect();
    let fates = pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.changes);
    for fate in fates.filter_map(|change| change.fate.as_mut()) {
        if let Some(name) = fate.by.and_then(|id| named.get(&id)) {
            fate.message = Some(format!("it requires {name}, which was not made"));
        }
    }
}

fn pipeline(
    summary: &PipelineSummary,
    plan: &PipelinePlan,
    changes: &[&Change],
    verdict: Option<&Verdict>,
    fates: &BTreeMap<ChangeId, &Fate>,
) -> PipelineReport {
    let schema = |kind: &str| summary.schemas.iter().find(|schema| schema.kind == kind);
    let conflicts = plan.conflicts.iter().map(|conflict| ConflictReport {
        kind: conflict.kind,
        key: conflict.key.clone(),
        code: conflict.code,
        candidates: conflict.candidates.clone(),
        rivals: conflict.rivals.clone(),
    });
    let met = plan.links.iter().filter(|link| !link.differences.is_empty()).map(|link| Listed {
        kind: link.kind,
        key: link.key.clone(),
        drift: Drift::FirstMeeting,
        differences: edits(schema(link.kind), &link.differences),
        not_before: None,
    });
    let found = plan.findings.iter().map(|finding| Listed {
        kind: finding.kind,
        key: finding.key.clone(),
        drift: finding.drift,
        differences: edits(schema(finding.kind), &finding.differences),
        not_before: finding.not_before.and_then(|at| Timestamp::from_millisecond(at).ok()),
    });
    PipelineReport {
        name: summary.name,
        target: summary.target.clone(),
        trust: summary.trust.clone(),
        observed: summary.observed,
        whole: false,
        first_load: summary.first_load,
        anew: summary.anew,
        stopped: summary.stopped.clone(),
        counters: counters::count(summary.counters, &summary.schemas, plan, changes, fates),
        drift: plan.drift.clone(),
        parts: plan.parts.clone(),
        strangers: plan.strangers,
        left_out: plan.left_out.clone(),
        untouched: plan.untouched.clone(),
        disabled: plan.disabled.clone(),
        foreign: plan.foreign,
        in_doubt: plan.doubted().cloned().collect(),
        unobserved: plan.unobserved.clone(),
        conflicts: conflicts.collect(),
        linked: plan.links.iter().filter(|link| link.new && stands(schema(link.kind))).count() as u64,
        listed: met.chain(found).collect(),
        verdict: verdict.cloned().unwrap_or_default(),
        changes: changes
            .iter()
            .map(|change| self::change(schema(change.kind), change, fates.get(&change.id).copied()))
            .collect(),
    }
}

/// Whether a record stands by itself: a part is linked with its whole.
fn stands(schema: Option<&Schema>) -> bool {
    schema.is_none_or(|schema| schema.part_of.is_none())
}

fn change(schema: Option<&Schema>, change: &Change, fate: Option<&Fate>) -> ChangeReport {
    let by_match = || change.matches.iter().find(|m| m.field == "username").map(|m| m.value.clone());
    ChangeReport {
        id: change.id,
        kind: change.kind,
        key: change.key.clone(),
        username: change.remote.as_ref().and_then(|remote| remote.handle.clone()).or_else(by_match),
        remote: change.remote.clone(),
        action: change.action,
        cause: change.cause,
        drift: change.drift,
        reason: change.reason,
        edits: edits(schema, &change.edits),
        requires: change.requires.clone(),
        fate: fate.map(|fate| FateReport::of(fate, schema)),
    }
}

impl FateReport {
    /// What a fate means to a reader.
    fn of(fate: &Fate, schema: Option<&Schema>) -> Self {
        let plain =
            |result| Self { result, code: None, message: None, attributes: Vec::new(), left: Vec::new(), by: None };
        match fate {
            Fate::Landed => plain("landed"),
            Fate::NotConverged(left) => {
                let name =
                    |edit: &Edit| edit.attribute().map_or_else(|| "standing".to_owned(), |id| redact::name(schema, id));
                let attributes: BTreeSet<String> = left.iter().map(name).collect();
                let attributes = attributes.into_iter().collect();
                Self { attributes, left: edits(schema, left), ..plain("not-converged") }
            }
            Fate::Superseded => plain("superseded"),
            Fate::Failed(error) => {
                Self { code: Some(error.code.clone()), message: Some(error.message.clone()), ..plain("failed") }
            }
            Fate::NotTried(error) => {
                Self { code: Some(error.code.clone()), message: Some(error.message.clone()), ..plain("not-tried") }
            }
            Fate::InDoubt(error) => {
                Self { code: Some(error.code.clone()), message: Some(error.message.clone()), ..plain("in-doubt") }
            }
            Fate::Deferred(by) => Self { by: Some(*by), ..plain("deferred") },
            Fate::Held(reason) => Self { code: Some(reason.to_string()), ..plain("held") },
            Fate::NotApproved => plain("not-approved"),
            Fate::Interrupted => plain("interrupted"),
        }
    }
}

/// Edits as they may be shown.
pub(super) fn edits(schema: Option<&Schema>, edits: &[Edit]) -> Vec<EditReport> {
    let named = |id| redact::name(schema, id);
    edits
        .iter()
        .map(|edit| match edit {
            Edit::Standing { to } => EditReport::Standing { to: *to },
            Edit::Set { attribute: id, from, to } => EditReport::Set {
                attribute: named(*id),
                from: from.as_ref().map(|from| redact::show(schema, *id, from)),
                to: redact::show(schema, *id, to),
            },
            Edit::Clear { attribute: id, from } => {
                EditReport::Clear { attribute: named(*id), from: redact::show(schema, *id, from) }
            }
            Edit::Add { attribute: id, element } => {
                EditReport::Add { attribute: named(*id), element: redact::show_element(schema, *id, element) }
            }
            Edit::Remove { attribute: id, element } => {
                EditReport::Remove { attribute: named(*id), element: redact::show_element(schema, *id, element) }
            }
        })
        .collect()
}
