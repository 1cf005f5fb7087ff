//! Rebuild: claims derived from evidence, where what was remembered of a pipeline is lost.
//!
//! A record is somebody's where two witnesses agree: the target id in the directory names it and it carries a value of
//! theirs, or, where the directory names none, it carries two of them. What contradicts is listed and left alone until
//! it agrees; what nobody can say for certain is listed with the reason. Nothing is written to any target, and what
//! targets must tell for it they tell anyhow: how records are recognised, their marks, and what refers to what.
//!
//! | file | holds |
//! |---|---|
//! | `derive` | what follows from what was read: pure |
//! | `read` | what a target shows |
//! | `run` | all of it, pipeline by pipeline |
//! | `keep` | what is then remembered |

mod derive;
mod keep;
mod read;
mod run;

pub use derive::{KindRebuilt, RECORD_MISSING};
pub use keep::keep;
pub use run::{PipelineRebuilt, Rebuilt, rebuild};
