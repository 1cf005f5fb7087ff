//! A custom report as it was built. What it shows is in `reports.rs`.

use serde_json::{Value, json};

/// A custom report as an administrator built it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// What it reads.
    pub source: Source,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Headers an administrator wrote instead of the localised ones.
    pub headers: Option<Vec<String>>,
    /// Whether the authentication column shows the plugin's localised title instead of its name.
    pub auth_titles: bool,
}

/// What a report reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// "Users".
    Users,
    /// "Course participants".
    Participants,
}

/// A column of a report. The person's columns work in both sources; the others in "Course participants" only, and are
/// empty in "Users".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// User name.
    Username,
    /// ID number of the person.
    IdNumber,
    /// E-mail.
    Email,
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Whether suspended.
    Suspended,
    /// Authentication plugin.
    Auth,
    /// Department.
    Department,
    /// Institution.
    Institution,
    /// Town.
    City,
    /// A custom profile field.
    Profile(String),
    /// Short name of the course.
    CourseShortName,
    /// ID number of the course.
    CourseIdNumber,
    /// Enrolment method.
    Method,
    /// Enrolment status.
    Status,
    /// Short name of the role.
    Role,
    /// Start of the enrolment.
    TimeStart,
    /// End of the enrolment.
    TimeEnd,
}

impl Report {
    /// The report over users that the facts recommend.
    pub fn users(id: u64) -> Self {
        use Column as C;
        Self {
            id,
            name: "Reconcile users".into(),
            source: Source::Users,
            columns: vec![
                C::Username,
                C::IdNumber,
                C::Email,
                C::FirstName,
                C::LastName,
                C::Suspended,
                C::Auth,
                C::Department,
                C::Institution,
            ],
            headers: None,
            auth_titles: false,
        }
    }

    /// The report over enrolments that the facts recommend.
    pub fn participants(id: u64) -> Self {
        use Column as C;
        Self {
            id,
            name: "Reconcile participants".into(),
            source: Source::Participants,
            columns: vec![
                C::CourseShortName,
                C::CourseIdNumber,
                C::Username,
                C::Method,
                C::Status,
                C::Role,
                C::TimeStart,
                C::TimeEnd,
            ],
            headers: None,
            auth_titles: false,
        }
    }

    /// What the site says of it.
    pub(super) fn described(&self) -> Value {
        let source = match self.source {
            Source::Users => "core_user\\reportbuilder\\datasource\\users",
            Source::Participants => "core_course\\reportbuilder\\datasource\\participants",
        };
        json!({
            "id": self.id,
            "name": self.name,
            "source": source,
            "type": 0,
            "uniquerows": 0,
            "conditiondata": null,
            "settingsdata": null,
            "contextid": 1,
            "component": "",
            "area": "",
            "itemid": 0,
            "usercreated": 2,
            "usermodified": 2,
        })
    }
}
