//! Requests over HTTP: one client for each target and set of credentials, paced, repeated where that is
//! safe, not sent while the target is away, traced without values.
//!
//! It does not know what an answer means (a judge given with each request does) and never follows a
//! redirect, never answers with the text of a query, a form or a body in an error. Whether a failed
//! request is sent again is decided in [`retry`](super::retry).

use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, field, info_span};
use url::{Host, Url};

use super::body::Body;
use super::breaker::Breaker;
use super::pace::Pace;
use super::retry::{RetryConfig, parse_retry_after, repeat};
use super::setting::SettingError;
use crate::model::{Effect, ErrorKind, Retry, TargetError};

/// Idle connections are closed before common servers close them (Apache after 5 s): a write sent into a
/// closing connection would be in doubt for nothing.
const IDLE: Duration = Duration::from_secs(4);

/// What a client is made of.
pub struct HttpSettings {
    /// The target's name, for traces.
    pub target: &'static str,
    /// Where the target is; paths of requests are below it. No query, user or fragment.
    pub base: Url,
    /// Whom to trust, and who we are, over https.
    pub tls: Option<Arc<ClientConfig>>,
    /// Whether http is allowed to other machines than this one.
    pub allow_plaintext: bool,
    /// Longest time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time from the start of a request to the end of its answer, without the wait for its turn.
    pub request_timeout: Duration,
    /// Longest body of an answer, in bytes.
    pub body_limit: usize,
    /// How fast the target may be asked.
    pub pace: Pace,
    /// When a request is given up.
    pub retry: RetryConfig,
    /// Seed of the delays' jitter.
    pub seed: u64,
    /// Code of errors that have no better one: `MOODLE_CONNECTION_FAILED`.
    pub connection_code: &'static str,
}

/// Whether a request may change something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// It cannot: it may be sent again at any time.
    Read,
    /// It may: once it has left, only an answer says what happened.
    Write,
}

/// One request: a form, sent by POST.
pub struct Request {
    /// Path below the base. It is logged, so it is part of the program and holds no value.
    pub path: &'static str,
    /// Fields in the order in which they are sent. Never logged.
    pub form: Vec<(String, String)>,
    /// Whether it may change something.
    pub purpose: Purpose,
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Media type as sent, empty if there is none.
    pub content_type: String,
    /// How long the target asks to wait.
    pub retry_after: Option<Duration>,
    /// The body; of an answer that is no success at most as much as the limit allows.
    pub body: Body,
}

/// A client of one target.
pub struct HttpClient {
    wire: Arc<Wire>,
    random: Mutex<fastrand::Rng>,
}

/// What a request needs that goes on while its caller is elsewhere.
struct Wire {
    client: reqwest::Client,
    settings: HttpSettings,
    breaker: Breaker,
}

impl HttpClient {
    /// A client; nothing is sent yet. Proxies that the environment names are not used.
    ///
    /// # Errors
    /// [`SettingError`] naming the setting that cannot be right.
    pub fn new(settings: HttpSettings) -> Result<Self, SettingError> {
        check_base(&settings)?;
        if settings.connect_timeout >= settings.request_timeout {
            // Else a lost connection would look like a lost answer.
            return Err(SettingError::new("connect_timeout", "must be shorter than request_timeout"));
        }
        let tls = match &settings.tls {
            Some(config) => ClientConfig::clone(config),
            None if settings.base.scheme() == "https" => {
                return Err(SettingError::new("tls", "https needs to know whom to trust"));
            }
            None => trust_nobody()?,
        };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("reconcile/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| SettingError::new("tls", cause(&error)))?;
        let random = Mutex::new(fastrand::Rng::with_seed(settings.seed));
        let breaker = Breaker::new(settings.target, settings.pace.concurrency());
        Ok(Self { wire: Arc::new(Wire { client, settings, breaker }), random })
    }

    /// Sends a request when its turn comes and lets `judge` say what the answer means. A judge speaks as
    /// of a write: the error of a read is given without effect, whatever it says. Redirects do not reach it.
    ///
    /// # Errors
    /// The judge's, or a [`TargetError`] of the transport, of the last attempt.
    pub async fn send<T, F>(&self, request: Request, judge: F) -> Result<T, TargetError>
    where
        F: Fn(Reply) -> Result<T, TargetError>,
    {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&request.form).finish();
        let settings = &self.wire.settings;
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let attempt = |number| {
            let span = info_span!(
                "request",
                to = settings.target,
                path = request.path,
                attempt = number,
                status = field::Empty,
                ms = field::Empty
            );
            self.attempt(request.path, request.purpose, form.clone(), &judge).instrument(span)
        };
        repeat(&settings.retry, &settings.pace, &self.wire.breaker, random, attempt).await
    }

    async fn attempt<T, F>(
        &self,
        path: &'static str,
        purpose: Purpose,
        form: String,
        judge: &F,
    ) -> Result<T, TargetError>
    where
        F: Fn(Reply) -> Result<T, TargetError>,
    {
        // A task of its own, ended with this future: else a caller that stops polling for a while (a stream
        // whose page is being worked on) would keep its place in the line, and if it waits for another
        // request meanwhile, for ever.
        let mut task = JoinSet::new();
        let wire = Arc::clone(&self.wire);
        task.spawn(async move { wire.paced(path, form).await }.in_current_span());
        let answer = match task.join_next().await {
            Some(Ok(answer)) => answer,
            _ => Err(self.wire.stopped()),
        };
        let judged = answer.and_then(judge);
        match judged {
            Ok(value) => {
                debug!("answered");
                Ok(value)
            }
            Err(error) => {
                debug!(code = error.code, kind = %error.kind, "failed");
                Err(if purpose == Purpose::Read { error.effect(Effect::None) } else { error })
            }
        }
    }
}

impl Wire {
    /// One exchange in its turn.
    async fn paced(&self, path: &str, form: String) -> Result<Reply, TargetError> {
        let permit = self.settings.pace.admit().await;
        let begun = Instant::now();
        let answer = self.exchange(path, form).await;
        drop(permit);
        let span = Span::current();
        span.record("ms", u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        if let Ok(reply) = &answer {
            span.record("status", reply.status);
        }
        answer
    }

    /// One exchange; its errors have the effects of a write.
    async fn exchange(&self, path: &str, form: String) -> Result<Reply, TargetError> {
        let mut response = self
            .client
            .post(below(&self.settings.base, path))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .map_err(|error| self.broken(&error))?;
        let status = response.status();
        let headers = response.headers();
        if status.is_redirection() {
            return Err(self.redirected(status.as_u16(), text(headers, &LOCATION)));
        }
        let content_type = text(headers, &CONTENT_TYPE).unwrap_or_default().to_owned();
        let retry_after = text(headers, &RETRY_AFTER).and_then(|value| parse_retry_after(value, text(headers, &DATE)));
        let mut body = Body::default();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            let room = self.settings.body_limit - body.len();
            if chunk.len() <= room {
                body.extend(&chunk);
            } else if status.is_success() {
                return Err(self.too_large());
            } else {
                body.extend(&chunk[..room]);
                break;
            }
        }
        Ok(Reply { status: status.as_u16(), content_type, retry_after, body })
    }

    fn origin(&self) -> String {
        self.settings.base.origin().ascii_serialization()
    }

    fn broken(&self, error: &reqwest::Error) -> TargetError {
        let (origin, cause) = (self.origin(), cause(error));
        let (effect, message) = if error.is_connect() {
            (Effect::None, format!("no connection to {origin}: {cause}; nothing was sent"))
        } else if error.is_timeout() {
            let limit = self.settings.request_timeout.as_millis();
            (Effect::Unknown, format!("{origin} did not answer within {limit} ms"))
        } else {
            (Effect::Unknown, format!("the connection to {origin} broke before the whole answer was there: {cause}"))
        };
        TargetError::new(ErrorKind::Connect, self.settings.connection_code, message).later(None).effect(effect)
    }

    fn stopped(&self) -> TargetError {
        let message = format!("the request to {} was stopped before its answer", self.origin());
        TargetError::new(ErrorKind::Connect, self.settings.connection_code, message).effect(Effect::Unknown)
    }

    fn redirected(&self, status: u16, location: Option<&str>) -> TargetError {
        let elsewhere = location
            .and_then(|location| Url::parse(location).ok())
            .map_or_else(|| "elsewhere".to_owned(), |url| url.origin().ascii_serialization());
        let message = format!(
            "HTTP {status}: {} redirects to {elsewhere}; the configured address is wrong (scheme, host or path)",
            self.origin()
        );
        // A moved resource did nothing; any other redirect may be the answer to work that was done.
        let effect = if matches!(status, 301 | 307 | 308) { Effect::None } else { Effect::Unknown };
        TargetError::new(ErrorKind::Rejected, self.settings.connection_code, message).effect(effect)
    }

    fn too_large(&self) -> TargetError {
        let message = format!("the answer of {} is longer than {} bytes", self.origin(), self.settings.body_limit);
        TargetError::new(ErrorKind::Malformed, self.settings.connection_code, message).effect(Effect::Unknown)
    }
}

/// What a status alone says, as of a write: success, or an error with `code`. Judges call it first, or
/// last where a target says better in the body. No status is trusted to mean "nothing was done" that a
/// server or a gateway may send after the work began (504: the work goes on; facts on Moodle, section 2).
///
/// # Errors
/// The status as a [`TargetError`].
pub fn judge_status(reply: &Reply, code: &'static str) -> Result<(), TargetError> {
    use ErrorKind::{Auth, Conflict, Malformed, NotFound, RateLimited, Rejected, Unavailable};
    let status = reply.status;
    let (never, later) = (Retry::Never, Retry::Later(reply.retry_after));
    let (none, unknown) = (Effect::None, Effect::Unknown);
    let (kind, retry, effect, meaning) = match status {
        200..=299 => return Ok(()),
        401 | 403 | 407 => (Auth, never, none, "access is refused; check credentials and rights"),
        404 | 410 => (NotFound, never, none, "there is nothing at this address"),
        408 | 425 => (Unavailable, later, none, "the request came too slowly or too early"),
        409 | 412 => (Conflict, never, none, "the record is not as the request expects"),
        413 => (Rejected, never, none, "the request is too large; send less at once"),
        429 => (RateLimited, later, none, "too many requests; lower the pace"),
        400..=499 => (Rejected, never, none, "the request is refused as it is"),
        502..=504 => (Unavailable, later, unknown, "the target is down, busy or slow"),
        500..=599 => (Unavailable, later, unknown, "the target failed; see its own log"),
        _ => (Malformed, never, unknown, "no status that the contract knows"),
    };
    let mut error = TargetError::new(kind, code, format!("HTTP {status}: {meaning}")).effect(effect);
    error.retry = retry;
    Err(error)
}

fn check_base(settings: &HttpSettings) -> Result<(), SettingError> {
    let base = &settings.base;
    let refused = |message| Err(SettingError::new("base", message));
    let here = match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => return refused("needs a host"),
    };
    match base.scheme() {
        "https" => {}
        "http" if here || settings.allow_plaintext => {}
        "http" => {
            return refused(
                "must be https: credentials and personal data would travel in the clear; http is for this machine only",
            );
        }
        _ => return refused("must be https, or http on this machine only"),
    }
    if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() || base.password().is_some() {
        return refused("must be scheme, host and path only");
    }
    Ok(())
}

/// Plain http needs no trust; a TLS configuration without roots keeps any https from slipping in.
fn trust_nobody() -> Result<ClientConfig, SettingError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingError::new("tls", error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/')));
    url
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The innermost cause: the outer ones name the URL, or say only that something failed.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = match error.source() {
        Some(source) => source,
        None => return "the request could not be made".to_owned(),
    };
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
