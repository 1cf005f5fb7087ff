//! Contradicted: records of which the evidence does not agree whose they are. They are conflicts, and nothing is written
//! for them, until claims are rebuilt from evidence that agrees.

use std::collections::BTreeMap;

use reconcile_state::Key;
use serde::{Deserialize, Serialize};

use super::correlate::{Correlated, Found};
use crate::model::Candidate;
use crate::targets::port::Seen;

/// Under which name it is remembered, in each pipeline's file.
pub const CONTRADICTED: &str = "contradicted";
/// The directory names another record for the person than the one that was found.
pub const EVIDENCE: &str = "evidence-contradicts";

/// Evidence that does not agree. The record is left alone until it does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contradicted {
    /// What does not agree.
    pub code: String,
    /// The record that the directory names.
    pub id: String,
    /// Records that were found by other evidence.
    pub found: Vec<String>,
}

/// By kind and key.
pub type Contradictions = BTreeMap<String, BTreeMap<Key, Contradicted>>;

/// Takes what was found for these people for a conflict.
pub fn contradict(contradicted: Option<&BTreeMap<Key, Contradicted>>, seen: &[Seen], correlated: &mut Correlated) {
    for (key, known) in contradicted.into_iter().flatten() {
        let candidate = |at: usize, by| Candidate { remote: seen[at].remote.clone(), by: vec![by] };
        let mut candidates = match correlated.found.remove(key) {
            Some(Found::Present(at)) => vec![candidate(at, "its values")],
            Some(Found::Ambiguous(_, candidates)) => candidates,
            None => Vec::new(),
        };
        let named = seen.iter().position(|one| one.remote.id.as_deref() == Some(&known.id));
        candidates.extend(named.map(|at| candidate(at, "the directory")));
        correlated.found.insert(key.clone(), Found::Ambiguous(EVIDENCE, candidates));
    }
}
