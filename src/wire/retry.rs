//! Whether and when a failed request is sent again. Only an error that may pass (`Retry::Later`) and that
//! certainly had no effect is repeated: any other outcome is read back by the engine first.
//!
//! Delays grow with full jitter, so that callers who failed together do not return together. What a
//! target asks for in Retry-After holds the whole target: through [`Pace::hold_until`], or, where nobody would wait so
//! long, through [`Breaker::leave_alone`]. While the breaker is open nothing is sent, and nothing repeated.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::breaker::Breaker;
use super::pace::Pace;
use crate::model::{Effect, Retry, TargetError};

/// When a request is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryConfig {
    /// At most so many attempts in all, 1 or more.
    pub attempts: u32,
    /// The delay before the first repetition is at most this, and doubles from one to the next.
    pub first_delay: Duration,
    /// No delay is longer.
    pub longest_delay: Duration,
    /// No repetition starts later than this after the first failure.
    pub give_up_after: Duration,
    /// A Retry-After beyond this is taken as this long.
    pub longest_hold: Duration,
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
/// The error of the last attempt, unchanged; the breaker's where none was made.
pub async fn repeat<T, F, Fut>(
    config: &RetryConfig,
    pace: &Pace,
    breaker: &Breaker,
    mut random: fastrand::Rng,
    mut attempt: F,
) -> Result<T, TargetError>
where
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, TargetError>>,
{
    let mut number = 1;
    let mut first_failure = None;
    let mut passage = breaker.admit()?;
    loop {
        let answer = attempt(number).await;
        passage.settle(answer.as_ref().err());
        let error = match answer {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let now = Instant::now();
        let Retry::Later(told) = error.retry else { return Err(error) };
        let hold = told.unwrap_or_default().min(config.longest_hold);
        if hold > config.give_up_after {
            breaker.leave_alone(hold, &error);
        } else if told.is_some() {
            pace.hold_until(now + hold);
        }
        let delay = config.ceiling(number).mul_f64(random.f64());
        let since = now - *first_failure.get_or_insert(now);
        if error.effect != Effect::None || number >= config.attempts || since + delay.max(hold) > config.give_up_after {
            return Err(error);
        }
        sleep(delay).await;
        if !breaker.is_closed() {
            return Err(error);
        }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::model::ErrorKind;
    use crate::wire::PaceConfig;
    use crate::wire::breaker::AWAY;

    const LONG: Duration = Duration::from_hours(1);

    fn config(attempts: u32, give_up_after: Duration) -> RetryConfig {
        let (first_delay, longest_delay) = (Duration::from_secs(1), Duration::from_secs(4));
        RetryConfig { attempts, first_delay, longest_delay, give_up_after, longest_hold: LONG }
    }

    fn error(number: u32) -> TargetError {
        TargetError::new(ErrorKind::Unavailable, format!("E{number}"), "down")
    }

    /// Times of the attempts, from the start, and the last answer, where attempt n fails with `answer(n)`.
    async fn attempts(
        config: &RetryConfig,
        seed: u64,
        answer: impl Fn(u32) -> Result<u32, TargetError>,
    ) -> (Vec<Duration>, Result<u32, TargetError>) {
        let pace = Pace::new(PaceConfig::new(1_000.0, None, 4).unwrap());
        let (start, times) = (Instant::now(), RefCell::new(Vec::new()));
        let last = repeat(config, &pace, &Breaker::new("toy", 4), fastrand::Rng::with_seed(seed), |number| {
            let (pace, times, answer) = (&pace, &times, &answer);
            async move {
                let _permit = pace.admit().await;
                times.borrow_mut().push(start.elapsed());
                answer(number)
            }
        })
        .await;
        (times.into_inner(), last)
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_repeated_until_it_succeeds() {
        let answer = |number| if number < 3 { Err(error(number).later(None)) } else { Ok(number) };
        let (times, last) = attempts(&config(5, LONG), 1, answer).await;
        assert_eq!((times.len(), last), (3, Ok(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_effect_that_is_not_none_is_never_repeated() {
        for effect in [Effect::Unknown, Effect::Partial] {
            let (times, last) =
                attempts(&config(5, LONG), 1, |number| Err(error(number).later(None).effect(effect))).await;
            assert_eq!((times.len(), last), (1, Err(error(1).later(None).effect(effect))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_never_repeated() {
        let (times, last) = attempts(&config(5, LONG), 1, |number| Err(error(number))).await;
        assert_eq!((times.len(), last), (1, Err(error(1))));
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_answers_with_the_last_error() {
        let (times, last) = attempts(&config(4, LONG), 1, |number| Err(error(number).later(None))).await;
        assert_eq!((times.len(), last), (4, Err(error(4).later(None))));
        let short = config(20, Duration::from_secs(10));
        for seed in 0..50 {
            let (times, last) = attempts(&short, seed, |number| Err(error(number).later(None))).await;
            assert_eq!(last.unwrap_err().code, format!("E{}", times.len()));
            assert!(times.len() > 2 && times[times.len() - 1] <= Duration::from_millis(10_100), "{times:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn delays_grow_to_a_ceiling_with_full_jitter() {
        let mut longest = [Duration::ZERO; 4];
        let mut shortest = [LONG; 4];
        for seed in 0..200 {
            let (times, _) = attempts(&config(5, LONG), seed, |number| Err(error(number).later(None))).await;
            for (nth, pair) in times.windows(2).enumerate() {
                let delay = pair[1].saturating_sub(pair[0]);
                longest[nth] = longest[nth].max(delay);
                shortest[nth] = shortest[nth].min(delay);
            }
        }
        for (nth, ceiling) in [1_000, 2_000, 4_000, 4_000].into_iter().enumerate() {
            // The clock of a test moves in whole milliseconds.
            assert!(longest[nth] <= Duration::from_millis(ceiling + 5), "{longest:?}");
            assert!(longest[nth] > Duration::from_millis(ceiling * 9 / 10), "{longest:?}");
            assert!(shortest[nth] < Duration::from_millis(ceiling / 10), "{shortest:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_seed_gives_the_same_delays() {
        let run = async |seed| attempts(&config(5, LONG), seed, |number| Err(error(number).later(None))).await.0;
        assert_eq!(run(7).await, run(7).await);
        assert_ne!(run(7).await, run(8).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_names_a_time_is_left_alone_until_then() {
        let wait = Duration::from_secs(90);
        let answer = |number| if number < 2 { Err(error(number).later(Some(wait))) } else { Ok(number) };
        let (times, last) = attempts(&config(3, LONG), 1, answer).await;
        assert_eq!(last, Ok(2));
        assert!(times[1] >= wait && times[1] < wait + Duration::from_millis(10), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_time_holds_the_target_even_when_the_request_is_given_up() {
        let pace = Pace::new(PaceConfig::new(1_000.0, None, 4).unwrap());
        let capped = RetryConfig { longest_hold: Duration::from_secs(20), ..config(3, LONG) };
        let start = Instant::now();
        let unknown = error(1).later(Some(LONG * 24)).effect(Effect::Unknown);
        let last = repeat(&capped, &pace, &Breaker::new("toy", 4), fastrand::Rng::with_seed(1), |_| {
            let error = unknown.clone();
            async move { Err::<(), _>(error) }
        })
        .await;
        assert_eq!(last, Err(unknown));
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(pace.admit().await);
        assert_eq!(start.elapsed(), Duration::from_secs(20), "no longer than we believe it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_time_that_nobody_waits_for_fails_the_next_request_at_once() {
        let pace = Pace::new(PaceConfig::new(1_000.0, None, 4).unwrap());
        let (breaker, config) = (Breaker::new("toy", 4), RetryConfig::default());
        let hours = error(1).later(Some(LONG * 3));
        let (start, made) = (Instant::now(), RefCell::new(0));
        let ask = async || {
            let answer = repeat(&config, &pace, &breaker, fastrand::Rng::with_seed(1), |_| {
                *made.borrow_mut() += 1;
                let error = hours.clone();
                async move { Err::<(), _>(error) }
            });
            answer.await.unwrap_err().code
        };
        assert_eq!(ask().await, "E1");
        for _ in 0..20 {
            assert_eq!(ask().await, AWAY);
        }
        assert_eq!((*made.borrow(), start.elapsed()), (1, Duration::ZERO));
        sleep(config.longest_hold).await;
        assert_eq!((ask().await, *made.borrow()), ("E1".to_owned(), 2), "no longer than we believe it");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_repeated_once_the_target_is_known_to_be_away() {
        let pace = Pace::new(PaceConfig::new(1_000.0, None, 4).unwrap());
        let (breaker, config, made) = (Breaker::new("toy", 4), config(4, LONG), RefCell::new(0));
        let ask = async || {
            let answer = repeat(&config, &pace, &breaker, fastrand::Rng::with_seed(1), |number| {
                *made.borrow_mut() += 1;
                async move { Err::<(), _>(error(number).later(None)) }
            });
            answer.await.unwrap_err().code
        };
        for _ in 0..4 {
            assert_eq!(ask().await, "E4");
        }
        assert_eq!(ask().await, "E1", "its own error, of the first attempt");
        assert_eq!((ask().await, *made.borrow()), (AWAY.to_owned(), 17));
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let seconds = |value| parse_retry_after(value, date).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun Nov  6 08:49:38 1994"), Some(1));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a time that has passed");
        for senseless in ["", "-1", "1.5", "soon"] {
            assert_eq!(seconds(senseless), None);
        }
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:51:37 GMT", None), None, "nothing to count from");
    }
}
