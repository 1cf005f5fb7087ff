//! What kind of site is played: everything an administrator decides before the first call.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::report::Report;

/// A site to be played. The default is a fresh Moodle 4.5 with its production settings and both reports.
#[derive(Clone, Debug)]
pub struct SitePlan {
    /// Name of the site.
    pub site_name: String,
    /// The address the site gives as its own. `None` is the address it is served at; another one plays a different
    /// site behind the same address.
    pub site_url: Option<String>,
    /// User id of the service account (guest is 1, the administrator 2).
    pub service_user: u64,
    /// User name of the service account.
    pub service_username: String,
    /// Password of the service account, for `login/token.php` only.
    pub service_password: String,
    /// Short name of the external service.
    pub service: String,
    /// The permanent token an administrator made for the service account.
    pub token: String,
    /// The functions listed in the service; all that are simulated by default.
    pub functions: BTreeSet<String>,
    /// Installed authentication plugins.
    pub auths: BTreeSet<String>,
    /// Installed language packs.
    pub languages: BTreeSet<String>,
    /// Language of the service account: report headers and cells.
    pub language: Language,
    /// Whether several accounts may have one e-mail (`allowaccountssameemail`).
    pub same_email: bool,
    /// The "show user identity" setting: which of `email`, `phone1`, `phone2` are shown.
    pub identity_fields: BTreeSet<String>,
    /// Short names of the custom profile fields.
    pub profile_fields: BTreeSet<String>,
    /// Whether `debuginfo` is shown.
    pub debugging: bool,
    /// PHP's `max_input_vars`.
    pub max_input_vars: usize,
    /// Whether new courses send the welcome message.
    pub welcome_message: bool,
    /// The roles, with what the service account may assign.
    pub roles: Vec<Role>,
    /// The custom reports.
    pub reports: Vec<Report>,
    /// The site's clock at its start.
    pub started_at: Timestamp,
    /// What a call costs. Off by default.
    pub cost: Option<Cost>,
}

/// A role of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Id, which differs between sites.
    pub id: u64,
    /// Short name.
    pub shortname: String,
    /// Whether the service account may assign it in a course.
    pub assignable: bool,
    /// Whether its holders are course contacts: the welcome message needs one.
    pub contact: bool,
}

/// The languages a report can be read in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `nb`.
    Norwegian,
}

/// What calls cost, as measured (Moodle facts, sections 9 and 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Any call.
    pub per_call: Duration,
    /// Each record written, or read by the web service readers.
    pub per_record: Duration,
    /// Each created user or changed e-mail, per 1,000 users on the site.
    pub email_check_per_1000: Duration,
    /// How long a deadlock waits before one side is refused.
    pub deadlock: Duration,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            per_call: Duration::from_millis(20),
            per_record: Duration::from_micros(2500),
            email_check_per_1000: Duration::from_micros(500),
            deadlock: Duration::from_secs(1),
        }
    }
}

impl Default for SitePlan {
    fn default() -> Self {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let roles = [
            (1, "manager", false),
            (2, "coursecreator", false),
            (3, "editingteacher", true),
            (4, "teacher", true),
            (5, "student", true),
            (6, "guest", false),
            (7, "user", false),
            (8, "frontpage", false),
        ];
        Self {
            site_name: "Simulated campus".into(),
            site_url: None,
            service_user: 3,
            service_username: "svc-reconcile".into(),
            service_password: "Simulated-1".into(),
            service: "reconcile".into(),
            token: "5a1f0c3e9b7d2468ace013579bdf2468".into(),
            functions: set(super::functions::FUNCTIONS),
            auths: set(&[
                "manual",
                "ldap",
                "db",
                "cas",
                "shibboleth",
                "oauth2",
                "nologin",
                "email",
                "none",
                "lti",
                "oidc",
            ]),
            languages: set(&["en", "nb"]),
            language: Language::English,
            same_email: false,
            identity_fields: set(&["email"]),
            profile_fields: BTreeSet::new(),
            debugging: false,
            max_input_vars: 5000,
            welcome_message: true,
            roles: roles
                .into_iter()
                .map(|(id, shortname, assignable)| Role {
                    id,
                    shortname: shortname.into(),
                    assignable,
                    contact: id == 3,
                })
                .collect(),
            reports: vec![Report::users(1), Report::participants(2)],
            // Thursday 15 January 2026, 06:00 UTC.
            started_at: Timestamp::constant(1_768_456_800, 0),
            cost: None,
        }
    }
}
