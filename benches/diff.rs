//! Two sides of one kind compared in the store: blocks against blocks, rows only where blocks differ, with nothing, a
//! little and everything changed. `cargo bench --bench diff [-- RECORDS]`; without a number 100 000 and 1 000 000.
//!
//! Roots are made stale before each comparison, so that they prove nothing. Beside it stands what a pass does that
//! holds a side in memory.

#![allow(clippy::print_stdout)]

#[path = "common/measure.rs"]
mod measure;
#[path = "common/people.rs"]
mod people;

use std::error::Error;

use reconcile_state::Schema;
use reconcile_state::store::{Absence, Scope, Side, Store, StoreDir};

use self::measure::Since;

const ONE: Scope<'static> = Scope { kind: "user", side: Side::Observed };
const TWO: Scope<'static> = Scope { kind: "user", side: Side::Processed };
/// Of every so many records one is changed.
const CHANGED: [(&str, u32); 4] = [("0 %", u32::MAX), ("0.1 %", 1000), ("1 %", 100), ("100 %", 1)];
/// So often everything is compared; the median counts.
const TIMES: usize = 21;

fn main() -> Result<(), Box<dyn Error>> {
    let counts = match people::argument(1, 0) {
        0 => vec![100_000, 1_000_000],
        count => vec![count],
    };
    println!("ms by the clock (of processor time), median of {TIMES}");
    for count in counts {
        compare(count)?;
    }
    Ok(())
}

fn compare(count: u32) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let schema = people::schema();
    let open = || StoreDir::open(dir.path(), [7; 32])?.pipeline("bench");
    read(&open()?, ONE, &schema, count, u32::MAX)?;
    let mut results = Vec::new();
    for (name, every) in CHANGED {
        read(&open()?, TWO, &schema, count, every)?;
        // The file is closed, and its cache is empty and as large as the file now asks for.
        let store = open()?;
        make_stale(&store, &schema)?;
        let since = Since::now();
        let first = store.differences(ONE, TWO)?.len();
        let opened = since.wall_ms();
        let expected = (0..count).filter(|n| n % every == every - 1).count();
        if first != expected {
            return Err(format!("{first} differ, not {expected}").into());
        }
        let (wall, cpu) = median(|| store.differences(ONE, TWO))?;
        let (held, held_cpu) = median(|| -> Result<usize, Box<dyn Error>> {
            let (one, two) = (store.digests(ONE)?, store.digests(TWO)?);
            Ok(one.iter().filter(|(key, digest)| two.get(key) != Some(*digest)).count())
        })?;
        println!(
            "{count:>8} records, {name:>5} changed: {wall:8.2} ({cpu:.2}); just opened {opened:.2}; in memory and looked up \
             {held:.2} ({held_cpu:.2})"
        );
        results.push((every, wall));
    }
    let thousands =
        if count.is_multiple_of(1_000_000) { format!("{}m", count / 1_000_000) } else { format!("{}k", count / 1000) };
    for (every, wall) in results {
        let name = match every {
            u32::MAX => format!("equal_blocks_{thousands}"),
            1000 => format!("diff_0.1_percent_{thousands}"),
            100 => format!("diff_1_percent_{thousands}"),
            _ => format!("diff_100_percent_{thousands}"),
        };
        measure::result(&name, wall, "ms");
    }
    Ok(())
}

/// Changes one record of each side and changes it back: the roots are not known any more.
fn make_stale(store: &Store, schema: &Schema) -> Result<(), Box<dyn Error>> {
    for scope in [ONE, TWO] {
        let held = store.body(scope, &people::person(0, 0).key)?.ok_or("nobody is there")?;
        store.put(scope, schema, &[people::person(0, 9)])?;
        store.put(scope, schema, &[held])?;
        if store.root(scope)?.is_none_or(|root| root.digest.is_some()) {
            return Err("a root still says what it is of".into());
        }
    }
    Ok(())
}

fn median<T, E: Into<Box<dyn Error>>>(mut f: impl FnMut() -> Result<T, E>) -> Result<(f64, f64), Box<dyn Error>> {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let since = Since::now();
        let done = f().map_err(Into::into)?;
        took.push((since.wall_ms(), since.cpu_ms()));
        drop(done);
    }
    took.sort_by(|one, two| one.0.total_cmp(&two.0));
    Ok(took[TIMES / 2])
}

fn read(store: &Store, scope: Scope<'_>, schema: &Schema, count: u32, every: u32) -> Result<(), Box<dyn Error>> {
    let mut writer = store.snapshot(scope, schema)?;
    for n in 0..count {
        writer.see(&people::person(n, u32::from(n % every == every - 1)))?;
    }
    writer.finish(Absence::Believed)?;
    Ok(())
}
