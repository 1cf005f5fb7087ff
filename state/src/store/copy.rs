//! The copy of a pipeline's claims: one JSON object a line in order of kind and key. It is written after each
//! pass, and read where the pipeline's own file is lost.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::write_whole;
use super::error::StoreError;
use super::names::beside;
use crate::claim::Claim;
use crate::record::Key;

/// One line of a copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(super) kind: String,
    pub(super) key: Key,
    pub(super) claim: Claim,
}

/// Reads a copy, whole or not at all; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Line>>, StoreError> {
    bytes(path)?.map(|bytes| parse(&bytes, path)).transpose()
}

/// The lines of a copy that was read from `path`.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Line>, StoreError> {
    let (mut lines, mut known) = (Vec::new(), BTreeSet::new());
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if text.is_empty() {
        return Ok(lines);
    }
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        // The parser's own message is left out: it may quote what it read.
        let refuse = |why| StoreError::Copy { path: path.to_owned(), line: at + 1, why };
        let line: Line = serde_json::from_slice(line).map_err(|_| refuse("is no claim"))?;
        if line.kind.is_empty() || line.key.as_str().is_empty() {
            return Err(refuse("has no kind or no key"));
        }
        if !known.insert((line.kind.clone(), line.key.clone())) {
            return Err(refuse("tells a claim a second time"));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Replaces a copy. Where less than half of the claims would be left, the one before is kept beside it as
/// `.1`, by the same rule: a copy that has much more in it is never lost to one that has less.
pub(super) fn write(path: &Path, lines: &[u8]) -> Result<(), StoreError> {
    let before = bytes(path)?;
    // Nothing moved: what is durable stays, where nobody else may read it.
    if before.as_deref() == Some(lines) && is_private(path)? {
        return Ok(());
    }
    if let Some(before) = before
        && count(lines) * 2 < count(&before)
    {
        let former = beside(path);
        let kept = bytes(&former)?.map_or(0, |kept| count(&kept));
        if kept <= count(&before) * 2 {
            write_whole(&former, &before)?;
        }
    }
    write_whole(path, lines)
}

fn is_private(path: &Path) -> Result<bool, StoreError> {
    Ok(path.metadata().map_err(StoreError::io(path))?.permissions().mode() & 0o777 == 0o600)
}

fn count(lines: &[u8]) -> usize {
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}
