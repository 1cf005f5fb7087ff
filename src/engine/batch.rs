//! One batch: look, intent, write, confirm, settle; and halves of it where it is refused as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use futures::future::{BoxFuture, FutureExt};
use reconcile_state::journal::{Intent, Landing};
use reconcile_state::store::{Observed, OutcomeRecord};
use reconcile_state::{Applied, Beside, Digest, Key, Remote};

use super::blocking::blocking;
use super::bounds::added;
use super::confirm::{claim, confirm, look_at_parts};
use super::correlate::SEVERAL;
use super::error::PassError;
use super::lane::{Lane, Refreshed, Settled, anchor, unlanded};
use super::observe::{Look, look};
use super::point::Point;
use super::replaced::meet_anew;
use crate::model::pass::{Done, Fate};
use crate::model::{Action, Anchor, Batch, Change, Effect, ErrorKind, Outcome, Ready, Retry, TargetError};

/// Sends a batch and sees it through; what it wrote of parts is left to be confirmed with the rest of the wave,
/// of which `parts` are all.
///
/// # Errors
/// [`PassError::Store`]: without memory nothing is written.
pub async fn send(lane: &Lane<'_>, batch: Batch, parts: &[Ready]) -> Result<Vec<Settled>, PassError> {
    attempt(lane, batch, Try::First, parts).await
}

/// How often a batch has been tried: a refusal that may pass is tried once more before it is halved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Try {
    First,
    Again,
    Half,
}

fn attempt<'a>(
    lane: &'a Lane<'_>,
    batch: Batch,
    tried: Try,
    parts: &'a [Ready],
) -> BoxFuture<'a, Result<Vec<Settled>, PassError>> {
    async move {
        if lane.stop.is_requested() {
            return Ok(all(batch.changes, &Fate::Interrupted));
        }
        if let Some(error) = lane.is_halted() {
            return Ok(all(batch.changes, &Fate::NotTried(error)));
        }
        let (parted, records): (Vec<Ready>, Vec<Ready>) =
            batch.changes.into_iter().partition(|ready| lane.is_part(ready.change.kind));
        let (mut changes, mut settled) = check(lane, records, tried).await?;
        let (more, stale) = check_parts(lane, parted, tried, parts).await;
        changes.extend(more);
        settled.extend(stale);
        if changes.is_empty() {
            return Ok(settled);
        }
        if lane.stop.is_requested() {
            settled.extend(all(changes, &Fate::Interrupted));
            return Ok(settled);
        }
        let batch = Batch { request: batch.request, changes };
        let intents = intend(lane, &batch).await?;
        lane.reached(Point::Intended);
        let outcomes = lane.writer.write_until(&batch, lane.stop).await;
        lane.reached(Point::Answered);
        let mut outcomes: BTreeMap<Digest, Outcome> = outcomes.into_iter().map(|o| (o.id, o)).collect();
        if let Some(error) = refused_whole(&batch, &outcomes, tried) {
            refuse(lane, &intents, &error).await?;
            lane.reached(Point::Refused);
            settled.extend(halve(lane, batch, tried, &error, parts).await?);
            return Ok(settled);
        }
        let written: Vec<(Ready, u64, Outcome)> = batch
            .changes
            .into_iter()
            .zip(intents)
            .map(|(ready, intent)| {
                let outcome = outcomes.remove(&ready.change.id).unwrap_or_else(|| unanswered(&ready.change));
                (ready, intent, outcome)
            })
            .collect();
        let doubted = |outcome: &Outcome| outcome.error.clone().filter(|error| error.effect == Effect::Unknown);
        lane.doubt(written.iter().find_map(|(_, _, outcome)| doubted(outcome)).as_ref());
        for (_, _, outcome) in &written {
            outcome.error.iter().for_each(|error| lane.halt(error));
        }
        let (parted, records): (Vec<_>, Vec<_>) =
            written.into_iter().partition(|(ready, ..)| lane.is_part(ready.change.kind));
        if !records.is_empty() {
            settled.extend(confirm(lane, records).await?);
        }
        if !parted.is_empty() {
            answered(lane, &parted).await?;
            lane.reached(Point::Accepted);
            lane.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).extend(parted);
        }
        Ok(settled)
    }
    .boxed()
}

/// Records what the target accepted, before it is read back: a crash leaves nothing in doubt that is not.
async fn answered(lane: &Lane<'_>, written: &[(Ready, u64, Outcome)]) -> Result<(), PassError> {
    let at = lane.now();
    let landed = written.iter().filter(|(_, _, outcome)| outcome.error.is_none() && outcome.failed.is_empty());
    // As reading it back will find it, but for what is only listed of it.
    let claimed = |change: &Change| {
        let schema = lane.schema(change.kind)?;
        let claim = claim(lane, schema, change, change.remote.as_ref()?, change.desired.standing);
        let before = lane.memory.claim(change.kind, &change.key);
        let listed = before.map(|before| before.beside.listed.clone()).unwrap_or_default();
        let beside = Beside { listed, ..Beside::clone(&claim.beside) };
        Some(claim.with(beside))
    };
    let records: Vec<OutcomeRecord> = landed
        .map(|(ready, intent, _)| OutcomeRecord {
            intent: *intent,
            at,
            landing: Landing::Landed,
            // What is read back settles it; until then it is remembered that we have been at work here.
            applied: Some((
                Applied { wanted: ready.change.wanted, seen: ready.change.wanted },
                ready.change.desired.clone(),
            )),
            observed: Observed::Unread,
            claim: claimed(&ready.change),
        })
        .collect();
    let store = lane.memory.store.clone();
    blocking(move || Ok(store.record_outcomes(&records)?)).await
}

/// Looks at parts again where the plan's reading has grown old: all of the wave in one reading. After a batch was
/// refused, at its own: what stood in its way may have been somebody else's write to the same parts.
async fn check_parts(lane: &Lane<'_>, changes: Vec<Ready>, tried: Try, parts: &[Ready]) -> (Vec<Ready>, Vec<Settled>) {
    if changes.is_empty() {
        return (changes, Vec::new());
    }
    if tried != Try::First {
        let asked: Vec<&Ready> = changes.iter().collect();
        let looks = look_at_parts(lane, &asked).await;
        return still(changes, &looks);
    }
    let mut refreshed = lane.refreshed.lock().await;
    let read_at = refreshed.as_ref().map_or(lane.read_at, |refreshed| refreshed.at);
    let age = lane.clock.now().duration_since(read_at);
    if age.unsigned_abs() > lane.observer.terms.reread_after {
        let at = lane.clock.now();
        let asked: Vec<&Ready> = parts.iter().collect();
        *refreshed = Some(Refreshed { at, looks: look_at_parts(lane, &asked).await });
    }
    match refreshed.as_ref() {
        Some(refreshed) => still(changes, &refreshed.looks),
        None => (changes, Vec::new()),
    }
}

/// Those that stand as the plan found them; the others are settled.
fn still(changes: Vec<Ready>, looks: &BTreeMap<Key, Result<Option<Look>, TargetError>>) -> (Vec<Ready>, Vec<Settled>) {
    let (mut go, mut settled) = (Vec::new(), Vec::new());
    for ready in changes {
        let fate = match looks.get(&ready.change.key) {
            Some(Ok(Some(Look::Present(digest, ..)))) if Some(*digest) == ready.change.expect => None,
            Some(Ok(Some(_))) => Some(Fate::Superseded),
            Some(Ok(None)) | None => Some(Fate::Failed(unread())),
            Some(Err(error)) => Some(unlanded(error.clone())),
        };
        match fate {
            None => go.push(ready),
            Some(fate) => settled.push((Done { change: ready.change, fate }, None)),
        }
    }
    (go, settled)
}

fn all(changes: Vec<Ready>, fate: &Fate) -> Vec<Settled> {
    changes.into_iter().map(|ready| (Done { change: ready.change, fate: fate.clone() }, None)).collect()
}

/// A writer that says nothing of a change leaves it unknown.
fn unanswered(change: &Change) -> Outcome {
    let error =
        TargetError::new(ErrorKind::Malformed, "NO_OUTCOME", "the target's client gave no outcome for the change");
    Outcome::failed(change, error.effect(Effect::Unknown))
}

/// Looks at the records first where the plan's reading is no proof: before every create, where it is
/// old, and after a batch was refused. A record that moved is not written.
async fn check(lane: &Lane<'_>, changes: Vec<Ready>, tried: Try) -> Result<(Vec<Ready>, Vec<Settled>), PassError> {
    let age = lane.clock.now().duration_since(lane.read_at);
    let old = age.unsigned_abs() > lane.observer.terms.reread_after || tried != Try::First;
    let (look_at, fresh): (Vec<Ready>, Vec<Ready>) = changes
        .into_iter()
        .partition(|ready| old || ready.change.action == Action::Create || is_by_name(&ready.change));
    let mut settled = Vec::new();
    let mut go = fresh;
    let kinds: BTreeSet<&'static str> = look_at.iter().map(|ready| ready.change.kind).collect();
    let mut looks: BTreeMap<(&'static str, Key), Result<Option<Look>, TargetError>> = BTreeMap::new();
    for kind in kinds {
        let Some(schema) = lane.schema(kind) else { continue };
        let mine = look_at.iter().filter(|ready| ready.change.kind == kind);
        let by_name = |change: &Change| change.seen_as.clone().filter(|_| is_by_name(change));
        let anchors: Vec<Anchor> = mine.map(|ready| anchor(&ready.change, by_name(&ready.change).as_ref())).collect();
        let bounds = |key: &Key| {
            let mut mine = look_at.iter().filter(|ready| ready.change.kind == kind && ready.change.key == *key);
            mine.next().map(|ready| ready.change.bounds.clone()).unwrap_or_default()
        };
        match look(lane.observer, schema, lane.memories, lane.memory, &anchors, &bounds).await {
            Ok(found) => looks.extend(found.into_iter().map(|(key, look)| ((kind, key), Ok(look)))),
            Err(error) => {
                lane.halt(&error);
                looks.extend(anchors.into_iter().map(|anchor| ((kind, anchor.key), Err(error.clone()))));
            }
        }
    }
    for mut ready in look_at {
        let found = looks.remove(&(ready.change.kind, ready.change.key.clone()));
        let fate = match (found, ready.change.expect) {
            (Some(Ok(Some(Look::Absent))), None) => None,
            (Some(Ok(Some(Look::Present(_, _, remote)))), Some(_)) if is_another(&ready.change, &remote) => {
                Some(Fate::Failed(replace(lane, &ready.change, remote).await?))
            }
            (Some(Ok(Some(Look::Present(digest, _, remote)))), Some(expect)) if digest == expect => {
                ready.change.remote =
                    Some(ready.change.remote.map_or_else(|| remote.clone(), |r| r.refreshed(&remote)));
                None
            }
            (Some(Ok(Some(Look::Ambiguous(code)))), _) => Some(Fate::Failed(in_the_way(code))),
            (Some(Ok(Some(_))), _) => Some(Fate::Superseded),
            (Some(Ok(None)) | None, _) => Some(Fate::Failed(unread())),
            (Some(Err(error)), _) => Some(unlanded(error)),
        };
        match fate {
            None => go.push(ready),
            Some(fate) => settled.push((Done { change: ready.change, fate }, None)),
        }
    }
    Ok((go, settled))
}

/// Whether the plan's reading knew the record only by a name, while another pass remembered its id: the
/// record that bears the name now may be another one.
fn is_by_name(change: &Change) -> bool {
    let id = |remote: &Option<Remote>| remote.as_ref().and_then(|remote| remote.id.as_ref()).is_some();
    change.expect.is_some() && !id(&change.seen_as) && id(&change.remote)
}

fn is_another(change: &Change, found: &Remote) -> bool {
    let known = change.remote.as_ref().and_then(|remote| remote.id.as_ref());
    known.zip(found.id.as_ref()).is_some_and(|(known, found)| known != found)
}

/// The name belongs to another record now. Where the remembered one is still there, that is a conflict;
/// where it is not, the one that bears the name is met for the first time by the next pass.
async fn replace(lane: &Lane<'_>, change: &Change, found: Remote) -> Result<TargetError, PassError> {
    let Some(schema) = lane.schema(change.kind) else { return Ok(unread()) };
    let id = change.remote.as_ref().and_then(|remote| remote.id.clone());
    let known = Anchor { key: change.key.clone(), remembered: Some(Remote { id, handle: None }), matches: Vec::new() };
    let (known, bounds) = (std::slice::from_ref(&known), |_: &Key| change.bounds.clone());
    let looks = look(lane.observer, schema, lane.memories, lane.memory, known, &bounds).await;
    match looks.map(|mut looks| looks.remove(&change.key).flatten()) {
        Ok(Some(Look::Absent)) => {}
        Ok(Some(_)) => return Ok(in_the_way(SEVERAL)),
        Ok(None) => return Ok(unread()),
        Err(error) => return Ok(error),
    }
    meet_anew(lane, change.kind, [(change.key.clone(), found)].into()).await?;
    Ok(replaced())
}

fn replaced() -> TargetError {
    let message = "another record bears the name that was remembered; nothing was written, and the next pass meets it \
                   for the first time";
    TargetError::new(ErrorKind::Conflict, "RECORD_REPLACED", message)
}

fn in_the_way(code: &'static str) -> TargetError {
    let message = "another record stands in the way, or it cannot be told which one is meant; settle it at the target";
    TargetError::new(ErrorKind::Conflict, code, message)
}

fn unread() -> TargetError {
    TargetError::new(
        ErrorKind::Malformed,
        "LOOK_UNANSWERED",
        "the target did not say whether the record is there, so it was not written; it is due again",
    )
    .later(None)
}

/// Makes the intents durable: from here on a crash leaves a trace.
async fn intend(lane: &Lane<'_>, batch: &Batch) -> Result<Vec<u64>, PassError> {
    let settle_after = u64::try_from(lane.observer.terms.settle_after.as_millis()).unwrap_or(u64::MAX);
    let names = |change: &Change| {
        let schema = lane.schema(change.kind);
        let name = |edit: &reconcile_state::Edit| match edit.attribute() {
            None => Some("standing"),
            Some(id) => schema.and_then(|schema| schema.attribute(id)).map(|attribute| attribute.name),
        };
        let names: BTreeSet<&str> = change.edits.iter().filter_map(name).collect();
        names.into_iter().map(str::to_owned).collect()
    };
    let intents: Vec<Intent> = batch
        .changes
        .iter()
        .map(|ready| Intent {
            run: lane.run.to_owned(),
            at: lane.now(),
            kind: ready.change.kind.to_owned(),
            key: ready.change.key.clone(),
            change: ready.change.id,
            action: ready.change.action.to_string(),
            attributes: names(&ready.change),
            settle_after_ms: settle_after,
            matches: match ready.change.action {
                Action::Create => {
                    // A value that counts only where one person bears it does not identify a record by itself.
                    let matches = ready.change.matches.iter().filter(|m| !m.only_unique);
                    matches.map(|m| lane.memory.recognised(m.field, &m.value)).collect()
                }
                // Whose elements these are the target will not tell.
                _ if ready.change.bounds.silent => {
                    let schema = lane.schema(ready.change.kind);
                    let added = ready.change.edits.iter().filter_map(added);
                    schema.map_or_else(Vec::new, |schema| added.map(|one| lane.memory.element(schema, &one)).collect())
                }
                _ => Vec::new(),
            },
        })
        .collect();
    let store = lane.memory.store.clone();
    blocking(move || Ok(store.record_intents(&intents)?)).await
}

/// The error, where a batch was refused as a whole and certainly did nothing: one of several changes, or one that may
/// pass and was not yet tried again.
fn refused_whole(batch: &Batch, outcomes: &BTreeMap<Digest, Outcome>, tried: Try) -> Option<TargetError> {
    let refusal = |ready: &Ready| {
        let outcome = outcomes.get(&ready.change.id)?;
        let error = outcome.error.as_ref().filter(|error| error.effect == Effect::None && outcome.landed.is_empty())?;
        matches!(error.kind, ErrorKind::Rejected | ErrorKind::Conflict).then_some(error)
    };
    let errors: Option<Vec<&TargetError>> = batch.changes.iter().map(refusal).collect();
    let error = errors?.first().map(|error| (*error).clone())?;
    let again = tried == Try::First && matches!(error.retry, Retry::Later(_));
    (batch.changes.len() > 1 || again).then_some(error)
}

async fn refuse(lane: &Lane<'_>, intents: &[u64], error: &TargetError) -> Result<(), PassError> {
    let (at, code) = (lane.now(), error.code.clone());
    let records: Vec<OutcomeRecord> = intents
        .iter()
        .map(|&intent| OutcomeRecord {
            intent,
            at,
            landing: Landing::Failed { code: code.clone() },
            applied: None,
            observed: Observed::Unread,
            claim: None,
        })
        .collect();
    let store = lane.memory.store.clone();
    blocking(move || Ok(store.record_outcomes(&records)?)).await
}

/// Tries the batch once more where the refusal may pass, else each half by itself: one bad record must
/// not hold up the others, and the target does not say which one it is.
async fn halve(
    lane: &Lane<'_>,
    batch: Batch,
    tried: Try,
    error: &TargetError,
    parts: &[Ready],
) -> Result<Vec<Settled>, PassError> {
    let Batch { request, mut changes } = batch;
    if tried == Try::First && matches!(error.retry, Retry::Later(_)) {
        return attempt(lane, Batch { request, changes }, Try::Again, parts).await;
    }
    let second = changes.split_off(changes.len() / 2);
    let mut settled = Vec::new();
    for half in [changes, second] {
        settled.extend(attempt(lane, Batch { request, changes: half }, Try::Half, parts).await?);
    }
    Ok(settled)
}
