//! Plan: one pass from the sources to a plan, with read halves only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reconcile_state::store::{Scope as Rowset, Side, Store};
use reconcile_state::trust::{Doubt, Trust};
use reconcile_state::window::Window;
use reconcile_state::{Key, Record, Remote, Schema};

use super::blocking::blocking;
use super::collect::{Collected, Collector, collect};
use super::conflicts;
use super::correlate::Found;
use super::error::PassError;
use super::guard::infers_absence;
use super::held::Held;
use super::look::Look as Looks;
use super::memory::{Memories, Memory};
use super::observe::{self, Look, Observed, look, observe};
use super::order;
use super::outlook::{Classes, foresee};
use super::parts::{self, ObservedParts};
use super::planner::{Open, Order, Planner};
use super::point::Point;
use super::processed::Dates;
use super::project::{Projector, Row, Rows, active};
use super::question::Question;
use super::spent;
use super::vanished::ATTRIBUTE_VANISHED;
use super::weigh::{Elements, Judging};
use crate::model::pass::{Event, PipelineSummary, Planned};
use crate::model::scope::Pick;
use crate::model::{Address, Anchor, Bounds, Call, Change, Outlook, PipelinePlan, Plan, Prospect};
use crate::targets::port::{Identity, Observer, Parts};

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
    let whole = order.scope.pick == Pick::Everything && order.scope.limit.is_none();
    let mut pass = Pass {
        planner,
        order,
        memories: &memories,
        windows: windows(planner, &open, order).await?,
        collected: &collected,
        whole,
        changes: Vec::new(),
        pipelines: BTreeMap::new(),
        held: Held::default(),
        events: memories.events().chain(collected.events.iter().cloned()).collect(),
        summaries,
        dates: BTreeMap::new(),
    };
    let schemas: Vec<Schema> = open.iter().flat_map(|one| one.observer.project.kinds()).cloned().collect();
    let (following, leading): (Vec<&Open<'_>>, Vec<&Open<'_>>) =
        open.iter().partition(|one| one.observer.terms.follows);
    let looks = |outlooks| {
        Arc::new(Looks { memories: Arc::clone(&memories), semesters: collected.semesters.clone(), outlooks })
    };
    let mut rows = project(planner, &leading, looks(BTreeMap::new()), &collected, order).await?;
    let mut classes = BTreeMap::new();
    for one in &leading {
        classes.insert(one.observer.name, pass.pipeline(one, rows.get_mut(one.observer.name)).await?);
    }
    if !following.is_empty() {
        pass.drop_impossible(&schemas);
        let outlooks = pass.outlooks(&leading, &rows, &classes);
        drop((rows, classes));
        pass.identify(&leading, &outlooks).await?;
        // What is met in this plan is known to those that refer to it, as it will be when they are written.
        for (name, plan) in &pass.pipelines {
            plan.links.iter().for_each(|link| memories.met(name, link.kind, &link.key, &link.remote));
        }
        let mut rows = project(planner, &following, looks(outlooks), &collected, order).await?;
        for one in &following {
            pass.pipeline(one, rows.get_mut(one.observer.name)).await?;
        }
    }
    let plan = pass.ordered(&schemas);
    let (mut summaries, events, dates) = (pass.summaries, pass.events, pass.dates);
    let unheld = plan.changes.iter().filter(|change| infers_absence(change)).count();
    let mut sources = collected.sources;
    if !(collected.everybody || collected.lacks_values)
        && unheld > 0
        && let Some(directory) = sources.first_mut()
    {
        let message = format!(
            "{}: {unheld} changes follow from what it does not say of somebody, and everybody was never read to hold that \
             against; read everybody once (reconcile --plan), then run this again",
            directory.name
        );
        directory.trust.doubts.push(Doubt::new(EVERYBODY_UNKNOWN, message));
    }
    let summaries = planner.observers.iter().filter_map(|(observer, _)| summaries.remove(observer.name));
    conflicts::remember(planner, order, &collected.keys, &plan).await?;
    planner.points.reached(None, Point::Planned);
    Ok(Planned {
        run: order.run.clone(),
        at: order.at,
        adopt: order.adopt,
        whole,
        sources,
        scope: collected.scope,
        pipelines: summaries.collect(),
        plan,
        events,
        figures: collected.figures,
        people: collected.keys,
        unread: collected.unread,
        dates,
    })
}

/// A pass while it is planned.
struct Pass<'p> {
    planner: &'p Planner,
    order: &'p Order,
    memories: &'p Arc<Memories>,
    windows: BTreeMap<&'static str, Window>,
    collected: &'p Collected,
    whole: bool,
    changes: Vec<Change>,
    pipelines: BTreeMap<&'static str, PipelinePlan>,
    held: Held,
    events: Vec<Event>,
    summaries: BTreeMap<&'static str, PipelineSummary>,
    dates: BTreeMap<&'static str, Dates>,
}

impl Pass<'_> {
    /// Reads and weighs one pipeline, kind by kind. Of what was weighed only the outcome is kept: the bodies of
    /// everybody's records are most of what a pass holds.
    async fn pipeline(&mut self, one: &Open<'_>, mut mine: Option<&mut Rows>) -> Result<Classes, PassError> {
        let (memory, name) = (&self.memories.pipelines[one.observer.name], one.observer.name);
        let reached = self.planner.tell(Some(name));
        let mut judged = Judging {
            one,
            memory,
            order: self.order,
            collected: self.collected,
            plan: PipelinePlan::default(),
            changes: vec![],
            classes: Classes::new(),
            progress: self.planner.progress.as_ref(),
            reached: &reached,
        };
        self.dates.insert(name, dates(mine.iter().flat_map(|rows| rows.values())));
        let window = self.windows.get(name).cloned().unwrap_or_default();
        let mut summary = summary(one, memory, window);
        let mut population = 0;
        let mut wholes: BTreeMap<&'static str, Observed> = BTreeMap::new();
        let mut none = BTreeMap::new();
        for schema in one.observer.project.kinds() {
            let projected = mine.as_deref_mut().and_then(|rows| rows.get_mut(schema.kind)).unwrap_or(&mut none);
            let rows = &*projected;
            for (why, count) in rows.values().flat_map(left_out) {
                *judged.plan.left_out.entry(why.clone()).or_default() += count;
            }
            if let Some(of) = schema.part_of {
                let Some(observed) = wholes.get(of) else { continue };
                let within = self.within(one, schema);
                summary.within.insert(schema.kind, within.clone());
                let parts = self.parts(one, schema, within, rows, (of, observed)).await;
                summary.trust.doubts.extend(parts.trust.doubts.iter().cloned());
                self.events.extend(parts.failure.as_ref().map(|error| observe::event(name, error)));
                let elements = judged.parts(schema, rows, (of, observed), &parts, self.whole)?;
                let measured = self.whole && summary.trust.is_trusted();
                let known = memory.elements.get(schema.kind).filter(|_| !measured);
                summary.elements.insert(schema.kind, largest(elements, known, self.whole));
                projected.values_mut().for_each(Row::lighten);
                continue;
            }
            let gone = judged.gone(schema.kind);
            let question = Question {
                observer: one.observer,
                schema,
                rows,
                memory,
                memories: self.memories,
                whole: self.whole,
                gone: &gone,
                vanished: self.order.allow.contains(ATTRIBUTE_VANISHED),
                at: self.order.at.as_millisecond(),
                progress: self.planner.progress.as_ref(),
            };
            let mut observed = observe(&question, reached.clone()).await?;
            summary.observed += observed.seen.len() as u64;
            summary.people = summary.people.max(rows.len() as u64);
            summary.trust.doubts.extend(observed.trust.doubts.iter().cloned());
            summary.trust.doubts.extend(unclear(rows, &observed));
            self.events.extend(observed.event.clone());
            population = population.max(active(rows)).max(owned(&observed));
            judged.kind(schema, rows, &gone, &observed)?;
            self.held.look(schema, &judged.changes, &observed, &|remote| memory.owner(schema.kind, remote));
            projected.values_mut().for_each(Row::lighten);
            observed.lighten();
            wholes.insert(schema.kind, observed);
        }
        summary.population = population;
        // A narrow scope says nothing of the population: the last whole reading does.
        summary.base = population.max(memory.population);
        self.changes.append(&mut judged.changes);
        self.pipelines.insert(name, judged.plan);
        self.summaries.insert(name, summary);
        Ok(judged.classes)
    }

    fn within(&self, one: &Open<'_>, schema: &Schema) -> Vec<String> {
        let look = Looks {
            memories: Arc::clone(self.memories),
            semesters: self.collected.semesters.clone(),
            outlooks: BTreeMap::new(),
        };
        one.observer.project.within(schema.kind, &look, self.order.at)
    }

    /// Reads the parts of the wholes that were found. In a narrow scope only what these people have, had or are
    /// to have matters.
    async fn parts(
        &self,
        one: &Open<'_>,
        schema: &Schema,
        within: Vec<String>,
        rows: &BTreeMap<Key, Row>,
        (of, observed): (&'static str, &Observed),
    ) -> ObservedParts {
        let (observer, memory) = (one.observer, &self.memories.pipelines[one.observer.name]);
        let remembered = |key: &Key| memory.claim(of, key).map(|claim| claim.remote.clone());
        let wholes = parts::wholes(observed, &remembered);
        let wholes: Vec<(Key, Remote)> = wholes.into_iter().filter(|(key, _)| rows.contains_key(key)).collect();
        let scopes = (!self.whole).then(|| scopes_of(observer, schema, rows, memory));
        let asked = Parts { wholes, all: self.whole, within, scopes };
        parts::read(observer, schema.kind, asked, self.planner.progress.as_ref()).await
    }

    /// Records that exist and whose ids are known, or will be before the first write.
    fn known(&self) -> BTreeSet<Address> {
        let mut known = BTreeSet::new();
        for (&name, plan) in &self.pipelines {
            let linked = plan.links.iter().filter(|link| link.remote.id.is_some());
            known.extend(linked.map(|link| (name, link.kind, link.key.clone())));
            known.extend(plan.identified.iter().map(|(kind, key, _)| (name, *kind, key.clone())));
        }
        known
    }

    /// Leaves out what cannot land whatever its order, so that nothing is built upon it.
    fn drop_impossible(&mut self, schemas: &[Schema]) {
        let known = self.known();
        let exists = exists(self.memories, &known);
        let digester = self.planner.store.digester();
        let around = order::Surroundings { schemas, exists: &exists, held: &self.held, digester };
        order::drop_impossible(&mut self.changes, &mut self.pipelines, &around);
    }

    fn ordered(&mut self, schemas: &[Schema]) -> Plan {
        let known = self.known();
        let exists = exists(self.memories, &known);
        let digester = self.planner.store.digester();
        let around = order::Surroundings { schemas, exists: &exists, held: &self.held, digester };
        order::order(std::mem::take(&mut self.changes), std::mem::take(&mut self.pipelines), &around)
    }

    /// How everybody will stand in the pipelines that are marked.
    fn outlooks(
        &self,
        leading: &[&Open<'_>],
        rows: &BTreeMap<&'static str, Rows>,
        classes: &BTreeMap<&'static str, Classes>,
    ) -> BTreeMap<Key, Vec<Outlook>> {
        let mut outlooks: BTreeMap<Key, Vec<Outlook>> = BTreeMap::new();
        for one in leading {
            let name = one.observer.name;
            let (Some(mark), Some(plan)) = (one.observer.terms.mark, self.pipelines.get(name)) else { continue };
            let (Some(rows), Some(classes)) = (rows.get(name), classes.get(name)) else { continue };
            for (key, outlook) in foresee(name, mark, rows, classes, plan, &self.changes) {
                outlooks.entry(key).or_default().push(outlook);
            }
        }
        outlooks
    }

    /// Looks up the ids of records that were only seen by name, where a mark will name them.
    async fn identify(
        &mut self,
        leading: &[&Open<'_>],
        outlooks: &BTreeMap<Key, Vec<Outlook>>,
    ) -> Result<(), PassError> {
        for one in leading {
            let Some(mark) = one.observer.terms.mark else { continue };
            let Some(schema) = one.observer.project.kinds().iter().find(|schema| schema.kind == mark.kind) else {
                continue;
            };
            let memory = &self.memories.pipelines[one.observer.name];
            let Some(plan) = self.pipelines.get_mut(one.observer.name) else { continue };
            let linked: BTreeMap<&Key, &Remote> =
                plan.links.iter().filter(|link| link.kind == mark.kind).map(|link| (&link.key, &link.remote)).collect();
            let nameless = |key: &Key| {
                let known = linked.get(key).copied().or_else(|| Some(&memory.claim(mark.kind, key)?.remote));
                known.filter(|remote| remote.id.is_none()).cloned()
            };
            let in_question = outlooks.iter().filter(|(_, mine)| {
                mine.iter().any(|one_of| one_of.pipeline == one.observer.name && one_of.prospect != Prospect::Unclear)
            });
            let anchors: Vec<Anchor> = in_question
                .filter_map(|(key, _)| {
                    Some(Anchor { key: key.clone(), remembered: Some(nameless(key)?), matches: Vec::new() })
                })
                .collect();
            let mut found: BTreeMap<Key, Remote> = BTreeMap::new();
            for some in anchors.chunks(one.observer.terms.chunk.max(1)) {
                let looked = look(one.observer, schema, self.memories, memory, some, &|_| Bounds::default()).await;
                match looked {
                    Ok(looks) => found.extend(looks.into_iter().filter_map(|(key, look)| match look {
                        Some(Look::Present(_, _, remote)) => Some((key, remote)),
                        _ => None,
                    })),
                    // Whose id is not known has a mark all the same, and gets its target id another time.
                    Err(error) => {
                        self.events.push(observe::event(one.observer.name, &error));
                        break;
                    }
                }
            }
            for link in plan.links.iter_mut().filter(|link| link.kind == mark.kind) {
                if let Some(remote) = found.remove(&link.key) {
                    link.remote = link.remote.refreshed(&remote);
                }
            }
            plan.identified.extend(found.into_iter().map(|(key, remote)| (mark.kind, key, remote)));
        }
        Ok(())
    }
}

fn exists<'e>(
    memories: &'e Memories,
    known: &'e BTreeSet<Address>,
) -> impl Fn(&'static str, &'static str, &Key) -> bool + 'e {
    |pipeline, kind, key| {
        let claim = memories.pipelines.get(pipeline).and_then(|memory| memory.claim(kind, key));
        claim.is_some_and(|claim| claim.remote.id.is_some()) || known.contains(&(pipeline, kind, key.clone()))
    }
}

/// The scopes in which these people have, had or are to have something.
fn scopes_of(observer: &Observer, schema: &Schema, rows: &BTreeMap<Key, Row>, memory: &Memory) -> BTreeSet<String> {
    let mut scopes = BTreeSet::new();
    let mut add = |record: &Record| {
        for attribute in schema.attributes() {
            let mine = record.elements(attribute.id);
            scopes.extend(
                mine.filter_map(|element| observer.project.scope_of(schema.kind, attribute.id, element))
                    .map(str::to_owned),
            );
        }
    };
    for (key, row) in rows {
        if let Call::Active(record) = &row.call {
            add(record);
        }
        // What cannot be read of the cache is read at the target.
        let known = memory.store.body(Rowset::new(schema.kind, Side::Observed), key).ok().flatten();
        known.iter().for_each(&mut add);
    }
    scopes
}

/// A narrow scope says nothing of how many elements there are, and a reading that is doubted too little: the last whole
/// one that was trusted does. Such a one itself needs no other: what there was before is no measure of what there is.
fn largest(mut now: Elements, known: Option<&Elements>, whole: bool) -> Elements {
    for (scope, count) in known.into_iter().flatten() {
        match now.get_mut(scope) {
            Some(most) => *most = (*most).max(*count),
            None if !whole => drop(now.insert(scope.clone(), *count)),
            None => {}
        }
    }
    now
}

/// Some were read before everybody was.
const EVERYBODY_UNKNOWN: &str = "everybody-unknown";

type Entered = Result<(Identity, bool), (Option<Identity>, Event)>;

/// A pipeline that had claims has lost them.
pub const CLAIMS_LOST: &str = "CLAIMS_LOST";

/// Asks the target who it is. Another one than before is refused unless the operator adopts it.
async fn enter(planner: &Planner, observer: &Observer, order: &Order) -> Result<Entered, PassError> {
    let event =
        |code: String, message| Event { code, pipeline: Some(observer.name), step: "observe", key: None, message };
    let (directory, name) = (Arc::clone(&planner.store), observer.name);
    let opened = blocking(move || match directory.pipeline(name) {
        Err(error) if error.is_loss_of_claims() => Ok(Err(error.to_string())),
        opened => Ok(Ok(opened?.meta(super::memory::IDENTITY)?)),
    });
    // Whose records these are nobody would know: nothing is asked of the target.
    let stored: Option<Identity> = match opened.await? {
        Ok(stored) => stored,
        Err(message) => {
            let lost = event(CLAIMS_LOST.to_owned(), message);
            return Ok(Err((None, Event { step: "open", ..lost })));
        }
    };
    let identity = match observer.reader.identity().await {
        Ok(identity) => identity,
        Err(error) => return Ok(Err((None, event(error.code, error.message)))),
    };
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

pub(super) async fn load(
    planner: &Planner,
    open: &[Open<'_>],
    another: BTreeSet<&'static str>,
    order: &Order,
) -> Result<Memories, PassError> {
    let open: Vec<(&'static str, Vec<Schema>, bool)> =
        open.iter().map(|one| (one.observer.name, one.observer.project.kinds().to_vec(), one.anew)).collect();
    let (directory, adopt, at) = (Arc::clone(&planner.store), order.adopt, order.at.as_millisecond());
    let memories = blocking(move || Memories::load(&directory, &open, &another, adopt, at)).await?;
    planner.points.reached(None, Point::GivenUp);
    Ok(memories)
}

/// What each open pipeline wrote lately that nobody had approved.
async fn windows(
    planner: &Planner,
    open: &[Open<'_>],
    order: &Order,
) -> Result<BTreeMap<&'static str, Window>, PassError> {
    let names: Vec<&'static str> = open.iter().map(|one| one.observer.name).collect();
    let (directory, at) = (Arc::clone(&planner.store), order.at.as_millisecond());
    let points = Arc::clone(&planner.points);
    blocking(move || {
        let recall = |name: &'static str| {
            let window = spent::recall(&directory.pipeline(name)?, at)?;
            points.reached(Some(name), Point::Recalled);
            Ok((name, window))
        };
        names.into_iter().map(recall).collect()
    })
    .await
}

pub(super) async fn gather(
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
        at: order.at.as_millisecond(),
        unfinished: &unfinished,
        marks: (
            open.iter().filter_map(|one| one.observer.terms.mark.map(|mark| mark.entitlement)).collect(),
            open.iter().find_map(|one| one.observer.terms.marked_in.clone()),
        ),
        progress: planner.progress.as_ref(),
        points: &planner.points,
    };
    collect(&collector, &order.scope).await
}

pub(super) async fn project(
    planner: &Planner,
    open: &[&Open<'_>],
    look: Arc<Looks>,
    collected: &Collected,
    order: &Order,
) -> Result<BTreeMap<&'static str, Rows>, PassError> {
    let pipelines = open
        .iter()
        .map(|one| (one.observer.name, Arc::clone(&one.observer.project), one.settings.guard.protected.clone()));
    let pipelines: Vec<_> = pipelines.collect();
    let (directory, at, progress) = (Arc::clone(&planner.store), order.at, Arc::clone(&planner.progress));
    let (keys, unread, known) =
        (collected.keys.clone(), collected.unread.clone(), collected.everybody.then(|| collected.known.clone()));
    blocking(move || {
        let memories = Arc::clone(&look.memories);
        let projector = Projector { store: directory.sources()?, pipelines, memories, look, progress, at };
        projector.project(&keys, &unread, known.as_ref())
    })
    .await
}

fn summary(one: &Open<'_>, memory: &Memory, window: Window) -> PipelineSummary {
    PipelineSummary {
        first_load: memory.is_empty() || memory.loading,
        counters: Some(one.observer.terms.counters),
        schemas: one.observer.project.kinds().to_vec(),
        anew: one.anew,
        window,
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
        trust: Trust::default(),
        observed: 0,
        base: 0,
        population: 0,
        people: 0,
        tables: tables(observer),
        within: BTreeMap::new(),
        elements: BTreeMap::new(),
        first_load: false,
        anew: false,
        stopped: None,
        counters: Some(observer.terms.counters),
        schemas: observer.project.kinds().to_vec(),
        window: Window::default(),
    }
}

fn tables(observer: &Observer) -> BTreeMap<&'static str, Vec<&'static str>> {
    let kinds = observer.project.kinds().iter();
    kinds.filter_map(|schema| Some((schema.kind, observer.project.tables(schema.kind)?.to_vec()))).collect()
}

/// People of whom nobody can say whether they have a record, because nobody knows who everybody is.
fn unclear(rows: &BTreeMap<Key, Row>, observed: &Observed) -> Option<Doubt> {
    let is_unclear = |key: &Key| !observed.correlated.found.contains_key(key);
    let count = rows.iter().filter(|(key, row)| row.unclear && is_unclear(key)).count();
    let message = format!(
        "nobody knows who else bears the values by which {count} in scope may be recognised, so none of them is \
         created; read everybody once, whole and with all values (reconcile --plan), then run this again"
    );
    (count > 0).then(|| Doubt::new(EVERYBODY_UNKNOWN, message))
}

/// What of the sources gives nothing; of whoever is left alone nothing else is expected.
fn left_out(row: &Row) -> impl Iterator<Item = (&String, &u64)> {
    row.left_out.iter().filter(|_| matches!(row.call, Call::Active(_)))
}

/// The next date that changes what is called for of each person, over all kinds.
fn dates<'r>(kinds: impl Iterator<Item = &'r BTreeMap<Key, Row>>) -> Dates {
    let mut next: BTreeMap<&Key, i64> = BTreeMap::new();
    for (key, until) in kinds.flatten().filter_map(|(key, row)| Some((key, row.valid_until?.as_millisecond()))) {
        let known = next.entry(key).or_insert(until);
        *known = (*known).min(until);
    }
    let mut dates = Dates::new();
    next.into_iter().for_each(|(key, until)| dates.entry(until).or_default().push(key.clone()));
    dates
}

/// Records that belong to somebody we know.
fn owned(observed: &Observed) -> u64 {
    observed.correlated.found.values().filter(|found| matches!(found, Found::Present(_))).count() as u64
}
