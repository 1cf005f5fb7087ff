//! What a record costs before anything is compared: canonical bytes and their keyed digest, beside the bare hash of
//! as many bytes. `cargo bench --bench hash [-- RECORDS]`.
//!
//! The records are many more than the processor's cache holds, and the texts of each lie wherever the allocator put
//! them: fetching those is most of the cost of encoding. Each record is met once, as the store meets it: its digest
//! is taken, and then its body is made.

#![allow(clippy::print_stdout)]

#[path = "common/measure.rs"]
mod measure;
#[path = "common/people.rs"]
mod people;

use std::hint::black_box;

use reconcile_state::Digester;
use reconcile_state::digest::encode;

use self::measure::Since;

/// A run is short enough that some are not disturbed.
const RUN: usize = 500;

fn main() {
    let count = people::argument(1, 20_000);
    let (schema, digester) = (people::schema(), Digester::new([7; 32]));
    let records: Vec<_> = (0..count).map(|n| people::person(n, 0)).collect();
    let bodies: Vec<_> = records.iter().map(|record| encode("user", record)).collect();
    let bytes = bodies.iter().map(Vec::len).sum::<usize>() as f64 / f64::from(count);
    println!("{count} records of {bytes:.0} bytes; us of processor time per record, median of runs of {RUN}");

    let bare = median(&bodies, |body| digester.bytes(body));
    let say = |name: &str, took: f64| println!("{name:<24} {took:7.3}  {:.2} of the bare hash", took / bare);
    say("bare keyed hash", bare);
    say("key digest", median(&records, |record| digester.key(&record.key)));
    say("body", median(&records, |record| encode("user", record)));
    say("digest", median(&records, |record| digester.record(&schema, record)));
    let both = median(&records, |record| digester.record_and_body(&schema, record));
    say("digest and body", both);
    let few = &records[..records.len().min(50)];
    let warm = few.iter().cycle().take(20 * RUN).collect::<Vec<_>>();
    say("the same, in the cache", median(&warm, |record| digester.record_and_body(&schema, record)));

    measure::result("hash_only", bare, "us");
    measure::result("encode_hash", both, "us");
    measure::result("encode_hash_ratio", both / bare, "times");
}

fn median<T, R>(items: &[T], f: impl Fn(&T) -> R) -> f64 {
    let run = |items: &[T]| {
        let since = Since::now();
        for item in items {
            black_box(f(item));
        }
        since.cpu_ms() * 1e3 / items.len() as f64
    };
    let mut runs: Vec<f64> = items.chunks(RUN).map(run).collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
