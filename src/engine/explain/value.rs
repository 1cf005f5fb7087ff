//! What is explained, as plain data. It holds secret values: only a report, which redacts, may show it.

use jiff::Timestamp;
use reconcile_state::{Drift, Edit, Key, Record, Remote, Schema};

use crate::engine::conflicts::{KnownConflict, SourcesRead, Told};
use crate::model::pass::Event;
use crate::model::{Action, Cause, Reason};
use crate::targets::port::Because;

/// One person, explained.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// The person.
    pub key: Key,
    /// When it was asked.
    pub at: Timestamp,
    /// Whether sources and targets were read for it just now.
    pub live: bool,
    /// What the sources said last.
    pub said: Said,
    /// In the order of the configuration.
    pub pipelines: Vec<PipelineExplained>,
}

/// What the sources said of a person when they were last read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// Portal LDAP; `None` where it does not have the person.
    pub directory: Option<Record>,
    /// MetaVault; `None` where it does not have the person.
    pub vault: Option<Record>,
    /// The user name that was selected of the two.
    pub username: Option<String>,
    /// Whether Portal LDAP says positively that the person is disabled.
    pub disabled: bool,
    /// Why nothing else is believed of the person.
    pub away: Option<Reason>,
    /// Which passes read the sources.
    pub read: SourcesRead,
}

/// One pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineExplained {
    /// Its name.
    pub name: &'static str,
    /// Whether what it calls for follows from the other pipelines.
    pub follows: bool,
    /// The last pass over everybody.
    pub whole: Option<Told>,
    /// The last pass of any scope.
    pub last: Option<Told>,
    /// Whether its first load is still to come, or not through.
    pub first_load: bool,
    /// Why nothing is written for the person whatever is called for.
    pub protected: Option<Reason>,
    /// Why the target could not be read just now.
    pub stopped: Option<Event>,
    /// Rules of the guard that trip over this person alone.
    pub refused: Vec<&'static str>,
    /// Kinds of record, in ascending rank.
    pub kinds: Vec<KindExplained>,
}

/// One record, there or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindExplained {
    /// The kind.
    pub schema: Schema,
    /// What is called for.
    pub called: Called,
    /// By which rules, and why what is missing is not called for.
    pub because: Vec<Because>,
    /// What identifies it at the target: the one that was seen, where it is another than is remembered.
    pub remote: Option<Remote>,
    /// What last settled.
    pub applied: Option<LastApplied>,
    /// What a pass last saw.
    pub seen: Sight,
    /// When all records of the kind were last read, in Unix milliseconds.
    pub read_at: Option<i64>,
    /// A later reading of this record alone, after a write.
    pub confirmed: Option<Confirmed>,
    /// Its class in the drift table; `None` where nothing was weighed.
    pub drift: Option<Drift>,
    /// What the next pass would do.
    pub next: Next,
    /// Edits that are called for, and wait until their other end exists.
    pub waiting: Vec<Edit>,
    /// Edits that are not made because MetaVault does not have the person.
    pub kept: Vec<Edit>,
    /// Edits that are not made because memory was lost, and nobody knows what we did.
    pub unsure: Vec<Edit>,
}

/// What is called for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Called {
    /// To be there, so.
    Active(Record),
    /// To be closed where it is.
    Disabled(Record, Reason),
    /// To be left alone.
    Untouched(Reason),
    /// Nobody says anything of the person any more.
    Gone,
}

/// What settled when the record was last written or linked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastApplied {
    /// What was wanted.
    pub wanted: Option<Record>,
    /// Whether what is called for now is what was wanted then.
    pub as_wanted: bool,
    /// Whether the target still shows what it showed then; `None` where it is not known what it shows.
    pub as_seen: Option<bool>,
    /// The write, where the journal still tells within a short look.
    pub when: Option<Told>,
}

/// A reading of one record after a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Confirmed {
    /// The run that wrote.
    pub run: String,
    /// When, in Unix milliseconds.
    pub at: i64,
}

/// What a pass last saw of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sight {
    /// This.
    Present(Record),
    /// It was not there.
    Absent,
    /// Nobody knows.
    Unknown,
    /// It could not be told which record it is.
    Ambiguous,
    /// It is part of a record that was not there, or not seen.
    NoWhole,
}

/// What the next pass would do if nothing moved until then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Nothing; the class says why.
    Nothing,
    /// Write, if the guard lets it.
    Change(NextChange),
    /// Remember the record as the person's; the differences are only listed.
    Link(Vec<Edit>),
    /// List differences, and until when nothing is tried, in Unix milliseconds.
    List(Vec<Edit>, Option<i64>),
    /// Drop what is remembered: the record is not there, and rightly so.
    Forget,
    /// Nothing before an earlier write has been read back.
    InDoubt(Doubt),
    /// Nothing before a person has decided.
    Conflict(KnownConflict),
}

/// A write to come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextChange {
    /// What is done.
    pub action: Action,
    /// How.
    pub edits: Vec<Edit>,
    /// Why.
    pub cause: Cause,
    /// Why it is closed, where it is.
    pub reason: Option<Reason>,
    /// Why the guard holds this one.
    pub held: Option<Reason>,
}

/// An earlier write of unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doubt {
    /// What was to be done.
    pub action: String,
    /// The run that sent it, and when.
    pub sent: Told,
    /// Since when it is known to be unknown, in Unix milliseconds; `None` where its process ended first.
    pub since: Option<i64>,
    /// From when on it may be read back, in Unix milliseconds.
    pub until: Option<i64>,
}
