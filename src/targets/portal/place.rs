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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Retry;
    use crate::targets::port::Surroundings;
    use crate::targets::portal::config::Config;
    use crate::targets::portal::testing::institution;

    fn settings() -> Settings {
        let ldap = toml::from_str("url = 'ldap://127.0.0.1:1'\nbind_dn = 'cn=r'\npassword = 'env:P'\n").unwrap();
        let (institution, environment) = (institution(), |_: &str| Some("p".to_owned()));
        let around = Surroundings { portal_ldap: Some(&ldap), ..Surroundings::new(&institution, &environment) };
        toml::from_str::<Config>("").unwrap().check(&around).unwrap()
    }

    #[test]
    fn hostile_keys_stay_values_in_names_and_filters() {
        let settings = settings();
        let hostile = Key::new("#a,ou=Groups+b=\"c\" ");
        assert_eq!(settings.dn(&hostile), "idautoID=\\23a\\2cou\\3dGroups\\2bb\\3d\\22c\\22\\20,ou=Accounts,dc=meta");
        let filter = settings.filter(["a)(b=*", "c"].into_iter());
        assert_eq!(filter, r"(&(objectClass=idautoPerson)(|(idautoID=a\29\28b=\2a)(idautoID=c)))");
        assert!(ldap3::parse_filter(&filter).is_ok());
        assert_eq!(settings.filter(std::iter::empty()), "(&(objectClass=idautoPerson))");
    }

    #[test]
    fn every_result_code_has_its_meaning_and_next_step() {
        use ErrorKind::{Auth, NotFound, Rejected, Unavailable};
        let rows = [
            (3, Unavailable, ""),
            (51, Unavailable, ""),
            (52, Unavailable, ""),
            (8, Auth, "right to write"),
            (50, Auth, "right to write"),
            (10, Rejected, "this server is a copy"),
            (53, Rejected, "read-only"),
            (17, Rejected, "lacks an attribute"),
            (32, NotFound, "people_base"),
            (19, Rejected, ""),
            (80, Rejected, ""),
        ];
        for (rc, kind, said) in rows {
            let error = settings().failed(&LdapError::of_modify(rc), UPDATE_FAILED);
            assert_eq!((error.kind, error.code.as_str()), (kind, UPDATE_FAILED), "{rc}");
            assert_eq!(error.retry == Retry::Later(None), kind == Unavailable, "{rc}");
            assert!(error.message.contains(said) && error.message.contains(&format!("rc {rc},")), "{error}");
        }
        let bind = settings().failed(&LdapError::of_bind(49), UPDATE_FAILED);
        assert_eq!((bind.kind, bind.code.as_str()), (Auth, CONNECTION_FAILED));
    }
}
