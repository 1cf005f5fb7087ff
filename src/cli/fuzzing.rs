//! What fuzzers reach of the command line.

pub(crate) use super::args::parse_key;
pub(crate) use super::journal::Since;
pub(crate) use super::keys::parse as keys;
pub(crate) use super::plan_file::parse as parse_plan;
