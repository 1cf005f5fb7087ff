//! Who watches the writes that reach a simulator: tests that count them, and tests that end their sender in the middle
//! of one. Unlike a fault, a watcher sees what is written.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// When a write is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// It has come, and nothing of it is done.
    Arrived,
    /// All of it is done, and its answer is not sent. Not seen where it was refused.
    Done,
}

/// A write on its way.
pub struct Written<'w> {
    /// When.
    pub moment: Moment,
    /// What is called: a web service's function, or an entry's name.
    pub what: &'w str,
    /// Its fields; of an entry what is done to which attribute (`add`, `delete`, ...), with each value.
    pub fields: &'w [(String, String)],
}

/// What becomes of a write that has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is done.
    Do,
    /// Nothing of it is done, and nobody answers.
    Drop,
}

/// Sees a write, and says what becomes of it.
pub type Watcher = Arc<dyn Fn(&Written<'_>) -> Verdict + Send + Sync>;

/// Where a watcher is put; clones are the same place.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Option<Watcher>>>);

impl Watch {
    /// Puts a watcher there, in the place of the one before.
    pub fn set(&self, watcher: Watcher) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
    }

    pub(crate) fn tell(&self, written: &Written<'_>) -> Verdict {
        // Not held while it is at work: it may end a process and wait for that.
        let watcher = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        watcher.map_or(Verdict::Do, |watcher| watcher(written))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
