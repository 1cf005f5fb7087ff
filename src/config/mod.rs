//! Configuration: TOML in, checked values out.

mod guard;
mod institution;
mod pipeline;

pub use guard::{GuardSettings, Limit, Protected};
pub use institution::Institution;
pub use pipeline::{FirstMeeting, OnDrift, OnSurplus, PipelineSettings};
