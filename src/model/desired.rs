//! What is asked of a target for one record, and by what the target is asked whether it has it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile_state::{AttributeId, Key, Record, Remote};

use super::reason::Reason;

/// What sources and policy call for, for one record of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// The kind, as in the pipeline's schemas.
    pub kind: &'static str,
    /// The record's key.
    pub key: Key,
    /// What is called for.
    pub call: Call,
    /// How the record is recognised where nothing is remembered of it, strongest first; values in the
    /// form in which the target's reader gives them.
    pub matches: Vec<Match>,
    /// The scopes of set elements that are in question for this record; `None` where all that the pipeline
    /// owns are. Elements of other scopes are left out of both sides.
    pub scopes: Option<BTreeSet<String>>,
    /// Attributes that are not in question for this record: left out of both sides.
    pub unasked: BTreeSet<AttributeId>,
    /// What the sources say of it that no setting knows what to make of: how often, by words without personal values.
    pub left_out: BTreeMap<String, u64>,
    /// When a date will change the answer although nothing else does.
    pub valid_until: Option<Timestamp>,
}

/// What is called for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// To be there, so.
    Active(Record),
    /// To be closed where it is. The record holds what is managed while disabled.
    Disabled(Record, Reason),
    /// To be left alone.
    Untouched(Reason),
}

/// One value by which a target's record is recognised as a person's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Match {
    /// What the value is, as the target's reader names it: `username`.
    pub field: &'static str,
    /// The value, folded as the target compares it.
    pub value: String,
    /// Whether the value counts only where one person bears it and one record shows it. (Moodle keeps
    /// any number of users with one idnumber.)
    pub only_unique: bool,
}

/// What a target is asked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The record's key.
    pub key: Key,
    /// What the claim remembers.
    pub remembered: Option<Remote>,
    /// How it is recognised otherwise.
    pub matches: Vec<Match>,
}
