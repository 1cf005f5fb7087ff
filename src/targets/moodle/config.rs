//! `[moodle]`: what an operator writes, and what is left of it once it is checked.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::accounts::{Attributes, Templates};
use super::enrolments::{Enrolments, EnrolmentsConfig};
use super::refusal::refused;
use crate::config::{Secret, SecretRef};
use crate::targets::port::{OpenError, Surroundings};
use crate::wire::PaceConfig;

/// Authentication methods that keep a password of their own, or ask for none.
const REFUSED: [(&str, &str); 4] = [
    ("manual", "it needs a password, and none is ever sent"),
    ("nologin", "it needs a password, and nobody can log in with it"),
    ("email", "it needs a password, and none is ever sent"),
    ("none", "it lets everybody in without a password"),
];

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    url: String,
    token: Option<SecretRef>,
    username: Option<String>,
    password: Option<SecretRef>,
    service: Option<String>,
    auth: Option<String>,
    #[serde(default = "batch_size")]
    batch_size: usize,
    #[serde(default = "max_fields")]
    max_fields: usize,
    #[serde(default = "settle_after")]
    settle_after_seconds: u64,
    #[serde(default = "connect_timeout")]
    connect_timeout_seconds: u64,
    #[serde(default = "request_timeout")]
    request_timeout_seconds: u64,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    attributes: Attributes,
    pace: Option<PaceConfig>,
    report: Option<ReportConfig>,
    #[serde(default)]
    enrolments: EnrolmentsConfig,
}

/// `[moodle.report]`: the custom report that lists all accounts.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportConfig {
    /// Its id.
    pub id: u64,
    /// The text of a true cell.
    #[serde(default = "yes")]
    pub yes: String,
    /// The text of a false cell.
    #[serde(default = "no")]
    pub no: String,
    /// The text of the managed authentication method, where it is not the plugin's name.
    pub auth: Option<String>,
    /// The headers.
    #[serde(default)]
    pub columns: Columns,
}

/// `[moodle.report.columns]`: the header of each column that is read.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the header of the column of its name")]
pub struct Columns {
    pub username: String,
    pub idnumber: String,
    pub email: String,
    pub firstname: String,
    pub lastname: String,
    pub suspended: String,
    pub auth: String,
    pub department: String,
    pub institution: String,
    pub city: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            username: "Username".into(),
            idnumber: "ID number".into(),
            email: "Email address".into(),
            firstname: "First name".into(),
            lastname: "Last name".into(),
            suspended: "Suspended".into(),
            auth: "Authentication".into(),
            department: "Department".into(),
            institution: "Institution".into(),
            city: "City/town".into(),
        }
    }
}

impl Columns {
    /// Each column that is read by our name of it and the header it has; the city only where it is managed.
    pub fn wanted(&self, city: bool) -> Vec<(&'static str, &str)> {
        let mut wanted = vec![
            ("username", self.username.as_str()),
            ("idnumber", &self.idnumber),
            ("email", &self.email),
            ("firstname", &self.firstname),
            ("lastname", &self.lastname),
            ("suspended", &self.suspended),
            ("auth", &self.auth),
            ("department", &self.department),
            ("institution", &self.institution),
        ];
        if city {
            wanted.push(("city", &self.city));
        }
        wanted
    }
}

fn batch_size() -> usize {
    100
}

fn max_fields() -> usize {
    900
}

fn settle_after() -> u64 {
    300
}

fn connect_timeout() -> u64 {
    10
}

fn request_timeout() -> u64 {
    240
}

fn yes() -> String {
    "Yes".into()
}

fn no() -> String {
    "No".into()
}

/// How the client proves who it is.
#[derive(Clone, Debug)]
pub enum Access {
    /// A token that somebody made.
    Token(Secret),
    /// A log-in that gives one.
    LogIn {
        /// The service account.
        username: String,
        /// Its password.
        password: Secret,
        /// Short name of the external service.
        service: String,
    },
}

/// The checked section.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the site.
    pub url: Url,
    /// How the client proves who it is.
    pub access: Access,
    /// The managed authentication method.
    pub auth: String,
    /// What attributes are made of.
    pub templates: Templates,
    /// The report that lists all accounts.
    pub report: Option<ReportConfig>,
    /// Enrolments; `None` where they are not managed.
    pub enrolments: Option<Enrolments>,
    /// How fast the site may be asked.
    pub pace: PaceConfig,
    /// Most records of one write.
    pub batch_size: usize,
    /// Most form fields of one request.
    pub max_fields: usize,
    /// How long a lost write may still land.
    pub settle_after: Duration,
    /// Longest time to a connection.
    pub connect_timeout: Duration,
    /// Longest time to the end of an answer.
    pub request_timeout: Duration,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// Checks the section and fetches its secrets.
    ///
    /// # Errors
    /// [`OpenError::Value`] naming the key that cannot be right.
    pub fn check(self, around: &Surroundings<'_>) -> Result<Settings, OpenError> {
        let access = self.access(around)?;
        let auth = check_auth(self.auth)?;
        within("batch_size", self.batch_size, 1..=500)?;
        within("max_fields", self.max_fields, 50..=4500)?;
        let limit = Duration::from_hours(24).as_secs();
        within("settle_after_seconds", self.settle_after_seconds, 1..=limit)?;
        within("connect_timeout_seconds", self.connect_timeout_seconds, 1..=limit)?;
        within("request_timeout_seconds", self.request_timeout_seconds, self.connect_timeout_seconds + 1..=limit)?;
        if self.url.is_empty() {
            return Err(refused("url", "is empty; fill it in"));
        }
        let url = Url::parse(&self.url).map_err(|error| refused("url", format!("is no address: {error}")))?;
        let pace = match self.pace {
            Some(pace) => pace,
            None => PaceConfig::new(20.0, Some(10), 4).map_err(|e| refused("pace", e.to_string()))?,
        };
        let templates = Templates::parse(&self.attributes, around.institution)?;
        if let Some(report) = &self.report {
            distinct_headers("report.columns", &report.columns.wanted(templates.city()))?;
        }
        Ok(Settings {
            url,
            access,
            auth,
            templates,
            report: self.report,
            enrolments: self.enrolments.check(&around.institution.number)?,
            pace,
            batch_size: self.batch_size,
            max_fields: self.max_fields,
            settle_after: Duration::from_secs(self.settle_after_seconds),
            connect_timeout: Duration::from_secs(self.connect_timeout_seconds),
            request_timeout: Duration::from_secs(self.request_timeout_seconds),
            ca_file: self.ca_file,
        })
    }

    fn access(&self, around: &Surroundings<'_>) -> Result<Access, OpenError> {
        let fetch = |field: &str, secret: &SecretRef| {
            secret.resolve(around.environment).map_err(|error| refused(field, error.to_string()))
        };
        match (&self.token, &self.username, &self.password, &self.service) {
            (Some(token), None, None, None) => Ok(Access::Token(fetch("token", token)?)),
            (None, Some(username), Some(password), Some(service)) => Ok(Access::LogIn {
                username: username.trim().to_lowercase(),
                password: fetch("password", password)?,
                service: service.trim().to_owned(),
            }),
            (Some(_), ..) => Err(refused("token", "stands alone: leave out username, password and service")),
            _ => Err(refused("token", "is missing; or give username, password and service")),
        }
    }
}

fn check_auth(auth: Option<String>) -> Result<String, OpenError> {
    let Some(auth) = auth else {
        return Err(refused("auth", "is missing; name the authentication method whose accounts are managed"));
    };
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == auth) {
        return Err(refused(
            "auth",
            format!("`{auth}` cannot be managed: {why}; use oidc, saml2, shibboleth, ldap, ..."),
        ));
    }
    if auth.is_empty() {
        return Err(refused("auth", "is empty; name the authentication method whose accounts are managed"));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if auth.len() > 20 || !auth.chars().all(plain) {
        return Err(refused("auth", "must be a plugin's name: lower-case letters, digits and _, 20 at most"));
    }
    Ok(auth)
}

/// Refuses columns of a report of which two have one header: one of them would be read as the other.
pub(super) fn distinct_headers(section: &str, wanted: &[(&'static str, &str)]) -> Result<(), OpenError> {
    for (at, (name, header)) in wanted.iter().enumerate() {
        let same = |(_, other): &&(&'static str, &str)| other.trim() == header.trim();
        let Some((one, _)) = wanted[..at].iter().find(same) else { continue };
        // The later of the two may be the one at its default.
        let message =
            format!("has the header `{}`, and so has `{one}`; every column has one of its own", header.trim());
        return Err(refused(&format!("{section}.{name}"), message));
    }
    Ok(())
}

/// Refuses a number outside its range.
pub(super) fn within<N: Copy + PartialOrd + std::fmt::Display>(
    field: &str,
    value: N,
    range: std::ops::RangeInclusive<N>,
) -> Result<(), OpenError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(refused(field, format!("is {value}; it must lie between {} and {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::moodle::ParticipantsColumns;
    use crate::targets::moodle::testing::institution;

    fn check(text: &str) -> Result<Settings, OpenError> {
        let table: toml::Table = toml::from_str(text).unwrap();
        let config: Config = table.try_into()?;
        let environment = |name: &str| (name == "T").then(|| "secret-token".to_owned());
        config.check(&Surroundings::new(&institution(), &environment))
    }

    const LEAST: &str = "url = 'https://moodle.example.no'\ntoken = 'env:T'\nauth = 'oidc'\n";

    fn refusal(line: &str) -> String {
        check(&format!("{LEAST}{line}")).unwrap_err().to_string()
    }

    #[test]
    fn the_least_section_has_the_defaults_of_the_commented_one() {
        let commented: toml::Table = toml::from_str(include_str!("configuration.toml")).unwrap();
        let written = commented["moodle"].as_table().unwrap().clone();
        let mut least = written;
        least.extend(toml::from_str::<toml::Table>(LEAST).unwrap());
        let whole: Config = least.try_into().unwrap();
        let environment = |_: &str| Some("secret-token".to_owned());
        let whole = whole.check(&Surroundings::new(&institution(), &environment)).unwrap();
        assert_eq!(format!("{whole:?}"), format!("{:?}", check(LEAST).unwrap()));
    }

    #[test]
    fn every_commented_key_exists() {
        let lines = include_str!("configuration.toml").lines().filter(|line| !line.starts_with("# How the report"));
        let is_key = |text: &str| {
            text.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        };
        let text: Vec<&str> = lines
            .filter_map(|line| match line.strip_prefix("# ") {
                Some(rest) => (is_key(rest) || rest.starts_with('[')).then_some(rest),
                None => Some(line),
            })
            .filter(|line| !["username = \"svc", "password =", "service ="].iter().any(|key| line.starts_with(key)))
            .collect();
        let table: toml::Table = toml::from_str(&text.join("\n")).unwrap();
        let config: Config = table["moodle"].clone().try_into().unwrap();
        assert_eq!(config.report.unwrap().columns, Columns::default());
        let enrolments: EnrolmentsConfig = table["moodle"]["enrolments"].clone().try_into().unwrap();
        let enrolments = enrolments.check("185").unwrap().unwrap();
        assert_eq!(enrolments.report.unwrap().columns, ParticipantsColumns::default());
        assert_eq!(config.attributes.city.as_deref(), Some("{campus}"));
    }

    #[test]
    fn a_method_that_needs_a_password_or_asks_for_none_is_refused() {
        for (auth, _) in REFUSED {
            let text = LEAST.replace("oidc", auth);
            let error = check(&text).unwrap_err().to_string();
            assert!(error.starts_with("auth: ") && error.contains(auth), "{error}");
        }
        assert!(check(&LEAST.replace("'oidc'", "'OIDC!'")).is_err());
        assert!(
            check("url = 'https://x.no'\ntoken = 'env:T'").unwrap_err().to_string().starts_with("auth: is missing")
        );
    }

    #[test]
    fn a_log_in_is_whole_or_refused() {
        let text = "url = 'https://x.no'\nauth = 'oidc'\nusername = 'Svc'\npassword = 'env:T'\n";
        assert!(check(text).unwrap_err().to_string().starts_with("token: "));
        let access = check(&format!("{text}service = 'reconcile'")).unwrap().access;
        assert!(matches!(access, Access::LogIn { username, .. } if username == "svc"));
        assert!(check(&format!("{text}service = 'reconcile'\ntoken = 'env:T'")).is_err());
    }

    #[test]
    fn what_cannot_be_right_names_its_key() {
        for (line, key) in [
            ("batch_size = 0", "batch_size"),
            ("max_fields = 5000", "max_fields"),
            ("request_timeout_seconds = 10", "request_timeout_seconds"),
            ("[attributes]\nidnumber = '{student_nummer}'", "attributes.idnumber"),
        ] {
            assert!(refusal(line).starts_with(&format!("{key}: ")), "{}", refusal(line));
        }
        assert!(refusal("[attributes]\nidnumber = '{student_nummer}'").contains("student_number"));
        assert!(refusal("colour = 'red'").contains("colour"));
    }

    #[test]
    fn one_header_never_stands_for_two_columns_that_are_read() {
        let columns = "[report]\nid = 1\n[report.columns]\n";
        let said = refusal(&format!("{columns}idnumber = 'Username'"));
        assert!(said.starts_with("report.columns.idnumber: ") && said.contains("`username`"), "{said}");
        let city = format!("{columns}city = 'Username'\n");
        assert!(check(&format!("{LEAST}{city}")).is_ok(), "it is not read");
        assert!(refusal(&format!("{city}[attributes]\ncity = '{{campus}}'")).starts_with("report.columns.city: "));
    }

    #[test]
    fn a_secret_given_as_a_value_is_refused_and_not_shown() {
        let error = check(&LEAST.replace("env:T", "hunter2")).unwrap_err();
        assert!(error.to_string().starts_with("token: ") && !format!("{error:?}").contains("hunter2"));
        assert!(!format!("{:?}", check(LEAST).unwrap()).contains("secret-token"));
    }
}
