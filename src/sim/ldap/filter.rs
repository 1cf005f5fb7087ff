//! Search filters over entries, in the three-valued logic of RFC 4511 section 4.5.1.7: what cannot be
//! judged (no such attribute type, no such matching rule) is neither matched nor matched by its negation.

use ldap3_proto::{LdapFilter, proto::LdapSubstringFilter};

use super::entry::fold;
use super::schema::{AttributeType, Schema};

/// What a filter is judged over: an entry's values by attribute name, operational ones included.
pub trait Values {
    /// The values of an attribute.
    fn values(&self, kind: &AttributeType) -> Vec<Vec<u8>>;
}

/// Whether the filter is true of the entry; `None` is undefined.
pub fn judge(filter: &LdapFilter, of: &impl Values, schema: &Schema) -> Option<bool> {
    let values = |name: &str| schema.get(name).map(|kind| (kind, of.values(kind)));
    match filter {
        LdapFilter::And(parts) => all(parts.iter().map(|part| judge(part, of, schema))),
        LdapFilter::Or(parts) => all(parts.iter().map(|part| judge(part, of, schema).map(|is| !is))).map(|is| !is),
        LdapFilter::Not(part) => judge(part, of, schema).map(|is| !is),
        LdapFilter::Present(name) => values(name).map(|(_, have)| !have.is_empty()),
        LdapFilter::Equality(name, value) | LdapFilter::Approx(name, value) => {
            let (kind, have) = values(name)?;
            let wanted = fold(value.as_bytes());
            // Every structural class is a kind of top.
            let implied = kind.name == "objectClass" && wanted == b"top";
            Some(implied || have.iter().any(|value| fold(value) == wanted))
        }
        LdapFilter::Substring(name, pattern) => {
            let (kind, have) = values(name)?;
            kind.substrings.then(|| have.iter().any(|value| fits(&fold(value), pattern)))
        }
        LdapFilter::GreaterOrEqual(name, value) => {
            let (kind, have) = values(name)?;
            let bound = fold(value.as_bytes());
            kind.ordered.then(|| have.iter().any(|value| fold(value) >= bound))
        }
        LdapFilter::LessOrEqual(name, value) => {
            let (kind, have) = values(name)?;
            let bound = fold(value.as_bytes());
            kind.ordered.then(|| have.iter().any(|value| fold(value) <= bound))
        }
        LdapFilter::Extensible(_) => None,
    }
}

/// The UH-IDs an entry must have one of for the filter to hold; `None` where the filter does not bind them.
pub fn bound_ids(filter: &LdapFilter) -> Option<Vec<String>> {
    match filter {
        LdapFilter::Equality(name, value) if name.eq_ignore_ascii_case("idautoID") => Some(vec![value.to_lowercase()]),
        LdapFilter::And(parts) => parts.iter().find_map(bound_ids),
        LdapFilter::Or(parts) if !parts.is_empty() => {
            Some(parts.iter().map(bound_ids).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut verdict = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => verdict = None,
            Some(true) => {}
        }
    }
    verdict
}

fn fits(value: &[u8], pattern: &LdapSubstringFilter) -> bool {
    let piece = |text: &String| text.to_lowercase().into_bytes();
    let mut rest = value;
    if let Some(initial) = pattern.initial.as_ref().map(piece) {
        let Some(after) = rest.strip_prefix(initial.as_slice()) else { return false };
        rest = after;
    }
    for any in pattern.any.iter().map(piece) {
        let Some(at) = rest.windows(any.len().max(1)).position(|window| window == any) else { return false };
        rest = &rest[at + any.len()..];
    }
    pattern.final_.as_ref().map(piece).is_none_or(|last| rest.ends_with(&last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::ldap::Entry;
    use ldap3_proto::parse_ldap_filter_str;

    impl Values for Entry {
        fn values(&self, kind: &AttributeType) -> Vec<Vec<u8>> {
            Entry::values(self, &kind.name).to_vec()
        }
    }

    fn verdict(filter: &str) -> Option<bool> {
        let entry = Entry::new("idautoID=a,ou=Accounts,dc=meta")
            .with("objectClass", ["idautoPerson"])
            .with("sn", ["Berg Hansen"])
            .with("idautoPersonAppRoles2", ["active directory", "moodle"])
            .with("idautoPersonStaffEndDate", ["20261231000000Z"]);
        judge(&parse_ldap_filter_str(filter).unwrap(), &entry, &Schema::portal())
    }

    #[test]
    fn filters_match_as_the_standard_says() {
        for matched in [
            "(sn=berg*HANSEN)",
            "(SN=ber*han*n)",
            "(sn=*)",
            "(&(objectClass=idautoPerson)(!(idautoPersonAppRoles5=moodle)))",
            "(|(idautoPersonAppRoles2=MOODLE)(nosuch=x))",
            "(idautoPersonStaffEndDate>=20260101000000Z)",
            "(idautoPersonStaffEndDate<=20270101000000Z)",
            "(objectClass=top)",
        ] {
            assert_eq!(verdict(matched), Some(true), "{matched}");
        }
        for unmatched in ["(sn=hansen)", "(sn=h*)", "(sn=*han*han*)", "(mail=*)", "(&(sn=*)(nosuch=x)(mail=*))"] {
            assert_eq!(verdict(unmatched), Some(false), "{unmatched}");
        }
    }

    #[test]
    fn what_cannot_be_judged_is_not_matched_by_its_negation() {
        for undefined in ["(nosuch=x)", "(!(nosuch=x))", "(sn>=a)", "(idautoID=a*)", "(&(sn=*)(nosuch=x))"] {
            assert_eq!(verdict(undefined), None, "{undefined}");
        }
    }

    #[test]
    fn a_filter_binds_ids_only_where_every_branch_does() {
        let ids = |filter: &str| bound_ids(&parse_ldap_filter_str(filter).unwrap());
        assert_eq!(ids("(&(sn=*)(|(idautoID=A)(idautoid=b)))"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(ids("(|(idautoID=a)(sn=*))"), None);
        assert_eq!(ids("(!(idautoID=a))"), None);
    }
}
