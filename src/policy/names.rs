//! Which of a person's names, addresses and organisations count.

use crate::model::Person;
use crate::model::person::directory;

/// `selectedUsername` of the seeds: the institution's own user name, else the UH user name, trimmed.
pub fn selected_username(person: &Person) -> Option<&str> {
    first(person, &[directory::USERNAME, directory::UH_USERNAME])
}

/// `selectedEmail` of the seeds: the institution's address, else the selected user name at the
/// institution's mail domain. Never LDAP `mail`, which holds the ePPN (decisions, sources).
pub fn selected_email(person: &Person, mail_domain: &str) -> Option<String> {
    match first(person, &[directory::EMAIL]) {
        Some(email) => Some(email.to_owned()),
        None => selected_username(person).map(|name| format!("{name}@{}", mail_domain.trim())),
    }
}

/// The preferred given name, else the legal one.
pub fn given_name(person: &Person) -> Option<&str> {
    first(person, &[directory::PREFERRED_GIVEN_NAME, directory::GIVEN_NAME])
}

/// The preferred surname, else the legal one.
pub fn surname(person: &Person) -> Option<&str> {
    first(person, &[directory::PREFERRED_SURNAME, directory::SURNAME])
}

fn first<'p>(person: &'p Person, ids: &[reconcile_state::AttributeId]) -> Option<&'p str> {
    ids.iter().filter_map(|id| person.text(*id)).map(str::trim).find(|text| !text.is_empty())
}

/// An organisation tuple of the directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OrgTuple<'t> {
    /// Short name.
    pub acronym: &'t str,
    /// Norwegian name.
    pub name_nb: &'t str,
    /// English name.
    pub name_en: &'t str,
    /// Place code of the national register, six digits.
    pub stedkode: &'t str,
}

/// Reads an organisation tuple: `id|acronym|nb|en|stedkode` of the data model, or `acronym|nb|en|stedkode`
/// of the SCIM document (directory facts, 2.4). `None` for any other number of fields.
pub fn org_tuple(tuple: &str) -> Option<OrgTuple<'_>> {
    let fields: Vec<&str> = tuple.split('|').map(str::trim).collect();
    match fields[..] {
        [_, acronym, name_nb, name_en, stedkode] | [acronym, name_nb, name_en, stedkode] => {
            Some(OrgTuple { acronym, name_nb, name_en, stedkode })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reconcile_state::Value;

    use super::*;
    use crate::policy::testing::person;

    #[test]
    fn the_local_user_name_wins_and_the_uh_user_name_stands_in() {
        let mut someone = person();
        assert_eq!(selected_username(&someone), Some("kanor"));
        someone.directory.set(directory::USERNAME, Value::from("  "));
        assert_eq!(selected_username(&someone), Some("kanor0042"));
    }

    #[test]
    fn an_address_is_made_where_none_is_given() {
        let mut someone = person();
        assert_eq!(selected_email(&someone, "example.no").as_deref(), Some("kari.nordmann@example.no"));
        someone.directory.set(directory::EMAIL, Value::from(""));
        assert_eq!(selected_email(&someone, "example.no").as_deref(), Some("kanor@example.no"));
    }

    #[test]
    fn preferred_names_win_one_by_one() {
        let mut someone = person();
        assert_eq!((given_name(&someone), surname(&someone)), (Some("Kari"), Some("Nordmann")));
        someone.directory.set(directory::PREFERRED_GIVEN_NAME, Value::from("Kaja"));
        assert_eq!((given_name(&someone), surname(&someone)), (Some("Kaja"), Some("Nordmann")));
    }

    #[test]
    fn both_forms_of_the_tuple_are_read_and_no_other() {
        let it = OrgTuple {
            acronym: "IT",
            name_nb: "IT-senteret",
            name_en: "Department of IT Services",
            stedkode: "000000",
        };
        assert_eq!(org_tuple("0000001501|IT|IT-senteret|Department of IT Services|000000"), Some(it));
        assert_eq!(org_tuple("IT| IT-senteret |Department of IT Services|000000"), Some(it));
        for tuple in ["", "IT", "a|b|c", "a|b|c|d|e|f"] {
            assert_eq!(org_tuple(tuple), None, "{tuple}");
        }
    }
}
