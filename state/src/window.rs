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

/// What one pipeline wrote lately, by the hour in which it did. An hour counts until its end is as long ago as the
/// window is wide.
///
/// A clock that is wrong for one pass forgets nothing and keeps nothing for ever: what is old stays until many newer
/// hours stand beside it, whatever the clock says; and what is dated later than the clock has both dates, by the clock
/// that was set back and by the one that goes on from there. Whichever of them the clock turns out to follow counts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// In the order of their dates.
    hours: Vec<Hour>,
    /// Since when (Unix milliseconds) the clock has been behind some of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<i64>,
    /// The pass that is writing, or did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_way: Option<UnderWay>,
}

/// So many hours in which something was written are kept: those of two busy weeks.
const KEPT: usize = 14 * 24;

/// What was written in an hour, which is named by its beginning in Unix milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hour {
    /// By the latest that a clock ever said.
    latest: i64,
    /// By the clock that was then set back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set_back: Option<i64>,
    wrote: Tally,
}

impl Hour {
    /// The date that counts at `now`; what is dated later than that was written now.
    fn at(&self, now: i64) -> i64 {
        let at = if now < self.latest { self.set_back.unwrap_or(now) } else { self.latest };
        at.min(now)
    }

    /// Until when it counts within a span, as things are `now`.
    fn until(&self, span: Span, now: i64) -> i64 {
        self.at(now).saturating_add(HOUR).saturating_add(span.length())
    }
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
        let at = hour(at);
        let latest = self.hours.iter().map(|one| one.latest).max().unwrap_or(at).max(at);
        let set_back = Some(at).filter(|at| *at < latest);
        let counted = tally.iter().filter(|(_, count)| **count > 0);
        let wrote = match self.hours.iter_mut().find(|one| (one.latest, one.set_back) == (latest, set_back)) {
            Some(one) => &mut one.wrote,
            None => &mut self.hours.push_mut(Hour { latest, set_back, wrote: Tally::new() }).wrote,
        };
        for (class, count) in counted {
            let sum = wrote.entry(class.clone()).or_default();
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
        let mut held: Vec<(i64, u64)> = self.within(class, span, now).collect();
        held.sort_unstable();
        let mut left = self.sum(class, span, now);
        let mut from = now;
        for (until, count) in held {
            if left <= most {
                break;
            }
            left = left.saturating_sub(count);
            from = until;
        }
        from
    }

    /// What counts now: until when, and how much.
    fn within<'w>(&'w self, class: &'w str, span: Span, now: i64) -> impl Iterator<Item = (i64, u64)> + 'w {
        let all = self.hours.iter().map(move |one| (one.until(span, now), one));
        all.filter(move |(until, _)| *until > now).filter_map(|(until, one)| Some((until, *one.wrote.get(class)?)))
    }

    /// Takes note of the time, in Unix milliseconds: what turns out to be dated later than now is given the date that
    /// the clock says, beside its own. Once the clock has gone on for a week from where it was set back to, it is
    /// believed, and the other date dropped. Whether anything is dated otherwise than before.
    pub fn turn(&mut self, now: i64) -> bool {
        let before = self.dates();
        let behind = self.behind.unwrap_or(now).min(now);
        let is_believed = now >= behind.saturating_add(Span::Week.length());
        for one in &mut self.hours {
            let at = hour(one.at(now));
            (one.latest, one.set_back) = match one.latest > now {
                true if is_believed => (at, None),
                is_later => (one.latest, is_later.then_some(at)),
            };
        }
        self.behind = Some(behind).filter(|_| self.hours.iter().any(|one| one.latest > now));
        self.hours.sort_by_key(|one| (one.latest, one.set_back));
        self.hours.drain(..self.hours.len().saturating_sub(KEPT));
        before != self.dates()
    }

    fn dates(&self) -> (Option<i64>, Vec<(i64, Option<i64>)>) {
        (self.behind, self.hours.iter().map(|one| (one.latest, one.set_back)).collect())
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

/// The beginning of the hour of a time.
fn hour(at: i64) -> i64 {
    at.div_euclid(HOUR).saturating_mul(HOUR)
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
        for day in (0..9).rev() {
            window.add(NOW - day * 24 * HOUR - HOUR / 2, &tally(1 << day));
        }
        assert_eq!(sums(&window, NOW), (1, 0b111_1111));
        assert_eq!(sums(&window, NOW + 23 * HOUR), (1, 0b111_1111));
        assert_eq!(sums(&window, NOW + 24 * HOUR), (0, 0b11_1111));
        assert_eq!(window.sum("updates", Span::Week, NOW), 0);
        assert!(!window.turn(NOW));
        assert_eq!(sums(&window, NOW), (1, 0b111_1111));
    }

    #[test]
    fn what_is_kept_does_not_grow_for_ever_and_holds_a_busy_week() {
        let mut window = Window::default();
        for back in (0..1000).rev() {
            window.add(NOW - back * HOUR, &tally(1));
        }
        window.turn(NOW);
        assert_eq!((window.hours.len(), sums(&window, NOW)), (KEPT, (25, 169)));
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

    const DAY: i64 = 24 * HOUR;

    #[test]
    fn a_clock_that_is_set_back_neither_frees_a_window_nor_keeps_it_for_ever() {
        for back in [HOUR, 30 * HOUR, 400 * DAY] {
            let mut window = Window::default();
            window.add(NOW, &tally(40));
            let now = NOW - back;
            assert_eq!(sums(&window, now), (40, 40), "{back}");
            assert!(window.turn(now), "{back}");
            assert_eq!(sums(&window, now), (40, 40), "{back}");
            assert_eq!(sums(&window, now + 26 * HOUR), (0, 40), "{back}");
            // By the later date, where the clock comes by it once more.
            assert_eq!(sums(&window, now + 8 * DAY + back.min(2 * DAY)), (0, 0), "{back}");
            assert!(!window.turn(now + HOUR / 2), "{back}");
        }
    }

    #[test]
    fn a_clock_that_is_ahead_for_a_pass_forgets_nothing_and_what_it_wrote_counts_as_well() {
        for ahead in [2 * DAY, 8 * DAY, 30 * DAY, 4000 * DAY] {
            for wrote in [0, 5] {
                let mut window = Window::default();
                window.add(NOW - 3 * DAY, &tally(20));
                window.add(NOW, &tally(40));
                window.turn(NOW + ahead);
                window.add(NOW + ahead, &tally(wrote));
                window.turn(NOW + HOUR);
                assert_eq!(sums(&window, NOW + HOUR), (40 + wrote, 60 + wrote), "{ahead}");
                // And goes as it came.
                assert_eq!(sums(&window, NOW + 26 * HOUR), (0, 60 + wrote), "{ahead}");
                let gone = NOW + 9 * DAY + if ahead < 10 * DAY { ahead } else { 0 };
                window.turn(gone);
                assert_eq!(sums(&window, gone), (0, 0), "{ahead}");
                assert_eq!(sums(&window, NOW + ahead + 10 * DAY), (0, 0), "{ahead}");
            }
        }
    }

    #[test]
    fn what_is_written_while_the_clock_is_behind_counts_when_it_is_right_again() {
        let mut window = Window::default();
        window.add(NOW, &tally(40));
        // A machine that woke up without a clock.
        let wrong = 365 * DAY;
        window.turn(wrong);
        assert_eq!(sums(&window, wrong), (40, 40));
        window.add(wrong, &tally(5));
        assert_eq!(sums(&window, wrong), (45, 45));
        window.turn(NOW + HOUR);
        assert_eq!(sums(&window, NOW + HOUR), (45, 45));
        // A little back once more, and it is not taken for a year old.
        window.turn(NOW - HOUR);
        assert_eq!(sums(&window, NOW - HOUR), (45, 45));
        window.turn(NOW + 2 * DAY);
        assert_eq!(sums(&window, NOW + 2 * DAY), (0, 45));
    }

    #[test]
    fn a_clock_that_stays_where_it_was_set_back_to_is_believed_after_a_week() {
        let mut window = Window::default();
        let ahead = NOW + 30 * DAY;
        window.add(ahead, &tally(40));
        for day in 0..40 {
            let now = NOW + day * DAY;
            window.turn(now);
            let week = window.sum("disables", Span::Week, now);
            let mine: i64 = day.min(7) + if day < 8 { 40 } else { 0 };
            assert_eq!(i64::try_from(week).unwrap(), mine, "{day}");
            window.add(now, &tally(1));
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
