//! How a course is called by both Moodle pipelines, and which semesters are processed at a time.
//!
//! Pure. Where the semesters and teachings come from is the sources' affair; what a course looks like at the
//! site is the target's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use reconcile_state::Normal;

use crate::model::Semester;

/// Norwegian time as it has been since 1996. Written out, so that a day does not depend on which time zones are
/// installed on the machine.
static NORWAY: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC));

/// A term of the year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Term {
    /// `VÅR`
    Spring,
    /// `SOM`
    Summer,
    /// `HØST`
    Autumn,
}

impl Term {
    /// The term of this name, as MetaVault spells it.
    pub fn named(name: &str) -> Option<Self> {
        match &*Normal::Exact.form(name) {
            "VÅR" => Some(Self::Spring),
            "SOM" => Some(Self::Summer),
            "HØST" => Some(Self::Autumn),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spring => "VÅR",
            Self::Summer => "SOM",
            Self::Autumn => "HØST",
        }
    }
}

/// One topic in one semester: what a course is (decisions, moodle). Shown as
/// `institution:code:version:year:term`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CourseKey {
    /// The institution's number.
    pub institution: String,
    /// The topic's code; may hold `-` and Norwegian letters.
    pub code: String,
    /// The topic's version.
    pub version: String,
    /// The calendar year.
    pub year: u16,
    /// The term.
    pub term: Term,
}

impl CourseKey {
    /// The course of a topic (`185:INF1000:1`) in a semester (`2026:HØST`). `None` where either is something
    /// else.
    pub fn new(topic: &str, semester: &str) -> Option<Self> {
        let topic = Normal::Exact.form(topic);
        let (institution, rest) = topic.split_once(':')?;
        let (code, version) = rest.rsplit_once(':')?;
        let (year, term) = semester.split_once(':')?;
        let plain = |text: &str| !text.is_empty() && text.trim() == text && !text.contains(char::is_control);
        if ![institution, code, version].into_iter().all(plain) {
            return None;
        }
        Some(Self {
            institution: institution.to_owned(),
            code: code.to_owned(),
            version: version.to_owned(),
            year: parse_year(year)?,
            term: Term::named(term)?,
        })
    }

    /// Reads a key as it is shown, in whatever Unicode form it is spelt.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, term) = text.rsplit_once(':')?;
        let (topic, year) = rest.rsplit_once(':')?;
        Self::new(topic, &format!("{year}:{term}"))
    }

    /// The semester's id.
    pub fn semester(&self) -> String {
        format!("{}:{}", self.year, self.term.as_str())
    }

    /// The topic's id.
    pub fn topic(&self) -> String {
        format!("{}:{}:{}", self.institution, self.code, self.version)
    }
}

impl fmt::Display for CourseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { institution, code, version, year, term } = self;
        write!(f, "{institution}:{code}:{version}:{year}:{}", term.as_str())
    }
}

/// Four digits and nothing else.
fn parse_year(text: &str) -> Option<u16> {
    let plain = text.len() == 4 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// How a semester stands on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// The day is one of its days.
    Current,
    /// It has not begun, and is processed from the configured month on.
    Next,
    /// It is too early for it.
    Early,
    /// It is over.
    Over,
    /// It is a summer term, and those are not configured.
    Summer,
    /// Its id or its dates are not what they should be.
    Malformed,
}

impl Timing {
    /// Whether a semester that stands so is processed.
    pub fn is_processed(self) -> bool {
        matches!(self, Self::Current | Self::Next)
    }

    /// Why, in words that follow the semester's id.
    pub fn words(self) -> &'static str {
        match self {
            Self::Current => "is the current semester by its dates",
            Self::Next => "is next, and processed since its month (next_semester_from)",
            Self::Early => "is not processed before its month (next_semester_from)",
            Self::Over => "is over",
            Self::Summer => "is a summer term, and summer terms are not processed (summer)",
            Self::Malformed => "is not processed: its id or its dates in mv_semester are malformed",
        }
    }
}

/// Which semesters are processed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Semesters {
    /// From which month (1 to 12) before its first day a term is processed; without one, from its first day.
    pub next_from: BTreeMap<Term, i8>,
    /// Whether summer terms are processed.
    pub summer: bool,
}

impl Default for Semesters {
    /// Autumn from May on, spring from November on, no summer terms.
    fn default() -> Self {
        Self { next_from: BTreeMap::from([(Term::Spring, 11), (Term::Autumn, 5)]), summer: false }
    }
}

impl Semesters {
    /// How a semester stands on a day.
    pub fn timing(&self, semester: &Semester, day: Date) -> Timing {
        let Some(span) = self.span(semester) else { return Timing::Malformed };
        if span.term == Term::Summer && !self.summer {
            Timing::Summer
        } else if day > span.last {
            Timing::Over
        } else if day >= span.first {
            Timing::Current
        } else if day >= span.opens {
            Timing::Next
        } else {
            Timing::Early
        }
    }

    /// The ids of the semesters that are processed on a day, as course keys hold them.
    pub fn processed(&self, semesters: &[Semester], day: Date) -> BTreeSet<String> {
        let processed = semesters.iter().filter(|semester| self.timing(semester, day).is_processed());
        processed.map(|semester| Normal::Exact.form(&semester.id).into_owned()).collect()
    }

    /// When the answer of [`Semesters::processed`] changes next by the calendar alone.
    pub fn changes_at(&self, semesters: &[Semester], day: Date) -> Option<Timestamp> {
        let spans = semesters.iter().filter_map(|semester| self.span(semester));
        let spans = spans.filter(|span| self.summer || span.term != Term::Summer);
        let days = spans.flat_map(|span| [Some(span.opens), span.last.checked_add(1.day()).ok()]).flatten();
        let next = days.filter(|at| *at > day).min()?;
        Some(next.to_zoned(NORWAY.clone()).ok()?.timestamp())
    }

    fn span(&self, semester: &Semester) -> Option<Span> {
        let (year, term) = semester.id.split_once(':')?;
        let term = Term::named(term).filter(|term| Term::named(&semester.term) == Some(*term))?;
        let fits = i64::from(parse_year(year)?) == semester.year;
        let first: Date = semester.starts_on.trim().parse().ok()?;
        let last: Date = semester.ends_on.trim().parse().ok().filter(|last| fits && *last >= first)?;
        Some(Span { term, opens: self.opens(term, first), first, last })
    }

    /// The first day of the configured month that is not after the first day of the semester.
    fn opens(&self, term: Term, first: Date) -> Date {
        let Some(month) = self.next_from.get(&term) else { return first };
        let year = if *month <= first.month() { first.year() } else { first.year() - 1 };
        Date::new(year, *month, 1).map_or(first, |day| day.min(first))
    }
}

struct Span {
    term: Term,
    opens: Date,
    first: Date,
    last: Date,
}

/// The civil date in Norway.
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(NORWAY.clone()).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn semester(id: &str, from: &str, to: &str) -> Semester {
        let (year, term) = id.split_once(':').unwrap();
        Semester {
            id: id.into(),
            year: year.parse().unwrap(),
            term: term.into(),
            starts_on: from.into(),
            ends_on: to.into(),
        }
    }

    fn calendar() -> Vec<Semester> {
        vec![
            semester("2026:VÅR", "2026-01-01", "2026-06-30"),
            semester("2026:SOM", "2026-07-01", "2026-07-31"),
            semester("2026:HØST", "2026-08-01", "2026-12-31"),
            semester("2027:VÅR", "2027-01-01", "2027-06-30"),
        ]
    }

    fn processed(settings: &Semesters, day: Date) -> Vec<String> {
        settings.processed(&calendar(), day).into_iter().collect()
    }

    #[test]
    fn a_course_is_a_topic_in_a_semester() {
        let key = CourseKey::new("185:INF1000:1", "2026:HØST").unwrap();
        assert_eq!(key.to_string(), "185:INF1000:1:2026:HØST");
        assert_eq!((key.topic().as_str(), key.semester().as_str()), ("185:INF1000:1", "2026:HØST"));
    }

    #[test]
    fn codes_hold_what_norwegian_codes_hold() {
        for (topic, code, version) in
            [("185:MAT-1100:2", "MAT-1100", "2"), ("185:ØKÆÅ1-1:A", "ØKÆÅ1-1", "A"), ("185:A:B:1", "A:B", "1")]
        {
            let key = CourseKey::new(topic, "2026:VÅR").unwrap();
            assert_eq!((key.code.as_str(), key.version.as_str(), key.institution.as_str()), (code, version, "185"));
            assert_eq!(CourseKey::parse(&key.to_string()), Some(key));
        }
    }

    #[test]
    fn a_key_is_the_same_in_every_unicode_form() {
        let composed = CourseKey::parse("185:ÅR1:1:2026:VÅR").unwrap();
        let decomposed = CourseKey::parse("185:A\u{30a}R1:1:2026:VA\u{30a}R").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(decomposed.to_string(), "185:ÅR1:1:2026:VÅR");
    }

    #[test]
    fn what_is_no_course_of_ours_does_not_parse() {
        for text in [
            "",
            "INF1000",
            "185:INF1000:1",
            "185:INF1000:1:2026",
            "185:INF1000:1:2026:høst",
            "185:INF1000:1:2026:FALL",
            "185:INF1000:1:26:HØST",
            "185:INF1000:1:02026:HØST",
            "185:INF1000:1:+026:HØST",
            "185:INF1000::2026:HØST",
            "185::1:2026:HØST",
            ":INF1000:1:2026:HØST",
            "185:INF1000:2026:HØST",
            "185:INF1000:1:2026:HØST ",
            " 185:INF1000:1:2026:HØST",
        ] {
            assert_eq!(CourseKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_current_semester_holds_on_its_first_and_its_last_day() {
        let settings = Semesters { next_from: BTreeMap::new(), summer: false };
        for (day, ids) in [
            (date(2025, 12, 31), vec![]),
            (date(2026, 1, 1), vec!["2026:VÅR"]),
            (date(2026, 6, 30), vec!["2026:VÅR"]),
            (date(2026, 7, 1), vec![]),
            (date(2026, 8, 1), vec!["2026:HØST"]),
            (date(2026, 12, 31), vec!["2026:HØST"]),
        ] {
            assert_eq!(processed(&settings, day), ids, "{day}");
        }
    }

    #[test]
    fn the_next_semester_opens_with_its_month() {
        let settings = Semesters::default();
        for (day, ids) in [
            (date(2026, 4, 30), vec!["2026:VÅR"]),
            (date(2026, 5, 1), vec!["2026:HØST", "2026:VÅR"]),
            (date(2026, 7, 15), vec!["2026:HØST"]),
            (date(2026, 10, 31), vec!["2026:HØST"]),
            (date(2026, 11, 1), vec!["2026:HØST", "2027:VÅR"]),
            (date(2025, 10, 31), vec![]),
            (date(2025, 11, 1), vec!["2026:VÅR"]),
        ] {
            assert_eq!(processed(&settings, day), ids, "{day}");
        }
    }

    #[test]
    fn summer_terms_are_processed_only_where_configured() {
        let day = date(2026, 7, 15);
        let settings = Semesters { summer: true, ..Semesters::default() };
        assert_eq!(processed(&settings, day), ["2026:HØST", "2026:SOM"]);
        assert_eq!(Semesters::default().timing(&calendar()[1], day), Timing::Summer);
        assert_eq!(settings.timing(&calendar()[1], date(2026, 6, 30)), Timing::Early);
    }

    #[test]
    fn a_semester_with_malformed_dates_or_id_is_not_processed() {
        let day = date(2026, 9, 1);
        let good = semester("2026:HØST", "2026-08-01", "2026-12-31");
        assert_eq!(Semesters::default().timing(&good, day), Timing::Current);
        let broken = [
            Semester { starts_on: "1.8.2026".into(), ..good.clone() },
            Semester { ends_on: String::new(), ..good.clone() },
            Semester { ends_on: "2026-07-01".into(), ..good.clone() },
            Semester { id: "H2026".into(), ..good.clone() },
            Semester { year: 2025, ..good.clone() },
            Semester { term: "VÅR".into(), ..good },
        ];
        for semester in broken {
            assert_eq!(Semesters::default().timing(&semester, day), Timing::Malformed, "{semester:?}");
        }
    }

    #[test]
    fn a_day_is_a_norwegian_day() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(day(at("2026-12-31T22:59:59Z")), date(2026, 12, 31));
        assert_eq!(day(at("2026-12-31T23:00:00Z")), date(2027, 1, 1), "winter");
        assert_eq!(day(at("2026-07-31T22:00:00Z")), date(2026, 8, 1), "summer");
    }

    #[test]
    fn the_next_change_is_a_norwegian_midnight() {
        let change = Semesters::default().changes_at(&calendar(), date(2026, 9, 15)).unwrap();
        assert_eq!(change.to_string(), "2026-10-31T23:00:00Z");
        assert_eq!(Semesters::default().changes_at(&[], date(2026, 9, 15)), None);
    }

    proptest! {
        #[test]
        fn between_two_changes_the_same_semesters_are_processed(offset in 0_i64..700, summer: bool) {
            let settings = Semesters { summer, ..Semesters::default() };
            let today = date(2025, 9, 1).checked_add(offset.days()).unwrap();
            let tomorrow = today.checked_add(1.day()).unwrap();
            let (now, then) = (processed(&settings, today), processed(&settings, tomorrow));
            let change = settings.changes_at(&calendar(), today);
            prop_assert!(now == then || change.map(day) == Some(tomorrow));
        }

        #[test]
        fn every_key_reads_back(code in "[A-ZÆØÅ]{1,4}[-0-9:]{0,5}", version in "[0-9A-Z]{1,3}", year in 1000_u16..9999) {
            let code = code.trim_matches(':');
            let key = CourseKey::new(&format!("185:{code}:{version}"), &format!("{year}:SOM")).unwrap();
            prop_assert_eq!(CourseKey::parse(&key.to_string()).unwrap(), key);
        }
    }
}
