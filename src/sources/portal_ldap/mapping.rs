//! Which directory attribute carries which attribute of a person.
//!
//! The defaults are those of the platform's data model; the numbered slots are used differently per
//! tenant, so every one can be mapped anew.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Attribute, AttributeId, Shape};

use crate::model::person::directory as d;

/// The person's key.
pub const KEY: &str = "idautoID";
/// Changes with every write of the entry.
pub const CSN: &str = "entryCSN";

/// Usual place of the marks of birthright entitlements; written, never read as part of a person.
pub const BIRTHRIGHT_MARKS: &str = "idautoPersonAppRoles5";
/// Usual place of the marks of requested entitlements.
pub const REQUESTED_MARKS: &str = "idautoPersonAppRoles8";
/// Usual place of people's ids at the targets, `system:id`.
pub const TARGET_IDS: &str = "idautoPersonAppRoles7";

/// Attributes that hold passwords or their hashes, codes with which an account is claimed, national numbers, passports,
/// access cards and their PIN: never asked for, whatever is configured. All that a person's attributes here can be is
/// personal, which is kept and shown; a secret would be too.
pub const NEVER: [&str; 8] = [
    "userPassword",
    "idautoPersonExt20",
    "idautoChallengeSet",
    "idautoPersonClaimCode",
    "idautoPersonNationalID",
    "idautoPersonStateID",
    "idautoPersonBadgeIDs",
    "idautoPersonExt5",
];

const DEFAULTS: [(AttributeId, &str); 23] = [
    (d::UH_USERNAME, "idautoPersonSAMAccountName"),
    (d::USERNAME, "idautoPersonSystem1ID"),
    (d::EMAIL, "idautoPersonSystem2ID"),
    (d::EPPN, "idautoPersonSystem5ID"),
    (d::GIVEN_NAME, "givenName"),
    (d::SURNAME, "sn"),
    (d::PREFERRED_GIVEN_NAME, "idautoPersonPreferredName"),
    (d::PREFERRED_SURNAME, "idautoPersonPreferredLastName"),
    (d::AFFILIATION, "idautoPersonAffiliation"),
    (d::AFFILIATIONS, "idautoPersonAffiliations"),
    (d::DEPT_CODE, "idautoPersonDeptCode"),
    (d::DEPT_CODES, "idautoPersonDeptCodes"),
    (d::BUSINESS_ROLES, "idautoPersonAppRoles10"),
    (d::BIRTHRIGHT, "idautoPersonAppRoles2"),
    (d::REQUESTED, "idautoPersonAppRoles6"),
    (d::PAYROLL_NUMBER, "idautoPersonPayrollID"),
    (d::STUDENT_NUMBER, "idautoPersonStuID"),
    (d::GUEST_NUMBER, "idautoPersonHRID"),
    (d::DISABLED, "idautoDisabled"),
    (d::LANGUAGE, "idautoPersonPreferredLanguage"),
    (d::WORK_ADDRESSES, "idautoPersonWorkStreetAddress"),
    (d::JOB_CODE, "idautoPersonJobCode"),
    (d::USERNAMES, "idautoPersonUserNameMV"),
];

/// Why a mapping cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MappingError {
    /// No attribute of a person has this name.
    #[error("a person has no attribute `{0}`; known are {known}", known = known())]
    Unknown(String),
    /// Not the form of a directory attribute's name.
    #[error("`{0}` is mapped to what cannot be a directory attribute")]
    Form(String),
    /// A directory attribute that is never read.
    #[error("`{0}` is mapped to a directory attribute that is never read")]
    Never(String),
    /// An attribute that a directory value cannot become.
    #[error("`{0}` cannot be read from the directory")]
    Shape(&'static str),
}

/// Attributes of a person and the directory attributes they are read from.
#[derive(Clone, Debug)]
pub struct Mapping {
    fields: Vec<(Attribute, String)>,
}

impl Mapping {
    /// The defaults, changed by `configured` (name here -> directory attribute).
    ///
    /// # Errors
    /// [`MappingError`] for the first entry that cannot be used.
    pub fn new(configured: &BTreeMap<String, String>) -> Result<Self, MappingError> {
        let attributes = attributes();
        for (name, ldap) in configured {
            if !attributes.iter().any(|a| a.name == name) {
                return Err(MappingError::Unknown(name.clone()));
            }
            if !is_descriptor(ldap) {
                return Err(MappingError::Form(name.clone()));
            }
            if NEVER.iter().any(|never| never.eq_ignore_ascii_case(ldap)) {
                return Err(MappingError::Never(name.clone()));
            }
        }
        let mut fields = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            if !matches!(attribute.shape, Shape::Text | Shape::Set | Shape::Flag) {
                return Err(MappingError::Shape(attribute.name));
            }
            let usual = DEFAULTS.iter().find(|(id, _)| *id == attribute.id).map(|(_, ldap)| (*ldap).to_owned());
            // An attribute without a usual place is read only where it is mapped.
            if let Some(ldap) = configured.get(attribute.name).cloned().or(usual) {
                fields.push((attribute, ldap));
            }
        }
        Ok(Self { fields })
    }

    /// Attributes of a person, each with the directory attribute it is read from.
    pub fn fields(&self) -> impl Iterator<Item = (&Attribute, &str)> {
        self.fields.iter().map(|(attribute, ldap)| (attribute, ldap.as_str()))
    }

    /// The directory attribute that carries an attribute of a person.
    pub fn directory_name(&self, id: AttributeId) -> Option<&str> {
        self.fields().find(|(attribute, _)| attribute.id == id).map(|(_, ldap)| ldap)
    }

    /// What has to be asked for: mapped attributes, key and `entryCSN`, each once.
    pub fn requested(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mapped = self.fields().map(|(_, ldap)| ldap);
        [KEY, CSN]
            .into_iter()
            .chain(mapped)
            .filter(|name| seen.insert(name.to_ascii_lowercase()))
            .map(str::to_owned)
            .collect()
    }
}

/// What may be mapped: all but what the engine itself puts into a record.
fn attributes() -> Vec<Attribute> {
    let mut attributes = d::attributes();
    attributes.retain(|attribute| attribute.id != d::FINDINGS);
    attributes
}

/// Whether a text can name a directory attribute: a name, or a dotted number (RFC 4512, section 1.4).
pub fn is_descriptor(text: &str) -> bool {
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let numbered =
        text.contains('.') && text.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    named || numbered
}

fn known() -> String {
    attributes().iter().map(|a| a.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, ldap: &str) -> Result<Mapping, MappingError> {
        Mapping::new(&BTreeMap::from([(name.to_owned(), ldap.to_owned())]))
    }

    #[test]
    fn every_attribute_of_a_person_has_a_usual_place() {
        let mapping = Mapping::new(&BTreeMap::new()).unwrap();
        for attribute in attributes() {
            assert!(mapping.directory_name(attribute.id).is_some(), "{}", attribute.name);
        }
    }

    #[test]
    fn a_mapping_that_cannot_work_is_refused() {
        assert!(matches!(with("user_name", "uid"), Err(MappingError::Unknown(name)) if name == "user_name"));
        for odd in ["", "a b", "uid)(cn=*", "1uid", "1..2", "é"] {
            assert!(matches!(with("username", odd), Err(MappingError::Form(_))), "{odd}");
        }
        let spelt = ["IDAUTOPERSONEXT20", "idautopersonext5"];
        for secret in NEVER.into_iter().chain(spelt) {
            assert!(matches!(with("username", secret), Err(MappingError::Never(_))), "{secret}");
        }
    }

    #[test]
    fn only_what_is_mapped_is_asked_for_and_only_once() {
        let requested = with("email", "MAIL").unwrap().requested();
        assert_eq!(&requested[..2], [KEY, CSN]);
        assert!(requested.contains(&"MAIL".to_owned()) && !requested.contains(&"idautoPersonSystem2ID".to_owned()));
        let twice = with("email", "idautoPersonSystem5ID").unwrap();
        assert_eq!(twice.requested().len(), 24);
        assert_eq!(twice.directory_name(d::EMAIL), twice.directory_name(d::EPPN));
        assert_eq!(with("email", "1.2.840.3").unwrap().directory_name(d::EMAIL), Some("1.2.840.3"));
    }
}
