//! One invented person: plain data, as Portal LDAP and MetaVault would hold it.

use std::collections::BTreeMap;
use std::fmt;

use super::oddity::Oddity;
use super::rows::{AffiliationRow, PersonRow, PositionRow};
use crate::sim::ldap::Entry;

/// Portal LDAP's names of the attributes that tests ask for most.
#[expect(missing_docs, reason = "the names say it; meanings stand in the data model")]
pub mod attribute {
    pub const AFFILIATION: &str = "idautoPersonAffiliation";
    pub const AFFILIATIONS: &str = "idautoPersonAffiliations";
    pub const BIRTHRIGHT: &str = "idautoPersonAppRoles2";
    pub const BIRTHRIGHT_MARKS: &str = "idautoPersonAppRoles5";
    pub const BUSINESS_ROLES: &str = "idautoPersonAppRoles10";
    pub const DEPT_CODE: &str = "idautoPersonDeptCode";
    pub const DEPT_CODES: &str = "idautoPersonDeptCodes";
    pub const DISABLED: &str = "idautoDisabled";
    pub const EMAIL: &str = "idautoPersonSystem2ID";
    pub const EPPN: &str = "idautoPersonSystem5ID";
    pub const GIVEN_NAME: &str = "givenName";
    pub const NATIONAL_NUMBER: &str = "idautoPersonNationalID";
    pub const PAYROLL_NUMBER: &str = "idautoPersonPayrollID";
    pub const REQUESTED: &str = "idautoPersonAppRoles6";
    pub const REQUESTED_MARKS: &str = "idautoPersonAppRoles8";
    pub const STUDENT_NUMBER: &str = "idautoPersonStuID";
    pub const SURNAME: &str = "sn";
    pub const UH_USERNAME: &str = "idautoPersonSAMAccountName";
    pub const USERNAME: &str = "idautoPersonSystem1ID";
    pub const USERNAMES: &str = "idautoPersonUserNameMV";
}

/// What a person is, or was, at the university.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A student; three quarters of all.
    Student,
    /// An employee.
    Employee,
    /// An employee who also studies.
    Both,
    /// A guest.
    Guest,
}

impl Kind {
    /// Whether the person studies, or did.
    pub fn studies(self) -> bool {
        matches!(self, Self::Student | Self::Both)
    }

    /// Whether the person is employed, or was.
    pub fn works(self) -> bool {
        matches!(self, Self::Employee | Self::Both)
    }
}

/// Where in the life cycle a person is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Here.
    Active,
    /// End date passed, still entitled: the grace period.
    Grace,
    /// Entitlements gone, entry still active, once provisioned: marks remain.
    Left,
    /// `idautoDisabled`; entitlements may remain, and so do marks.
    Disabled,
    /// Disabled, with affiliation `Deceased`.
    Deceased,
}

/// One person. `Debug` shows the UH-ID and what the person is, nothing personal.
#[derive(Clone, PartialEq, Eq)]
pub struct CampusPerson {
    /// UH-ID in lower case.
    pub uhid: String,
    /// Student, employee, guest.
    pub kind: Kind,
    /// Active, leaver, disabled.
    pub standing: Standing,
    /// What is odd about the person.
    pub oddity: Option<Oddity>,
    /// Index of the primary unit in the campus.
    pub unit: usize,
    /// Whether Portal LDAP has an entry.
    pub in_directory: bool,
    /// Portal LDAP's attributes and their values.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Rows of `mv_person`; none where MetaVault does not know the person.
    pub vault_rows: Vec<PersonRow>,
    /// Rows of `mv_affiliation`.
    pub affiliations: Vec<AffiliationRow>,
    /// Rows of `mv_position`.
    pub positions: Vec<PositionRow>,
}

impl CampusPerson {
    /// The first value of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).first().map(String::as_str)
    }

    /// All values of an attribute.
    pub fn texts(&self, name: &str) -> &[String] {
        self.attributes.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the data model's rule entitles the person to a system: enabled, and the system in
    /// AppRoles2, or in AppRoles6 bare or with a role, in any case.
    pub fn entitled(&self, system: &str) -> bool {
        let bare = |value: &String| value.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case(system));
        self.text(attribute::DISABLED).is_none()
            && (self.texts(attribute::BIRTHRIGHT).iter().any(|value| value.eq_ignore_ascii_case(system))
                || self.texts(attribute::REQUESTED).iter().any(bare))
    }

    /// The name of the person's entry.
    pub fn dn(&self) -> String {
        format!("idautoID={},ou=Accounts,dc=meta", self.uhid)
    }

    /// The entry in Portal LDAP.
    pub fn entry(&self) -> Entry {
        let mut entry = Entry::new(self.dn()).with("objectClass", ["idautoPerson"]);
        for (name, values) in &self.attributes {
            entry.set(name, values.iter().map(String::as_bytes));
        }
        entry
    }

    pub(super) fn put(&mut self, name: &str, value: impl Into<String>) {
        self.attributes.insert(name.to_owned(), vec![value.into()]);
    }

    pub(super) fn put_all(&mut self, name: &str, values: Vec<String>) {
        if !values.is_empty() {
            self.attributes.insert(name.to_owned(), values);
        }
    }

    pub(super) fn append(&mut self, name: &str, value: impl Into<String>) {
        let (values, value) = (self.attributes.entry(name.to_owned()).or_default(), value.into());
        if !values.contains(&value) {
            values.push(value);
        }
    }
}

impl fmt::Debug for CampusPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CampusPerson");
        shown.field("uhid", &self.uhid).field("kind", &self.kind).field("standing", &self.standing);
        shown.field("oddity", &self.oddity).finish_non_exhaustive()
    }
}
