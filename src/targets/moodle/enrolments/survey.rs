//! What the settings make of MetaVault's rows, for `reconcile check`: what they do not know, and what they know and
//! nobody has. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile_state::Record;

use super::config::{Enrolments, row_name};
use super::project::{EnrolmentRules, Refused, Row};
use crate::model::person::vault;
use crate::model::{Check, Semester};
use crate::targets::port::Survey;

/// What is looked at.
const WHAT: &str = "enrolments in MetaVault";

/// So many names are told.
const TOLD: usize = 8;

/// What the rows came to.
#[derive(Default)]
struct Tally {
    given: u64,
    occurring: BTreeSet<String>,
    unmapped: BTreeMap<String, u64>,
    others: BTreeMap<String, u64>,
}

impl Survey for Enrolments {
    fn look(&self, people: &[&Record], semesters: &[Semester], at: Timestamp) -> Vec<Check> {
        let rules = EnrolmentRules::new(self, semesters, at);
        let mut tally = Tally::default();
        for row in people.iter().flat_map(|record| record.elements(vault::ENROLMENTS)).filter_map(Row::parse) {
            let name = row_name(row.kind, row.role);
            match rules.element(&row) {
                Ok(_) => tally.given += 1,
                Err(Refused::Role) => *tally.unmapped.entry(name.clone()).or_default() += 1,
                Err(Refused::OtherInstitution(number)) => *tally.others.entry(number).or_default() += 1,
                Err(_) => {}
            }
            tally.occurring.insert(name);
        }
        self.say(&tally)
    }
}

impl Enrolments {
    fn say(&self, tally: &Tally) -> Vec<Check> {
        let mut found = Vec::new();
        if !tally.unmapped.is_empty() {
            let text = format!("active rows give nothing: {}, not in enrolments.roles", counted(&tally.unmapped));
            let fix = "add these to [moodle.enrolments.roles], or leave them if nobody is to be in a course for them";
            found.push(Check::warning(WHAT, text, fix));
        }
        let idle = self.roles.keys().filter(|name| !tally.occurring.contains(*name));
        let idle: Vec<String> = idle.map(|name| format!("`{name}`")).collect();
        // That the table is empty is told of the table.
        if !idle.is_empty() && !tally.occurring.is_empty() {
            let text = format!("no row of mv_enrolment is {}, which enrolments.roles names", listed(&idle));
            found.push(Check::warning(WHAT, text, "compare the spelling, or leave it if such rows come later"));
        }
        if tally.given == 0 && tally.unmapped.is_empty() && !tally.others.is_empty() {
            let (number, others) = (&self.institution, counted(&tally.others));
            let text = format!("no active row is of a topic of institution {number}; there are rows of {others}");
            found.push(Check::warning(WHAT, text, "compare `number` in [institution] with institution in mv_topic"));
        } else {
            found.push(Check::good(WHAT, format!("{} active rows of this time are enrolments", tally.given)));
        }
        found
    }
}

fn counted(names: &BTreeMap<String, u64>) -> String {
    let mut names: Vec<(&String, &u64)> = names.iter().collect();
    names.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    listed(&names.into_iter().map(|(name, count)| format!("`{name}` ({count})")).collect::<Vec<_>>())
}

fn listed(names: &[String]) -> String {
    let told = names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > TOLD { format!("{told} and {} more", names.len() - TOLD) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
    use crate::policy::testing::set;
    use crate::targets::moodle::enrolments::testing::{AT, calendar};
    use crate::targets::moodle::testing::settings;

    fn look(more: &str, rows: &[&str]) -> Vec<(Level, String)> {
        let record = Record::new("k".into()).with(vault::ENROLMENTS, set(rows));
        let found = settings(more).enrolments.unwrap().look(&[&record], &calendar(), AT.parse().unwrap());
        assert!(found.iter().all(|check| check.level == Level::Good || check.fix.is_some()));
        found.into_iter().map(|check| (check.level, check.found)).collect()
    }

    const ALL: [&str; 4] = [
        "185:A:1|2026:HØST|student|student|A",
        "185:A:1|2026:HØST|teacher|responsible|A",
        "185:A:1|2026:HØST|teacher|lecturer|I",
        "185:A:1|2025:HØST|teacher|assistant|A",
    ];

    #[test]
    fn rows_that_are_known_are_good() {
        assert_eq!(look("", &ALL), [(Level::Good, "2 active rows of this time are enrolments".to_owned())]);
    }

    #[test]
    fn a_mistyped_role_is_told_from_both_sides() {
        let roles = "[enrolments.roles]\n'studnet/student' = 'student'\n'teacher/responsible' = 'editingteacher'\n";
        let found = look(roles, &ALL);
        let [unknown, idle, _] = &found[..] else { panic!("three: {found:?}") };
        assert_eq!((unknown.0, idle.0), (Level::Warning, Level::Warning));
        assert_eq!(unknown.1, "active rows give nothing: `student/student` (1), not in enrolments.roles");
        assert_eq!(idle.1, "no row of mv_enrolment is `studnet/student`, which enrolments.roles names");
    }

    #[test]
    fn rows_of_another_institution_alone_are_told() {
        let found =
            look("", &ALL.map(|row| row.replace("185:", "194:")).iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found[0].0, Level::Warning);
        assert!(found[0].1.contains("institution 185; there are rows of `194` (2)"), "{found:?}");
    }

    #[test]
    fn an_empty_table_is_told_of_the_table() {
        assert_eq!(look("", &[]).len(), 1);
    }
}
