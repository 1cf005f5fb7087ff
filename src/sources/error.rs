//! Errors of sources. Texts may name tables, columns, attributes and files; never a DN or a value.

use std::fmt;

use crate::wire::ldap::{LdapError, LdapErrorKind};

/// Which source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// Portal LDAP.
    PortalLdap,
    /// MetaVault.
    MetaVault,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PortalLdap => "portal-ldap",
            Self::MetaVault => "metavault",
        })
    }
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceErrorKind {
    /// Settings that cannot work.
    Configuration,
    /// The source cannot be reached.
    Connect,
    /// The source refuses our credentials.
    Auth,
    /// The source stopped before the end: what was read is a part and proves no absence.
    Partial,
    /// The source lacks a table or column that the read model needs.
    Schema,
    /// The source answered with what cannot be understood.
    Malformed,
    /// The source refused or failed.
    Failed,
}

/// A reading that failed. Whatever it had given before proves no absence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{origin}: {detail}")]
pub struct SourceError {
    /// Which source.
    pub origin: Origin,
    /// What went wrong.
    pub kind: SourceErrorKind,
    /// Whether the same reading may succeed later without anybody changing anything.
    pub retry: bool,
    /// The stable code for logs and reports.
    pub code: &'static str,
    detail: String,
}

impl SourceError {
    /// Settings of `origin` that cannot work.
    pub fn configuration(origin: Origin, detail: impl Into<String>) -> Self {
        let code = match origin {
            Origin::PortalLdap => "LDAP_CONNECTION_FAILED",
            Origin::MetaVault => "METAVAULT_CONNECTION_FAILED",
        };
        Self { origin, kind: SourceErrorKind::Configuration, retry: false, code, detail: detail.into() }
    }

    /// MetaVault cannot be opened.
    pub(super) fn vault_connect(detail: impl Into<String>, retry: bool) -> Self {
        let origin = Origin::MetaVault;
        let code = "METAVAULT_CONNECTION_FAILED";
        Self { origin, kind: SourceErrorKind::Connect, retry, code, detail: detail.into() }
    }

    /// MetaVault lacks a part of the read model.
    pub(super) fn vault_schema(detail: impl Into<String>) -> Self {
        let origin = Origin::MetaVault;
        Self {
            origin,
            kind: SourceErrorKind::Schema,
            retry: false,
            code: "METAVAULT_SCHEMA_MISMATCH",
            detail: detail.into(),
        }
    }

    /// A query of MetaVault failed.
    pub(super) fn vault_read(detail: impl Into<String>, retry: bool) -> Self {
        let origin = Origin::MetaVault;
        Self { origin, kind: SourceErrorKind::Failed, retry, code: "METAVAULT_READ_FAILED", detail: detail.into() }
    }
}

impl From<LdapError> for SourceError {
    fn from(error: LdapError) -> Self {
        let kind = match error.kind {
            LdapErrorKind::Configuration => SourceErrorKind::Configuration,
            LdapErrorKind::Connect | LdapErrorKind::Tls | LdapErrorKind::Timeout | LdapErrorKind::Closed => {
                SourceErrorKind::Connect
            }
            LdapErrorKind::Auth => SourceErrorKind::Auth,
            LdapErrorKind::SizeLimit | LdapErrorKind::Referral => SourceErrorKind::Partial,
            LdapErrorKind::Malformed => SourceErrorKind::Malformed,
            LdapErrorKind::Refused => SourceErrorKind::Failed,
        };
        Self { origin: Origin::PortalLdap, kind, retry: error.retry(), code: error.code(), detail: error.to_string() }
    }
}
