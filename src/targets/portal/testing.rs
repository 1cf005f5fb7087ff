//! What the tests of this target share.

use crate::config::Institution;
use crate::model::Mark;

/// An invented institution.
pub fn institution() -> Institution {
    Institution { number: "185".into(), name: "Universitetet".into(), mail_domain: "uni.example".into() }
}

/// Three systems: one with a blank in its entitlement, one whose pipeline is called otherwise.
pub const MARKED: [(&str, Mark); 3] = [
    ("moodle", Mark { entitlement: "moodle", kind: "account", number: 12 }),
    ("fs", Mark { entitlement: "fs fagperson", kind: "person", number: 15 }),
    ("wiseflow", Mark { entitlement: "wiseflow", kind: "user", number: 14 }),
];
