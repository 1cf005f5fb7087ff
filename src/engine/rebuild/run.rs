//! All of it, pipeline by pipeline: first those whose records others mark, then those that keep the marks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reconcile_state::{Key, Remote, Schema};

use super::derive::{Agreement, Entry, KindRebuilt, Testimony, marks, parts, records};
use super::read::{incomplete, read};
use crate::engine::blocking::blocking;
use crate::engine::claims::Claims;
use crate::engine::correlate::{Found, Sought, correlate};
use crate::engine::error::PassError;
use crate::engine::look::Look;
use crate::engine::memory::{IDENTITY, Memories};
use crate::engine::plan::{gather, load, project};
use crate::engine::planner::{Open, Order, Planner};
use crate::engine::project::Rows;
use crate::model::Anchor;
use crate::model::pass::{Event, SourceSummary};
use crate::targets::port::{Identity, Observer, Seen};

/// What was derived.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Rebuilt {
    /// Identifies the run in the journal.
    pub run: String,
    /// What was read of the sources.
    pub sources: Vec<SourceSummary>,
    /// By pipeline, in the order of the registry.
    pub pipelines: Vec<PipelineRebuilt>,
}

/// What was derived for one pipeline.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct PipelineRebuilt {
    /// The pipeline.
    pub name: &'static str,
    /// The target.
    pub target: Option<Identity>,
    /// What was lost, where the pipeline does not start without it.
    pub lost: Option<String>,
    /// Why nothing is derived at all.
    pub stopped: Option<Event>,
    /// People of whom evidence contradicted before and does no more.
    pub settled: BTreeSet<Key>,
    /// By kind.
    pub kinds: Vec<KindRebuilt>,
}

impl PipelineRebuilt {
    fn stopped(name: &'static str, lost: Option<String>, event: Event) -> Self {
        Self { name, target: None, lost, stopped: Some(event), settled: BTreeSet::new(), kinds: Vec::new() }
    }

    /// Whether there is anything to remember.
    pub fn is_due(&self) -> bool {
        let any = |kind: &KindRebuilt| !kind.derived.is_empty() || !kind.contradicted.is_empty();
        self.stopped.is_none() && (self.lost.is_some() || !self.settled.is_empty() || self.kinds.iter().any(any))
    }
}

/// A pipeline that answered.
struct Answered<'p> {
    open: Open<'p>,
    lost: Option<String>,
}

/// What the directory says: entries of people by pipeline that keeps marks.
type Entries = BTreeMap<Key, Seen>;

/// Derives the claims of these pipelines; of all that are open where none is named. Nothing is remembered yet.
///
/// # Errors
/// [`PassError`] where a source gives nothing at all, or the store refuses. A target that fails stops only its own
/// pipeline.
pub async fn rebuild(planner: &Planner, order: &Order, only: &BTreeSet<String>) -> Result<Rebuilt, PassError> {
    let is_asked = |name: &str| only.is_empty() || only.contains(name);
    let (mut answered, mut done) = (Vec::new(), BTreeMap::new());
    for (observer, settings) in planner.observers.iter().filter(|(one, _)| is_asked(one.name) || one.terms.follows) {
        match enter(planner, observer).await? {
            (lost, Ok(identity)) => {
                answered.push(Answered { open: Open { observer, settings, identity, anew: false }, lost });
            }
            (lost, Err(event)) => {
                done.insert(observer.name, PipelineRebuilt::stopped(observer.name, lost, event));
            }
        }
    }
    let (open, lost): (Vec<Open<'_>>, Vec<Option<String>>) =
        answered.into_iter().map(|one| (one.open, one.lost)).unzip();
    let memories = Arc::new(load(planner, &open, BTreeSet::new(), order).await?);
    let collected = gather(planner, &open, &memories, order).await?;
    let give = |mut done: Done| {
        let pipelines = planner.observers.iter().filter(|(one, _)| is_asked(one.name));
        let pipelines = pipelines.filter_map(|(one, _)| done.remove(one.name)).collect();
        Rebuilt { run: order.run.clone(), sources: collected.sources.clone(), pipelines }
    };
    if let Some(what) = doubted(&collected.sources) {
        done.extend(open.iter().zip(lost).map(|(one, lost)| {
            let name = one.observer.name;
            (name, PipelineRebuilt::stopped(name, lost, incomplete(one.observer, &what)))
        }));
        return Ok(give(done));
    }
    let look = Arc::new(Look {
        memories: Arc::clone(&memories),
        semesters: collected.semesters.clone(),
        outlooks: BTreeMap::new(),
    });
    let all: Vec<&Open<'_>> = open.iter().collect();
    let rows = project(planner, &all, look, &collected, order).await?;
    // Without the directory's ids what it says against a target would not be seen.
    let unread = planner.observers.iter().any(|(one, _)| one.terms.follows && done.contains_key(one.name));
    let marks = planner.observers.iter().filter_map(|(one, _)| {
        let mark = one.terms.mark?;
        Some((mark.entitlement, (one.name, mark.kind)))
    });
    let work = Work { memories: &memories, rows: &rows, marks: marks.collect(), unread };
    let mut entries: BTreeMap<&'static str, Result<Entries, Event>> = BTreeMap::new();
    for one in open.iter().filter(|one| one.observer.terms.follows) {
        entries.insert(one.observer.name, work.entries(one.observer).await);
    }
    let follows = |observer: &Observer| observer.terms.follows;
    for (one, lost) in open.iter().zip(&lost).filter(|(one, _)| !follows(one.observer)) {
        let rebuilt = work.pipeline(one, lost.clone(), &open, &entries).await;
        done.insert(one.observer.name, rebuilt);
    }
    for (one, lost) in open.iter().zip(&lost).filter(|(one, _)| follows(one.observer)) {
        let rebuilt = match entries.remove(one.observer.name) {
            Some(Ok(entries)) => work.marks(one, lost.clone(), &entries, &done),
            Some(Err(event)) => PipelineRebuilt::stopped(one.observer.name, lost.clone(), event),
            None => continue,
        };
        done.insert(one.observer.name, rebuilt);
    }
    Ok(give(done))
}

/// What is doubted of the sources: people who were not shown have claims too, and would be taken for new by a pass
/// that believes the rest to be all.
fn doubted(sources: &[SourceSummary]) -> Option<String> {
    let mut doubts =
        sources.iter().flat_map(|source| source.trust.doubts.iter().map(|doubt| (source.name, &doubt.code)));
    let (source, code) = doubts.next()?;
    Some(format!("the reading of {source} is doubted ({code}), and nothing is derived from half a reading"))
}

type Entered = (Option<String>, Result<Identity, Event>);

/// What is lost of a pipeline, and which target answers.
async fn enter(planner: &Planner, observer: &Observer) -> Result<Entered, PassError> {
    let (directory, name) = (Arc::clone(&planner.store), observer.name);
    let opened = blocking(move || match directory.pipeline(name) {
        Err(error) if error.is_loss_of_claims() => Ok((Some(error.to_string()), None)),
        opened => Ok((None, opened?.meta::<Identity>(IDENTITY)?)),
    });
    let (lost, stored) = opened.await?;
    let identity = match observer.reader.identity().await {
        Err(error) => Err(Event { code: error.code.clone(), ..incomplete(observer, &error.message) }),
        Ok(identity) => match stored.filter(|stored| stored.id != identity.id) {
            None => Ok(identity),
            Some(stored) => {
                let what = format!("this is {} ({}), but {} is remembered", identity.title, identity.id, stored.title);
                Err(Event { code: "TARGET_CHANGED".to_owned(), ..incomplete(observer, &what) })
            }
        },
    };
    Ok((lost, identity))
}

struct Work<'w> {
    memories: &'w Memories,
    rows: &'w BTreeMap<&'static str, Rows>,
    /// Which kind each mark stands for.
    marks: BTreeMap<&'static str, (&'static str, &'static str)>,
    /// Whether marks are kept and could not be read.
    unread: bool,
}

type Done = BTreeMap<&'static str, PipelineRebuilt>;

impl Work<'_> {
    fn known(&self, pipeline: &str, kind: &str) -> Option<&Claims> {
        self.memories.pipelines.get(pipeline)?.claims.get(kind)
    }

    fn testimony(&self, schema: &Schema, ids: BTreeMap<Key, String>) -> Testimony<'_> {
        let rows = self.rows.get(schema.pipeline).and_then(|rows| rows.get(schema.kind));
        let matches = rows.into_iter().flatten().map(|(key, row)| (key.clone(), row.matches.clone())).collect();
        Testimony { known: self.known(schema.pipeline, schema.kind), ids, matches }
    }

    /// The entries in which marks are kept, by person.
    async fn entries(&self, observer: &Observer) -> Result<Entries, Event> {
        let mut entries = Entries::new();
        for schema in observer.project.kinds() {
            let anchors: Vec<Anchor> = self.testimony(schema, BTreeMap::new()).anchors();
            let seen = read(observer, schema.kind, &anchors).await?;
            let correlated = correlate(&anchors.iter().map(Sought::from).collect::<Vec<_>>(), &seen, &|_| None);
            let mine = correlated.found.into_iter().filter_map(|(key, found)| match found {
                Found::Present(at) => Some((key, seen[at].clone())),
                Found::Ambiguous(..) => None,
            });
            entries.extend(mine);
        }
        Ok(entries)
    }

    /// The claims of a pipeline whose records are marked by others, or by nobody.
    async fn pipeline(
        &self,
        one: &Open<'_>,
        lost: Option<String>,
        open: &[Open<'_>],
        entries: &BTreeMap<&'static str, Result<Entries, Event>>,
    ) -> PipelineRebuilt {
        let (observer, name) = (one.observer, one.observer.name);
        let mut kinds: Vec<KindRebuilt> = Vec::new();
        if self.unread && observer.terms.mark.is_some() {
            let event = incomplete(observer, "the marks and ids in the directory could not be read");
            return PipelineRebuilt::stopped(name, lost, event);
        }
        for schema in observer.project.kinds() {
            if let Some(of) = schema.part_of {
                let whole = kinds.iter().find(|kind| kind.kind == of);
                kinds.extend(whole.map(|whole| parts(schema, whole, self.known(name, schema.kind))));
                continue;
            }
            let ids = match named(open, entries, (name, schema.kind)) {
                Ok(ids) => ids,
                Err(event) => return PipelineRebuilt::stopped(name, lost, event.clone()),
            };
            let testimony = self.testimony(schema, ids);
            match read(observer, schema.kind, &testimony.anchors()).await {
                Ok(seen) => kinds.push(records(schema, &testimony, &seen)),
                Err(event) => return PipelineRebuilt::stopped(name, lost, event),
            }
        }
        self.rebuilt(one, lost, kinds)
    }

    /// The claims of a pipeline that keeps the marks of the others.
    fn marks(&self, one: &Open<'_>, lost: Option<String>, entries: &Entries, done: &Done) -> PipelineRebuilt {
        let (observer, name) = (one.observer, one.observer.name);
        let kind = |schema: &Schema| {
            let all = entries.iter().map(|(key, seen)| {
                let entry = Entry::new(schema, observer.project.as_ref(), &seen.record);
                (key.clone(), (seen.remote.clone(), self.agreement(key, &entry, done)))
            });
            let all: BTreeMap<Key, (Remote, Agreement)> = all.collect();
            marks(schema, self.known(name, schema.kind), &all)
        };
        let kinds = observer.project.kinds().iter().map(kind).collect();
        self.rebuilt(one, lost, kinds)
    }

    fn rebuilt(&self, one: &Open<'_>, lost: Option<String>, mut kinds: Vec<KindRebuilt>) -> PipelineRebuilt {
        let name = one.observer.name;
        let mut settled = BTreeSet::new();
        let before = self.memories.pipelines.get(name).map(|memory| &memory.contradicted);
        for (kind, contradictions) in before.into_iter().flatten() {
            let Some(now) = kinds.iter_mut().find(|one| one.kind == *kind) else { continue };
            let rows = self.rows.get(name).and_then(|rows| rows.get(now.kind));
            for (key, found) in contradictions {
                // Of whom nothing was read nothing agrees.
                if rows.is_none_or(|rows| !rows.contains_key(key)) {
                    now.contradicted.insert(key.clone(), found.clone());
                } else if !now.contradicted.contains_key(key) {
                    settled.insert(key.clone());
                }
            }
        }
        PipelineRebuilt { name, target: Some(one.identity.clone()), lost, stopped: None, settled, kinds }
    }

    fn agreement(&self, key: &Key, entry: &Entry<'_>, done: &Done) -> Agreement {
        let mut agreement = Agreement::default();
        let derived = |(pipeline, kind): (&str, &str)| {
            let kind = done.get(pipeline)?.kinds.iter().find(|one| one.kind == kind)?;
            Some((kind.derived.get(key)?, kind.open.contains(key)))
        };
        let claim = |of: (&str, &str)| {
            let known = self.known(of.0, of.1).and_then(|known| known.get(key));
            known.or_else(|| derived(of).map(|(claim, _)| claim))
        };
        for (of, id) in entry.ids() {
            match claim(of).and_then(|claim| claim.remote.id.as_deref()) {
                Some(own) if own == id => agreement.agree += 1,
                Some(_) => agreement.contradict += 1,
                None => {}
            }
        }
        for mark in entry.marks() {
            let of = self.marks.get(mark).copied();
            // Of what is remembered the next pass says whether it is open.
            let stands = of.is_some_and(|of| claim(of).is_some() && derived(of).is_none_or(|(_, open)| open));
            if stands { agreement.agree += 1 } else { agreement.open += 1 }
        }
        agreement
    }
}

/// The ids by which the directory names records of a kind.
fn named<'e>(
    open: &[Open<'_>],
    entries: &'e BTreeMap<&'static str, Result<Entries, Event>>,
    of: (&'static str, &'static str),
) -> Result<BTreeMap<Key, String>, &'e Event> {
    let mut ids = BTreeMap::new();
    for one in open {
        let Some(entries) = entries.get(one.observer.name) else { continue };
        for schema in one.observer.project.kinds() {
            let all = entries.as_ref()?.iter().flat_map(|(key, seen)| {
                let entry = Entry::new(schema, one.observer.project.as_ref(), &seen.record);
                let mine: Vec<String> =
                    entry.ids().filter(|(one, _)| *one == of).map(|(_, id)| id.to_owned()).collect();
                mine.into_iter().map(|id| (key.clone(), id))
            });
            ids.extend(all);
        }
    }
    Ok(ids)
}
