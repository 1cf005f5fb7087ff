//! Plan: one pass from the sources to a plan, with read halves only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use reconcile_state::store::{Store, StoreDir};
use reconcile_state::trust::{Doubt, ShrinkLimit};
use reconcile_state::{Key, Schema};

use super::blocking::blocking;
use super::collect::{Collected, Collector, collect};
use super::conflicts;
use super::correlate::Found;
use super::error::PassError;
use super::held::Held;
use super::memory::{Memories, Memory};
use super::observe::{Observed, Question, observe};
use super::order;
use super::progress::Progress;
use super::project::{Projector, Row, Rows, active};
use super::weigh::Judging;
use crate::clock::Clock;
use crate::config::PipelineSettings;
use crate::model::PipelinePlan;
use crate::model::pass::{Event, PipelineSummary, Planned};
use crate::model::scope::{Pick, Scope};
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
    /// Who is told how far a pass is.
    pub progress: Arc<dyn Progress>,
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
pub(super) struct Open<'p> {
    pub(super) observer: &'p Observer,
    pub(super) settings: &'p PipelineSettings,
    identity: Identity,
    /// It is another target than before, and the operator said that this is right.
    pub(super) anew: bool,
}

/// Reads, compares and plans. Nothing is written but the cache, and since when a write without an outcome is
/// known to be in doubt.
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
    let (mut changes, mut pipelines, mut held) = (Vec::new(), BTreeMap::new(), Held::default());
    let mut events: Vec<Event> = memories.events().chain(collected.events.iter().cloned()).collect();
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
            summary.trust.doubts.extend(unclear(rows, &observed));
            events.extend(observed.event.clone());
            population = population.max(active(rows)).max(owned(&observed));
            judged.kind(schema, rows, &gone, &observed)?;
            held.look(schema, &judged.changes, &observed, &|remote| memory.owner(schema.kind, remote));
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
    let digester = planner.store.digester();
    let around = order::Surroundings { schemas: &schemas, exists: &exists, held: &held, digester };
    let plan = order::order(changes, pipelines, &around);
    let summaries = planner.observers.iter().filter_map(|(observer, _)| summaries.remove(observer.name));
    conflicts::remember(planner, order, &collected.keys, &plan).await?;
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
    let (directory, adopt, at) = (Arc::clone(&planner.store), order.adopt, order.at.as_millisecond());
    blocking(move || Memories::load(&directory, &open, &another, adopt, at)).await
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
    let mine: Vec<_> = mine.collect();
    let processed: Vec<_> = mine.iter().map(|memory| Arc::clone(&memory.processed)).collect();
    let open_intents = mine.iter().flat_map(|memory| &memory.open);
    let unfinished: BTreeSet<Key> = open_intents.map(|open| open.intent.key.clone()).collect();
    let collector = Collector {
        directory: planner.directory.as_ref(),
        vault: planner.vault.as_ref(),
        store,
        shrink: planner.shrink,
        allow: &order.allow,
        processed: &processed,
        unfinished: &unfinished,
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
    let (keys, unread, known) =
        (collected.keys.clone(), collected.unread.clone(), collected.everybody.then(|| collected.known.clone()));
    blocking(move || {
        let projector = Projector { store: directory.sources()?, pipelines, memories, at };
        projector.project(&keys, &unread, known.as_ref())
    })
    .await
}

fn summary(one: &Open<'_>, memory: &Memory) -> PipelineSummary {
    PipelineSummary {
        first_load: memory.is_empty() || memory.loading,
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

/// People of whom nobody can say whether they have a record, because the directory was never read whole.
fn unclear(rows: &BTreeMap<Key, Row>, observed: &Observed) -> Option<Doubt> {
    let is_unclear = |key: &Key| !observed.correlated.found.contains_key(key);
    let count = rows.iter().filter(|(key, row)| row.unclear && is_unclear(key)).count();
    let message = format!(
        "nobody knows yet who else bears the values by which {count} in scope may be recognised, so none of them is \
         created; read everybody once (reconcile --plan), then run this again"
    );
    (count > 0).then(|| Doubt::new("everybody-unknown", message))
}

/// Records that belong to somebody we know.
fn owned(observed: &Observed) -> u64 {
    observed.correlated.found.values().filter(|found| matches!(found, Found::Present(_))).count() as u64
}
