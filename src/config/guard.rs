//! `[guard]`: how much a pass may do without anybody's consent. Defaults per design: see the embedded
//! configuration, which explains each.

use reconcile_state::trust::ShrinkLimit;
use serde::Deserialize;

/// A limit on one class of changes: it trips above the number, or above the percent of the base.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// At most this many; none = only the percent counts.
    #[serde(default)]
    pub number: Option<u64>,
    /// At most this share of the larger of the observed and the desired population.
    #[serde(default)]
    pub percent: Option<u32>,
}

/// `[guard]`, and `[<pipeline>.guard]`, which replaces single keys of it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardSettings {
    /// At most this many changes of a class never trip its limit.
    pub floor: u64,
    /// Records made for people who never had one.
    pub creates: Limit,
    /// Records made again after they vanished from the target.
    pub lost: Limit,
    /// Records with changed attributes.
    pub updates: Limit,
    /// Records closed.
    pub disables: Limit,
    /// Records with a changed name.
    pub renames: Limit,
    /// Records with a changed place.
    pub moves: Limit,
    /// Elements put into sets: enrolments, marks.
    pub additions: Limit,
    /// Elements put into sets again after they vanished from the target.
    pub lost_elements: Limit,
    /// Elements taken out of sets.
    pub removals: Limit,
    /// Records that lose elements.
    pub removals_people: Limit,
    /// Elements taken out of one scope, such as a course.
    pub removals_within: Limit,
    /// Scopes with fewer elements than this are not judged by themselves.
    pub within_floor: u64,
    /// Records in which one and the same attribute changes.
    pub one_attribute: Limit,
    /// Records in which one attribute is emptied, or given one and the same value.
    pub collapse: Limit,
    /// Closures of people whom the directory itself calls disabled that go through although the limit
    /// on disables is reached.
    pub disabled_reserve: u64,
    /// Whether the first `--yes` may fill an empty store without an approved plan.
    pub first_load: bool,
    /// How much many passes may do together.
    pub windows: Windows,
    /// How much a source may shrink before its absences are doubted.
    pub shrink: ShrinkLimit,
    /// Records that are planned and shown and never written.
    pub protected: Protected,
}

impl GuardSettings {
    /// The limits by class, under their keys.
    pub fn limits(&self) -> [(&'static str, Limit); 13] {
        [
            ("creates", self.creates),
            ("lost", self.lost),
            ("updates", self.updates),
            ("disables", self.disables),
            ("renames", self.renames),
            ("moves", self.moves),
            ("additions", self.additions),
            ("lost_elements", self.lost_elements),
            ("removals", self.removals),
            ("removals_people", self.removals_people),
            ("removals_within", self.removals_within),
            ("one_attribute", self.one_attribute),
            ("collapse", self.collapse),
        ]
    }
}

/// `[guard.windows]`: the limits of single passes, times this, for what was written within a time and nobody approved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Within 24 hours.
    pub day: u64,
    /// Within 7 days.
    pub week: u64,
}

/// `[guard.protected]`
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protected {
    /// UH-IDs.
    #[serde(default)]
    pub keys: Vec<String>,
    /// User names, UH or local.
    #[serde(default)]
    pub usernames: Vec<String>,
    /// Business roles.
    #[serde(default)]
    pub roles: Vec<String>,
}
