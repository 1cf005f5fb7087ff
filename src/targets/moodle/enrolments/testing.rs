//! A calendar for the tests of enrolments.

use crate::model::Semester;

/// A day in the autumn term.
pub(in super::super) const AT: &str = "2026-09-15T10:00:00Z";

/// The terms around it; the oldest has a date that is none.
pub(in super::super) fn calendar() -> Vec<Semester> {
    [
        ("2025:HØST", "2025-08-01", "soon"),
        ("2026:VÅR", "2026-01-01", "2026-06-30"),
        ("2026:SOM", "2026-07-01", "2026-07-31"),
        ("2026:HØST", "2026-08-01", "2026-12-31"),
        ("2027:VÅR", "2027-01-01", "2027-06-30"),
    ]
    .into_iter()
    .map(|(id, from, to)| Semester {
        id: id.into(),
        year: id[..4].parse().unwrap(),
        term: id[5..].into(),
        starts_on: from.into(),
        ends_on: to.into(),
    })
    .collect()
}
