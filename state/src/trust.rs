//! Trust: whether a reading may be believed in what it does not show.
//!
//! A reading always counts for what it shows. Only a trusted one counts for absence: of people, of
//! attributes, of records at a target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One reason not to believe in absences.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Doubt {
    /// Stable kebab-case code.
    pub code: String,
    /// What was seen and what was expected, with the next step; no personal values.
    pub message: String,
    /// The one table or attribute that is doubted, as the source's figures name it; `None` where it is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl Doubt {
    /// A doubt.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), of: None }
    }

    /// The same doubt, of one table or attribute.
    #[must_use]
    pub fn of(mut self, what: &str) -> Self {
        self.of = Some(what.to_owned());
        self
    }
}

/// The verdict on one reading.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Trust {
    /// Empty: trusted.
    pub doubts: Vec<Doubt>,
}

impl Trust {
    /// Whether absences may be believed.
    pub fn is_trusted(&self) -> bool {
        self.doubts.is_empty()
    }
}

/// The figures of one reading of a source.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SourceFigures {
    /// How many records there were.
    pub count: u64,
    /// How many of them carried each attribute; or the rows of each table.
    pub carriers: BTreeMap<String, u64>,
}

/// How much a source may shrink between two readings before the later one is doubted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShrinkLimit {
    /// Percent of what is expected.
    pub percent: u32,
    /// Losses of at most this many are never doubted.
    pub floor: u64,
}

impl ShrinkLimit {
    fn exceeded(self, expected: u64, now: u64) -> bool {
        let loss = expected.saturating_sub(now);
        loss > self.floor && loss * 100 > expected * u64::from(self.percent)
    }

    /// As above; and that nobody at all carries any more what a few did carry is no small loss.
    fn exceeded_by_carriers(self, expected: u64, now: u64) -> bool {
        self.exceeded(expected, now) || all_gone(expected, now)
    }
}

/// So many carriers do not vanish all at once by themselves. (Small institutions have a handful of disabled
/// people: an account that may no longer read the attribute must not let them in.)
const FEW: u64 = 3;

/// Whether an attribute is gone from everybody although `expected` carried it.
pub fn all_gone(expected: u64, now: u64) -> bool {
    now == 0 && expected >= FEW
}

/// Code of the doubt that fewer records carry an attribute, or fewer rows stand in a table, than before.
pub const ATTRIBUTE_SHRUNK: &str = "attribute-shrunk";

/// Judges a source's reading by its end and by the last trusted figures.
///
/// `complete` means that the protocol's own end was seen. Each attribute's carriers are compared as a
/// share of the count, so that a smaller population is told once, not once per attribute.
pub fn judge_source(
    source: &str,
    complete: bool,
    now: &SourceFigures,
    last: Option<&SourceFigures>,
    limit: ShrinkLimit,
) -> Trust {
    let mut doubts = Vec::new();
    if !complete {
        doubts.push(Doubt::new(
            "source-incomplete",
            format!("{source}: the reading ended before its end was confirmed; nothing missing from it counts as gone"),
        ));
    }
    if now.count == 0 {
        doubts.push(Doubt::new("source-empty", format!("{source}: the reading has no records at all")));
    }
    if let Some(last) = last {
        if limit.exceeded(last.count, now.count) {
            doubts.push(Doubt::new(
                "source-shrunk",
                format!(
                    "{source}: {} records, {} in the last trusted reading: more than {} % fewer; \
                     if that is right, accept it with --allow source-shrunk",
                    now.count, last.count, limit.percent
                ),
            ));
        }
        for (attribute, &carried) in &last.carriers {
            let share = carried.saturating_mul(now.count).checked_div(last.count).unwrap_or(0);
            let carries = now.carriers.get(attribute).copied().unwrap_or(0);
            if limit.exceeded_by_carriers(share, carries) {
                let doubt = Doubt::new(
                    ATTRIBUTE_SHRUNK,
                    format!(
                        "{source}: {carries} records carry {attribute}, about {share} were expected; \
                         check that the account may still read it, or accept it with --allow attribute-shrunk"
                    ),
                );
                doubts.push(doubt.of(attribute));
            }
        }
    }
    Trust { doubts }
}

/// The figures of one whole listing of a target.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ListFigures {
    /// Whether the last page was seen.
    pub complete: bool,
    /// Records read.
    pub rows: u64,
    /// How many there should be by the target's own count, where it gives one.
    pub total: Option<u64>,
    /// Records of which another with the same identity was read.
    pub repeated: u64,
    /// Remembered ids that a whole listing should show.
    pub remembered: u64,
    /// How many of those it showed.
    pub found: u64,
}

/// The share of remembered ids that must be found again, in percent.
pub const FOUND_AGAIN_PERCENT: u64 = 98;

/// So many remembered ids may be missing whatever their share: a small population could otherwise never
/// get back a record that was lost.
pub const LOST_FLOOR: u64 = 2;

/// Judges a target's listing.
pub fn judge_listing(target: &str, figures: &ListFigures) -> Trust {
    let mut doubts = Vec::new();
    if !figures.complete {
        doubts.push(Doubt::new("listing-incomplete", format!("{target}: the last page of the listing was not seen")));
    }
    if let Some(total) = figures.total
        && total != figures.rows
    {
        doubts.push(Doubt::new(
            "listing-short",
            format!("{target}: {} records read, the target counts {total}", figures.rows),
        ));
    }
    if figures.repeated > 0 {
        doubts.push(Doubt::new(
            "listing-repeats",
            format!("{target}: {} records came twice, so others may be missing", figures.repeated),
        ));
    }
    let lost = figures.remembered.saturating_sub(figures.found);
    if lost > LOST_FLOOR && figures.found * 100 < figures.remembered * FOUND_AGAIN_PERCENT {
        doubts.push(Doubt::new(
            "remembered-lost",
            format!(
                "{target}: {} of {} remembered records were found again, less than {FOUND_AGAIN_PERCENT} %; \
                 is this the right target, and may the account see everything?",
                figures.found, figures.remembered
            ),
        ));
    }
    Trust { doubts }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: ShrinkLimit = ShrinkLimit { percent: 5, floor: 10 };

    fn figures(count: u64, mail: u64) -> SourceFigures {
        SourceFigures { count, carriers: [("mail".to_owned(), mail)].into() }
    }

    fn codes(trust: &Trust) -> Vec<&str> {
        trust.doubts.iter().map(|d| d.code.as_str()).collect()
    }

    #[test]
    fn a_source_is_judged_by_end_count_and_shares() {
        let last = figures(1000, 500);
        let judge = |complete, now: &SourceFigures| judge_source("s", complete, now, Some(&last), LIMIT);
        assert!(judge(true, &figures(960, 480)).is_trusted());
        assert_eq!(codes(&judge(true, &figures(940, 470))), ["source-shrunk"], "the share held");
        assert_eq!(codes(&judge(true, &figures(1000, 0))), ["attribute-shrunk"]);
        assert_eq!(codes(&judge(false, &figures(1000, 500))), ["source-incomplete"]);
        assert_eq!(codes(&judge_source("s", true, &figures(0, 0), None, LIMIT)), ["source-empty"]);
    }

    #[test]
    fn small_losses_are_within_the_floor() {
        assert!(judge_source("s", true, &figures(10, 1), Some(&figures(20, 8)), LIMIT).is_trusted());
        assert!(judge_source("s", true, &figures(20, 0), Some(&figures(20, 2)), LIMIT).is_trusted());
        assert!(!judge_source("s", true, &figures(20, 0), Some(&figures(20, 3)), LIMIT).is_trusted(), "all of them");
        assert!(!judge_source("s", true, &figures(9, 0), Some(&figures(20, 0)), LIMIT).is_trusted());
    }

    #[test]
    fn a_listing_is_judged_by_end_total_distinctness_and_memory() {
        let good = ListFigures { complete: true, rows: 100, total: Some(100), repeated: 0, remembered: 50, found: 49 };
        assert!(judge_listing("t", &good).is_trusted());
        let few = ListFigures { rows: 1, total: None, remembered: 3, found: 1, ..good.clone() };
        assert!(judge_listing("t", &few).is_trusted(), "within the floor");
        let bad = [
            (ListFigures { complete: false, ..good.clone() }, "listing-incomplete"),
            (ListFigures { total: Some(101), ..good.clone() }, "listing-short"),
            (ListFigures { repeated: 1, ..good.clone() }, "listing-repeats"),
            (ListFigures { found: 47, ..good.clone() }, "remembered-lost"),
        ];
        for (figures, code) in bad {
            assert_eq!(codes(&judge_listing("t", &figures)), [code]);
        }
    }
}
