//! Forget: all that is kept of somebody who has left goes, where nothing that is still needed goes with it.
//!
//! Nothing is read but the store. Somebody whom a source shows, of whom a target has a record, or of whom that is not
//! certain is refused: the next pass would keep the same again, or would not know whose a record is.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::Key;
use reconcile_state::journal::Note;
use reconcile_state::store::{Held, Store, StoreDir};
use serde_json::json;

use super::collect::{DIRECTORY, DIRECTORY_SCOPE, VAULT, VAULT_SCOPE};
use super::conflicts::{self, recall};
use super::contradicted::{CONTRADICTED, Contradicted, Contradictions};
use super::error::PassError;
use super::rebuild::RECORD_MISSING;
use super::spent;

/// Files of the store that are no pipeline's, as they are told.
const SOURCES: &str = "sources";

/// What is kept of somebody, and why they cannot be forgotten yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Who.
    pub key: Key,
    /// What each file of the store holds, the pipelines' by their names; those that hold nothing are left out.
    pub files: BTreeMap<String, Held>,
    /// Pipelines whose open questions, as `conflicts` lists them, tell of them.
    pub told: BTreeSet<String>,
    /// Lines in copies of claims.
    pub copied: u64,
    /// Why not, if not.
    pub refusals: Vec<Refusal>,
}

/// Why somebody cannot be forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Stable code.
    pub code: &'static str,
    /// The source or pipeline.
    pub of: String,
    /// What it is about there; empty where that is clear.
    pub what: Vec<String>,
}

impl Kept {
    /// Whether nothing is.
    pub fn is_nothing(&self) -> bool {
        self.files.is_empty() && self.told.is_empty() && self.copied == 0
    }

    fn refuse(&mut self, code: &'static str, of: &str, what: impl IntoIterator<Item = String>) {
        self.refusals.push(Refusal { code, of: of.to_owned(), what: what.into_iter().collect() });
    }
}

/// Looks at all that the store keeps of somebody. Writes nothing.
///
/// # Errors
/// [`PassError::Store`]
pub fn kept(directory: &StoreDir, key: &Key) -> Result<Kept, PassError> {
    let mut kept = Kept {
        key: key.clone(),
        files: BTreeMap::new(),
        told: BTreeSet::new(),
        copied: directory.copied(&only(key))?,
        refusals: Vec::new(),
    };
    let sources = directory.sources()?;
    for (scope, name) in [(DIRECTORY_SCOPE, DIRECTORY), (VAULT_SCOPE, VAULT)] {
        if sources.body(scope, key)?.is_some() {
            kept.refuse("still-in-source", name, []);
        } else if sources.root(scope)?.is_none_or(|root| !root.whole || root.open) {
            kept.refuse("source-not-read", name, []);
        }
    }
    keep(&mut kept, SOURCES, sources.held(key)?);
    for name in directory.pipelines()? {
        match directory.pipeline(&name) {
            Ok(store) => pipeline(&mut kept, &name, &store)?,
            Err(error) if error.is_loss_of_claims() => kept.refuse("claims-lost", &name, []),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(kept)
}

fn only(key: &Key) -> BTreeSet<Key> {
    [key.clone()].into()
}

fn keep(kept: &mut Kept, name: &str, held: Held) {
    if !held.is_empty() {
        kept.files.insert(name.to_owned(), held);
    }
}

fn pipeline(kept: &mut Kept, name: &str, store: &Store) -> Result<(), PassError> {
    let (held, open) = (store.held(&kept.key)?, recall(store)?);
    let contradicted: Contradictions = store.meta(CONTRADICTED)?.unwrap_or_default();
    if held.in_doubt > 0 {
        kept.refuse("still-in-doubt", name, []);
    }
    if open.whole.is_none() || open.is_unsure_of(&kept.key) {
        kept.refuse("target-not-read", name, []);
    }
    let there: BTreeSet<String> = held.claims.iter().cloned().chain(held.observed().map(str::to_owned)).collect();
    if !there.is_empty() {
        kept.refuse("record-at-target", name, there);
    }
    let mut unclear: BTreeSet<String> = open.conflicts_of(&kept.key).map(str::to_owned).collect();
    let contradictions = contradicted.values().filter_map(|kind| kind.get(&kept.key));
    // The record that the directory named is not there, nor any other: there is none to be anybody's.
    let is_open = |known: &&Contradicted| known.code != RECORD_MISSING || !known.found.is_empty();
    unclear.extend(contradictions.clone().filter(is_open).map(|known| known.code.clone()));
    let tells = contradictions.count() > 0 || open.clone().without(&only(&kept.key)) != open;
    if !unclear.is_empty() {
        kept.refuse("whose-is-unclear", name, unclear);
    }
    if tells {
        kept.told.insert(name.to_owned());
    }
    keep(kept, name, held);
    Ok(())
}

/// Forgets somebody who is not refused. Each file in one commit, then the copies, then every file is written anew, so
/// that nothing is left of what passes took out before. Cut off, it is done to its end by being asked for again; files
/// are written anew by whoever opens them next.
///
/// # Errors
/// [`PassError::Store`]; what is done until then is durable.
pub fn forget(directory: &StoreDir, kept: &Kept, note: &Note) -> Result<(), PassError> {
    let keys = only(&kept.key);
    let names = directory.pipelines()?;
    if kept.files.contains_key(SOURCES) {
        directory.sources()?.forget(&keys, &BTreeMap::new(), note.clone())?;
    }
    for name in names.iter().filter(|name| kept.files.contains_key(*name) || kept.told.contains(*name)) {
        let store = directory.pipeline(name)?;
        // What a killed pass sent is counted by its entries in the journal.
        spent::recall(&store, note.at)?;
        let open = recall(&store)?.without(&keys);
        let mut contradicted: Contradictions = store.meta(CONTRADICTED)?.unwrap_or_default();
        contradicted.values_mut().for_each(|kind| kind.retain(|key, _| !keys.contains(key)));
        let values = BTreeMap::from([(conflicts::OPEN, json!(open)), (CONTRADICTED, json!(contradicted))]);
        store.forget(&keys, &values, note.clone())?;
    }
    directory.scrub(&keys)?;
    for name in names.iter().map(String::as_str).chain([SOURCES]) {
        directory.write_anew(name)?;
    }
    Ok(())
}
