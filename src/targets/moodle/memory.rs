//! The transport into a simulated site in this process: no sockets, so that it works under a paused clock.
//!
//! It paces, repeats and gives up as the one over HTTP does; a connection that is cut leaves the same doubt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use super::answer::CONNECTION_FAILED;
use super::sim::{Form, Gate, Reply as Played};
use super::transport::{Judge, Transport};
use crate::model::{Effect, ErrorKind, TargetError};
use crate::wire::retry::{parse_retry_after, repeat};
use crate::wire::{Breaker, Pace, PaceConfig, Purpose, Reply, Request, RetryConfig};

/// A way into a simulated site.
pub struct Memory {
    gate: Arc<Gate>,
    pace: Pace,
    breaker: Breaker,
    retry: RetryConfig,
    request_timeout: Duration,
    random: Mutex<fastrand::Rng>,
}

impl Memory {
    /// A way into this site.
    pub fn new(gate: Arc<Gate>, pace: PaceConfig, request_timeout: Duration) -> Self {
        let random = Mutex::new(fastrand::Rng::with_seed(1));
        let breaker = Breaker::new(super::PIPELINE, pace.concurrency());
        Self { gate, pace: Pace::new(pace), breaker, retry: RetryConfig::default(), request_timeout, random }
    }

    async fn attempt(&self, request: &Request, judge: Judge<'_>) -> Result<(), TargetError> {
        let permit = self.pace.admit().await;
        let path = format!("/{}", request.path);
        let played = async {
            match self.gate.post(&path, Form::of(request.form.clone())).await {
                Played::Answer(answer) => Some(answer),
                Played::Drip(answer, over) => {
                    tokio::time::sleep(over).await;
                    Some(answer)
                }
                Played::Cut => None,
            }
        };
        let answer = tokio::time::timeout(self.request_timeout, played).await;
        drop(permit);
        let judged = match answer {
            Ok(Some(answer)) => judge(Reply {
                status: answer.status,
                content_type: answer.content_type.to_owned(),
                retry_after: answer.retry_after.as_deref().and_then(|value| parse_retry_after(value, None)),
                body: answer.body.into_bytes().into(),
            }),
            Ok(None) => Err(lost("the connection broke before the answer was there")),
            Err(_) => Err(lost("the site did not answer in time")),
        };
        judged.map_err(|error| if request.purpose == Purpose::Read { error.effect(Effect::None) } else { error })
    }
}

fn lost(message: &str) -> TargetError {
    TargetError::new(ErrorKind::Connect, CONNECTION_FAILED, message).later(None).effect(Effect::Unknown)
}

impl Transport for Memory {
    fn post<'t>(&'t self, request: Request, judge: Judge<'t>) -> BoxFuture<'t, Result<(), TargetError>> {
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner).fork();
        Box::pin(async move {
            repeat(&self.retry, &self.pace, &self.breaker, random, |_| self.attempt(&request, judge)).await
        })
    }
}
