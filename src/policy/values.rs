//! What templates may say of a person. Every name always has a value: what is unknown is the empty text,
//! what there is none of is the empty list.

use std::collections::BTreeMap;

use minijinja::Value;

use super::names::{given_name, org_tuple, selected_email, selected_username, surname};
use crate::config::Institution;
use crate::model::Person;
use crate::model::person::{directory, vault};

/// The names a template of a person's attribute may use.
pub const PERSON_NAMES: &[&str] = &[
    "affiliation",
    "affiliations",
    "business_roles",
    "campus",
    "dept.acronym",
    "dept.en",
    "dept.nb",
    "dept.stedkode",
    "display_name",
    "email",
    "eppn",
    "given_name",
    "guest_number",
    "institution.mail_domain",
    "institution.name",
    "institution.number",
    "language",
    "legal_given_name",
    "legal_surname",
    "payroll_number",
    "student_number",
    "surname",
    "uh_username",
    "username",
];

/// The values of a person under [`PERSON_NAMES`]. `username` and `email` are the selected ones, `given_name`
/// and `surname` the preferred ones; numbers come from the directory, else from the vault; the campus from
/// the vault, else from the third field of the work address (decisions, sources).
pub fn person_values(person: &Person, institution: &Institution) -> Value {
    let text = |id| person.text(id).unwrap_or_default().trim();
    let list = |id| Value::from(person.directory.elements(id).map(Value::from).collect::<Vec<_>>());
    let or_vault = |id, other| match person.text(id).map(str::trim).filter(|own| !own.is_empty()) {
        Some(own) => own,
        None => person.vault_text(other).unwrap_or_default().trim(),
    };
    let dept = org_tuple(text(directory::DEPT_CODE)).unwrap_or_default();
    let (given, family) = (given_name(person).unwrap_or_default(), surname(person).unwrap_or_default());
    let own = |text: &str| Value::from(text);
    let group = |values: &[(&'static str, &str)]| {
        Value::from(values.iter().map(|(name, text)| (*name, Value::from(*text))).collect::<BTreeMap<_, _>>())
    };
    let values: [(&'static str, Value); 19] = [
        ("affiliation", own(text(directory::AFFILIATION))),
        ("affiliations", list(directory::AFFILIATIONS)),
        ("business_roles", list(directory::BUSINESS_ROLES)),
        ("campus", own(campus(person))),
        (
            "dept",
            group(&[
                ("acronym", dept.acronym),
                ("en", dept.name_en),
                ("nb", dept.name_nb),
                ("stedkode", dept.stedkode),
            ]),
        ),
        ("display_name", own(format!("{given} {family}").trim())),
        ("email", own(selected_email(person, &institution.mail_domain).unwrap_or_default().as_str())),
        ("eppn", own(text(directory::EPPN))),
        ("given_name", own(given)),
        ("guest_number", own(text(directory::GUEST_NUMBER))),
        (
            "institution",
            group(&[
                ("mail_domain", institution.mail_domain.as_str()),
                ("name", institution.name.as_str()),
                ("number", institution.number.as_str()),
            ]),
        ),
        ("language", own(or_vault(directory::LANGUAGE, vault::LANGUAGE))),
        ("legal_given_name", own(text(directory::GIVEN_NAME))),
        ("legal_surname", own(text(directory::SURNAME))),
        ("payroll_number", own(or_vault(directory::PAYROLL_NUMBER, vault::PAYROLL_NUMBER))),
        ("student_number", own(or_vault(directory::STUDENT_NUMBER, vault::STUDENT_NUMBER))),
        ("surname", own(family)),
        ("uh_username", own(text(directory::UH_USERNAME))),
        ("username", own(selected_username(person).unwrap_or_default())),
    ];
    Value::from(BTreeMap::from(values))
}

fn campus(person: &Person) -> &str {
    let vault = person.vault_text(vault::CAMPUS).map(str::trim).filter(|campus| !campus.is_empty());
    let mut addresses = person.directory.elements(directory::WORK_ADDRESSES);
    vault
        .or_else(|| addresses.find_map(|address| address.split('|').nth(2).map(str::trim).filter(|c| !c.is_empty())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reconcile_state::{AttributeId, Record, Value as Held};

    use super::*;
    use crate::policy::Template;
    use crate::policy::testing::{person, set};

    fn institution() -> Institution {
        Institution { number: "185".into(), name: "Universitetet".into(), mail_domain: "example.no".into() }
    }

    fn nobody() -> Person {
        Person { directory: Record::new("".into()), vault: None }
    }

    fn render(source: &str, person: &Person) -> String {
        let blank = person_values(&nobody(), &institution());
        let template = Template::parse(source, PERSON_NAMES, &blank).unwrap();
        template.render(&person_values(person, &institution())).unwrap()
    }

    #[test]
    fn every_name_has_a_value_even_for_nobody() {
        for name in PERSON_NAMES {
            render(&format!("{{{name}}}"), &nobody());
        }
        assert_eq!(render("{display_name}{student_number}{dept.nb}{campus}{email}", &nobody()), "");
    }

    #[test]
    fn numbers_come_from_the_directory_and_else_from_the_vault() {
        let mut someone = person();
        let row = Record::new(someone.key().clone()).with(vault::STUDENT_NUMBER, "9").with(vault::PAYROLL_NUMBER, "7");
        someone.vault = Some(row);
        assert_eq!(render("{student_number}/{payroll_number}", &someone), "512345/7");
        someone.directory.set(directory::STUDENT_NUMBER, Held::from(""));
        assert_eq!(render("{student_number or payroll_number}", &someone), "9");
    }

    #[test]
    fn the_campus_is_the_vaults_and_else_that_of_the_work_address() {
        let mut someone = person();
        someone.directory.set(directory::WORK_ADDRESSES, set(&["Storgata 1|Postboks 1|Nord|B2|214"]));
        assert_eq!(render("{campus}", &someone), "Nord");
        someone.vault = Some(Record::new(someone.key().clone()).with(vault::CAMPUS, "Sør"));
        assert_eq!(render("{campus}", &someone), "Sør");
    }

    #[test]
    fn lists_can_be_asked_and_joined() {
        let someone = person();
        assert_eq!(render("{affiliations|join(', ')}", &someone), "Employee, Student");
        assert_eq!(render("{'yes' if 'iam:student' in business_roles else 'no'}", &someone), "yes");
        assert_eq!(render("{institution.number}:{dept.stedkode}:{display_name}", &someone), "185:120500:Kari Nordmann");
    }

    proptest! {
        #[test]
        fn no_person_makes_a_template_panic(texts in prop::collection::vec(any::<String>(), 23)) {
            let mut someone = nobody();
            for (at, text) in (1..).zip(&texts) {
                let id = AttributeId(at);
                let is_text = directory::attributes().iter().any(|a| a.id == id && a.shape == reconcile_state::Shape::Text);
                someone.directory.set(id, if is_text { Held::from(text.as_str()) } else { set(&[text]) });
            }
            let all = format!("{{{}}}", PERSON_NAMES.join("}{"));
            let text = render(&all, &someone);
            prop_assert_eq!(text.trim(), text.as_str());
        }
    }
}
