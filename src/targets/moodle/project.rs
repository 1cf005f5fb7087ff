//! What should be, for both kinds. Pure; what each is made of is in `accounts` and `enrolments`.

use jiff::Timestamp;
use reconcile_state::{AttributeId, Schema};

use super::accounts::AccountRules;
use super::config::Settings;
use super::enrolments::{EnrolmentRules, Enrolments, scope_of};
use super::refusal::refused;
use super::schema::{self, ENROLMENTS};
use crate::model::Desired;
use crate::targets::port::{Because, Lookup, OpenError, Project, Subject, Survey};

/// The projection.
pub struct Projection {
    kinds: Vec<Schema>,
    accounts: AccountRules,
    enrolments: Option<Enrolments>,
}

impl Projection {
    /// The projection of these settings.
    ///
    /// # Errors
    /// Never, as long as the schemas name each attribute once.
    pub fn new(settings: &Settings) -> Result<Self, OpenError> {
        let accounts = AccountRules::new(settings)?;
        let mut kinds = vec![accounts.schema().clone()];
        if settings.enrolments.is_some() {
            kinds.push(schema::enrolments().map_err(|error| refused("enrolments", error.to_string()))?);
        }
        Ok(Self { kinds, accounts, enrolments: settings.enrolments.clone() })
    }

    fn rules_at(&self, look: &dyn Lookup, at: Timestamp) -> Option<EnrolmentRules<'_>> {
        Some(EnrolmentRules::new(self.enrolments.as_ref()?, look.semesters(), at))
    }
}

impl Project for Projection {
    fn kinds(&self) -> &[Schema] {
        &self.kinds
    }

    fn desired(&self, subject: Subject<'_>, look: &dyn Lookup, at: Timestamp) -> Vec<Desired> {
        let Subject::Person(person) = subject;
        let account = self.accounts.desired(person);
        let enrolments = self.rules_at(look, at).map(|rules| rules.desired(person, &account.call));
        std::iter::once(account).chain(enrolments).collect()
    }

    fn scope_of<'e>(&self, kind: &str, _: AttributeId, element: &'e str) -> Option<&'e str> {
        scope_of(self.enrolments.as_ref().filter(|_| kind == ENROLMENTS)?, element)
    }

    fn within(&self, kind: &str, look: &dyn Lookup, at: Timestamp) -> Vec<String> {
        let rules = self.rules_at(look, at).filter(|_| kind == ENROLMENTS);
        rules.map(|rules| rules.within()).unwrap_or_default()
    }

    fn tables(&self, kind: &str) -> Option<&[&'static str]> {
        Some(match kind {
            ENROLMENTS => &["mv_enrolment", "mv_teaching", "mv_topic", "mv_semester"],
            _ => &["mv_person"],
        })
    }

    fn survey(&self) -> Option<&dyn Survey> {
        self.enrolments.as_ref().map(|enrolments| enrolments as &dyn Survey)
    }

    fn rules(&self, subject: Subject<'_>, look: &dyn Lookup, at: Timestamp) -> Vec<Because> {
        let Subject::Person(person) = subject;
        let account = self.accounts.desired(person).call;
        let mut all = self.accounts.because(&account);
        if let Some(rules) = self.rules_at(look, at) {
            let call = rules.desired(person, &account).call;
            all.extend(rules.because(person, &call));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use reconcile_state::{Claim, Key, Record};

    use super::*;
    use crate::model::person::{directory, vault};
    use crate::model::{Call, Outlook, Person, Semester};
    use crate::policy::testing::{person, set};
    use crate::targets::moodle::enrolments::testing::{AT, calendar};
    use crate::targets::moodle::schema::{ACCOUNT, COURSES};
    use crate::targets::moodle::testing::settings;

    struct Calendar(Vec<Semester>);

    impl Lookup for Calendar {
        fn claim(&self, _: &str, _: &str, _: &Key) -> Option<&Claim> {
            None
        }

        fn adopt(&self) -> bool {
            false
        }

        fn semesters(&self) -> &[Semester] {
            &self.0
        }

        fn outlooks(&self, _: &Key) -> &[Outlook] {
            &[]
        }
    }

    fn student() -> Person {
        let mut someone = person();
        let rows = set(&["185:INF1000:1|2026:HØST|student|student|A"]);
        someone.vault = Some(Record::new(someone.key().clone()).with(vault::ENROLMENTS, rows));
        someone
    }

    fn calls(more: &str, person: &Person) -> Vec<(&'static str, Call)> {
        let projection = Projection::new(&settings(more)).unwrap();
        let all = projection.desired(Subject::Person(person), &Calendar(calendar()), AT.parse().unwrap());
        assert_eq!(all.len(), projection.kinds().len());
        all.into_iter().map(|one| (one.kind, one.call)).collect()
    }

    #[test]
    fn a_student_has_an_account_and_what_the_account_is_enrolled_in() {
        let all = calls("", &student());
        assert_eq!((all[0].0, all[1].0), (ACCOUNT, ENROLMENTS));
        let Call::Active(record) = &all[1].1 else { panic!("active") };
        schema::enrolments().unwrap().check(record).unwrap();
        assert_eq!(record.elements(COURSES).collect::<Vec<_>>(), ["185:INF1000:1:2026:HØST/student"]);
    }

    #[test]
    fn a_value_that_moodle_refuses_leaves_the_enrolments_alone_too() {
        let mut someone = student();
        someone.directory.set(directory::PREFERRED_SURNAME, "<script>".into());
        let all = calls("", &someone);
        let Call::Untouched(reason) = all[1].1 else { panic!("untouched") };
        assert_eq!(all[0].1, Call::Untouched(reason));
        someone.directory.set(directory::BIRTHRIGHT, set(&[]));
        assert!(matches!(calls("", &someone)[1].1, Call::Untouched(reason) if reason.0 == "account-closed"));
    }

    #[test]
    fn switched_off_there_is_one_kind_and_nothing_is_ours_of_the_other() {
        let off = "[enrolments]\nenabled = false";
        assert_eq!(calls(off, &student()).len(), 1);
        let projection = Projection::new(&settings(off)).unwrap();
        assert_eq!(projection.scope_of(ENROLMENTS, COURSES, "185:INF1000:1:2026:HØST/student"), None);
        let within = projection.within(ENROLMENTS, &Calendar(calendar()), AT.parse().unwrap());
        assert_eq!(within, [""; 0]);
    }

    #[test]
    fn parts_are_parts_and_within_names_the_processed_semesters() {
        let projection = Projection::new(&settings("")).unwrap();
        assert_eq!(projection.kinds()[1].part_of, Some(ACCOUNT));
        let within = projection.within(ENROLMENTS, &Calendar(calendar()), AT.parse().unwrap());
        assert_eq!(within, ["2026:HØST"]);
        assert_eq!(projection.tables(ACCOUNT), Some(&["mv_person"][..]));
        assert_eq!(projection.tables(ENROLMENTS).map(<[_]>::len), Some(4));
    }

    #[test]
    fn attributes_and_elements_are_explained_together() {
        let projection = Projection::new(&settings("")).unwrap();
        let all = projection.rules(Subject::Person(&student()), &Calendar(calendar()), AT.parse().unwrap());
        assert!(all.iter().any(|one| one.kind == ACCOUNT && one.wanted));
        assert!(all.iter().any(|one| one.kind == ENROLMENTS && one.wanted && one.element.is_some()));
    }
}
