//! `[portal_ldap]` of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::SecretRef;
use crate::wire::ldap::Settings;

/// How Portal LDAP is reached and which of its attributes mean what.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalLdapConfig {
    /// `ldaps://host[:port]` or `ldap://host[:port]`.
    pub url: String,
    /// Whether `ldap://` is raised to TLS first.
    #[serde(default)]
    pub starttls: bool,
    /// The only CA trusted (PEM); the system's where there is none.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether the password may cross the network in the clear.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// The service account's DN.
    pub bind_dn: String,
    /// Its password, by reference.
    pub password: SecretRef,
    /// The branch that holds people.
    #[serde(default = "people_base")]
    pub people_base: String,
    /// The class of people.
    #[serde(default = "object_class")]
    pub object_class: String,
    /// Entries in one page, 1 to 10 000.
    #[serde(default = "page_size")]
    pub page_size: u16,
    /// Seconds for connecting, TLS included.
    #[serde(default = "connect_timeout")]
    pub connect_timeout_seconds: u32,
    /// Seconds the server may stay silent while an answer is due.
    #[serde(default = "operation_timeout")]
    pub operation_timeout_seconds: u32,
    /// Directory attributes that differ from the usual ones, by the name the attribute has here.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl PortalLdapConfig {
    /// The part that is about the connection.
    pub fn connection(&self) -> Settings {
        Settings {
            url: self.url.clone(),
            starttls: self.starttls,
            ca_file: self.ca_file.clone(),
            allow_plaintext: self.allow_plaintext,
            connect_timeout: Duration::from_secs(self.connect_timeout_seconds.into()),
            operation_timeout: Duration::from_secs(self.operation_timeout_seconds.into()),
        }
    }
}

fn people_base() -> String {
    "ou=Accounts,dc=meta".to_owned()
}

fn object_class() -> String {
    "idautoPerson".to_owned()
}

fn page_size() -> u16 {
    500
}

fn connect_timeout() -> u32 {
    10
}

fn operation_timeout() -> u32 {
    60
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "url = 'ldaps://portal.example.org'\nbind_dn = 'cn=reconcile,dc=meta'\npassword = 'env:P'\n";

    #[test]
    fn the_least_configuration_has_the_usual_values() {
        let config: PortalLdapConfig = toml::from_str(LEAST).unwrap();
        assert_eq!((config.people_base.as_str(), config.page_size), ("ou=Accounts,dc=meta", 500));
        assert_eq!(config.connection().operation_timeout, Duration::from_mins(1));
        assert!(!config.allow_plaintext && !config.starttls && config.attributes.is_empty());
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let error = toml::from_str::<PortalLdapConfig>(&format!("{LEAST}verify = false\n")).unwrap_err();
        assert!(error.message().contains("verify"), "{error}");
    }
}
