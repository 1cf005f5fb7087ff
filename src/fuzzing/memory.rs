//! What the store reads of its own: bodies, entries of the journal, copies of claims. A disk or a hand may have changed
//! any of it.

use reconcile_state::digest::{decode, encode};
use reconcile_state::{Digest, Key};

use super::{marked, quotes_nothing};
use crate::model::person::{directory, vault};
use crate::targets::moodle::ACCOUNT;

/// Holds that what is taken is canonical: written again it is what was read.
///
/// # Panics
/// Where that does not hold.
pub fn memory(bytes: &[u8]) {
    let kinds = [directory::schema(), vault::schema()].into_iter().flatten().map(|schema| schema.kind);
    for kind in kinds.chain([ACCOUNT]) {
        match decode(kind, Key::new("k"), bytes) {
            Ok(record) => assert_eq!(encode(kind, &record), bytes, "two encodings of one record"),
            Err(error) => quotes_nothing(&error.to_string()),
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let digest = Digest::from(text.to_owned());
    assert_eq!(Digest::from(digest.to_string()), digest);
    if let Err(error) = reconcile_state::fuzzing::memory(marked(text).as_bytes()) {
        quotes_nothing(&error.to_string());
    }
}
