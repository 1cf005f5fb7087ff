//! An invented person for tests of rules.

use reconcile_state::{Record, Value};

use crate::model::Person;
use crate::model::person::directory as d;

/// A whole and entitled person, without vault data.
pub fn person() -> Person {
    let directory = Record::new("6f1c5a8e-0000-4000-8000-000000000042".into())
        .with(d::UH_USERNAME, "kanor0042")
        .with(d::USERNAME, "kanor")
        .with(d::EMAIL, "kari.nordmann@example.no")
        .with(d::EPPN, "kanor@example.no")
        .with(d::GIVEN_NAME, "Kari")
        .with(d::SURNAME, "Nordmann")
        .with(d::AFFILIATION, "Student")
        .with(d::AFFILIATIONS, set(&["Employee", "Student"]))
        .with(d::DEPT_CODE, "1501|MAT|Matematisk institutt|Department of Mathematics|120500")
        .with(d::BUSINESS_ROLES, set(&["iam:student"]))
        .with(d::BIRTHRIGHT, set(&["moodle", "wiseflow"]))
        .with(d::STUDENT_NUMBER, "512345")
        .with(d::LANGUAGE, "nb");
    Person { directory, vault: None }
}

/// A set of texts.
pub fn set(elements: &[&str]) -> Value {
    Value::Set(elements.iter().map(|&element| element.to_owned()).collect())
}
