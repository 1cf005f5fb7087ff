//! `[moodle.enrolments]`: what an operator writes, and what is left of it once it is checked.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::Normal;
use serde::Deserialize;

use super::super::config::{distinct_headers, within};
use super::super::refusal::refused;
use crate::policy::{Semesters, Term};
use crate::targets::port::OpenError;

/// The section as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct EnrolmentsConfig {
    enabled: bool,
    enrolment_removal: Removal,
    batch_size: usize,
    next_semester_from: BTreeMap<String, i8>,
    summer: bool,
    roles: BTreeMap<String, String>,
    role_ids: BTreeMap<String, u64>,
    report: Option<ParticipantsReport>,
}

impl Default for EnrolmentsConfig {
    fn default() -> Self {
        let texts = |rows: &[(&str, &str)]| rows.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
        Self {
            enabled: true,
            enrolment_removal: Removal::Unenrol,
            batch_size: 200,
            next_semester_from: [("VÅR".to_owned(), 11), ("HØST".to_owned(), 5)].into(),
            summer: false,
            roles: texts(&[
                ("student/student", "student"),
                ("teacher/responsible", "editingteacher"),
                ("teacher/lecturer", "editingteacher"),
                ("teacher/assistant", "teacher"),
            ]),
            role_ids: [("student".to_owned(), 5), ("teacher".to_owned(), 4), ("editingteacher".to_owned(), 3)].into(),
            report: None,
        }
    }
}

/// What becomes of an enrolment that is no longer called for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// It is taken away, with group memberships; grades are hidden.
    Unenrol,
    /// It is suspended and loses its roles: what Moodle itself calls "disable course enrolment and remove roles".
    Suspend,
}

/// `[moodle.enrolments.report]`: the custom report that lists all enrolments.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParticipantsReport {
    /// Its id.
    pub id: u64,
    /// How it shows the manual method.
    #[serde(default = "manual")]
    pub manual: String,
    /// The headers.
    #[serde(default)]
    pub columns: ParticipantsColumns,
}

fn manual() -> String {
    "Manual enrolments".into()
}

/// `[moodle.enrolments.report.columns]`: the header of each column that is read.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the header of the column of its name")]
pub struct ParticipantsColumns {
    pub course: String,
    pub username: String,
    pub method: String,
    pub role: String,
}

impl Default for ParticipantsColumns {
    fn default() -> Self {
        Self {
            course: "Course ID number".into(),
            username: "Username".into(),
            method: "Enrolment method".into(),
            role: "Role short name".into(),
        }
    }
}

impl ParticipantsColumns {
    /// Each column by our name of it and the header it has.
    pub fn wanted(&self) -> [(&'static str, &str); 4] {
        [("course", &self.course), ("username", &self.username), ("method", &self.method), ("role", &self.role)]
    }
}

/// Role short names by `kind/role` in MetaVault, in lower case.
pub type RoleMap = BTreeMap<String, String>;
/// The site's ids of roles, by short name.
pub type RoleIds = BTreeMap<String, u64>;

/// The checked section.
#[derive(Clone, Debug)]
pub struct Enrolments {
    /// The institution whose topics are courses of ours.
    pub institution: String,
    /// Role short names at the site by `kind/role` in MetaVault, in lower case.
    pub roles: RoleMap,
    /// The site's ids of these roles.
    pub role_ids: RoleIds,
    /// What becomes of an enrolment that is no longer called for.
    pub removal: Removal,
    /// Which semesters are processed.
    pub semesters: Semesters,
    /// Most enrolments of one batch.
    pub batch_size: usize,
    /// The report that lists all enrolments.
    pub report: Option<ParticipantsReport>,
}

impl Enrolments {
    /// Whether some enrolment is made in this role: others are nobody's business of ours.
    pub fn is_mapped(&self, role: &str) -> bool {
        self.roles.values().any(|known| known == role)
    }

    /// The role that a row of MetaVault means.
    pub fn role(&self, kind: &str, role: &str) -> Option<&str> {
        self.roles.get(&row_name(kind, role)).map(String::as_str)
    }
}

/// How a kind and a role are named in the setting.
pub(super) fn row_name(kind: &str, role: &str) -> String {
    format!("{}/{}", kind.trim(), role.trim()).to_lowercase()
}

impl EnrolmentsConfig {
    /// Checks the section; `None` where it is switched off.
    ///
    /// # Errors
    /// [`OpenError::Value`] naming the key that cannot be right.
    pub(in super::super) fn check(self, institution: &str) -> Result<Option<Enrolments>, OpenError> {
        if !self.enabled {
            return Ok(None);
        }
        within("enrolments.batch_size", self.batch_size, 1..=500)?;
        if self.removal_needs_report() {
            let message = "`suspend` needs the participants report: without it nobody can tell an enrolment that may be \
                           suspended from one by another method; set enrolments.report, or use `unenrol`";
            return Err(refused("enrolments.enrolment_removal", message));
        }
        if let Some(report) = &self.report
            && report.manual.trim().is_empty()
        {
            return Err(refused("enrolments.report.manual", "is empty; give the text as the report shows it"));
        }
        if let Some(report) = &self.report {
            distinct_headers("enrolments.report.columns", &report.columns.wanted())?;
        }
        let semesters = self.semesters()?;
        let (roles, role_ids) = self.roles()?;
        Ok(Some(Enrolments {
            institution: institution.to_owned(),
            roles,
            role_ids,
            removal: self.enrolment_removal,
            semesters,
            batch_size: self.batch_size,
            report: self.report,
        }))
    }

    fn removal_needs_report(&self) -> bool {
        self.enrolment_removal == Removal::Suspend && self.report.is_none()
    }

    fn semesters(&self) -> Result<Semesters, OpenError> {
        let mut next_from = BTreeMap::new();
        for (name, month) in &self.next_semester_from {
            let field = format!("enrolments.next_semester_from.{name}");
            let Some(term) = Term::named(name) else {
                return Err(refused(&field, "is no term; terms are VÅR, SOM and HØST"));
            };
            within(&field, *month, 1..=12)?;
            if term == Term::Summer && !self.summer {
                return Err(refused(&field, "has no effect without `summer = true`"));
            }
            next_from.insert(term, *month);
        }
        Ok(Semesters { next_from, summer: self.summer })
    }

    fn roles(&self) -> Result<(RoleMap, RoleIds), OpenError> {
        if self.roles.is_empty() {
            let message =
                "is empty, so nobody would be enrolled in anything; name roles, or set enrolments.enabled = false";
            return Err(refused("enrolments.roles", message));
        }
        let mut roles = BTreeMap::new();
        for (name, role) in &self.roles {
            let field = format!("enrolments.roles.\"{name}\"");
            let parts = name
                .split_once('/')
                .filter(|(kind, role)| !kind.trim().is_empty() && !role.trim().is_empty() && !role.contains('/'));
            let Some((kind, part)) = parts else {
                return Err(refused(&field, "must be `kind/role` as in mv_enrolment, such as `teacher/lecturer`"));
            };
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            if role.is_empty() || !role.chars().all(plain) {
                return Err(refused(&field, "must name a role by its short name: lower-case letters, digits, _ and -"));
            }
            if !self.role_ids.contains_key(role) {
                return Err(refused(&field, format!("role `{role}` has no id; add it to enrolments.role_ids")));
            }
            if roles.insert(row_name(kind, part), Normal::Exact.form(role).into_owned()).is_some() {
                return Err(refused(&field, "stands twice, in another spelling"));
            }
        }
        let mut ids = BTreeSet::new();
        for (role, id) in &self.role_ids {
            let field = format!("enrolments.role_ids.{role}");
            if *id == 0 || !ids.insert(*id) {
                return Err(refused(&field, "must be the number in the role's address, different for every role"));
            }
        }
        Ok((roles, self.role_ids.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::moodle::testing::{refusal, settings};

    fn enrolments(more: &str) -> Enrolments {
        settings(more).enrolments.unwrap()
    }

    #[test]
    fn enrolments_are_managed_unless_they_are_switched_off() {
        let plain = enrolments("");
        assert_eq!((plain.removal, plain.batch_size, plain.report.is_none()), (Removal::Unenrol, 200, true));
        assert_eq!(plain.semesters, Semesters::default());
        assert_eq!(plain.institution, "185");
        assert!(settings("[enrolments]\nenabled = false").enrolments.is_none());
    }

    #[test]
    fn rows_of_the_vault_become_roles_of_the_site() {
        let plain = enrolments("");
        for (kind, role, want) in [
            ("student", "student", Some("student")),
            ("Teacher", " responsible", Some("editingteacher")),
            ("teacher", "lecturer", Some("editingteacher")),
            ("teacher", "assistant", Some("teacher")),
            ("teacher", "janitor", None),
            ("student", "lecturer", None),
        ] {
            assert_eq!(plain.role(kind, role), want, "{kind}/{role}");
        }
        assert!(plain.is_mapped("teacher") && !plain.is_mapped("manager"));
    }

    #[test]
    fn a_role_map_of_ones_own_takes_the_place_of_the_default() {
        let own = enrolments("[enrolments.roles]\n'teacher/examiner' = 'teacher'\n[enrolments.role_ids]\nteacher = 12");
        assert_eq!((own.role("teacher", "examiner"), own.role("student", "student")), (Some("teacher"), None));
        assert_eq!(own.role_ids["teacher"], 12);
    }

    #[test]
    fn to_suspend_needs_the_report() {
        let suspend = "[enrolments]\nenrolment_removal = 'suspend'\n";
        assert!(refusal(suspend).starts_with("enrolments.enrolment_removal: "));
        let own = enrolments(&format!("{suspend}report = {{ id = 2 }}"));
        assert_eq!(own.removal, Removal::Suspend);
    }

    #[test]
    fn one_header_never_stands_for_two_columns() {
        let said = refusal("[enrolments.report]\nid = 2\n[enrolments.report.columns]\nrole = ' Course ID number'\n");
        assert!(said.starts_with("enrolments.report.columns.role: ") && said.contains("`course`"), "{said}");
    }

    #[test]
    fn what_cannot_be_right_names_its_key() {
        for (section, key) in [
            ("batch_size = 0", "enrolments.batch_size"),
            ("batch_size = 501", "enrolments.batch_size"),
            ("next_semester_from = { 'HØST' = 13 }", "enrolments.next_semester_from.HØST"),
            ("next_semester_from = { FALL = 5 }", "enrolments.next_semester_from.FALL"),
            ("next_semester_from = { SOM = 6 }", "enrolments.next_semester_from.SOM"),
            ("roles = { student = 'student' }", "enrolments.roles.\"student\""),
            ("roles = { '/student' = 'student' }", "enrolments.roles.\"/student\""),
            ("roles = { 'a/b' = 'Student' }", "enrolments.roles.\"a/b\""),
            ("roles = { 'a/b' = 'examiner' }", "enrolments.roles.\"a/b\""),
            ("roles = { 'a/b' = 'student', 'A/B' = 'teacher' }", "enrolments.roles.\"a/b\""),
            ("role_ids = { student = 5, teacher = 5, editingteacher = 3 }", "enrolments.role_ids.teacher"),
            ("role_ids = { student = 0, teacher = 4, editingteacher = 3 }", "enrolments.role_ids.student"),
            ("report = { id = 2, manual = ' ' }", "enrolments.report.manual"),
            ("roles = {}", "enrolments.roles"),
        ] {
            let said = refusal(&format!("[enrolments]\n{section}"));
            assert!(said.starts_with(&format!("{key}: ")), "{section}: {said}");
        }
        assert!(refusal("[enrolments]\ncolour = 'red'").contains("colour"));
        assert!(refusal("[enrolments]\nenrolment_removal = 'delete'").contains("delete"));
    }
}
