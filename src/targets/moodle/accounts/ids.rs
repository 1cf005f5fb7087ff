//! The row ids of accounts to be written to. A report shows names only: where it gave no id the account is looked
//! up by the user name it was seen with, and one that is not ours is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::super::answer::UPDATE_FAILED;
use super::super::client::Client;
use super::super::config::Settings;
use super::super::wire::{Call, FIXED_FIELDS, User};
use super::read::CHUNK;
use super::rules::is_username;
use super::seen::{Row, Scope};
use crate::model::{Change, ErrorKind, Ready, TargetError};

type Found = BTreeMap<String, Result<u64, TargetError>>;

/// The row ids, in the order of the changes. Asks the site only for those that are not known.
pub async fn ids(client: &Client, settings: &Settings, changes: &[Ready]) -> Vec<Result<u64, TargetError>> {
    let nameless = changes.iter().filter(|ready| id_of(&ready.change).is_none());
    let handles: BTreeSet<String> = nameless.filter_map(|ready| handle(&ready.change)).collect();
    let handles: Vec<String> = handles.into_iter().collect();
    let found = by_handle(client, settings, &handles).await;
    let own = |change: &Change| match &found {
        Err(error) => Err(error.clone()),
        Ok(found) => found.get(&handle(change).unwrap_or_default()).cloned().unwrap_or_else(|| {
            let message = "the account is no longer there under the user name it was seen with";
            Err(TargetError::new(ErrorKind::NotFound, UPDATE_FAILED, message))
        }),
    };
    changes.iter().map(|ready| id_of(&ready.change).map_or_else(|| own(&ready.change), Ok)).collect()
}

async fn by_handle(client: &Client, settings: &Settings, handles: &[String]) -> Result<Found, TargetError> {
    let mut found = Found::new();
    for values in handles.chunks(CHUNK.min(settings.max_fields - FIXED_FIELDS - 1)) {
        let site = client.site().await?;
        let scope = Scope { auth: &settings.auth, city: false, site };
        let users: Vec<User> = client.call(&Call::ByField { field: "username", values }).await?;
        for user in users.into_iter().filter(|user| !user.is_deleted()) {
            let (id, row) = (user.id, Row::try_from(user)?);
            let ours = match scope.foreign(&row) {
                None => Ok(id),
                Some(reason) => {
                    let message = format!("{reason}: the account is not one that is managed");
                    Err(TargetError::new(ErrorKind::Rejected, UPDATE_FAILED, message))
                }
            };
            found.insert(row.username.to_lowercase(), ours);
        }
    }
    Ok(found)
}

fn id_of(change: &Change) -> Option<u64> {
    change.remote.as_ref()?.id.as_ref()?.parse().ok()
}

/// The user name an account was seen with, where it can be looked up.
fn handle(change: &Change) -> Option<String> {
    let handle = change.remote.as_ref()?.handle.as_ref()?.to_lowercase();
    is_username(&handle).then_some(handle)
}
