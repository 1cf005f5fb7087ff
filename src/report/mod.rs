//! What a pass found, judged and did, for people and for programs. One [`Report`] value; every rendering
//! is made of it and of nothing else, so that text and JSON cannot disagree.
//!
//! Values are shown by their schema's sensitivity ([`redact`]): personal ones stand in plans and reports,
//! secret ones nowhere. Logs and events are no renderings of a report.

mod build;
mod counters;
pub mod explain;
pub mod json;
mod redact;
pub mod text;
mod value;

#[cfg(test)]
pub(crate) mod sample;

pub use redact::Shown;
pub use value::{
    Approval, ChangeReport, ConflictReport, Counts, EditReport, FateReport, Listed, Mode, PipelineReport, Report,
};
