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
#[cfg(test)]
pub(crate) mod toy;

pub use error::ConfigError;
pub use guard::{GuardSettings, Limit, Protected};
pub use institution::Institution;
pub use load::{Config, Pipeline, default_document};
pub use pipeline::{FirstMeeting, OnDrift, OnSurplus, PipelineSettings};
