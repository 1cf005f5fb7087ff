//! What fuzzers reach of the command line.

pub(crate) use super::args::parse_key;
pub(crate) use super::journal::Since;
pub(crate) use super::plan_file::parse as parse_plan;

/// The keys in a list.
///
/// # Errors
/// As the command tells them.
pub(crate) fn keys(text: &str) -> Result<Vec<(crate::model::scope::KeyField, String)>, String> {
    super::keys::parse(text).map(|list| list.keys)
}
