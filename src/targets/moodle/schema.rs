//! Kind `account`: what an account's attributes mean. Numbers are never re-used.

use reconcile_state::{Attribute, AttributeId, Normal, Ownership, Role, Schema, SchemaError, Sensitivity};

/// The pipeline's name.
pub const PIPELINE: &str = "moodle";
/// The kind.
pub const ACCOUNT: &str = "account";

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

/// The schema; `city` only where it is managed.
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
