//! The journal's entries within a transaction.

use redb::{ReadableTable, WriteTransaction};

use super::error::Fault;
use super::table::{JOURNAL, from_json, to_json};
use crate::journal::{Entry, Intent};

/// Appends; the numbers they were given.
pub(super) fn append(txn: &WriteTransaction, entries: impl IntoIterator<Item = Entry>) -> Result<Vec<u64>, Fault> {
    let mut table = txn.open_table(JOURNAL)?;
    let mut last = table.last()?.map_or(0, |(number, _)| number.value());
    let mut numbers = Vec::new();
    for entry in entries {
        last += 1;
        table.insert(last, to_json(&entry, "an entry of the journal")?.as_slice())?;
        numbers.push(last);
    }
    Ok(numbers)
}

/// Reads one.
pub(super) fn read_entry(bytes: &[u8]) -> Result<Entry, Fault> {
    from_json(bytes, "an entry of the journal")
}

/// The intent with this number.
pub(super) fn intent(table: &impl ReadableTable<u64, &'static [u8]>, number: u64) -> Result<Intent, Fault> {
    match table.get(number)?.map(|bytes| read_entry(bytes.value())).transpose()? {
        Some(Entry::Intent(intent)) => Ok(intent),
        _ => Err(Fault::NoIntent(number)),
    }
}
