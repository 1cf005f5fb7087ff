//! Plan: one pass from the sources to a plan, with read halves only.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use reconcile_state::store::{Store, StoreDir};
use reconcile_state::trust::ShrinkLimit;
use reconcile_state::{Digest, Drift, Intent, Key, Record, Schema, Standing};

use super::blocking::blocking;
use super::collect::{Collected, Collector, collect};
use super::correlate::{Found, SHARED};
use super::diff::{Draft, Facts, Have, Step, Want, decide};
use super::error::PassError;
use super::memory::{Memories, Memory};
use super::observe::{Observed, Question, observe};
use super::order;
use super::project::{PROTECTED, Projector, Row, Rows, active, is_protected_key};
use crate::clock::Clock;
use crate::config::PipelineSettings;
use crate::model::pass::{Event, PipelineSummary, Planned};
use crate::model::scope::{Pick, Scope};
use crate::model::{Call, Change, Conflict, Finding, Link, PipelinePlan};
use crate::sources::port::{Directory, Vault};
use crate::targets::port::{Identity, Observer};

/// The read halves of everything: all that planning is given.
#[derive(Clone)]
pub struct Planner {
    /// Portal LDAP.
    pub directory: Arc<dyn Directory>,
    /// MetaVault.
    pub vault: Arc<dyn Vault>,
    /// Targets in scope with their settings, in the order of the registry.
    pub observers: Vec<(Observer, PipelineSettings)>,
    /// How much a source may shrink before its absences are doubted.
    pub shrink: ShrinkLimit,
    /// Memory.
    pub store: Arc<StoreDir>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Planner {
    /// The settings by pipeline, as the guard takes them.
    pub fn settings(&self) -> BTreeMap<&'static str, PipelineSettings> {
        self.observers.iter().map(|(observer, settings)| (observer.name, settings.clone())).collect()
    }
}

/// What a pass is to be about.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which people.
    pub scope: Scope,
    /// Whether to link to existing records and change nothing.
    pub adopt: bool,
    /// Doubts of sources that the operator accepts.
    pub allow: BTreeSet<String>,
    /// Names the run.
    pub run: String,
    /// The pass's time.
    pub at: Timestamp,
}

/// One open pipeline of a pass.
struct Open<'p> {
    observer: &'p Observer,
    settings: &'p PipelineSettings,
    identity: Identity,
    /// It is another target than before, and the operator said that this is right.
    anew: bool,
}

/// Reads, compares and plans. Nothing is written but the cache.
///
/// # Errors
/// [`PassError`] where a source gives nothing at all, or the store refuses. A target that fails ends
/// only its own pipeline.
pub async fn plan(planner: &Planner, order: &Order) -> Result<Planned, PassError> {
    let mut summaries: BTreeMap<&'static str, PipelineSummary> = BTreeMap::new();
    let mut open = Vec::new();
    for (observer, settings) in &planner.observers {
        match enter(planner, observer, order).await? {
            Ok((identity, anew)) => open.push(Open { observer, settings, identity, anew }),
            Err((identity, event)) => drop(summaries.insert(observer.name, stopped(observer, identity, event))),
        }
    }
    let another = summaries.values().filter(|summary| summary.is_another_target()).map(|summary| summary.name);
    let memories = Arc::new(load(planner, &open, another.collect(), order).await?);
    let collected = gather(planner, &open, &memories, order).await?;
    let rows = project(planner, &open, &memories, &collected, order).await?;
    let whole = order.scope.pick == Pick::Everything && order.scope.limit.is_none();
    let (mut changes, mut pipelines) = (Vec::new(), BTreeMap::new());
    let mut events = collected.events.clone();
    for one in &open {
        let memory = &memories.pipelines[one.observer.name];
        let mine = rows.get(one.observer.name);
        let mut judged =
            Judging { one, memory, order, collected: &collected, plan: PipelinePlan::default(), changes: vec![] };
        let mut summary = summary(one, memory);
        let mut population = 0;
        for schema in one.observer.project.kinds() {
            let none = BTreeMap::new();
            let rows = mine.and_then(|rows| rows.get(schema.kind)).unwrap_or(&none);
            let gone = judged.gone(schema.kind);
            let question =
                Question { observer: one.observer, schema, rows, memory, memories: &memories, whole, gone: &gone };
            let observed = observe(&question).await?;
            summary.observed += observed.seen.len() as u64;
            summary.trust.doubts.extend(observed.trust.doubts.iter().cloned());
            events.extend(observed.event.clone());
            population = population.max(active(rows)).max(owned(&observed));
            judged.kind(schema, rows, &gone, &observed)?;
        }
        summary.population = population;
        // A narrow scope says nothing of the population: the last whole reading does.
        summary.base = population.max(memory.population);
        changes.append(&mut judged.changes);
        pipelines.insert(one.observer.name, judged.plan);
        summaries.insert(one.observer.name, summary);
    }
    let schemas: Vec<Schema> = open.iter().flat_map(|one| one.observer.project.kinds()).cloned().collect();
    let exists = |pipeline: &str, kind: &str, key: &Key| {
        memories
            .pipelines
            .get(pipeline)
            .and_then(|memory| memory.claim(kind, key))
            .is_some_and(|c| c.remote.id.is_some())
    };
    let around = order::Surroundings { schemas: &schemas, exists: &exists, digester: planner.store.digester() };
    let plan = order::order(changes, pipelines, &around);
    let summaries = planner.observers.iter().filter_map(|(observer, _)| summaries.remove(observer.name));
    Ok(Planned {
        run: order.run.clone(),
        at: order.at,
        adopt: order.adopt,
        whole,
        sources: collected.sources,
        scope: collected.scope,
        pipelines: summaries.collect(),
        plan,
        events,
        figures: collected.figures,
        people: collected.keys,
        unread: collected.unread,
    })
}

type Entered = Result<(Identity, bool), (Option<Identity>, Event)>;

/// Asks the target who it is. Another one than before is refused unless the operator adopts it.
async fn enter(planner: &Planner, observer: &Observer, order: &Order) -> Result<Entered, PassError> {
    let event =
        |code: String, message| Event { code, pipeline: Some(observer.name), step: "observe", key: None, message };
    let identity = match observer.reader.identity().await {
        Ok(identity) => identity,
        Err(error) => return Ok(Err((None, event(error.code, error.message)))),
    };
    let (directory, name) = (Arc::clone(&planner.store), observer.name);
    let stored: Option<Identity> =
        blocking(move || Ok(directory.pipeline(name)?.meta(super::memory::IDENTITY)?)).await?;
    match stored {
        Some(stored) if stored.id != identity.id && !order.adopt => {
            let message = format!(
                "this is {} ({}), but {} ({}) is remembered; nothing is read or written. If the change is meant, \
                 link to the new one with --adopt",
                identity.title, identity.id, stored.title, stored.id
            );
            Ok(Err((Some(identity), event("TARGET_CHANGED".to_owned(), message))))
        }
        stored => {
            let anew = stored.is_some_and(|stored| stored.id != identity.id);
            Ok(Ok((identity, anew)))
        }
    }
}

async fn load(
    planner: &Planner,
    open: &[Open<'_>],
    another: BTreeSet<&'static str>,
    order: &Order,
) -> Result<Memories, PassError> {
    let open: Vec<(&'static str, Vec<Schema>, bool)> =
        open.iter().map(|one| (one.observer.name, one.observer.project.kinds().to_vec(), one.anew)).collect();
    let (directory, adopt) = (Arc::clone(&planner.store), order.adopt);
    blocking(move || Memories::load(&directory, &open, &another, adopt)).await
}

async fn gather(
    planner: &Planner,
    open: &[Open<'_>],
    memories: &Memories,
    order: &Order,
) -> Result<Collected, PassError> {
    let directory = Arc::clone(&planner.store);
    let store: Store = blocking(move || Ok(directory.sources()?)).await?;
    let mine = open.iter().filter_map(|one| memories.pipelines.get(one.observer.name));
    let processed: Vec<_> = mine.map(|memory| Arc::clone(&memory.processed)).collect();
    let collector = Collector {
        directory: planner.directory.as_ref(),
        vault: planner.vault.as_ref(),
        store,
        shrink: planner.shrink,
        allow: &order.allow,
        processed: &processed,
    };
    collect(&collector, &order.scope).await
}

async fn project(
    planner: &Planner,
    open: &[Open<'_>],
    memories: &Arc<Memories>,
    collected: &Collected,
    order: &Order,
) -> Result<BTreeMap<&'static str, Rows>, PassError> {
    let pipelines = open
        .iter()
        .map(|one| (one.observer.name, Arc::clone(&one.observer.project), one.settings.guard.protected.clone()));
    let pipelines: Vec<_> = pipelines.collect();
    let (directory, memories, at) = (Arc::clone(&planner.store), Arc::clone(memories), order.at);
    let (keys, unread) = (collected.keys.clone(), collected.unread.clone());
    blocking(move || {
        let projector = Projector { store: directory.sources()?, pipelines, memories, at };
        projector.project(&keys, &unread)
    })
    .await
}

fn summary(one: &Open<'_>, memory: &Memory) -> PipelineSummary {
    PipelineSummary {
        first_load: memory.is_empty(),
        counters: Some(one.observer.terms.counters),
        schemas: one.observer.project.kinds().to_vec(),
        anew: one.anew,
        ..stopped_summary(one.observer, Some(one.identity.clone()))
    }
}

fn stopped(observer: &Observer, identity: Option<Identity>, event: Event) -> PipelineSummary {
    PipelineSummary { stopped: Some(event), ..stopped_summary(observer, identity) }
}

fn stopped_summary(observer: &Observer, target: Option<Identity>) -> PipelineSummary {
    PipelineSummary {
        name: observer.name,
        target,
        trust: reconcile_state::trust::Trust::default(),
        observed: 0,
        base: 0,
        population: 0,
        first_load: false,
        anew: false,
        stopped: None,
        counters: Some(observer.terms.counters),
        schemas: observer.project.kinds().to_vec(),
    }
}

/// Records that belong to somebody we know.
fn owned(observed: &Observed) -> u64 {
    observed.correlated.found.values().filter(|found| matches!(found, Found::Present(_))).count() as u64
}

/// Open people who are recognised by a value that another open person bears too: neither of two new records
/// could be told from the other.
fn shared(rows: &BTreeMap<Key, Row>) -> BTreeSet<Key> {
    let mut bearers: BTreeMap<(&str, &str), Vec<&Key>> = BTreeMap::new();
    for (key, row) in rows.iter().filter(|(_, row)| matches!(row.call, Call::Active(_))) {
        for wanted in row.matches.iter().filter(|wanted| !wanted.only_unique) {
            bearers.entry((wanted.field, &wanted.value)).or_default().push(key);
        }
    }
    bearers.into_values().filter(|keys| keys.len() > 1).flatten().cloned().collect()
}

/// Turns what is called for and what was read into changes and the rest of a plan.
struct Judging<'j> {
    one: &'j Open<'j>,
    memory: &'j Memory,
    order: &'j Order,
    collected: &'j Collected,
    plan: PipelinePlan,
    changes: Vec<Change>,
}

impl Judging<'_> {
    /// Whoever is remembered and is no longer known is gone, where that is proved.
    fn gone(&self, kind: &str) -> BTreeSet<Key> {
        let claimed = self.memory.claims.get(kind).into_iter().flat_map(BTreeMap::keys);
        // Of a creation in doubt nothing is claimed yet: who is gone since cannot be asked for, but is told.
        let begun = self.memory.open.iter().map(|(_, intent)| intent).filter(|intent| intent.kind == kind);
        let gone = claimed.chain(begun.map(|intent| &intent.key));
        let gone = gone.filter(|key| self.collected.proves_gone && !self.collected.known.contains(*key));
        gone.cloned().collect()
    }

    fn kind(
        &mut self,
        schema: &Schema,
        rows: &BTreeMap<Key, Row>,
        gone: &BTreeSet<Key>,
        observed: &Observed,
    ) -> Result<(), PassError> {
        self.plan.foreign += observed.correlated.foreign;
        let shared = shared(rows);
        let keys: BTreeSet<&Key> = rows.keys().chain(gone).collect();
        for key in keys {
            self.record(schema, key, (rows.get(key), shared.contains(key)), observed)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        schema: &Schema,
        key: &Key,
        (row, shared): (Option<&Row>, bool),
        observed: &Observed,
    ) -> Result<(), PassError> {
        let now = self.order.at.as_millisecond();
        if self.in_doubt(schema.kind, key, (row, now), observed) {
            self.plan.in_doubt.push(key.clone());
            return Ok(());
        }
        let want = match row {
            None => Want::Gone,
            Some(Row { call: Call::Untouched(reason), .. }) => {
                *self.plan.untouched.entry(*reason).or_default() += 1;
                Want::Untouched
            }
            Some(Row { call: Call::Active(record), digest, .. }) => Want::Record(record, *digest, None),
            Some(Row { call: Call::Disabled(record, reason), digest, .. }) => {
                *self.plan.disabled.entry(*reason).or_default() += 1;
                Want::Record(record, *digest, Some(*reason))
            }
        };
        let have = match observed.correlated.found.get(key) {
            Some(Found::Present(at)) => {
                let seen = &observed.seen[*at];
                Have::Present(&seen.record, observed.digests[*at], &seen.remote)
            }
            Some(Found::Ambiguous(..)) => Have::Ambiguous,
            None if shared => Have::Ambiguous,
            None if observed.proved.contains(key) => Have::Absent,
            None => Have::Unknown,
        };
        let claim = self.memory.claim(schema.kind, key);
        // A reading from which nothing follows settles nothing either: whose the record is stays known.
        if !matches!(want, Want::Untouched) && !matches!(have, Have::Ambiguous | Have::Unknown) {
            self.read_back(schema.kind, key, have);
        }
        let digester = self.memory.store.digester();
        let applied = self.memory.applied.get(schema.kind).and_then(|set| set.get(&digester.key(key)));
        let failure = Cell::new(None);
        let facts = Facts {
            schema,
            key,
            want,
            have,
            applied: applied.filter(|_| !self.one.anew),
            wanted_before: &|| {
                let read = self.memory.store.wanted_body(schema.kind, key);
                read.unwrap_or_else(|error| {
                    failure.set(Some(error));
                    None
                })
            },
            claim,
            source_changed: row.is_none_or(|row| row.moved),
            begun: self.memory.begun(schema.kind, key).next().is_some(),
            now,
        };
        let (drift, step) = decide(&facts, self.one.settings);
        if let Some(error) = failure.take() {
            return Err(error.into());
        }
        *self.plan.drift.entry(drift).or_default() += 1;
        if drift == Drift::Unobserved {
            self.plan.unobserved.push(key.clone());
        }
        if drift == Drift::Conflict {
            let (code, candidates) = match observed.correlated.found.get(key) {
                Some(Found::Ambiguous(code, candidates)) => (*code, candidates.clone()),
                _ => (SHARED, Vec::new()),
            };
            self.plan.conflicts.push(Conflict { kind: schema.kind, key: key.clone(), code, candidates });
        }
        self.step(schema, &facts, row, drift, step);
        Ok(())
    }

    fn step(&mut self, schema: &Schema, facts: &Facts<'_>, row: Option<&Row>, drift: Drift, step: Step) {
        let key = facts.key.clone();
        let kind = schema.kind;
        match step {
            Step::Nothing => {}
            Step::Forget => self.plan.forgotten.push((kind, key)),
            Step::Report(differences) => {
                self.plan.findings.push(Finding { kind, key, drift, differences, not_before: None });
            }
            Step::Wait(differences) => {
                let not_before = facts.claim.and_then(|claim| claim.unsettled).map(|unsettled| unsettled.not_before);
                self.plan.findings.push(Finding { kind, key, drift, differences, not_before });
            }
            Step::Link(differences) => self.link(facts, differences),
            Step::Change(draft) if self.order.adopt => {
                // Adopting writes nothing: what is there and not yet ours is linked, what is ours already keeps
                // what is pending, and what is not there is left.
                match facts.have {
                    Have::Present(_, _, remote) if !facts.claim.is_some_and(|claim| claim.remote.is(remote)) => {
                        self.link(facts, draft.edits);
                    }
                    Have::Present(..) => {
                        let differences = draft.edits;
                        self.plan.findings.push(Finding { kind, key, drift, differences, not_before: None });
                    }
                    _ => {}
                }
            }
            Step::Change(draft) => self.change(schema, facts, row, drift, draft),
        }
    }

    fn link(&mut self, facts: &Facts<'_>, differences: Vec<reconcile_state::Edit>) {
        let (Have::Present(_, seen, remote), Want::Record(wanted, digest, _)) = (facts.have, facts.want) else {
            return;
        };
        self.plan.links.push(Link {
            kind: facts.schema.kind,
            key: facts.key.clone(),
            remote: remote.clone(),
            differences,
            new: facts.claim.is_none_or(|claim| !claim.remote.is(remote)),
            begun: facts.begun,
            applied: reconcile_state::Applied { wanted: digest, seen },
            wanted: wanted.clone(),
        });
    }

    fn change(&mut self, schema: &Schema, facts: &Facts<'_>, row: Option<&Row>, drift: Drift, draft: Draft) {
        let (desired, wanted, reason) = match facts.want {
            Want::Record(record, digest, reason) => (record.clone(), digest, reason),
            Want::Gone | Want::Untouched => {
                let closed = Record::new(facts.key.clone()).standing(Standing::Disabled);
                let digest = self.memory.store.digester().record(schema, &closed);
                (closed, digest, Some(GONE))
            }
        };
        let (expect, remote) = match facts.have {
            Have::Present(_, digest, remote) => {
                let known = facts.claim.map(|claim| claim.remote.refreshed(remote));
                (Some(digest), Some(known.unwrap_or_else(|| remote.clone())))
            }
            _ => (None, None),
        };
        self.changes.push(Change {
            id: Digest([0; 16]),
            pipeline: schema.pipeline,
            kind: schema.kind,
            key: facts.key.clone(),
            action: draft.action,
            edits: draft.edits,
            cause: draft.cause,
            reason,
            drift,
            wanted,
            expect,
            remote,
            protected: match row {
                Some(row) => row.protected,
                None => is_protected_key(facts.key, &self.one.settings.guard.protected).then_some(PROTECTED),
            },
            requires: Vec::new(),
            matches: row.map(|row| row.matches.clone()).unwrap_or_default(),
            desired,
        });
    }

    fn read_back(&mut self, kind: &str, key: &Key, have: Have<'_>) {
        let made = match have {
            Have::Present(_, _, remote) if self.memory.claim(kind, key).is_none() => {
                self.memory.begun(kind, key).next().map(|_| remote.clone())
            }
            _ => None,
        };
        let open = self.memory.open.iter().filter(|(_, intent)| intent.kind == kind && intent.key == *key);
        self.plan.read_back.extend(open.map(|(number, _)| (*number, made.clone())));
    }

    /// Whether an earlier write to the record may still land, or has not been read back yet.
    fn in_doubt(&self, kind: &str, key: &Key, (row, now): (Option<&Row>, i64), observed: &Observed) -> bool {
        // Asked for single records, the target was not asked by values that the person bears no more.
        let is_asked = |intent: &Intent| {
            let matches = row.into_iter().flat_map(|row| &row.matches);
            let asked: BTreeSet<Digest> = matches.map(|m| self.memory.recognised(m.field, &m.value)).collect();
            observed.listing || intent.matches.iter().all(|digest| asked.contains(digest))
        };
        let mut open = self.memory.open.iter().map(|(_, intent)| intent).filter(|i| i.kind == kind && i.key == *key);
        open.any(|intent| {
            let settled = intent.at.saturating_add(i64::try_from(intent.settle_after_ms).unwrap_or(i64::MAX));
            let absent = observed.proved.contains(key) && is_asked(intent);
            let answered = observed.correlated.found.contains_key(key) || absent;
            now < settled || !answered
        })
    }
}

/// Closed because the person is gone from the sources.
pub const GONE: crate::model::Reason = crate::model::Reason("gone");
