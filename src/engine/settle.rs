//! Settle: what a pass leaves in memory beside its changes. Links, what is forgotten, what was read back,
//! and how far people were carried through.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reconcile_state::journal::{Intent, Landing, Note};
use reconcile_state::store::{DigestSet, Observed, OpenIntent, OutcomeRecord, Scope, Side, Store, StoreError};
use reconcile_state::{
    Applied, Attribute, Beside, Claim, Edit, Key, Origin, Ownership, Record, Remote, Schema, Standing, Taken,
};

use super::blocking::blocking;
use super::collect::{DIRECTORY_SCOPE, VAULT_SCOPE, figures_name};
use super::contradicted::{CONTRADICTED, Contradictions};
use super::error::PassError;
use super::guard::ApprovedPlan;
use super::memory::{ELEMENTS, IDENTITY, LOADING, Memories, Memory, POPULATION};
use super::parts::begin_empty;
use super::planner::Planner;
use super::point::Point;
use super::processed::{forget, leave, remember, reopen, said};
use super::spent;
use crate::model::pass::{Done, Event, Fate, PipelineSummary};
use crate::model::{Action, ErrorKind, Link};

/// Before the first write: the journal is told of the run, a former target's memory is put aside, and
/// writes whose outcome has been read back since are settled. Whether there were any of those: then memory is not what
/// it was.
pub async fn begin(planner: &Planner, approved: &ApprovedPlan, memories: &Memories) -> Result<bool, PassError> {
    let mut moved = false;
    for pipeline in passing(approved) {
        let Some(memory) = memories.pipelines.get(pipeline.name) else { continue };
        let (memory, at) = (Arc::clone(memory), planner.clock.now().as_millisecond());
        let (note, under_way) = (note(approved, at), spent::under_way(approved, pipeline.name, at));
        let aside = pipeline.anew.then(|| planner.store.path().join("claims").join(aside(approved, pipeline.name)));
        let plan = approved.planned().plan.pipelines.get(pipeline.name);
        let numbers: BTreeMap<u64, Option<Remote>> =
            plan.into_iter().flat_map(|plan| plan.read_back.iter().cloned()).collect();
        let (first, kinds) = (pipeline.first_load, pipeline.schemas.clone());
        let claims = plan.is_some_and(|plan| !plan.links.is_empty() || !plan.read_back.is_empty())
            || approved.changes().iter().any(|change| change.pipeline == pipeline.name);
        let (directory, name) = (Arc::clone(&planner.store), pipeline.name);
        let reached = tell(planner, pipeline.name);
        moved |= blocking(move || {
            if claims {
                directory.expect_claims(name)?;
                reached(Point::Expected);
            }
            memory.store.record_note(note)?;
            reached(Point::Noted);
            spent::begin(&memory.store, under_way)?;
            reached(Point::WindowBegun);
            if first {
                memory.store.set_meta(LOADING, &true)?;
                reached(Point::Loading);
            }
            if let Some(aside) = aside {
                put_aside(&memory, &aside, at, &reached)?;
                return Ok(false);
            }
            for OpenIntent { number, intent, .. } in &memory.open {
                if let Some(Some(remote)) = numbers.get(number) {
                    begin_empty(
                        &memory.store,
                        &kinds,
                        &intent.kind,
                        &[(intent.key.clone(), remote.clone())],
                        &reached,
                    )?;
                    reached(Point::ReadBackEmpty);
                }
            }
            let settled = read_back(&memory, &kinds, at, &numbers)?;
            if settled {
                reached(Point::ReadBack);
            }
            Ok(settled)
        })
        .await?;
    }
    Ok(moved)
}

/// Tells of a pipeline's points.
fn tell(planner: &Planner, pipeline: &'static str) -> impl Fn(Point) + Send + use<> {
    planner.tell(Some(pipeline))
}

fn aside(approved: &ApprovedPlan, pipeline: &str) -> String {
    format!("{pipeline}-before-{}.jsonl", approved.planned().run)
}

fn passing(approved: &ApprovedPlan) -> impl Iterator<Item = &PipelineSummary> {
    approved.planned().pipelines.iter().filter(|pipeline| approved.passes(pipeline.name))
}

fn note(approved: &ApprovedPlan, at: i64) -> Note {
    let consent = approved.consent();
    let how = if consent.approved.is_some() { "approved plan" } else { "plan" };
    let allow: Vec<&str> = consent.allow.iter().map(String::as_str).collect();
    let allow = if allow.is_empty() { String::new() } else { format!(", allowed {}", allow.join(" ")) };
    let why = consent.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    Note {
        run: approved.planned().run.clone(),
        at,
        what: format!("{how} {} with {} changes{allow}{why}", approved.planned().plan.hash, approved.changes().len()),
        who: consent.who.clone(),
    }
}

/// What was remembered of another target is copied away and dropped.
fn put_aside(memory: &Memory, to: &Path, at: i64, reached: &impl Fn(Point)) -> Result<(), PassError> {
    make_place(to)?;
    memory.store.backup_claims(to)?;
    reached(Point::AsideCopied);
    for (kind, claims) in &memory.claims {
        let keys: Vec<Key> = claims.keys().cloned().collect();
        memory.store.put_claims(kind, &keys.iter().map(|key| (key.clone(), None)).collect())?;
        reached(Point::AsideClaims);
        memory.store.forget_applied(kind, &keys)?;
        reached(Point::AsideApplied);
    }
    forget(&memory.store)?;
    reached(Point::AsideForgotten);
    memory.store.set_meta(CONTRADICTED, &Contradictions::new())?;
    reached(Point::AsideContradicted);
    let records: Vec<OutcomeRecord> =
        memory.open.iter().map(|open| closed(open.number, at, "TARGET_CHANGED")).collect();
    memory.store.record_outcomes(&records)?;
    reached(Point::AsideClosed);
    Ok(())
}

fn make_place(file: &Path) -> Result<(), PassError> {
    let place = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&place)
        .map_err(|source| StoreError::Io { path: place, source })?;
    Ok(())
}

/// Settles earlier writes of unknown outcome with what this pass read. A record that was made after all is ours,
/// and what is there of it is where the rest goes on from. Whether there was any to settle.
fn read_back(
    memory: &Memory,
    kinds: &[Schema],
    at: i64,
    numbers: &BTreeMap<u64, Option<Remote>>,
) -> Result<bool, PassError> {
    let mut records = Vec::new();
    let mut digests: BTreeMap<&str, DigestSet> = BTreeMap::new();
    for OpenIntent { number, intent, .. } in &memory.open {
        let Some(made) = numbers.get(number) else { continue };
        let scope = Scope::new(&intent.kind, Side::Observed);
        let known = match digests.entry(&intent.kind) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(memory.store.digests(scope)?),
        };
        let digest = known.get(&memory.store.digester().key(&intent.key));
        let mut record = closed(*number, at, "READ_BACK");
        if let (Some(digest), Some(seen)) = (digest, memory.store.body(scope, &intent.key)?) {
            if let Some(remote) = made {
                record.applied = Some((Applied { wanted: digest, seen: digest }, seen.clone()));
                record.claim = Some(Claim::new(remote.clone(), Origin::Created));
            } else if let Some(schema) = kinds.iter().find(|schema| schema.kind == intent.kind) {
                let before = memory.store.wanted_body(schema.kind, &intent.key)?;
                let known = memory.claim(schema.kind, &intent.key);
                record.claim = known.map(|known| landed(schema, intent, known, (before.as_ref(), &seen), at));
            }
            record.observed = Observed::Present(digest, seen);
        }
        records.push(record);
    }
    memory.store.record_outcomes(&records)?;
    Ok(!records.is_empty())
}

/// What is known of a record that shows what a write in doubt was about: that we closed it, and what we took away.
fn landed(
    schema: &Schema,
    intent: &Intent,
    known: &Claim,
    (before, seen): (Option<&Record>, &Record),
    at: i64,
) -> Claim {
    let mut claim = known.clone();
    claim.disabled_by_us |= intent.action == Action::Disable.to_string() && seen.standing == Standing::Disabled;
    let is_claimed = |one: &&Attribute| {
        one.ownership == Ownership::ClaimedSet && intent.attributes.iter().any(|name| name == one.name)
    };
    for attribute in schema.attributes().iter().filter(is_claimed) {
        let held: BTreeSet<&str> = seen.elements(attribute.id).collect();
        let gone = before.into_iter().flat_map(|before| before.elements(attribute.id));
        for element in gone.filter(|element| !held.contains(element)) {
            claim.beside.taken.retain(|one| one.attribute != attribute.id || one.element != element);
            claim.beside.taken.push(Taken { attribute: attribute.id, element: element.to_owned(), at });
        }
    }
    claim
}

/// The outcome of a write of which nothing is at the target.
fn closed(intent: u64, at: i64, code: &str) -> OutcomeRecord {
    let landing = Landing::Unknown { code: code.to_owned() };
    OutcomeRecord { intent, at, landing, applied: None, observed: Observed::Absent, claim: None }
}

/// Remembers the plan's links and forgets what it says is to be forgotten; parts of what this pass will make begin
/// when it is made. Gives the number of records
/// that were met for the first time.
pub async fn link(
    planner: &Planner,
    approved: &ApprovedPlan,
    memories: &Memories,
) -> Result<BTreeMap<&'static str, u64>, PassError> {
    let mut linked = BTreeMap::new();
    for pipeline in passing(approved) {
        let Some(plan) = approved.planned().plan.pipelines.get(pipeline.name) else { continue };
        let store = planner.store.pipeline(pipeline.name)?;
        let memory = memories.pipelines.get(pipeline.name).filter(|_| !pipeline.anew);
        let mut claims: BTreeMap<&str, BTreeMap<Key, Option<Claim>>> = BTreeMap::new();
        let mut pairs: BTreeMap<&'static str, Vec<(Applied, Record)>> = BTreeMap::new();
        for link in plan.links.iter().filter(|link| link.after.is_none()) {
            let before = memory.and_then(|memory| memory.claim(link.kind, &link.key));
            let claim = claim(link, before);
            if before != Some(&claim) {
                claims.entry(link.kind).or_default().insert(link.key.clone(), Some(claim));
            }
            let digester = store.digester();
            let known = memory.and_then(|memory| memory.applied.get(link.kind)?.get(&digester.key(&link.key)));
            if known != Some(link.applied) {
                pairs.entry(link.kind).or_default().push((link.applied, link.wanted.clone()));
            }
        }
        for (kind, key, remote) in &plan.identified {
            if let Some(claim) = memory.and_then(|memory| memory.claim(kind, key)) {
                let claim = Claim { remote: claim.remote.refreshed(remote), ..claim.clone() };
                claims.entry(kind).or_default().insert(key.clone(), Some(claim));
            }
        }
        let mut forgotten: BTreeMap<&'static str, Vec<Key>> = BTreeMap::new();
        for (kind, key) in &plan.forgotten {
            claims.entry(kind).or_default().insert(key.clone(), None);
            forgotten.entry(kind).or_default().push(key.clone());
        }
        linked.insert(pipeline.name, plan.links.iter().filter(|link| link.new && link.after.is_none()).count() as u64);
        let claims: Vec<(String, BTreeMap<Key, Option<Claim>>)> =
            claims.into_iter().map(|(kind, claims)| (kind.to_owned(), claims)).collect();
        let reached = tell(planner, pipeline.name);
        blocking(move || {
            for (kind, claims) in &claims {
                store.put_claims(kind, claims)?;
                reached(Point::LinkClaimed);
            }
            for (kind, pairs) in &pairs {
                store.put_applied(kind, pairs)?;
                reached(Point::LinkApplied);
            }
            for (kind, keys) in &forgotten {
                store.forget_applied(kind, keys)?;
                reached(Point::LinkForgotten);
            }
            Ok(())
        })
        .await?;
    }
    Ok(linked)
}

fn claim(link: &Link, before: Option<&Claim>) -> Claim {
    let known = before.filter(|claim| claim.remote.is(&link.remote));
    Claim {
        remote: known.map_or_else(|| link.remote.clone(), |claim| claim.remote.refreshed(&link.remote)),
        origin: match known {
            // Found as it should be: from now on we know what we did to it. Of elements that stays unknown.
            Some(claim) if claim.origin == Origin::Rebuilt && link.differences.is_empty() && link.kept.is_empty() => {
                Origin::Adopted
            }
            Some(claim) => claim.origin,
            None if link.begun => Origin::Created,
            None => Origin::Adopted,
        },
        disabled_by_us: known.is_some_and(|claim| claim.disabled_by_us),
        beside: Beside {
            listed: link.differences.iter().map(Edit::attribute).collect::<BTreeSet<_>>().into_iter().collect(),
            others: link.kept.clone(),
            taken: known.map(|claim| claim.beside.taken.clone()).unwrap_or_default(),
            unsettled: None,
        }
        .into(),
    }
}

/// The step of events about memory after the last write: none of them may go unnoticed.
pub const SETTLE: &str = "settle";
/// The copy of a pipeline's claims could not be written.
pub const CLAIMS_NOT_COPIED: &str = "CLAIMS_NOT_COPIED";

/// After the last write: how far people were carried through, what the next readings are held against,
/// and a copy of the claims.
pub async fn finish(planner: &Planner, approved: &ApprovedPlan, done: &[Done]) -> Result<Vec<Event>, PassError> {
    let planned = approved.planned();
    let sources = planner.store.sources()?;
    let said = people_said(&sources, &planned.people).await?;
    let mut events = Vec::new();
    for pipeline in passing(approved) {
        let store = planner.store.pipeline(pipeline.name)?;
        let left = left(approved, pipeline.name, done);
        // A pass that only links leaves everybody to the next one.
        let is_carried = |key: &Key| !planned.adopt && !left.contains(key) && !planned.unread.contains(key);
        let carried: Vec<_> = said.iter().filter(|(key, _)| is_carried(key)).cloned().collect();
        let (identity, population) = (pipeline.target.clone(), pipeline.population);
        let elements = pipeline.elements.clone();
        let dates = planned.dates.get(pipeline.name).cloned().unwrap_or_default();
        let trusted = planned.whole && pipeline.trust.is_trusted();
        // Whom half a source does not show has not been loaded.
        let everybody = planned.whole && planned.sources.iter().all(|source| source.trust.is_trusted());
        let through = || is_through(approved, pipeline.name, done);
        let loaded = pipeline.first_load && everybody && !planned.adopt && through();
        let (failed, left): (Vec<Key>, Vec<Key>) = {
            let failed = failed(approved, pipeline.name, done);
            left.into_iter().partition(|key| failed.contains(key))
        };
        let (directory, name) = (Arc::clone(&planner.store), pipeline.name);
        let at = planner.clock.now().as_millisecond();
        let (reached, copied) = (tell(planner, pipeline.name), tell(planner, pipeline.name));
        let keep = move || {
            store.fold()?;
            reached(Point::Folded);
            spent::end(&store, at)?;
            reached(Point::WindowEnded);
            remember(&store, &carried, &dates)?;
            reached(Point::Remembered);
            if store.meta(IDENTITY)? != identity {
                store.set_meta(IDENTITY, &identity)?;
                reached(Point::Identified);
            }
            if trusted {
                store.set_meta(POPULATION, &population)?;
                reached(Point::Counted);
                store.set_meta(ELEMENTS, &elements)?;
                reached(Point::Measured);
            }
            if loaded {
                store.set_meta(LOADING, &false)?;
                reached(Point::Loaded);
            }
            reopen(&store, &left)?;
            reached(Point::Reopened);
            leave(&store, &failed)?;
            reached(Point::Left);
            Ok::<_, PassError>(())
        };
        let event = |code: &str, message| Event {
            code: code.to_owned(),
            pipeline: Some(name),
            step: SETTLE,
            key: None,
            message,
        };
        if let Err(error) = blocking(keep).await {
            let message = format!("what was written is in the journal, but memory was not brought up to date: {error}");
            events.push(event(error.code(), message));
        }
        // Whatever else memory refuses, the claims are copied.
        let copy = move || {
            directory.copy_claims_and(name, || copied(Point::CopiedClaims))?;
            copied(Point::Copied);
            Ok(())
        };
        if let Err(error) = blocking(copy).await {
            let message = format!(
                "what was written is remembered, but the claims could not be copied: {error}; until they are, losing \
                 the pipeline's file loses those made since the last copy"
            );
            events.push(event(CLAIMS_NOT_COPIED, message));
        }
    }
    remember_figures(planner, approved, sources).await?;
    Ok(events)
}

/// Copies the claims of a pass that was cut off by an error: what it did so far is as much worth keeping.
pub async fn copy_claims(planner: &Planner, approved: &ApprovedPlan) {
    for pipeline in passing(approved) {
        let (directory, name) = (Arc::clone(&planner.store), pipeline.name);
        // The error that cut the pass off is the one to tell.
        let _ = blocking(move || Ok(directory.copy_claims(name)?)).await;
    }
}

async fn people_said(sources: &Store, people: &[Key]) -> Result<Arc<Vec<(Key, reconcile_state::Digest)>>, PassError> {
    let (sources, people) = (sources.clone(), people.to_vec());
    blocking(move || {
        let (directory, vault) = (sources.digests(DIRECTORY_SCOPE)?, sources.digests(VAULT_SCOPE)?);
        let digester = sources.digester();
        let all = people.into_iter().map(|key| {
            let at = digester.key(&key);
            let said = said(digester, directory.get(&at), vault.get(&at));
            (key, said)
        });
        Ok(Arc::new(all.collect()))
    })
    .await
}

/// So many records may be left over when a first load is through: they pass the floor of any limit later.
const FEW: usize = 10;

/// Whether all but a few changes of a pipeline were tried: nothing was interrupted, no outage cut the rest
/// off, and nobody waits to be read back.
fn is_through(approved: &ApprovedPlan, pipeline: &str, done: &[Done]) -> bool {
    let cut = |fate: &Fate| match fate {
        Fate::Interrupted | Fate::NotTried(_) | Fate::InDoubt(_) | Fate::Superseded => true,
        Fate::Failed(error) => {
            matches!(error.kind, ErrorKind::Auth | ErrorKind::Connect | ErrorKind::Unavailable | ErrorKind::RateLimited)
        }
        _ => false,
    };
    let plan = approved.planned().plan.pipelines.get(pipeline);
    let unknown = plan.map_or(0, |plan| plan.in_doubt.len() + plan.unobserved.len());
    unknown + done.iter().filter(|done| done.change.pipeline == pipeline && cut(&done.fate)).count() <= FEW
}

/// People for whom something is left to do.
fn left(approved: &ApprovedPlan, pipeline: &str, done: &[Done]) -> BTreeSet<Key> {
    let open = |done: &&Done| done.change.pipeline == pipeline && done.fate != Fate::Landed;
    let mut left: BTreeSet<Key> = done.iter().filter(open).map(|done| done.change.key.clone()).collect();
    if let Some(plan) = approved.planned().plan.pipelines.get(pipeline) {
        left.extend(plan.doubted().chain(&plan.unobserved).chain(&plan.waiting_for).cloned());
        left.extend(plan.conflicts.iter().map(|conflict| conflict.key.clone()));
        let waiting = plan.findings.iter().filter(|finding| finding.not_before.is_some());
        left.extend(waiting.map(|finding| finding.key.clone()));
    }
    left
}

/// Those of them whose last change did not go through, or is tried again later.
fn failed(approved: &ApprovedPlan, pipeline: &str, done: &[Done]) -> BTreeSet<Key> {
    let open = |fate: &Fate| !matches!(fate, Fate::Landed | Fate::NotApproved | Fate::Held(_));
    let mine = done.iter().filter(|done| done.change.pipeline == pipeline && open(&done.fate));
    let mut failed: BTreeSet<Key> = mine.map(|done| done.change.key.clone()).collect();
    if let Some(plan) = approved.planned().plan.pipelines.get(pipeline) {
        failed.extend(plan.doubted().cloned());
        let waiting = plan.findings.iter().filter(|finding| finding.not_before.is_some());
        failed.extend(waiting.map(|finding| finding.key.clone()));
    }
    failed
}

async fn remember_figures(planner: &Planner, approved: &ApprovedPlan, sources: Store) -> Result<(), PassError> {
    let planned = approved.planned();
    // Figures move only with a pass that acts, like everything that later passes are held against.
    if !planned.whole || !passing(approved).any(|_| true) || planner.observers.is_empty() {
        return Ok(());
    }
    let trusted = planned.sources.iter().filter(|source| source.trust.is_trusted());
    let figures: Vec<_> = trusted
        .filter_map(|source| Some((figures_name(source.name), planned.figures.get(source.name)?.clone())))
        .collect();
    let reached = planner.tell(None);
    blocking(move || {
        for (name, figures) in &figures {
            sources.set_meta(name, figures)?;
            reached(Point::Figured);
        }
        Ok(())
    })
    .await
}
