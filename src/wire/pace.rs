//! How fast a target is asked: so many requests at once, so many in a second, none before a time that
//! the target named. Whoever comes first is served first.
//!
//! The limiter counts and this module waits. The limiter's own waiting wakes every waiter for every
//! permit, is unfair, and starves a task for seconds (facts on the store's performance, section 5); here
//! one task waits at a gate and the others stand in line behind it. Time is tokio's, so that paused time
//! works. What happens after a failure is decided in [`retry`](super::retry).

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::setting::SettingError;

/// Requests per second: from about one in a quarter of an hour to what one process can send.
const PER_SECOND: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;
/// Requests at once: beyond this a target is attacked, not asked.
const CONCURRENCY: std::ops::RangeInclusive<usize> = 1..=1_000;
/// A burst of one loses part of the rate: a late wake-up is never made up (facts, section 5).
const LEAST_BURST: u32 = 2;

/// How fast a target may be asked. Checked when it is made.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct PaceConfig {
    per_second: f64,
    burst: NonZeroU32,
    concurrency: usize,
}

/// [`PaceConfig`] as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    per_second: f64,
    burst: Option<u32>,
    concurrency: usize,
}

impl TryFrom<Written> for PaceConfig {
    type Error = SettingError;

    fn try_from(written: Written) -> Result<Self, SettingError> {
        Self::new(written.per_second, written.burst, written.concurrency)
    }
}

impl PaceConfig {
    /// `per_second` requests in a second (0.001 to 100 000), `burst` of them without a pause after a rest
    /// (default: a fiftieth of the rate, at least 2), `concurrency` at once (1 to 1 000).
    ///
    /// # Errors
    /// [`SettingError`] naming what is out of range.
    pub fn new(per_second: f64, burst: Option<u32>, concurrency: usize) -> Result<Self, SettingError> {
        if !PER_SECOND.contains(&per_second) {
            return Err(SettingError::new("per_second", "must lie between 0.001 and 100000"));
        }
        if !CONCURRENCY.contains(&concurrency) {
            return Err(SettingError::new("concurrency", "must lie between 1 and 1000"));
        }
        // The range above keeps the quotient within 2 000.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let burst = burst.unwrap_or_else(|| ((per_second / 50.0) as u32).max(LEAST_BURST));
        if burst < LEAST_BURST || f64::from(burst) > per_second.max(f64::from(LEAST_BURST)) {
            return Err(SettingError::new("burst", "must be at least 2 and at most what one second allows"));
        }
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        Ok(Self { per_second, burst, concurrency })
    }

    /// Requests per second, on the average.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Requests that may follow each other without a pause after a rest.
    pub fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// Requests at once.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// The gate of one target. Clones share it: pipelines that use the same credentials share one pace.
#[derive(Clone)]
pub struct Pace(Arc<Gate>);

struct Gate {
    concurrency: usize,
    places: Arc<Semaphore>,
    line: Mutex<()>,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Tick>>,
    not_before: std::sync::Mutex<Option<Instant>>,
}

/// The right to one request, given back when dropped. Held until the whole answer is there.
#[must_use = "a permit covers a request only while it is held"]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>);

impl Pace {
    /// A gate that nobody has passed yet.
    pub fn new(config: PaceConfig) -> Self {
        let period = Duration::from_secs_f64(1.0 / config.per_second);
        let quota =
            Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN)).allow_burst(config.burst);
        Self(Arc::new(Gate {
            concurrency: config.concurrency,
            places: Arc::new(Semaphore::new(config.concurrency)),
            line: Mutex::new(()),
            limiter: RateLimiter::direct_with_clock(quota, TokioClock),
            not_before: std::sync::Mutex::new(None),
        }))
    }

    /// How many requests may be under way at once.
    pub fn concurrency(&self) -> usize {
        self.0.concurrency
    }

    /// Waits for its turn. A place among the concurrent requests comes first and the rate second, so that
    /// a slow target does not use up rate that nobody can spend. Dropping the future leaves the line;
    /// one that is kept but not polled stops it, so it belongs into a task.
    pub async fn admit(&self) -> Permit {
        // The semaphore is never closed, so a place always comes.
        let place = Arc::clone(&self.0.places).acquire_owned().await.ok();
        let _turn = self.0.line.lock().await;
        loop {
            let now = Instant::now();
            let until = match self.held_until().filter(|until| *until > now) {
                Some(until) => until,
                None => match self.0.limiter.check() {
                    Ok(()) => return Permit(place),
                    Err(denied) => denied.earliest_possible().0,
                },
            };
            sleep_until(until).await;
        }
    }

    /// Admits nobody before `until`, also none of those who already wait. An earlier time than one that
    /// stands changes nothing. Requests under way are not touched.
    pub fn hold_until(&self, until: Instant) {
        let mut held = self.0.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (*held).max(Some(until));
    }

    fn held_until(&self) -> Option<Instant> {
        *self.0.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokio's clock as the limiter reads it.
struct TokioClock;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Tick(Instant);

impl Clock for TokioClock {
    type Instant = Tick;

    fn now(&self) -> Tick {
        Tick(Instant::now())
    }
}

impl Add<Nanos> for Tick {
    type Output = Self;

    fn add(self, span: Nanos) -> Self {
        Self(self.0 + Duration::from(span))
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, span: Nanos) -> Self {
        Self(self.0.checked_sub(span.into()).unwrap_or(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_second: f64, burst: u32, concurrency: usize) -> Pace {
        Pace::new(PaceConfig::new(per_second, Some(burst), concurrency).unwrap())
    }

    /// When each of `count` requests by one caller was admitted, from the start.
    async fn admissions(pace: &Pace, count: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            drop(pace.admit().await);
            times.push(start.elapsed());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_exact_after_the_burst() {
        let times = admissions(&pace(100.0, 2, 1), 402).await;
        assert_eq!(times[1], Duration::ZERO, "a burst of two");
        assert_eq!(times[2], Duration::from_millis(10));
        assert_eq!(times[401], Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_below_one_in_a_second_is_kept() {
        let times = admissions(&pace(0.1, 2, 1), 5).await;
        assert_eq!(times[4], Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_after_a_rest_is_bounded() {
        let pace = pace(50.0, 5, 10);
        drop(admissions(&pace, 20).await);
        tokio::time::advance(Duration::from_mins(10)).await;
        let times = admissions(&pace, 60).await;
        assert_eq!(times.iter().filter(|time| time.is_zero()).count(), 5);
        let first_second = times.iter().filter(|time| **time < Duration::from_secs(1)).count();
        assert_eq!(first_second, 5 + 49, "what the burst allows, and the rate");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_first_is_served_first() {
        let pace = pace(1_000.0, 2, 4);
        drop(admissions(&pace, 2).await);
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let (pace, order) = (pace.clone(), Arc::clone(&order));
                tokio::spawn(async move {
                    for _ in 0..10 {
                        let permit = pace.admit().await;
                        order.lock().unwrap().push(task);
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        for round in order.chunks(64) {
            let mut tasks = round.to_vec();
            tasks.sort_unstable();
            assert_eq!(tasks, (0..64).collect::<Vec<_>>(), "everybody once in each round");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_run_at_once_than_allowed() {
        let pace = pace(1_000.0, 20, 3);
        let held = [pace.admit().await, pace.admit().await, pace.admit().await];
        assert!(tokio::time::timeout(Duration::from_mins(1), pace.admit()).await.is_err());
        drop(held);
        let again = tokio::time::timeout(Duration::from_mins(1), pace.admit()).await;
        assert!(again.is_ok(), "who gave up waiting holds nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_holds_everybody_even_those_who_wait() {
        let pace = pace(10.0, 2, 8);
        drop(admissions(&pace, 2).await);
        let start = Instant::now();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move {
                    drop(pace.admit().await);
                    start.elapsed()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        pace.hold_until(start + Duration::from_secs(30));
        pace.hold_until(start + Duration::from_secs(5));
        let mut times = Vec::new();
        for task in waiting {
            times.push(task.await.unwrap());
        }
        times.sort_unstable();
        assert!(times[0] >= Duration::from_secs(30), "an earlier hold does not shorten a later one");
        assert!(times[2] <= Duration::from_millis(30_101), "and the rate goes on after it");
    }

    #[test]
    fn a_pace_is_read_checked_and_closed() {
        let read = |text: &str| toml::from_str::<PaceConfig>(text).map_err(|error| error.to_string());
        let pace = read("per_second = 1000\nconcurrency = 4").unwrap();
        assert_eq!((pace.burst(), pace.concurrency()), (20, 4));
        assert_eq!(read("per_second = 0.5\nconcurrency = 1").unwrap().burst(), 2);
        for (wrong, named) in [
            ("per_second = 0\nconcurrency = 1", "per_second"),
            ("per_second = nan\nconcurrency = 1", "per_second"),
            ("per_second = 10\nconcurrency = 0", "concurrency"),
            ("per_second = 10\nconcurrency = 1\nburst = 1", "burst"),
            ("per_second = 10\nconcurrency = 1\nburst = 11", "burst"),
            ("per_second = 10\nconcurrency = 1\nburts = 3", "burts"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
