//! Counts: what a rule found in a plan, held against its limit; by itself, and with what was written lately.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reconcile_state::window::{Span, Tally, Window};

use crate::config::{GuardSettings, Limit};
use crate::model::pass::Trip;
use crate::model::{Change, ChangeId};

/// A change that a rule counts.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'c> {
    /// The change.
    pub change: &'c Change,
    /// For how much.
    pub count: u64,
    /// Whether the rule's reserve is for such.
    pub spared: bool,
}

impl<'c> Hit<'c> {
    /// A change that counts for so much.
    pub fn new(change: &'c Change, count: u64) -> Self {
        Self { change, count, spared: false }
    }
}

/// One figure of a rule.
#[derive(Clone, Debug)]
pub struct Count<'c> {
    /// The rule.
    pub rule: &'static str,
    /// What the rule counts apart: a kind, an attribute, a course. Empty where it counts all together.
    pub of: String,
    /// The limit.
    pub limit: Limit,
    /// What is counted, in words.
    pub what: String,
    /// The base of the limit's percent.
    pub base: u64,
    /// What was found.
    pub hits: Vec<Hit<'c>>,
    /// So many of those that are spared are not counted.
    pub reserve: u64,
}

/// What was counted, and how much of it may be spared.
#[derive(Clone, Copy)]
struct Sum {
    all: u64,
    spared: u64,
}

impl Sum {
    fn after(self, reserve: u64) -> u64 {
        self.all.saturating_sub(self.spared.min(reserve))
    }
}

impl<'c> Count<'c> {
    /// What a rule found.
    pub fn new(rule: &'static str, limit: Limit, what: &str, base: u64, hits: Vec<Hit<'c>>) -> Self {
        Self { rule, of: String::new(), limit, what: what.to_owned(), base, hits, reserve: 0 }
    }

    /// The same of one of several things that the rule counts apart.
    #[must_use]
    pub fn of(self, of: &str) -> Self {
        Self { of: of.to_owned(), ..self }
    }

    /// Under which names windows remember it: all of it, and what may be spared.
    fn classes(&self) -> (String, String) {
        let class = format!("{} {}", self.rule, self.of);
        let class = class.trim_end().to_owned();
        (class.clone(), format!("{class} spared"))
    }

    /// What each of its changes counts for.
    pub fn tallies(&self) -> impl Iterator<Item = (ChangeId, Tally)> {
        let (class, spared) = self.classes();
        self.hits.iter().map(move |hit| {
            let mut tally = Tally::from([(class.clone(), hit.count)]);
            if hit.spared {
                tally.insert(spared.clone(), hit.count);
            }
            (hit.change.id, tally)
        })
    }

    /// Holds the plan against the limit, then the plan with what was written within a day and within a week.
    pub fn judge(&self, settings: &GuardSettings, window: &Window, at: Timestamp) -> Option<Trip> {
        let share = self.limit.percent.map(|percent| self.base * u64::from(percent) / 100);
        let most = self.limit.number.into_iter().chain(share).min()?.max(settings.floor);
        let spared = self.hits.iter().filter(|hit| hit.spared);
        let here = Sum { all: self.hits.iter().map(|hit| hit.count).sum(), spared: spared.map(|hit| hit.count).sum() };
        if here.all == 0 {
            return None;
        }
        let trip = |message, count, limit| Trip {
            rule: self.rule,
            message,
            count,
            limit,
            changes: self.hits.iter().map(|hit| hit.change.id).collect::<BTreeSet<_>>().into_iter().collect(),
            may_allow: true,
        };
        let (what, floor, words) = (&self.what, settings.floor, self.in_words());
        let count = here.after(self.reserve);
        if count > most {
            return Some(trip(format!("{count} {what}; the limit is {words}, never less than {floor}"), count, most));
        }
        let (class, spared) = self.classes();
        let spans = [(Span::Day, settings.windows.day, "24 hours"), (Span::Week, settings.windows.week, "7 days")];
        spans.into_iter().find_map(|(span, times, within)| {
            let now = at.as_millisecond();
            let before = Sum { all: window.sum(&class, span, now), spared: window.sum(&spared, span, now) };
            let both = Sum { all: here.all + before.all, spared: here.spared + before.spared }.after(self.reserve);
            let most = most.saturating_mul(times);
            (both > most).then(|| {
                // What may be left of it, for this plan to pass.
                let frees = window.frees(&class, span, now, most.saturating_sub(count));
                let frees = Timestamp::from_millisecond(frees).map_or_else(|_| "later".to_owned(), |at| format!("{at:.0}"));
                let times = if times == 1 { String::new() } else { format!("{times} times ") };
                let message = format!(
                    "{count} {what}, and {} were within the last {within} without anybody's approval: {both} together; the \
                     limit for {within} is {times}{words}, never less than {times}{floor}. This plan passes by itself from \
                     {frees} on, if nothing else is written",
                    before.all
                );
                trip(message, both, most)
            })
        })
    }

    fn in_words(&self) -> String {
        match (self.limit.number, self.limit.percent) {
            (Some(number), Some(percent)) => format!("{number} or {percent} % of {}", self.base),
            (Some(number), None) => number.to_string(),
            (None, percent) => format!("{} % of {}", percent.unwrap_or(0), self.base),
        }
    }
}
