//! Forgetting somebody, and what is only kept for a time: nothing of it is left in any byte of any file, and nothing else
//! is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reconcile_state::claim::{Claim, Origin, Remote};
use reconcile_state::drift::Applied;
use reconcile_state::journal::{Entry, Intent, Landing, Note};
use reconcile_state::store::{Absence, Observed, OutcomeRecord, Scope, Side, Store, StoreDir};
use reconcile_state::{Attribute, Key, Record, Schema};
use serde_json::json;

use crate::campus::{MAIL, NAME, OBSERVED, bodies, digest, key, open, people, person, read_all, schema};
use crate::journal::intent;

/// The one who is forgotten, in whose values nobody else's begin.
const GONE: u32 = 7000;
const SOURCE: Scope<'static> = Scope { kind: "account", side: Side::Source };
const PROCESSED: Scope<'static> = Scope { kind: "account", side: Side::Processed };

/// What tells of them.
const TELLS: [&str; 4] = ["uh007000", "Invented Person 7000", "p7000.v", "handle-7000"];

fn claim(n: u32) -> Claim {
    Claim::new(Remote { id: Some(n.to_string()), handle: Some(format!("handle-{n}")) }, Origin::Created)
}

fn note(at: i64) -> Note {
    Note { run: "r9".into(), at, what: "forgot 1 person".into(), who: "test".into() }
}

fn gone() -> BTreeSet<Key> {
    [key(GONE)].into()
}

fn indexed() -> Schema {
    let attributes = [Attribute::text(NAME.0, "name"), Attribute::text(MAIL.0, "mail").indexed()];
    Schema::new("test", "account", 0, attributes).unwrap()
}

fn write(store: &Store, numbers: &[u32], version: u32, at: impl Fn(u32) -> i64) {
    let intents: Vec<_> = numbers.iter().map(|n| Intent { at: at(*n), ..intent(*n) }).collect();
    let entries = store.record_intents(&intents).unwrap();
    let outcome = |(n, number): (&u32, u64)| {
        let (wanted, seen) = (person(*n, version), person(*n, version + 1));
        OutcomeRecord {
            intent: number,
            at: at(*n) + 1,
            landing: Landing::Landed,
            applied: Some((Applied { wanted: digest(&wanted), seen: digest(&seen) }, wanted)),
            observed: Observed::Present(digest(&seen), seen),
            claim: Some(claim(*n)),
        }
    };
    store.record_outcomes(&numbers.iter().zip(entries).map(outcome).collect::<Vec<_>>()).unwrap();
}

/// A store in which somebody has left traces wherever there is place for them, among others who have too.
fn full(path: &Path) -> StoreDir {
    let dir = open(path);
    let (sources, store) = (dir.sources().unwrap(), dir.pipeline("test").unwrap());
    let all: Vec<u32> = (0..300).chain([GONE]).collect();
    // What was there before stays in pages that are not used any more.
    for version in 0..3 {
        let people: Vec<Record> = all.iter().map(|n| person(*n, version)).collect();
        sources.put(SOURCE, &indexed(), &people).unwrap();
        store.put(PROCESSED, &schema(), &people).unwrap();
        read_all(&store, &people, Absence::Believed);
    }
    let (last, before) = all.split_last().unwrap();
    write(&store, before, 3, i64::from);
    write(&store, &[*last], 3, i64::from);
    store.set_meta("left open", &json!([key(GONE), key(1)])).unwrap();
    dir.copy_claims("test").unwrap();
    let copy = dir.claims_copy("test");
    for beside in ["test.jsonl.1", "test.jsonl.refused", "old-before-r1.jsonl", "test.jsonl.new"] {
        fs::copy(&copy, copy.with_file_name(beside)).unwrap();
    }
    let torn = fs::read_to_string(&copy).unwrap().replace("{\"kind\"", "{\"kind");
    fs::write(copy.with_file_name("test.jsonl.refused"), torn).unwrap();
    fs::write(path.join("test.redb.new"), "handle-7000").unwrap();
    dir
}

fn forget(dir: &StoreDir) -> u64 {
    let values = BTreeMap::from([("left open", json!([key(1)]))]);
    let sources = dir.sources().unwrap().forget(&gone(), &BTreeMap::new(), note(1)).unwrap();
    assert_eq!(sources, 0);
    dir.pipeline("test").unwrap().forget(&gone(), &values, note(1)).unwrap()
}

/// What tells of them, and in which file.
fn found(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for place in [path.to_owned(), path.join("claims")] {
        for file in fs::read_dir(place).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file()) {
            let bytes = fs::read(&file).unwrap();
            let stands = |text: &&&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            found.extend(TELLS.iter().filter(stands).map(|text| format!("{text} in {}", file.display())));
        }
    }
    found
}

/// All that a store says, but for the one who is forgotten.
fn others(dir: &StoreDir) -> String {
    let (sources, store) = (dir.sources().unwrap(), dir.pipeline("test").unwrap());
    let mut said: Vec<String> = Vec::new();
    for (store, scope) in [(&sources, SOURCE), (&store, OBSERVED), (&store, PROCESSED)] {
        let others = |record: &Record| record.key != key(GONE);
        said.extend(bodies(store, scope).into_iter().filter(others).map(|record| format!("{scope} {record:?}")));
        let digests = store.digests(scope).unwrap();
        let at = store.digester().key(&key(GONE));
        said.extend(digests.iter().filter(|(key, _)| *key != at).map(|row| format!("{scope} {row:?}")));
    }
    let at = store.digester().key(&key(GONE));
    let applied = store.applied("account").unwrap();
    said.extend(applied.iter().filter(|(key, _)| *key != at).map(|row| format!("applied {row:?}")));
    let claims = store.claims("account").unwrap();
    said.extend(claims.iter().filter(|(of, _)| **of != key(GONE)).map(|claim| format!("{claim:?}")));
    for n in [3, 299] {
        said.push(format!("{:?}", sources.find(SOURCE, &indexed(), MAIL, &format!("P{n}.V2@example.org")).unwrap()));
        said.push(format!("{:?}", store.wanted_body("account", &key(n)).unwrap()));
    }
    let mut theirs = BTreeSet::new();
    for (number, entry) in store.journal(0, usize::MAX).unwrap() {
        let is_theirs = match &entry {
            Entry::Intent(intent) => intent.key == key(GONE) && theirs.insert(number),
            Entry::Outcome(outcome) => theirs.contains(&outcome.intent),
            Entry::Note(_) => true,
        };
        if !is_theirs {
            said.push(format!("{number} {entry:?}"));
        }
    }
    said.join("\n")
}

#[test]
fn what_is_forgotten_is_in_no_byte_of_any_file_and_nothing_else_is_gone() {
    let place = tempfile::tempdir().unwrap();
    let dir = full(place.path());
    let before = others(&dir);
    let store = dir.pipeline("test").unwrap();
    let held = store.held(&key(GONE)).unwrap();
    let records: Vec<&str> = held.records.iter().map(String::as_str).collect();
    assert_eq!(records, ["account/observed", "account/processed"]);
    assert!(held.applied.contains("account") && held.claims.contains("account"));
    assert_eq!((held.entries, held.in_doubt, held.observed().collect::<Vec<_>>()), (2, 0, vec!["account"]));
    assert!(dir.sources().unwrap().held(&key(GONE)).unwrap().has(SOURCE));
    assert_eq!(dir.copied(&gone()).unwrap(), 4);
    drop(store);
    assert_eq!(forget(&dir), 2);
    assert_eq!(dir.scrub(&gone()).unwrap(), 4);
    for name in ["test", "sources"] {
        dir.write_anew(name).unwrap();
    }
    assert_eq!(found(place.path()), [] as [String; 0]);
    assert_eq!(others(&dir), before);
    assert_eq!(dir.copied(&gone()).unwrap(), 0);
    assert_eq!(fs::read_to_string(place.path().join("claimed")).unwrap(), "test 300\n");
    for store in [dir.pipeline("test").unwrap(), dir.sources().unwrap()] {
        assert!(store.held(&key(GONE)).unwrap().is_empty());
        assert_eq!(store.root(OBSERVED).unwrap().map_or(300, |root| root.count), 300);
    }
    let store = dir.pipeline("test").unwrap();
    assert_eq!(store.meta::<serde_json::Value>("left open").unwrap(), Some(json!([key(1)])));
    assert!(matches!(store.journal_back(None, 1).unwrap()[0].1, Entry::Note(_)), "that somebody was is noted");
    // Another time finds nothing more to do, and the copy still counts as a whole one.
    assert_eq!((forget(&dir), dir.scrub(&gone()).unwrap()), (0, 0));
    drop((store, dir));
    fs::remove_file(place.path().join("test.redb")).unwrap();
    assert_eq!(open(place.path()).pipeline("test").unwrap().claims("account").unwrap().len(), 300);
}

#[test]
fn a_process_that_dies_after_taking_out_leaves_the_rest_to_the_next_one() {
    let place = tempfile::tempdir().unwrap();
    forget(&full(place.path()));
    let dir = open(place.path());
    dir.scrub(&gone()).unwrap();
    let left = found(place.path());
    assert!(left.iter().any(|one| one.contains("test.redb")) && left.iter().any(|one| one.contains("sources.redb")));
    drop((dir.sources().unwrap(), dir.pipeline("test").unwrap()));
    assert_eq!(found(place.path()), [] as [String; 0], "unused parts of files were given up");
    assert!(!dir.pipeline("test").unwrap().is_to_be_rewritten().unwrap());
}

#[test]
fn a_file_that_cannot_be_written_anew_is_used_as_it_is_and_stays_due() {
    let place = tempfile::tempdir().unwrap();
    forget(&full(place.path()));
    let dir = open(place.path());
    dir.scrub(&gone()).unwrap();
    let beside = place.path().join("test.redb.new");
    fs::create_dir(&beside).unwrap();
    let store = dir.pipeline("test").unwrap();
    assert!(store.is_to_be_rewritten().unwrap() && store.held(&key(GONE)).unwrap().is_empty());
    assert_eq!(store.claims("account").unwrap().len(), 300);
    drop(store);
    assert!(dir.write_anew("test").is_err());
    fs::remove_dir(&beside).unwrap();
    dir.write_anew("test").unwrap();
    assert!(!found(place.path()).iter().any(|one| one.contains("test.redb")));
}

#[test]
fn of_somebody_in_doubt_nothing_is_taken_out() {
    let place = tempfile::tempdir().unwrap();
    let dir = full(place.path());
    let store = dir.pipeline("test").unwrap();
    let number = store.record_intents(&[intent(GONE)]).unwrap()[0];
    let held = store.held(&key(GONE)).unwrap();
    assert_eq!((held.in_doubt, held.entries), (1, 3));
    assert_eq!(forget(&dir), 0);
    assert_eq!(store.held(&key(GONE)).unwrap(), held);
    assert_eq!(store.open_intents().unwrap()[0].number, number);
}

#[test]
fn no_number_of_the_journal_is_given_twice_and_what_comes_later_is_folded() {
    let place = tempfile::tempdir().unwrap();
    let dir = full(place.path());
    let store = dir.pipeline("test").unwrap();
    let last = store.journal_back(None, 1).unwrap()[0].0;
    assert_eq!(forget(&dir), 2, "they were the last entries");
    drop(store);
    dir.write_anew("test").unwrap();
    let store = dir.pipeline("test").unwrap();
    write(&store, &[5], 40, i64::from);
    assert_eq!(store.journal_back(None, 3).unwrap().iter().map(|(number, _)| *number).min(), Some(last + 1));
    assert_eq!(store.digests(OBSERVED).unwrap().get(&store.digester().key(&key(5))), Some(digest(&person(5, 41))));
}

#[test]
fn what_an_unfinished_reading_showed_of_somebody_goes_too() {
    let place = tempfile::tempdir().unwrap();
    let dir = open(place.path());
    let store = dir.pipeline("test").unwrap();
    let mut writer = store.snapshot(OBSERVED, &schema()).unwrap().in_pieces_of(1);
    for record in people([GONE, 1, 2]) {
        writer.see(&record).unwrap();
    }
    drop(writer);
    assert!(store.held(&key(GONE)).unwrap().has(OBSERVED));
    store.forget(&gone(), &BTreeMap::new(), note(1)).unwrap();
    assert!(store.held(&key(GONE)).unwrap().is_empty());
    assert_eq!(bodies(&store, OBSERVED).len(), 2);
    assert_eq!(store.digests(OBSERVED).unwrap().len(), 2);
}

#[test]
fn an_intent_goes_from_the_journal_with_all_that_came_of_it_or_stays() {
    let place = tempfile::tempdir().unwrap();
    let dir = open(place.path());
    let store = dir.pipeline("test").unwrap();
    // One answer is lost, and comes of it later; both intents stand before both outcomes.
    let intents = store.record_intents(&[intent(1), intent(2)].map(|one| Intent { at: 10, ..one })).unwrap();
    let (unknown, landed) = (Landing::Unknown { code: "X".into() }, Landing::Failed { code: "Y".into() });
    let outcome = |intent: u64, at: i64, landing: &Landing, observed: Observed| {
        let (landing, applied, claim) = (landing.clone(), None, None);
        store.record_outcomes(&[OutcomeRecord { intent, at, landing, applied, observed, claim }]).unwrap();
    };
    outcome(intents[0], 20, &unknown, Observed::Unread);
    outcome(intents[1], 20, &landed, Observed::Absent);
    outcome(intents[0], 90, &landed, Observed::Absent);
    store.record_note(note(95)).unwrap();
    let left = |store: &Store| -> Vec<u64> {
        store.journal(0, usize::MAX).unwrap().into_iter().map(|(number, _)| number).collect()
    };
    assert_eq!(store.prune_journal(50, 3).unwrap(), 0, "no outcome is left without its intent");
    assert_eq!(store.prune_journal(50, 1000).unwrap(), 2);
    assert_eq!(left(&store), [1, 3, 5, 6]);
    assert_eq!(store.prune_journal(i64::MAX, 1000).unwrap(), 3);
    assert_eq!(left(&store), [6]);
}

#[test]
fn what_is_old_goes_from_the_journal_but_for_what_is_open_and_the_last() {
    let place = tempfile::tempdir().unwrap();
    let dir = open(place.path());
    let store = dir.pipeline("test").unwrap();
    for n in 0..20 {
        write(&store, &[n], 0, |n| i64::from(n) * 10);
    }
    let mut open_one = intent(99);
    open_one.at = 5;
    // A clock that was set back: what follows is younger all the same.
    let open_one = store.record_intents(&[open_one]).unwrap()[0];
    let numbers = |store: &Store| -> Vec<u64> {
        store.journal(0, usize::MAX).unwrap().into_iter().map(|(number, _)| number).collect()
    };
    assert_eq!(store.prune_journal(50, 4).unwrap(), 4, "no more than is asked for");
    assert!(!store.is_to_be_rewritten().unwrap());
    assert_eq!(store.prune_journal(50, 1000).unwrap(), 6);
    assert_eq!(numbers(&store), (11..=41).collect::<Vec<u64>>());
    assert!(store.is_to_be_rewritten().unwrap(), "more than a quarter of what is left");
    assert_eq!(store.prune_journal(i64::MAX, 1000).unwrap(), 30);
    assert_eq!(numbers(&store), [open_one]);
    store.record_note(note(1)).unwrap();
    assert_eq!(store.prune_journal(i64::MAX, 1000).unwrap(), 0);
    assert_eq!(numbers(&store), [open_one, open_one + 1]);
    assert_eq!(store.claims("account").unwrap().len(), 20);
    drop(store);
    dir.write_anew("test").unwrap();
    let store = dir.pipeline("test").unwrap();
    let landing = Landing::Failed { code: "X".into() };
    let (observed, applied, claim) = (Observed::Absent, None, None);
    store.record_outcomes(&[OutcomeRecord { intent: open_one, at: 9, landing, applied, observed, claim }]).unwrap();
    assert_eq!(store.open_intents().unwrap(), []);
    assert_eq!(store.digests(OBSERVED).unwrap().len(), 20);
}

#[test]
fn copies_that_were_put_aside_go_with_time_and_the_last_one_never() {
    let place = tempfile::tempdir().unwrap();
    let dir = full(place.path());
    let names = || {
        let files = fs::read_dir(place.path().join("claims")).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!((dir.drop_copies(0).unwrap(), names().len()), (0, 5));
    assert_eq!((dir.drop_copies(i64::MAX).unwrap(), names()), (3, vec!["test.jsonl".into(), "test.jsonl.new".into()]));
}
