//! Exit codes, and what earns each (design, Acting and exit codes).

use std::fmt;

use crate::config::ConfigError;
use crate::engine::SETTLE;
use crate::report::{Mode, Report};

/// An exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// In sync, or applied. Few conflicts and differences that are only listed do not count against it.
    Done = 0,
    /// Something failed before its end: a source, a target that could not be reached, a file, memory after the last
    /// write; or a key was asked for that no source knows.
    Error = 1,
    /// The plan holds changes that have not been made.
    Changes = 2,
    /// The guard refused a pipeline.
    Refused = 3,
    /// Changes failed, were deferred or superseded, did not converge, or are in doubt.
    Incomplete = 4,
    /// A snapshot is not trusted, or more than half of a pipeline's rows are in conflict or unobserved.
    Untrusted = 5,
    /// Another process holds the store.
    Locked = 6,
    /// The command line makes no sense.
    Usage = 64,
    /// The configuration cannot be used.
    Config = 78,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl Exit {
    /// The code of a report: with several pipelines the first of 1, 3, 5, 4, 2 that any earned.
    pub fn of(report: &Report) -> Self {
        let any = |results: &[&str]| results.iter().any(|result| report.fates(result) > 0);
        let in_doubt = report.pipelines.iter().any(|pipeline| !pipeline.in_doubt.is_empty());
        let untrusted = report.sources.iter().any(|source| !source.trust.is_trusted())
            || report.pipelines.iter().any(|one| !one.trust.is_trusted() || one.is_mostly_unknown());
        if report.interrupted {
            Self::Interrupted
        } else if report.pipelines.iter().any(|pipeline| pipeline.stopped.is_some())
            || report.events.iter().any(|event| event.step == SETTLE)
            || !report.scope.unknown_keys.is_empty()
        {
            Self::Error
        } else if report.refused().any(|pipeline| report.mode == Mode::Apply || !pipeline.awaits_approval()) {
            Self::Refused
        } else if untrusted {
            Self::Untrusted
        } else if in_doubt || any(&["failed", "not-tried", "deferred", "in-doubt", "not-converged", "superseded"]) {
            Self::Incomplete
        } else if any(&["not-approved"])
            || (report.mode == Mode::Plan && (report.acting() > 0 || report.refused().next().is_some()))
        {
            Self::Changes
        } else {
            Self::Done
        }
    }
}

/// A command that ended early: what to say, and the code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What happened and the next step; no personal values.
    pub message: String,
}

impl Failure {
    /// A command line that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// Anything else that went wrong.
    pub fn error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Error, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { exit: Exit::Config, message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::error(format!("output: {error}"))
    }
}
