//! Configuration: TOML in, checked values out. What is wrong is told with file, line, key and next step;
//! nothing here reads the environment or connects.

mod document;
mod error;
mod guard;
mod institution;
mod limits;
mod load;
mod pipeline;
mod refusal;
mod retention;
pub mod secret;
#[cfg(test)]
pub(crate) mod toy;

pub use error::{ConfigError, Faults};
pub use guard::{GuardSettings, Limit, Protected, Windows};
pub use institution::Institution;
pub use load::{Config, Pipeline, default_document};
pub use pipeline::{FirstMeeting, OnDrift, OnSurplus, PipelineSettings};
pub(crate) use refusal::suggest;
pub use retention::Retention;

/// Settings for tests of the engine: the design's defaults.
#[cfg(test)]
pub(crate) fn test_settings() -> PipelineSettings {
    let limit = |number, percent| Limit { number, percent: Some(percent) };
    PipelineSettings {
        first_meeting: FirstMeeting::Report,
        drift: OnDrift::Enforce,
        surplus: OnSurplus::Report,
        guard: GuardSettings {
            floor: 10,
            creates: limit(None, 10),
            lost: limit(None, 2),
            updates: limit(None, 5),
            disables: limit(Some(50), 2),
            renames: limit(None, 2),
            moves: limit(None, 2),
            additions: limit(None, 10),
            lost_elements: limit(None, 2),
            removals: limit(None, 5),
            removals_people: limit(None, 20),
            removals_within: limit(None, 30),
            within_floor: 30,
            one_attribute: limit(None, 5),
            collapse: limit(None, 2),
            disabled_reserve: 10,
            first_load: false,
            windows: Windows { day: 1, week: 3 },
            shrink: reconcile_state::trust::ShrinkLimit { percent: 5, floor: 10 },
            protected: Protected::default(),
        },
    }
}
pub use secret::{Secret, SecretError, SecretRef};
