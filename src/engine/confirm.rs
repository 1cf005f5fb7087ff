//! Confirm: what was written is read back, and only what was seen is settled.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::edit::{difference, perform};
use reconcile_state::journal::Landing;
use reconcile_state::store::{Observed, OutcomeRecord};
use reconcile_state::{Applied, AttributeId, Claim, Digest, Edit, Key, Origin, Record, Remote, Standing, Unsettled};

use super::blocking::blocking;
use super::diff::remaining;
use super::error::PassError;
use super::lane::{Lane, Settled, anchor};
use super::observe::{Look, look};
use crate::model::pass::{Done, Fate};
use crate::model::{Action, Anchor, Change, Effect, ErrorKind, Outcome, Ready, TargetError};

/// Reads back what a batch wrote and settles it. What cannot be read back stays open.
///
/// # Errors
/// [`PassError::Store`]
pub async fn confirm(lane: &Lane<'_>, written: Vec<(Ready, u64, Outcome)>) -> Result<Vec<Settled>, PassError> {
    let looks = read_back(lane, &written).await;
    let mut records = Vec::with_capacity(written.len());
    let mut settled = Vec::with_capacity(written.len());
    for (ready, intent, outcome) in written {
        let look = looks.get(&(ready.change.kind, ready.change.key.clone()));
        let (fate, record, latest) = judge(lane, &ready.change, intent, outcome, look);
        records.push(record);
        settled.push((Done { change: ready.change, fate }, latest));
    }
    let store = lane.memory.store.clone();
    blocking(move || Ok(store.record_outcomes(&records)?)).await?;
    Ok(settled)
}

type Looks = BTreeMap<(&'static str, Key), Result<Option<Look>, TargetError>>;

/// Whether something of it may have landed, so that it must be read back now. What is unknown may still
/// land later: it is read back by a later pass.
fn is_due(outcome: &Outcome) -> bool {
    match &outcome.error {
        None => true,
        Some(error) => error.effect == Effect::Partial || (error.effect == Effect::None && !outcome.landed.is_empty()),
    }
}

async fn read_back(lane: &Lane<'_>, written: &[(Ready, u64, Outcome)]) -> Looks {
    let mut by_kind: BTreeMap<&'static str, Vec<Anchor>> = BTreeMap::new();
    for (ready, _, outcome) in written.iter().filter(|(_, _, outcome)| is_due(outcome)) {
        let remote = outcome.remote.as_ref();
        by_kind.entry(ready.change.kind).or_default().push(anchor(&ready.change, remote));
    }
    let mut looks = Looks::new();
    for (kind, anchors) in by_kind {
        let Some(schema) = lane.schema(kind) else { continue };
        match look(lane.observer, schema, lane.memories, lane.memory, &anchors).await {
            Ok(found) => looks.extend(found.into_iter().map(|(key, look)| ((kind, key), Ok(look)))),
            Err(error) => looks.extend(anchors.into_iter().map(|a| ((kind, a.key), Err(error.clone())))),
        }
    }
    looks
}

type Judged = (Fate, OutcomeRecord, Option<(Option<Remote>, Digest)>);

fn judge(
    lane: &Lane<'_>,
    change: &Change,
    intent: u64,
    outcome: Outcome,
    look: Option<&Result<Option<Look>, TargetError>>,
) -> Judged {
    let at = lane.now();
    let record = |landing, observed| OutcomeRecord { intent, at, landing, applied: None, observed, claim: None };
    let doubt = |error: TargetError| {
        let landing = Landing::Unknown { code: error.code.clone() };
        (Fate::InDoubt(error), record(landing, Observed::Unread), None)
    };
    let refusal = outcome.error.or_else(|| outcome.failed.first().map(|(_, error)| error.clone()));
    match (look, refusal) {
        (None, Some(error)) if error.effect == Effect::None => {
            let landing = Landing::Failed { code: error.code.clone() };
            (Fate::Failed(error), record(landing, Observed::Unread), None)
        }
        (None, Some(error)) => doubt(error),
        (None, None) => doubt(unconfirmed("the kind is not declared")),
        (Some(Err(error)), _) => doubt(error.clone()),
        (Some(Ok(None)), _) => doubt(unconfirmed("the target did not answer when it was read back")),
        (Some(Ok(Some(Look::Absent))), refusal) => match refusal {
            Some(error) => {
                let landing = Landing::Partial { code: error.code.clone() };
                (Fate::Failed(error), record(landing, Observed::Absent), None)
            }
            // Accepted and not shown: it may take its time.
            None => doubt(unconfirmed("the target accepted the write and does not show the record")),
        },
        (Some(Ok(Some(Look::Ambiguous(code)))), _) => {
            doubt(unconfirmed(&format!("the record could not be told from others when it was read back ({code})")))
        }
        (Some(Ok(Some(Look::Present(digest, seen, remote)))), refusal) => {
            settle(lane, change, record, (*digest, seen, remote), refusal)
        }
    }
}

fn unconfirmed(why: &str) -> TargetError {
    TargetError::new(ErrorKind::Malformed, "NOT_CONFIRMED", format!("{why}; it is read back by a later pass"))
        .effect(Effect::Unknown)
}

fn settle(
    lane: &Lane<'_>,
    change: &Change,
    record: impl Fn(Landing, Observed) -> OutcomeRecord,
    (digest, seen, remote): (Digest, &Record, &Remote),
    refusal: Option<TargetError>,
) -> Judged {
    let Some(schema) = lane.schema(change.kind) else {
        let error = unconfirmed("the kind is not declared");
        let landing = Landing::Unknown { code: error.code.clone() };
        return (Fate::InDoubt(error), record(landing, Observed::Unread), None);
    };
    let before = lane.memory.claim(change.kind, &change.key);
    let known = change.remote.as_ref().map_or_else(|| remote.clone(), |known| known.refreshed(remote));
    let mut claim = Claim {
        remote: known.clone(),
        origin: match (change.action, before) {
            (Action::Create, _) => Origin::Created,
            (_, Some(claim)) => claim.origin,
            (_, None) if lane.memories.is_made(change.pipeline, schema.kind, &known) => Origin::Created,
            (_, None) => Origin::Adopted,
        },
        disabled_by_us: match seen.standing {
            Standing::Active => false,
            Standing::Disabled => change.disables() || before.is_some_and(|claim| claim.disabled_by_us),
        },
        listed: Vec::new(),
        others: change.kept.clone(),
        taken_at: before.and_then(|claim| claim.taken_at),
        unsettled: None,
    };
    let asked: BTreeSet<Option<AttributeId>> = change.edits.iter().map(Edit::attribute).collect();
    let is_ours = |edit: &Edit| change.action == Action::Create || asked.contains(&edit.attribute());
    let observed = Observed::Present(digest, seen.clone());
    let latest = Some((Some(known.clone()), digest));
    if let Some(error) = refusal {
        // Of what was refused not even that is believed which the target may rewrite.
        let missing = difference(schema, &change.desired, seen).iter().any(is_ours);
        if missing {
            let mut outcome = record(Landing::Partial { code: error.code.clone() }, observed);
            if change.action == Action::Create {
                // Made in part, and ours: what is there now is where the rest goes on from.
                outcome.applied = Some((Applied { wanted: digest, seen: digest }, seen.clone()));
                outcome.claim = Some(claim);
                lane.memories.made(change.pipeline, schema.kind, &change.key, &known);
            }
            return (Fate::Failed(error), outcome, latest);
        }
    }
    let (short, others): (Vec<Edit>, Vec<Edit>) =
        remaining(schema, &change.desired, seen).into_iter().partition(is_ours);
    let short: Vec<&'static str> = short.iter().map(|edit| name(lane, change, edit)).collect();
    let listed = before.map_or(&[][..], |claim| &claim.listed);
    let is_listed = |edit: &Edit| !is_ours(edit) && listed.contains(&edit.attribute());
    let still = difference(schema, &change.desired, seen).into_iter().filter(is_listed);
    claim.listed = still.map(|edit| edit.attribute()).collect::<BTreeSet<_>>().into_iter().collect();
    let others: Vec<Edit> = others.into_iter().filter(|edit| !is_listed(edit)).collect();
    if !short.is_empty() {
        claim.unsettled = Some(Unsettled::after(before.and_then(|claim| claim.unsettled), lane.now()));
    }
    // What differs beside what was written and was never listed, others did since the plan: the next reading finds it drifted
    // from a record without it.
    let mut expected = seen.clone();
    perform(&mut expected, &others);
    let pair = Applied { wanted: change.wanted, seen: lane.memory.store.digester().record(schema, &expected) };
    let mut outcome = record(Landing::Landed, observed);
    outcome.applied = Some((pair, change.desired.clone()));
    outcome.claim = Some(claim);
    if change.action == Action::Create {
        lane.memories.made(change.pipeline, schema.kind, &change.key, &known);
    }
    let fate = if short.is_empty() { Fate::Landed } else { Fate::NotConverged(short) };
    (fate, outcome, latest)
}

fn name(lane: &Lane<'_>, change: &Change, edit: &Edit) -> &'static str {
    let schema = lane.schema(change.kind);
    let attribute = edit.attribute().and_then(|id| schema.and_then(|schema| schema.attribute(id)));
    attribute.map_or("standing", |attribute| attribute.name)
}
