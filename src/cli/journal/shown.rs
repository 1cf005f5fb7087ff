//! What is shown of an entry, in any format.

use reconcile_state::journal::Entry;

/// An entry with what belongs to it.
pub struct Shown<'s> {
    /// The pipeline.
    pub pipeline: &'static str,
    /// The entry's number in the pipeline's journal.
    pub number: u64,
    /// The entry.
    pub entry: Entry,
    /// Of a joined write its outcome; of an outcome its intent.
    pub other: Option<Entry>,
    /// Who let the run write, where the journal says so.
    pub who: Option<&'s str>,
    /// Of an open intent, since when its outcome is known to be unknown, in Unix milliseconds.
    pub unknown_since: Option<i64>,
}
