//! What should be: who is enrolled in what, by MetaVault's rows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile_state::{Normal, Record, Value};

use super::super::schema::{COURSES, ENROLMENTS};
use super::config::{Enrolments, row_name};
use crate::model::person::vault;
use crate::model::{Call, Desired, Person, Reason, Semester};
use crate::policy::{CourseKey, Timing, day};
use crate::targets::port::Because;

/// The account is closed, or about to be: it keeps its enrolments until it returns.
pub const ACCOUNT_CLOSED: Reason = Reason("account-closed");
/// MetaVault has no row of the person: enrolments are kept.
pub const NOT_IN_MV: Reason = Reason("not-in-mv");
/// The person is enrolled in a teaching that MetaVault does not have.
pub const TEACHING_UNKNOWN: Reason = Reason("teaching-unknown");

/// The status of a row that counts.
const ACTIVE: &str = "A";
/// Stands for a topic that is not known.
const UNKNOWN: &str = "?";

/// One row of `mv_enrolment` with its teaching, as people carry it.
pub(super) struct Row<'r> {
    topic: &'r str,
    semester: &'r str,
    pub(super) kind: &'r str,
    pub(super) role: &'r str,
    status: &'r str,
}

impl<'r> Row<'r> {
    pub(super) fn parse(text: &'r str) -> Option<Self> {
        let parts: Vec<&str> = text.split('|').collect();
        let [topic, semester, kind, role, status] = *parts else { return None };
        Some(Self { topic, semester, kind, role, status })
    }

    fn is_active(&self) -> bool {
        self.status.trim() == ACTIVE
    }
}

/// Why a row gives no enrolment.
pub(super) enum Refused {
    Inactive,
    Malformed,
    OtherInstitution(String),
    Semester(Option<Timing>),
    Role,
}

impl Refused {
    fn words(&self, row: &Row<'_>) -> String {
        let Row { semester, kind, role, .. } = row;
        match self {
            Self::Inactive => "the enrolment, its teaching or its topic is not active".into(),
            Self::Malformed => "the topic or the semester is malformed".into(),
            Self::OtherInstitution(_) => "the topic is another institution's".into(),
            Self::Semester(Some(timing)) => format!("semester {semester} {}", timing.words()),
            Self::Semester(None) => format!("semester {semester} is not in mv_semester"),
            Self::Role => format!("`{}` has no role in enrolments.roles", row_name(kind, role)),
        }
    }
}

/// What enrolments are made of.
pub struct EnrolmentRules<'e> {
    settings: &'e Enrolments,
    timings: BTreeMap<String, Timing>,
    changes_at: Option<Timestamp>,
}

impl<'e> EnrolmentRules<'e> {
    /// The rules as they are at a time.
    pub fn new(settings: &'e Enrolments, semesters: &[Semester], at: Timestamp) -> Self {
        let day = day(at);
        let timing = |semester: &Semester| {
            (Normal::Exact.form(&semester.id).into_owned(), settings.semesters.timing(semester, day))
        };
        Self {
            settings,
            timings: semesters.iter().map(timing).collect(),
            changes_at: settings.semesters.changes_at(semesters, day),
        }
    }

    /// The semesters whose courses are ours.
    pub fn within(&self) -> Vec<String> {
        self.timings.iter().filter(|(_, timing)| timing.is_processed()).map(|(id, _)| id.clone()).collect()
    }

    /// What is called for, beside what is called for of the account.
    pub fn desired(&self, person: &Person, account: &Call) -> Desired {
        let mut left_out = BTreeMap::new();
        // A date changes nothing for whoever is enrolled in nothing.
        let is_enrolled = person.vault.as_ref().is_some_and(|row| row.elements(vault::ENROLMENTS).next().is_some());
        Desired {
            kind: ENROLMENTS,
            key: person.key().clone(),
            call: self.call(person, account, &mut left_out),
            matches: Vec::new(),
            scopes: None,
            unasked: BTreeSet::new(),
            left_out,
            valid_until: self.changes_at.filter(|_| is_enrolled),
        }
    }

    /// What is called for; `left_out` counts rows that would give something if a setting knew them.
    fn call(&self, person: &Person, account: &Call, left_out: &mut BTreeMap<String, u64>) -> Call {
        match account {
            Call::Untouched(reason) => return Call::Untouched(*reason),
            Call::Disabled(..) => return Call::Untouched(ACCOUNT_CLOSED),
            Call::Active(_) => {}
        }
        let Some(record) = &person.vault else { return Call::Untouched(NOT_IN_MV) };
        let rows = || record.elements(vault::ENROLMENTS).filter_map(Row::parse);
        if rows().any(|row| row.is_active() && row.topic.trim() == UNKNOWN) {
            return Call::Untouched(TEACHING_UNKNOWN);
        }
        let mut elements = BTreeSet::new();
        for row in rows() {
            let why = match self.element(&row) {
                Ok(element) => {
                    elements.insert(element);
                    continue;
                }
                Err(Refused::Role) => format!("{} is not in enrolments.roles", row_name(row.kind, row.role)),
                Err(Refused::OtherInstitution(number)) => format!("topics of institution {number}"),
                Err(_) => continue,
            };
            *left_out.entry(why).or_default() += 1;
        }
        Call::Active(Record::new(person.key().clone()).with(COURSES, Value::Set(elements.into())))
    }

    /// Of each row what it gives, or why it gives nothing.
    pub fn because(&self, person: &Person, call: &Call) -> Vec<Because> {
        let because = |element, wanted, rule| Because { kind: ENROLMENTS, attribute: "courses", element, wanted, rule };
        let mut all = Vec::new();
        if let Call::Untouched(reason) = call {
            all.push(because(None, false, format!("{reason}: enrolments are left as they are")));
        }
        let rows = person.vault.iter().flat_map(|record| record.elements(vault::ENROLMENTS));
        for text in rows {
            let Some(row) = Row::parse(text) else { continue };
            let about = format!("mv_enrolment: {text}");
            let known = self.element(&row).map_err(|refused| {
                let course = CourseKey::new(row.topic, row.semester);
                let name = course.map_or_else(|| format!("{}:{}", row.topic, row.semester), |key| key.to_string());
                (format!("{name}/{}", self.settings.role(row.kind, row.role).unwrap_or("?")), refused.words(&row))
            });
            all.push(match (known, call) {
                (Ok(element), Call::Active(_)) => {
                    let timing = self.timings.get(&*Normal::Exact.form(row.semester)).map_or("", |t| t.words());
                    let role = row_name(row.kind, row.role);
                    let rule = format!("{about}; semester {} {timing}; enrolments.roles.\"{role}\"", row.semester);
                    because(Some(element), true, rule)
                }
                (Ok(element), _) => because(Some(element), false, format!("{about}; left alone, as above")),
                (Err((name, why)), _) => because(Some(name), false, format!("{about}; {why}")),
            });
        }
        all.sort();
        all
    }

    pub(super) fn element(&self, row: &Row<'_>) -> Result<String, Refused> {
        if !row.is_active() {
            return Err(Refused::Inactive);
        }
        let key = CourseKey::new(row.topic, row.semester).ok_or(Refused::Malformed)?;
        let timing = self.timings.get(&key.semester()).copied();
        if !timing.is_some_and(Timing::is_processed) {
            return Err(Refused::Semester(timing));
        }
        if key.institution != self.settings.institution {
            return Err(Refused::OtherInstitution(key.institution));
        }
        let role = self.settings.role(row.kind, row.role).ok_or(Refused::Role)?;
        Ok(format!("{key}/{role}"))
    }
}

/// The course of an element; `None` where its course or its role can never be ours.
pub fn scope_of<'t>(settings: &Enrolments, element: &'t str) -> Option<&'t str> {
    let (course, role) = element.rsplit_once('/')?;
    let ours = CourseKey::parse(course).is_some_and(|key| key.institution == settings.institution);
    (ours && settings.is_mapped(role)).then_some(course)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{person, set};
    use crate::targets::moodle::enrolments::testing::{AT, calendar};
    use crate::targets::moodle::testing::settings;

    fn enrolled(rows: &[&str]) -> Person {
        let mut someone = person();
        someone.vault = Some(Record::new(someone.key().clone()).with(vault::ENROLMENTS, set(rows)));
        someone
    }

    fn active() -> Call {
        Call::Active(Record::new("k".into()))
    }

    fn with_rules<T>(more: &str, ask: impl FnOnce(&EnrolmentRules<'_>) -> T) -> T {
        let settings = settings(more).enrolments.unwrap();
        ask(&EnrolmentRules::new(&settings, &calendar(), AT.parse().unwrap()))
    }

    fn elements(more: &str, rows: &[&str]) -> Vec<String> {
        let call = with_rules(more, |rules| rules.desired(&enrolled(rows), &active()).call);
        let Call::Active(record) = call else { panic!("active: {call:?}") };
        record.elements(COURSES).map(str::to_owned).collect()
    }

    fn untouched(person: &Person, account: &Call) -> &'static str {
        match with_rules("", |rules| rules.desired(person, account).call) {
            Call::Untouched(reason) => reason.0,
            other => panic!("untouched: {other:?}"),
        }
    }

    const STUDENT: &str = "185:INF1000:1|2026:HØST|student|student|A";

    #[test]
    fn an_active_row_of_a_processed_semester_is_an_enrolment() {
        let rows = [
            STUDENT,
            "185:INF-2:2|2026:HØST|teacher|assistant|A",
            "185:ØKO1:1|2026:HØST|teacher|responsible|A",
            "185:ØKO1:1|2026:HØST|teacher|lecturer|A",
        ];
        assert_eq!(
            elements("", &rows),
            ["185:INF-2:2:2026:HØST/teacher", "185:INF1000:1:2026:HØST/student", "185:ØKO1:1:2026:HØST/editingteacher"]
        );
    }

    #[test]
    fn what_is_inactive_early_over_unmapped_or_another_institution_s_gives_nothing() {
        let rows = [
            "185:INF1000:1|2026:HØST|student|student|I",
            "185:INF1000:1|2026:VÅR|student|student|A",
            "185:INF1000:1|2027:VÅR|student|student|A",
            "185:INF1000:1|2026:SOM|student|student|A",
            "185:INF1000:1|2031:VÅR|student|student|A",
            "185:INF1000:1|2026:HØST|teacher|janitor|A",
            "194:INF1000:1|2026:HØST|student|student|A",
            "INF1000|2026:HØST|student|student|A",
        ];
        assert_eq!(elements("", &rows), [""; 0]);
    }

    #[test]
    fn what_no_setting_knows_is_counted() {
        let rows = [
            STUDENT,
            "185:INF1000:1|2026:HØST|teacher|janitor|A",
            "185:INF2000:1|2026:HØST|Teacher|janitor|A",
            "185:INF3000:1|2026:HØST|teacher|janitor|I",
            "185:INF1000:1|2026:VÅR|teacher|janitor|A",
            "194:INF1000:1|2026:HØST|student|student|A",
            "194:INF1000:1|2026:VÅR|student|student|A",
        ];
        let left_out = with_rules("", |rules| rules.desired(&enrolled(&rows), &active()).left_out);
        let counted = [("teacher/janitor is not in enrolments.roles", 2), ("topics of institution 194", 1)];
        assert_eq!(left_out, counted.map(|(why, count)| (why.to_owned(), count)).into());
    }

    #[test]
    fn whoever_has_no_open_account_keeps_what_there_is() {
        let someone = enrolled(&[STUDENT]);
        let closed = Call::Disabled(Record::new("k".into()), Reason("not-entitled"));
        assert_eq!(untouched(&someone, &closed), "account-closed");
        assert_eq!(untouched(&someone, &Call::Untouched(Reason("no-name"))), "no-name");
        assert_eq!(untouched(&person(), &active()), "not-in-mv");
    }

    #[test]
    fn an_unknown_teaching_leaves_the_person_as_it_is_but_only_while_it_counts() {
        assert_eq!(untouched(&enrolled(&[STUDENT, "?|70|student|student|A"]), &active()), "teaching-unknown");
        assert_eq!(elements("", &[STUDENT, "?|70|student|student|I"]).len(), 1);
    }

    #[test]
    fn somebody_in_the_vault_without_enrolments_is_in_no_course() {
        let mut someone = person();
        someone.vault = Some(Record::new(someone.key().clone()));
        let call = with_rules("", |rules| rules.desired(&someone, &active()).call);
        assert!(matches!(call, Call::Active(record) if record.elements(COURSES).count() == 0));
    }

    #[test]
    fn ours_are_courses_of_the_institution_and_roles_of_the_map() {
        let settings = settings("").enrolments.unwrap();
        let course = "185:INF1000:1:2026:HØST";
        assert_eq!(scope_of(&settings, &format!("{course}/student")), Some(course));
        for foreign in ["185:INF1000:1:2026:HØST/manager", "INF1000/student", "194:A:1:2026:HØST/student", course] {
            assert_eq!(scope_of(&settings, foreign), None, "{foreign}");
        }
        with_rules("", |rules| assert_eq!(rules.within(), ["2026:HØST"]));
    }

    #[test]
    fn every_row_is_explained() {
        let rows = [
            STUDENT,
            "185:INF2000:1|2026:HØST|student|student|I",
            "185:INF1000:1|2027:VÅR|student|student|A",
            "185:INF1000:1|2031:VÅR|student|student|A",
            "185:INF1000:1|2026:HØST|teacher|janitor|A",
            "194:INF1000:1|2026:HØST|student|student|A",
            "185:INF1000:1|2025:HØST|student|student|A",
        ];
        let all = with_rules("", |rules| rules.because(&enrolled(&rows), &active()));
        assert_eq!(all.len(), rows.len());
        let wanted: Vec<&Because> = all.iter().filter(|one| one.wanted).collect();
        assert_eq!(wanted.len(), 1);
        assert!(wanted[0].rule.contains(STUDENT) && wanted[0].rule.contains("student/student"));
        for words in ["not active", "before its month", "not in mv_semester", "teacher/janitor", "another institution"]
        {
            assert!(all.iter().any(|one| !one.wanted && one.rule.contains(words)), "{words}: {all:?}");
        }
        assert!(all.iter().any(|one| one.rule.contains("malformed")), "the dates of 2025:HØST: {all:?}");
    }

    #[test]
    fn somebody_left_alone_is_explained_too() {
        let call = Call::Untouched(ACCOUNT_CLOSED);
        let all = with_rules("", |rules| rules.because(&enrolled(&[STUDENT]), &call));
        assert!(all.len() == 2 && all.iter().all(|one| !one.wanted) && all[0].rule.contains("account-closed"));
    }

    #[test]
    fn the_answer_holds_until_the_next_semester_opens() {
        let none = with_rules("", |rules| rules.desired(&enrolled(&[]), &active()));
        assert_eq!(none.valid_until, None, "it changes nothing for whoever is enrolled in nothing");
        let desired = with_rules("", |rules| rules.desired(&enrolled(&[STUDENT]), &active()));
        assert_eq!(desired.valid_until.map(|at| at.to_string()).as_deref(), Some("2026-10-31T23:00:00Z"));
    }
}
