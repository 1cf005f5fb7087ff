//! What the store costs beside making, encoding and hashing records: first load, a reading without
//! news, 0.1 % changed, digests in memory, comparing two sides. `cargo bench --bench store
//! [-- RECORDS]`; the facts' figures are for 1000000.

#![allow(clippy::print_stdout)]

#[path = "common/people.rs"]
mod people;

use std::error::Error;
use std::hint::black_box;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use reconcile_state::digest::encode;
use reconcile_state::store::{Absence, Scope, Side, Store, StoreDir, Summary};
use reconcile_state::{Digester, Schema};

const SCOPE: Scope<'static> = Scope { kind: "user", side: Side::Observed };
const OTHER: Scope<'static> = Scope { kind: "user", side: Side::Processed };

fn main() -> Result<(), Box<dyn Error>> {
    let count = people::argument(1, 100_000);
    let dir = tempfile::tempdir()?;
    let schema = people::schema();
    let key = [7; 32];
    let digester = Digester::new(key);
    let each = |seconds: f64| seconds * 1e6 / f64::from(count);

    // What a pass does with every record whatever there is to keep.
    let start = cpu();
    let mut payload = 0;
    for n in 0..count {
        let record = people::person(n, 0);
        payload += encode("user", &record).len();
        black_box((digester.key(&record.key), digester.record(&schema, &record)));
    }
    let encoded = seconds(start);
    let start = cpu();
    for n in 0..count {
        let record = people::person(n, 0);
        black_box((digester.key(&record.key), digester.record(&schema, &record)));
    }
    let produce = seconds(start);
    println!("{count} records, {} MB of bodies; us of processor time per record", payload >> 20);
    println!("make, digest           {:7.3}", each(produce));
    println!("make, encode, digest   {:7.3}", each(encoded));

    let store = StoreDir::open(dir.path(), key)?.pipeline("bench")?;
    let path = dir.path().join("bench.redb");
    let (took, first) = read(&store, SCOPE, &schema, count, |_| 0)?;
    // Not its length: the file grows by doubling and has holes.
    let size = std::fs::metadata(&path)?.blocks() * 512;
    println!(
        "first load, sorted     {:7.3}  {:.3} above; file {:.2} of payload; {} new",
        each(took),
        each(took - encoded),
        size as f64 / payload as f64,
        first.new
    );
    let (took, same) = read(&store, SCOPE, &schema, count, |_| 0)?;
    let noop = took;
    println!(
        "no news                {:7.3}  {:.3} above; {:.3} of make, digest; {} same",
        each(took),
        each(took - produce),
        took / produce,
        same.same
    );
    let written = written();
    let (took, few) = read(&store, SCOPE, &schema, count, |n| u32::from(n % 1000 == 0))?;
    println!(
        "0.1 % changed          {:7.3}  {:.3} of no news; {} KB written; {} changed",
        each(took),
        took / noop,
        written_since(written),
        few.changed
    );
    read(&store, OTHER, &schema, count, |n| u32::from(n % 1000 == 0))?;

    let start = cpu();
    let (one, two) = (store.digests(SCOPE)?, store.digests(OTHER)?);
    let loaded = seconds(start);
    let start = Instant::now();
    let differ = one.iter().zip(two.iter()).filter(|(one, two)| one != two).count();
    println!(
        "digests of two sides   {:7.2} ms to load, {:.2} ms to compare; {differ} differ",
        loaded * 1e3,
        start.elapsed().as_secs_f64() * 1e3
    );
    let keys: Vec<_> = (0..count).map(|n| digester.key(&people::person(n, 0).key)).collect();
    let start = cpu();
    let found = keys.iter().filter(|key| one.get(key).is_some()).count();
    println!("look-up                {:7.3}  {found} found", each(seconds(start)));
    let start = Instant::now();
    let equal = store.root(SCOPE)?.map(|root| root.digest) == store.root(OTHER)?.map(|root| root.digest);
    println!("roots                  {:7.1} us; equal: {equal}", start.elapsed().as_secs_f64() * 1e6);
    drop((one, two));

    let start = cpu();
    let mut bodies = 0_u32;
    store.for_each_body(SCOPE, |_| bodies += 1)?;
    println!("bodies in key order    {:7.3}  {bodies} decoded", each(seconds(start)));
    drop(store);
    let start = cpu();
    let store = StoreDir::open(dir.path(), key)?.pipeline("bench")?;
    println!("open                   {:7.2} ms", seconds(start) * 1e3);
    black_box(store);
    println!("peak memory            {:7} MB", peak() >> 10);
    Ok(())
}

fn read(
    store: &Store,
    scope: Scope<'_>,
    schema: &Schema,
    count: u32,
    version: impl Fn(u32) -> u32,
) -> Result<(f64, Summary), Box<dyn Error>> {
    let start = cpu();
    let mut writer = store.snapshot(scope, schema)?;
    for n in 0..count {
        writer.see(&people::person(n, version(n)))?;
    }
    let summary = writer.finish(Absence::Believed)?;
    Ok((seconds(start), summary))
}

/// Of processor time, since then.
fn seconds(since: u64) -> f64 {
    (cpu() - since) as f64 / 1e9
}

/// A figure of this process from the kernel; 0 where it tells none.
fn figure(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn written() -> u64 {
    figure("/proc/self/io", "wchar:")
}

fn written_since(before: u64) -> u64 {
    (written() - before) >> 10
}

/// In KB.
fn peak() -> u64 {
    figure("/proc/self/status", "VmHWM:")
}

/// Nanoseconds this thread has had a processor for: other work on the machine does not count. Where the
/// kernel does not tell, 0.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0)
}
