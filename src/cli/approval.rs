//! Which saved plans have been used: each serves once. Kept with the sources, because a plan covers
//! several pipelines.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconcile_state::store::{StoreDir, StoreError};

use super::exit::Failure;
use super::plan_file::PlanFile;

const USED: &str = "approvals";

/// Refuses a plan that was used already.
pub(super) fn check(store: &StoreDir, file: &PlanFile, now: Timestamp) -> Result<(), Failure> {
    used(store, file, now).map(drop)
}

/// Marks a plan as used, before anything of it is written: a pass cut off half-way has used it.
pub(super) fn spend(store: &StoreDir, file: &PlanFile, now: Timestamp) -> Result<(), Failure> {
    let mut used = used(store, file, now)?;
    used.insert(file.seal.to_string(), file.approval.expires);
    store.sources().and_then(|sources| sources.set_meta(USED, &used)).map_err(|error| refuse(&error))
}

fn used(store: &StoreDir, file: &PlanFile, now: Timestamp) -> Result<BTreeMap<String, Timestamp>, Failure> {
    let kept = store.sources().and_then(|sources| sources.meta(USED)).map_err(|error| refuse(&error))?;
    let mut used: BTreeMap<String, Timestamp> = kept.unwrap_or_default();
    if used.contains_key(&file.seal.to_string()) {
        return Err(Failure::error("the saved plan has been used already; make a new one with --plan --out"));
    }
    // One that is void by its age need not be remembered.
    used.retain(|_, expires| *expires > now);
    Ok(used)
}

fn refuse(error: &StoreError) -> Failure {
    Failure::error(error.to_string())
}
