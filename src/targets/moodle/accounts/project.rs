//! What should be: one account for everybody who is entitled to Moodle. Pure.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Record, Schema, Standing, Value};

use super::super::config::Settings;
use super::super::refusal::refused;
use super::super::schema::{self, ACCOUNT, AUTH, IDNUMBER, PIPELINE, USERNAME};
use super::rules::{self, TEMPLATE_FAILED};
use super::templates::Templates;
use crate::model::{Call, Desired, Match, Person, Reason};
use crate::policy::{Judgement, judge};
use crate::targets::port::{Because, OpenError};

/// How an account is recognised: its user name, as the site compares it.
pub const BY_USERNAME: &str = "username";
/// How an account is recognised: its ID number.
pub const BY_IDNUMBER: &str = "idnumber";

/// What accounts are made of.
pub struct AccountRules {
    schema: Schema,
    templates: Templates,
    auth: String,
}

impl AccountRules {
    /// The rules of these settings.
    ///
    /// # Errors
    /// Never, as long as the schema names each attribute once.
    pub fn new(settings: &Settings) -> Result<Self, OpenError> {
        let schema =
            schema::account(settings.templates.city()).map_err(|error| refused("attributes", error.to_string()))?;
        Ok(Self { schema, templates: settings.templates.clone(), auth: settings.auth.clone() })
    }

    /// What the attributes mean.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What is called for.
    pub fn desired(&self, person: &Person) -> Desired {
        let values = self.templates.values(person);
        Desired {
            kind: ACCOUNT,
            key: person.key().clone(),
            call: self.call(person, &values),
            matches: self.matches(&values),
            scopes: None,
            unasked: BTreeSet::new(),
            left_out: BTreeMap::new(),
            valid_until: None,
        }
    }

    /// By which template each attribute is called for, or why none is.
    pub fn because(&self, call: &Call) -> Vec<Because> {
        let because = |attribute, wanted, rule| Because { kind: ACCOUNT, attribute, element: None, wanted, rule };
        let why = match call {
            Call::Active(_) => None,
            Call::Disabled(_, reason) => Some(format!("{reason}: the account is closed and otherwise left as it is")),
            Call::Untouched(reason) => Some(format!("{reason}: the account is left as it is")),
        };
        let attributes = self.schema.attributes().iter();
        let rule = |id| match self.templates.source(id) {
            Some(template) => format!("attributes: {template}"),
            None => "auth: the setting, at creation".to_owned(),
        };
        attributes.map(|one| because(one.name, why.is_none(), why.clone().unwrap_or_else(|| rule(one.id)))).collect()
    }

    fn call(&self, person: &Person, values: &minijinja::Value) -> Call {
        let key = person.key().clone();
        match judge(person, PIPELINE) {
            Judgement::Untouched(reason) => Call::Untouched(reason),
            Judgement::Disabled(reason) => Call::Disabled(Record::new(key).standing(Standing::Disabled), reason),
            Judgement::Active => match self.active(person, values) {
                Ok(record) => Call::Active(record),
                Err(reason) => Call::Untouched(reason),
            },
        }
    }

    fn active(&self, person: &Person, values: &minijinja::Value) -> Result<Record, Reason> {
        let record = self.templates.record(person.key().clone(), values).map_err(|_| TEMPLATE_FAILED)?;
        rules::check(&record)?;
        Ok(record.with(AUTH, Value::from(self.auth.as_str())))
    }

    /// Also for people to be closed: an account made under an earlier rule is found by what it was made of.
    fn matches(&self, values: &minijinja::Value) -> Vec<Match> {
        let username = self.templates.username(values).unwrap_or_default();
        let idnumber = self.templates.idnumber(values).unwrap_or_default();
        [(BY_USERNAME, username, false), (BY_IDNUMBER, idnumber, true)]
            .into_iter()
            .filter(|(_, value, _)| !value.is_empty())
            .map(|(field, value, only_unique)| Match { field, value, only_unique })
            .collect()
    }
}

/// The values by which a seen account may be recognised, folded as [`AccountRules`] folds them.
pub(super) fn seen_matches(record: &Record) -> Vec<(&'static str, String)> {
    let text = |id| record.text(id).unwrap_or_default();
    [(BY_USERNAME, text(USERNAME).to_lowercase()), (BY_IDNUMBER, text(IDNUMBER).trim().to_owned())]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::person::directory;
    use crate::policy::testing::{person, set};
    use crate::targets::moodle::schema::{DEPARTMENT, EMAIL, FIRSTNAME, INSTITUTION};
    use crate::targets::moodle::testing::settings;

    fn desired(person: &Person) -> Desired {
        AccountRules::new(&settings("")).unwrap().desired(person)
    }

    #[test]
    fn an_entitled_person_is_called_for_as_configured() {
        let Desired { call: Call::Active(record), matches, .. } = desired(&person()) else { panic!("active") };
        let rows = [
            (USERNAME, "kanor"),
            (EMAIL, "kari.nordmann@example.no"),
            (FIRSTNAME, "Kari"),
            (IDNUMBER, "512345"),
            (DEPARTMENT, "Matematisk institutt"),
            (INSTITUTION, "Universitetet"),
            (AUTH, "oidc"),
        ];
        for (id, text) in rows {
            assert_eq!(record.text(id), Some(text));
        }
        schema::account(false).unwrap().check(&record).unwrap();
        let matches: Vec<_> = matches.iter().map(|m| (m.field, m.value.as_str(), m.only_unique)).collect();
        assert_eq!(matches, [("username", "kanor", false), ("idnumber", "512345", true)]);
    }

    #[test]
    fn user_names_are_lower_cased() {
        let mut someone = person();
        someone.directory.set(directory::USERNAME, Value::from("KaNor"));
        let Desired { call: Call::Active(record), .. } = desired(&someone) else { panic!("active") };
        assert_eq!(record.text(USERNAME), Some("kanor"));
    }

    #[test]
    fn a_value_that_moodle_refuses_leaves_an_entitled_person_untouched() {
        let mut someone = person();
        someone.directory.set(directory::PREFERRED_SURNAME, Value::from("<script>"));
        assert_eq!(desired(&someone).call, Call::Untouched(rules::INVALID_NAME));
        someone.directory.set(directory::BIRTHRIGHT, set(&[]));
        assert!(matches!(desired(&someone).call, Call::Disabled(..)), "a value that is not sent does not matter");
    }

    #[test]
    fn a_person_to_be_closed_is_still_recognised() {
        let mut someone = person();
        someone.directory.set(directory::DISABLED, Value::Flag(true));
        let Desired { call: Call::Disabled(record, reason), matches, .. } = desired(&someone) else { panic!("closed") };
        assert_eq!((record.standing, record.attributes().len(), reason.0), (Standing::Disabled, 0, "disabled"));
        assert_eq!(matches.len(), 2);
    }

    #[test]
    fn an_empty_id_number_recognises_nobody() {
        let mut someone = person();
        someone.directory.set(directory::STUDENT_NUMBER, Value::from(" "));
        assert_eq!(desired(&someone).matches.len(), 1);
    }

    #[test]
    fn every_attribute_is_explained_by_its_template_or_by_why_there_is_none() {
        let rules = AccountRules::new(&settings("[attributes]\ncity = '{campus}'")).unwrap();
        let all = rules.because(&rules.desired(&person()).call);
        assert_eq!(all.len(), rules.schema().attributes().len());
        for (attribute, rule) in
            [("email", "{email}"), ("city", "{campus}"), ("username", "{username}"), ("auth", "auth")]
        {
            assert!(
                all.iter().any(|one| one.attribute == attribute && one.wanted && one.rule.contains(rule)),
                "{rule}"
            );
        }
        let mut someone = person();
        someone.directory.set(directory::BIRTHRIGHT, set(&[]));
        let all = rules.because(&rules.desired(&someone).call);
        assert!(all.iter().all(|one| !one.wanted && one.rule.starts_with("not-entitled")));
    }
}
