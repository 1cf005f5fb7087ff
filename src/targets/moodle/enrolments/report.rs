//! The custom report "Course participants" as memberships (facts, sections 7 and 8).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::table::{Table, malformed};
use super::super::wire::Report;
use super::config::ParticipantsReport;
use super::courses::Courses;
use crate::model::TargetError;
use crate::policy::CourseKey;

/// Where its settings are, for messages.
const SETTING: &str = "enrolments.report";

/// One row: somebody in a course, by one method, in one role.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Membership {
    /// The course, where its ID number is a key.
    pub course: Option<Arc<CourseKey>>,
    /// The user name, folded.
    pub username: Box<str>,
    /// Whether the method is the manual one.
    pub manual: bool,
    /// The role's short name; empty where there is none.
    pub role: Arc<str>,
}

/// All rows of a report.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memberships {
    /// Who is where.
    pub rows: Vec<Membership>,
    /// Courses that any row is about, also where nobody is: a report without a condition shows every course.
    pub courses: BTreeSet<CourseKey>,
}

/// Reads a report.
///
/// # Errors
/// A header that is missing or stands twice; fewer rows than the report counts.
pub fn memberships(report: Report, config: &ParticipantsReport) -> Result<Memberships, TargetError> {
    let table = Table::new(SETTING, report.data, &config.columns.wanted())?;
    let (total, count) = (table.total(), table.rows().len());
    if total != count as u64 {
        let message = format!("it has {total} rows by its own count and shows {count}; all must be on one page");
        return Err(malformed(SETTING, &message));
    }
    let mut rows = Vec::with_capacity(count);
    // A course and a role stand in very many rows.
    let mut courses: HashMap<Cow<'_, str>, Option<Arc<CourseKey>>> = HashMap::new();
    let mut roles: BTreeSet<Arc<str>> = BTreeSet::new();
    for row in table.rows() {
        let course = courses.entry(row.cell("course")).or_insert_with_key(|text| key(text)).clone();
        let username = row.cell("username").trim().to_lowercase();
        // One row stands for each enrolment instance that nobody uses.
        if username.is_empty() {
            continue;
        }
        let (manual, role) = (row.cell("method").trim() == config.manual.trim(), row.cell("role"));
        let known = roles.get(role.trim()).cloned();
        let role = known.unwrap_or_else(|| {
            let role: Arc<str> = role.trim().into();
            roles.insert(Arc::clone(&role));
            role
        });
        rows.push(Membership { course, username: username.into(), manual, role });
    }
    let courses = courses.into_values().flatten().map(|course| CourseKey::clone(&course)).collect();
    Ok(Memberships { rows, courses })
}

fn key(text: &str) -> Option<Arc<CourseKey>> {
    CourseKey::parse(text.trim()).map(Arc::new)
}

/// Courses of ours that stand in no row: the report is filtered, or they have no enrolment method at all. What is
/// there nobody can say, so that nobody is enrolled a second time there.
pub fn unshown(memberships: &Memberships, courses: &Courses) -> BTreeSet<String> {
    let shown = |key: &&CourseKey| memberships.courses.contains(*key);
    courses.keys().filter(|key| !shown(key)).map(ToString::to_string).collect()
}

/// Courses of ours in which somebody holds a role, by its short name: each with how many rows it has.
pub fn holders(rows: &[Membership], courses: &Courses) -> BTreeMap<String, BTreeSet<(usize, u64)>> {
    let known = || rows.iter().filter_map(|row| Some((row, *courses.get(&**row.course.as_ref()?)?)));
    let mut sizes: BTreeMap<u64, usize> = BTreeMap::new();
    known().for_each(|(_, course)| *sizes.entry(course).or_default() += 1);
    let mut holders: BTreeMap<String, BTreeSet<(usize, u64)>> = BTreeMap::new();
    for (row, course) in known().filter(|(row, _)| !row.role.is_empty()) {
        let place = (sizes.get(&course).copied().unwrap_or_default(), course);
        match holders.get_mut(&*row.role) {
            Some(places) => drop(places.insert(place)),
            None => drop(holders.insert(row.role.to_string(), [place].into())),
        }
    }
    holders
}

/// The error of a reading in which courses are [`unshown`].
pub fn filtered(count: usize) -> TargetError {
    let what = format!(
        "{count} courses of ours stand in none of its rows; take every condition out of the report, and give each \
         course an enrolment method"
    );
    malformed(SETTING, &what)
}

/// Checks that no manual enrolment in these courses stands twice. A course has one manual instance, but any number
/// of another method.
///
/// # Errors
/// One does: the database rules that out, so the report is not one consistent page, or not what it was.
pub fn check_distinct(rows: &[Membership], courses: &Courses) -> Result<(), TargetError> {
    let mut seen = BTreeSet::new();
    let known = |row: &&Membership| row.manual && row.course.as_ref().is_some_and(|key| courses.contains_key(&**key));
    if rows.iter().filter(known).any(|row| !seen.insert(row)) {
        return Err(malformed(SETTING, "a manual enrolment stands twice; does the report show each role once?"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ErrorKind;
    use crate::targets::moodle::testing::settings;

    const HEADERS: [&str; 5] =
        ["Course short name", "Course ID number", "Username", "Enrolment method", "Role short name"];
    const KARI: [&str; 5] = ["A &amp; B", "185:A:1:2026:HØST", "Kari", "Manual enrolments", "student"];

    fn read(headers: &[&str], rows: &[Vec<&str>], total: usize) -> Result<Vec<Membership>, TargetError> {
        let rows: Vec<_> = rows.iter().map(|cells| json!({"columns": cells})).collect();
        let data = json!({"headers": headers, "rows": rows, "totalrowcount": total});
        let report = serde_json::from_value(json!({"data": data, "warnings": []})).unwrap();
        let config = settings("[enrolments]\nreport = { id = 2 }").enrolments.unwrap().report.unwrap();
        memberships(report, &config).map(|read| read.rows)
    }

    fn with(at: usize, text: &'static str) -> Vec<&'static str> {
        let mut row = KARI.to_vec();
        row[at] = text;
        row
    }

    #[test]
    fn a_row_is_somebody_in_a_course_by_a_method_in_a_role() {
        let rows = [KARI.to_vec(), with(3, "Self enrolment"), with(4, ""), with(1, "Play &amp; ground"), with(2, "")];
        let read = read(&HEADERS, &rows, 5).unwrap();
        assert_eq!(read.len(), 4, "an instance that nobody uses is nobody");
        let kari = Membership {
            course: key("185:A:1:2026:HØST"),
            username: "kari".into(),
            manual: true,
            role: "student".into(),
        };
        assert_eq!(read[0], kari);
        assert_eq!(read[1], Membership { manual: false, ..kari.clone() });
        assert_eq!(read[2], Membership { role: "".into(), ..kari.clone() });
        assert_eq!(read[3], Membership { course: None, ..kari });
    }

    #[test]
    fn what_is_not_one_whole_page_is_refused() {
        let fails = |headers: &[&str], rows: &[Vec<&str>], total, words: &str| {
            let error = read(headers, rows, total).unwrap_err();
            assert!(error.kind == ErrorKind::Malformed && error.message.contains(words), "{error}");
            assert!(!error.message.contains("kari") && !error.message.contains("Kari"));
        };
        fails(&HEADERS, &[KARI.to_vec()], 2, "2 rows");
        fails(&HEADERS, &[KARI[..4].to_vec()], 1, "cells");
        let mut headers = HEADERS;
        headers[4] = "Role";
        fails(&headers, &[], 0, "enrolments.report.columns.role");
        headers[4] = "Username";
        fails(&headers, &[], 0, "two columns");
    }

    #[test]
    fn only_a_manual_enrolment_in_a_course_of_ours_stands_once() {
        let ours = Courses::from([(CourseKey::parse("185:A:1:2026:HØST").unwrap(), 7)]);
        let twice = |row: Vec<&'static str>, courses: &Courses| {
            check_distinct(&read(&HEADERS, &[row.clone(), row], 2).unwrap(), courses)
        };
        assert!(twice(KARI.to_vec(), &ours).unwrap_err().message.contains("twice"));
        assert!(twice(with(3, "Cohort sync"), &ours).is_ok(), "a course may have several instances of it");
        assert!(twice(KARI.to_vec(), &Courses::new()).is_ok(), "two courses may bear one ID number");
        let both = read(&HEADERS, &[KARI.to_vec(), with(4, "teacher")], 2).unwrap();
        assert!(check_distinct(&both, &ours).is_ok(), "two roles");
    }
}
