//! Which pipelines have had claims, and how many their copies last held: a pipeline that has lost its file and its copy
//! must not be taken for one that never remembered anything.
//!
//! Kept beside the format, because the sources' file is a cache that anybody may move away, and the folder of the copies
//! goes as one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::copy::{self, Line};
use super::disk::write_whole;
use super::error::StoreError;
use super::names::{claimed, claims_copy, file, is_pipeline};

/// The pipelines, each with the number of claims in its last copy; 0 where none was made yet.
pub(super) fn read(dir: &Path) -> Result<BTreeMap<String, u64>, StoreError> {
    let path = claimed(dir);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    parse(&text).ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "this is no list of pipelines and of their claims");
        StoreError::Io { path, source }
    })
}

/// The list as it is kept: a pipeline a line, and its number.
pub(super) fn parse(text: &str) -> Option<BTreeMap<String, u64>> {
    let line = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        is_pipeline(name).then_some((name.to_owned(), count.parse().ok()?))
    };
    text.lines().map(line).collect()
}

pub(super) fn written(all: &BTreeMap<String, u64>) -> String {
    all.iter().fold(String::new(), |lines, (name, count)| lines + &format!("{name} {count}\n"))
}

/// Remembers that a pipeline has claims, and how many its copy holds; `None` where there is no new one.
pub(super) fn remember(dir: &Path, pipeline: &str, copied: Option<u64>) -> Result<(), StoreError> {
    let mut all = read(dir)?;
    let before = all.get(pipeline).copied();
    let now = copied.or(before).unwrap_or(0);
    if before == Some(now) {
        return Ok(());
    }
    all.insert(pipeline.to_owned(), now);
    write_whole(&claimed(dir), written(&all).as_bytes())
}

/// The claims that a pipeline's new file begins with: those of its copy.
///
/// # Errors
/// [`StoreError::Copy`]; [`StoreError::ClaimsLost`] where it had claims and the copy is not there, or holds far fewer.
pub(super) fn restore(dir: &Path, pipeline: &str) -> Result<Vec<Line>, StoreError> {
    let copy = claims_copy(dir, pipeline);
    let lines = copy::read(&copy)?;
    let Some(count) = read(dir)?.get(pipeline).copied() else { return Ok(lines.unwrap_or_default()) };
    let why = match &lines {
        None => "is not there either".to_owned(),
        // A copy from the backup may be older than the last one.
        Some(lines) if (lines.len() as u64).saturating_mul(2) < count => format!("holds {} claims", lines.len()),
        Some(_) => return Ok(lines.unwrap_or_default()),
    };
    Err(StoreError::ClaimsLost { path: file(dir, pipeline), copy, why, count })
}

/// Where a copy that cannot be believed is put, for whoever looks into it.
pub(super) fn aside(copy: &Path) -> PathBuf {
    let mut aside = copy.as_os_str().to_owned();
    aside.push(".refused");
    aside.into()
}
