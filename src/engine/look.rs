//! Look: what projections may look into beside the person, read-only.

use std::collections::BTreeMap;
use std::sync::Arc;

use reconcile_state::{Claim, Key};

use super::memory::Memories;
use crate::model::{Outlook, Semester};
use crate::targets::port::Lookup;

/// Memories, semesters, and how people stand in other pipelines.
pub struct Look {
    /// Everybody's memories.
    pub memories: Arc<Memories>,
    /// The semesters there are.
    pub semesters: Arc<Vec<Semester>>,
    /// How people will stand, for pipelines that follow the others.
    pub outlooks: BTreeMap<Key, Vec<Outlook>>,
}

impl Lookup for Look {
    fn claim(&self, pipeline: &str, kind: &str, key: &Key) -> Option<&Claim> {
        self.memories.claim(pipeline, kind, key)
    }

    fn adopt(&self) -> bool {
        self.memories.adopt
    }

    fn semesters(&self) -> &[Semester] {
        &self.semesters
    }

    fn outlooks(&self, key: &Key) -> &[Outlook] {
        self.outlooks.get(key).map_or(&[], Vec::as_slice)
    }
}
