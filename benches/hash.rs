//! What a record costs before anything is compared: canonical bytes and their keyed digest, beside the
//! bare hash of as many bytes. Run with `cargo bench --bench hash [-- RECORDS]`.

#![allow(clippy::print_stdout)]

#[path = "common/people.rs"]
mod people;

use std::hint::black_box;
use std::time::Instant;

use reconcile_state::Digester;
use reconcile_state::digest::encode;

fn main() {
    let count = people::argument(1, 20_000);
    let (schema, digester) = (people::schema(), Digester::new([7; 32]));
    let records: Vec<_> = (0..count).map(|n| people::person(n, 0)).collect();
    let bodies: Vec<_> = records.iter().map(|record| encode("user", record)).collect();
    let bytes = bodies.iter().map(Vec::len).sum::<usize>() as f64 / f64::from(count);
    println!("{count} records of {bytes:.0} bytes, fastest 500, ns per record");

    let bare = best(&bodies, |body| digester.bytes(body));
    let encoded = best(&records, |record| encode("user", record));
    let digest = best(&records, |record| digester.record(&schema, record));
    let key = best(&records, |record| digester.key(&record.key));
    println!("bare keyed hash   {bare:7.0}  {:.2} per byte", bare / bytes);
    println!("encode            {encoded:7.0}  {:.2} of the bare hash", encoded / bare);
    println!("record digest     {digest:7.0}  {:.2} of the bare hash", digest / bare);
    println!("key digest        {key:7.0}  {:.2} of the bare hash", key / bare);
    println!("encode + digest   {:7.0}  {:.2} of the bare hash", encoded + digest, (encoded + digest) / bare);
}

/// The fastest of many short runs: the one that other work on the machine disturbed least.
fn best<T, R>(items: &[T], f: impl Fn(&T) -> R) -> f64 {
    let run = |items: &[T]| {
        let start = Instant::now();
        for item in items {
            black_box(f(item));
        }
        start.elapsed().as_secs_f64() * 1e9 / items.len() as f64
    };
    items.chunks(500).map(run).fold(f64::INFINITY, f64::min)
}
