//! Apply: what the guard approved, and nothing else, in the order of its requirements.
//!
//! Each change goes the same way: intent, write, confirm, settle. What requires a change that did not
//! land is deferred.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use futures::StreamExt;
use futures::future::join_all;
use reconcile_state::{AttributeId, Digest, Edit, Key, Remote, Schema, Value};

use super::batch::send;
use super::blocking::blocking;
use super::collect::remember_echoes;
use super::confirm::confirm;
use super::error::PassError;
use super::guard::ApprovedPlan;
use super::lane::{Lane, Settled};
use super::memory::{Memories, Memory};
use super::planner::Planner;
use super::point::Point;
use super::progress::{Progress, Step};
use super::replaced::look_for_replaced;
use super::settle;
use crate::model::pass::{Done, Event, Fate};
use crate::model::{Batch, Change, ChangeId, Ready, Stop};
use crate::targets::port::{AnyWriter, Echo};

/// What came of an approved plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Every change of the plan, in its order.
    pub done: Vec<Done>,
    /// Records linked for the first time.
    pub linked: BTreeMap<&'static str, u64>,
    /// What the operator is told at once.
    pub events: Vec<Event>,
}

/// Where a record stands after a change of this pass: what the next one on it starts from.
pub(super) type Latest = BTreeMap<(&'static str, &'static str, Key), (Option<Remote>, Digest)>;

/// Applies what was approved.
///
/// # Errors
/// [`PassError::Store`] where memory refuses: then nothing more is written. What a target refuses is
/// told change by change.
pub async fn apply(
    planner: &Planner,
    writers: &BTreeMap<&'static str, Arc<dyn AnyWriter>>,
    approved: &ApprovedPlan,
    stop: &Stop,
) -> Result<Applied, PassError> {
    let applied = carry_out(planner, writers, approved, stop).await;
    if applied.is_err() {
        settle::copy_claims(planner, approved).await;
    }
    applied
}

async fn carry_out(
    planner: &Planner,
    writers: &BTreeMap<&'static str, Arc<dyn AnyWriter>>,
    approved: &ApprovedPlan,
    stop: &Stop,
) -> Result<Applied, PassError> {
    let memories = load(planner, approved).await?;
    let doubted = doubted(&memories);
    planner.points.reached(None, Point::Begun);
    let moved = settle::begin(planner, approved, &memories).await?;
    let memories = if moved { load(planner, approved).await? } else { memories };
    let linked = settle::link(planner, approved, &memories).await?;
    // Links are remembered by now: references find them.
    let memories = load(planner, approved).await?;
    let lanes: BTreeMap<&'static str, Lane<'_>> = planner
        .observers
        .iter()
        .filter_map(|(observer, _)| {
            let (name, writer) = (observer.name, writers.get(observer.name)?);
            let memory = memories.pipelines.get(name)?;
            let summary = approved.planned().pipelines.iter().find(|summary| summary.name == name);
            let mut lane = Lane::new(
                (observer, writer.as_ref()),
                (memory, &memories),
                planner.clock.as_ref(),
                (&approved.planned().run, approved.planned().at),
                (stop, &planner.points),
            );
            lane.within = summary.map(|summary| summary.within.clone()).unwrap_or_default();
            lane.doubted = doubted.get(name).cloned().unwrap_or_default();
            Some((name, lane))
        })
        .collect();
    let follows = planner.observers.iter().filter(|(observer, _)| observer.terms.follows);
    let mut run = Run::new(approved, follows.map(|(observer, _)| observer.name).collect());
    let all = run.pending.len();
    loop {
        run.defer();
        let ready = run.ready();
        if ready.is_empty() {
            break;
        }
        let references = |change: &Change| references(change, &lanes, &run.latest);
        let mut waves: BTreeMap<&'static str, Vec<Ready>> = BTreeMap::new();
        for change in ready {
            let change = run.refreshed(change);
            let references = references(&change);
            waves.entry(change.pipeline).or_default().push(Ready { change, references });
        }
        let finished = Mutex::new(run.fates.len());
        let tell = |count: usize| {
            let mut finished = finished.lock().unwrap_or_else(PoisonError::into_inner);
            *finished += count;
            planner.progress.tell(None, Step::Apply, *finished as u64, Some(all as u64));
        };
        let sent = waves
            .into_iter()
            .filter_map(|(name, ready)| Some(wave(lanes.get(name)?, ready, &tell, planner.progress.as_ref())));
        // Where one memory refuses, what the others have sent is waited for and settled: dropped, it would be in doubt.
        let results: Vec<Vec<Settled>> = join_all(sent).await.into_iter().collect::<Result<_, _>>()?;
        for (done, latest) in results.into_iter().flatten() {
            run.settle(&done, latest);
        }
    }
    let done = run.finish(approved);
    listen(planner, writers).await?;
    let events = settle::finish(planner, approved, &done).await?;
    planner.points.reached(None, Point::Finished);
    Ok(Applied { done, linked, events })
}

/// What our writes did to the directory itself is no news to us.
async fn listen(planner: &Planner, writers: &BTreeMap<&'static str, Arc<dyn AnyWriter>>) -> Result<(), PassError> {
    let echoes: Vec<Echo> = writers.values().flat_map(|writer| writer.echoes()).collect();
    if echoes.is_empty() {
        return Ok(());
    }
    let store = Arc::clone(&planner.store);
    blocking(move || remember_echoes(&store.sources()?, &echoes)).await?;
    planner.points.reached(None, Point::Heard);
    Ok(())
}

async fn wave(
    lane: &Lane<'_>,
    ready: Vec<Ready>,
    tell: &(dyn Fn(usize) + Send + Sync),
    progress: &dyn Progress,
) -> Result<Vec<Settled>, PassError> {
    *lane.refreshed.lock().await = None;
    let parts: Vec<Ready> = ready.iter().filter(|ready| lane.is_part(ready.change.kind)).cloned().collect();
    let parts = &parts;
    let batches = batches(lane, ready);
    let sent = futures::stream::iter(batches).map(|batch| async move {
        let settled = send(lane, batch, parts).await?;
        tell(settled.len());
        Ok::<_, PassError>(settled)
    });
    let mut sent = sent.buffer_unordered(lane.observer.terms.concurrency.max(1));
    let (mut all, mut failure) = (Vec::new(), None);
    while let Some(settled) = sent.next().await {
        match settled {
            Ok(settled) => all.extend(settled),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    drop(sent);
    if let Some(error) = failure {
        return Err(error);
    }
    let written = std::mem::take(&mut *lane.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner));
    if !written.is_empty() {
        let (name, count) = (lane.observer.name, written.len());
        progress.tell(Some(name), Step::Confirm, 0, Some(count as u64));
        all.extend(confirm(lane, written).await?);
        progress.tell(Some(name), Step::Confirm, count as u64, Some(count as u64));
        tell(count);
    }
    look_for_replaced(lane, &all).await?;
    Ok(all)
}

/// What was in doubt when the pass began, by pipeline.
fn doubted(memories: &Memories) -> BTreeMap<&'static str, BTreeSet<(String, Key)>> {
    let open = |memory: &Memory| {
        memory.open.iter().map(|open| (open.intent.kind.clone(), open.intent.key.clone())).collect::<BTreeSet<_>>()
    };
    memories.pipelines.iter().map(|(name, memory)| (*name, open(memory))).collect()
}

/// What is sent together: who was in doubt goes alone, after the others. Nobody knows what their last batch failed for,
/// and the one whom it was for must not hold up all of it for ever.
fn batches(lane: &Lane<'_>, ready: Vec<Ready>) -> Vec<Batch> {
    let (doubted, rest): (Vec<Ready>, Vec<Ready>) = ready
        .into_iter()
        .partition(|ready| lane.doubted.contains(&(ready.change.kind.to_owned(), ready.change.key.clone())));
    let mut batches = lane.writer.batches(rest);
    for Batch { request, changes } in lane.writer.batches(doubted) {
        batches.extend(changes.into_iter().map(|ready| Batch { request, changes: vec![ready] }));
    }
    batches
}

async fn load(planner: &Planner, approved: &ApprovedPlan) -> Result<Memories, PassError> {
    let summaries = &approved.planned().pipelines;
    let read = |name: &str| summaries.iter().any(|summary| summary.name == name && summary.stopped.is_none());
    let observers = planner.observers.iter().filter(|(observer, _)| read(observer.name));
    let open: Vec<(&'static str, Vec<Schema>, bool)> =
        observers.map(|(observer, _)| (observer.name, observer.project.kinds().to_vec(), false)).collect();
    let another = summaries.iter().filter(|summary| summary.is_another_target()).map(|summary| summary.name);
    let another: BTreeSet<&'static str> = another.collect();
    let (store, adopt) = (Arc::clone(&planner.store), approved.planned().adopt);
    let at = approved.planned().at.as_millisecond();
    blocking(move || Memories::load(&store, &open, &another, adopt, at)).await
}

/// The ids of the records that a change refers to: from this pass where it made them, else from memory.
fn references(
    change: &Change,
    lanes: &BTreeMap<&'static str, Lane<'_>>,
    latest: &Latest,
) -> BTreeMap<AttributeId, String> {
    let mut ids = BTreeMap::new();
    let Some(lane) = lanes.get(change.pipeline) else { return ids };
    let Some(schema) = lane.schema(change.kind) else { return ids };
    for edit in &change.edits {
        let Edit::Set { attribute, to: Value::Reference(key), .. } = edit else { continue };
        let Some(attribute) = schema.attribute(*attribute) else { continue };
        let reconcile_state::Shape::Reference { pipeline, kind } = attribute.shape else { continue };
        let made = latest.get(&(pipeline, kind, key.clone())).and_then(|(remote, _)| remote.as_ref()?.id.clone());
        let known = || {
            let memory = lane.memories.pipelines.get(pipeline)?;
            memory.claim(kind, key)?.remote.id.clone()
        };
        if let Some(id) = made.or_else(known) {
            ids.insert(attribute.id, id);
        }
    }
    ids
}

/// The changes of a plan on their way.
struct Run<'a> {
    /// Pipelines that say what the others came to.
    follows: BTreeSet<&'static str>,
    pending: BTreeMap<usize, &'a Change>,
    fates: BTreeMap<ChangeId, Fate>,
    latest: Latest,
}

impl<'a> Run<'a> {
    fn new(approved: &'a ApprovedPlan, follows: BTreeSet<&'static str>) -> Self {
        let pending = approved.changes().iter().enumerate().collect();
        Self { follows, pending, fates: BTreeMap::new(), latest: Latest::new() }
    }

    /// Whether a change that this one requires has landed: for a mark that is all of it, for a reference that the
    /// record is there.
    fn landed(&self, change: &Change, id: &ChangeId) -> bool {
        match self.fates.get(id) {
            Some(Fate::Landed) => true,
            Some(Fate::NotConverged(_)) => !self.follows.contains(change.pipeline),
            _ => false,
        }
    }

    /// Takes out what requires a change that did not land, or is not to be applied at all.
    fn defer(&mut self) {
        loop {
            let waiting: BTreeSet<ChangeId> = self.pending.values().map(|change| change.id).collect();
            let broken =
                |c: &Change| c.requires.iter().find(|id| !self.landed(c, id) && !waiting.contains(*id)).copied();
            let deferred: Vec<(usize, ChangeId, ChangeId)> =
                self.pending.iter().filter_map(|(&at, change)| Some((at, change.id, broken(change)?))).collect();
            if deferred.is_empty() {
                return;
            }
            for (at, id, by) in deferred {
                self.pending.remove(&at);
                self.fates.insert(id, Fate::Deferred(by));
            }
        }
    }

    fn ready(&mut self) -> Vec<&'a Change> {
        let ready: Vec<usize> = self
            .pending
            .iter()
            .filter(|(_, change)| change.requires.iter().all(|id| self.landed(change, id)))
            .map(|(&at, _)| at)
            .collect();
        ready.into_iter().filter_map(|at| self.pending.remove(&at)).collect()
    }

    /// The change, starting from what an earlier one of this pass left on the same record.
    fn refreshed(&self, change: &Change) -> Change {
        let mut change = change.clone();
        if let Some((remote, digest)) = self.latest.get(&(change.pipeline, change.kind, change.key.clone())) {
            change.expect = Some(*digest);
            change.remote = remote.clone().or(change.remote);
        }
        // A part is found by what its whole has become.
        for whole in change.after.iter().filter(|(pipeline, ..)| *pipeline == change.pipeline) {
            if let Some((Some(remote), _)) = self.latest.get(whole) {
                change.remote = Some(change.remote.take().unwrap_or_default().refreshed(remote));
            }
        }
        change
    }

    fn settle(&mut self, done: &Done, latest: Option<(Option<Remote>, Digest)>) {
        if let Some(latest) = latest {
            self.latest.insert((done.change.pipeline, done.change.kind, done.change.key.clone()), latest);
        }
        self.fates.insert(done.change.id, done.fate.clone());
    }

    /// Every change of the plan with its fate, in the plan's order.
    fn finish(mut self, approved: &ApprovedPlan) -> Vec<Done> {
        for done in approved.held() {
            self.fates.insert(done.change.id, done.fate.clone());
        }
        let changes = &approved.planned().plan.changes;
        let fate = |change: &Change| self.fates.get(&change.id).cloned().unwrap_or(Fate::Interrupted);
        changes.iter().map(|change| Done { change: change.clone(), fate: fate(change) }).collect()
    }
}
