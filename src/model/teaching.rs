//! Semesters, topics and teachings, as MetaVault has them: what enrolments refer to and courses are made of.

use serde::{Deserialize, Serialize};

/// A semester (`mv_semester`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Semester {
    /// Its id, `2026:HØST`.
    pub id: String,
    /// The calendar year.
    pub year: i64,
    /// `VÅR`, `SOM` or `HØST`.
    pub term: String,
    /// Its first day, ISO 8601, as read.
    pub starts_on: String,
    /// Its last day, ISO 8601, as read.
    pub ends_on: String,
}

/// One version of a topic (`mv_topic`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topic {
    /// `institution:code:version`.
    pub id: String,
    /// The institution's number.
    pub institution: String,
    /// The code; may hold `-` and Norwegian letters.
    pub code: String,
    /// The version, which is text.
    pub version: String,
    /// Its Norwegian (bokmål) name.
    pub name_nb: String,
    /// Its Norwegian (nynorsk) name.
    pub name_nn: Option<String>,
    /// Its English name.
    pub name_en: Option<String>,
    /// The owning unit's id.
    pub org: Option<String>,
    /// `A` where it is active.
    pub status: String,
}

/// A topic taught in a semester (`mv_teaching`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Teaching {
    /// Its id, as enrolments name it.
    pub id: String,
    /// The topic's id.
    pub topic: String,
    /// The semester's id.
    pub semester: String,
    /// Which of several terms of one teaching this is, from 1.
    pub term_no: i64,
    /// `A` where it is active.
    pub status: String,
}
