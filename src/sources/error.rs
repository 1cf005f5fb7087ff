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

    /// What Portal LDAP at `place` (host and port) failed at, with the key of the configuration to look at.
    pub(super) fn portal(error: LdapError, place: &str) -> Self {
        let look = match (error.kind, error.rc) {
            (LdapErrorKind::Connect, _) => "; look at `url` in [portal_ldap]: host, port, and ldap:// or ldaps://",
            (LdapErrorKind::Tls, _) => "; look at `url`, `starttls` and `ca_file` in [portal_ldap]",
            (LdapErrorKind::Auth, _) => "; look at `bind_dn` and `password` in [portal_ldap]",
            (_, Some(32 | 34)) => "; look at `people_base` in [portal_ldap]",
            (_, Some(50)) => "; `bind_dn` in [portal_ldap] needs the right to read `people_base`",
            _ => "",
        };
        let plain = Self::from(error);
        Self { detail: format!("{place}: {}{look}", plain.detail), ..plain }
    }

    /// The same with the file of MetaVault, where it is not named yet, and the key that names it.
    pub(super) fn of_vault_file(self, path: &std::path::Path) -> Self {
        let (path, detail) = (path.display().to_string(), &self.detail);
        let place = if detail.contains(&path) { String::new() } else { format!("{path}: ") };
        let look = if self.retry { "" } else { "; look at `url` in [metavault]" };
        Self { detail: format!("{place}{detail}{look}"), ..self }
    }

    /// The same with the server of MetaVault in front.
    pub(super) fn of_vault_server(self, place: &str) -> Self {
        Self { detail: format!("{place}: {}", self.detail), ..self }
    }

    /// MetaVault refuses user or password.
    pub(super) fn vault_auth(detail: impl Into<String>) -> Self {
        Self { kind: SourceErrorKind::Auth, ..Self::vault_connect(detail, false) }
    }

    /// A value in MetaVault is not of its column's type.
    pub(super) fn vault_malformed(detail: impl Into<String>) -> Self {
        Self { kind: SourceErrorKind::Malformed, ..Self::vault_read(detail, false) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_place_and_the_key_to_look_at() {
        let place = "portal.uni.example:636";
        let lookup = std::io::Error::other("failed to lookup address information: Name or service not known");
        let said = SourceError::portal(lookup.into(), place).to_string();
        assert_eq!(
            said,
            "portal-ldap: portal.uni.example:636: no connection: the name cannot be resolved to an address; look at `url` \
             in [portal_ldap]: host, port, and ldap:// or ldaps://"
        );
        let ended = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let said = SourceError::portal(ended.into(), place).to_string();
        assert!(said.contains("the other side ended the connection before it answered"), "{said}");
        assert!(SourceError::portal(LdapError::of_bind(49), place).to_string().contains("`bind_dn` and `password`"));
        assert!(SourceError::portal(LdapError::of_search(32), place).to_string().contains("`people_base`"));
        let vault = SourceError::vault_schema("there is no table or view mv_person");
        assert_eq!(
            vault.of_vault_file(std::path::Path::new("/var/mv.db")).to_string(),
            "metavault: /var/mv.db: there is no table or view mv_person; look at `url` in [metavault]"
        );
    }
}
