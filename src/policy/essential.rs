//! Whether a person is judged at all, and what for: the order of judgement that all account pipelines
//! share.
//!
//! An attribute that is missing is no statement about the person: such a person is left alone. Only what
//! the directory says positively closes an account.

use super::entitlement::{entitlement, is_disabled};
use super::names::selected_username;
use crate::model::person::directory;
use crate::model::{Person, Reason};

/// The directory says that the person is disabled.
pub const DISABLED: Reason = Reason("disabled");
/// The person is enabled, whole, and has no entitlement to the system.
pub const NOT_ENTITLED: Reason = Reason("not-entitled");

/// What a person is to be at a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// There, and open.
    Active,
    /// Closed where there is something to close.
    Disabled(Reason),
    /// Left alone.
    Untouched(Reason),
}

/// Why a person cannot be judged: `no-uh-id`, `no-user-name`, `no-name`, `no-affiliation` (identity model:
/// essential attributes). The first that applies; `None` where nothing is missing.
pub fn essential(person: &Person) -> Option<Reason> {
    let missing = |id| person.text(id).is_none_or(|text| text.trim().is_empty());
    if person.key().as_str().trim().is_empty() {
        Some(Reason("no-uh-id"))
    } else if selected_username(person).is_none() {
        Some(Reason("no-user-name"))
    } else if missing(directory::GIVEN_NAME) || missing(directory::SURNAME) {
        Some(Reason("no-name"))
    } else if missing(directory::AFFILIATION) {
        Some(Reason("no-affiliation"))
    } else {
        None
    }
}

/// What a person is to be in `system`. Disabled comes first: exclusion must not wait for an attribute
/// that somebody forgot. A missing attribute comes before the entitlement, because a person whose entry
/// was read in part may have lost the entitlement in the reading only.
pub fn judge(person: &Person, system: &str) -> Judgement {
    if is_disabled(person) {
        Judgement::Disabled(DISABLED)
    } else if let Some(reason) = essential(person) {
        Judgement::Untouched(reason)
    } else if entitlement(person, system).is_held() {
        Judgement::Active
    } else {
        Judgement::Disabled(NOT_ENTITLED)
    }
}

#[cfg(test)]
mod tests {
    use reconcile_state::{AttributeId, Value};

    use super::*;
    use crate::policy::testing::{person, set};

    fn without(ids: &[AttributeId]) -> Person {
        let mut person = person();
        for id in ids {
            person.directory.set(*id, Value::from(""));
        }
        person
    }

    #[test]
    fn a_whole_and_entitled_person_is_active() {
        assert_eq!(judge(&person(), "moodle"), Judgement::Active);
    }

    #[test]
    fn each_missing_essential_attribute_has_its_reason() {
        let rows: [(&[AttributeId], &str); 4] = [
            (&[directory::USERNAME, directory::UH_USERNAME], "no-user-name"),
            (&[directory::GIVEN_NAME], "no-name"),
            (&[directory::SURNAME], "no-name"),
            (&[directory::AFFILIATION], "no-affiliation"),
        ];
        for (ids, reason) in rows {
            assert_eq!(judge(&without(ids), "moodle"), Judgement::Untouched(Reason(reason)));
        }
        let mut nameless = person();
        nameless.directory.key = "".into();
        assert_eq!(judge(&nameless, "moodle"), Judgement::Untouched(Reason("no-uh-id")));
    }

    #[test]
    fn one_user_name_is_enough() {
        assert_eq!(judge(&without(&[directory::USERNAME]), "moodle"), Judgement::Active);
        assert_eq!(judge(&without(&[directory::UH_USERNAME]), "moodle"), Judgement::Active);
    }

    #[test]
    fn space_is_no_value() {
        let mut blank = person();
        blank.directory.set(directory::SURNAME, Value::from("  "));
        assert_eq!(judge(&blank, "moodle"), Judgement::Untouched(Reason("no-name")));
    }

    #[test]
    fn disabled_wins_over_everything_that_is_missing() {
        let mut person = without(&[directory::USERNAME, directory::UH_USERNAME, directory::SURNAME]);
        person.directory.set(directory::BIRTHRIGHT, set(&[]));
        person.directory.set(directory::DISABLED, Value::Flag(true));
        assert_eq!(judge(&person, "moodle"), Judgement::Disabled(DISABLED));
    }

    #[test]
    fn a_missing_attribute_wins_over_a_missing_entitlement() {
        let mut person = without(&[directory::AFFILIATION]);
        person.directory.set(directory::BIRTHRIGHT, set(&[]));
        assert_eq!(judge(&person, "moodle"), Judgement::Untouched(Reason("no-affiliation")));
        let mut person = super::super::testing::person();
        person.directory.set(directory::BIRTHRIGHT, set(&["lenel"]));
        assert_eq!(judge(&person, "moodle"), Judgement::Disabled(NOT_ENTITLED));
    }
}
