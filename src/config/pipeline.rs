//! What the engine, not the target, is told of a pipeline: keys of `[<pipeline>]` that mean the same
//! in every section.

use serde::Deserialize;

use super::guard::GuardSettings;

/// What to do about a difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstMeeting {
    /// Link, list the differences, write nothing.
    #[default]
    Report,
    /// Link and bring about what is wanted.
    Enforce,
}

/// What to do when the target moved by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDrift {
    /// Repair.
    #[default]
    Enforce,
    /// List.
    Report,
    /// Count.
    Ignore,
}

/// What to do about records of people who are gone from the sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnSurplus {
    /// List.
    #[default]
    Report,
    /// Close.
    Disable,
}

/// The engine's part of a pipeline's section.
#[derive(Clone, PartialEq, Debug)]
pub struct PipelineSettings {
    /// `first_meeting`
    pub first_meeting: FirstMeeting,
    /// `drift`
    pub drift: OnDrift,
    /// `surplus`
    pub surplus: OnSurplus,
    /// `[guard]` with the keys of `[<pipeline>.guard]` in their places.
    pub guard: GuardSettings,
}
