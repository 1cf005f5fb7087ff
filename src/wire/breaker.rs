//! Whether a target is asked at all: after some requests in a row that found it away nothing is sent for a while, then
//! one request tries, and its answer decides for the rest. One for each set of credentials, next to its pace.
//!
//! It counts requests and not their repetitions: repeating is for hiccups (`retry.rs`), this is for a target that is
//! gone, so that nobody waits for one time-out after another. What a target refuses about one record is an answer. Too
//! many requests are answered by the pace, but for a named time that nobody would wait for. Whether a pipeline goes on
//! writing is the engine's decision.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{ErrorKind, TargetError};

/// Code of a request that was not sent because its target is away.
pub const AWAY: &str = "TARGET_AWAY";

/// So many requests in a row at least; a hiccup that met everything under way at once is none either.
const LEAST_FAILURES: usize = 5;
/// From opening to the first trial; doubled by each trial that fails.
const FIRST_REST: Duration = Duration::from_secs(15);
/// No rest is longer.
const LONGEST_REST: Duration = Duration::from_mins(5);

/// The breaker of one target. Clones share it, as those share a pace who use the same credentials.
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

struct Shared {
    target: &'static str,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Requests in a row that found the target away.
    failures: usize,
    open: Option<Open>,
}

struct Open {
    until: Instant,
    rest: Duration,
    on_trial: bool,
    /// Whether the target named the time itself: until then no answer ends it.
    named: bool,
    why: String,
}

impl Open {
    fn stands(&self) -> bool {
        self.named && Instant::now() < self.until
    }
}

impl Breaker {
    /// A breaker that lets everything pass. `target` is named in errors; `concurrency` is how many requests may be
    /// under way at once.
    pub fn new(target: &'static str, concurrency: usize) -> Self {
        let most = LEAST_FAILURES.max(concurrency.saturating_add(1));
        Self(Arc::new(Shared { target, most, state: Mutex::default() }))
    }

    /// Lets a request pass, or says why it is not sent. While the target rests, one passes as a trial when the rest is
    /// over.
    ///
    /// # Errors
    /// [`AWAY`], without effect.
    pub fn admit(&self) -> Result<Passage<'_>, TargetError> {
        let mut state = self.lock();
        let on_trial = match &mut state.open {
            None => false,
            Some(open) if open.on_trial || Instant::now() < open.until => return Err(self.refusal(open)),
            Some(open) => {
                open.on_trial = true;
                true
            }
        };
        Ok(Passage { breaker: self, on_trial, counted: false })
    }

    /// Makes a request that is not repeated.
    ///
    /// # Errors
    /// The request's, or [`AWAY`] where it was not made.
    pub async fn guard<T>(&self, request: impl Future<Output = Result<T, TargetError>>) -> Result<T, TargetError> {
        let mut passage = self.admit()?;
        let answer = request.await;
        passage.settle(answer.as_ref().err());
        answer
    }

    /// Whether requests pass.
    pub fn is_closed(&self) -> bool {
        self.lock().open.is_none()
    }

    /// The target named a time that nobody waits for: until then nothing is sent.
    pub fn leave_alone(&self, rest: Duration, error: &TargetError) {
        let why = format!("it asks to be left alone ({error})");
        let until = Instant::now() + rest;
        let mut state = self.lock();
        let until = state.open.as_ref().filter(|open| open.named).map_or(until, |open| open.until.max(until));
        state.failures = self.0.most;
        state.open = Some(Open { until, rest: FIRST_REST, on_trial: false, named: true, why });
    }

    fn refusal(&self, open: &Open) -> TargetError {
        let (target, why) = (self.0.target, &open.why);
        let left = open.until.saturating_duration_since(Instant::now());
        let when = match left.as_secs() + u64::from(left.subsec_nanos() > 0) {
            0 => "is being tried just now".to_owned(),
            seconds => format!("is tried again in {seconds} s"),
        };
        let message = format!("{target} is away: {why}; nothing was sent, and it {when}");
        TargetError::new(ErrorKind::Unavailable, AWAY, message).later(None)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("target", &self.0.target).finish_non_exhaustive()
    }
}

/// One request that passed. Dropped unsettled it has said nothing; a trial is then left to another.
pub struct Passage<'b> {
    breaker: &'b Breaker,
    on_trial: bool,
    counted: bool,
}

impl Passage<'_> {
    /// Says what came of the request, or of one attempt at it: no error, or this one.
    pub fn settle(&mut self, error: Option<&TargetError>) {
        let mut state = self.breaker.lock();
        // What was sent before the target named a time says nothing about it.
        if state.open.as_ref().is_some_and(Open::stands) {
            self.on_trial = false;
            return;
        }
        let Some(error) = error.filter(|error| is_away(error.kind)) else {
            *state = State::default();
            self.on_trial = false;
            return;
        };
        if !self.counted {
            self.counted = true;
            state.failures = state.failures.saturating_add(1);
        }
        let (now, failures) = (Instant::now(), state.failures);
        let why = format!("{failures} requests in a row failed, the last with {error}");
        match &mut state.open {
            Some(open) if self.on_trial => {
                let rest = open.rest.saturating_mul(2).min(LONGEST_REST);
                *open = Open { until: now + rest, rest, on_trial: false, named: false, why };
                self.on_trial = false;
            }
            None if failures >= self.breaker.0.most => {
                let until = now + FIRST_REST;
                state.open = Some(Open { until, rest: FIRST_REST, on_trial: false, named: false, why });
            }
            _ => {}
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.on_trial
            && let Some(open) = &mut self.breaker.lock().open
        {
            open.on_trial = false;
        }
    }
}

/// Whether an error speaks of the target as a whole and may pass by itself. Credentials that are refused will not:
/// asking again would only lock the account.
fn is_away(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Connect | ErrorKind::Unavailable)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::model::Effect;

    fn error(kind: ErrorKind) -> TargetError {
        TargetError::new(kind, "TOY_CONNECTION_FAILED", "nobody answers")
    }

    fn breaker() -> Breaker {
        Breaker::new("toy", 4)
    }

    /// One request that ends so; whether it was made.
    fn ask(breaker: &Breaker, kind: Option<ErrorKind>) -> bool {
        let Ok(mut passage) = breaker.admit() else { return false };
        passage.settle(kind.map(error).as_ref());
        true
    }

    fn opened() -> Breaker {
        let breaker = breaker();
        (0..5).for_each(|_| assert!(ask(&breaker, Some(ErrorKind::Connect))));
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn five_requests_in_a_row_open_it_and_any_answer_begins_anew() {
        let breaker = breaker();
        for answer in [
            None,
            Some(ErrorKind::Rejected),
            Some(ErrorKind::NotFound),
            Some(ErrorKind::RateLimited),
            Some(ErrorKind::Auth),
            Some(ErrorKind::Conflict),
            Some(ErrorKind::Malformed),
        ] {
            (0..4).for_each(|_| assert!(ask(&breaker, Some(ErrorKind::Unavailable))));
            assert!(ask(&breaker, answer), "{answer:?}");
        }
        (0..5).for_each(|_| assert!(ask(&breaker, Some(ErrorKind::Connect))));
        assert!(!ask(&breaker, None) && !breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn repetitions_of_one_request_count_once() {
        let breaker = breaker();
        let mut passage = breaker.admit().unwrap();
        (0..50).for_each(|_| passage.settle(Some(&error(ErrorKind::Connect))));
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hiccup_that_meets_everything_under_way_does_not_open_it() {
        let breaker = Breaker::new("toy", 20);
        (0..20).for_each(|_| assert!(ask(&breaker, Some(ErrorKind::Connect))));
        assert!(breaker.is_closed());
        assert!(ask(&breaker, Some(ErrorKind::Connect)) && !breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_was_not_sent_and_says_who_why_and_until_when() {
        let breaker = opened();
        advance(Duration::from_millis(3_500)).await;
        let refused = breaker.admit().err().unwrap();
        assert_eq!((refused.kind, refused.effect), (ErrorKind::Unavailable, Effect::None));
        assert_eq!(
            refused.to_string(),
            "TARGET_AWAY: toy is away: 5 requests in a row failed, the last with TOY_CONNECTION_FAILED: nobody answers; \
             nothing was sent, and it is tried again in 12 s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_trial_at_a_time_closes_it() {
        let breaker = opened();
        advance(FIRST_REST).await;
        let mut trial = breaker.admit().unwrap();
        let other = breaker.admit().err().unwrap();
        assert!(other.message.ends_with("is being tried just now"), "{other}");
        trial.settle(None);
        assert!(breaker.is_closed() && ask(&breaker, Some(ErrorKind::Connect)) && breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn trials_that_fail_come_ever_more_seldom_up_to_a_longest_rest() {
        let breaker = opened();
        let (start, mut trials) = (Instant::now(), Vec::new());
        while trials.len() < 8 {
            if ask(&breaker, Some(ErrorKind::Connect)) {
                trials.push(start.elapsed().as_secs());
            }
            advance(Duration::from_secs(1)).await;
        }
        let rests: Vec<u64> = trials.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((trials[0], rests), (15, vec![30, 60, 120, 240, 300, 300, 300]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_nobody_ended_is_left_to_another() {
        let breaker = opened();
        advance(FIRST_REST).await;
        drop(breaker.admit().unwrap());
        assert!(ask(&breaker, None) && breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_what_was_still_under_way_closes_it() {
        let breaker = breaker();
        let mut slow = breaker.admit().unwrap();
        (0..5).for_each(|_| assert!(ask(&breaker, Some(ErrorKind::Connect))));
        assert!(!breaker.is_closed());
        slow.settle(Some(&error(ErrorKind::Rejected)));
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_asks_to_be_left_alone_is_until_then() {
        let breaker = breaker();
        breaker.leave_alone(Duration::from_mins(4), &error(ErrorKind::RateLimited));
        let refused = breaker.admit().err().unwrap();
        assert!(
            refused.message.contains("asks to be left alone") && refused.message.ends_with("in 240 s"),
            "{refused}"
        );
        advance(Duration::from_mins(4)).await;
        assert!(ask(&breaker, None) && breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_to_what_was_still_under_way_shortens_a_time_that_was_named() {
        let answers = [None, Some(ErrorKind::RateLimited), Some(ErrorKind::Connect)];
        for (trial, answer) in [false, true].into_iter().flat_map(|trial| answers.map(|answer| (trial, answer))) {
            let breaker = if trial { opened() } else { breaker() };
            advance(FIRST_REST).await;
            let mut slow = breaker.admit().unwrap();
            breaker.leave_alone(Duration::from_mins(4), &error(ErrorKind::RateLimited));
            // A shorter time that was named before it.
            breaker.leave_alone(Duration::from_mins(1), &error(ErrorKind::RateLimited));
            slow.settle(answer.map(error).as_ref());
            drop(slow);
            advance(Duration::from_mins(4) - Duration::from_secs(1)).await;
            assert!(!ask(&breaker, None), "{trial} {answer:?}");
            advance(Duration::from_secs(1)).await;
            assert!(ask(&breaker, None) && breaker.is_closed(), "{trial} {answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_it() {
        let breaker = opened();
        assert!(breaker.clone().admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_guarded_request_that_is_refused_is_not_made() {
        let breaker = opened();
        let made = breaker.guard(async { Ok::<_, TargetError>(()) }).await;
        assert_eq!(made.unwrap_err().code, AWAY);
        advance(FIRST_REST).await;
        assert_eq!(breaker.guard(async { Ok::<_, TargetError>(7) }).await, Ok(7));
        assert!(breaker.is_closed());
    }
}
