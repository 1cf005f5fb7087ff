//! Changes and the plan they form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use reconcile_state::{Applied, AttributeId, Digest, Drift, Edit, Key, Record, Remote, Standing};
use serde::Serialize;

use super::reason::Reason;

/// What is done to a record. There is no way to delete one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Make it.
    Create,
    /// Change attributes.
    Update,
    /// Close it.
    Disable,
    /// Open it again, with whatever else differs.
    Enable,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Disable => "disable",
            Self::Enable => "enable",
        })
    }
}

/// Why a record is to change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// What the sources say of the person changed, or the person is new.
    Source,
    /// Configuration or program changed; the person did not.
    Policy,
    /// The target changed: the change is a repair.
    Drift,
}

/// Names a change by its content: the same change planned again has the same id.
pub type ChangeId = Digest;

/// A record of any pipeline: pipeline, kind, key.
pub type Address = (&'static str, &'static str, Key);

/// An element of one of a record's sets.
pub type Element = (AttributeId, String);

/// What of a record is in question: both sides of a comparison are cut to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// The scopes of set elements; `None`: all that the pipeline owns.
    pub scopes: Option<Arc<BTreeSet<String>>>,
    /// Attributes that are not in question.
    pub unasked: BTreeSet<AttributeId>,
    /// Whether memory alone says which elements are ours: what is put in is then remembered with the write.
    pub silent: bool,
}

/// One record, one action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Change {
    /// Digest of all that follows but `requires`.
    pub id: ChangeId,
    /// The pipeline.
    pub pipeline: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The record.
    pub key: Key,
    /// What is done.
    pub action: Action,
    /// How, attribute by attribute.
    pub edits: Vec<Edit>,
    /// Why.
    pub cause: Cause,
    /// Why it is closed, where it is.
    pub reason: Option<Reason>,
    /// The class in the drift table.
    pub drift: Drift,
    /// Digest of the desired record this brings about.
    pub wanted: Digest,
    /// Digest of the observed record this starts from; `None` where there must be none. If the record
    /// has moved since, the change is superseded and not written.
    pub expect: Option<Digest>,
    /// What identifies the record at the target; `None` before it exists.
    pub remote: Option<Remote>,
    /// Why the record may not be written whatever the guard says: it is protected by configuration.
    pub protected: Option<Reason>,
    /// Changes that must have landed and been confirmed before this one.
    pub requires: Vec<ChangeId>,
    /// What identified the record in the plan's reading, and nothing that was only remembered.
    #[serde(skip)]
    pub seen_as: Option<Remote>,
    /// What is remembered of the record, seen or not.
    #[serde(skip)]
    pub remembered: Option<Remote>,
    /// How the record is recognised: before a create every one of these is looked up.
    #[serde(skip)]
    pub matches: Vec<super::desired::Match>,
    /// The whole desired record: what a creation is made of and what a confirmation is held against.
    #[serde(skip)]
    pub desired: Record,
    /// Records whose changes must land first, whatever they are, beside what the edits refer to.
    #[serde(skip)]
    pub after: BTreeSet<Address>,
    /// What of the record was in question.
    #[serde(skip)]
    pub bounds: Bounds,
    /// How many elements of parts it takes away, by scope.
    #[serde(skip)]
    pub taken_from: BTreeMap<String, u64>,
    /// How many of the elements it adds were there once already, and vanished.
    #[serde(skip)]
    pub again: u64,
    /// Elements of its sets that were there by another's hand when it was planned, those that are called for
    /// and, as far as the reader tells, those that are not.
    #[serde(skip)]
    pub kept: BTreeSet<Element>,
    /// Attributes (`None`: the standing) in which the record differs at a first meeting beside what is written:
    /// they are only listed.
    #[serde(skip)]
    pub listed: BTreeSet<Option<AttributeId>>,
    /// Elements in which its sets differ beside the edits, and which this leaves as they are: an addition is called
    /// for and not there, a removal is there and not called for.
    #[serde(skip)]
    pub left: Vec<Edit>,
}

impl Change {
    /// Whether this closes a record.
    pub fn disables(&self) -> bool {
        self.edits.contains(&Edit::Standing { to: Standing::Disabled })
    }
}

/// Two or more records that may be one person's, or one that may be several people's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Conflict {
    /// The kind.
    pub kind: &'static str,
    /// The person.
    pub key: Key,
    /// Kebab-case code of the rule that found it.
    pub code: &'static str,
    /// Records at the target, each with the fields that hit.
    pub candidates: Vec<Candidate>,
    /// Other people who have the same, or of whom it is called for.
    pub rivals: Vec<Rival>,
}

/// Somebody who has, or of whom is called for, a value that no two records may hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Rival {
    /// The person.
    pub key: Key,
    /// The value's attribute.
    pub attribute: &'static str,
}

/// A record that may be meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Candidate {
    /// What identifies it at the target.
    pub remote: Remote,
    /// What it was recognised by: `remembered`, `username`, ...
    pub by: Vec<&'static str>,
}

/// A record linked without a write: remembered from now on, and settled where nothing differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Link {
    /// The kind.
    pub kind: &'static str,
    /// The person.
    pub key: Key,
    /// What identifies the record.
    pub remote: Remote,
    /// What differs and is only reported: empty for an adoption.
    pub differences: Vec<Edit>,
    /// Whether this program has not met the record before this pass.
    pub new: bool,
    /// Whether it was this program that began to make it, in a write whose outcome was not known.
    pub begun: bool,
    /// The pair that settles it.
    #[serde(skip)]
    pub applied: Applied,
    /// What is wanted of it.
    #[serde(skip)]
    pub wanted: Record,
    /// Elements of its sets that are called for and are there by another's hand.
    #[serde(skip)]
    pub kept: BTreeSet<Element>,
    /// The record that it is part of, where this plan makes that one: until then there is nothing to remember.
    #[serde(skip)]
    pub after: Option<Address>,
}

/// A change that policy says to report and not to make.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: &'static str,
    /// The record.
    pub key: Key,
    /// The class in the drift table.
    pub drift: Drift,
    /// What differs.
    pub differences: Vec<Edit>,
    /// Where an accepted write did not show: it is not tried again before this, in Unix milliseconds.
    pub not_before: Option<i64>,
}

/// What is planned for one pipeline beside its changes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PipelinePlan {
    /// Records by class of the drift table; every person in scope counts once per kind.
    pub drift: BTreeMap<Drift, u64>,
    /// The same of parts, kind by kind; the other figures of this plan are of records that stand by themselves.
    pub parts: BTreeMap<&'static str, PartTally>,
    /// Untouched records by reason.
    pub untouched: BTreeMap<Reason, u64>,
    /// Disabled records by reason.
    pub disabled: BTreeMap<Reason, u64>,
    /// Records that belong to nobody we know.
    pub foreign: u64,
    /// Elements of sets that belong to nobody we know, or lie in scopes that are not ours.
    pub strangers: u64,
    /// What the sources say and no setting knows what to make of: how often, by words without personal values.
    pub left_out: BTreeMap<String, u64>,
    /// Records in doubt, by kind and key: an earlier write of unknown outcome may still be running, or could not be
    /// read back.
    pub in_doubt: Vec<(&'static str, Key)>,
    /// Journal numbers of earlier writes of unknown outcome whose records this pass has read back; with what
    /// identifies a record that was found to have been made.
    pub read_back: Vec<(u64, Option<Remote>)>,
    /// Records of which nobody knows whether they are there, by key.
    pub unobserved: Vec<Key>,
    /// Conflicts, by key.
    pub conflicts: Vec<Conflict>,
    /// Links, by key.
    pub links: Vec<Link>,
    /// Ids that were looked up of records that are remembered by name only.
    #[serde(skip)]
    pub identified: Vec<(&'static str, Key, Remote)>,
    /// Records that were found in the places of those that are remembered, by kind and key.
    #[serde(skip)]
    pub replaced: Vec<(&'static str, Key, Remote)>,
    /// What is only reported, by key.
    pub findings: Vec<Finding>,
    /// Elements and references whose other end does not exist yet.
    pub waiting: u64,
    /// Whose they are.
    #[serde(skip)]
    pub waiting_for: Vec<Key>,
    /// Records whose last applied pair is dropped: they are absent, and rightly so.
    pub forgotten: Vec<(&'static str, Key)>,
}

impl PipelinePlan {
    /// Whose records are in doubt; twice of whom two are.
    pub fn doubted(&self) -> impl Iterator<Item = &Key> {
        self.in_doubt.iter().map(|(_, key)| key)
    }
}

/// How the parts of one kind were classed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PartTally {
    /// By class of the drift table.
    pub drift: BTreeMap<Drift, u64>,
    /// Untouched ones by reason.
    pub untouched: BTreeMap<Reason, u64>,
    /// Those of which an earlier write has an unknown outcome.
    pub in_doubt: u64,
    /// Elements that are there, in the scopes that are ours.
    pub elements: u64,
}

/// A DAG of changes over all pipelines in scope, in an order in which they may be applied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Plan {
    /// Digest of the changes' ids in order. The same world gives the same hash.
    pub hash: Digest,
    /// In topological order; kind rank and key break ties.
    pub changes: Vec<Change>,
    /// The rest, by pipeline.
    pub pipelines: BTreeMap<&'static str, PipelinePlan>,
}
