//! What the files of a store are called.

use std::path::{Path, PathBuf};

/// The name of the sources' file, without its ending.
pub(super) const SOURCES: &str = "sources";
/// The folder of the claims' copies.
pub(super) const CLAIMS: &str = "claims";

/// The list of pipelines that have had claims.
pub(super) const CLAIMED: &str = "claimed";

/// Where a copy is kept that has many more claims than the one in its place.
pub(super) fn beside(copy: &Path) -> PathBuf {
    let mut beside = copy.as_os_str().to_owned();
    beside.push(".1");
    beside.into()
}

/// Where it is remembered which pipelines have had claims.
pub(super) fn claimed(dir: &Path) -> PathBuf {
    dir.join(CLAIMED)
}

/// Where the sources' or a pipeline's file is.
pub(super) fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.redb"))
}

/// Where a pipeline's claims are copied to.
pub(super) fn claims_copy(dir: &Path, pipeline: &str) -> PathBuf {
    dir.join(CLAIMS).join(format!("{pipeline}.jsonl"))
}

/// Whether this can name a pipeline's file.
pub(super) fn is_pipeline(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name != SOURCES && name.chars().all(plain)
}
