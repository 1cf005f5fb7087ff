//! Short ways in for the simulator's own tests.

use jiff::Timestamp;
use serde_json::Value;

use super::{Form, SitePlan, User, World};

/// A fresh default site.
pub(super) fn site() -> World {
    World::new(SitePlan::default())
}

/// So many seconds after the site's start.
pub(super) fn at(seconds: i64) -> Timestamp {
    let start = SitePlan::default().started_at;
    Timestamp::from_second(start.as_second() + seconds).unwrap()
}

/// A JSON call with a token.
pub(super) fn token_form(token: &str, function: &str, fields: &[(&str, &str)]) -> Form {
    let fixed =
        [("wstoken", token), ("wsfunction", function), ("moodlewsrestformat", "json"), ("moodlewssettingraw", "1")];
    Form::of(fixed.into_iter().chain(fields.iter().copied()))
}

/// Asks as the service account, at the site's start.
pub(super) fn ask(world: &World, function: &str, fields: &[(&str, &str)]) -> Value {
    let token = world.lock().plan.token.clone();
    world.call(&token_form(&token, function, fields), at(0)).json()
}

/// The error code of an answer.
pub(super) fn code(world: &World, function: &str, fields: &[(&str, &str)]) -> String {
    ask(world, function, fields)["errorcode"].as_str().unwrap_or_default().to_owned()
}

/// An invented user.
pub(super) fn user(username: &str) -> User {
    User {
        username: username.into(),
        firstname: "Kari".into(),
        lastname: "Nordmann".into(),
        email: format!("{username}@example.invalid"),
        ..super::world::blank_user("oidc", at(0).as_second())
    }
}
