//! `[retention]`: how long what is of use for a time only is kept. Defaults: see the embedded configuration.

use serde::Deserialize;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// `[retention]`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Entries of the journal, in days; 0 keeps them for ever.
    pub journal_days: u32,
    /// Copies of claims that were put aside, in days; 0 keeps them for ever.
    pub copies_days: u32,
}

/// The guard's windows and writes in doubt look back a week.
const LEAST: u32 = 8;

impl Retention {
    /// The key that cannot be right, and why.
    pub(super) fn fault(self) -> Option<(&'static str, String)> {
        let all = [("journal_days", self.journal_days), ("copies_days", self.copies_days)];
        let (key, _) = all.into_iter().find(|(_, days)| (1..LEAST).contains(days))?;
        Some((key, format!("must be 0 (for ever) or at least {LEAST}: the guard looks back a week")))
    }

    /// What of the journal is dated before this (Unix milliseconds) goes; `None` where nothing does.
    pub fn journal_before(self, now: i64) -> Option<i64> {
        before(self.journal_days, now)
    }

    /// The same of copies of claims.
    pub fn copies_before(self, now: i64) -> Option<i64> {
        before(self.copies_days, now)
    }
}

fn before(days: u32, now: i64) -> Option<i64> {
    (days > 0).then(|| now.saturating_sub(i64::from(days).saturating_mul(DAY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_for_ever_or_longer_than_a_week() {
        let of = |journal_days, copies_days| Retention { journal_days, copies_days };
        for (one, key) in [(of(1, 90), "journal_days"), (of(7, 90), "journal_days"), (of(0, 3), "copies_days")] {
            assert_eq!(one.fault().map(|(key, _)| key), Some(key));
        }
        assert!(of(0, 0).fault().is_none() && of(8, 8).fault().is_none());
        assert_eq!((of(0, 0).journal_before(DAY), of(8, 9).copies_before(10 * DAY)), (None, Some(DAY)));
    }
}
