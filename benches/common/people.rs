//! Invented users with 42 attributes and about 853 canonical bytes.

use reconcile_state::schema::{Attribute, Normal, Schema};
use reconcile_state::{AttributeId, Record};

const NAMES: [&str; 42] = [
    "a01", "a02", "a03", "a04", "a05", "a06", "a07", "a08", "a09", "a10", "a11", "a12", "a13", "a14", "a15", "a16",
    "a17", "a18", "a19", "a20", "a21", "a22", "a23", "a24", "a25", "a26", "a27", "a28", "a29", "a30", "a31", "a32",
    "a33", "a34", "a35", "a36", "a37", "a38", "a39", "a40", "a41", "a42",
];

/// A number from the command line: `cargo bench` adds flags of its own, which are passed over.
pub fn argument(at: usize, default: u32) -> u32 {
    std::env::args().skip(1).filter_map(|text| text.parse().ok()).nth(at - 1).unwrap_or(default)
}

/// Every fourth attribute is compared without regard to case.
pub fn schema() -> Schema {
    let attributes: Vec<_> = (1..)
        .zip(NAMES)
        .map(|(id, name)| {
            let normal = if id % 4 == 0 { Normal::Folded } else { Normal::Exact };
            Attribute::text(id, name).normal(normal)
        })
        .collect();
    Schema::new("bench", "user", 0, attributes).unwrap_or_else(|error| unreachable!("{error}"))
}

/// Person `n` in their `version`-th shape.
pub fn person(n: u32, version: u32) -> Record {
    let mut record = Record::new(format!("uh{n:08}").as_str().into());
    for id in 1..=42_u16 {
        let length = 2 + (usize::from(id) * 7 + n as usize) % 23;
        let mut text = format!("{n:x}.{id:x}.{version}.invented-value-here");
        text.truncate(length);
        record.set(AttributeId(id), text.into());
    }
    record.set(AttributeId(1), format!("person {n} shape {version}").into());
    record
}
