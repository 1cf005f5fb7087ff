//! The whole client against the simulated site: in memory under a paused clock, and over HTTP.

mod access;
mod enrolling;
mod http;
mod inspecting;
mod reading;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use reconcile_state::{Edit, Record, Remote, Standing, Value};

use crate::model::{Anchor, Batch, Effect, ErrorKind, Match, Outcome, Ready, Retry, TargetError};
use crate::targets::moodle::config::Settings;
use crate::targets::moodle::schema as id;
use crate::targets::moodle::sim::{Column, Fault, Gate, Language, Mode, MoodleSim, RetryAfter, SitePlan, User, World};
use crate::targets::moodle::testing::{account, create, institution, section, settings, update, update_named};
use crate::targets::moodle::{ACCOUNT, Access, Config, Memory, Moodle};
use crate::targets::port::{Ask, Definition, End, Page, Seen, Surroundings, Target};
use crate::wire::breaker::AWAY;

const LOG_IN: &str = "username = 'svc-reconcile'\npassword = 'env:P'\nservice = 'reconcile'\n";
const REPORT: &str = "[report]\nid = 1\n";

/// A site in memory and the target over it.
struct Site {
    gate: Arc<Gate>,
    target: Target,
}

fn with_token(more: &str, token: &str) -> Settings {
    let mut settings = settings(more);
    if let Access::Token(_) = settings.access {
        settings.access = Access::Token(crate::config::Secret::new(token));
    }
    settings
}

fn site_of(plan: SitePlan, more: &str) -> Site {
    let settings = with_token(more, &plan.token);
    let gate = Arc::new(Gate::new(plan));
    let memory = Memory::new(Arc::clone(&gate), settings.pace, settings.request_timeout);
    Site { gate, target: Moodle::over(Arc::new(memory), settings).unwrap() }
}

fn site(more: &str) -> Site {
    site_of(SitePlan::default(), more)
}

/// The same site under credentials instead of a token.
fn site_with_log_in() -> Site {
    let plan = SitePlan::default();
    let text = format!("url = 'http://127.0.0.1:9'\nauth = 'oidc'\n{LOG_IN}");
    let config: Config = toml::from_str(&text).unwrap();
    let password = plan.service_password.clone();
    let environment = move |_: &str| Some(password.clone());
    let settings = config.check(&Surroundings::new(&institution(), &environment)).unwrap();
    let gate = Arc::new(Gate::new(plan));
    let memory = Memory::new(Arc::clone(&gate), settings.pace, settings.request_timeout);
    Site { gate, target: Moodle::over(Arc::new(memory), settings).unwrap() }
}

impl Site {
    fn world(&self) -> &World {
        self.gate.world()
    }

    fn add(&self, username: &str, auth: &str) -> u64 {
        self.world().add_user(user(username, auth)).unwrap()
    }

    async fn observe(&self, ask: Ask) -> Result<Vec<Page>, TargetError> {
        observe(&self.target, ask).await
    }

    async fn all(&self) -> Result<(Vec<Seen>, Option<u64>), TargetError> {
        let mut pages = self.observe(Ask::All).await?;
        assert_eq!(pages.len(), 1);
        let page = pages.remove(0);
        Ok((page.seen, page.end.expect("the last page").total))
    }

    async fn write(&self, ready: Vec<Ready>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for batch in self.target.writer.batches(ready) {
            outcomes.extend(self.target.writer.write(&batch).await);
        }
        outcomes
    }

    async fn write_one(&self, ready: Ready) -> Outcome {
        let mut outcomes = self.write(vec![ready]).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }
}

async fn observe(target: &Target, ask: Ask) -> Result<Vec<Page>, TargetError> {
    target.observer.reader.observe(ACCOUNT, ask).try_collect().await
}

fn user(username: &str, auth: &str) -> User {
    User {
        username: username.into(),
        firstname: "Kari".into(),
        lastname: "O'Hara & Co".into(),
        email: format!("{username}@example.invalid"),
        auth: auth.into(),
        department: "A < B".into(),
        ..User::default()
    }
}

fn anchor(key: &str, remembered: Option<&str>, username: &str, idnumber: &str) -> Anchor {
    let one = |field, value: &str, only_unique| Match { field, value: value.into(), only_unique };
    Anchor {
        key: key.into(),
        remembered: remembered.map(|id| Remote { id: Some(id.into()), handle: None }),
        matches: vec![one("username", username, false), one("idnumber", idnumber, true)],
    }
}

fn error(outcome: &Outcome) -> &TargetError {
    assert!(outcome.landed.is_empty());
    outcome.error.as_ref().expect("a failed change")
}

fn set(attribute: reconcile_state::AttributeId, to: &str) -> Edit {
    Edit::Set { attribute, from: None, to: Value::from(to) }
}

fn names(seen: &[Seen]) -> Vec<&str> {
    seen.iter().filter_map(|seen| seen.remote.handle.as_deref()).collect()
}
