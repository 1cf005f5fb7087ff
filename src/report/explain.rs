//! One person, explained, as it may be shown: the redacted twin of [`Explained`]. Field names are those of the JSON.

use jiff::Timestamp;
use reconcile_state::{Drift, Key, Record, Schema, Standing};
use serde::Serialize;

use super::build::edits;
use super::redact::{self, Shown};
use super::value::EditReport;
use crate::engine::{
    Called, Explained, KindExplained, KnownConflict, LastApplied, Next, PipelineExplained, Sight, Told,
};
use crate::model::pass::Event;
use crate::model::person::{directory, vault};
use crate::model::{Action, Cause, Reason};
use crate::targets::port::Because;

/// Version of the JSON.
const VERSION: u32 = 1;

/// One person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ExplainReport {
    /// Version of the format.
    pub version: u32,
    /// The UH-ID.
    pub key: Key,
    /// When it was asked.
    pub at: Timestamp,
    /// Whether sources and targets were read for it.
    pub live: bool,
    /// The user name that was selected.
    pub username: Option<String>,
    /// `active`, `disabled` or `gone`, as Portal LDAP has the person.
    pub standing: &'static str,
    /// Why nothing else is believed of the person.
    pub away: Option<Reason>,
    /// What Portal LDAP said.
    pub directory: Option<Vec<NamedValue>>,
    /// What MetaVault said.
    pub vault: Option<Vec<NamedValue>>,
    /// The last pass that asked the sources for everybody.
    pub everybody_read: Option<Moment>,
    /// The last pass that asked them for anybody.
    pub last_read: Option<Moment>,
    /// In the order of the configuration.
    pub pipelines: Vec<PipelineReport>,
}

/// A pass, and when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Moment {
    /// The run.
    pub run: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// An attribute and its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NamedValue {
    /// The attribute.
    pub attribute: String,
    /// The value.
    pub value: Shown,
}

/// One pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PipelineReport {
    /// Its name.
    pub name: &'static str,
    /// Whether it follows from the other pipelines.
    pub follows: bool,
    /// The last pass over everybody.
    pub whole: Option<Moment>,
    /// The last pass of any scope.
    pub last: Option<Moment>,
    /// Whether the first load is still to come, or not through.
    pub first_load: bool,
    /// Why nothing is written for the person.
    pub protected: Option<Reason>,
    /// Why the target could not be read.
    pub stopped: Option<Event>,
    /// Rules of the guard that trip over this person alone.
    pub refused: Vec<&'static str>,
    /// Kinds of record.
    pub kinds: Vec<KindReport>,
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KindReport {
    /// The kind.
    pub kind: &'static str,
    /// The kind whose record it is part of.
    pub part_of: Option<&'static str>,
    /// `active`, `disabled`, `untouched` or `gone`.
    pub called: &'static str,
    /// Why it is closed or left alone.
    pub reason: Option<Reason>,
    /// What it is called for to be.
    pub desired: Vec<NamedValue>,
    /// The rules.
    pub because: Vec<BecauseReport>,
    /// What identifies the record at the target: the one that was seen, where it is another than is remembered.
    pub remote: Option<reconcile_state::Remote>,
    /// What last settled.
    pub applied: Option<AppliedReport>,
    /// `present`, `absent`, `unknown`, `ambiguous` or `no-whole`.
    pub observed: &'static str,
    /// Its standing, where it is present.
    pub standing: Option<Standing>,
    /// What was seen of it.
    pub seen: Vec<NamedValue>,
    /// When all records of the kind were last read.
    pub read_at: Option<Timestamp>,
    /// When this one was read after a later write.
    pub confirmed: Option<Moment>,
    /// Its class in the drift table.
    pub drift: Option<Drift>,
    /// What the next pass would do.
    pub next: NextReport,
    /// Called for, and waiting until the other end exists.
    pub waiting: Vec<EditReport>,
    /// Not made, because MetaVault does not have the person.
    pub kept: Vec<EditReport>,
    /// Not made, because memory was lost and nobody knows what this program did.
    pub unsure: Vec<EditReport>,
}

/// The rule behind an attribute or an element.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BecauseReport {
    /// The attribute.
    pub attribute: &'static str,
    /// The element.
    pub element: Option<Shown>,
    /// Whether it is called for.
    pub wanted: bool,
    /// The rule.
    pub rule: String,
}

/// What last settled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AppliedReport {
    /// What was wanted.
    pub wanted: Vec<NamedValue>,
    /// Whether the same is called for now.
    pub as_wanted: bool,
    /// Whether the target shows what it showed then.
    pub as_seen: Option<bool>,
    /// The write, where the end of the journal tells.
    pub when: Option<Moment>,
}

/// What the next pass would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum NextReport {
    /// Nothing; the class says why.
    Nothing,
    /// Write.
    Change {
        /// What is done.
        action: Action,
        /// Attribute by attribute.
        edits: Vec<EditReport>,
        /// Why.
        cause: Cause,
        /// Why it is closed.
        reason: Option<Reason>,
        /// Why the guard holds it.
        held: Option<Reason>,
    },
    /// Remember the record; the differences are only listed.
    Link {
        /// What differs.
        differences: Vec<EditReport>,
    },
    /// List what differs.
    List {
        /// What differs.
        differences: Vec<EditReport>,
        /// Not tried again before this.
        until: Option<Timestamp>,
    },
    /// Drop what is remembered.
    Forget,
    /// Read an earlier write back first.
    InDoubt {
        /// What was to be done.
        action: String,
        /// The run that sent it.
        sent: Moment,
        /// Since when its outcome is known to be unknown.
        since: Option<Timestamp>,
        /// From when on it is read back.
        until: Option<Timestamp>,
    },
    /// Nothing before a person has decided.
    Conflict(ConflictReport),
}

/// What only a person can decide.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConflictsReport {
    /// Version of the format.
    pub version: u32,
    /// By pipeline, in its own order.
    pub conflicts: Vec<ConflictReport>,
    /// Pipelines of which nobody knows.
    pub stopped: Vec<Event>,
}

impl Default for ConflictsReport {
    fn default() -> Self {
        Self { version: VERSION, conflicts: Vec::new(), stopped: Vec::new() }
    }
}

/// A conflict that a pass found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConflictReport {
    /// The pipeline.
    pub pipeline: String,
    /// The kind.
    pub kind: String,
    /// The person.
    pub key: Key,
    /// Code of the rule.
    pub code: String,
    /// Records that may be meant.
    pub candidates: Vec<CandidateReport>,
    /// Others who are in the way.
    pub rivals: Vec<RivalReport>,
    /// The pass that found it last.
    pub found: Moment,
    /// What to do.
    pub advice: &'static str,
}

/// A record that may be meant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CandidateReport {
    /// What identifies it.
    pub remote: reconcile_state::Remote,
    /// What it was found by.
    pub by: Vec<String>,
}

/// Somebody who is in the way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RivalReport {
    /// The person.
    pub key: Key,
    /// The attribute.
    pub attribute: String,
}

impl ExplainReport {
    /// What may be shown of an explanation.
    pub fn of(explained: &Explained) -> Self {
        let said = &explained.said;
        let (directory, vault) = (directory::schema().ok(), vault::schema().ok());
        Self {
            version: VERSION,
            key: explained.key.clone(),
            at: explained.at,
            live: explained.live,
            username: said.username.clone(),
            standing: match (&said.directory, said.disabled) {
                (None, _) => "gone",
                (Some(_), true) => "disabled",
                (Some(_), false) => "active",
            },
            away: said.away,
            directory: said.directory.as_ref().map(|record| values(directory.as_ref(), record)),
            vault: said.vault.as_ref().map(|record| values(vault.as_ref(), record)),
            everybody_read: said.read.everybody.as_ref().map(Moment::of),
            last_read: said.read.last.as_ref().map(Moment::of),
            pipelines: explained.pipelines.iter().map(pipeline).collect(),
        }
    }
}

impl Moment {
    /// A pass as it is shown.
    pub fn of(told: &Told) -> Self {
        Self { run: told.run.clone(), at: moment(told.at) }
    }
}

impl ConflictReport {
    /// A remembered conflict of this pipeline as it is shown.
    pub fn of(pipeline: &str, known: &KnownConflict) -> Self {
        let candidates = known.candidates.iter();
        let rivals = known.rivals.iter();
        Self {
            pipeline: pipeline.to_owned(),
            kind: known.kind.clone(),
            key: known.key.clone(),
            code: known.code.clone(),
            candidates: candidates.map(|c| CandidateReport { remote: c.remote.clone(), by: c.by.clone() }).collect(),
            rivals: rivals.map(|r| RivalReport { key: r.key.clone(), attribute: r.attribute.clone() }).collect(),
            found: Moment::of(&known.told),
            advice: advice(&known.code),
        }
    }
}

/// What a person can do about a conflict.
pub fn advice(code: &str) -> &'static str {
    match code {
        "several-records" => {
            "close, merge or rename all but one of these records at the target, until one alone is recognised"
        }
        "claimed-by-another" => {
            "the record is remembered as somebody else's: correct the value in the sources by which this person is \
             recognised in it, or the record at the target"
        }
        "several-people" => {
            "give each of these people a value of their own in the sources: one record cannot be both's"
        }
        "held-by-foreign" => {
            "a record that is never touched has the name: rename it at the target, or change its kind so that it may be ours"
        }
        "value-wanted-twice" => {
            "correct the sources, or the template, so that only one of these people is given the value"
        }
        "value-held" => "take the value away from the record that has it, at the target or in the sources",
        "value-swap" => "change one of these values by hand to one that is free; the next pass does the rest",
        _ => "read what the next plan says of it",
    }
}

fn moment(at: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(at).ok()
}

fn values(schema: Option<&Schema>, record: &Record) -> Vec<NamedValue> {
    let named = |(id, value): &(_, _)| NamedValue {
        attribute: redact::name(schema, *id),
        value: redact::show(schema, *id, value),
    };
    record.attributes().iter().map(named).collect()
}

fn pipeline(one: &PipelineExplained) -> PipelineReport {
    PipelineReport {
        name: one.name,
        follows: one.follows,
        whole: one.whole.as_ref().map(Moment::of),
        last: one.last.as_ref().map(Moment::of),
        first_load: one.first_load,
        protected: one.protected,
        stopped: one.stopped.clone(),
        refused: one.refused.clone(),
        kinds: one.kinds.iter().map(|kind| self::kind(one.name, kind)).collect(),
    }
}

fn kind(pipeline: &str, one: &KindExplained) -> KindReport {
    let schema = Some(&one.schema);
    let (called, reason, desired) = match &one.called {
        Called::Active(record) => ("active", None, values(schema, record)),
        Called::Disabled(record, reason) => ("disabled", Some(*reason), values(schema, record)),
        Called::Untouched(reason) => ("untouched", Some(*reason), Vec::new()),
        Called::Gone => ("gone", None, Vec::new()),
    };
    let (observed, standing, seen) = match &one.seen {
        Sight::Present(record) => ("present", Some(record.standing), values(schema, record)),
        Sight::Absent => ("absent", None, Vec::new()),
        Sight::Unknown => ("unknown", None, Vec::new()),
        Sight::Ambiguous => ("ambiguous", None, Vec::new()),
        Sight::NoWhole => ("no-whole", None, Vec::new()),
    };
    KindReport {
        kind: one.schema.kind,
        part_of: one.schema.part_of,
        called,
        reason,
        desired,
        because: one.because.iter().map(|because| self::because(&one.schema, because)).collect(),
        remote: one.remote.clone(),
        applied: one.applied.as_ref().map(|applied| self::applied(&one.schema, applied)),
        observed,
        standing,
        seen,
        read_at: one.read_at.and_then(moment),
        confirmed: one.confirmed.as_ref().map(|one| Moment { run: one.run.clone(), at: moment(one.at) }),
        drift: one.drift,
        next: next(pipeline, one),
        waiting: edits(schema, &one.waiting),
        kept: edits(schema, &one.kept),
        unsure: edits(schema, &one.unsure),
    }
}

fn because(schema: &Schema, because: &Because) -> BecauseReport {
    let element = |element: &String| match schema.named(because.attribute) {
        Some(attribute) => redact::show_element(Some(schema), attribute.id, element),
        None => Shown::Secret,
    };
    BecauseReport {
        attribute: because.attribute,
        element: because.element.as_ref().map(element),
        wanted: because.wanted,
        rule: because.rule.clone(),
    }
}

fn applied(schema: &Schema, applied: &LastApplied) -> AppliedReport {
    AppliedReport {
        wanted: applied.wanted.as_ref().map(|record| values(Some(schema), record)).unwrap_or_default(),
        as_wanted: applied.as_wanted,
        as_seen: applied.as_seen,
        when: applied.when.as_ref().map(Moment::of),
    }
}

fn next(pipeline: &str, one: &KindExplained) -> NextReport {
    let shown = |list: &[_]| edits(Some(&one.schema), list);
    match &one.next {
        Next::Nothing => NextReport::Nothing,
        Next::Change(change) => NextReport::Change {
            action: change.action,
            edits: shown(&change.edits),
            cause: change.cause,
            reason: change.reason,
            held: change.held,
        },
        Next::Link(differences) => NextReport::Link { differences: shown(differences) },
        Next::List(differences, until) => {
            NextReport::List { differences: shown(differences), until: until.and_then(moment) }
        }
        Next::Forget => NextReport::Forget,
        Next::InDoubt(doubt) => NextReport::InDoubt {
            action: doubt.action.clone(),
            sent: Moment::of(&doubt.sent),
            since: doubt.since.and_then(moment),
            until: doubt.until.and_then(moment),
        },
        Next::Conflict(known) => NextReport::Conflict(ConflictReport::of(pipeline, known)),
    }
}
