//! Which attributes exist and how they compare: what slapd reads from `portal.schema` and its core files.
//! Only what decides a result code or a match is kept.

use std::collections::BTreeMap;

/// The people part of Portal LDAP; slapd reads the same file.
const PORTAL: &str = include_str!("portal.schema");

/// The part of slapd's own schema files that entries here use.
const CORE: &str = "
attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch )
attributetype ( 2.5.4.3 NAME 'cn' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.4 NAME 'sn' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.42 NAME 'givenName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.10 NAME 'o' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.11 NAME 'ou' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.7 NAME 'l' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.17 NAME 'postalCode' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )
attributetype ( 2.5.4.31 NAME 'member' EQUALITY distinguishedNameMatch )
attributetype ( 2.5.4.35 NAME 'userPassword' EQUALITY octetStringMatch )
attributetype ( 0.9.2342.19200300.100.1.3 NAME 'mail' EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch )
attributetype ( 0.9.2342.19200300.100.1.10 NAME 'manager' EQUALITY distinguishedNameMatch )
attributetype ( 0.9.2342.19200300.100.1.25 NAME 'dc' EQUALITY caseIgnoreIA5Match SINGLE-VALUE )
attributetype ( 0.9.2342.19200300.100.1.41 NAME 'mobile' EQUALITY telephoneNumberMatch SUBSTR x )
attributetype ( 2.16.840.1.113730.3.1.241 NAME 'displayName' EQUALITY caseIgnoreMatch SUBSTR x SINGLE-VALUE )
attributetype ( 2.16.840.1.113730.3.1.4 NAME 'employeeType' EQUALITY caseIgnoreMatch SUBSTR x )
attributetype ( 1.3.6.1.4.1.4203.666.1.7 NAME 'entryCSN' ORDERING x OPERATIONAL )
attributetype ( 1.3.6.1.1.16.4 NAME 'entryUUID' ORDERING x OPERATIONAL )
attributetype ( 2.5.18.1 NAME 'createTimestamp' ORDERING x OPERATIONAL )
attributetype ( 2.5.18.2 NAME 'modifyTimestamp' ORDERING x OPERATIONAL )
";

/// One attribute type.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a schema, not a state")]
pub struct AttributeType {
    /// The name in its canonical case, under which slapd returns it.
    pub name: String,
    /// The whole description.
    description: String,
    /// At most one value.
    pub single: bool,
    /// Has an ordering rule; else `>=` and `<=` match nothing.
    pub ordered: bool,
    /// Has a substring rule; else substring filters match nothing.
    pub substrings: bool,
    /// Takes only `TRUE` and `FALSE`.
    pub boolean: bool,
    /// Kept by the server: returned only when asked for, written by nobody.
    pub operational: bool,
}

/// All attribute types, by folded name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schema(BTreeMap<String, AttributeType>);

impl Schema {
    /// Portal LDAP's schema.
    pub fn portal() -> Self {
        Self(definitions(CORE).chain(definitions(PORTAL)).map(|kind| (kind.name.to_lowercase(), kind)).collect())
    }

    /// The type of an attribute; `None` is rc 17 in a write, and matches nothing in a filter.
    pub fn get(&self, name: &str) -> Option<&AttributeType> {
        self.0.get(&name.to_lowercase())
    }

    /// All descriptions, as the subschema entry shows them (RFC 4512, section 4.1.2).
    pub fn descriptions(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|kind| kind.description.as_str())
    }
}

fn definitions(text: &str) -> impl Iterator<Item = AttributeType> {
    text.split("attributetype ").skip(1).filter_map(|definition| {
        let definition = definition.split("objectclass ").next()?;
        Some(AttributeType {
            description: definition.split_whitespace().collect::<Vec<_>>().join(" "),
            name: definition.split('\'').nth(1)?.to_owned(),
            single: definition.contains("SINGLE-VALUE"),
            ordered: definition.contains("ORDERING"),
            substrings: definition.contains("SUBSTR"),
            boolean: definition.contains("booleanMatch"),
            operational: definition.contains("OPERATIONAL"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_file_says_what_is_single_ordered_and_searchable() {
        let schema = Schema::portal();
        let kind = |name: &str| schema.get(name).cloned().unwrap();
        assert!(kind("IDAUTOID").single && kind("idautoID").ordered && !kind("idautoID").substrings);
        assert!(kind("idautoDisabled").boolean);
        assert!(!kind("idautoPersonAppRoles2").single && kind("idautoPersonAppRoles2").substrings);
        assert!(kind("idautoPersonSystem1ID").single && kind("idautoPersonStaffEndDate").ordered);
        assert!(kind("entryCSN").operational && !kind("sn").operational);
        assert_eq!(schema.get("idautoPersonNoSuch"), None);
    }
}
