//! What the site refused of a course whoever the person was. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Piece;
use super::steps::Stage;
use super::verdict::{NO_RIGHT, Verdict};
use crate::model::TargetError;

/// So many refusals without anything that landed beside them are not about the people, or the courses, that were met.
const FEW: usize = 3;

/// What was refused since all courses were last read.
#[derive(Default)]
pub struct Refusals {
    /// The reading.
    pub since: u64,
    /// By what the site judges together.
    pub pairs: BTreeMap<(Stage, String, String), TargetError>,
    /// People in a row who were refused for what nobody knows.
    unsaid: BTreeMap<(Stage, String, String), usize>,
    /// Courses in which a right was missing.
    denied: BTreeMap<Stage, BTreeSet<String>>,
    granted: BTreeSet<Stage>,
}

impl Refusals {
    /// Nothing was refused since a reading.
    pub fn since(since: u64) -> Self {
        Self { since, ..Self::default() }
    }

    /// Notes what the site accepted.
    pub fn land(&mut self, stage: Stage, pieces: &[Piece]) {
        self.granted.insert(stage);
        for piece in pieces {
            self.unsaid.remove(&piece.pair());
        }
    }

    /// Notes a refusal: a pair that is at fault is left out from then on, also where only the number of people who
    /// were refused there tells that it is.
    pub fn refuse(&mut self, piece: &Piece, error: &TargetError, said: Option<&str>, verdict: Verdict) {
        let pair = piece.pair();
        if said == Some(NO_RIGHT) {
            self.denied.entry(piece.step.stage).or_default().insert(piece.step.course.clone());
        }
        let unsaid = self.unsaid.entry(pair.clone()).or_default();
        *unsaid += usize::from(verdict == Verdict::Partial);
        if verdict == Verdict::Pair || *unsaid >= FEW {
            self.pairs.insert(pair, error.clone());
        }
    }

    /// Whether a right is missing everywhere, as far as was seen.
    pub fn is_denied(&self, stage: Stage) -> bool {
        !self.granted.contains(&stage) && self.denied.get(&stage).is_some_and(|courses| courses.len() >= FEW)
    }
}
