//! What a target is to the engine: something that says what should be, reads what is, and writes what
//! it is told. Implementations live in one folder each and know neither the engine nor each other.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use reconcile_state::{AttributeId, Claim, Key, Record, Remote, Schema};
use serde::Serialize;

use crate::model::{
    Anchor, Batch, Desired, Element, Outcome, Outlook, Person, Ready, Reason, Semester, Stop, TargetError,
};
pub use crate::model::{Check, Counters, Identity, Mark};
#[cfg(feature = "sim")]
use crate::sim::campus::Campus;

/// What a projection starts from.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'s> {
    /// A person that Portal LDAP knows.
    Person(&'s Person),
}

/// Read-only memory that projections may look into.
pub trait Lookup: Sync {
    /// The claim on a record of any pipeline.
    fn claim(&self, pipeline: &str, kind: &str, key: &Key) -> Option<&Claim>;
    /// Whether this pass links to existing records on weaker evidence (`--adopt`).
    fn adopt(&self) -> bool;
    /// The semesters there are, in the order of their ids.
    fn semesters(&self) -> &[Semester];
    /// How a person stands, once this pass's plan has landed, in every pipeline that is marked. Only
    /// pipelines that follow the others ([`Terms::follows`]) are told.
    fn outlooks(&self, key: &Key) -> &[Outlook];
}

/// Says what should be. Pure: the same subject, memory and time give the same answer.
pub trait Project: Send + Sync {
    /// The kinds of this pipeline, in ascending rank.
    fn kinds(&self) -> &[Schema];

    /// What is called for: one answer for each kind, in the order of [`Project::kinds`].
    fn desired(&self, subject: Subject<'_>, look: &dyn Lookup, at: Timestamp) -> Vec<Desired>;

    /// The scope that an element of a scoped set belongs to (a course, a system); `None` for an element that
    /// can never be ours. What is not ours, or not in question, is left out of both sides.
    fn scope_of<'e>(&self, _kind: &str, _attribute: AttributeId, element: &'e str) -> Option<&'e str> {
        Some(element)
    }

    /// Which scopes of a part's sets are ours now, in words that the target's reader understands
    /// ([`Parts::within`]).
    fn within(&self, _kind: &str, _look: &dyn Lookup, _at: Timestamp) -> Vec<String> {
        Vec::new()
    }

    /// The MetaVault tables that a kind's desired records are made of: while one of them is doubted, nothing
    /// is taken from these records. `None` where it may be any.
    fn tables(&self, _kind: &str) -> Option<&[&'static str]> {
        None
    }

    /// What looks at MetaVault for `reconcile check`; `None` where its rows need no looking at.
    fn survey(&self) -> Option<&dyn Survey> {
        None
    }

    /// For people: by which rule each attribute and element is called for, and why others are not.
    fn rules(&self, _subject: Subject<'_>, _look: &dyn Lookup, _at: Timestamp) -> Vec<Because> {
        Vec::new()
    }
}

/// Looks at what a pipeline's settings make of MetaVault's rows, for `reconcile check`. Pure.
pub trait Survey: Send + Sync {
    /// What there is to say: `people` are everybody's records in MetaVault. No personal values.
    fn look(&self, people: &[&Record], semesters: &[Semester], at: Timestamp) -> Vec<Check>;
}

/// The rule behind an attribute or an element, for [`Project::rules`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Because {
    /// The kind.
    pub kind: &'static str,
    /// The attribute.
    pub attribute: &'static str,
    /// The element, where the attribute is a set.
    pub element: Option<String>,
    /// Whether it is called for; otherwise `rule` says why not.
    pub wanted: bool,
    /// The rule, in words: the template, or the row and the setting that gave the element.
    pub rule: String,
}

/// Which records a reader is asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// All that the account may see.
    All,
    /// Those these anchors mean, each looked up by what is remembered and by every match.
    These(Vec<Anchor>),
    /// Of a kind whose records are parts of others: the parts of these wholes.
    Parts(Parts),
}

/// Parts that are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    /// The wholes, each as it was last seen.
    pub wholes: Vec<(Key, Remote)>,
    /// Whether these are all wholes there are.
    pub all: bool,
    /// What [`Project::within`] says is ours.
    pub within: Vec<String>,
    /// The scopes that matter; `None`: all that are ours. The reader may read more.
    pub scopes: Option<BTreeSet<String>>,
}

/// One record as the target shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// What identifies it.
    pub remote: Remote,
    /// Standing and attributes; its key says nothing and is replaced by the engine.
    pub record: Record,
    /// Values by which it may be recognised, folded as [`crate::model::Match`] values are.
    pub matches: Vec<(&'static str, String)>,
    /// Why it can never be ours although it may stand in the way: another authentication method, an
    /// administrator.
    pub foreign: Option<Reason>,
    /// Elements of its sets that are there by another's hand, or of which the reading does not tell: they
    /// satisfy whoever calls for them, and are not ours to take away unless we remember putting them there.
    pub kept: BTreeSet<Element>,
}

/// Part of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Records.
    pub seen: Vec<Seen>,
    /// Anchors that this page answers for good: what no page shows of them is absent. Without being
    /// listed here an anchor that is not seen is unknown.
    pub covered: Vec<Key>,
    /// Set on the last page of [`Ask::All`], and on no other.
    pub end: Option<End>,
    /// Of [`Ask::Parts`]: scopes that are there, are ours, and were read. A whole of which no page shows a
    /// part has nothing in them.
    pub read: BTreeSet<String>,
    /// Of [`Ask::Parts`]: scopes that are there, are ours, and were not read. What is called for in scopes
    /// that are neither read nor unread waits for them to be made.
    pub unread: BTreeSet<String>,
    /// Of [`Ask::Parts`]: elements that are nobody's of the wholes, or in scopes that are not ours.
    pub strangers: u64,
    /// Of [`Ask::Parts`]: whether the reading does not tell by whose hand elements are there. Memory alone says then
    /// which are ours.
    pub silent: bool,
}

/// The end of a whole listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// How many records there are by the target's own count, where it gives one.
    pub total: Option<u64>,
}

/// Reads what is.
pub trait Reader: Send + Sync {
    /// Checks that the target is reachable and can be worked with, and says which one it is.
    fn identity(&self) -> impl Future<Output = Result<Identity, TargetError>> + Send;

    /// Reads records of one kind. The stream ends after the first error.
    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>>;

    /// Checks connection, rights and functions, for `reconcile check`: each finding with its fix. Reads only.
    fn check(&self) -> impl Future<Output = Vec<Check>> + Send {
        async { Check::of_identity(self.identity().await) }
    }
}

/// A write of ours to a record of the directory, as the directory's own change marker shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Echo {
    /// The person.
    pub key: Key,
    /// The entry's `entryCSN` before the write; `None` where it was not told.
    pub before: Option<String>,
    /// The entry's `entryCSN` after it.
    pub after: Option<String>,
}

/// Writes what it is told.
pub trait Writer: Send + Sync {
    /// What may share one real request. Every change stands in exactly one batch.
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch>;

    /// Sends one real request: one outcome for each change of the batch.
    fn write(&self, batch: &Batch) -> impl Future<Output = Vec<Outcome>> + Send;

    /// The same, where a batch takes several requests: none starts once somebody asks to stop, and what was not sent then
    /// fails with [`stopped`](crate::model::stop::stopped).
    fn write_until(&self, batch: &Batch, _stop: &Stop) -> impl Future<Output = Vec<Outcome>> + Send {
        self.write(batch)
    }

    /// Its writes to the directory since this was last asked, in the order in which they were answered: reading
    /// them back there is no change of the person.
    fn echoes(&self) -> Vec<Echo> {
        Vec::new()
    }
}

/// [`Reader`] behind a pointer.
pub trait AnyReader: Send + Sync {
    /// [`Reader::identity`]
    fn identity(&self) -> BoxFuture<'_, Result<Identity, TargetError>>;
    /// [`Reader::observe`]
    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>>;
    /// [`Reader::check`]
    fn check(&self) -> BoxFuture<'_, Vec<Check>>;
}

impl<R: Reader> AnyReader for R {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, TargetError>> {
        Box::pin(Reader::identity(self))
    }

    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        Reader::observe(self, kind, ask)
    }

    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(Reader::check(self))
    }
}

/// [`Writer`] behind a pointer.
pub trait AnyWriter: Send + Sync {
    /// [`Writer::batches`]
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch>;
    /// [`Writer::write`]
    fn write<'w>(&'w self, batch: &'w Batch) -> BoxFuture<'w, Vec<Outcome>>;
    /// [`Writer::write_until`]
    fn write_until<'w>(&'w self, batch: &'w Batch, _stop: &'w Stop) -> BoxFuture<'w, Vec<Outcome>> {
        self.write(batch)
    }
    /// [`Writer::echoes`]
    fn echoes(&self) -> Vec<Echo>;
}

impl<W: Writer> AnyWriter for W {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        Writer::batches(self, ready)
    }

    fn write<'w>(&'w self, batch: &'w Batch) -> BoxFuture<'w, Vec<Outcome>> {
        Box::pin(Writer::write(self, batch))
    }

    fn write_until<'w>(&'w self, batch: &'w Batch, stop: &'w Stop) -> BoxFuture<'w, Vec<Outcome>> {
        Box::pin(Writer::write_until(self, batch, stop))
    }

    fn echoes(&self) -> Vec<Echo> {
        Writer::echoes(self)
    }
}

/// What a target declares of itself.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long after a lost answer the write may still land. Counted from when the outcome was recorded as
    /// unknown; where the process died before, from the beginning of the first later pass that finds the
    /// intent. Until then reading the record settles nothing, and it takes no other change.
    pub settle_after: Duration,
    /// Observations older than this are read again before a write.
    pub reread_after: Duration,
    /// Batches in flight at once.
    pub concurrency: usize,
    /// Whether all records can be listed; otherwise each is asked for.
    pub listable: bool,
    /// How many anchors are asked for at once.
    pub chunk: usize,
    /// Where records cannot be listed: one that the operator knows is there, looked for while nothing is
    /// remembered.
    pub known: Option<crate::model::Match>,
    /// The seeds' names of the counters.
    pub counters: Counters,
    /// How success here is marked in the directory; `None` where it is not.
    pub mark: Option<Mark>,
    /// The directory attributes that hold marks of birthright and of requested entitlements, where this is the
    /// pipeline that keeps them.
    pub marked_in: Option<(String, String)>,
    /// Whether this pipeline is projected after all others, from what they come to ([`Lookup::outlooks`]).
    pub follows: bool,
}

/// The read half of an open target. All that planning is given.
#[derive(Clone)]
pub struct Observer {
    /// The pipeline's name.
    pub name: &'static str,
    /// What should be.
    pub project: Arc<dyn Project>,
    /// What is.
    pub reader: Arc<dyn AnyReader>,
    /// What the target declares of itself.
    pub terms: Terms,
}

/// An open target.
#[derive(Clone)]
pub struct Target {
    /// The half that cannot write.
    pub observer: Observer,
    /// The half that can.
    pub writer: Arc<dyn AnyWriter>,
}

/// What a target needs from outside its own section to be opened.
pub struct Surroundings<'s> {
    /// The institution's settings, for policies and templates.
    pub institution: &'s crate::config::Institution,
    /// Where `env:NAME` secrets come from.
    pub environment: &'s dyn Fn(&str) -> Option<String>,
    /// The section of the directory, for a target that is the directory itself.
    pub portal_ldap: Option<&'s toml::Table>,
    /// The marks of all configured pipelines.
    pub marks: &'s [(&'static str, Mark)],
}

impl<'s> Surroundings<'s> {
    /// Those of a target that needs nothing but the institution's settings and secrets.
    pub fn new(institution: &'s crate::config::Institution, environment: &'s dyn Fn(&str) -> Option<String>) -> Self {
        Self { institution, environment, portal_ldap: None, marks: &[] }
    }
}

/// Why a target's section of the configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The section does not parse.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// The section parses and cannot be right.
    #[error("{field}: {message}")]
    Value {
        /// The key within the section.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Another section that it needs is refused.
    #[error("[{section}] {error}")]
    Elsewhere {
        /// The section.
        section: &'static str,
        /// What is wrong with it.
        error: Box<OpenError>,
    },
}

/// One line of the registry: how a target is called, configured and opened.
pub trait Definition: Send + Sync {
    /// The pipeline's name: configuration section, reports, `--pipeline`.
    fn name(&self) -> &'static str;

    /// The section of the embedded default configuration, commented, all keys but credentials and
    /// addresses at their defaults. Starts with `[name]`.
    fn configuration(&self) -> &'static str;

    /// How success in this pipeline is marked in the directory.
    fn mark(&self) -> Option<Mark> {
        None
    }

    /// Its error codes and reasons, each with what it means and what to do: see `docs/errors.md`.
    fn codes(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Opens the target. No request is made yet.
    ///
    /// # Errors
    /// [`OpenError`] naming the key that is wrong.
    fn open(&self, section: toml::Table, around: &Surroundings<'_>) -> Result<Target, OpenError>;

    /// Starts the target's simulator on loopback, with what stands there before the first pass over this
    /// campus; `None` where there is none.
    ///
    /// # Errors
    /// Where no port is to be had.
    #[cfg(feature = "sim")]
    fn simulate<'c>(&'c self, _campus: &'c Campus) -> BoxFuture<'c, std::io::Result<Option<Box<dyn Simulation>>>> {
        Box::pin(async { Ok(None) })
    }
}

/// A target's simulator while it runs.
#[cfg(feature = "sim")]
pub trait Simulation: Send + Sync {
    /// The target's section of a configuration that points here, its `[name]` header included.
    fn section(&self) -> String;

    /// Values of the `env:` secrets that the section refers to.
    fn secrets(&self) -> Vec<(String, String)>;

    /// Changes records by hand, as somebody at the target might: says in words what was done.
    fn tamper(&self) -> Vec<String>;
}
