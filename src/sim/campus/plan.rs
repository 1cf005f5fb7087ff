//! What a campus is made from.

use std::ops::RangeInclusive;

use jiff::civil::{Date, date};

/// The seed and the few things that tests and the demo choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CampusPlan {
    /// Same seed, same campus.
    pub seed: u64,
    /// How many people, those that only one source knows included.
    pub people: usize,
    /// Institution number, first part of topic keys (`185:LING1101:1`).
    pub institution: String,
    /// Domain of institution e-mail.
    pub mail_domain: String,
    /// Realm of ePPN.
    pub realm: String,
    /// How many courses a student takes in a term: three to five, as students do; more for a campus with as many
    /// enrolments as a larger one.
    pub courses: RangeInclusive<usize>,
    /// The day at which dates and semesters are true.
    pub today: Date,
}

impl CampusPlan {
    /// Institution 185 at `uni.example` on 15 September 2026, in the middle of a term.
    pub fn new(seed: u64, people: usize) -> Self {
        Self {
            seed,
            people,
            institution: "185".to_owned(),
            mail_domain: "uni.example".to_owned(),
            realm: "uni.example".to_owned(),
            courses: 3..=5,
            today: date(2026, 9, 15),
        }
    }
}
