//! What can go wrong at a target, and what that means for the next step.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// No connection, or it broke.
    Connect,
    /// The target does not accept who we are, or what we may do.
    Auth,
    /// Too fast.
    RateLimited,
    /// The record is not there.
    NotFound,
    /// Another record stands in the way, or the record moved.
    Conflict,
    /// The target refuses the request as it is.
    Rejected,
    /// The answer is none that the contract knows.
    Malformed,
    /// The target is down, busy or in maintenance.
    Unavailable,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Auth => "auth",
            Self::RateLimited => "rate-limited",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Malformed => "malformed",
            Self::Unavailable => "unavailable",
        })
    }
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// It may; not before this long, where the target said so.
    Later(Option<Duration>),
    /// It will not.
    Never,
}

/// What a failed write did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Certainly nothing. Every failed read has this effect.
    None,
    /// Some of it landed.
    Partial,
    /// Nobody knows: it is read back before anything else happens to the record.
    Unknown,
}

/// An error of a target. Its text names codes, records by key and attributes, never values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TargetError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Whether the same request may succeed later.
    pub retry: Retry,
    /// What a failed write did.
    pub effect: Effect,
    /// Stable code, as the seeds name them (`MOODLE_CONNECTION_FAILED`) or as the target does.
    pub code: String,
    /// What happened and the next step; no personal values.
    pub message: String,
}

impl TargetError {
    /// An error without effect that will come again.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, retry: Retry::Never, effect: Effect::None, code: code.into(), message: message.into() }
    }

    /// The same error, worth another try.
    #[must_use]
    pub fn later(mut self, delay: Option<Duration>) -> Self {
        self.retry = Retry::Later(delay);
        self
    }

    /// The same error with another effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }
}
