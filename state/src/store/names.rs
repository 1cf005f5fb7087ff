//! What the files of a store are called.

use std::path::{Path, PathBuf};

/// The name of the sources' file, without its ending.
pub(super) const SOURCES: &str = "sources";
/// The folder of the claims' copies.
pub(super) const CLAIMS: &str = "claims";

/// Where the sources' or a pipeline's file is.
pub(super) fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.redb"))
}

/// Where a pipeline's claims are copied to.
pub(super) fn claims_copy(dir: &Path, pipeline: &str) -> PathBuf {
    dir.join(CLAIMS).join(format!("{pipeline}.jsonl"))
}
