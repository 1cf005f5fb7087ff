//! Scrubbing: claims of somebody who is forgotten go from their copies too, from those that were put aside, and from
//! whatever a killed process was about to write.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::claimed;
use super::copy::Line;
use super::dir::StoreDir;
use super::disk::write_whole;
use super::error::StoreError;
use super::names::{CLAIMS, claims_copy, is_pipeline};
use crate::record::Key;

impl StoreDir {
    /// How many lines tell of these keys in copies of claims, of any pipeline and time.
    ///
    /// # Errors
    /// Where a file refuses.
    pub fn copied(&self, keys: &BTreeSet<Key>) -> Result<u64, StoreError> {
        copies(self.path())?.iter().map(|path| Ok(lines(path, keys)?.1)).sum()
    }

    /// Removes copies of claims that were put aside before a time (Unix milliseconds): a former target's, one with more
    /// claims in it than the one that followed, one that was refused. The last copy of each pipeline stays.
    ///
    /// # Errors
    /// Where a file refuses.
    pub fn drop_copies(&self, before: i64) -> Result<u64, StoreError> {
        let _turn = self.turn();
        let mut dropped = 0;
        for path in copies(self.path())? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let since = path.metadata().and_then(|file| file.modified()).map_err(StoreError::io(&path))?;
            let since = since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            if is_aside(&name) && i128::try_from(since).unwrap_or(i128::MAX) < i128::from(before) {
                std::fs::remove_file(&path).map_err(StoreError::io(&path))?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    /// Takes those lines out, each file whole or not at all, and removes what killed processes left half-written. Gives
    /// the number of lines.
    ///
    /// # Errors
    /// Where a file refuses; what is done until then is durable.
    pub fn scrub(&self, keys: &BTreeSet<Key>) -> Result<u64, StoreError> {
        let _turn = self.turn();
        for place in [self.path().to_owned(), self.path().join(CLAIMS)] {
            for path in within(&place)?.iter().filter(|path| path.extension().is_some_and(|end| end == "new")) {
                std::fs::remove_file(path).map_err(StoreError::io(path))?;
            }
        }
        let mut all = 0;
        for path in copies(self.path())? {
            let (kept, gone) = lines(&path, keys)?;
            if gone == 0 {
                continue;
            }
            write_whole(&path, &kept)?;
            all += gone;
            let pipeline = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jsonl"));
            if let Some(pipeline) = pipeline.filter(|name| is_pipeline(name))
                && path == claims_copy(self.path(), pipeline)
                && claimed::read(self.path())?.contains_key(pipeline)
            {
                let count = kept.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
                claimed::remember(self.path(), pipeline, Some(count as u64))?;
            }
        }
        Ok(all)
    }
}

/// Names of copies that were put aside.
fn is_aside(name: &str) -> bool {
    let last = name.strip_suffix(".jsonl").is_some_and(|name| !name.contains("-before-"));
    name.contains(".jsonl") && !last
}

/// Every copy of claims: the last one, a former one with more in it, those of a former target, one that was refused.
fn copies(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut all = within(&dir.join(CLAIMS))?;
    all.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".jsonl")));
    all.retain(|path| path.extension().is_none_or(|end| end != "new"));
    Ok(all)
}

/// The files of a folder; none where it is not there.
fn within(place: &Path) -> Result<Vec<PathBuf>, StoreError> {
    if !place.try_exists().map_err(StoreError::io(place))? {
        return Ok(Vec::new());
    }
    let entries = place.read_dir().map_err(StoreError::io(place))?;
    let mut all: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(StoreError::io(place))?;
    all.retain(|path| path.is_file());
    all.sort();
    Ok(all)
}

/// What is left of a copy without some keys, and how many lines are not. A line that is no claim goes where the key
/// stands in it.
fn lines(path: &Path, keys: &BTreeSet<Key>) -> Result<(Vec<u8>, u64), StoreError> {
    let bytes = std::fs::read(path).map_err(StoreError::io(path))?;
    let tells = |line: &[u8]| {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            return keys.contains(&line.key);
        }
        let text = String::from_utf8_lossy(line);
        keys.iter().any(|key| text.contains(key.as_str()))
    };
    let (mut kept, mut gone) = (Vec::with_capacity(bytes.len()), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if tells(line.trim_ascii_end()) {
            gone += 1;
        } else {
            kept.extend_from_slice(line);
        }
    }
    Ok((kept, gone))
}
