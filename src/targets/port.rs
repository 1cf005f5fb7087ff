//! What a target is to the engine: something that says what should be, reads what is, and writes what
//! it is told. Implementations live in one folder each and know neither the engine nor each other.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use reconcile_state::{AttributeId, Claim, Key, Record, Remote, Schema};

use crate::model::{Anchor, Batch, Desired, Outcome, Person, Ready, Reason, TargetError};
pub use crate::model::{Counters, Identity};

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
}

/// Says what should be. Pure: the same subject, memory and time give the same answer.
pub trait Project: Send + Sync {
    /// The kinds of this pipeline, in ascending rank.
    fn kinds(&self) -> &[Schema];

    /// What is called for: one answer for each kind, in the order of [`Project::kinds`].
    fn desired(&self, subject: Subject<'_>, look: &dyn Lookup, at: Timestamp) -> Vec<Desired>;

    /// Whether an element of a scoped set is ours. Elements that are not are left out of both sides.
    fn owns(&self, _kind: &str, _attribute: AttributeId, _element: &str) -> bool {
        true
    }
}

/// Which records a reader is asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// All that the account may see.
    All,
    /// Those these anchors mean, each looked up by what is remembered and by every match.
    These(Vec<Anchor>),
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
}

/// Writes what it is told.
pub trait Writer: Send + Sync {
    /// What may share one real request. Every change stands in exactly one batch.
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch>;

    /// Sends one real request: one outcome for each change of the batch.
    fn write(&self, batch: &Batch) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// [`Reader`] behind a pointer.
pub trait AnyReader: Send + Sync {
    /// [`Reader::identity`]
    fn identity(&self) -> BoxFuture<'_, Result<Identity, TargetError>>;
    /// [`Reader::observe`]
    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>>;
}

impl<R: Reader> AnyReader for R {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, TargetError>> {
        Box::pin(Reader::identity(self))
    }

    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        Reader::observe(self, kind, ask)
    }
}

/// [`Writer`] behind a pointer.
pub trait AnyWriter: Send + Sync {
    /// [`Writer::batches`]
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch>;
    /// [`Writer::write`]
    fn write<'w>(&'w self, batch: &'w Batch) -> BoxFuture<'w, Vec<Outcome>>;
}

impl<W: Writer> AnyWriter for W {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        Writer::batches(self, ready)
    }

    fn write<'w>(&'w self, batch: &'w Batch) -> BoxFuture<'w, Vec<Outcome>> {
        Box::pin(Writer::write(self, batch))
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
}

/// One line of the registry: how a target is called, configured and opened.
pub trait Definition: Send + Sync {
    /// The pipeline's name: configuration section, reports, `--pipeline`.
    fn name(&self) -> &'static str;

    /// The section of the embedded default configuration, commented, all keys but credentials and
    /// addresses at their defaults. Starts with `[name]`.
    fn configuration(&self) -> &'static str;

    /// Opens the target. No request is made yet.
    ///
    /// # Errors
    /// [`OpenError`] naming the key that is wrong.
    fn open(&self, section: toml::Table, around: &Surroundings<'_>) -> Result<Target, OpenError>;

    /// Starts the target's simulator on loopback, for the demo; `None` where there is none.
    ///
    /// # Errors
    /// Where no port is to be had.
    #[cfg(feature = "sim")]
    fn simulate(&self) -> BoxFuture<'_, std::io::Result<Option<Box<dyn Simulation>>>> {
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
