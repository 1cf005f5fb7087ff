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
    println!("{count} records of {bytes:.0} bytes, best of 5, ns per record");

    let bare = best(count, || bodies.iter().for_each(|body| drop(black_box(digester.bytes(body)))));
    let encoded = best(count, || records.iter().for_each(|record| drop(black_box(encode("user", record)))));
    let digest = best(count, || records.iter().for_each(|record| drop(black_box(digester.record(&schema, record)))));
    let key = best(count, || records.iter().for_each(|record| drop(black_box(digester.key(&record.key)))));
    println!("bare keyed hash   {bare:7.0}  {:.2} per byte", bare / bytes);
    println!("encode            {encoded:7.0}  {:.2} of the bare hash", encoded / bare);
    println!("record digest     {digest:7.0}  {:.2} of the bare hash", digest / bare);
    println!("key digest        {key:7.0}  {:.2} of the bare hash", key / bare);
    println!("encode + digest   {:7.0}  {:.2} of the bare hash", encoded + digest, (encoded + digest) / bare);
}

fn best(count: u32, mut f: impl FnMut()) -> f64 {
    let run = || {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
    };
    std::iter::repeat_with(run).take(5).fold(f64::INFINITY, f64::min)
}
