//! The attribute templates of `[moodle.attributes]`, checked.

use minijinja::Value;
use reconcile_state::{AttributeId, Key, Record};
use serde::Deserialize;

use super::super::refusal::refused;
use super::super::schema as id;
use crate::config::Institution;
use crate::model::Person;
use crate::policy::{PERSON_NAMES, Template, TemplateError, person_values};
use crate::targets::port::OpenError;

/// `[moodle.attributes]`
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Attributes {
    pub(in super::super) username: String,
    pub(in super::super) email: String,
    pub(in super::super) firstname: String,
    pub(in super::super) lastname: String,
    pub(in super::super) idnumber: String,
    pub(in super::super) department: String,
    pub(in super::super) institution: String,
    pub(in super::super) city: Option<String>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            username: "{username}".into(),
            email: "{email}".into(),
            firstname: "{given_name}".into(),
            lastname: "{surname}".into(),
            idnumber: "{student_number or payroll_number}".into(),
            department: "{dept.nb}".into(),
            institution: "{institution.name}".into(),
            city: None,
        }
    }
}

/// One template for each attribute that is made of one.
#[derive(Clone, Debug)]
pub struct Templates {
    username: Template,
    rest: Vec<(AttributeId, Template)>,
    institution: Institution,
}

impl Templates {
    /// Parses and checks all of them.
    ///
    /// # Errors
    /// [`OpenError::Value`] naming the attribute.
    pub(in super::super) fn parse(written: &Attributes, institution: &Institution) -> Result<Self, OpenError> {
        let nobody = Person { directory: Record::new(Key::new("")), vault: None };
        let blank = person_values(&nobody, institution);
        let parse = |name: &str, source: &str| {
            Template::parse(source, PERSON_NAMES, &blank)
                .map_err(|error| refused(&format!("attributes.{name}"), error.to_string()))
        };
        let mut rest = vec![
            (id::EMAIL, parse("email", &written.email)?),
            (id::FIRSTNAME, parse("firstname", &written.firstname)?),
            (id::LASTNAME, parse("lastname", &written.lastname)?),
            (id::IDNUMBER, parse("idnumber", &written.idnumber)?),
            (id::DEPARTMENT, parse("department", &written.department)?),
            (id::INSTITUTION, parse("institution", &written.institution)?),
        ];
        if let Some(city) = &written.city {
            rest.push((id::CITY, parse("city", city)?));
        }
        Ok(Self { username: parse("username", &written.username)?, rest, institution: institution.clone() })
    }

    /// Whether the city is managed.
    pub fn city(&self) -> bool {
        self.rest.iter().any(|(attribute, _)| *attribute == id::CITY)
    }

    /// The template of an attribute, as it was written.
    pub(super) fn source(&self, attribute: AttributeId) -> Option<&str> {
        if attribute == id::USERNAME {
            return Some(self.username.source());
        }
        self.rest.iter().find(|(known, _)| *known == attribute).map(|(_, template)| template.source())
    }

    /// What templates may say of a person.
    pub(super) fn values(&self, person: &Person) -> Value {
        person_values(person, &self.institution)
    }

    /// The user name, in the lower case in which Moodle takes it.
    ///
    /// # Errors
    /// A template that fails on these values.
    pub(super) fn username(&self, values: &Value) -> Result<String, TemplateError> {
        Ok(self.username.render(values)?.to_lowercase())
    }

    /// The ID number.
    ///
    /// # Errors
    /// A template that fails on these values.
    pub(super) fn idnumber(&self, values: &Value) -> Result<String, TemplateError> {
        match self.rest.iter().find(|(attribute, _)| *attribute == id::IDNUMBER) {
            Some((_, template)) => template.render(values),
            None => Ok(String::new()),
        }
    }

    /// An active record with every attribute that is made of a template.
    ///
    /// # Errors
    /// The first template that fails on these values.
    pub(super) fn record(&self, key: Key, values: &Value) -> Result<Record, TemplateError> {
        let mut record = Record::new(key).with(id::USERNAME, self.username(values)?);
        for (attribute, template) in &self.rest {
            record.set(*attribute, template.render(values)?.into());
        }
        Ok(record)
    }
}
