//! What a pass tells while it runs: which step, how far, of how many.

/// A step of a pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// People read from the directory.
    Directory,
    /// People read from MetaVault.
    Vault,
    /// People projected.
    Project,
    /// Records read at a target; which kind.
    Observe(&'static str),
    /// Records compared; which kind.
    Diff(&'static str),
    /// Changes applied.
    Apply,
    /// Changes read back in bulk.
    Confirm,
}

/// Who is told. May be called from several tasks, and with a count that does not grow.
pub trait Progress: Send + Sync {
    /// So many are done, of so many where that is known. A step is over when both are equal, or when the next
    /// one of its pipeline begins.
    fn tell(&self, pipeline: Option<&'static str>, step: Step, done: u64, total: Option<u64>);

    /// What was told is over: nothing of it may stand where a report or a question is about to be written. What is
    /// told next begins anew.
    fn end(&self) {}

    /// Runs what writes a line between two tellings, such as a log, so that neither tears the other.
    fn aside(&self, write: &mut dyn FnMut()) {
        write();
    }
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _pipeline: Option<&'static str>, _step: Step, _done: u64, _total: Option<u64>) {}
}
