//! What fuzzers reach of the store.

use std::path::Path;

use super::claimed;
use super::copy::{Line, parse};
use super::error::StoreError;

/// Holds that a list of who has claims is the same when written and read again.
///
/// # Panics
/// Where it is not.
pub(crate) fn claimed(bytes: &[u8]) {
    let Some(all) = std::str::from_utf8(bytes).ok().and_then(claimed::parse) else { return };
    assert_eq!(claimed::parse(&claimed::written(&all)), Some(all), "a list that is another when read again");
}

/// A copy of claims, line by line.
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<Line>, StoreError> {
    parse(bytes, Path::new("claims.jsonl"))
}

/// The lines as a copy.
pub(crate) fn from_copy(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| [serde_json::to_vec(line).unwrap_or_default(), b"\n".to_vec()].concat()).collect()
}
