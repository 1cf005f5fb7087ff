//! Tokens of the one external service.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plan::SitePlan;
use super::refusal::Refusal;

/// How long a token made by a log-in is valid, in seconds (`tokenduration`).
pub(super) const TOKEN_SECONDS: i64 = 7_257_600;

/// Tokens of the one external service, with their holder and end.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    rows: BTreeMap<String, (u64, Option<i64>)>,
    made: u64,
}

impl Tokens {
    pub(super) fn new(plan: &SitePlan) -> Self {
        Self { rows: BTreeMap::from([(plan.token.clone(), (plan.service_user, None))]), made: 0 }
    }

    /// The holder. An expired token is refused with `accessexception` once, and is gone after that.
    pub(super) fn check(&mut self, token: &str, now: Timestamp) -> Result<u64, Refusal> {
        match self.rows.get(token).copied() {
            None => Err(Refusal::token()),
            Some((_, Some(end))) if end <= now.as_second() => {
                self.rows.remove(token);
                Err(Refusal::access("Invalid token - token expired"))
            }
            Some((user, _)) => Ok(user),
        }
    }

    /// A token of this user, made where there is none.
    pub(super) fn of(&mut self, user: u64, now: Timestamp) -> String {
        let valid =
            self.rows.iter().find(|(_, (holder, end))| *holder == user && end.is_none_or(|end| end > now.as_second()));
        if let Some((token, _)) = valid {
            return token.clone();
        }
        self.made += 1;
        let token = blake3::hash(&self.made.to_le_bytes()).to_hex()[..32].to_owned();
        self.rows.insert(token.clone(), (user, Some(now.as_second() + TOKEN_SECONDS)));
        token
    }

    /// Takes one away.
    pub(super) fn revoke(&mut self, token: &str) {
        self.rows.remove(token);
    }

    /// Lets one end at this time.
    pub(super) fn expire(&mut self, token: &str, at: Timestamp) {
        if let Some((_, end)) = self.rows.get_mut(token) {
            *end = Some(at.as_second());
        }
    }
}
