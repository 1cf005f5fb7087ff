//! Writes what it is told: one request for a batch, one outcome for each change of it.
//!
//! It never sends anything twice, never deletes, and never touches an account that is not ours. Bisecting a
//! refused batch is the engine's; naming the cause of one refused change is done here.

use std::collections::BTreeMap;
use std::sync::Arc;

use reconcile_state::{Edit, Remote};
use tokio::sync::Mutex;

use super::super::answer::{CREATE_FAILED, UPDATE_FAILED};
use super::super::client::Client;
use super::super::config::Settings;
use super::super::schema::{EMAIL, USERNAME};
use super::super::wire::{Call, Created, Found, Updated, User, UserFields, Warning, function};
use super::batches::batches;
use super::compose::{creation, step, update};
use super::ids::ids;
use super::rules::is_username;
use crate::model::{Batch, Change, Effect, ErrorKind, Outcome, Ready, TargetError};

/// The writing half of accounts.
pub struct AccountWriter {
    client: Arc<Client>,
    settings: Arc<Settings>,
    /// Held while names and addresses are taken: the site checks addresses by a query, and two requests at
    /// once would both find one free.
    taking: Mutex<()>,
}

impl AccountWriter {
    /// A writer over this client.
    pub fn new(client: Arc<Client>, settings: Arc<Settings>) -> Self {
        Self { client, settings, taking: Mutex::new(()) }
    }

    /// What may share one request.
    pub fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        batches(ready, self.settings.batch_size, self.settings.max_fields)
    }

    /// Sends one batch.
    pub async fn write(&self, batch: &Batch) -> Vec<Outcome> {
        if batch.request == function::CREATE {
            self.create(&batch.changes).await
        } else {
            self.update(&batch.changes).await
        }
    }

    async fn create(&self, changes: &[Ready]) -> Vec<Outcome> {
        let _taking = self.taking.lock().await;
        let composed: Vec<Result<UserFields, TargetError>> = changes.iter().map(|r| creation(&r.change)).collect();
        let users: Vec<UserFields> = composed.iter().filter_map(|fields| fields.as_ref().ok().cloned()).collect();
        let alone = users.len() == 1;
        let answer = if users.is_empty() {
            Ok(BTreeMap::new())
        } else {
            self.client.call::<Vec<Created>>(&Call::Create(users)).await.map(by_name)
        };
        let mut outcomes = Vec::with_capacity(changes.len());
        for (ready, fields) in changes.iter().zip(composed) {
            let change = &ready.change;
            let username = change.desired.text(USERNAME).unwrap_or_default();
            outcomes.push(match (fields, &answer) {
                (Err(error), _) => Outcome::failed(change, error),
                (Ok(_), Ok(made)) => match made.get(&username.to_lowercase()) {
                    Some(id) => Outcome::landed(change, Some(remote(*id, username))),
                    None => Outcome::failed(change, cut_short()),
                },
                (Ok(_), Err(error)) if alone => {
                    let email = change.desired.text(EMAIL);
                    Outcome::failed(change, self.named(error.clone(), Some(username), email, None).await)
                }
                (Ok(_), Err(error)) => Outcome::failed(change, error.clone()),
            });
        }
        outcomes
    }

    async fn update(&self, changes: &[Ready]) -> Vec<Outcome> {
        let takes =
            changes.iter().any(|ready| taken(&ready.change, USERNAME).or(taken(&ready.change, EMAIL)).is_some());
        let _taking = if takes { Some(self.taking.lock().await) } else { None };
        let ids = ids(&self.client, &self.settings, changes).await;
        let composed: Vec<Result<(u64, UserFields), TargetError>> = changes
            .iter()
            .zip(ids)
            .map(|(ready, id)| {
                let id = id.map_err(|error| as_step(error, &ready.change))?;
                Ok((id, update(&ready.change, id)?))
            })
            .collect();
        let users: Vec<UserFields> = composed.iter().filter_map(|one| Some(one.as_ref().ok()?.1.clone())).collect();
        let answer = if users.is_empty() {
            Ok(Vec::new())
        } else {
            self.client.call::<Updated>(&Call::Update(users)).await.map(|updated| updated.warnings)
        };
        let answer = answer.and_then(|warnings| by_id(warnings, &composed));
        let mut outcomes = Vec::with_capacity(changes.len());
        for (ready, fields) in changes.iter().zip(composed) {
            let change = &ready.change;
            outcomes.push(match (fields, &answer) {
                (Err(error), _) => Outcome::failed(change, error),
                (Ok(_), Err(error)) => Outcome::failed(change, as_step(error.clone(), change)),
                (Ok((id, _)), Ok(warnings)) => match warnings.get(&id) {
                    None => Outcome::landed(change, Some(renamed(change, id))),
                    Some(code) => {
                        let error = as_step(refusal(code), change);
                        Outcome::failed(change, self.named(error, taken(change, USERNAME), None, Some(id)).await)
                    }
                },
            });
        }
        outcomes
    }

    /// The same refusal with its cause, where another account holds the name or the address. Asked only for
    /// single changes: the site names neither record nor field.
    async fn named(
        &self,
        error: TargetError,
        username: Option<&str>,
        email: Option<&str>,
        own: Option<u64>,
    ) -> TargetError {
        let may_be_taken = matches!(error.kind, ErrorKind::Rejected | ErrorKind::Conflict);
        if !may_be_taken || error.effect != Effect::None {
            return error;
        }
        let cause = if self.holds_name(username, own).await {
            "username-taken: another account has this user name"
        } else if self.holds_email(email).await {
            "email-taken: another account has this e-mail address"
        } else {
            return error;
        };
        let message = format!("{cause}; {}", error.message);
        TargetError::new(ErrorKind::Conflict, error.code, message)
    }

    async fn holds_name(&self, username: Option<&str>, own: Option<u64>) -> bool {
        let Some(username) = username.filter(|name| is_username(name)) else { return false };
        let values = [username.to_owned()];
        let users: Result<Vec<User>, _> = self.client.call(&Call::ByField { field: "username", values: &values }).await;
        // Not knowing the cause is no error of the change.
        users.is_ok_and(|users| users.iter().any(|user| Some(user.id) != own))
    }

    async fn holds_email(&self, email: Option<&str>) -> bool {
        let Some(email) = email else { return false };
        if self.client.site().await.is_ok_and(|site| site.lists(function::SEARCH)) {
            // Addresses are kept apart without regard to case, and only a search is blind to case.
            let found: Result<Found, _> = self.client.call(&Call::Search { key: "email", value: pattern(email) }).await;
            return found.is_ok_and(|found| found.warnings.is_empty() && !found.users.is_empty());
        }
        let values = [email.to_owned(), email.to_lowercase()];
        let users: Result<Vec<User>, _> = self.client.call(&Call::ByField { field: "email", values: &values }).await;
        users.is_ok_and(|users| !users.is_empty())
    }
}

fn remote(id: u64, username: &str) -> Remote {
    Remote { id: Some(id.to_string()), handle: Some(username.to_owned()) }
}

/// What identifies a changed account from now on.
fn renamed(change: &Change, id: u64) -> Remote {
    let held = change.remote.as_ref().and_then(|remote| remote.handle.as_deref());
    match taken(change, USERNAME).or(held) {
        Some(username) => remote(id, username),
        None => Remote { id: Some(id.to_string()), handle: None },
    }
}

/// The value that a change gives to an attribute.
fn taken(change: &Change, id: reconcile_state::AttributeId) -> Option<&str> {
    change.edits.iter().find_map(|edit| match edit {
        Edit::Set { attribute, to, .. } if *attribute == id => to.as_text(),
        _ => None,
    })
}

/// What a search takes for exactly this text.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn by_name(created: Vec<Created>) -> BTreeMap<String, u64> {
    created.into_iter().map(|user| (user.username.to_lowercase(), user.id)).collect()
}

/// An account that was sent and is not in the answer: the server dropped the end of the form.
fn cut_short() -> TargetError {
    let message = "the answer does not name this account; lower max_fields below the server's max_input_vars";
    TargetError::new(ErrorKind::Malformed, CREATE_FAILED, message).effect(Effect::Unknown)
}

/// Warnings by the account they are about. One about an account that was not sent says that something else
/// happened than was asked.
fn by_id(
    warnings: Vec<Warning>,
    sent: &[Result<(u64, UserFields), TargetError>],
) -> Result<BTreeMap<u64, String>, TargetError> {
    let mut by_id = BTreeMap::new();
    for Warning { itemid, warningcode } in warnings {
        let id = itemid.and_then(|id| u64::try_from(id).ok());
        let Some(id) = id.filter(|id| sent.iter().flatten().any(|(sent, _)| sent == id)) else {
            let message = "the site warns of an account that was not sent";
            return Err(TargetError::new(ErrorKind::Malformed, UPDATE_FAILED, message).effect(Effect::Unknown));
        };
        by_id.entry(id).or_insert(warningcode);
    }
    Ok(by_id)
}

/// What a warning of an update means. Each account is a transaction of its own: nothing of it landed.
fn refusal(code: &str) -> TargetError {
    let (kind, message) = match code {
        "invaliduserid" => (ErrorKind::NotFound, "invaliduserid: the account is no longer there"),
        "usernotupdateddeleted" => (ErrorKind::NotFound, "usernotupdateddeleted: the account is deleted"),
        "useremailduplicate" => {
            (ErrorKind::Conflict, "email-taken: another account has this e-mail address (useremailduplicate)")
        }
        "useremailinvalid" => (ErrorKind::Rejected, "useremailinvalid: the site does not take the e-mail address"),
        "usernotupdatedadmin" => (ErrorKind::Rejected, "usernotupdatedadmin: the account is a site administrator's"),
        "usernotupdatedguest" => (ErrorKind::Rejected, "usernotupdatedguest: the account is the guest's"),
        "usernotupdatedremote" => (ErrorKind::Rejected, "usernotupdatedremote: the account is another site's"),
        "dmlwriteexception" => {
            let message = "dmlwriteexception: the database refused the write: the user name is taken, a value too \
                           long, or two writes met";
            return TargetError::new(ErrorKind::Conflict, UPDATE_FAILED, message).later(None);
        }
        _ => (ErrorKind::Rejected, "the site refused the change with a code that the contract does not know"),
    };
    TargetError::new(kind, UPDATE_FAILED, message)
}

/// The error under the code of the step that the change is.
fn as_step(mut error: TargetError, change: &Change) -> TargetError {
    if error.code == UPDATE_FAILED {
        step(change).clone_into(&mut error.code);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Retry;

    #[test]
    fn every_warning_of_an_update_has_its_meaning() {
        use ErrorKind::{Conflict, NotFound, Rejected};
        let rows = [
            ("invaliduserid", NotFound),
            ("usernotupdateddeleted", NotFound),
            ("useremailduplicate", Conflict),
            ("useremailinvalid", Rejected),
            ("usernotupdatedadmin", Rejected),
            ("usernotupdatedguest", Rejected),
            ("usernotupdatedremote", Rejected),
            ("dmlwriteexception", Conflict),
            ("Kari <b>Nordmann</b>", Rejected),
        ];
        for (code, kind) in rows {
            let error = refusal(code);
            assert_eq!((error.kind, error.effect), (kind, Effect::None), "{code}");
            assert_eq!(error.retry == Retry::Later(None), code == "dmlwriteexception");
            assert!(!error.message.contains("Kari"));
        }
    }

    #[test]
    fn a_search_for_an_address_has_no_wildcards() {
        assert_eq!(pattern("a_b%c\\d@x.no"), "a\\_b\\%c\\\\d@x.no");
    }

    #[test]
    fn a_warning_of_somebody_else_leaves_all_in_doubt() {
        let warning = |id| Warning { itemid: id, warningcode: "invaliduserid".into() };
        let sent = [Ok((7, UserFields::default()))];
        assert_eq!(by_id(vec![warning(Some(7))], &sent).unwrap().len(), 1);
        for id in [Some(8), Some(-1), None] {
            assert_eq!(by_id(vec![warning(id)], &sent).unwrap_err().effect, Effect::Unknown);
        }
    }
}
