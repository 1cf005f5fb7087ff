//! The directory as this target reaches it: connections, names of entries, and what errors mean.

use ldap3::{Scope, dn_escape, ldap_escape};
use reconcile_state::Key;

use super::config::Settings;
use super::project::BY_ID;
use crate::model::{ErrorKind, TargetError};
use crate::wire::ldap::{Connection, LdapError, LdapErrorKind, RawEntry};

/// No connection, or one that is refused.
pub const CONNECTION_FAILED: &str = "PORTAL_CONNECTION_FAILED";
/// Marks could not be read.
pub const FETCH_FAILED: &str = "PORTAL_FETCH_FAILED";
/// A mark could not be written.
pub const UPDATE_FAILED: &str = "PORTAL_UPDATE_FAILED";

impl Settings {
    /// A new connection, bound.
    ///
    /// # Errors
    /// `PORTAL_CONNECTION_FAILED`
    pub async fn connect(&self) -> Result<Connection, TargetError> {
        self.endpoint
            .connect(&self.bind_dn, &self.password)
            .await
            .map_err(|error| self.failed(&error, CONNECTION_FAILED))
    }

    /// The name that a person's entry has where the branch is flat.
    pub fn dn(&self, key: &Key) -> String {
        format!("{BY_ID}={},{}", dn_escape(key.as_str()), self.base)
    }

    /// The filter that describes these people.
    pub fn filter<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        let ids = keys.fold(String::new(), |ids, key| ids + &format!("({BY_ID}={})", ldap_escape(key)));
        let ids = if ids.is_empty() { ids } else { format!("(|{ids})") };
        format!("(&(objectClass={}){ids})", ldap_escape(self.object_class.as_str()))
    }

    /// The entry of a person, wherever below the branch it is.
    ///
    /// # Errors
    /// [`LdapError`]
    pub async fn entry(&self, connection: &Connection, key: &Key) -> Result<Option<RawEntry>, LdapError> {
        let filter = self.filter(std::iter::once(key.as_str()));
        let found = connection.look(&self.base, Scope::Subtree, &filter, &[&self.names.target_ids]).await?;
        Ok(found.into_iter().next())
    }

    /// What an error means, with the key to look at; `step` is the code where a connection was there.
    pub fn failed(&self, error: &LdapError, step: &str) -> TargetError {
        let (kind, look) = match (error.kind, error.rc) {
            (LdapErrorKind::Auth, _) => (ErrorKind::Auth, "; look at `bind_dn` and `password` in [portal_ldap]"),
            (LdapErrorKind::Tls, _) => {
                (ErrorKind::Connect, "; look at `url`, `starttls` and `ca_file` in [portal_ldap]")
            }
            (LdapErrorKind::Connect | LdapErrorKind::Configuration, _) => {
                (ErrorKind::Connect, "; look at `url` in [portal_ldap]")
            }
            (LdapErrorKind::Timeout | LdapErrorKind::Closed, _) => (ErrorKind::Connect, ""),
            (LdapErrorKind::Malformed, _) => (ErrorKind::Malformed, ""),
            (LdapErrorKind::SizeLimit, _) => (ErrorKind::Rejected, "; raise the size limit of `bind_dn` on the server"),
            (LdapErrorKind::Referral, _) => (
                ErrorKind::Rejected,
                "; this server is a copy: name the one that is written to as `url` in [portal_ldap]",
            ),
            (LdapErrorKind::Refused, rc) => refused(rc.unwrap_or_default()),
        };
        let code = if error.code() == "LDAP_CONNECTION_FAILED" { CONNECTION_FAILED } else { step };
        let plain = TargetError::new(kind, code, format!("{}: {error}{look}", self.endpoint.place()));
        if error.retry() { plain.later(None) } else { plain }
    }
}

/// What a result code means (RFC 4511, appendix A).
fn refused(rc: u32) -> (ErrorKind, &'static str) {
    match rc {
        3 | 51 | 52 => (ErrorKind::Unavailable, ""),
        8 | 50 => (
            ErrorKind::Auth,
            "; give `bind_dn` of [portal_ldap] the right to write the attributes that [portal] names (slapd: access to \
             attrs=... by dn.exact=... write)",
        ),
        17 => (ErrorKind::Rejected, "; the directory lacks an attribute that [portal] names"),
        32 | 34 => (ErrorKind::NotFound, "; look at `people_base` in [portal_ldap]"),
        53 => (ErrorKind::Rejected, "; the server takes no writes: is it read-only, or a copy?"),
        _ => (ErrorKind::Rejected, ""),
    }
}
