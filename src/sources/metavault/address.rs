//! Where a PostgreSQL server is and how it is spoken to: with TLS that checks certificate and name, or in the clear
//! where nobody else can listen.
//!
//! The password never stands here: the connection is made in `postgres`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::config::MetaVaultConfig;
use crate::config::Secret;
use crate::wire::SettingError;

/// Whether others can listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transport {
    /// TLS with the system's authorities, and one more where it is given.
    Tls(Option<PathBuf>),
    /// The loopback of this machine.
    Loopback,
    /// A Unix socket in this directory.
    Socket(PathBuf),
    /// Another machine, because the configuration says so: TLS only where the server offers it, and unchecked.
    Plain,
}

/// A server, a database and what a session is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    host: String,
    port: u16,
    /// The account.
    pub user: String,
    /// The database.
    pub database: String,
    /// How it is spoken to.
    pub transport: Transport,
    /// The schema that holds the views.
    pub schema: Option<String>,
    /// For connecting, TLS and login included.
    pub connect_timeout: Duration,
    /// For each statement.
    pub statement_timeout: Duration,
}

impl Address {
    /// Checks what the configuration says.
    ///
    /// # Errors
    /// The setting that cannot be right; the address is never quoted, it may hold a password by mistake.
    pub fn new(config: &MetaVaultConfig) -> Result<Self, SettingError> {
        let form = "postgres://user@host[:port]/database";
        let wrong = |what: &str| SettingError::new("url", format!("{what}; it has the form {form}"));
        let url = Url::parse(&config.url).map_err(|_| wrong("is no URL"))?;
        if url.password().is_some() {
            return Err(SettingError::new("url", "must not hold a password; give it as password = \"env:NAME\""));
        }
        let plain = |text: &str| (!text.is_empty() && !text.contains(['%', '/', '\0'])).then(|| text.to_owned());
        let user = plain(url.username()).ok_or_else(|| wrong("names no user, or an odd one"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        let path = url.path().trim_start_matches('/');
        if path.is_empty() {
            return Err(wrong("names no database"));
        }
        let database = plain(path).ok_or_else(|| wrong("names an odd database"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("goes on after the database: other settings are keys of their own"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if let Some(schema) = &config.schema
            && (schema.is_empty() || schema.contains(['"', '\0', ',']))
        {
            return Err(SettingError::new("schema", "is the name of one schema"));
        }
        let timeouts = [
            ("connect_timeout_seconds", config.connect_timeout_seconds),
            ("statement_timeout_seconds", config.statement_timeout_seconds),
        ];
        if let Some((key, _)) = timeouts.iter().find(|(_, seconds)| *seconds == 0) {
            return Err(SettingError::new(key, "is at least one second"));
        }
        let seconds = |number: u32| Duration::from_secs(number.into());
        Ok(Self {
            transport: transport(&host, config)?,
            host,
            port: url.port().unwrap_or(5432),
            user,
            database,
            schema: config.schema.clone(),
            connect_timeout: seconds(config.connect_timeout_seconds),
            statement_timeout: seconds(config.statement_timeout_seconds),
        })
    }

    /// Server and database, for messages.
    pub fn place(&self) -> String {
        match &self.transport {
            Transport::Socket(directory) => format!("{} (port {})/{}", directory.display(), self.port, self.database),
            _ => format!("{}:{}/{}", self.host, self.port, self.database),
        }
    }

    /// What the driver is told. The driver would take whatever is missing from `PG...` variables of the environment
    /// or a password file: everything that decides whom we trust is set here.
    pub fn options(&self, password: Option<&Secret>) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(&self.user)
            .database(&self.database)
            .password(password.map(Secret::expose).unwrap_or_default())
            .application_name("reconcile");
        match &self.transport {
            Transport::Tls(None) => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(Vec::new()),
            Transport::Tls(Some(file)) => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(file),
            Transport::Loopback => options.ssl_mode(PgSslMode::Disable),
            Transport::Socket(directory) => options.ssl_mode(PgSslMode::Disable).socket(directory),
            Transport::Plain => options.ssl_mode(PgSslMode::Prefer),
        }
    }
}

fn transport(host: &str, config: &MetaVaultConfig) -> Result<Transport, SettingError> {
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match (&config.socket, &config.ca_file) {
        (Some(_), Some(_)) => Err(SettingError::new("socket", "needs no TLS: give socket or ca_file")),
        (Some(directory), None) if host == "localhost" && directory.is_absolute() => {
            Ok(Transport::Socket(directory.clone()))
        }
        (Some(_), None) => {
            Err(SettingError::new("socket", "is an absolute path, and the host in url is localhost beside it"))
        }
        (None, Some(_)) if config.allow_plaintext => {
            Err(SettingError::new("ca_file", "checks the server and allow_plaintext gives that up: choose one"))
        }
        (None, Some(file)) => Ok(Transport::Tls(Some(file.clone()))),
        (None, None) if loopback => Ok(Transport::Loopback),
        (None, None) if config.allow_plaintext => Ok(Transport::Plain),
        (None, None) => Ok(Transport::Tls(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> MetaVaultConfig {
        MetaVaultConfig::new(url)
    }

    #[test]
    fn another_machine_is_never_spoken_to_without_checking_it_unless_that_is_asked_for() {
        for host in ["db.uni.example", "10.0.0.4", "localhost.uni.example", "127.0.0.1.uni.example"] {
            let config = to(&format!("postgres://reader@{host}/mv"));
            let address = Address::new(&config).unwrap();
            assert_eq!(address.transport, Transport::Tls(None), "{host}");
            assert!(matches!(address.options(None).get_ssl_mode(), PgSslMode::VerifyFull));
            let allowed = Address::new(&MetaVaultConfig { allow_plaintext: true, ..config }).unwrap();
            assert_eq!(allowed.transport, Transport::Plain);
        }
    }

    #[test]
    fn nobody_listens_on_this_machine_and_a_ca_file_is_checked_there_as_well() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let config = to(&format!("postgresql://reader@{host}:6432/mv"));
            let address = Address::new(&config).unwrap();
            assert_eq!((&address.transport, address.port), (&Transport::Loopback, 6432));
            assert!(matches!(address.options(None).get_ssl_mode(), PgSslMode::Disable));
            let checked = Address::new(&MetaVaultConfig { ca_file: Some("/ca.pem".into()), ..config }).unwrap();
            assert!(matches!(checked.options(None).get_ssl_mode(), PgSslMode::VerifyFull));
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let local = to("postgres://reader@localhost/mv");
        let socket = Some(PathBuf::from("/run/postgresql"));
        let wrong = [
            MetaVaultConfig { socket: socket.clone(), ca_file: Some("/ca.pem".into()), ..local.clone() },
            MetaVaultConfig { socket: socket.clone(), ..to("postgres://reader@db.uni.example/mv") },
            MetaVaultConfig { socket: Some("run".into()), ..local.clone() },
            MetaVaultConfig { allow_plaintext: true, ca_file: Some("/ca.pem".into()), ..local.clone() },
            MetaVaultConfig { schema: Some("a\"; x".into()), ..local.clone() },
            MetaVaultConfig { statement_timeout_seconds: 0, ..local.clone() },
        ];
        for config in wrong {
            assert!(Address::new(&config).is_err(), "{config:?}");
        }
        let address = Address::new(&MetaVaultConfig { socket, ..local }).unwrap();
        assert_eq!(address.options(None).get_socket(), Some(&PathBuf::from("/run/postgresql")));
    }
}
