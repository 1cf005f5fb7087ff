//! Since when, and how many.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// `--since`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Since {
    /// A point in time.
    At(Timestamp),
    /// So long ago.
    Ago(SignedDuration),
}

impl Since {
    /// A date, a time, or how long ago. What names no time zone is UTC, as everything that is shown.
    pub fn parse(text: &str) -> Result<Self, String> {
        let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|time| time.timestamp());
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        // A date alone would pass for its midnight, and a time of day is none.
        if let Ok(at) = text.parse::<Date>().map(|date| date.to_datetime(jiff::civil::Time::midnight()))
            && !text.contains(':')
        {
            return in_utc(at).map(Self::At).map_err(|error| error.to_string());
        }
        if let Ok(at) = text.parse::<DateTime>() {
            return in_utc(at).map(Self::At).map_err(|error| error.to_string());
        }
        let ago = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        ago.map(|ago| Self::Ago(ago.abs())).map_err(|_| {
            "a date (2026-08-03), a time in UTC (2026-08-03T02:00, 2026-08-03T02:00:00Z), or how long ago (90m, 2h, 3d)"
                .to_owned()
        })
    }

    /// In Unix milliseconds.
    pub fn millisecond(self, now: Timestamp) -> i64 {
        match self {
            Self::At(at) => at.as_millisecond(),
            Self::Ago(ago) => now.checked_sub(ago).map_or(i64::MIN, Timestamp::as_millisecond),
        }
    }
}

/// `--limit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) struct Most(pub usize);

impl Most {
    /// A number, or `all`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(usize::MAX)),
            _ => text.parse().ok().filter(|most| *most > 0).map(Self).ok_or("a whole number above 0, or `all`".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_spans_mean_a_point_in_time_in_utc() {
        let now: Timestamp = "2026-08-03T12:00:00Z".parse().unwrap();
        for (text, meant) in [
            ("2026-08-03", "2026-08-03T00:00:00Z"),
            ("2026-08-03T02:00", "2026-08-03T02:00:00Z"),
            ("2026-08-03 02:00:10", "2026-08-03T02:00:10Z"),
            ("2026-08-03T02:00:00+02:00", "2026-08-03T00:00:00Z"),
            ("2026-08-03T02:00:00Z", "2026-08-03T02:00:00Z"),
            ("2h", "2026-08-03T10:00:00Z"),
            ("90m", "2026-08-03T10:30:00Z"),
            ("3d", "2026-07-31T12:00:00Z"),
            ("1w 1d", "2026-07-26T12:00:00Z"),
            ("2h ago", "2026-08-03T10:00:00Z"),
            ("P1D", "2026-08-02T12:00:00Z"),
        ] {
            let since = Since::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(since.millisecond(now), meant.parse::<Timestamp>().unwrap().as_millisecond(), "{text}");
        }
        for text in ["", "yesterday", "2", "2 fortnights", "2026-13-01", "1 month"] {
            assert!(Since::parse(text).unwrap_err().contains("2h"), "{text}");
        }
        assert_eq!((Most::parse("all"), Most::parse("7")), (Ok(Most(usize::MAX)), Ok(Most(7))));
        assert!(Most::parse("0").is_err() && Most::parse("-1").is_err());
    }
}
