//! Which engine an address names.

use std::path::Path;

use super::address::Address;
use super::config::MetaVaultConfig;
use super::postgres::PostgresVault;
use super::sqlite::SqliteVault;
use crate::sources::port::Vault;
use crate::wire::{SettingError, tls};

/// The reader for the engine that the address names; connects nowhere.
///
/// # Errors
/// The setting that cannot be right; the address is never quoted, it may hold a password.
pub fn open(
    config: &MetaVaultConfig,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Box<dyn Vault>, SettingError> {
    if config.url.is_empty() {
        return Err(SettingError::new("url", "is empty; fill it in"));
    }
    if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
        let address = Address::new(config)?;
        if let Some(file) = &config.ca_file {
            // The driver would find out at the first connection only.
            tls::client_config(Some(file)).map_err(|error| SettingError::new("ca_file", error.to_string()))?;
        }
        let password = config.password.as_ref().map(|secret| secret.resolve(environment)).transpose();
        let password = password.map_err(|error| SettingError::new("password", error.to_string()))?;
        return Ok(Box::new(PostgresVault::new(address, password)));
    }
    let path =
        config.url.strip_prefix("sqlite://").map(Path::new).filter(|path| path.is_absolute()).ok_or_else(|| {
            let form = "has the form sqlite:///absolute/path or postgres://user@host[:port]/database";
            SettingError::new("url", form)
        })?;
    let usual = MetaVaultConfig::new(&config.url);
    if *config != usual {
        return Err(SettingError::new("url", "names a file: the other keys belong to postgres:// and have to go"));
    }
    Ok(Box::new(SqliteVault::new(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretRef;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn an_address_of_another_form_is_refused_and_not_quoted() {
        for url in [
            "",
            "/var/mv.db",
            "sqlite://mv.db",
            "mysql://u:hunter2@db/mv",
            "postgres://u:hunter2@localhost/mv",
            "postgres://localhost/mv",
            "postgres://u@localhost",
            "postgres://u@localhost/mv?password=hunter2",
            "postgres:hunter2",
        ] {
            let error = open(&MetaVaultConfig::new(url), &none).err().unwrap();
            assert!(error.field == "url" && !error.to_string().contains("hunter2"), "{url}");
        }
        for url in ["postgres://u@localhost", "postgres://u@localhost/"] {
            let error = open(&MetaVaultConfig::new(url), &none).err().unwrap();
            assert!(error.message.starts_with("names no database; it has the form postgres://user@host"), "{error}");
        }
        assert!(open(&MetaVaultConfig::new("sqlite:///var/mv.db"), &none).is_ok());
        assert!(open(&MetaVaultConfig::new("postgresql://u@db.uni.example/mv"), &none).is_ok());
    }

    #[test]
    fn a_password_is_looked_up_and_its_absence_said() {
        let password = Some(SecretRef::parse("env:MV_PASSWORD"));
        let config = MetaVaultConfig { password, ..MetaVaultConfig::new("postgres://u@db.uni.example/mv") };
        assert!(open(&config, &|_| Some("x".into())).is_ok());
        assert!(open(&config, &none).err().unwrap().to_string().contains("MV_PASSWORD"));
    }

    #[test]
    fn a_ca_file_that_is_not_there_is_said_before_anything_is_connected() {
        let config = MetaVaultConfig {
            ca_file: Some("/nonexistent/ca.pem".into()),
            ..MetaVaultConfig::new("postgres://u@db.uni.example/mv")
        };
        assert!(open(&config, &none).err().unwrap().to_string().contains("/nonexistent/ca.pem"));
    }

    #[test]
    fn keys_of_a_server_beside_a_file_are_refused() {
        let config = MetaVaultConfig { schema: Some("mv".into()), ..MetaVaultConfig::new("sqlite:///var/mv.db") };
        assert!(open(&config, &none).is_err());
    }
}
