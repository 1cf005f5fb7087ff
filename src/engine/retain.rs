//! Retain: what is kept for a time only goes at the end of a whole pass, a bounded part of it at a time.

use std::sync::Arc;

use reconcile_state::Key;
use reconcile_state::store::{Store, StoreDir};

use super::blocking::blocking;
use super::collect::{DIRECTORY_SCOPE, VAULT_SCOPE};
use super::error::PassError;
use super::guard::ApprovedPlan;
use super::planner::Planner;
use super::processed;
use crate::config::Retention;
use crate::model::pass::Event;

/// So many entries of a journal are looked at in one pass: years of a small institution, weeks of a large one.
const MOST: usize = 50_000;

/// Takes out what is older than it is to be kept, of every pipeline that has a file here. A pass over some people leaves
/// it alone.
pub async fn retain(planner: &Planner, approved: &ApprovedPlan, retention: Retention) -> Vec<Event> {
    if !approved.planned().whole {
        return Vec::new();
    }
    let (directory, now) = (Arc::clone(&planner.store), planner.clock.now().as_millisecond());
    match blocking(move || all(&directory, retention, now)).await {
        Ok(()) => Vec::new(),
        Err(error) => {
            let message = format!("what is older than it is to be kept was not taken out: {error}");
            vec![Event { code: error.code().to_owned(), pipeline: None, step: "settle", key: None, message }]
        }
    }
}

fn all(directory: &StoreDir, retention: Retention, now: i64) -> Result<(), PassError> {
    let sources = directory.sources()?;
    let mut lost = false;
    for name in directory.pipelines()? {
        let store = match directory.pipeline(&name) {
            Err(error) if error.is_loss_of_claims() => {
                lost = true;
                continue;
            }
            opened => opened?,
        };
        processed::reopen(&store, &departed(&sources, &store)?)?;
        if let Some(before) = retention.journal_before(now) {
            store.prune_journal(before, MOST)?;
        }
    }
    // Where claims are lost an old copy may be all that is left of them.
    if let Some(before) = retention.copies_before(now).filter(|_| !lost) {
        directory.drop_copies(before)?;
    }
    Ok(())
}

/// People whom a pipeline carried through once and whom the sources, both read whole and believed, do not have any more:
/// what they were then is of no use.
fn departed(sources: &Store, store: &Store) -> Result<Vec<Key>, PassError> {
    for scope in [DIRECTORY_SCOPE, VAULT_SCOPE] {
        if sources.root(scope)?.is_none_or(|root| !root.whole || root.open) {
            return Ok(Vec::new());
        }
    }
    let (directory, vault) = (sources.digests(DIRECTORY_SCOPE)?, sources.digests(VAULT_SCOPE)?);
    let digester = sources.digester();
    let is_gone = |key: &Key| {
        let at = digester.key(key);
        directory.get(&at).is_none() && vault.get(&at).is_none()
    };
    Ok(processed::people(store)?.into_iter().filter(is_gone).collect())
}
