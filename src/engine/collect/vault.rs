//! MetaVault into the sources file: all tables in one reading, everybody or single people.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::store::{Absence, Summary};
use reconcile_state::trust::{SourceFigures, Trust};
use reconcile_state::{Key, Record, Value};

use super::tally::Tally;
use super::{Collector, Part, VAULT, VAULT_SCOPE, figures_name, findings_of, hold, judge};
use crate::engine::blocking::blocking;
use crate::engine::error::PassError;
use crate::engine::point::Point;
use crate::engine::progress::Step;
use crate::model::Semester;
use crate::model::person::vault;
use crate::sources::port::{VaultEntry, VaultReading};

fn record(entry: VaultEntry) -> Record {
    let mut record = entry.record;
    record.set(vault::FINDINGS, Value::Set(findings_of(&entry.findings).into()));
    record
}

/// Everybody, or these people.
pub(super) async fn read(collector: &Collector<'_>, keys: Option<&[Key]>) -> Result<Part, PassError> {
    let reading = match keys {
        None => collector.vault.read_all().await?,
        Some(keys) => collector.vault.read(keys).await?,
    };
    let VaultReading { people, invalid_keys, orphans, tables, catalogue } = reading;
    let semesters: Vec<Semester> = catalogue.semesters.into_values().collect();
    remember(collector, &semesters).await?;
    let mut findings: BTreeMap<String, u64> = BTreeMap::new();
    for (code, count) in [("invalid-key", invalid_keys), ("orphan-rows", orphans)] {
        if count > 0 {
            findings.insert(code.to_owned(), count);
        }
    }
    for entry in people.values() {
        let codes: BTreeSet<&str> = entry.findings.iter().map(|finding| finding.code).collect();
        codes.into_iter().for_each(|code| *findings.entry(code.to_owned()).or_default() += 1);
    }
    let shown: BTreeSet<Key> = people.keys().cloned().collect();
    collector.progress.tell(None, Step::Vault, shown.len() as u64, Some(shown.len() as u64));
    let records: Vec<Record> = people.into_values().map(record).collect();
    let mut events = Vec::new();
    let (summary, trust, figures) = match keys {
        None => whole(collector, records, &tables, &mut events).await?,
        Some(keys) => some(collector, records, keys, &shown, &tables, &mut events).await?,
    };
    let (known, _) = hold(&collector.store, VAULT_SCOPE, vault::schema()?).await?;
    Ok(Part { name: VAULT, summary, trust, figures, shown, known, findings, events, semesters })
}

/// Under which name the semesters are remembered, for whoever explains without reading.
pub const SEMESTERS: &str = "semesters";

async fn remember(collector: &Collector<'_>, semesters: &[Semester]) -> Result<(), PassError> {
    let (store, semesters, reached) = (collector.store.clone(), semesters.to_vec(), collector.tell());
    blocking(move || {
        if store.meta::<Vec<Semester>>(SEMESTERS)?.as_ref() != Some(&semesters) {
            store.set_meta(SEMESTERS, &semesters)?;
            reached(Point::Semesters);
        }
        Ok(())
    })
    .await
}

type Read = (Summary, Trust, SourceFigures);

async fn whole(
    collector: &Collector<'_>,
    records: Vec<Record>,
    tables: &BTreeMap<&'static str, u64>,
    events: &mut Vec<crate::model::pass::Event>,
) -> Result<Read, PassError> {
    let schema = vault::schema()?;
    let mut tally = Tally::new(&schema);
    records.iter().for_each(|record| tally.count(record));
    let mut figures = tally.figures();
    figures.carriers.extend(rows_of(tables));
    let trust = judge(collector, (VAULT, &|_| true), true, &figures, events)?;
    let absence = if trust.is_trusted() { Absence::Believed } else { Absence::Doubted };
    let (store, reached) = (collector.store.clone(), collector.tell());
    let summary = blocking(move || {
        let mut writer = store.snapshot(VAULT_SCOPE, &schema)?;
        for record in &records {
            writer.see(record)?;
        }
        let summary = writer.finish(absence)?;
        reached(Point::Vault);
        Ok(summary)
    })
    .await?;
    Ok((summary, trust, figures))
}

/// How the rows of a table are named among the figures.
pub const TABLE: &str = "table ";

fn rows_of(tables: &BTreeMap<&'static str, u64>) -> impl Iterator<Item = (String, u64)> {
    tables.iter().map(|(table, rows)| (format!("{TABLE}{table}"), *rows))
}

/// Some people say nothing of the others, but the tables were counted whole: of a table that shrank too much
/// nothing that is missing counts as gone.
async fn some(
    collector: &Collector<'_>,
    records: Vec<Record>,
    keys: &[Key],
    shown: &BTreeSet<Key>,
    tables: &BTreeMap<&'static str, u64>,
    events: &mut Vec<crate::model::pass::Event>,
) -> Result<Read, PassError> {
    let schema = vault::schema()?;
    let trust = match collector.store.meta::<SourceFigures>(&figures_name(VAULT))? {
        Some(last) => {
            let counted = SourceFigures { count: last.count, carriers: rows_of(tables).collect() };
            judge(collector, (VAULT, &|name| name.starts_with(TABLE)), true, &counted, events)?
        }
        None => Trust::default(),
    };
    let (store, reached) = (collector.store.clone(), collector.tell());
    let gone: Vec<Key> = keys.iter().filter(|key| !shown.contains(*key)).cloned().collect();
    let (seen, believed) = (records.len() as u64, trust.is_trusted());
    let changed = blocking(move || {
        if believed {
            store.remove(VAULT_SCOPE, &gone)?;
        }
        let changed = store.put(VAULT_SCOPE, &schema, &records)? as u64;
        reached(Point::Vault);
        Ok(changed)
    })
    .await?;
    let summary = Summary { seen, changed, ..Summary::default() };
    Ok((summary, trust, SourceFigures::default()))
}
