//! What fuzzers reach of the store.

use std::path::Path;

use super::copy::{Line, parse};
use super::error::StoreError;

/// A copy of claims, line by line.
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<Line>, StoreError> {
    parse(bytes, Path::new("claims.jsonl"))
}

/// The lines as a copy.
pub(crate) fn from_copy(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| [serde_json::to_vec(line).unwrap_or_default(), b"\n".to_vec()].concat()).collect()
}
