//! What fuzzers reach of the store's own decoders: see the checks of the program.

use crate::journal::Entry;
use crate::store::fuzzing::{claimed, copied, from_copy};
use crate::{Claim, StoreError};

/// Reads bytes as whatever the store keeps as JSON, and holds that what is taken is the same when written and read
/// again.
///
/// # Errors
/// What the store says of a copy of claims that cannot be read.
///
/// # Panics
/// Where that does not hold.
pub fn memory(bytes: &[u8]) -> Result<(), StoreError> {
    same::<Entry>(bytes);
    same::<Claim>(bytes);
    claimed(bytes);
    let lines = copied(bytes)?;
    assert_eq!(copied(&from_copy(&lines)).ok(), Some(lines), "a copy that is another when read again");
    Ok(())
}

fn same<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&read).unwrap_or_default();
    assert!(serde_json::from_slice::<T>(&written).is_ok_and(|again| again == read), "another when read again");
}
