//! Settling: intents durable, then outcomes with digests, bodies and claims durable, in groups; folding included.

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

/// Microseconds by the clock per record: the median group's two commits, and its share of folding.
pub fn groups(store: &Store, schema: &Schema, count: u32) -> Result<f64, Box<dyn Error>> {
    let mut groups: Vec<Took> = Vec::new();
    // Far apart in the order of keys, as what changes in a day is.
    let step = (count / (GROUP * GROUPS)).max(1);
    for group in 0..GROUPS {
        let people = (0..GROUP).map(|n| people::person((group + n * GROUPS) * step % count, 2));
        let people: Vec<Record> = people.collect();
        groups.push(settle(store, schema, &people)?.1);
    }
    groups.sort_by(|one, two| one.wall_ms().total_cmp(&two.wall_ms()));
    let each = |ms: f64| ms * 1e3 / f64::from(GROUP);
    let median = &groups[groups.len() / 2];
    let since = Since::now();
    store.fold()?;
    let folded = since.wall_ms() / f64::from(GROUPS);
    let whole = each(median.wall_ms() + folded);
    println!(
        "settle in groups       {:7.3}  {whole:.1} by the clock: {:.1} intents, {:.1} outcomes, {:.1} folding",
        each(median.cpu),
        each(median.intents),
        each(median.outcomes),
        each(folded),
    );
    Ok(whole)
}

/// What one group took, in milliseconds.
pub struct Took {
    /// By the clock.
    intents: f64,
    /// By the clock.
    outcomes: f64,
    /// Of processor time, both together.
    cpu: f64,
}

impl Took {
    fn wall_ms(&self) -> f64 {
        self.intents + self.outcomes
    }
}

/// Gives the number of the last intent; its outcome is durable.
pub fn settle(store: &Store, schema: &Schema, people: &[Record]) -> Result<(u64, Took), Box<dyn Error>> {
    let intents: Vec<Intent> = people.iter().map(|record| intent(store, schema, record)).collect();
    let since = Since::now();
    let numbers = store.record_intents(&intents)?;
    let (intents, intents_cpu) = (since.wall_ms(), since.cpu_ms());
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
    let took = Took { intents, outcomes: since.wall_ms(), cpu: intents_cpu + since.cpu_ms() };
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
