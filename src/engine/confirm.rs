//! Confirm: what was written is read back, and only what was seen is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reconcile_state::edit::{difference, perform};
use reconcile_state::journal::Landing;
use reconcile_state::store::{Observed, OutcomeRecord};
use reconcile_state::{
    Applied, Attribute, AttributeId, Beside, Claim, Digest, Edit, Key, Origin, Ownership, Record, Remote, Schema,
    Standing, Taken, Unsettled,
};

use super::blocking::blocking;
use super::bounds::{added, called_for, cut, leave_kept};
use super::diff::{remaining, undo};
use super::error::PassError;
use super::lane::{Lane, Settled, anchor, unfinished, unlanded};
use super::observe::{Look, look};
use super::parts::{self, ObservedParts};
use super::point::Point;
use super::progress::Silent;
use super::unsure::is_unsure;
use crate::model::pass::{Done, Fate};
use crate::model::{Action, Anchor, Bounds, Change, Effect, Element, ErrorKind, Outcome, Ready, TargetError};
use crate::targets::port::{Parts, Project};

/// Reads back what a batch wrote and settles it. What cannot be read back stays open.
///
/// # Errors
/// [`PassError::Store`]
pub async fn confirm(lane: &Lane<'_>, written: Vec<(Ready, u64, Outcome)>) -> Result<Vec<Settled>, PassError> {
    let looks = read_back(lane, &written).await;
    lane.reached(Point::Confirmed);
    let mut records = Vec::with_capacity(written.len());
    let mut settled = Vec::with_capacity(written.len());
    for (ready, intent, outcome) in written {
        let look = looks.get(&(ready.change.kind, ready.change.key.clone()));
        let (fate, record, latest) = judge(lane, &ready.change, intent, outcome, look);
        records.push(record);
        settled.push((Done { change: ready.change, fate }, latest));
    }
    let mut made: BTreeMap<&'static str, Vec<(Key, Remote)>> = BTreeMap::new();
    for (done, latest) in settled.iter().filter(|(done, _)| done.change.action == Action::Create) {
        if let Some((Some(remote), _)) = latest {
            made.entry(done.change.kind).or_default().push((done.change.key.clone(), remote.clone()));
        }
    }
    let (store, kinds) = (lane.memory.store.clone(), lane.observer.project.kinds().to_vec());
    let (points, name) = (Arc::clone(lane.points), lane.observer.name);
    blocking(move || {
        let reached = |point| points.reached(Some(name), point);
        for (kind, made) in &made {
            parts::begin_empty(&store, &kinds, kind, made, &reached)?;
            reached(Point::Emptied);
        }
        store.record_outcomes(&records)?;
        reached(Point::Recorded);
        Ok(())
    })
    .await?;
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
    let mut bounds: BTreeMap<&Key, &Bounds> = BTreeMap::new();
    let mut parts: Vec<&Ready> = Vec::new();
    for (ready, _, outcome) in written.iter().filter(|(_, _, outcome)| is_due(outcome)) {
        if lane.is_part(ready.change.kind) {
            parts.push(ready);
            continue;
        }
        let remote = outcome.remote.as_ref();
        by_kind.entry(ready.change.kind).or_default().push(anchor(&ready.change, remote));
        bounds.insert(&ready.change.key, &ready.change.bounds);
    }
    let mut looks = Looks::new();
    let found = look_at_parts(lane, &parts).await;
    looks.extend(parts.iter().filter_map(|ready| {
        let look = found.get(&ready.change.key)?.clone();
        Some(((ready.change.kind, ready.change.key.clone()), look))
    }));
    for (kind, anchors) in by_kind {
        let Some(schema) = lane.schema(kind) else { continue };
        let bounds = |key: &Key| bounds.get(key).copied().cloned().unwrap_or_default();
        match look(lane.observer, schema, lane.memories, lane.memory, &anchors, &bounds).await {
            Ok(found) => looks.extend(found.into_iter().map(|(key, look)| ((kind, key), Ok(look)))),
            Err(error) => looks.extend(anchors.into_iter().map(|a| ((kind, a.key), Err(error.clone())))),
        }
    }
    looks
}

/// Reads the parts that these changes are about, all in one go.
pub async fn look_at_parts(lane: &Lane<'_>, changes: &[&Ready]) -> BTreeMap<Key, Result<Option<Look>, TargetError>> {
    let mut by_kind: BTreeMap<&'static str, Vec<&Change>> = BTreeMap::new();
    changes.iter().for_each(|ready| by_kind.entry(ready.change.kind).or_default().push(&ready.change));
    let mut looks = BTreeMap::new();
    for (kind, changes) in by_kind {
        let Some(schema) = lane.schema(kind) else { continue };
        let project = lane.observer.project.as_ref();
        let within = changes.iter().find_map(|change| change.bounds.scopes.clone()).unwrap_or_default();
        let asked = Parts {
            wholes: changes
                .iter()
                .map(|change| (change.key.clone(), change.remote.clone().unwrap_or_default()))
                .collect(),
            all: false,
            within: lane.within.get(kind).cloned().unwrap_or_default(),
            scopes: Some(
                changes
                    .iter()
                    .flat_map(|change| scopes(project, schema, change))
                    .filter(|s| within.contains(s))
                    .collect(),
            ),
        };
        let read = parts::read(lane.observer, kind, asked, &Silent).await;
        for change in changes {
            looks.insert(change.key.clone(), part(lane, schema, change, &read));
        }
    }
    looks
}

/// The scopes that matter to a change: those of what it is to hold, of what it takes away, and of what others hold.
fn scopes(project: &dyn Project, schema: &Schema, change: &Change) -> BTreeSet<String> {
    let held = schema
        .attributes()
        .iter()
        .flat_map(|attribute| change.desired.elements(attribute.id).map(move |element| (attribute.id, element)));
    let edited = change.edits.iter().filter_map(|edit| match edit {
        Edit::Add { attribute, element } | Edit::Remove { attribute, element } => Some((*attribute, element.as_str())),
        _ => None,
    });
    let kept = change.kept.iter().map(|(id, element)| (*id, element.as_str()));
    let all = held.chain(edited).chain(kept);
    all.filter_map(|(id, element)| project.scope_of(schema.kind, id, element)).map(str::to_owned).collect()
}

fn part(lane: &Lane<'_>, schema: &Schema, change: &Change, read: &ObservedParts) -> Result<Option<Look>, TargetError> {
    let project = lane.observer.project.as_ref();
    let in_question = scopes(project, schema, change);
    let all = change.bounds.scopes.clone().unwrap_or_default();
    if in_question.iter().any(|scope| all.contains(scope) && !read.read.contains(scope)) {
        return read.failure.clone().map_or(Ok(None), Err);
    }
    let (mut record, shown) = match read.parts.get(&change.key) {
        Some(part) => (part.record.clone(), part.kept.clone()),
        None => (Record::new(change.key.clone()), BTreeSet::new()),
    };
    cut(&change.bounds, project, schema, &mut record);
    // What is or was called for and was not another's is ours, whether the reading tells or not.
    let before = lane.memory.store.wanted_body(schema.kind, &change.key).map_err(|_| unconfirmed("memory refused"))?;
    let ours = |(id, element): &Element| {
        [Some(&change.desired), before.as_ref()]
            .into_iter()
            .flatten()
            .any(|r| r.elements(*id).any(|one| one == element))
    };
    let kept = shown.into_iter().filter(|element| change.kept.contains(element) || !ours(element)).collect();
    leave_kept(schema, &mut record, &kept, Some(&change.desired));
    let remote = change.remote.clone().unwrap_or_default();
    Ok(Some(Look::Present(lane.memory.store.digester().record(schema, &record), record, remote)))
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
    let due = is_due(&outcome);
    let refusal = outcome.error.or_else(|| outcome.failed.first().map(|(_, error)| error.clone()));
    match (look, refusal) {
        (None, Some(error)) if error.effect == Effect::None && !due => {
            let landing = Landing::Failed { code: error.code.clone() };
            (unlanded(error), record(landing, Observed::Unread), None)
        }
        (None, Some(error)) => doubt(error),
        (None, None) => doubt(unconfirmed("the kind is not declared")),
        (Some(Err(error)), _) => doubt(error.clone()),
        (Some(Ok(None)), _) => doubt(unconfirmed("the target did not answer when it was read back")),
        (Some(Ok(Some(Look::Absent))), refusal) => match refusal {
            Some(error) => {
                let landing = Landing::Partial { code: error.code.clone() };
                (in_part(error), record(landing, Observed::Absent), None)
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

/// Refused, and something of it may be there: it counts in the guard's windows like what landed.
fn in_part(error: TargetError) -> Fate {
    unfinished(error.effect(Effect::Partial))
}

/// What is known of a record once a change of it has landed.
pub fn claim(lane: &Lane<'_>, schema: &Schema, change: &Change, remote: &Remote, standing: Standing) -> Claim {
    let before = lane.memory.claim(change.kind, &change.key);
    Claim {
        remote: remote.clone(),
        origin: match (change.action, before) {
            (Action::Create, _) => Origin::Created,
            (_, Some(claim)) => claim.origin,
            (_, None) if lane.memories.is_made(change.pipeline, schema.kind, remote) => Origin::Created,
            (_, None) => Origin::Adopted,
        },
        disabled_by_us: match standing {
            Standing::Active => false,
            Standing::Disabled => change.disables() || before.is_some_and(|claim| claim.disabled_by_us),
        },
        beside: Beside {
            others: others(change, before),
            taken: taken(schema, change, before, lane.now()),
            ..Beside::default()
        }
        .into(),
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
    let mut claim = claim(lane, schema, change, &known, seen.standing);
    let is_ours = |edit: &Edit| change.action == Action::Create || change.edits.iter().any(|asked| is_of(edit, asked));
    let mut listed: BTreeSet<Option<AttributeId>> =
        before.map(|claim| claim.beside.listed.iter().copied().collect()).unwrap_or_default();
    listed.extend(&change.listed);
    let observed = Observed::Present(digest, seen.clone());
    let latest = Some((Some(known.clone()), digest));
    if let Some(error) = refusal {
        // Of what was refused not even that is believed which the target may rewrite.
        let missing: Vec<Edit> = difference(schema, &change.desired, seen).into_iter().filter(is_ours).collect();
        if !missing.is_empty() {
            let mut outcome = record(Landing::Partial { code: error.code.clone() }, observed);
            if is_bundle(schema) {
                // What landed of it is ours by memory alone.
                let mut wanted = change.desired.clone();
                undo(&mut wanted, &missing);
                let pair = Applied { wanted: lane.memory.store.digester().record(schema, &wanted), seen: digest };
                outcome.applied = Some((pair, wanted));
                let beside = Beside { listed: listed.iter().copied().collect(), ..Beside::clone(&claim.beside) };
                outcome.claim = Some(claim.clone().with(beside));
            }
            if change.action == Action::Create {
                // Made in part, and ours: what is there now is where the rest goes on from.
                outcome.applied = Some((Applied { wanted: digest, seen: digest }, seen.clone()));
                outcome.claim = Some(claim);
                lane.memories.made(change.pipeline, schema.kind, &change.key, &known);
            }
            return (in_part(error), outcome, latest);
        }
    }
    let (short, others): (Vec<Edit>, Vec<Edit>) =
        remaining(schema, &change.desired, seen).into_iter().partition(is_ours);
    let short = beside(short, &others);
    let is_listed = |edit: &Edit| !is_ours(edit) && listed.contains(&edit.attribute());
    let still = difference(schema, &change.desired, seen).into_iter().filter(is_listed);
    let still: BTreeSet<Option<AttributeId>> = still.map(|edit| edit.attribute()).collect();
    if !still.is_empty() {
        claim.beside.listed = still.into_iter().collect();
    }
    let others: Vec<Edit> = others.into_iter().filter(|edit| !is_listed(edit)).collect();
    if is_unsure(Some(&claim)) && short.is_empty() && claim.beside.listed.is_empty() && claim.beside.others.is_empty() {
        claim.origin = Origin::Adopted;
    }
    if !short.is_empty() {
        let last = before.and_then(|claim| claim.beside.unsettled);
        claim.beside.unsettled = Some(Unsettled::after(last, lane.now()));
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

/// What did not show, with what differs beside it in the same sets: what is there in its place.
fn beside(mut short: Vec<Edit>, others: &[Edit]) -> Vec<Edit> {
    let sets: BTreeSet<Option<AttributeId>> = short.iter().map(Edit::attribute).collect();
    short.extend(others.iter().filter(|edit| sets.contains(&edit.attribute())).cloned());
    short
}

/// Whether what is left to do is what was asked for: of a set, the same element.
fn is_of(left: &Edit, asked: &Edit) -> bool {
    let element = |edit: &Edit| match edit {
        Edit::Add { element, .. } | Edit::Remove { element, .. } => Some(element.clone()),
        _ => None,
    };
    left.attribute() == asked.attribute() && element(left) == element(asked)
}

/// Whether nobody but memory knows which elements of a record are ours.
fn is_bundle(schema: &Schema) -> bool {
    schema.part_of.is_some() || schema.attributes().iter().any(|one| one.ownership == Ownership::ClaimedSet)
}

/// What is called for and was there by another's hand, or is not there and was never ours to put there.
fn others(change: &Change, before: Option<&Claim>) -> BTreeSet<Element> {
    let known = before.into_iter().flat_map(|claim| &claim.beside.others).cloned();
    let mut others = called_for(&change.desired, change.kept.iter().cloned().chain(known).collect());
    // What was there when a lost memory was rebuilt stays another's, called for or not.
    others.extend(
        before.filter(|claim| is_unsure(Some(claim))).into_iter().flat_map(|claim| &claim.beside.others).cloned(),
    );
    change.edits.iter().filter_map(added).for_each(|element| {
        others.remove(&element);
    });
    others
}

/// What we took away so far: elements that are given again are taken no longer.
fn taken(schema: &Schema, change: &Change, before: Option<&Claim>, at: i64) -> Vec<Taken> {
    let mut taken = before.map(|claim| claim.beside.taken.clone()).unwrap_or_default();
    for edit in &change.edits {
        let (Edit::Add { attribute, element } | Edit::Remove { attribute, element }) = edit else { continue };
        let is_claimed = |one: &Attribute| one.ownership == Ownership::ClaimedSet;
        if schema.attribute(*attribute).is_some_and(is_claimed) {
            taken.retain(|one| one.attribute != *attribute || one.element != *element);
            if matches!(edit, Edit::Remove { .. }) {
                taken.push(Taken { attribute: *attribute, element: element.clone(), at });
            }
        }
    }
    taken
}
