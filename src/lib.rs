//! Keeps target systems in agreement with what the directory says: desired against actual, shown as a
//! plan, judged by a guard, converged at a pace.

pub mod cli;
pub mod clock;
pub mod codes;
pub mod config;
pub mod engine;
#[cfg(any(feature = "fuzz", test))]
pub mod fuzzing;
pub mod model;
mod plain;
pub mod policy;
pub mod report;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sources;
pub mod targets;
pub mod wire;
