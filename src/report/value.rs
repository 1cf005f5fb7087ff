//! The report's value. Its field names are the JSON report's, documented in [`super::json`]: renaming one
//! is a change of the format's version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconcile_state::trust::Trust;
use reconcile_state::{Drift, Key, Remote};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::redact::Shown;
use crate::engine::FIRST_LOAD;
use crate::model::pass::{Event, ScopeSummary, SourceSummary, Verdict};
use crate::model::{Action, Candidate, Cause, ChangeId, PartTally, Reason, Rival};
use crate::targets::port::Identity;

/// Whether changes were made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing was written: counters say what would be.
    Plan,
    /// Changes were made: counters say what was.
    Apply,
}

/// One pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// Version of the format.
    pub version: u32,
    /// Whether changes were made.
    pub mode: Mode,
    /// Identifies the run.
    pub run: String,
    /// When it began.
    pub at: Timestamp,
    /// Hash of the plan: the same world gives the same one.
    pub plan: ChangeId,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// Who was in scope.
    pub scope: ScopeSummary,
    /// What was read.
    pub sources: Vec<SourceSummary>,
    /// In the order of the registry.
    pub pipelines: Vec<PipelineReport>,
    /// What the operator is told at once.
    pub events: Vec<Event>,
    /// How an approved plan compares with this one, where one was given.
    pub approval: Option<Approval>,
}

/// One pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PipelineReport {
    /// Its name.
    pub name: &'static str,
    /// What the target is; none where it could not be reached.
    pub target: Option<Identity>,
    /// Whether absences at the target are believed.
    pub trust: Trust,
    /// Records read at the target.
    pub observed: u64,
    /// Whether everybody was in scope.
    #[serde(skip)]
    pub whole: bool,
    /// Whether nothing is remembered of it yet.
    pub first_load: bool,
    /// Whether it is another target than before, adopted by the operator.
    pub anew: bool,
    /// Why nothing is planned here at all.
    pub stopped: Option<Event>,
    /// Under the seeds' names, in their order, then this program's own.
    pub counters: Counts,
    /// Records by class of the drift table.
    pub drift: BTreeMap<Drift, u64>,
    /// The same of parts (enrolments), kind by kind.
    pub parts: BTreeMap<&'static str, PartTally>,
    /// Elements that belong to nobody we know, or lie outside what is managed.
    pub strangers: u64,
    /// What the sources say and no setting knows what to make of, by words: how often.
    pub left_out: BTreeMap<String, u64>,
    /// Untouched records by reason.
    pub untouched: BTreeMap<Reason, u64>,
    /// Disabled records by reason.
    pub disabled: BTreeMap<Reason, u64>,
    /// Records at the target that belong to nobody we know.
    pub foreign: u64,
    /// Records of which an earlier write has an unknown outcome.
    pub in_doubt: Vec<Key>,
    /// Records of which nobody knows whether they are there.
    pub unobserved: Vec<Key>,
    /// Nothing is written for these until a person has decided.
    pub conflicts: Vec<ConflictReport>,
    /// Records that were linked without a write.
    pub linked: u64,
    /// Linked records whose differences are only listed, and drift that is only reported.
    pub listed: Vec<Listed>,
    /// What the guard says.
    pub verdict: Verdict,
    /// All changes of the plan, in its order.
    pub changes: Vec<ChangeReport>,
}

/// So many rows are single cases, whatever their share.
const FEW: u64 = 10;

impl PipelineReport {
    /// Whether nothing but the rule of the first load stands in the way: what is asked for is that the plan
    /// is read and approved.
    pub fn awaits_approval(&self) -> bool {
        let mut trips = self.verdict.trips.iter();
        !self.verdict.passes() && trips.all(|trip| trip.rule == FIRST_LOAD)
    }

    /// Whether more than half of its rows, and more than a few, are in conflict or were not observed: then
    /// nothing can be said of the whole, and the cause is one setting or one right more often than many records.
    pub fn is_mostly_unknown(&self) -> bool {
        let classed = |class| self.drift.get(&class).copied().unwrap_or(0);
        let rows: u64 = self.drift.values().sum::<u64>() - classed(Drift::Foreign) + self.in_doubt.len() as u64;
        let unknown = classed(Drift::Conflict) + classed(Drift::Unobserved);
        self.whole && unknown > FEW && 2 * unknown > rows
    }
}

/// A conflict.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConflictReport {
    /// The kind.
    pub kind: &'static str,
    /// The person.
    pub key: Key,
    /// Code of the rule that found it.
    pub code: &'static str,
    /// Records that may be meant.
    pub candidates: Vec<Candidate>,
    /// Other people of whom the same is called for.
    pub rivals: Vec<Rival>,
}

/// A record with differences that are not written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Listed {
    /// The kind.
    pub kind: &'static str,
    /// The record.
    pub key: Key,
    /// Its class.
    pub drift: Drift,
    /// What differs.
    pub differences: Vec<EditReport>,
    /// Where an accepted write did not show: when it is tried again.
    pub not_before: Option<Timestamp>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChangeReport {
    /// Its id: the same change planned again has the same.
    pub id: ChangeId,
    /// The kind.
    pub kind: &'static str,
    /// The record.
    pub key: Key,
    /// The user name, where one is known.
    pub username: Option<String>,
    /// The record at the target, before the change.
    pub remote: Option<Remote>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The class in the drift table.
    pub drift: Drift,
    /// Why it is closed, where it is.
    pub reason: Option<Reason>,
    /// Attribute by attribute.
    pub edits: Vec<EditReport>,
    /// Changes it waits for.
    pub requires: Vec<ChangeId>,
    /// What came of it, or why it will not be made; none for a planned change that may be.
    pub fate: Option<FateReport>,
}

/// One edit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "op")]
pub enum EditReport {
    /// Opened or closed.
    Standing {
        /// What it becomes.
        to: reconcile_state::Standing,
    },
    /// Given a value.
    Set {
        /// The attribute.
        attribute: String,
        /// What it held.
        from: Option<Shown>,
        /// What it is to hold.
        to: Shown,
    },
    /// Emptied.
    Clear {
        /// The attribute.
        attribute: String,
        /// What it held.
        from: Shown,
    },
    /// An element more.
    Add {
        /// The set.
        attribute: String,
        /// The element.
        element: Shown,
    },
    /// An element less.
    Remove {
        /// The set.
        attribute: String,
        /// The element.
        element: Shown,
    },
}

/// What came of a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FateReport {
    /// `landed`, `not-converged`, `superseded`, `failed`, `not-tried`, `in-doubt`, `deferred`, `held`, `not-approved`,
    /// `interrupted`.
    pub result: &'static str,
    /// Code of the error, or reason it was held.
    pub code: Option<String>,
    /// What happened and the next step.
    pub message: Option<String>,
    /// Attributes that did not come out as wanted.
    pub attributes: Vec<String>,
    /// What would still have to be done for them: an element to add does not show, one to remove does.
    pub left: Vec<EditReport>,
    /// The change it waited for.
    pub by: Option<ChangeId>,
}

/// How an approved plan compares with the one planned now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Approval {
    /// Changes that were approved and are no longer called for, in words.
    pub gone: Vec<String>,
    /// How many changes are called for now and were not approved: they are not made.
    pub new: u64,
}

/// Counters in the order in which they are shown; a JSON object.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts(pub Vec<(String, u64)>);

impl Counts {
    /// The counter with this name; 0 where there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.0.iter().find(|(own, _)| own == name).map_or(0, |(_, count)| *count)
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, count) in &self.0 {
            map.serialize_entry(name, count)?;
        }
        map.end()
    }
}

impl Report {
    /// How many changes have this fate.
    pub fn fates(&self, result: &str) -> u64 {
        let all = self.pipelines.iter().flat_map(|pipeline| &pipeline.changes);
        all.filter(|change| change.fate.as_ref().is_some_and(|fate| fate.result == result)).count() as u64
    }

    /// How many planned changes may be made and have not been yet.
    pub fn acting(&self) -> u64 {
        let all = self.pipelines.iter().flat_map(|pipeline| &pipeline.changes);
        all.filter(|change| change.fate.is_none()).count() as u64
    }

    /// Pipelines that the guard refused.
    pub fn refused(&self) -> impl Iterator<Item = &PipelineReport> {
        self.pipelines.iter().filter(|pipeline| !pipeline.verdict.passes())
    }
}
