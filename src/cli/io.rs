//! What a command is handed of the world outside.

use std::io::{BufRead, Write};
#[cfg(feature = "sim")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::engine::{Points, Progress, Stop};

/// Which streams are terminals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Terminal {
    /// Questions can be answered.
    pub input: bool,
    /// Results are read by a person as they come.
    pub output: bool,
    /// So are errors, logs and questions.
    pub error: bool,
}

/// How a command learns that it is to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// Asks the pass to stop: no new write starts, running ones settle.
    pub stop: Stop,
    writing: Arc<AtomicBool>,
    passing: Arc<Mutex<Vec<PathBuf>>>,
}

impl Interrupt {
    /// Whether writes may be running. While none are, a signal may end the process at once: the store
    /// recovers from that at any point, and a target has nothing to recover from.
    pub fn is_writing(&self) -> bool {
        self.writing.load(Ordering::SeqCst)
    }

    /// Names a directory that is not to outlive the process, however a signal ends it.
    #[cfg(feature = "sim")]
    pub(super) fn passes_with_us(&self, place: &Path) {
        self.passing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(place.to_owned());
    }

    /// Removes those directories, as far as that goes: nobody is left to tell.
    pub(super) fn clear_away(&self) {
        for place in self.passing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..) {
            // Somebody may still be writing in it: what came after the first look goes with the second.
            if std::fs::remove_dir_all(&place).is_err() {
                let _ = std::fs::remove_dir_all(&place);
            }
        }
    }

    /// Says from now on that writes may be running.
    pub(super) fn begin_writing(&self) {
        self.writing.store(true, Ordering::SeqCst);
    }

    /// Says that none are any more.
    pub(super) fn end_writing(&self) {
        self.writing.store(false, Ordering::SeqCst);
    }
}

/// What a command is handed.
pub struct Io<'i> {
    /// Results.
    pub out: &'i mut dyn Write,
    /// Errors and questions.
    pub err: &'i mut dyn Write,
    /// Answers, and keys for `--keys-from -`.
    pub input: &'i mut dyn BufRead,
    /// Which of them are terminals.
    pub terminal: Terminal,
    /// Environment variables.
    pub environment: &'i dyn Fn(&str) -> Option<String>,
    /// The account the process runs under, as the journal names it.
    pub account: String,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Fresh random bytes.
    pub random: &'i dyn Fn() -> [u8; 32],
    /// How the command learns that it is to end.
    pub interrupt: Interrupt,
    /// Who is told how far a pass is.
    pub progress: Arc<dyn Progress>,
    /// Who is told of points.
    pub points: Arc<dyn Points>,
}

impl Io<'_> {
    /// Whether results may be painted: on a terminal that can, unless `NO_COLOR` says no.
    pub(super) fn colour(&self) -> bool {
        self.terminal.output && self.paints()
    }

    /// Whether logs may be painted.
    pub(super) fn colour_of_logs(&self) -> bool {
        self.terminal.error && self.paints()
    }

    fn paints(&self) -> bool {
        let set = |name| (self.environment)(name).filter(|value| !value.is_empty());
        set("NO_COLOR").is_none() && set("TERM").as_deref() != Some("dumb")
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_outlive_the_process_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("demo");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("store"), "x").unwrap();
        let interrupt = Interrupt::default();
        interrupt.clone().passes_with_us(&place);
        interrupt.clear_away();
        assert!(!place.exists() && dir.path().exists());
    }
}
