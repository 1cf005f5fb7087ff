//! Looking at a store: everything is read, nothing is made or changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reconcile_state::journal::{Entry, Landing, Note};
use reconcile_state::store::{Observed, OutcomeRecord, Store, StoreDir, StoreError, StoreView};

use crate::campus::{KEY, OBSERVED, digest, key, open, person};
use crate::journal::intent;

/// Names, bytes and modes of all that is in a directory.
fn all(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = BTreeMap::new();
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode();
        if path.is_dir() {
            found.extend(all(&path));
        } else {
            found.insert(path.clone(), (mode, std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn landed(intent: u64, n: u32) -> OutcomeRecord {
    let seen = person(n, 1);
    OutcomeRecord {
        intent,
        at: 7,
        landing: Landing::Landed,
        applied: None,
        observed: Observed::Present(digest(&seen), seen),
        claim: None,
    }
}

fn numbers(entries: &[(u64, Entry)]) -> Vec<u64> {
    entries.iter().map(|(number, _)| *number).collect()
}

fn view(dir: &Path) -> StoreView {
    StoreView::open(dir).unwrap().unwrap()
}

fn looked(dir: &Path) -> Store {
    view(dir).pipeline("test").unwrap().unwrap()
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    assert!(StoreView::open(&place).unwrap().is_none() && !place.exists());
    assert!(StoreView::open(dir.path()).unwrap().is_none());
    std::fs::write(dir.path().join("file"), "x").unwrap();
    assert!(matches!(StoreView::open(dir.path().join("file")), Err(StoreError::Place { .. })));
    drop(open(&place));
    assert!(view(&place).pipeline("test").unwrap().is_none() && view(&place).sources().unwrap().is_none());
    assert!(matches!(view(&place).pipeline("../test"), Err(StoreError::Name { .. })));
    assert!(!place.join("test.redb").exists());
}

#[test]
fn looking_changes_nothing_also_where_outcomes_were_not_folded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).pipeline("test").unwrap();
    let intents = store.record_intents(&[intent(1), intent(2)]).unwrap();
    store.record_outcomes(&[landed(intents[0], 1)]).unwrap();
    drop(store);
    let before = all(dir.path());
    let store = looked(dir.path());
    assert_eq!(numbers(&store.journal(1, 9).unwrap()), [1, 2, 3]);
    assert_eq!(store.open_intents().unwrap().len(), 1);
    assert!(store.claims("account").unwrap().is_empty());
    assert!(matches!(store.digests(OBSERVED), Err(StoreError::ReadOnly { .. })), "it would have to fold first");
    assert!(matches!(store.record_intents(&[intent(3)]), Err(StoreError::ReadOnly { .. })));
    drop(store);
    assert!(all(dir.path()) == before);
    drop(open(dir.path()).pipeline("test").unwrap());
    assert_eq!(looked(dir.path()).body(OBSERVED, &key(1)).unwrap(), Some(person(1, 1)), "folded by the next pass");
}

#[test]
fn notes_and_intents_behind_the_last_outcome_are_no_reason_to_fold() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).pipeline("test").unwrap();
    let intents = store.record_intents(&[intent(1)]).unwrap();
    store.record_outcomes(&[landed(intents[0], 1)]).unwrap();
    store.fold().unwrap();
    let note = Note { run: "r2".into(), at: 5, what: "plan".into(), who: "night".into() };
    store.record_note(note).unwrap();
    let next = store.record_intents(&[intent(2)]).unwrap();
    drop(store);
    assert_eq!(looked(dir.path()).body(OBSERVED, &key(1)).unwrap(), Some(person(1, 1)));
    assert_eq!(looked(dir.path()).digests(OBSERVED).unwrap().len(), 1);
    let store = open(dir.path()).pipeline("test").unwrap();
    store.record_outcomes(&[landed(next[0], 2)]).unwrap();
    drop(store);
    assert!(matches!(looked(dir.path()).digests(OBSERVED), Err(StoreError::ReadOnly { .. })));
}

#[test]
fn a_file_that_a_killed_pass_left_is_not_repaired_by_looking() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).pipeline("test").unwrap();
    store.record_intents(&[intent(1)]).unwrap();
    // What a killed process leaves: the files as its last commit left them.
    let torn = tempfile::tempdir().unwrap();
    for (path, (_, bytes)) in all(dir.path()) {
        std::fs::write(torn.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    drop(store);
    let before = all(torn.path());
    assert!(matches!(view(torn.path()).pipeline("test"), Err(StoreError::ReadOnly { .. })));
    assert!(all(torn.path()) == before);
    drop(open(torn.path()).pipeline("test").unwrap());
    assert_eq!(numbers(&looked(torn.path()).journal_back(None, 9).unwrap()), [1]);
}

#[test]
fn who_looks_shares_with_others_who_look_and_not_with_a_pass() {
    let dir = tempfile::tempdir().unwrap();
    let pass = open(dir.path());
    assert!(matches!(
        StoreView::open(dir.path()),
        Err(StoreError::Locked { holder: Some(pid), .. }) if pid == std::process::id()
    ));
    drop(pass);
    let (one, two) = (view(dir.path()), view(dir.path()));
    assert!(matches!(StoreDir::open(dir.path(), KEY), Err(StoreError::Locked { .. })));
    drop((one, two));
    drop(open(dir.path()));
}

#[test]
fn the_journal_is_read_from_its_end_and_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).pipeline("test").unwrap();
    assert_eq!(store.journal_back(None, 5).unwrap(), []);
    store.record_intents(&(0..10).map(intent).collect::<Vec<_>>()).unwrap();
    assert_eq!(numbers(&store.journal_back(None, 3).unwrap()), [10, 9, 8]);
    assert_eq!(numbers(&store.journal_back(Some(8), 3).unwrap()), [7, 6, 5]);
    assert_eq!(numbers(&store.journal_back(Some(3), 9).unwrap()), [2, 1]);
    assert_eq!(store.journal_back(Some(1), 9).unwrap(), []);
    let some = store.journal_entries([7, 99, 2]).unwrap();
    assert_eq!(some, [(2, Entry::Intent(intent(1))), (7, Entry::Intent(intent(6)))].into());
    let noted = Note { run: "r2".into(), at: 5, what: "{\"entry\":\"intent\"}".into(), who: "night".into() };
    let number = store.record_note(noted.clone()).unwrap();
    store.record_intents(&[intent(3), intent(4)]).unwrap();
    assert_eq!(store.notes_back(None, 2).unwrap(), (vec![], Some(number + 1)));
    assert_eq!(store.notes_back(Some(number + 1), 9).unwrap(), (vec![noted], Some(number - 8)));
    assert_eq!(store.notes_back(Some(1), 9).unwrap(), (vec![], None));
}
