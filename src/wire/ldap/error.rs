//! Errors of LDAP: what kind, and whether asking again may help.
//!
//! Texts never hold a DN, a value or the server's own diagnostic message, which may quote both.

use std::borrow::Cow;

use crate::plain::in_words;

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LdapErrorKind {
    /// The settings cannot work: address, transport security, CA file.
    Configuration,
    /// No connection: name, route, refused.
    Connect,
    /// The server's certificate or protocol was not accepted.
    Tls,
    /// The bind was refused.
    Auth,
    /// No answer in time.
    Timeout,
    /// The connection ended while an answer was due.
    Closed,
    /// The server stopped at its size limit (rc 4): what was read is a part.
    SizeLimit,
    /// The server pointed elsewhere (a referral): what was read is a part.
    Referral,
    /// The answer is not what the protocol allows.
    Malformed,
    /// The server refused the operation; [`LdapError::rc`] says how.
    Refused,
}

/// A failed LDAP operation.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}{}", rc.map(|rc| format!(" (rc {rc}, {})", rc_name(rc))).unwrap_or_default())]
pub struct LdapError {
    /// What went wrong.
    pub kind: LdapErrorKind,
    /// The server's result code, where it gave one.
    pub rc: Option<u32>,
    detail: Cow<'static, str>,
}

impl LdapError {
    /// An error; `detail` must not hold a DN or a value.
    pub fn new(kind: LdapErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, rc: None, detail: detail.into() }
    }

    /// What a search's result code other than 0 means.
    pub fn of_search(rc: u32) -> Self {
        let (kind, detail) = match rc {
            4 => (LdapErrorKind::SizeLimit, "the server's size limit cut the reading short"),
            10 => (LdapErrorKind::Referral, "the server refers to another server"),
            _ => (LdapErrorKind::Refused, "the search was refused"),
        };
        Self { rc: Some(rc), ..Self::new(kind, detail) }
    }

    /// What a bind's result code other than 0 means.
    pub fn of_bind(rc: u32) -> Self {
        Self { rc: Some(rc), ..Self::new(LdapErrorKind::Auth, "the bind was refused") }
    }

    /// What a modification's result code other than 0 means.
    pub fn of_modify(rc: u32) -> Self {
        let (kind, detail) = match rc {
            10 => (LdapErrorKind::Referral, "the server refers to another server"),
            _ => (LdapErrorKind::Refused, "the modification was refused"),
        };
        Self { rc: Some(rc), ..Self::new(kind, detail) }
    }

    /// Whether the same operation may succeed later without anybody changing anything. A refused bind is
    /// not repeated: it would lock the account.
    pub fn retry(&self) -> bool {
        match self.kind {
            LdapErrorKind::Connect | LdapErrorKind::Timeout | LdapErrorKind::Closed => true,
            // timeLimitExceeded, busy, unavailable
            LdapErrorKind::Auth | LdapErrorKind::Refused => matches!(self.rc, Some(3 | 51 | 52)),
            LdapErrorKind::Configuration
            | LdapErrorKind::Tls
            | LdapErrorKind::SizeLimit
            | LdapErrorKind::Referral
            | LdapErrorKind::Malformed => false,
        }
    }

    /// The stable code: `LDAP_CONNECTION_FAILED` (the seeds' name) where there is no usable connection,
    /// else `LDAP_SEARCH_FAILED`.
    pub fn code(&self) -> &'static str {
        match self.kind {
            LdapErrorKind::Configuration
            | LdapErrorKind::Connect
            | LdapErrorKind::Tls
            | LdapErrorKind::Auth
            | LdapErrorKind::Timeout
            | LdapErrorKind::Closed => "LDAP_CONNECTION_FAILED",
            LdapErrorKind::SizeLimit | LdapErrorKind::Referral | LdapErrorKind::Malformed | LdapErrorKind::Refused => {
                "LDAP_SEARCH_FAILED"
            }
        }
    }
}

impl From<ldap3::LdapError> for LdapError {
    fn from(error: ldap3::LdapError) -> Self {
        use LdapErrorKind as K;
        match error {
            ldap3::LdapError::Io { source } => Self::from(source),
            ldap3::LdapError::Timeout { .. } => Self::new(K::Timeout, "no answer in time"),
            ldap3::LdapError::EndOfStream
            | ldap3::LdapError::OpSend { .. }
            | ldap3::LdapError::ResultRecv { .. }
            | ldap3::LdapError::IdScrubSend { .. }
            | ldap3::LdapError::MiscSend { .. } => Self::new(K::Closed, "the connection ended"),
            ldap3::LdapError::Rustls { source } => Self::new(K::Tls, tls_in_words(&source)),
            ldap3::LdapError::DNSName { .. } => Self::new(K::Configuration, "the host is no name TLS can check"),
            ldap3::LdapError::LdapResult { result } => {
                Self { rc: Some(result.rc), ..Self::new(K::Refused, "the operation was refused") }
            }
            ldap3::LdapError::FilterParsing => Self::new(K::Configuration, "the search filter cannot be parsed"),
            _ => Self::new(K::Malformed, "the LDAP library refused the operation"),
        }
    }
}

impl From<std::io::Error> for LdapError {
    fn from(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::new(LdapErrorKind::Tls, tls_in_words(tls)),
            None if error.kind() == std::io::ErrorKind::TimedOut => {
                Self::new(LdapErrorKind::Timeout, "no answer in time")
            }
            None if error.kind() == std::io::ErrorKind::InvalidData => {
                Self::new(LdapErrorKind::Connect, "no connection: the other side does not speak LDAP")
            }
            None => Self::new(LdapErrorKind::Connect, format!("no connection: {}", in_words(&error))),
        }
    }
}

/// A plain port that is spoken to in TLS is a mistake of an operator more often than a fault of the server.
fn tls_in_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "the other side does not speak TLS on this port".to_owned(),
        error => format!("TLS: {error}"),
    }
}

/// Names of RFC 4511, appendix A, as far as a client meets them.
fn rc_name(rc: u32) -> &'static str {
    match rc {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        65 => "objectClassViolation",
        80 => "other",
        122 => "assertionFailed",
        _ => "unnamed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_reading_is_told_apart_and_not_repeated() {
        let cut = LdapError::of_search(4);
        assert_eq!((cut.kind, cut.retry(), cut.code()), (LdapErrorKind::SizeLimit, false, "LDAP_SEARCH_FAILED"));
        assert_eq!(cut.to_string(), "the server's size limit cut the reading short (rc 4, sizeLimitExceeded)");
    }

    #[test]
    fn a_plain_port_spoken_to_in_tls_is_said_in_words() {
        let tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let error = LdapError::from(std::io::Error::new(std::io::ErrorKind::InvalidData, tls));
        assert_eq!(
            (error.kind, error.to_string().as_str()),
            (LdapErrorKind::Tls, "the other side does not speak TLS on this port")
        );
    }

    #[test]
    fn a_wrong_password_is_not_tried_again_but_a_busy_server_is() {
        let wrong = LdapError::of_bind(49);
        assert_eq!((wrong.retry(), wrong.code()), (false, "LDAP_CONNECTION_FAILED"));
        assert!(LdapError::of_bind(52).retry() && LdapError::of_search(51).retry());
    }
}
