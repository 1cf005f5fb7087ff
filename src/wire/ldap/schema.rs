//! Which attribute types a server knows (RFC 4512, section 4.4): for checks, never for a pass.

use std::collections::BTreeSet;

use ldap3::Scope;

use super::connection::Connection;
use super::error::LdapError;

impl Connection {
    /// Names and numbers of all attribute types, in lower case; `None` where the server does not show its schema.
    ///
    /// # Errors
    /// [`LdapError`], other than for a schema that is hidden.
    pub async fn attribute_types(&self) -> Result<Option<BTreeSet<String>>, LdapError> {
        let root = self.look("", Scope::Base, "(objectClass=*)", &["subschemaSubentry"]).await?;
        let at = root.first().and_then(|root| root.values("subschemaSubentry").first());
        let Some(at) = at.and_then(|dn| std::str::from_utf8(dn).ok()) else { return Ok(None) };
        let found = match self.look(at, Scope::Base, "(objectClass=subschema)", &["attributeTypes"]).await {
            Ok(found) => found,
            Err(error) if matches!(error.rc, Some(32 | 50)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let types = found.first().map(|entry| entry.values("attributeTypes")).unwrap_or_default();
        let names: BTreeSet<String> =
            types.iter().filter_map(|text| std::str::from_utf8(text).ok()).flat_map(names).collect();
        Ok((!names.is_empty()).then_some(names))
    }
}

/// Number and names of one `AttributeTypeDescription`: `( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )`.
pub(crate) fn names(description: &str) -> Vec<String> {
    let inside = description.trim().trim_start_matches('(').trim_start();
    let number = inside.split_whitespace().next().unwrap_or_default();
    let mut names = vec![number.to_ascii_lowercase()];
    if let Some((_, after)) = inside.split_once(" NAME ") {
        let after = after.trim_start();
        // One name in quotes, or several in parentheses.
        let listed = match after.strip_prefix('(') {
            Some(list) => list.split(')').next().unwrap_or_default(),
            None => after.get(..after.get(1..).and_then(|rest| rest.find('\'')).map_or(0, |end| end + 2)).unwrap_or(""),
        };
        names.extend(listed.split('\'').skip(1).step_by(2).map(str::to_ascii_lowercase));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_several_names_and_none_are_read() {
        let rows = [
            ("( 2.5.4.4 NAME ( 'sn' 'Surname' ) DESC 'RFC2256: last' SUP name )", vec!["2.5.4.4", "sn", "surname"]),
            ("( 1.2.3 NAME 'idautoID' EQUALITY UUIDMatch )", vec!["1.2.3", "idautoid"]),
            ("( 1.2.3 DESC 'no name' )", vec!["1.2.3"]),
            ("(1.2.3 NAME 'x", vec!["1.2.3"]),
            ("", vec![""]),
        ];
        for (text, wanted) in rows {
            assert_eq!(names(text), wanted, "{text}");
        }
    }
}
