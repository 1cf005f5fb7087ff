//! `[portal]`: what an operator writes, and what is left of it with `[portal_ldap]` once both are checked.

use std::time::Duration;

use serde::Deserialize;

use super::schema::PIPELINE;
use crate::config::Secret;
use crate::model::person::directory;
use crate::sources::portal_ldap::mapping::{BIRTHRIGHT_MARKS, KEY, NEVER, REQUESTED_MARKS, TARGET_IDS};
use crate::sources::portal_ldap::{Mapping, PortalLdap, PortalLdapConfig, is_descriptor};
use crate::targets::port::{OpenError, Surroundings};
use crate::wire::ldap::Endpoint;
use crate::wire::{Breaker, PaceConfig, SettingError};

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "birthright")]
    birthright_marks: String,
    #[serde(default = "requested")]
    requested_marks: String,
    #[serde(default = "ids")]
    target_ids: String,
    #[serde(default = "other_systems")]
    other_systems: Vec<String>,
    pace: Option<PaceConfig>,
}

fn birthright() -> String {
    BIRTHRIGHT_MARKS.to_owned()
}

fn requested() -> String {
    REQUESTED_MARKS.to_owned()
}

fn ids() -> String {
    TARGET_IDS.to_owned()
}

/// Those of the commented section: names of systems stand in configuration, not here.
fn other_systems() -> Vec<String> {
    #[derive(Deserialize)]
    struct Commented {
        portal: Shown,
    }
    #[derive(Deserialize)]
    struct Shown {
        other_systems: Vec<String>,
    }
    let commented: Result<Commented, _> = toml::from_str(include_str!("configuration.toml"));
    commented.map(|commented| commented.portal.other_systems).unwrap_or_default()
}

/// The directory attributes that are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// Marks of birthright entitlements.
    pub birthright: String,
    /// Marks of requested entitlements.
    pub requested: String,
    /// Ids at the targets.
    pub target_ids: String,
}

impl Names {
    /// All three.
    pub fn all(&self) -> [&str; 3] {
        [&self.birthright, &self.requested, &self.target_ids]
    }

    /// All three, each with its key in the section.
    pub fn keyed(&self) -> [(&'static str, &str); 3] {
        let [birthright, requested, ids] = self.all();
        [("birthright_marks", birthright), ("requested_marks", requested), ("target_ids", ids)]
    }
}

/// Both sections, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the directory is.
    pub endpoint: Endpoint,
    /// The account.
    pub bind_dn: String,
    /// Its password.
    pub password: Secret,
    /// The branch that holds people.
    pub base: String,
    /// Their class.
    pub object_class: String,
    /// Entries in one page.
    pub page_size: u16,
    /// How long the server may stay silent while an answer is due: as long a write may be under way.
    pub operation_timeout: Duration,
    /// The attributes.
    pub names: Names,
    /// The attributes that entitlements are read from.
    pub entitlements: Vec<String>,
    /// Systems that others mark in the same attributes.
    pub other_systems: Vec<String>,
    /// How fast the directory may be written to.
    pub pace: PaceConfig,
    /// Whether it is asked at all: one for reading and writing.
    pub breaker: Breaker,
}

impl Config {
    /// Checks the section with that of the directory, and fetches its secret.
    ///
    /// # Errors
    /// [`OpenError`] naming the key that cannot be right, or saying that `[portal_ldap]` is missing.
    pub fn check(self, around: &Surroundings<'_>) -> Result<Settings, OpenError> {
        let Some(table) = around.portal_ldap else {
            return Err(refused("portal_ldap", "there is no section [portal_ldap]; marks are written where it points"));
        };
        // What the source refuses is refused here in the same words.
        let elsewhere = |error| OpenError::Elsewhere { section: "portal_ldap", error: Box::new(error) };
        let in_directory = |error: SettingError| elsewhere(refused(error.field, error.message));
        let portal: PortalLdapConfig = table.clone().try_into().map_err(|error| elsewhere(OpenError::Syntax(error)))?;
        let password = portal.password.resolve(around.environment);
        let password = password.map_err(|error| elsewhere(refused("password", error.to_string())))?;
        PortalLdap::new(&portal, password.clone()).map_err(in_directory)?;
        let mapping = Mapping::new(&portal.attributes);
        let mapping = mapping.map_err(|error| elsewhere(refused("attributes", error.to_string())))?;
        let endpoint = Endpoint::new(&portal.connection()).map_err(in_directory)?;
        let names =
            Names { birthright: self.birthright_marks, requested: self.requested_marks, target_ids: self.target_ids };
        check_names(&names, &mapping)?;
        let pace = match self.pace {
            Some(pace) => pace,
            None => PaceConfig::new(200.0, None, 4).map_err(|error| refused("pace", error.to_string()))?,
        };
        Ok(Settings {
            endpoint,
            operation_timeout: portal.connection().operation_timeout,
            bind_dn: portal.bind_dn,
            password,
            base: portal.people_base,
            object_class: portal.object_class,
            page_size: portal.page_size,
            names,
            entitlements: [directory::BIRTHRIGHT, directory::REQUESTED]
                .iter()
                .filter_map(|id| mapping.directory_name(*id).map(str::to_owned))
                .collect(),
            other_systems: self.other_systems,
            breaker: Breaker::new(PIPELINE, pace.concurrency()),
            pace,
        })
    }
}

/// What is written must be nothing that is read of a person, or a mark would entitle.
fn check_names(names: &Names, mapping: &Mapping) -> Result<(), OpenError> {
    let all = names.all();
    for (at, (field, name)) in names.keyed().into_iter().enumerate() {
        if !is_descriptor(name) {
            return Err(refused(field, format!("`{name}` cannot be a directory attribute")));
        }
        if all[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(refused(
                field,
                format!("`{name}` is named twice; each of the three has an attribute of its own"),
            ));
        }
        let read = mapping.fields().map(|(_, read)| read).chain([KEY, "objectClass"]).chain(NEVER);
        if read.into_iter().any(|read| read.eq_ignore_ascii_case(name)) {
            return Err(refused(field, format!("`{name}` is not for marks: the directory keeps something else there")));
        }
    }
    Ok(())
}

/// A refusal of one key.
pub fn refused(field: &str, message: impl Into<String>) -> OpenError {
    OpenError::Value { field: field.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::portal::testing::institution;

    const LDAP: &str = "url = 'ldap://127.0.0.1:1'\nbind_dn = 'cn=r'\npassword = 'env:P'\n";

    fn check(section: &str, ldap: Option<&str>) -> Result<Settings, OpenError> {
        let config: Config = toml::from_str(section)?;
        let ldap: Option<toml::Table> = ldap.map(|text| toml::from_str(text).unwrap());
        let (institution, environment) = (institution(), |name: &str| (name == "P").then(|| "hunter2".to_owned()));
        config.check(&Surroundings { portal_ldap: ldap.as_ref(), ..Surroundings::new(&institution, &environment) })
    }

    #[test]
    fn an_empty_section_has_the_defaults_of_the_commented_one() {
        let commented: toml::Table = toml::from_str(include_str!("configuration.toml")).unwrap();
        let commented = toml::to_string(&commented["portal"]).unwrap();
        let (one, two) = (check("", Some(LDAP)).unwrap(), check(&commented, Some(LDAP)).unwrap());
        assert_eq!((&one.names, one.pace), (&two.names, two.pace));
        assert!(one.other_systems == two.other_systems && one.other_systems.iter().any(|one| one == "topdesk"));
        assert_eq!((one.pace.concurrency(), one.base.as_str()), (4, "ou=Accounts,dc=meta"));
        assert!(!format!("{one:?}").contains("hunter2"));
    }

    #[test]
    fn without_a_directory_there_is_nothing_to_open() {
        assert!(check("", None).unwrap_err().to_string().contains("no section [portal_ldap]"));
        let elsewhere = LDAP.replace("env:P", "env:Q");
        assert!(check("", Some(&elsewhere)).unwrap_err().to_string().contains("Q is not set"));
        let odd = LDAP.replace("ldap://127.0.0.1:1", "ldap://portal.uni.example");
        assert!(check("", Some(&odd)).unwrap_err().to_string().contains("starttls"));
    }

    #[test]
    fn marks_are_never_written_over_what_a_person_is_made_of() {
        for (line, said) in [
            ("birthright_marks = 'idautopersonapproles2'", "birthright_marks"),
            ("requested_marks = 'idautoPersonAppRoles6'", "requested_marks"),
            ("target_ids = 'idautoID'", "target_ids"),
            ("target_ids = 'IDAUTOPERSONAPPROLES5'", "twice"),
            ("birthright_marks = 'IDAUTOPERSONEXT5'", "birthright_marks"),
            ("target_ids = 'a b'", "cannot be"),
            ("targetids = 'x'", "targetids"),
        ] {
            let error = check(line, Some(LDAP)).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
        let mapped = format!("{LDAP}attributes = {{ email = 'idautoPersonAppRoles7' }}\n");
        assert!(check("", Some(&mapped)).is_err());
    }
}
