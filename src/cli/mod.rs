//! The command line: one file per command, and what they share.
//!
//! Nothing else in the library prints, asks, exits or reads the environment; and of this module only
//! [`process`] does so by itself. [`run`] is handed an [`Io`], so that tests run whole commands in-process.

mod approval;
mod args;
mod ask;
mod check;
mod conflicts;
#[cfg(feature = "sim")]
mod demo;
mod exit;
mod explain;
mod forget;
#[cfg(any(feature = "fuzz", test))]
pub(crate) mod fuzzing;
mod help;
mod init;
mod io;
mod journal;
mod keys;
mod logs;
mod one_pass;
mod open;
mod operator;
mod output;
mod panics;
mod pass;
mod person;
mod plan_file;
mod private_file;
pub mod process;
mod progress;
mod rebuild;
mod run;
#[cfg(test)]
mod sample;
mod scope;
mod seal;
mod view;

pub use exit::{Exit, Failure};
pub use io::{Interrupt, Io, Terminal};
pub use run::run;
