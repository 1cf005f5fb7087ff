//! Recent: what the journal's end tells of one person's records. It is read back only so far: an older write is not
//! looked for.

use std::collections::BTreeMap;

use reconcile_state::Key;
use reconcile_state::journal::{After, Entry, Landing, Outcome};
use reconcile_state::store::Store;

use super::value::Confirmed;
use crate::engine::conflicts::Told;
use crate::engine::error::PassError;

/// So many entries are looked at, and so many at once.
const ENTRIES: usize = 3000;
const CHUNK: usize = 500;

/// What the journal tells of one record.
#[derive(Default)]
pub(super) struct Recent {
    /// The last write that landed.
    pub landed: Option<Told>,
    /// The last reading after a write.
    pub confirmed: Option<Confirmed>,
}

/// Of these kinds of a person's records, as far as the journal's end tells.
pub(super) fn recent<'k>(store: &Store, kinds: &[&'k str], key: &Key) -> Result<BTreeMap<&'k str, Recent>, PassError> {
    let mut told: BTreeMap<&str, Recent> = BTreeMap::new();
    let mut outcomes: BTreeMap<u64, Outcome> = BTreeMap::new();
    let mut before = None;
    for _ in 0..ENTRIES / CHUNK {
        let entries = store.journal_back(before, CHUNK)?;
        let Some((last, _)) = entries.last() else { break };
        before = Some(*last);
        for (number, entry) in entries {
            match entry {
                // The first that is met is the newest.
                Entry::Outcome(outcome) => drop(outcomes.entry(outcome.intent).or_insert(outcome)),
                Entry::Intent(intent) => {
                    let outcome = outcomes.remove(&number).filter(|_| intent.key == *key);
                    let kind = kinds.iter().find(|kind| **kind == intent.kind);
                    let (Some(outcome), Some(kind)) = (outcome, kind) else { continue };
                    let recent = told.entry(*kind).or_default();
                    if outcome.after != After::Unread && recent.confirmed.is_none() {
                        recent.confirmed = Some(Confirmed { run: intent.run.clone(), at: outcome.at });
                    }
                    if outcome.landing == Landing::Landed && recent.landed.is_none() {
                        recent.landed = Some(Told { run: intent.run, at: outcome.at });
                    }
                }
                Entry::Note(_) => {}
            }
        }
        if kinds.iter().all(|kind| told.get(kind).is_some_and(|recent| recent.landed.is_some())) {
            break;
        }
    }
    Ok(told)
}
