//! What a target says of itself and how the seeds count what happens to it.

use serde::{Deserialize, Serialize};

/// What a target is, beyond its address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Differs between any two sites, and never changes for one: compared with the stored one.
    pub id: String,
    /// For people: name and version.
    pub title: String,
    /// What does not stop a pass but should be known.
    pub warnings: Vec<String>,
}

/// The names under which the seeds count what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Nothing to do.
    pub unchanged: &'static str,
    /// Created.
    pub add: &'static str,
    /// Attributes changed.
    pub update: &'static str,
    /// Renamed; `None` where a rename counts as an update.
    pub rename: Option<&'static str>,
    /// Moved; `None` where there are no moves.
    pub moved: Option<&'static str>,
    /// Closed.
    pub disable: &'static str,
    /// Opened again.
    pub enable: &'static str,
    /// People of whom parts changed; `None` where that counts as an update.
    pub parts: Option<&'static str>,
}
