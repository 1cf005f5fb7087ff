//! Memory: what a pipeline's file remembers, loaded once for a pass.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use reconcile_state::journal::Intent;
use reconcile_state::store::{AppliedSet, OpenIntent, Store, StoreDir};
use reconcile_state::{Claim, Digest, Key, Remote, Schema, Shape};

use super::claims::Claims;
use super::contradicted::{CONTRADICTED, Contradictions};
use super::error::PassError;
use super::processed::Processed;
use crate::model::pass::Event;
use crate::model::{Action, Element};
use crate::targets::port::Identity;

/// One pipeline's memory.
pub struct Memory {
    /// Its file.
    pub store: Store,
    /// Claims, by kind.
    pub claims: BTreeMap<&'static str, Claims>,
    /// Last applied pairs, by kind.
    pub applied: BTreeMap<&'static str, AppliedSet>,
    /// Writes of which the outcome is not known, oldest first.
    pub open: Vec<OpenIntent>,
    places: BTreeMap<Key, Vec<usize>>,
    /// People carried through.
    pub processed: Arc<Processed>,
    /// Whether the first load has not been carried through yet.
    pub loading: bool,
    /// The larger of the populations at the last trusted whole reading.
    pub population: u64,
    /// Elements of the sets of parts at the last trusted whole reading, by kind and scope.
    pub elements: BTreeMap<String, BTreeMap<String, u64>>,
    /// Records that evidence contradicts, by kind.
    pub contradicted: Contradictions,
    /// Number of claims restored from their copy, for as long as no pass has acted since.
    pub restored: Option<u64>,
}

/// A pipeline's claims were restored from their copy, or are to be.
pub const CLAIMS_RESTORED: &str = "CLAIMS_RESTORED";
/// What was taken out of a file still stands in it: there was no writing it anew.
pub const FILE_NOT_REWRITTEN: &str = "FILE_NOT_REWRITTEN";
/// Under which name the target's identity is remembered.
pub const IDENTITY: &str = "identity";
/// Under which name it is remembered that a first load has begun and was not carried through.
pub const LOADING: &str = "first load";
/// Under which name the elements of parts are remembered.
pub const ELEMENTS: &str = "elements";
/// Under which name the population is remembered.
pub const POPULATION: &str = "population";

impl Memory {
    /// Loads it. With `anew` nothing that was remembered of the target's records counts: it is another
    /// target, and the operator said so. What was on its way when a process ended is in doubt since `at`.
    fn load(store: Store, kinds: &BTreeSet<&'static str>, anew: bool, at: i64) -> Result<Self, PassError> {
        store.give_up_intents(at)?;
        let (mut claims, mut applied, mut keys) = (BTreeMap::new(), BTreeMap::new(), HashSet::new());
        for &kind in kinds {
            let mine = if anew { BTreeMap::new() } else { store.claims(kind)? };
            claims.insert(kind, Claims::new(mine, &mut keys));
            applied.insert(kind, store.applied(kind)?);
        }
        let open = if anew { Vec::new() } else { store.open_intents()? };
        Ok(Self {
            claims,
            applied,
            places: places(&open),
            open,
            processed: Arc::new(Processed::load(&store)?),
            loading: store.meta(LOADING)?.unwrap_or(false),
            population: store.meta(POPULATION)?.unwrap_or(0),
            elements: store.meta(ELEMENTS)?.unwrap_or_default(),
            contradicted: if anew { Contradictions::new() } else { store.meta(CONTRADICTED)?.unwrap_or_default() },
            restored: match store.meta::<Identity>(IDENTITY)? {
                // A copy has no identity: the first pass that acts remembers it.
                None => store.restored_claims()?,
                Some(_) => None,
            },
            store,
        })
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.claims.values().all(Claims::is_empty)
    }

    /// The claim on a record.
    pub fn claim(&self, kind: &str, key: &Key) -> Option<&Claim> {
        self.claims.get(kind)?.get(key)
    }

    /// The claim on the very record that was found under a key. Where a creation is in doubt, what bears the name that is
    /// remembered may have been made since: only its id tells that it is the one that was there before.
    pub fn claim_on<'m>(&'m self, kind: &'m str, key: &'m Key, found: &Remote) -> Option<&'m Claim> {
        let is_same = |claim: &&Claim| match (&claim.remote.id, &found.id) {
            (Some(known), Some(found)) => known == found,
            _ => claim.remote.is(found) && self.begun(kind, key).next().is_none(),
        };
        self.claim(kind, key).filter(is_same)
    }

    /// What is remembered of a value by which a record is recognised.
    pub fn recognised(&self, field: &str, value: &str) -> Digest {
        self.store.digester().texts(["match", field, value])
    }

    /// What is remembered of an element that a write puts into a set.
    pub fn element(&self, schema: &Schema, (id, element): &Element) -> Digest {
        let name = schema.attribute(*id).map_or("", |attribute| attribute.name);
        self.store.digester().texts(["element", name, element])
    }

    /// Creations of a record of which it is not known what came of them.
    pub fn begun<'m>(&'m self, kind: &'m str, key: &'m Key) -> impl Iterator<Item = &'m Intent> {
        let create = Action::Create.to_string();
        self.open_of(kind, key).map(|open| &open.intent).filter(move |intent| intent.action == create)
    }

    /// Writes to a record of which the outcome is not known, oldest first.
    pub fn open_of<'m>(&'m self, kind: &'m str, key: &'m Key) -> impl Iterator<Item = &'m OpenIntent> {
        let places = self.places.get(key).into_iter().flatten();
        places.map(|at| &self.open[*at]).filter(move |open| open.intent.kind == kind)
    }

    /// Whose a target's record is by what is remembered.
    pub fn owner(&self, kind: &str, remote: &Remote) -> Option<&Key> {
        self.claims.get(kind)?.owner(remote)
    }
}

/// Where each record's open intents stand.
fn places(open: &[OpenIntent]) -> BTreeMap<Key, Vec<usize>> {
    let mut places: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (at, open) in open.iter().enumerate() {
        places.entry(open.intent.key.clone()).or_default().push(at);
    }
    places
}

/// The memories of all pipelines whose records may be referred to, as projections see them.
pub struct Memories {
    /// By pipeline.
    pub pipelines: BTreeMap<&'static str, Arc<Memory>>,
    /// Whether this pass links on weaker evidence.
    pub adopt: bool,
    made: Mutex<Known>,
    met: Mutex<Known>,
    /// Files that hold what was taken out of them.
    unwritten: Vec<&'static str>,
}

/// Keys of records by pipeline and kind, and by their ids.
type Known = HashMap<(&'static str, &'static str), HashMap<String, Key>>;

impl Memories {
    /// Loads those of the open pipelines, each with its kinds and whether it is another target than before,
    /// and of whatever their records refer to: also a pipeline that is out of scope or out of reach has
    /// its records. Only one that turned out to be `another` target is left out. `at` is the pass's time, in
    /// Unix milliseconds: nobody else sends by then, so a write without an outcome is unknown since then at
    /// the latest.
    ///
    /// # Errors
    /// [`PassError::Store`]
    pub fn load(
        store: &StoreDir,
        open: &[(&'static str, Vec<Schema>, bool)],
        another: &BTreeSet<&'static str>,
        adopt: bool,
        at: i64,
    ) -> Result<Self, PassError> {
        let mut kinds: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
        for schema in open.iter().flat_map(|(_, schemas, _)| schemas) {
            kinds.entry(schema.pipeline).or_default().insert(schema.kind);
            for attribute in schema.attributes() {
                if let Shape::Reference { pipeline, kind } = attribute.shape {
                    kinds.entry(pipeline).or_default().insert(kind);
                }
            }
        }
        let anew: BTreeSet<&str> = open.iter().filter(|(_, _, anew)| *anew).map(|(name, ..)| *name).collect();
        let mut pipelines = BTreeMap::new();
        let mut unwritten = Vec::new();
        for (name, kinds) in kinds.into_iter().filter(|(name, _)| !another.contains(name)) {
            let file = match store.pipeline(name) {
                // One that is in scope was stopped for it; whoever refers to another one finds nobody there.
                Err(error) if error.is_loss_of_claims() => continue,
                opened => opened?,
            };
            unwritten.extend(file.is_to_be_rewritten()?.then_some(name));
            let memory = Memory::load(file, &kinds, anew.contains(name), at)?;
            pipelines.insert(name, Arc::new(memory));
        }
        unwritten.extend(store.sources()?.is_to_be_rewritten()?.then_some("sources"));
        Ok(Self { pipelines, adopt, made: Mutex::default(), met: Mutex::default(), unwritten })
    }

    /// The claim on a record of any pipeline.
    pub fn claim(&self, pipeline: &str, kind: &str, key: &Key) -> Option<&Claim> {
        self.pipelines.get(pipeline)?.claim(kind, key)
    }

    /// What of memory was lost and restored since a pass last acted, and what should be gone from it and is not.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        let unwritten = self.unwritten.iter().map(|name| {
            let message = format!(
                "what was taken out of {name}.redb still stands in unused parts of it, since it could not be written \
                 anew; make room for a second copy of it beside it, and run any pass again"
            );
            let (code, pipeline) = (FILE_NOT_REWRITTEN.to_owned(), self.pipelines.contains_key(name).then_some(*name));
            Event { code, pipeline, step: "open", key: None, message }
        });
        let restored = self.pipelines.iter().filter_map(|(name, memory)| {
            let message = format!(
                "the pipeline's file was lost; {} claims were restored from claims/{name}.jsonl. Run a plan and read \
                 it: nothing else is remembered, and what differs is listed as at a first meeting",
                memory.restored?
            );
            let code = CLAIMS_RESTORED.to_owned();
            Some(Event { code, pipeline: Some(name), step: "open", key: None, message })
        });
        unwritten.chain(restored)
    }

    /// Takes note of a record that this pass made, for those that refer to it.
    pub fn made(&self, pipeline: &'static str, kind: &'static str, key: &Key, remote: &Remote) {
        note(&self.made, (pipeline, kind), key, remote);
    }

    /// Takes note of a record that is about to be linked, for those that refer to it.
    pub fn met(&self, pipeline: &'static str, kind: &'static str, key: &Key, remote: &Remote) {
        note(&self.met, (pipeline, kind), key, remote);
    }

    /// Whether this pass made the record that has this id at its target.
    pub fn is_made(&self, pipeline: &'static str, kind: &'static str, remote: &Remote) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = made.get(&(pipeline, kind));
        remote.id.as_ref().is_some_and(|id| ids.is_some_and(|ids| ids.contains_key(id)))
    }

    /// Whose the record is that has this id at its target.
    pub fn key_of(&self, pipeline: &'static str, kind: &'static str, id: &str) -> Option<Key> {
        let remote = Remote { id: Some(id.to_owned()), handle: None };
        let known = self.pipelines.get(pipeline).and_then(|memory| memory.owner(kind, &remote));
        let noted = |known: &Mutex<Known>| {
            known.lock().unwrap_or_else(PoisonError::into_inner).get(&(pipeline, kind))?.get(id).cloned()
        };
        known.cloned().or_else(|| noted(&self.made)).or_else(|| noted(&self.met))
    }
}

fn note(known: &Mutex<Known>, kind: (&'static str, &'static str), key: &Key, remote: &Remote) {
    if let Some(id) = &remote.id {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(kind).or_default().insert(id.clone(), key.clone());
    }
}
