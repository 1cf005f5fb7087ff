//! `reconcile check` of the directory: connection, branch, schema, and one listing of everybody. Reads only.

use std::collections::BTreeSet;

use ldap3::Scope;

use super::decode;
use super::mapping::{CSN, KEY};
use super::reader::PortalLdap;
use crate::model::Check;
use crate::wire::ldap::{Connection, LdapError, LdapErrorKind};

/// Everybody, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Count {
    people: u64,
    invalid_keys: u64,
    without_csn: u64,
}

impl PortalLdap {
    /// One finding for each thing that was looked at.
    pub(super) async fn checks(&self) -> Vec<Check> {
        let place = self.endpoint.place();
        let connection = match self.endpoint.connect(&self.bind_dn, &self.password).await {
            Ok(connection) => connection,
            Err(error) => return vec![Check::problem("connection", format!("{place}: {error}"), connecting(&error))],
        };
        let mut found = vec![Check::good("connection", format!("{place}, bound as configured"))];
        if let Err(error) = connection.look(&self.base, Scope::Base, "(objectClass=*)", &["1.1"]).await {
            found.push(base(&error));
            return found;
        }
        found.push(Check::good("branch", "`people_base` can be read"));
        let mapped: BTreeSet<&str> = self.mapping.fields().map(|(_, name)| name).collect();
        found.push(schema(&connection, &mapped).await);
        let (count, end) = self.count(connection).await;
        found.extend(listing(count, end.as_ref()));
        found
    }

    /// As far as the server lets us, and what it said where that is not the end.
    async fn count(&self, connection: Connection) -> (Count, Option<LdapError>) {
        let mut pages = connection.search(self.asking("", vec![KEY.to_owned(), CSN.to_owned()]));
        let mut count = Count::default();
        loop {
            match pages.next().await {
                Ok(Some(page)) => {
                    for entry in &page.entries {
                        count.people += 1;
                        count.invalid_keys += u64::from(decode::key(entry).is_none());
                        count.without_csn += u64::from(decode::csn(entry).is_none());
                    }
                }
                Ok(None) => break,
                Err(error) => return (count, Some(error)),
            }
        }
        pages.into_connection().close().await;
        (count, None)
    }
}

async fn schema(connection: &Connection, mapped: &BTreeSet<&str>) -> Check {
    let fix = "correct the name in `attributes` of [portal_ldap], or ask whoever runs the directory";
    match connection.attribute_types().await {
        Ok(Some(types)) => {
            let missing: Vec<&str> =
                mapped.iter().filter(|name| !types.contains(&name.to_ascii_lowercase())).copied().collect();
            if missing.is_empty() {
                return Check::good("schema", format!("all {} mapped attributes are in the schema", mapped.len()));
            }
            Check::problem("schema", format!("the directory has no attribute {}", missing.join(", ")), fix)
        }
        Ok(None) => Check::warning(
            "schema",
            "the directory does not show its schema: whether the mapped attributes exist is not known",
            "let the service account read the subschema entry, or compare `attributes` with the directory by hand",
        ),
        Err(error) => Check::warning("schema", format!("the schema cannot be read: {error}"), fix),
    }
}

fn listing(count: Count, end: Option<&LdapError>) -> Vec<Check> {
    let Count { people, invalid_keys, without_csn } = count;
    if let Some(error) = end {
        let fix = match (error.kind, error.rc) {
            (LdapErrorKind::SizeLimit, _) => {
                "raise the size limit of `bind_dn` on the server (slapd: limits dn.exact=... size=unlimited); paging does \
                 not lift it"
            }
            (LdapErrorKind::Malformed, _) | (_, Some(12)) => {
                "the server must take the paged results control (RFC 2696) from the service account"
            }
            (_, Some(50)) => "give `bind_dn` the right to read and search `people_base`",
            _ => connecting(error),
        };
        return vec![Check::problem("listing", format!("broke off after {people} people: {error}"), fix)];
    }
    if people == 0 {
        let fix = "look at `people_base` and `object_class`, and at what `bind_dn` may read";
        return vec![Check::problem("listing", "nobody is found", fix)];
    }
    let mut found = vec![Check::good("listing", format!("{people} people, in pages, to the end"))];
    if invalid_keys > 0 {
        let text = format!("{invalid_keys} of {people} have no UUID as idautoID, or one that cannot be read");
        let fix = "give `bind_dn` the right to read idautoID; entries without one are left out";
        let all = invalid_keys == people;
        found.push(if all { Check::problem("listing", text, fix) } else { Check::warning("listing", text, fix) });
    }
    found.push(if without_csn == 0 {
        Check::good("entryCSN", "can be read")
    } else {
        let text = format!("cannot be read of {without_csn} of {people}: these are read whole in every pass");
        Check::warning("entryCSN", text, "give `bind_dn` the right to read the operational attribute entryCSN")
    });
    found
}

fn base(error: &LdapError) -> Check {
    let fix = match error.rc {
        Some(32 | 34) => "correct `people_base` in [portal_ldap], or let `bind_dn` read it",
        Some(50) => "give `bind_dn` the right to read `people_base`",
        _ => connecting(error),
    };
    Check::problem("branch", format!("`people_base` cannot be read: {error}"), fix)
}

/// What to do about a connection that does not come about.
fn connecting(error: &LdapError) -> &'static str {
    match error.kind {
        LdapErrorKind::Auth => "look at `bind_dn` and `password` in [portal_ldap]; is the account locked?",
        LdapErrorKind::Tls => "look at `url`, `starttls` and `ca_file` in [portal_ldap]",
        LdapErrorKind::Configuration => "correct [portal_ldap]",
        _ => "look at `url` in [portal_ldap], and at firewalls between this machine and the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    fn levels(count: Count, end: Option<&LdapError>) -> Vec<(String, Level)> {
        listing(count, end).into_iter().map(|check| (check.what, check.level)).collect()
    }

    #[test]
    fn a_listing_is_judged_by_its_end_its_keys_and_its_change_markers() {
        let all = Count { people: 10, ..Count::default() };
        let row = |what: &str, level| (what.to_owned(), level);
        assert_eq!(levels(all, None), [row("listing", Level::Good), row("entryCSN", Level::Good)]);
        assert_eq!(levels(Count::default(), None), [row("listing", Level::Problem)]);
        let some = Count { invalid_keys: 1, without_csn: 10, ..all };
        let warned = [row("listing", Level::Good), row("listing", Level::Warning), row("entryCSN", Level::Warning)];
        assert_eq!(levels(some, None), warned);
        let none = Count { invalid_keys: 10, ..all };
        assert_eq!(levels(none, None)[1], row("listing", Level::Problem));
        let cut = listing(all, Some(&LdapError::of_search(4))).remove(0);
        assert_eq!(cut.level, Level::Problem);
        assert!(cut.found.contains("after 10 people") && cut.fix.unwrap().contains("size limit"));
    }
}
