//! Whether and when a failed request is sent again. Only an error that may pass (`Retry::Later`) and that
//! certainly had no effect is repeated: any other outcome is read back by the engine first.
//!
//! Delays grow with full jitter, so that callers who failed together do not return together. What a
//! target asks for in Retry-After holds the whole target, through [`Pace::hold_until`].

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::pace::Pace;
use super::setting::SettingError;
use crate::model::{Effect, Retry, TargetError};

/// When a request is given up. Checked when it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct RetryConfig {
    attempts: u32,
    first_delay: Duration,
    longest_delay: Duration,
    give_up_after: Duration,
    longest_hold: Duration,
}

/// [`RetryConfig`] as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    attempts: u32,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    first_delay: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    longest_delay: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    give_up_after: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    longest_hold: Duration,
}

impl Default for Written {
    fn default() -> Self {
        let RetryConfig { attempts, first_delay, longest_delay, give_up_after, longest_hold } = RetryConfig::default();
        Self { attempts, first_delay, longest_delay, give_up_after, longest_hold }
    }
}

impl TryFrom<Written> for RetryConfig {
    type Error = SettingError;

    fn try_from(written: Written) -> Result<Self, SettingError> {
        let Written { attempts, first_delay, longest_delay, give_up_after, longest_hold } = written;
        Self { attempts, first_delay, longest_delay, give_up_after, longest_hold }.checked()
    }
}

impl Default for RetryConfig {
    /// Four attempts, delays from half a second to 20 s, given up after 2 min; a target is believed that
    /// asks for up to 5 min.
    fn default() -> Self {
        Self {
            attempts: 4,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(20),
            give_up_after: Duration::from_mins(2),
            longest_hold: Duration::from_mins(5),
        }
    }
}

impl RetryConfig {
    /// At most `attempts` (1 to 20) in all; the delay before the first repetition is at most `first_delay`
    /// and doubles up to `longest_delay`; no repetition starts later than `give_up_after` the first failure;
    /// a Retry-After beyond `longest_hold` is taken as that long.
    ///
    /// # Errors
    /// [`SettingError`] naming what is out of range.
    pub fn new(
        attempts: u32,
        first_delay: Duration,
        longest_delay: Duration,
        give_up_after: Duration,
        longest_hold: Duration,
    ) -> Result<Self, SettingError> {
        Self { attempts, first_delay, longest_delay, give_up_after, longest_hold }.checked()
    }

    fn checked(self) -> Result<Self, SettingError> {
        const DAY: Duration = Duration::from_hours(24);
        if !(1..=20).contains(&self.attempts) {
            return Err(SettingError::new("attempts", "must lie between 1 and 20"));
        }
        if self.first_delay.is_zero() || self.first_delay > self.longest_delay {
            return Err(SettingError::new("first_delay", "must be longer than nothing and at most longest_delay"));
        }
        for (field, value) in [
            ("longest_delay", self.longest_delay),
            ("give_up_after", self.give_up_after),
            ("longest_hold", self.longest_hold),
        ] {
            if value > DAY {
                return Err(SettingError::new(field, "must be at most one day"));
            }
        }
        Ok(self)
    }

    /// The longest delay before repetition `number` (the first is 1).
    fn ceiling(&self, number: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(number.saturating_sub(1));
        self.first_delay.saturating_mul(doubled).min(self.longest_delay)
    }
}

/// Makes `attempt` (numbered from 1) until it succeeds or must not, or need not, be made again; then the
/// last error is the answer. `attempt` asks `pace` for its permit itself, and gives it back before it ends.
///
/// # Errors
/// The error of the last attempt, unchanged.
pub async fn repeat<T, F, Fut>(
    config: &RetryConfig,
    pace: &Pace,
    mut random: fastrand::Rng,
    mut attempt: F,
) -> Result<T, TargetError>
where
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, TargetError>>,
{
    let mut number = 1;
    let mut first_failure = None;
    loop {
        let error = match attempt(number).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let now = Instant::now();
        let Retry::Later(told) = error.retry else { return Err(error) };
        let hold = told.unwrap_or_default().min(config.longest_hold);
        if told.is_some() {
            pace.hold_until(now + hold);
        }
        let delay = config.ceiling(number).mul_f64(random.f64());
        let since = now - *first_failure.get_or_insert(now);
        if error.effect != Effect::None || number >= config.attempts || since + delay.max(hold) > config.give_up_after {
            return Err(error);
        }
        sleep(delay).await;
        number += 1;
    }
}

/// How long a Retry-After header asks to wait: seconds, or a date, which counts from the answer's own
/// `date` so that two clocks need not agree. `None` where it says neither, or a date without one to
/// count from. (RFC 9110, section 10.2.3.)
pub fn parse_retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean a very long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until: SystemTime = httpdate::parse_http_date(value).ok()?;
    let from = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(until.duration_since(from).unwrap_or_default())
}
