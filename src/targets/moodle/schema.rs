//! The kinds: what the attributes of an account, and of a person's enrolments, mean. Numbers are never re-used.

use reconcile_state::{Attribute, AttributeId, Normal, Ownership, Role, Schema, SchemaError, Sensitivity};

/// The pipeline's name.
pub const PIPELINE: &str = "moodle";
/// The kind of accounts.
pub const ACCOUNT: &str = "account";
/// The kind of what an account is enrolled in.
pub const ENROLMENTS: &str = "enrolments";

/// User name, lower case.
pub const USERNAME: AttributeId = AttributeId(1);
/// E-mail; the site compares it without regard to case.
pub const EMAIL: AttributeId = AttributeId(2);
/// First name.
pub const FIRSTNAME: AttributeId = AttributeId(3);
/// Last name.
pub const LASTNAME: AttributeId = AttributeId(4);
/// ID number; the site does not keep it unique.
pub const IDNUMBER: AttributeId = AttributeId(5);
/// Department.
pub const DEPARTMENT: AttributeId = AttributeId(6);
/// Institution.
pub const INSTITUTION: AttributeId = AttributeId(7);
/// City or town.
pub const CITY: AttributeId = AttributeId(8);
/// Authentication method: given at creation, and the bound of what is managed.
pub const AUTH: AttributeId = AttributeId(9);

/// Enrolments: elements are `course key/role short name`, `185:INF1000:1:2026:HØST/student`.
pub const COURSES: AttributeId = AttributeId(1);

/// The schema of accounts; `city` only where it is managed.
///
/// # Errors
/// Never, as long as the list names each attribute once.
pub fn account(city: bool) -> Result<Schema, SchemaError> {
    let mut attributes = vec![
        Attribute::text(USERNAME.0, "username").normal(Normal::Folded).role(Role::Name).unique(),
        Attribute::text(EMAIL.0, "email").normal(Normal::Folded).unique(),
        Attribute::text(FIRSTNAME.0, "firstname"),
        Attribute::text(LASTNAME.0, "lastname"),
        Attribute::text(IDNUMBER.0, "idnumber"),
        Attribute::text(DEPARTMENT.0, "department"),
        Attribute::text(INSTITUTION.0, "institution"),
        Attribute::text(AUTH.0, "auth").owned(Ownership::CreateOnly).sensitivity(Sensitivity::Public),
    ];
    if city {
        attributes.push(Attribute::text(CITY.0, "city"));
    }
    Schema::new(PIPELINE, ACCOUNT, 0, attributes)
}

/// The schema of enrolments.
///
/// # Errors
/// Never: one attribute has no other to be confused with.
pub fn enrolments() -> Result<Schema, SchemaError> {
    let courses = Attribute::set(COURSES.0, "courses").owned(Ownership::ScopedSet).sensitivity(Sensitivity::Public);
    Ok(Schema::new(PIPELINE, ENROLMENTS, 1, [courses])?.part_of(ACCOUNT))
}
