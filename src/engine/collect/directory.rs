//! Portal LDAP into the sources file: whole, by what changed, or by single keys.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::join;
use reconcile_state::store::{Absence, Scope, Side, SnapshotWriter, Store, Summary};
use reconcile_state::trust::{SourceFigures, Trust};
use reconcile_state::{Attribute, AttributeId, Key, Record, Schema, Value};

use super::tally::Tally;
use super::{Collector, DIRECTORY, DIRECTORY_SCOPE, Part, accept, figures_name, findings_of, hold, judge, witness};
use crate::engine::blocking::blocking;
use crate::engine::error::PassError;
use crate::engine::point::Point;
use crate::engine::progress::Step;
use crate::model::pass::Event;
use crate::model::person::{self, directory};
use crate::model::scope::{KeyField, SEVERAL};
use crate::sources::port::DirectoryEntry;
use crate::sources::{SourceError, SourceErrorKind};
use crate::targets::port::Echo;

const CSN_SCOPE: Scope<'_> = Scope { kind: "entry-csn", side: Side::Source };
const CSN: AttributeId = AttributeId(1);
/// People asked for at once by key.
const CHUNK: usize = 1000;

fn csn_schema() -> Result<Schema, PassError> {
    Ok(Schema::new(person::PEOPLE, CSN_SCOPE.kind, 2, [Attribute::text(CSN.0, "entry_csn")])?)
}

/// Without an entryCSN the person is read every time: an empty record equals no CSN.
fn csn_record(key: &Key, csn: Option<&str>) -> Record {
    Record::new(key.clone()).with(CSN, csn.unwrap_or_default())
}

/// The record of an entry, with what could not be read of it.
fn record(entry: DirectoryEntry) -> Record {
    let mut record = entry.record;
    record.set(directory::FINDINGS, Value::Set(findings_of(&entry.findings).into()));
    record
}

fn count_findings(entry: &DirectoryEntry, findings: &mut BTreeMap<String, u64>) {
    let codes: BTreeSet<&str> = entry.findings.iter().map(|finding| finding.code).collect();
    codes.into_iter().for_each(|code| *findings.entry(code.to_owned()).or_default() += 1);
}

/// Remembers what our own writes made of entries: what we read last and wrote since is not new to us.
pub(in crate::engine) fn remember_echoes(store: &Store, echoes: &[Echo]) -> Result<(), PassError> {
    let (schema, digester) = (csn_schema()?, store.digester());
    let known = store.digests(CSN_SCOPE)?;
    let ours = |echo: &&Echo| {
        let before = digester.record(&schema, &csn_record(&echo.key, echo.before.as_deref()));
        echo.before.is_some() && known.get(&digester.key(&echo.key)) == Some(before)
    };
    // Several writes of one entry follow each other: the last one counts, where all were ours.
    let mut last: BTreeMap<&Key, Option<&Echo>> = BTreeMap::new();
    for echo in echoes {
        let follows = match last.get(&echo.key) {
            None => ours(&echo),
            Some(before) => before.is_some_and(|before| before.after == echo.before),
        };
        last.insert(&echo.key, Some(echo).filter(|_| follows));
    }
    let csns = last.into_values().flatten().filter(|echo| echo.after.is_some());
    let csns: Vec<Record> = csns.map(|echo| csn_record(&echo.key, echo.after.as_deref())).collect();
    store.put(CSN_SCOPE, &schema, &csns)?;
    Ok(())
}

struct Writers {
    people: SnapshotWriter,
    csns: SnapshotWriter,
}

/// Everybody. A reading that breaks off after it began counts for what it showed; one that never began
/// is an error.
pub(super) async fn read_all(collector: &Collector<'_>) -> Result<Part, PassError> {
    let schema = directory::schema()?;
    let mut writers = open(&collector.store, schema.clone()).await?;
    let mut tally = Tally::new(&schema);
    let (mut shown, mut findings, mut invalid) = (BTreeSet::new(), BTreeMap::new(), 0);
    let (mut complete, mut events) = (false, Vec::new());
    let mut pages = collector.directory.read_all();
    let mut next = pages.next().await;
    while let Some(page) = next.take() {
        let page = match page {
            Ok(page) => page,
            Err(error) if shown.is_empty() && error.kind != SourceErrorKind::Partial => return Err(error.into()),
            Err(error) => {
                events.push(broken(&error));
                break;
            }
        };
        complete = page.last;
        invalid += page.invalid_keys;
        let mut rows = Vec::with_capacity(page.entries.len());
        for entry in page.entries {
            count_findings(&entry, &mut findings);
            let csn = csn_record(&entry.record.key, entry.csn.as_deref());
            let person = record(entry);
            if shown.insert(person.key.clone()) {
                tally.count(&person);
            }
            rows.push((person, csn));
        }
        collector.progress.tell(None, Step::Directory, shown.len() as u64, None);
        // The next page is fetched while this one is compared.
        let (stored, following) = join(blocking(move || see(writers, &rows)), pages.next()).await;
        writers = stored?;
        next = following;
    }
    collector.progress.tell(None, Step::Directory, shown.len() as u64, Some(shown.len() as u64));
    let figures = tally.figures();
    let trust = judge(collector, (DIRECTORY, &|_| true), complete, &figures, &mut events)?;
    let absence = if trust.is_trusted() { Absence::Believed } else { Absence::Doubted };
    let reached = collector.tell();
    let summary = blocking(move || {
        // What is known of an entry stands for a body that is: it comes second.
        let summary = writers.people.finish(absence)?;
        reached(Point::People);
        writers.csns.finish(absence)?;
        reached(Point::Entries);
        Ok(summary)
    })
    .await?;
    if invalid > 0 {
        findings.insert("invalid-key".to_owned(), invalid);
    }
    let (known, _) = hold(&collector.store, DIRECTORY_SCOPE, schema).await?;
    Ok(Part { name: DIRECTORY, summary, trust, figures, shown, known, findings, events, semesters: Vec::new() })
}

async fn open(store: &Store, schema: Schema) -> Result<Writers, PassError> {
    let store = store.clone();
    blocking(move || {
        Ok(Writers {
            people: store.snapshot(DIRECTORY_SCOPE, &schema)?,
            // No part of it before the people it stands for.
            csns: store.snapshot(CSN_SCOPE, &csn_schema()?)?.in_one_piece(),
        })
    })
    .await
}

fn see(mut writers: Writers, rows: &[(Record, Record)]) -> Result<Writers, PassError> {
    for (person, csn) in rows {
        writers.people.see(person)?;
        writers.csns.see(csn)?;
    }
    Ok(writers)
}

fn broken(error: &SourceError) -> Event {
    Event {
        code: error.code.to_owned(),
        pipeline: None,
        step: "collect",
        key: None,
        message: format!("{error}; who was not shown is left alone"),
    }
}

/// Whoever has another entryCSN than the one last read, and who is not listed any more.
pub(super) async fn read_changed(collector: &Collector<'_>) -> Result<Part, PassError> {
    let schema = directory::schema()?;
    let listing = collector.directory.list().await?;
    let store = collector.store.clone();
    let (stale, listed) = blocking(move || {
        let schema = csn_schema()?;
        let (known, held) = (store.digests(CSN_SCOPE)?, store.digests(DIRECTORY_SCOPE)?);
        let digester = store.digester();
        let mut stale = Vec::new();
        for (key, csn) in &listing.entries {
            let now = digester.record(&schema, &csn_record(key, csn.as_deref()));
            // Of whoever was taken for gone a moment ago the entry may still be known, and nothing else.
            let at = digester.key(key);
            if csn.is_none() || known.get(&at) != Some(now) || held.get(&at).is_none() {
                stale.push(key.clone());
            }
        }
        let listed: BTreeSet<Key> = listing.entries.into_iter().map(|(key, _)| key).collect();
        Ok((stale, listed))
    })
    .await?;
    let mut findings = BTreeMap::new();
    let mut summary = Summary::default();
    let mut missing: BTreeSet<Key> = BTreeSet::new();
    for keys in stale.chunks(CHUNK) {
        let entries = collector.directory.read(keys).await?;
        let found: BTreeSet<&Key> = entries.iter().map(|entry| &entry.record.key).collect();
        // Listed a moment ago and gone now: the next listing tells.
        missing.extend(keys.iter().filter(|key| !found.contains(key)).cloned());
        put(collector, &schema, entries, &mut findings, &mut summary).await?;
    }
    let (known, _) = hold(&collector.store, DIRECTORY_SCOPE, schema.clone()).await?;
    let gone: Vec<Key> = known.difference(&listed).cloned().collect();
    let mut events = Vec::new();
    let counted = reconcile_state::trust::SourceFigures { count: listed.len() as u64, ..Default::default() };
    let listing = judge(collector, (DIRECTORY, &|_| false), true, &counted, &mut Vec::new())?;
    let shrunk = !listing.is_trusted();
    if !shrunk && !gone.is_empty() {
        let (store, keys, reached) = (collector.store.clone(), gone.clone(), collector.tell());
        blocking(move || {
            store.remove(DIRECTORY_SCOPE, &keys)?;
            reached(Point::PeopleGone);
            store.remove(CSN_SCOPE, &keys)?;
            reached(Point::EntriesGone);
            Ok(())
        })
        .await?;
        summary.gone = gone;
    }
    let heard = witness::hear(collector, schema.clone(), stale.into_iter().collect()).await?;
    let (known, figures) = hold(&collector.store, DIRECTORY_SCOPE, schema).await?;
    let mut trust = judge(collector, (DIRECTORY, &|_| true), true, &figures, &mut events)?;
    if shrunk {
        trust.doubts.extend(listing.doubts);
    }
    trust.doubts.extend(accept(collector, Trust { doubts: heard }, &mut events).doubts);
    let shown = known.intersection(&listed).filter(|key| !missing.contains(*key)).cloned().collect();
    Ok(Part { name: DIRECTORY, summary, trust, figures, shown, known, findings, events, semesters: Vec::new() })
}

async fn put(
    collector: &Collector<'_>,
    schema: &Schema,
    entries: Vec<DirectoryEntry>,
    findings: &mut BTreeMap<String, u64>,
    summary: &mut Summary,
) -> Result<(), PassError> {
    entries.iter().for_each(|entry| count_findings(entry, findings));
    let csns: Vec<Record> = entries.iter().map(|entry| csn_record(&entry.record.key, entry.csn.as_deref())).collect();
    let people: Vec<Record> = entries.into_iter().map(record).collect();
    summary.seen += people.len() as u64;
    let (store, schema, reached) = (collector.store.clone(), schema.clone(), collector.tell());
    let (new, moved) = blocking(move || {
        let known = store.digests(DIRECTORY_SCOPE)?;
        let new = people.iter().filter(|person| known.get(&store.digester().key(&person.key)).is_none()).count();
        let moved = store.put(DIRECTORY_SCOPE, &schema, &people)?;
        reached(Point::People);
        store.put(CSN_SCOPE, &csn_schema()?, &csns)?;
        reached(Point::Entries);
        Ok((new as u64, moved as u64))
    })
    .await?;
    summary.new += new;
    summary.changed += moved.saturating_sub(new);
    Ok(())
}

/// Those who are named. A name that nobody or several people bear is told and left out.
pub(super) async fn read_named(
    collector: &Collector<'_>,
    names: &[(KeyField, String)],
    unknown: &mut Vec<String>,
) -> Result<Part, PassError> {
    let schema = directory::schema()?;
    let (mut findings, mut summary) = (BTreeMap::new(), Summary::default());
    let mut entries = Vec::new();
    let mut ids = BTreeSet::new();
    for (field, value) in names {
        if *field == KeyField::IdautoId {
            ids.insert(Key::new(value.trim().to_lowercase()));
            continue;
        }
        let mut found = collector.directory.find(*field, value).await?;
        match (found.pop(), found.is_empty()) {
            (Some(entry), true) => entries.push(entry),
            (None, _) => unknown.push(format!("{field}={value}")),
            (Some(_), false) => unknown.push(format!("{field}={value}{SEVERAL}")),
        }
    }
    let asked: Vec<Key> = ids.iter().cloned().collect();
    for keys in asked.chunks(CHUNK) {
        let found = collector.directory.read(keys).await?;
        ids.retain(|key| found.iter().all(|entry| entry.record.key != *key));
        entries.extend(found);
    }
    unknown.extend(ids.iter().map(|key| format!("{}={key}", KeyField::IdautoId)));
    let shown: BTreeSet<Key> = entries.iter().map(|entry| entry.record.key.clone()).collect();
    put(collector, &schema, entries, &mut findings, &mut summary).await?;
    let heard = witness::hear(collector, schema.clone(), BTreeSet::clone(&shown)).await?;
    let (known, figures) = hold(&collector.store, DIRECTORY_SCOPE, schema).await?;
    let mut events = Vec::new();
    // What an earlier, doubted reading put into the store is doubted here too: the figures are those of all
    // that the store holds. Before a first whole reading there is nothing to hold them against.
    let mut trust = match collector.store.meta::<SourceFigures>(&figures_name(DIRECTORY))? {
        Some(_) => judge(collector, (DIRECTORY, &|_| true), true, &figures, &mut events)?,
        None => Trust::default(),
    };
    trust.doubts.extend(accept(collector, Trust { doubts: heard }, &mut events).doubts);
    Ok(Part { name: DIRECTORY, summary, trust, figures, shown, known, findings, events, semesters: Vec::new() })
}
