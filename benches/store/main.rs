//! What the store costs beside making, encoding and hashing records: a first load, a reading without news, one with
//! 0.1 % changed, settling, opening after a kill. `cargo bench --bench store [-- RECORDS]`; a million by default.

#![allow(clippy::print_stdout)]

mod kill;
#[path = "../common/measure.rs"]
mod measure;
#[path = "../common/people.rs"]
mod people;
mod settle;

use std::error::Error;
use std::hint::black_box;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reconcile_state::store::{Absence, Scope, Side, Store, StoreDir, Summary};
use reconcile_state::{Digester, Schema};

use self::measure::Since;

const SCOPE: Scope<'static> = Scope { kind: "user", side: Side::Observed };
const KEY: [u8; 32] = [7; 32];

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(dir) = kill::told_to_write() {
        return kill::write_until_killed(Path::new(&dir));
    }
    let count = people::argument(1, 1_000_000);
    let dir = tempfile::tempdir()?;
    let schema = people::schema();
    println!("{count} records; us of processor time per record");
    let written = load(dir.path(), &schema, count)?;
    let settled = settle::groups(&open(dir.path())?, &schema, count)?;
    let reopened = kill::reopen(dir.path())?;
    println!("peak memory            {:7} MiB", measure::figure("/proc/self/status", "VmHWM:") >> 10);
    // The names say what was measured: with another number of records it is something else.
    if count == 1_000_000 {
        measure::result("resnapshot_written_1m", written, "MB");
        measure::result("settle_200", settled, "us");
        measure::result("reopen_after_kill", reopened, "ms");
    }
    Ok(())
}

fn open(dir: &Path) -> Result<Store, Box<dyn Error>> {
    Ok(StoreDir::open(dir, KEY)?.pipeline("bench")?)
}

/// Gives how many MB a reading with 0.1 % changed wrote.
fn load(dir: &Path, schema: &Schema, count: u32) -> Result<f64, Box<dyn Error>> {
    let each = |ms: f64| ms * 1e3 / f64::from(count);
    let digester = Digester::new(KEY);
    // What a pass does with every record whatever there is to keep.
    let (since, mut payload) = (Since::now(), 0);
    for n in 0..count {
        let record = people::person(n, 0);
        let (digest, body) = digester.record_and_body(schema, &record);
        payload += body.len();
        black_box((digester.key(&record.key), digest));
    }
    let produce = since.cpu_ms();
    println!("make, encode, digest   {:7.3}  {} MB of bodies", each(produce), payload >> 20);

    let store = open(dir)?;
    let (took, first) = read(&store, schema, count, |_| 0)?;
    // Not its length: the file grows by doubling and has holes.
    let size = std::fs::metadata(dir.join("bench.redb"))?.blocks() * 512;
    println!(
        "first load, sorted     {:7.3}  {:.3} above; file {:.2} of payload; {} new",
        each(took),
        each(took - produce),
        size as f64 / payload as f64,
        first.new
    );
    // A pass opens the file anew, with the cache it asks for by then.
    drop(store);
    let store = open(dir)?;
    let (noop, same) = read(&store, schema, count, |_| 0)?;
    println!("no news                {:7.3}  {:.3} above; {} same", each(noop), each(noop - produce), same.same);
    let before = written();
    let (took, few) = read(&store, schema, count, |n| u32::from(n % 1000 == 0))?;
    let megabytes = (written() - before) as f64 / 1e6;
    println!(
        "0.1 % changed          {:7.3}  {:.3} of no news; {megabytes:.1} MB written; {} changed",
        each(took),
        took / noop,
        few.changed
    );
    let since = Since::now();
    let digests = store.digests(SCOPE)?;
    println!("digests into memory    {:7.3}", each(since.cpu_ms()));
    let keys: Vec<_> = (0..count).map(|n| digester.key(&people::person(n, 0).key)).collect();
    let since = Since::now();
    let found = keys.iter().filter(|key| digests.get(key).is_some()).count();
    println!("look-up                {:7.3}  {found} found", each(since.cpu_ms()));
    drop((digests, keys));
    let (since, mut bodies) = (Since::now(), 0_u32);
    store.for_each_body(SCOPE, |_| bodies += 1)?;
    println!("bodies in key order    {:7.3}  {bodies} decoded", each(since.cpu_ms()));
    Ok(megabytes)
}

fn read(
    store: &Store,
    schema: &Schema,
    count: u32,
    version: impl Fn(u32) -> u32,
) -> Result<(f64, Summary), Box<dyn Error>> {
    let since = Since::now();
    let mut writer = store.snapshot(SCOPE, schema)?;
    for n in 0..count {
        writer.see(&people::person(n, version(n)))?;
    }
    let summary = writer.finish(Absence::Believed)?;
    Ok((since.cpu_ms(), summary))
}

/// Bytes this process has handed to the kernel to write.
fn written() -> u64 {
    measure::figure("/proc/self/io", "wchar:")
}
