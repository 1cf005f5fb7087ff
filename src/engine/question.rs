//! What is asked of a target.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Key, Schema};

use super::memory::{Memories, Memory};
use super::progress::Progress;
use super::project::Row;
use crate::targets::port::Observer;

/// What is asked and of whom.
pub struct Question<'q> {
    /// Whose records.
    pub observer: &'q Observer,
    /// The kind.
    pub schema: &'q Schema,
    /// What is called for.
    pub rows: &'q BTreeMap<Key, Row>,
    /// The pipeline's memory.
    pub memory: &'q Memory,
    /// Everybody's memories, to know the records that values refer to.
    pub memories: &'q Memories,
    /// People who are proved to be gone: what is remembered of them is asked for in any scope.
    pub gone: &'q BTreeSet<Key>,
    /// Whether everybody is in scope.
    pub whole: bool,
    /// Whether the operator accepts that an attribute is gone from everybody.
    pub vanished: bool,
    /// When the pass began, in Unix milliseconds.
    pub at: i64,
    /// Who is told.
    pub progress: &'q dyn Progress,
}
