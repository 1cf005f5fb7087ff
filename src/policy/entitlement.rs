//! Whether a person has the right to be in a system, and which of the directory's texts say so.
//!
//! Marks repeat those texts; writing marks is the portal pipeline's work.

use std::collections::BTreeSet;

use reconcile_state::{AttributeId, Normal};

use crate::model::Person;
use crate::model::person::directory;

/// The texts that entitle a person to one system, folded. Empty: not entitled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entitlement {
    /// Those that came with affiliation or role (AppRoles2).
    pub birthright: BTreeSet<String>,
    /// Those that were asked for (AppRoles6).
    pub requested: BTreeSet<String>,
}

impl Entitlement {
    /// Whether any text entitles.
    pub fn is_held(&self) -> bool {
        !self.birthright.is_empty() || !self.requested.is_empty()
    }
}

/// What entitles an enabled person to `system`: the system's name in AppRoles2 or AppRoles6, bare or as
/// `system:role`, in any case (identity model, rules). A disabled person is entitled to nothing.
pub fn entitlement(person: &Person, system: &str) -> Entitlement {
    if is_disabled(person) {
        return Entitlement::default();
    }
    let texts = |id: AttributeId| {
        let names = person.directory.elements(id).filter(|text| entitles(text, system));
        names.map(|text| Normal::Folded.form(text).into_owned()).collect()
    };
    Entitlement { birthright: texts(directory::BIRTHRIGHT), requested: texts(directory::REQUESTED) }
}

/// Whether the directory says positively that the person is disabled.
pub fn is_disabled(person: &Person) -> bool {
    person.directory.get(directory::DISABLED) == Some(&reconcile_state::Value::Flag(true))
}

/// Whether a text of AppRoles2 or AppRoles6 is about `system`: its name, bare or as `system:role`, in any case.
pub fn entitles(text: &str, system: &str) -> bool {
    let (text, system) = (Normal::Folded.form(text), Normal::Folded.form(system));
    text.strip_prefix(system.as_ref()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{person, set};

    fn held(birthright: &[&str], requested: &[&str]) -> Entitlement {
        let mut person = person();
        person.directory.set(directory::BIRTHRIGHT, set(birthright));
        person.directory.set(directory::REQUESTED, set(requested));
        entitlement(&person, "moodle")
    }

    #[test]
    fn bare_and_with_a_role_entitle_in_any_case() {
        for text in ["moodle", "Moodle", " MOODLE ", "moodle:author"] {
            assert!(held(&[text], &[]).is_held(), "{text}");
            assert!(held(&[], &[text]).is_held(), "{text}");
        }
    }

    #[test]
    fn another_system_does_not_entitle() {
        for text in ["moodle2", "my moodle", "moodle author", "moo", ""] {
            assert!(!held(&[text], &[text]).is_held(), "{text}");
        }
    }

    #[test]
    fn it_is_told_where_the_entitlement_stood() {
        let both = held(&["moodle"], &["moodle:author", "Moodle"]);
        assert_eq!(both.birthright.into_iter().collect::<Vec<_>>(), ["moodle"]);
        assert_eq!(both.requested.into_iter().collect::<Vec<_>>(), ["moodle", "moodle:author"]);
        assert!(held(&[], &["moodle"]).birthright.is_empty());
    }

    #[test]
    fn a_disabled_person_is_entitled_to_nothing() {
        let mut person = person();
        person.directory.set(directory::DISABLED, reconcile_state::Value::Flag(true));
        assert!(!entitlement(&person, "moodle").is_held());
        person.directory.set(directory::DISABLED, reconcile_state::Value::Flag(false));
        assert!(entitlement(&person, "moodle").is_held());
    }
}
