//! `[metavault]` of the configuration, and which engine it names.

use std::path::Path;

use serde::Deserialize;

use super::sqlite::SqliteVault;
use crate::sources::error::{Origin, SourceError};
use crate::sources::port::Vault;

/// How MetaVault is reached.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaVaultConfig {
    /// `sqlite:///absolute/path`.
    pub url: String,
}

/// The reader for the engine that the address names; connects nowhere.
///
/// # Errors
/// `Configuration`; the address is never quoted, it may hold a password.
pub fn open(config: &MetaVaultConfig) -> Result<Box<dyn Vault>, SourceError> {
    let path =
        config.url.strip_prefix("sqlite://").map(Path::new).filter(|path| path.is_absolute()).ok_or_else(|| {
            SourceError::configuration(Origin::MetaVault, "[metavault] url has the form sqlite:///absolute/path")
        })?;
    Ok(Box::new(SqliteVault::new(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_form_is_refused_and_not_quoted() {
        for url in ["", "/var/mv.db", "sqlite://mv.db", "mysql://u:hunter2@db/mv"] {
            let error = open(&MetaVaultConfig { url: url.into() }).err().unwrap();
            assert!(!error.retry && !error.to_string().contains("hunter2"), "{url}");
        }
        assert!(open(&MetaVaultConfig { url: "sqlite:///var/mv.db".into() }).is_ok());
    }
}
