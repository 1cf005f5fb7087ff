//! What goes over the wire: calls as form fields, and the shapes of answers (facts, sections 1 and 4).
//!
//! Nothing here is judged or compared; what an answer means is in `answer.rs`, `read.rs` and `write.rs`.

use serde::Deserialize;

use super::cells::Cells;
use crate::wire::Purpose;

/// Where the web services are, below the site's address.
pub const SERVICE: &str = "webservice/rest/server.php";
/// Where a token is fetched.
pub const LOG_IN: &str = "login/token.php";
/// Fields that every call has beside its parameters: token, function, format, raw texts.
pub const FIXED_FIELDS: usize = 4;
/// All of a report in one page: pages have no total order.
const WHOLE_REPORT: &str = "10000000";

/// Function names.
pub mod function {
    /// What the site is, and what the account may call.
    pub const SITE_INFO: &str = "core_webservice_get_site_info";
    /// Users by one field.
    pub const BY_FIELD: &str = "core_user_get_users_by_field";
    /// Users by criteria.
    pub const SEARCH: &str = "core_user_get_users";
    /// Makes users.
    pub const CREATE: &str = "core_user_create_users";
    /// Changes users.
    pub const UPDATE: &str = "core_user_update_users";
    /// Reads a custom report.
    pub const REPORT: &str = "core_reportbuilder_retrieve_report";
    /// All courses.
    pub const COURSES: &str = "core_course_get_courses";
    /// Who is in one course.
    pub const ENROLLED: &str = "core_enrol_get_enrolled_users";
    /// Enrols people by the manual method.
    pub const ENROL: &str = "enrol_manual_enrol_users";
    /// Takes people out of the manual method.
    pub const UNENROL: &str = "enrol_manual_unenrol_users";
    /// Gives roles.
    pub const ASSIGN: &str = "core_role_assign_roles";
    /// Takes roles away.
    pub const UNASSIGN: &str = "core_role_unassign_roles";
}

/// One call of the web services.
#[derive(Clone, Debug)]
pub enum Call<'c> {
    /// [`function::SITE_INFO`]
    SiteInfo,
    /// [`function::BY_FIELD`]
    ByField {
        /// `id`, `username`, `idnumber` or `email`.
        field: &'static str,
        /// Exact values.
        values: &'c [String],
    },
    /// [`function::SEARCH`] with one criterion.
    Search {
        /// `auth` (exact) or `email` (a pattern).
        key: &'static str,
        /// What is looked for.
        value: String,
    },
    /// [`function::CREATE`]
    Create(Vec<UserFields>),
    /// [`function::UPDATE`]
    Update(Vec<UserFields>),
    /// [`function::REPORT`], whole.
    Report(u64),
    /// [`function::COURSES`], all of them.
    Courses,
    /// [`function::ENROLLED`] of a course, with the least that tells who and in which roles.
    Enrolled(u64),
    /// [`function::ENROL`]; what is left out of a row is reset: nobody enrolled before is sent but to be suspended.
    Enrol(Vec<Place>),
    /// [`function::ENROL`] of people who are enrolled, to suspend them.
    Suspend(Vec<Place>),
    /// [`function::UNENROL`]; roles go with the enrolment, and are not sent (facts, section 7).
    Unenrol(Vec<Place>),
    /// [`function::ASSIGN`] in courses.
    Assign(Vec<Place>),
    /// [`function::UNASSIGN`] in courses.
    Unassign(Vec<Place>),
}

/// A person's place in a course.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The account's row id.
    pub user: u64,
    /// The course's row id.
    pub course: u64,
    /// The role's id.
    pub role: u64,
}

/// Most form fields that one [`Place`] takes.
pub const PLACE_FIELDS: usize = 4;

/// The fields of one user to be sent, each once.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserFields(pub Vec<(&'static str, String)>);

/// Names only: values are personal.
impl std::fmt::Debug for UserFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Call<'_> {
    /// The function.
    pub fn function(&self) -> &'static str {
        match self {
            Self::SiteInfo => function::SITE_INFO,
            Self::ByField { .. } => function::BY_FIELD,
            Self::Search { .. } => function::SEARCH,
            Self::Create(_) => function::CREATE,
            Self::Update(_) => function::UPDATE,
            Self::Report(_) => function::REPORT,
            Self::Courses => function::COURSES,
            Self::Enrolled(_) => function::ENROLLED,
            Self::Enrol(_) | Self::Suspend(_) => function::ENROL,
            Self::Unenrol(_) => function::UNENROL,
            Self::Assign(_) => function::ASSIGN,
            Self::Unassign(_) => function::UNASSIGN,
        }
    }

    /// Whether it may change something.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::SiteInfo
            | Self::ByField { .. }
            | Self::Search { .. }
            | Self::Report(_)
            | Self::Courses
            | Self::Enrolled(_) => Purpose::Read,
            _ => Purpose::Write,
        }
    }

    /// The form, token first: so it survives truncation and stays out of access logs.
    pub fn form(&self, token: &str) -> Vec<(String, String)> {
        let fixed = [
            ("wstoken", token),
            ("wsfunction", self.function()),
            ("moodlewsrestformat", "json"),
            ("moodlewssettingraw", "1"),
        ];
        let mut form: Vec<(String, String)> = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        form.extend(self.parameters());
        form
    }

    fn parameters(&self) -> Vec<(String, String)> {
        match self {
            Self::SiteInfo | Self::Courses => Vec::new(),
            Self::ByField { field, values } => {
                let values = values.iter().enumerate().map(|(at, value)| (format!("values[{at}]"), value.clone()));
                std::iter::once(("field".to_owned(), (*field).to_owned())).chain(values).collect()
            }
            Self::Search { key, value } => {
                vec![("criteria[0][key]".into(), (*key).into()), ("criteria[0][value]".into(), value.clone())]
            }
            Self::Create(users) | Self::Update(users) => users
                .iter()
                .enumerate()
                .flat_map(|(at, UserFields(fields))| {
                    fields.iter().map(move |(name, value)| (format!("users[{at}][{name}]"), value.clone()))
                })
                .collect(),
            Self::Report(id) => {
                let (page, all) = ("0".to_owned(), WHOLE_REPORT.to_owned());
                vec![("reportid".into(), id.to_string()), ("page".into(), page), ("perpage".into(), all)]
            }
            Self::Enrolled(course) => vec![
                ("courseid".into(), course.to_string()),
                ("options[0][name]".into(), "userfields".into()),
                ("options[0][value]".into(), "id,username,roles".into()),
            ],
            Self::Enrol(places) => rows("enrolments", places, |place| {
                vec![("roleid", place.role.to_string()), ("userid", place.user.to_string()), course(place)]
            }),
            Self::Suspend(places) => rows("enrolments", places, |place| {
                let (role, user) = (("roleid", place.role.to_string()), ("userid", place.user.to_string()));
                vec![role, user, course(place), ("suspend", "1".to_owned())]
            }),
            Self::Unenrol(places) => {
                rows("enrolments", places, |place| vec![("userid", place.user.to_string()), course(place)])
            }
            Self::Assign(places) => rows("assignments", places, role_fields),
            Self::Unassign(places) => rows("unassignments", places, role_fields),
        }
    }
}

fn rows(list: &str, places: &[Place], fields: impl Fn(&Place) -> Vec<(&'static str, String)>) -> Vec<(String, String)> {
    let row =
        |(at, place)| fields(place).into_iter().map(move |(name, value)| (format!("{list}[{at}][{name}]"), value));
    places.iter().enumerate().flat_map(row).collect()
}

fn course(place: &Place) -> (&'static str, String) {
    ("courseid", place.course.to_string())
}

fn role_fields(place: &Place) -> Vec<(&'static str, String)> {
    vec![
        ("roleid", place.role.to_string()),
        ("userid", place.user.to_string()),
        ("contextlevel", "course".to_owned()),
        ("instanceid", place.course.to_string()),
    ]
}

/// Answer of [`function::SITE_INFO`].
#[derive(Clone, Deserialize)]
pub struct SiteInfo {
    /// Name of the site.
    #[serde(default)]
    pub sitename: String,
    /// The site's own address.
    #[serde(default)]
    pub siteurl: String,
    /// Id of the service account.
    pub userid: u64,
    /// User name of the service account.
    #[serde(default)]
    pub username: String,
    /// Whether the service account is a site administrator.
    #[serde(default)]
    pub userissiteadmin: bool,
    /// Moodle's version, for people.
    #[serde(default)]
    pub release: String,
    /// What the service lists.
    pub functions: Vec<Function>,
}

impl SiteInfo {
    /// Whether the service lists a function.
    pub fn lists(&self, function: &str) -> bool {
        self.functions.iter().any(|listed| listed.name == function)
    }
}

/// One function of the service.
#[derive(Clone, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
}

/// A user as both readers show it. What is empty is left out; so is what the account may not see.
#[derive(Deserialize)]
pub struct User {
    /// Row id.
    pub id: u64,
    /// User name; left out without `moodle/user:viewalldetails`.
    pub username: Option<String>,
    /// First name.
    pub firstname: Option<String>,
    /// Last name.
    pub lastname: Option<String>,
    /// E-mail; left out unless the account may see it.
    pub email: Option<String>,
    /// Authentication method; left out as the user name.
    pub auth: Option<String>,
    /// Whether suspended.
    pub suspended: Option<bool>,
    /// ID number.
    pub idnumber: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Institution.
    pub institution: Option<String>,
    /// City or town.
    pub city: Option<String>,
}

impl User {
    /// Whether this is a deleted user, shown by id in disguise: user name `<email>.<unix time>`, e-mail 32
    /// hex digits, no ID number.
    pub fn is_deleted(&self) -> bool {
        let hidden = |email: &str| email.len() == 32 && email.bytes().all(|b| b.is_ascii_hexdigit());
        let stamped = |name: &str| {
            name.rsplit_once('.').is_some_and(|(_, time)| !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()))
        };
        let email = self.email.as_deref().unwrap_or_default();
        // Where e-mail is not shown the rest of the disguise decides.
        (hidden(email) || (email.is_empty() && self.username.as_deref().is_some_and(|name| name.contains('@'))))
            && self.username.as_deref().is_some_and(stamped)
            && self.idnumber.as_deref().unwrap_or_default().is_empty()
    }
}

/// Answer of [`function::SEARCH`].
#[derive(Deserialize)]
pub struct Found {
    /// Users, by id.
    pub users: Vec<User>,
    /// A criterion that is not known is ignored with a warning, and everybody is found.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// One user that [`function::CREATE`] made.
#[derive(Deserialize)]
pub struct Created {
    /// Row id.
    pub id: u64,
    /// User name.
    pub username: String,
}

/// Answer of [`function::UPDATE`].
#[derive(Deserialize)]
pub struct Updated {
    /// What was not done.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// One thing that was not done, or not as asked.
#[derive(Deserialize)]
pub struct Warning {
    /// Row id it is about.
    pub itemid: Option<i64>,
    /// Code.
    #[serde(default)]
    pub warningcode: String,
}

/// Answer of [`function::REPORT`].
#[derive(Deserialize)]
pub struct Report {
    /// Headers and rows.
    pub data: ReportData,
}

/// Headers and rows of a report.
#[derive(Deserialize)]
pub struct ReportData {
    /// Headers, in the language of the service account.
    pub headers: Vec<String>,
    /// Cells, as display text.
    pub rows: Cells,
    /// How many rows there are on all pages.
    pub totalrowcount: u64,
}

/// One row of [`function::COURSES`].
#[derive(Deserialize)]
pub struct Course {
    /// Row id.
    pub id: u64,
    /// ID number; left out without `moodle/course:update`.
    pub idnumber: Option<String>,
    /// Format; `site` for the front page, which is among them.
    #[serde(default)]
    pub format: String,
}

/// One row of [`function::ENROLLED`].
#[derive(Deserialize)]
pub struct Participant {
    /// Row id of the account.
    pub id: u64,
    /// User name.
    #[serde(default)]
    pub username: String,
    /// Roles held in the course.
    #[serde(default)]
    pub roles: Vec<HeldRole>,
}

/// A role that somebody holds.
#[derive(Deserialize)]
pub struct HeldRole {
    /// Its id.
    pub roleid: u64,
    /// Its short name.
    pub shortname: String,
}

/// Answer of [`LOG_IN`].
#[derive(Deserialize)]
pub struct LoggedIn {
    /// The token.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str, email: &str, idnumber: &str) -> User {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        User {
            id: 7,
            username: text(username),
            firstname: None,
            lastname: None,
            email: text(email),
            auth: None,
            suspended: None,
            idnumber: text(idnumber),
            department: None,
            institution: None,
            city: None,
        }
    }

    #[test]
    fn the_token_comes_first_and_every_leaf_is_one_field() {
        let users = vec![
            UserFields(vec![("username", "a".into()), ("email", "a@x.no".into())]),
            UserFields(vec![("username", "b".into())]),
        ];
        let form = Call::Create(users).form("t");
        let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "wstoken");
        assert!(form.contains(&("moodlewssettingraw".into(), "1".into())));
        assert_eq!(form.len(), FIXED_FIELDS + 3);
        assert_eq!(names[FIXED_FIELDS..], ["users[0][username]", "users[0][email]", "users[1][username]"]);
    }

    #[test]
    fn look_ups_are_sent_as_lists() {
        let values = ["1".to_owned(), "2".to_owned()];
        let form = Call::ByField { field: "id", values: &values }.form("t");
        assert_eq!(
            form[FIXED_FIELDS..].iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>(),
            ["field=id", "values[0]=1", "values[1]=2"]
        );
    }

    #[test]
    fn a_place_in_a_course_is_sent_as_each_function_takes_it() {
        let place = vec![Place { user: 7, course: 30, role: 5 }];
        let sent = |call: Call<'_>| -> Vec<String> {
            call.form("t")[FIXED_FIELDS..].iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let enrolment =
            |rest: &[&str]| -> Vec<String> { rest.iter().map(|one| format!("enrolments[0]{one}")).collect() };
        assert_eq!(sent(Call::Enrol(place.clone())), enrolment(&["[roleid]=5", "[userid]=7", "[courseid]=30"]));
        assert_eq!(sent(Call::Unenrol(place.clone())), enrolment(&["[userid]=7", "[courseid]=30"]), "no roleid");
        assert_eq!(sent(Call::Suspend(place.clone())).last().unwrap(), "enrolments[0][suspend]=1");
        for call in [Call::Assign(place.clone()), Call::Unassign(place)] {
            assert_eq!(call.form("t").len(), FIXED_FIELDS + PLACE_FIELDS);
            assert!(sent(call).iter().any(|field| field.ends_with("signments[0][contextlevel]=course")));
        }
    }

    #[test]
    fn a_deleted_user_is_known_by_its_disguise_alone() {
        let hash = "0123456789abcdef0123456789abcdef";
        assert!(user("kari@x.no.1700000000", hash, "").is_deleted());
        assert!(user("kari@x.no.1700000000", "", "").is_deleted(), "where no address is shown");
        assert!(!user("kari.12", "kari@x.no", "").is_deleted());
        assert!(!user("kari@x.no.1700000000", hash, "5").is_deleted());
        assert!(!user("kari", hash, "").is_deleted());
        assert!(!user("kari.nordmann", "", "").is_deleted());
    }

    #[test]
    fn debug_of_a_call_shows_no_value() {
        let shown = format!("{:?}", Call::Create(vec![UserFields(vec![("email", "kari@x.no".into())])]));
        assert!(shown.contains("email") && !shown.contains("kari"), "{shown}");
    }
}
