//! Settling: outcomes with digests, bodies and claims, durable, in groups.

use std::error::Error;

use reconcile_state::journal::{Intent, Landing};
use reconcile_state::store::{Observed, OutcomeRecord, Store};
use reconcile_state::{Applied, Claim, Origin, Record, Remote, Schema};

use crate::measure::Since;
use crate::people;

/// Records settled by one commit.
const GROUP: u32 = 200;
const GROUPS: u32 = 25;
const AT: i64 = 1_785_722_400_000;

/// Microseconds by the clock per record, the median group; folding is told beside it.
pub fn groups(store: &Store, schema: &Schema, count: u32) -> Result<f64, Box<dyn Error>> {
    let mut groups: Vec<(f64, f64)> = Vec::new();
    // Far apart in the order of keys, as what changes in a day is.
    let step = (count / (GROUP * GROUPS)).max(1);
    for group in 0..GROUPS {
        let people = (0..GROUP).map(|n| people::person((group + n * GROUPS) * step % count, 2));
        let people: Vec<Record> = people.collect();
        let (_, took) = settle(store, schema, &people)?;
        groups.push((took.wall_ms, took.cpu_ms));
    }
    groups.sort_by(|one, two| one.0.total_cmp(&two.0));
    let each = |ms: f64| ms * 1e3 / f64::from(GROUP);
    let (wall, cpu) = groups[groups.len() / 2];
    let since = Since::now();
    store.fold()?;
    let folded = since.wall_ms() * 1e3 / f64::from(GROUP * GROUPS);
    println!(
        "settle in groups       {:7.3}  {:.1} by the clock; {folded:.1} to fold {} afterwards",
        each(cpu),
        each(wall),
        GROUP * GROUPS
    );
    Ok(each(wall))
}

/// What one group took.
pub struct Took {
    wall_ms: f64,
    cpu_ms: f64,
}

/// Gives the number of the last intent; its outcome is durable.
pub fn settle(store: &Store, schema: &Schema, people: &[Record]) -> Result<(u64, Took), Box<dyn Error>> {
    let intents: Vec<Intent> = people.iter().map(|record| intent(store, schema, record)).collect();
    let numbers = store.record_intents(&intents)?;
    let outcome = |(number, record): (&u64, &Record)| {
        let digest = store.digester().record(schema, record);
        OutcomeRecord {
            intent: *number,
            at: AT,
            landing: Landing::Landed,
            applied: Some((Applied { wanted: digest, seen: digest }, record.clone())),
            observed: Observed::Present(digest, record.clone()),
            claim: Some(Claim::new(Remote { id: Some(number.to_string()), handle: None }, Origin::Created)),
        }
    };
    let outcomes: Vec<OutcomeRecord> = numbers.iter().zip(people).map(outcome).collect();
    let since = Since::now();
    store.record_outcomes(&outcomes)?;
    let took = Took { wall_ms: since.wall_ms(), cpu_ms: since.cpu_ms() };
    Ok((numbers.last().copied().unwrap_or(0), took))
}

fn intent(store: &Store, schema: &Schema, record: &Record) -> Intent {
    Intent {
        run: "20260803T020000-00000000".into(),
        at: AT,
        kind: schema.kind.into(),
        key: record.key.clone(),
        change: store.digester().key(&record.key),
        action: "update".into(),
        attributes: vec!["a01".into()],
        settle_after_ms: 30_000,
        matches: Vec::new(),
    }
}
