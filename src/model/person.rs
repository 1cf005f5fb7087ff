//! People: what the sources say of one identity, as two records.
//!
//! `directory` comes from Portal LDAP, which alone decides who exists; `vault` from MetaVault. Each is
//! kept, digested and compared by itself, so that a change names its source. Attribute names here are
//! the ones that templates and configuration use. Marks (AppRoles5, 7, 8) are left out: writing them
//! must not look like a change of the person.

use std::collections::BTreeSet;

use reconcile_state::{Attribute, AttributeId, Key, Normal, Record, Schema, SchemaError, Sensitivity};

/// Attributes of a person in Portal LDAP. The comment names the default directory attribute.
pub mod directory {
    use super::AttributeId;

    /// UH user name, unique nationally (`idautoPersonSAMAccountName`).
    pub const UH_USERNAME: AttributeId = AttributeId(1);
    /// Institution's own user name (`idautoPersonSystem1ID`).
    pub const USERNAME: AttributeId = AttributeId(2);
    /// Institution's e-mail address (`idautoPersonSystem2ID`).
    pub const EMAIL: AttributeId = AttributeId(3);
    /// eduPersonPrincipalName (`idautoPersonSystem5ID`).
    pub const EPPN: AttributeId = AttributeId(4);
    /// Legal given name (`givenName`).
    pub const GIVEN_NAME: AttributeId = AttributeId(5);
    /// Legal surname (`sn`).
    pub const SURNAME: AttributeId = AttributeId(6);
    /// Preferred given name (`idautoPersonPreferredName`).
    pub const PREFERRED_GIVEN_NAME: AttributeId = AttributeId(7);
    /// Preferred surname (`idautoPersonPreferredLastName`).
    pub const PREFERRED_SURNAME: AttributeId = AttributeId(8);
    /// Primary affiliation (`idautoPersonAffiliation`).
    pub const AFFILIATION: AttributeId = AttributeId(9);
    /// All affiliations (`idautoPersonAffiliations`).
    pub const AFFILIATIONS: AttributeId = AttributeId(10);
    /// Primary organisation tuple (`idautoPersonDeptCode`).
    pub const DEPT_CODE: AttributeId = AttributeId(11);
    /// All organisation tuples (`idautoPersonDeptCodes`).
    pub const DEPT_CODES: AttributeId = AttributeId(12);
    /// Business roles (`idautoPersonAppRoles10`).
    pub const BUSINESS_ROLES: AttributeId = AttributeId(13);
    /// Birthright entitlements (`idautoPersonAppRoles2`).
    pub const BIRTHRIGHT: AttributeId = AttributeId(14);
    /// Requested entitlements (`idautoPersonAppRoles6`).
    pub const REQUESTED: AttributeId = AttributeId(15);
    /// Payroll number (`idautoPersonPayrollID`).
    pub const PAYROLL_NUMBER: AttributeId = AttributeId(16);
    /// Student number (`idautoPersonStuID`).
    pub const STUDENT_NUMBER: AttributeId = AttributeId(17);
    /// Guest number (`idautoPersonHRID`).
    pub const GUEST_NUMBER: AttributeId = AttributeId(18);
    /// Whether the person is disabled (`idautoDisabled`): flag, absent = active.
    pub const DISABLED: AttributeId = AttributeId(19);
    /// Preferred language (`idautoPersonPreferredLanguage`).
    pub const LANGUAGE: AttributeId = AttributeId(20);
    /// Work addresses, `work|office|campus|building|room` (`idautoPersonWorkStreetAddress`).
    pub const WORK_ADDRESSES: AttributeId = AttributeId(21);
    /// Job code tuple (`idautoPersonJobCode`).
    pub const JOB_CODE: AttributeId = AttributeId(22);
    /// All user names (`idautoPersonUserNameMV`).
    pub const USERNAMES: AttributeId = AttributeId(23);
    /// What could not be read as it should, `code:attribute`; set by the engine, never mapped. What is
    /// named here is not known, which is not the same as absent.
    pub const FINDINGS: AttributeId = AttributeId(24);

    pub use super::{directory_attributes as attributes, directory_schema as schema};
}

/// Attributes of a person in MetaVault, folded from the rows of all source systems.
pub mod vault {
    use super::AttributeId;

    /// Payroll number (`mv_person.employee_no`).
    pub const PAYROLL_NUMBER: AttributeId = AttributeId(1);
    /// Student number (`mv_person.student_no`).
    pub const STUDENT_NUMBER: AttributeId = AttributeId(2);
    /// Campus (`mv_person.campus`).
    pub const CAMPUS: AttributeId = AttributeId(3);
    /// Main organisation's id (`mv_person.main_org`).
    pub const MAIN_ORG: AttributeId = AttributeId(4);
    /// Language (`mv_person.language`).
    pub const LANGUAGE: AttributeId = AttributeId(5);
    /// Affiliations, `kind|org_id|role|valid_from|valid_to|is_primary` (`mv_affiliation`).
    pub const AFFILIATIONS: AttributeId = AttributeId(6);
    /// Positions, `employee_no|job_code|yrk|title|org_id|valid_from|valid_to|status` (`mv_position`).
    pub const POSITIONS: AttributeId = AttributeId(7);
    /// Enrolments, `topic|semester|kind|role|status`: `185:INF1000:1|2026:HØST|student|student|A`
    /// (`mv_enrolment` with its teaching and topic; `A` where all three are active). Of a teaching or topic
    /// that is not there the topic is `?` and the semester the teaching's id.
    pub const ENROLMENTS: AttributeId = AttributeId(8);
    /// As [`super::directory::FINDINGS`].
    pub const FINDINGS: AttributeId = AttributeId(9);

    /// The table of the people themselves.
    pub const PERSON_TABLE: &str = "mv_person";

    /// The tables of the read model.
    pub const TABLES: [&str; 8] = [
        PERSON_TABLE,
        "mv_affiliation",
        "mv_position",
        "mv_enrolment",
        "mv_org",
        "mv_semester",
        "mv_topic",
        "mv_teaching",
    ];

    /// The table that an attribute comes from, by its name; anything else stands for itself.
    pub fn table_of(name: &str) -> &str {
        match name {
            "mv_payroll_number" | "mv_student_number" | "mv_campus" | "mv_main_org" | "mv_language" => PERSON_TABLE,
            "mv_affiliations" => "mv_affiliation",
            "mv_positions" => "mv_position",
            "mv_enrolments" => "mv_enrolment",
            other => other,
        }
    }

    pub use super::{vault_attributes as attributes, vault_schema as schema};
}

/// The source "pipeline" under which people are kept.
pub const PEOPLE: &str = "people";

/// Name of the attribute that holds what could not be read.
pub const FINDINGS: &str = "findings";

/// Attributes of the `directory` record.
pub fn directory_attributes() -> Vec<Attribute> {
    use directory as d;
    let text = |id: AttributeId, name| Attribute::text(id.0, name).normal(Normal::Trimmed);
    let folded = |id: AttributeId, name| Attribute::text(id.0, name).normal(Normal::Folded);
    let set = |id: AttributeId, name| Attribute::set(id.0, name).normal(Normal::Trimmed);
    let roles =
        |id: AttributeId, name| Attribute::set(id.0, name).normal(Normal::Folded).sensitivity(Sensitivity::Public);
    vec![
        folded(d::UH_USERNAME, "uh_username").indexed(),
        folded(d::USERNAME, "username").indexed(),
        text(d::EMAIL, "email"),
        folded(d::EPPN, "eppn"),
        text(d::GIVEN_NAME, "given_name"),
        text(d::SURNAME, "surname"),
        text(d::PREFERRED_GIVEN_NAME, "preferred_given_name"),
        text(d::PREFERRED_SURNAME, "preferred_surname"),
        text(d::AFFILIATION, "affiliation").sensitivity(Sensitivity::Public),
        set(d::AFFILIATIONS, "affiliations").sensitivity(Sensitivity::Public),
        text(d::DEPT_CODE, "dept_code").sensitivity(Sensitivity::Public),
        set(d::DEPT_CODES, "dept_codes").sensitivity(Sensitivity::Public),
        roles(d::BUSINESS_ROLES, "business_roles"),
        roles(d::BIRTHRIGHT, "birthright"),
        roles(d::REQUESTED, "requested"),
        text(d::PAYROLL_NUMBER, "payroll_number"),
        text(d::STUDENT_NUMBER, "student_number"),
        text(d::GUEST_NUMBER, "guest_number"),
        Attribute::flag(d::DISABLED.0, "disabled").sensitivity(Sensitivity::Public),
        text(d::LANGUAGE, "language").sensitivity(Sensitivity::Public),
        set(d::WORK_ADDRESSES, "work_addresses"),
        text(d::JOB_CODE, "job_code"),
        Attribute::set(d::USERNAMES.0, "usernames").normal(Normal::Folded),
        set(d::FINDINGS, FINDINGS).sensitivity(Sensitivity::Public),
    ]
}

/// The schema of `directory` records.
///
/// # Errors
/// Never, as long as the list above names each attribute once.
pub fn directory_schema() -> Result<Schema, SchemaError> {
    Schema::new(PEOPLE, "directory", 0, directory_attributes())
}

/// Attributes of the `vault` record.
pub fn vault_attributes() -> Vec<Attribute> {
    use vault as v;
    let text = |id: AttributeId, name| Attribute::text(id.0, name).normal(Normal::Trimmed);
    let set = |id: AttributeId, name| Attribute::set(id.0, name).normal(Normal::Trimmed);
    vec![
        text(v::PAYROLL_NUMBER, "mv_payroll_number"),
        text(v::STUDENT_NUMBER, "mv_student_number"),
        text(v::CAMPUS, "mv_campus").sensitivity(Sensitivity::Public),
        text(v::MAIN_ORG, "mv_main_org").sensitivity(Sensitivity::Public),
        text(v::LANGUAGE, "mv_language").sensitivity(Sensitivity::Public),
        set(v::AFFILIATIONS, "mv_affiliations"),
        set(v::POSITIONS, "mv_positions"),
        set(v::ENROLMENTS, "mv_enrolments"),
        set(v::FINDINGS, FINDINGS).sensitivity(Sensitivity::Public),
    ]
}

/// The schema of `vault` records.
///
/// # Errors
/// Never, as long as the list above names each attribute once.
pub fn vault_schema() -> Result<Schema, SchemaError> {
    Schema::new(PEOPLE, "vault", 1, vault_attributes())
}

/// One identity, merged from the sources.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// What Portal LDAP says; its key is the UH-ID in lower case.
    pub directory: Record,
    /// What MetaVault says; `None` where it has no row.
    pub vault: Option<Record>,
}

impl Person {
    /// The UH-ID in lower case.
    pub fn key(&self) -> &Key {
        &self.directory.key
    }

    /// A text of the directory record.
    pub fn text(&self, id: AttributeId) -> Option<&str> {
        self.directory.text(id)
    }

    /// A set of the directory record.
    pub fn set(&self, id: AttributeId) -> BTreeSet<&str> {
        self.directory.elements(id).collect()
    }

    /// A text of the vault record.
    pub fn vault_text(&self, id: AttributeId) -> Option<&str> {
        self.vault.as_ref().and_then(|vault| vault.text(id))
    }
}
