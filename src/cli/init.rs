//! `reconcile init`: writes the commented configuration.

use std::io::ErrorKind;
use std::path::Path;

use super::exit::{Exit, Failure};
use super::io::Io;
use super::private_file::{self, Existing};
use crate::config::default_document;
use crate::plain::in_words;
use crate::targets::Registry;

/// Writes the configuration to `path`; a file that stands there is kept.
pub(super) fn run(path: &Path, registry: &Registry, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let text = default_document(registry);
    private_file::write(path, text.as_bytes(), Existing::Keep).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let message = format!("{} is there already and is kept; name another file with --config", path.display());
            Failure { exit: Exit::Config, message }
        }
        _ => Failure::error(format!("{} cannot be written: {}", path.display(), in_words(&error))),
    })?;
    writeln!(io.out, "Wrote {}. Fill in addresses and credentials, then:", path.display())?;
    writeln!(io.out, "  reconcile --config {} check", path.display())?;
    writeln!(io.out, "and when nothing is wrong:")?;
    writeln!(io.out, "  reconcile --config {} --plan", path.display())?;
    Ok(Exit::Done)
}
