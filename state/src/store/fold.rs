//! Folding: outcomes of the journal become rows of digests and rows of last applied, in one transaction
//! with the mark that says how far it went. Repeating a fold changes nothing.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::block::Change;
use super::entries::{intent, read_entry};
use super::error::Fault;
use super::pages::{change_applied, change_digests, remove_bodies};
use super::scope::{Scope, Side};
use super::set::{applied_row, digest_row};
use super::table::{FOLDED, JOURNAL, MARK, allot};
use crate::digest::{Digest, Digester};
use crate::drift::Applied;
use crate::journal::{After, Entry};
use crate::record::Key;

/// What the entries say in the end about one kind's records.
#[derive(Default)]
struct Settled {
    applied: BTreeMap<Key, Applied>,
    observed: BTreeMap<Key, Option<Digest>>,
}

/// So many outcomes at most are left to be folded by whoever opens the file: a few milliseconds' work, whatever the
/// size of the wave in which a process died.
pub(super) const MOST_UNFOLDED: usize = 2000;

fn folded(table: &impl ReadableTable<&'static str, u64>) -> Result<u64, Fault> {
    Ok(table.get(FOLDED)?.map_or(0, |number| number.value()))
}

/// Whether the journal has outcomes after the mark: notes and intents fold into nothing.
pub(super) fn is_needed(txn: &ReadTransaction) -> Result<bool, Fault> {
    let from = folded(&txn.open_table(MARK)?)? + 1;
    for entry in txn.open_table(JOURNAL)?.range(from..)? {
        if matches!(read_entry(entry?.1.value())?, Entry::Outcome(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Folds all entries after the mark and moves it.
pub(super) fn fold(txn: &WriteTransaction, digester: &Digester) -> Result<(), Fault> {
    let from = folded(&txn.open_table(MARK)?)? + 1;
    let (kinds, last) = gather(txn, from)?;
    for (kind, settled) in &kinds {
        fold_kind(txn, digester, kind, settled)?;
    }
    txn.open_table(MARK)?.insert(FOLDED, last)?;
    Ok(())
}

fn gather(txn: &WriteTransaction, from: u64) -> Result<(BTreeMap<String, Settled>, u64), Fault> {
    let journal = txn.open_table(JOURNAL)?;
    let mut kinds = BTreeMap::<_, Settled>::new();
    let mut last = from - 1;
    for entry in journal.range(from..)? {
        let (number, entry) = entry?;
        last = number.value();
        let Entry::Outcome(outcome) = read_entry(entry.value())? else { continue };
        let intent = intent(&journal, outcome.intent)?;
        let settled = kinds.entry(intent.kind).or_default();
        if let Some(applied) = outcome.applied {
            settled.applied.insert(intent.key.clone(), applied);
        }
        match outcome.after {
            After::Unread => {}
            After::Absent => drop(settled.observed.insert(intent.key, None)),
            After::Present { digest, .. } => drop(settled.observed.insert(intent.key, Some(digest))),
        }
    }
    Ok((kinds, last))
}

fn fold_kind(txn: &WriteTransaction, digester: &Digester, kind: &str, settled: &Settled) -> Result<(), Fault> {
    if !settled.applied.is_empty() {
        let id = allot(txn, Scope::new(kind, Side::Wanted))?;
        let row = |(key, applied): (&Key, &Applied)| {
            let key = digester.key(key);
            Change { id: key.0, row: Some(applied_row(key, *applied)) }
        };
        change_applied(txn, id, settled.applied.iter().map(row).collect())?;
    }
    if !settled.observed.is_empty() {
        let id = allot(txn, Scope::new(kind, Side::Observed))?;
        let row = |(key, digest): (&Key, &Option<Digest>)| {
            let key = digester.key(key);
            Change { id: key.0, row: digest.map(|digest| digest_row(key, digest)) }
        };
        change_digests(txn, id, settled.observed.iter().map(row).collect())?;
        let absent = settled.observed.iter().filter(|(_, digest)| digest.is_none());
        remove_bodies(txn, id, absent.map(|(key, _)| key))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::journal::{Intent, Landing};
    use crate::record::Record;
    use crate::store::{Observed, OutcomeRecord, Store};

    fn intent(n: usize) -> Intent {
        Intent {
            run: "run".into(),
            at: 1,
            kind: "account".into(),
            key: format!("uh{n:06}").as_str().into(),
            change: Digest([7; 16]),
            action: "update".into(),
            attributes: Vec::new(),
            settle_after_ms: 0,
            matches: Vec::new(),
        }
    }

    fn outcome(number: u64, n: usize) -> OutcomeRecord {
        let digest = Digest([u8::try_from(n % 251).unwrap(); 16]);
        let record = Record::new(intent(n).key);
        OutcomeRecord {
            intent: number,
            at: 2,
            landing: Landing::Landed,
            applied: Some((Applied { wanted: digest, seen: digest }, record.clone())),
            observed: Observed::Present(digest, record),
            claim: None,
        }
    }

    /// Outcomes that opening the file would have to fold.
    fn unfolded(store: &Store) -> usize {
        let count = store.inner.read(|txn| {
            let from = folded(&txn.open_table(MARK)?)? + 1;
            let mut count = 0;
            for entry in txn.open_table(JOURNAL)?.range(from..)? {
                count += usize::from(matches!(read_entry(entry?.1.value())?, Entry::Outcome(_)));
            }
            Ok(count)
        });
        count.unwrap()
    }

    #[test]
    fn however_much_is_settled_little_of_it_is_unfolded() {
        const BATCH: usize = 200;
        let store = Store::open_on(InMemoryBackend::new(), Digester::new([1; 32])).unwrap();
        let mut most = 0;
        for batch in 0..4 * MOST_UNFOLDED / BATCH {
            let people = batch * BATCH..(batch + 1) * BATCH;
            let numbers = store.record_intents(&people.clone().map(intent).collect::<Vec<_>>()).unwrap();
            let outcomes: Vec<_> = numbers.into_iter().zip(people).map(|(number, n)| outcome(number, n)).collect();
            store.record_outcomes(&outcomes).unwrap();
            most = most.max(unfolded(&store));
        }
        assert!((1..=MOST_UNFOLDED).contains(&most), "{most}");
        store.fold().unwrap();
        assert_eq!(unfolded(&store), 0);
        let applied = store.applied("account").unwrap();
        let digest = |n: usize| Digest([u8::try_from(n % 251).unwrap(); 16]);
        for n in 0..4 * MOST_UNFOLDED {
            let held = applied.get(&store.digester().key(&intent(n).key));
            assert_eq!(held, Some(Applied { wanted: digest(n), seen: digest(n) }), "{n}");
        }
    }
}
