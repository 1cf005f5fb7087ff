//! `[metavault]` of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::SecretRef;

/// How MetaVault is reached.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaVaultConfig {
    /// `sqlite:///absolute/path` or `postgres://user@host[:port]/database`.
    pub url: String,
    /// The password, by reference; without one the server must know us otherwise (`peer`, `trust`).
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// The directory of the server's Unix socket; the host in `url` is `localhost` then.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// A CA (PEM) that is trusted beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether password and rows may cross the network in the clear.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// The schema in which the views are; otherwise the account's own `search_path`.
    #[serde(default)]
    pub schema: Option<String>,
    /// Seconds for connecting, TLS and login included.
    #[serde(default = "connect_timeout")]
    pub connect_timeout_seconds: u32,
    /// Seconds for each statement, waiting for a load to end included.
    #[serde(default = "statement_timeout")]
    pub statement_timeout_seconds: u32,
}

impl MetaVaultConfig {
    /// The usual settings for this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            socket: None,
            ca_file: None,
            allow_plaintext: false,
            schema: None,
            connect_timeout_seconds: connect_timeout(),
            statement_timeout_seconds: statement_timeout(),
        }
    }
}

fn connect_timeout() -> u32 {
    10
}

fn statement_timeout() -> u32 {
    300
}
