//! Connecting: address and transport rules, time-outs, keep-alive, bind.
//!
//! A password crosses the network only under TLS, or to this machine, or where the operator allowed
//! otherwise in so many words.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use url::Url;

use super::error::{LdapError, LdapErrorKind};
use crate::config::Secret;
use crate::wire::{SettingError, tls};

/// A silent peer is asked after this long, three times.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How to reach a server, as an operator writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// `ldaps://host[:port]` or `ldap://host[:port]`.
    pub url: String,
    /// Whether `ldap://` is raised to TLS before anything else is said.
    pub starttls: bool,
    /// The only CA trusted (PEM); the system's where there is none.
    pub ca_file: Option<PathBuf>,
    /// Whether a password may cross the network in the clear.
    pub allow_plaintext: bool,
    /// How long name look-up, connection and TLS may take together.
    pub connect_timeout: Duration,
    /// How long the server may stay silent while an answer is due.
    pub operation_timeout: Duration,
}

/// A checked address.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: Url,
    host: String,
    port: u16,
    transport: Transport,
    connect_timeout: Duration,
    operation_timeout: Duration,
}

#[derive(Clone, Debug)]
enum Transport {
    Ldaps(Arc<rustls::ClientConfig>),
    StartTls(Arc<rustls::ClientConfig>),
    Plain,
    /// In the clear, and only to an address of this machine, whatever the name resolves to.
    PlainLoopback,
}

impl Endpoint {
    /// Checks an address and reads the CA file.
    ///
    /// # Errors
    /// The setting that cannot be right.
    pub fn new(settings: &Settings) -> Result<Self, SettingError> {
        let wrong = |text: &'static str| SettingError::new("url", text);
        // The address itself is never quoted: it may hold a password by mistake.
        let url = Url::parse(&settings.url).map_err(|_| {
            wrong("is no URL: ldaps://host or ldap://host, with a port where it is another than 636 or 389")
        })?;
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| wrong("names no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not hold a user or password"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("ends after host and port"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = || {
            if host.contains(':') {
                return Err(wrong("TLS needs a host name or IPv4 address; IPv6 addresses cannot be checked"));
            }
            tls::client_config(settings.ca_file.as_deref())
                .map(Arc::new)
                .map_err(|e| SettingError::new("ca_file", e.to_string()))
        };
        let transport = match (url.scheme(), settings.starttls) {
            ("ldaps", false) => Transport::Ldaps(tls()?),
            ("ldaps", true) => {
                return Err(SettingError::new("starttls", "belongs to ldap://; ldaps:// is TLS from the start"));
            }
            ("ldap", true) => Transport::StartTls(tls()?),
            ("ldap", false) if settings.allow_plaintext => Transport::Plain,
            ("ldap", false) if is_loopback_name(&host) => Transport::PlainLoopback,
            ("ldap", false) => {
                return Err(wrong(
                    "ldap:// to another machine needs starttls = true (or allow_plaintext = true, which sends the password in the clear)",
                ));
            }
            _ => return Err(wrong("starts with ldaps:// or ldap://")),
        };
        let default_port = if matches!(transport, Transport::Ldaps(_)) { 636 } else { 389 };
        let port = url.port().unwrap_or(default_port);
        Ok(Self {
            host,
            port,
            transport,
            connect_timeout: settings.connect_timeout,
            operation_timeout: settings.operation_timeout,
            url,
        })
    }

    /// `host:port`, for error texts.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects and binds.
    ///
    /// # Errors
    /// `Connect`, `Tls`, `Timeout`, `Auth`; `Configuration` for an empty bind DN or password, which some
    /// servers answer with an anonymous bind that looks like success (RFC 4513, 5.1.2).
    pub async fn connect(&self, bind_dn: &str, password: &Secret) -> Result<Connection, LdapError> {
        if bind_dn.is_empty() || password.is_empty() {
            return Err(LdapError::new(LdapErrorKind::Configuration, "bind DN and password must not be empty"));
        }
        // ldap3 decodes what answers StartTLS and bind in the caller's task, and panics on odd input.
        AssertUnwindSafe(self.connect_and_bind(bind_dn, password))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(LdapError::new(LdapErrorKind::Malformed, "the server's answer cannot be decoded")))
    }

    async fn connect_and_bind(&self, bind_dn: &str, password: &Secret) -> Result<Connection, LdapError> {
        let late = || LdapError::new(LdapErrorKind::Timeout, "no connection in time");
        let mut connection = tokio::time::timeout(self.connect_timeout, self.open()).await.map_err(|_| late())??;
        let bound =
            connection.ldap.with_timeout(self.operation_timeout).simple_bind(bind_dn, password.expose()).await?;
        match bound.rc {
            0 => Ok(connection),
            rc => Err(LdapError::of_bind(rc)),
        }
    }

    async fn open(&self) -> Result<Connection, LdapError> {
        let stream = self.dial().await?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Tcp(stream));
        let settings = match &self.transport {
            Transport::Ldaps(tls) => settings.set_config(Arc::clone(tls)),
            Transport::StartTls(tls) => settings.set_config(Arc::clone(tls)).set_starttls(true),
            Transport::Plain | Transport::PlainLoopback => settings,
        };
        let (protocol, ldap) = LdapConnAsync::from_url_with_settings(settings, &self.url).await?;
        // In a task of its own: a panic of the protocol library ends this connection and nothing else.
        let driver = tokio::spawn(async move {
            if let Err(error) = protocol.drive().await {
                tracing::debug!(error = %LdapError::from(error), "LDAP connection ended");
            }
        });
        Ok(Connection { ldap, driver, operation_timeout: self.operation_timeout })
    }

    async fn dial(&self) -> Result<std::net::TcpStream, LdapError> {
        let refused = || LdapError::new(LdapErrorKind::Connect, "the host has no address of this machine");
        let mut last = LdapError::new(LdapErrorKind::Connect, "the host has no address");
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            if matches!(self.transport, Transport::PlainLoopback) && !address.ip().is_loopback() {
                last = refused();
                continue;
            }
            match dial(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

/// A TCP stream with what `ldap3` does not set: no delay for small requests, and keep-alive, so that a
/// peer which vanished is noticed.
async fn dial(address: SocketAddr) -> std::io::Result<std::net::TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3).with_retries(3);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.into_std()
}

fn is_loopback_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A bound connection. Dropping it ends it at once.
#[derive(Debug)]
pub struct Connection {
    ldap: Ldap,
    driver: JoinHandle<()>,
    operation_timeout: Duration,
}

impl Connection {
    /// A handle for one operation other than a search, its time-out already set. Answers are `ldap3`'s,
    /// errors turn into [`LdapError`] by `?`.
    pub fn operation(&self) -> Ldap {
        let mut ldap = self.ldap.clone();
        ldap.with_timeout(self.operation_timeout);
        ldap
    }

    /// Whether it is known to have ended. A connection that has not may still turn out to be dead.
    pub fn is_closed(&self) -> bool {
        self.ldap.clone().is_closed()
    }

    /// Takes leave of the server.
    pub async fn close(mut self) {
        // Whether the server hears it makes no difference to us.
        let _ = self.ldap.with_timeout(self.operation_timeout).unbind().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        Settings {
            url: url.into(),
            starttls: false,
            ca_file: None,
            allow_plaintext: false,
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_password_crosses_the_network_in_the_clear_only_where_allowed() {
        for url in ["ldap://127.0.0.1:3389", "ldap://localhost", "ldap://[::1]:3389/"] {
            assert!(matches!(Endpoint::new(&settings(url)).unwrap().transport, Transport::PlainLoopback), "{url}");
        }
        for url in ["ldap://dir.example.org", "ldap://10.0.0.1:389", "ldap://127.0.0.1.example.org"] {
            assert_eq!(Endpoint::new(&settings(url)).unwrap_err().field, "url", "{url}");
            let allowed = Settings { allow_plaintext: true, ..settings(url) };
            assert!(Endpoint::new(&allowed).is_ok());
        }
    }

    #[test]
    fn odd_addresses_are_refused_and_not_quoted() {
        let odd = [
            "",
            "dir",
            "http://dir",
            "ldap:///",
            "ldaps://u:hunter2@dir",
            "ldap://localhost/dc=x",
            "ldap://localhost?x",
        ];
        for url in odd {
            let error = Endpoint::new(&settings(url)).unwrap_err();
            assert_eq!(error.field, "url", "{url}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let both = Settings { starttls: true, ..settings("ldaps://localhost") };
        assert_eq!(Endpoint::new(&both).unwrap_err().field, "starttls");
    }

    #[test]
    fn ports_follow_the_scheme() {
        assert_eq!(Endpoint::new(&settings("ldap://localhost")).unwrap().port, 389);
        assert_eq!(Endpoint::new(&settings("ldap://localhost:1389")).unwrap().port, 1389);
    }

    #[tokio::test]
    async fn an_empty_password_is_never_sent() {
        let endpoint = Endpoint::new(&settings("ldap://127.0.0.1:1")).unwrap();
        let error = endpoint.connect("cn=x", &Secret::new("")).await.unwrap_err();
        assert_eq!(error.kind, LdapErrorKind::Configuration);
    }

    #[tokio::test]
    async fn a_closed_port_is_no_connection_and_a_silent_server_is_late() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent =
            Settings { operation_timeout: Duration::from_millis(50), ..settings(&format!("ldap://127.0.0.1:{port}")) };
        let endpoint = Endpoint::new(&silent).unwrap();
        let error = endpoint.connect("cn=x", &Secret::new("p")).await.unwrap_err();
        assert_eq!((error.kind, error.retry()), (LdapErrorKind::Timeout, true));
        drop(listener);
        let error = endpoint.connect("cn=x", &Secret::new("p")).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (LdapErrorKind::Connect, "LDAP_CONNECTION_FAILED"));
    }

    #[tokio::test]
    async fn an_odd_answer_to_the_bind_is_an_error_and_no_panic() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        // A bind answer without content; a message without an id; no message at all.
        for answer in [&[0x30, 5, 2, 1, 1, 0x61, 0][..], &[0x30, 0], &[4, 1, 0]] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let endpoint = Endpoint::new(&settings(&format!("ldap://127.0.0.1:{port}"))).unwrap();
            let server = async {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut request = [0; 64];
                assert!(peer.read(&mut request).await.unwrap() > 0);
                peer.write_all(answer).await.unwrap();
                peer
            };
            let password = Secret::new("p");
            let (_peer, bound) = tokio::join!(server, endpoint.connect("cn=x", &password));
            let kind = bound.unwrap_err().kind;
            assert!(matches!(kind, LdapErrorKind::Malformed | LdapErrorKind::Closed), "{kind:?}");
        }
    }
}
