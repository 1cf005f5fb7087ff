//! What a pass found, judged and did: plain data that reports are made of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile_state::trust::{SourceFigures, Trust};
use reconcile_state::window::Window;
use reconcile_state::{Edit, Key, Schema};
use serde::Serialize;

use super::change::{Change, ChangeId, Plan};
use super::error::TargetError;
use super::reason::Reason;
use super::target::{Counters, Identity};

/// Something the operator is told at once: the seeds' `ErrorHandler`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Event {
    /// Stable code, as the seeds name them.
    pub code: String,
    /// The pipeline, where one is concerned.
    pub pipeline: Option<&'static str>,
    /// The step of the pass: `collect`, `observe`, `apply`, ...
    pub step: &'static str,
    /// The record, where one is concerned.
    pub key: Option<Key>,
    /// What happened and the next step; no personal values.
    pub message: String,
}

/// One source, as read in this pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SourceSummary {
    /// `Portal LDAP` or `MetaVault`.
    pub name: &'static str,
    /// People it has, as far as this pass knows.
    pub people: u64,
    /// Records not known before, changed, and gone since the last reading.
    pub new: u64,
    /// See `new`.
    pub changed: u64,
    /// See `new`.
    pub gone: u64,
    /// Whether absences in it are believed.
    pub trust: Trust,
    /// Oddities by code: malformed entries, people without an entry in the directory.
    pub findings: BTreeMap<String, u64>,
}

/// Which people a pass is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScopeSummary {
    /// In words: `everything`, `changed`, `3 keys`.
    pub what: String,
    /// People in it.
    pub people: u64,
    /// Keys asked for that no source knows.
    pub unknown_keys: Vec<String>,
}

/// One pipeline, as read and planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PipelineSummary {
    /// The pipeline.
    pub name: &'static str,
    /// What the target is; `None` where it could not be reached.
    pub target: Option<Identity>,
    /// Whether absences at the target are believed.
    pub trust: Trust,
    /// Records read at the target.
    pub observed: u64,
    /// The base of the guard's percents: the larger of the last trusted observed and the desired
    /// population.
    pub base: u64,
    /// The larger of the populations observed and desired in this pass.
    #[serde(skip)]
    pub population: u64,
    /// People in scope.
    #[serde(skip)]
    pub people: u64,
    /// The MetaVault tables that a kind is made of, by kind; a kind that is not here rests on all of them.
    #[serde(skip)]
    pub tables: BTreeMap<&'static str, Vec<&'static str>>,
    /// Which scopes of parts are ours, by kind, in the target's own words.
    #[serde(skip)]
    pub within: BTreeMap<&'static str, Vec<String>>,
    /// Elements of the sets of parts, by kind and scope: the larger of what was read and what is called for.
    #[serde(skip)]
    pub elements: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Whether nothing is remembered of this pipeline yet.
    pub first_load: bool,
    /// Whether it is another target than before, adopted by the operator: what was remembered of the
    /// former one is put aside.
    pub anew: bool,
    /// Why nothing is planned for this pipeline at all.
    pub stopped: Option<Event>,
    /// The seeds' names of its counters.
    #[serde(skip)]
    pub counters: Option<Counters>,
    /// Its kinds, for names of attributes and for redaction.
    #[serde(skip)]
    pub schemas: Vec<Schema>,
    /// What it wrote lately that nobody had approved.
    #[serde(skip)]
    pub window: Window,
}

impl PipelineSummary {
    /// Whether the target answered and is not the one whose records are remembered.
    pub fn is_another_target(&self) -> bool {
        self.stopped.is_some() && self.target.is_some()
    }
}

/// A planned pass, before anything judged it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// Identifies the run in journal and reports.
    pub run: String,
    /// When the pass began.
    pub at: Timestamp,
    /// Who is in scope.
    pub scope: ScopeSummary,
    /// What was read.
    pub sources: Vec<SourceSummary>,
    /// What was observed, in the order of the registry.
    pub pipelines: Vec<PipelineSummary>,
    /// What is to be done.
    pub plan: Plan,
    /// What the operator is told at once.
    pub events: Vec<Event>,
    /// Whether records are only linked.
    pub adopt: bool,
    /// Whether everybody is in scope.
    pub whole: bool,
    /// Figures of the sources, by source: what the next readings are held against once this pass has
    /// acted.
    pub figures: BTreeMap<&'static str, SourceFigures>,
    /// By pipeline: people by the time, in Unix milliseconds, at which what is called for of them changes by itself.
    pub dates: BTreeMap<&'static str, BTreeMap<i64, Vec<Key>>>,
    /// Keys of the people in scope.
    pub people: Vec<Key>,
    /// Those of them whom this pass's reading, which proves nothing, did not show.
    pub unread: BTreeSet<Key>,
}

/// A rule of the guard that tripped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Trip {
    /// Kebab-case code of the rule, as `--allow` takes it.
    pub rule: &'static str,
    /// What was counted, what the limit is, and why it exists, with the next step.
    pub message: String,
    /// What was counted.
    pub count: u64,
    /// The limit in force.
    pub limit: u64,
    /// The changes that tripped it.
    pub changes: Vec<ChangeId>,
    /// Whether `--allow` or an approved plan may pass it.
    pub may_allow: bool,
}

/// The guard's verdict on one pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Verdict {
    /// Rules that tripped and that nobody allowed: with any, nothing of the pipeline is written.
    pub trips: Vec<Trip>,
    /// Rules that tripped and were allowed, by approval or by `--allow`.
    pub allowed: Vec<Trip>,
    /// Changes held one by one: protected records, changes that an untrusted reading forbids.
    pub held: BTreeMap<ChangeId, Reason>,
}

impl Verdict {
    /// Whether the pipeline may act.
    pub fn passes(&self) -> bool {
        self.trips.is_empty()
    }
}

/// What came of a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Landed and read back as wanted.
    Landed,
    /// Landed, and the target shows something else than was wanted: what would still have to be done, of sets
    /// also to what is there beside what was written.
    NotConverged(Vec<Edit>),
    /// The record had moved since it was planned: due again in the next pass.
    Superseded,
    /// The target refused it.
    Failed(TargetError),
    /// It was not sent: the target is away, or refuses us as a whole. Due again in the next pass.
    NotTried(TargetError),
    /// The outcome is unknown; it is read back before the record takes another change.
    InDoubt(TargetError),
    /// A change it requires did not land.
    Deferred(ChangeId),
    /// The guard held it.
    Held(Reason),
    /// Not in the approved plan.
    NotApproved,
    /// The pass was interrupted before it.
    Interrupted,
}

/// A change and what came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Done {
    /// The change.
    pub change: Change,
    /// What came of it.
    pub fate: Fate,
}
