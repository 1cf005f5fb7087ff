//! One pipeline while a plan is applied: what its batches share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use reconcile_state::{Digest, Key, Remote, Schema};

use super::memory::{Memories, Memory};
use super::observe::Look;
use super::point::{Point, Points};
use crate::clock::Clock;
use crate::model::pass::{Done, Fate};
use crate::model::stop::STOPPED;
use crate::model::{Action, Anchor, Change, Effect, ErrorKind, Outcome, Ready, Stop, TargetError};
use crate::targets::port::{AnyWriter, Observer};
use crate::wire::breaker::AWAY;

/// One pipeline while a plan is applied.
pub struct Lane<'l> {
    /// Its read half.
    pub observer: &'l Observer,
    /// Its write half.
    pub writer: &'l dyn AnyWriter,
    /// Its memory.
    pub memory: &'l Memory,
    /// Everybody's.
    pub memories: &'l Memories,
    /// The time.
    pub clock: &'l dyn Clock,
    /// The run.
    pub run: &'l str,
    /// When what the plan rests on was read.
    pub read_at: Timestamp,
    /// Whether to stop.
    pub stop: &'l Stop,
    /// Who is told of points.
    pub points: &'l Arc<dyn Points>,
    /// Batches in a row whose outcome nobody knows.
    pub doubts: AtomicU32,
    /// Why nothing more is tried: the target is away, or refuses us as a whole.
    pub halted: Mutex<Option<TargetError>>,
    /// Which scopes of parts are ours, by kind, in the target's own words.
    pub within: BTreeMap<&'static str, Vec<String>>,
    /// Records that were in doubt when the pass began, by kind and key.
    pub doubted: BTreeSet<(String, Key)>,
    /// Changes of parts that were written, and are read back together at the end of their wave.
    pub unconfirmed: Mutex<Vec<(Ready, u64, Outcome)>>,
    /// The last reading of the parts that are to change, where the plan's had grown old.
    pub refreshed: tokio::sync::Mutex<Option<Refreshed>>,
}

/// A reading of parts made while a plan is applied.
pub struct Refreshed {
    /// When.
    pub at: Timestamp,
    /// What was found.
    pub looks: BTreeMap<Key, Result<Option<Look>, TargetError>>,
}

impl<'l> Lane<'l> {
    /// A lane on which nothing has been sent yet.
    pub fn new(
        (observer, writer): (&'l Observer, &'l dyn AnyWriter),
        (memory, memories): (&'l Memory, &'l Memories),
        clock: &'l dyn Clock,
        (run, read_at): (&'l str, Timestamp),
        (stop, points): (&'l Stop, &'l Arc<dyn Points>),
    ) -> Self {
        Self {
            observer,
            writer,
            memory,
            memories,
            clock,
            run,
            read_at,
            stop,
            points,
            doubts: AtomicU32::new(0),
            halted: Mutex::new(None),
            within: BTreeMap::new(),
            doubted: BTreeSet::new(),
            unconfirmed: Mutex::default(),
            refreshed: tokio::sync::Mutex::default(),
        }
    }

    /// Whether records of a kind are parts of others.
    pub fn is_part(&self, kind: &str) -> bool {
        self.schema(kind).is_some_and(|schema| schema.part_of.is_some())
    }

    /// The schema of a kind.
    pub fn schema(&self, kind: &str) -> Option<&Schema> {
        self.observer.project.kinds().iter().find(|schema| schema.kind == kind)
    }

    /// Tells of a point.
    pub fn reached(&self, point: Point) {
        self.points.reached(Some(self.observer.name), point);
    }

    /// Unix milliseconds.
    pub fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Gives the pipeline up where the target is away, or refuses us as a whole.
    pub fn halt(&self, error: &TargetError) {
        let whole = matches!(error.kind, ErrorKind::Auth | ErrorKind::Connect | ErrorKind::Unavailable);
        if whole && (error.effect == Effect::None || error.kind == ErrorKind::Unavailable) {
            self.halted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }

    /// Counts batches of unknown outcome in a row: after a few the connection is not one to write over.
    pub fn doubt(&self, error: Option<&TargetError>) {
        const MOST: u32 = 3;
        match error.filter(|error| error.effect == Effect::Unknown) {
            None => self.doubts.store(0, Ordering::Relaxed),
            Some(error) if self.doubts.fetch_add(1, Ordering::Relaxed) + 1 >= MOST => {
                let given_up = error.clone().effect(Effect::None);
                self.halted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(given_up);
            }
            Some(_) => {}
        }
    }

    /// Why it was given up.
    pub fn is_halted(&self) -> Option<TargetError> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The fate of a change that certainly did nothing.
pub fn unlanded(error: TargetError) -> Fate {
    if error.code == AWAY { Fate::NotTried(error) } else { unfinished(error) }
}

/// The fate of a change of which something may have landed.
pub fn unfinished(error: TargetError) -> Fate {
    if error.code == STOPPED { Fate::Interrupted } else { Fate::Failed(error) }
}

/// A change with its fate, and what the record was then seen to be.
pub type Settled = (Done, Option<(Option<Remote>, Digest)>);

/// What a change is looked up by: before a create every match, else what is remembered.
pub fn anchor(change: &Change, remote: Option<&Remote>) -> Anchor {
    Anchor {
        key: change.key.clone(),
        remembered: remote.or(change.remote.as_ref()).or(change.remembered.as_ref()).cloned(),
        matches: if change.action == Action::Create { change.matches.clone() } else { Vec::new() },
    }
}
