//! Spent: what a pipeline wrote of its limits lately, kept in its file.
//!
//! Before the first write stands what is about to be written; at the end, what was. What was sent the journal says, of a
//! pass that did not come to its end as of any other.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::journal::{Entry, Landing};
use reconcile_state::store::Store;
use reconcile_state::window::{UnderWay, Window};

use super::error::PassError;
use super::guard::ApprovedPlan;
use crate::model::ChangeId;

const SPENT: &str = "spent";
/// So many entries of the journal are looked at together.
const SOME: usize = 1000;

/// What was written lately, as of `at` (Unix milliseconds), with what a pass sent that did not come to its end. What was
/// dated later than that is dated anew, once.
///
/// # Errors
/// [`PassError::Store`]
pub fn recall(store: &Store, at: i64) -> Result<Window, PassError> {
    let mut window: Window = store.meta(SPENT)?.unwrap_or_default();
    let cut_off = window.under_way().map(|pass| (pass.run.clone(), pass.at));
    if let Some((run, began)) = &cut_off {
        window.end(*began, &sent(store, run)?);
    }
    if window.turn(at) || cut_off.is_some() {
        store.set_meta(SPENT, &window)?;
    }
    Ok(window)
}

/// Which changes a run sent of which it is not certain that nothing was done.
fn sent(store: &Store, run: &str) -> Result<BTreeSet<ChangeId>, PassError> {
    let (mut before, mut failed, mut sent) = (None, BTreeSet::new(), BTreeMap::new());
    loop {
        let entries = store.journal_back(before, SOME)?;
        before = entries.last().map(|(number, _)| *number);
        if entries.is_empty() {
            break;
        }
        let mut begun = false;
        for (number, entry) in entries {
            match entry {
                Entry::Outcome(outcome) if matches!(outcome.landing, Landing::Failed { .. }) => {
                    failed.insert(outcome.intent);
                }
                Entry::Intent(intent) if intent.run == run => drop(sent.insert(number, intent.change)),
                // A run is told of before its first intent.
                Entry::Note(note) if note.run == run => begun = true,
                _ => {}
            }
        }
        if begun {
            break;
        }
    }
    Ok(sent.into_iter().filter(|(number, _)| !failed.contains(number)).map(|(_, change)| change).collect())
}

/// Remembers what is about to be written of what nobody approved.
///
/// # Errors
/// [`PassError::Store`]
pub fn begin(store: &Store, under_way: UnderWay) -> Result<(), PassError> {
    let mut window: Window = store.meta(SPENT)?.unwrap_or_default();
    window.begin(under_way);
    Ok(store.set_meta(SPENT, &window)?)
}

/// What a pass is about to write in a pipeline, at `at` (Unix milliseconds).
pub fn under_way(approved: &ApprovedPlan, pipeline: &str, at: i64) -> UnderWay {
    let mine = approved.changes().iter().filter(|change| change.pipeline == pipeline);
    let mine: BTreeSet<&ChangeId> = mine.map(|change| &change.id).collect();
    let changes = approved.unapproved(pipeline).filter(|(change, _)| mine.contains(change));
    UnderWay {
        run: approved.planned().run.clone(),
        at,
        changes: changes.map(|(change, tally)| (*change, tally.clone())).collect(),
    }
}

/// Counts what the pass under way wrote, or may have written, at `at` (Unix milliseconds). What is told of a change does
/// not decide: one that is told as failed may have landed in part, and then the journal knows.
///
/// # Errors
/// [`PassError::Store`]
pub fn end(store: &Store, at: i64) -> Result<(), PassError> {
    let mut window: Window = store.meta(SPENT)?.unwrap_or_default();
    let Some(run) = window.under_way().map(|pass| pass.run.clone()) else { return Ok(()) };
    window.end(at, &sent(store, &run)?);
    Ok(store.set_meta(SPENT, &window)?)
}
