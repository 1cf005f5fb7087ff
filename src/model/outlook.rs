//! How a person will stand in a pipeline once a plan has landed: what marks in the directory are made of.

use std::collections::BTreeSet;

use super::change::Address;

/// How success in a pipeline is marked in the directory (decisions, entitlements and marks).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The entitlement whose text is repeated: `moodle`, `fs fagperson`.
    pub entitlement: &'static str,
    /// The kind whose record stands for the person, and whose id is written as the target id.
    pub kind: &'static str,
    /// Number of the target id among the attributes of marks: one for each pipeline, never re-used.
    pub number: u16,
}

/// A person's outlook in one pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outlook {
    /// The pipeline.
    pub pipeline: &'static str,
    /// How it is marked.
    pub mark: Mark,
    /// How the person will stand.
    pub prospect: Prospect,
    /// Records whose changes in this plan must land first for it to come true.
    pub after: BTreeSet<Address>,
}

/// How a person will stand in a pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prospect {
    /// Open and complete: everything that is called for was confirmed. Waiting elements do not count.
    In,
    /// Confirmed to be closed, and still there.
    Closed,
    /// Confirmed not to be there, as it should be.
    Absent,
    /// Nobody can say: neither desired nor drift.
    Unclear,
}
