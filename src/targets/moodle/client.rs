//! Calls with a token: fetched where credentials are configured, and fetched once more when the site no
//! longer takes it. What the calls mean is `read.rs` and `write.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, OnceCell};

use super::answer::{
    self, CONNECTION_FAILED, CREATE_FAILED, ENROL_FAILED, FETCH_FAILED, TOKEN_FAILED, UNENROL_FAILED, UPDATE_FAILED,
    is_token_refused,
};
use super::config::Access;
use super::transport::Transport;
use super::wire::{Call, LOG_IN, LoggedIn, SERVICE, SiteInfo};
use crate::config::Secret;
use crate::model::{Effect, TargetError};
use crate::wire::{Purpose, Request};

/// A failure, with the word in which the site itself told it.
#[derive(Debug)]
pub struct Failure {
    /// What it means.
    pub error: TargetError,
    /// The site's own code, where it gave one.
    pub said: Option<String>,
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self { error, said: None }
    }
}

/// A client of one site under one account.
pub struct Client {
    transport: Arc<dyn Transport>,
    access: Access,
    token: Mutex<Option<Secret>>,
    site: OnceCell<SiteInfo>,
    debugging: AtomicBool,
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(transport: Arc<dyn Transport>, access: Access) -> Self {
        Self { transport, access, token: Mutex::new(None), site: OnceCell::new(), debugging: AtomicBool::new(false) }
    }

    /// Makes a call. A token that is not taken is replaced once, where there is something to log in with.
    ///
    /// # Errors
    /// The last attempt's [`TargetError`]; of a read always without effect.
    pub async fn call<T: DeserializeOwned + Send>(&self, call: &Call<'_>) -> Result<T, TargetError> {
        self.ask(call).await.map_err(|failure| failure.error)
    }

    /// The same, for who needs to know how the site itself put a refusal.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn ask<T: DeserializeOwned + Send>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let token = self.token(None).await?;
        match self.attempt(call, &token).await {
            Err(failure) if is_token_refused(&failure.error) && matches!(self.access, Access::LogIn { .. }) => {
                let token = self.token(Some(&token)).await?;
                self.attempt(call, &token).await
            }
            answer => answer,
        }
    }

    /// What the site says of itself, asked once.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn site(&self) -> Result<&SiteInfo, TargetError> {
        self.site.get_or_try_init(|| self.call(&Call::SiteInfo)).await
    }

    /// What the site says of itself now.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn ask_site(&self) -> Result<SiteInfo, TargetError> {
        let info: SiteInfo = self.call(&Call::SiteInfo).await?;
        // Whoever asked first may have set it; both are this site's answer.
        let _ = self.site.set(info.clone());
        Ok(info)
    }

    /// Whether any failure so far came with its cause: names and addresses in every error of the site.
    pub fn site_debugs(&self) -> bool {
        self.debugging.load(Ordering::Relaxed)
    }

    async fn attempt<T: DeserializeOwned + Send>(&self, call: &Call<'_>, token: &Secret) -> Result<T, Failure> {
        let code = match call {
            Call::SiteInfo => CONNECTION_FAILED,
            Call::Create(_) => CREATE_FAILED,
            Call::Update(_) => UPDATE_FAILED,
            Call::Enrol(_) | Call::Assign(_) => ENROL_FAILED,
            Call::Unenrol(_) | Call::Unassign(_) | Call::Suspend(_) => UNENROL_FAILED,
            Call::ByField { .. } | Call::Search { .. } | Call::Report(_) | Call::Courses | Call::Enrolled(_) => {
                FETCH_FAILED
            }
        };
        let request = Request { path: SERVICE, form: call.form(token.expose()), purpose: call.purpose() };
        self.post(request, code).await
    }

    async fn post<T: DeserializeOwned + Send>(&self, request: Request, code: &'static str) -> Result<T, Failure> {
        let purpose = request.purpose;
        let slot = std::sync::Mutex::new(None);
        let reread = AtomicBool::new(false);
        let said = std::sync::Mutex::new(None);
        let judge = |reply: crate::wire::Reply| match answer::read::<T>(reply, code) {
            Ok(value) => {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                Ok(())
            }
            Err(refused) => {
                if refused.debugging {
                    self.debugging.store(true, Ordering::Relaxed);
                }
                reread.store(refused.reread, Ordering::Relaxed);
                *said.lock().unwrap_or_else(PoisonError::into_inner) = refused.said;
                Err(refused.error)
            }
        };
        let sent = self.transport.post(request, &judge).await;
        sent.map_err(|error| {
            let error = if reread.load(Ordering::Relaxed) { error.later(None) } else { error };
            let error = if purpose == Purpose::Read { error.effect(Effect::None) } else { error };
            Failure { error, said: said.lock().unwrap_or_else(PoisonError::into_inner).take() }
        })?;
        slot.into_inner().unwrap_or_else(PoisonError::into_inner).ok_or_else(|| {
            // A transport that says it succeeded without an answer.
            let kind = crate::model::ErrorKind::Malformed;
            TargetError::new(kind, code, "there was no answer to read").effect(Effect::Unknown).into()
        })
    }

    /// The token; another one than `refused`.
    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, TargetError> {
        let (username, password, service) = match &self.access {
            Access::Token(token) => return Ok(token.clone()),
            Access::LogIn { username, password, service } => (username, password, service),
        };
        // Held during the log-in: those who were refused together ask for one token.
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| refused != Some(*token)) {
            return Ok(token.clone());
        }
        let form = [("username", username.as_str()), ("password", password.expose()), ("service", service)];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        // A log-in gives the same token as long as there is one, so it may be repeated.
        let request = Request { path: LOG_IN, form, purpose: Purpose::Read };
        let LoggedIn { token } = self.post(request, TOKEN_FAILED).await.map_err(|failure| failure.error)?;
        let token = Secret::new(token);
        *held = Some(token.clone());
        Ok(token)
    }
}
