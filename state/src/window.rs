//! Window: how much was written lately that nobody had approved, hour by hour. Pure: the time comes in.
//!
//! A limit on a single pass says nothing of many small ones; what they did together is held against it too.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

const HOUR: i64 = 60 * 60 * 1000;

/// How far back a window reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Span {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
}

impl Span {
    /// In milliseconds.
    pub fn length(self) -> i64 {
        match self {
            Self::Day => 24 * HOUR,
            Self::Week => 7 * 24 * HOUR,
        }
    }
}

/// How much of each class: a rule, and what it counts apart.
pub type Tally = BTreeMap<String, u64>;

/// What one pipeline wrote within the last week, by the hour in which it did. An hour counts until its end is as long
/// ago as the window is wide.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// By the beginning of the hour, in Unix milliseconds.
    hours: BTreeMap<i64, Tally>,
    /// The pass that is writing, or did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_way: Option<UnderWay>,
}

/// What a pass is about to write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnderWay {
    /// The run.
    pub run: String,
    /// When it began, in Unix milliseconds.
    pub at: i64,
    /// What each of its changes counts for.
    pub changes: Vec<(Digest, Tally)>,
}

impl Window {
    /// Adds what was written at `at` (Unix milliseconds).
    pub fn add(&mut self, at: i64, tally: &Tally) {
        let hour = self.hours.entry(at.div_euclid(HOUR).saturating_mul(HOUR)).or_default();
        for (class, count) in tally.iter().filter(|(_, count)| **count > 0) {
            let sum = hour.entry(class.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How much of a class was written within `span` before `now` (Unix milliseconds). What is dated later than now was
    /// written before the clock was set back, and counts.
    pub fn sum(&self, class: &str, span: Span, now: i64) -> u64 {
        self.within(class, span, now).fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// From when on (Unix milliseconds) no more than `most` of a class is left of what `span` holds now.
    pub fn frees(&self, class: &str, span: Span, now: i64, most: u64) -> i64 {
        let mut left = self.sum(class, span, now);
        let mut from = now;
        for (hour, count) in self.within(class, span, now) {
            if left <= most {
                break;
            }
            left = left.saturating_sub(count);
            from = end(hour.min(now)).saturating_add(span.length());
        }
        from
    }

    fn within<'w>(&'w self, class: &'w str, span: Span, now: i64) -> impl Iterator<Item = (i64, u64)> + 'w {
        let all = self.hours.iter().filter(move |(hour, _)| end(**hour).saturating_add(span.length()) > now);
        all.filter_map(move |(hour, tally)| Some((*hour, *tally.get(class)?)))
    }

    /// Drops what is older than a week; what is dated later than `now` (Unix milliseconds) was written before the clock
    /// was set back, and is taken for written now, so that it neither frees at once nor stays for ever. Whether
    /// anything was dated so.
    pub fn turn(&mut self, now: i64) -> bool {
        let later: Vec<i64> = self.hours.range(now.saturating_add(1)..).map(|(hour, _)| *hour).collect();
        for hour in &later {
            let tally = self.hours.remove(hour).unwrap_or_default();
            self.add(now, &tally);
        }
        self.hours.retain(|hour, _| end(*hour).saturating_add(Span::Week.length()) > now);
        !later.is_empty()
    }

    /// Remembers what is about to be written: a pass that does not come to its end has its place here.
    pub fn begin(&mut self, under_way: UnderWay) {
        self.under_way = Some(under_way).filter(|under_way| !under_way.changes.is_empty());
    }

    /// The pass that is writing, or did not come to its end.
    pub fn under_way(&self) -> Option<&UnderWay> {
        self.under_way.as_ref()
    }

    /// Counts those of the changes under way that were sent, as written at `at` (Unix milliseconds).
    pub fn end(&mut self, at: i64, sent: &BTreeSet<Digest>) {
        let Some(UnderWay { changes, .. }) = self.under_way.take() else { return };
        for (_, tally) in changes.iter().filter(|(change, _)| sent.contains(change)) {
            self.add(at, tally);
        }
    }
}

fn end(hour: i64) -> i64 {
    hour.saturating_add(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 20_000 * 24 * HOUR;

    fn tally(count: u64) -> Tally {
        [("disables".to_owned(), count)].into()
    }

    fn sums(window: &Window, now: i64) -> (u64, u64) {
        (window.sum("disables", Span::Day, now), window.sum("disables", Span::Week, now))
    }

    #[test]
    fn a_window_holds_what_was_written_within_it_and_nothing_older() {
        let mut window = Window::default();
        for day in 0..9 {
            window.add(NOW - day * 24 * HOUR - HOUR / 2, &tally(1 << day));
        }
        assert_eq!(sums(&window, NOW), (1, 0b111_1111));
        assert_eq!(sums(&window, NOW + 23 * HOUR), (1, 0b111_1111));
        assert_eq!(sums(&window, NOW + 24 * HOUR), (0, 0b11_1111));
        assert_eq!(window.sum("updates", Span::Week, NOW), 0);
        assert!(!window.turn(NOW));
        assert_eq!((window.hours.len(), sums(&window, NOW)), (7, (1, 0b111_1111)), "it is pruned");
    }

    #[test]
    fn it_says_from_when_on_enough_is_free() {
        let mut window = Window::default();
        window.add(NOW - 10 * HOUR, &tally(30));
        window.add(NOW - 5 * HOUR, &tally(15));
        for (most, hours) in [(45, 0), (44, 15), (15, 15), (14, 20), (0, 20)] {
            let frees = window.frees("disables", Span::Day, NOW, most);
            assert_eq!(frees, NOW + hours * HOUR, "{most}");
            assert!(window.sum("disables", Span::Day, frees) <= most);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_neither_frees_a_window_nor_keeps_it_for_ever() {
        for back in [HOUR, 30 * HOUR, 400 * 24 * HOUR] {
            let mut window = Window::default();
            window.add(NOW, &tally(40));
            let now = NOW - back;
            assert_eq!(sums(&window, now), (40, 40), "{back}");
            assert!(window.turn(now), "{back}");
            assert_eq!(sums(&window, now), (40, 40), "{back}");
            assert_eq!(sums(&window, now + 25 * HOUR), (0, 40), "{back}");
            assert_eq!(sums(&window, now + 8 * 24 * HOUR), (0, 0), "{back}");
            assert!(!window.turn(now + HOUR), "{back}");
        }
    }

    #[test]
    fn of_a_pass_that_was_cut_off_only_what_was_sent_counts() {
        let mut window = Window::default();
        let changes = (0..3_u8).map(|n| (Digest([n; 16]), tally(u64::from(n) + 1))).collect();
        window.begin(UnderWay { run: "r".into(), at: NOW, changes });
        assert_eq!(sums(&window, NOW), (0, 0));
        let text = serde_json::to_string(&window).unwrap();
        let mut window: Window = serde_json::from_str(&text).unwrap();
        window.end(NOW, &[Digest([0; 16]), Digest([2; 16])].into());
        assert_eq!((sums(&window, NOW), window.under_way()), ((4, 4), None));
        window.end(NOW, &[Digest([1; 16])].into());
        assert_eq!(sums(&window, NOW), (4, 4), "once");
    }
}
