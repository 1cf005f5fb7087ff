//! What `reconcile check` finds: one line for each thing that was looked at.

use serde::Serialize;

use super::error::TargetError;
use super::target::Identity;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Works, and should be known.
    Warning,
    /// A pass would fail, or not do what it is for.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// What: `connection`, `schema`, `functions`.
    pub what: String,
    /// How it is.
    pub level: Level,
    /// What was found; no personal values.
    pub found: String,
    /// What to do about it, where there is something to do.
    pub fix: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Good, found: found.into(), fix: None }
    }

    /// Works, and should be known.
    pub fn warning(what: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    /// A pass would fail, or not do what it is for.
    pub fn problem(what: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Problem, found: found.into(), fix: Some(fix.into()) }
    }

    /// What a target that checks nothing else says of itself.
    pub fn of_identity(identity: Result<Identity, TargetError>) -> Vec<Self> {
        match identity {
            Ok(identity) => {
                let mut found = vec![Self::good("connection", identity.title)];
                let look = "see the README of this target";
                found.extend(identity.warnings.into_iter().map(|warning| Self::warning("site", warning, look)));
                found
            }
            Err(error) => {
                let fix = "mend what is named there and check again; the log of the target may say more";
                vec![Self::problem("connection", format!("{}: {}", error.code, error.message), fix)]
            }
        }
    }
}
