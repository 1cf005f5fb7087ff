//! The journal: an intent is there before its write, an outcome is never lost, tables follow it.

use reconcile_state::claim::{Claim, Origin, Remote};
use reconcile_state::digest::Digest;
use reconcile_state::drift::Applied;
use reconcile_state::journal::{After, Entry, Intent, Landing, Note};
use reconcile_state::store::{Absence, Observed, OutcomeRecord, Store, StoreError};

use crate::campus::{OBSERVED, bodies, bytes, digest, fresh, key, key_digest, open, people, person, read_all};

pub fn claim(id: &str) -> Claim {
    let remote = Remote { id: Some(id.to_owned()), handle: None };
    Claim { remote, origin: Origin::Created, disabled_by_us: false, listed: Vec::new(), unsettled: None }
}

pub fn intent(n: u32) -> Intent {
    Intent {
        run: "r1".into(),
        at: 1_700_000_000_000,
        kind: "account".into(),
        key: key(n),
        change: Digest([9; 16]),
        action: "create".into(),
        attributes: vec!["name".into(), "mail".into()],
        settle_after_ms: 15_000,
        matches: Vec::new(),
    }
}

fn landed(intent: u64, n: u32, version: u32) -> OutcomeRecord {
    let (wanted, seen) = (person(n, version), person(n, version + 100));
    OutcomeRecord {
        intent,
        at: 1_700_000_000_500,
        landing: Landing::Landed,
        applied: Some((Applied { wanted: digest(&wanted), seen: digest(&seen) }, wanted)),
        observed: Observed::Present(digest(&seen), seen),
        claim: Some(claim(&n.to_string())),
    }
}

fn assert_landed(store: &Store, n: u32, version: u32) {
    let (wanted, seen) = (person(n, version), person(n, version + 100));
    let pair = Applied { wanted: digest(&wanted), seen: digest(&seen) };
    assert_eq!(store.digests(OBSERVED).unwrap().get(&key_digest(n)), Some(pair.seen));
    assert_eq!(store.applied("account").unwrap().get(&key_digest(n)), Some(pair));
    assert_eq!(store.body(OBSERVED, &key(n)).unwrap(), Some(seen));
    assert_eq!(store.wanted_body("account", &key(n)).unwrap(), Some(wanted));
    assert_eq!(store.claims("account").unwrap()[&key(n)], claim(&n.to_string()));
}

#[test]
fn an_intent_without_outcome_is_open_after_a_restart() {
    let (dir, store) = fresh();
    let numbers = store.record_intents(&[intent(1), intent(2), intent(3)]).unwrap();
    assert_eq!(numbers, [1, 2, 3]);
    store.record_outcomes(&[landed(2, 2, 0)]).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    assert_eq!(store.open_intents().unwrap(), [(1, intent(1)), (3, intent(3))]);
    assert_eq!(store.record_intents(&[intent(4)]).unwrap(), [5]);
}

#[test]
fn a_write_in_doubt_stays_open_until_it_is_read_back() {
    let (_dir, store) = fresh();
    store.record_intents(&[intent(1)]).unwrap();
    let doubt = OutcomeRecord {
        landing: Landing::Unknown { code: "TIMEOUT".into() },
        applied: None,
        observed: Observed::Unread,
        claim: None,
        ..landed(1, 1, 0)
    };
    store.record_outcomes(std::slice::from_ref(&doubt)).unwrap();
    assert_eq!(store.open_intents().unwrap().len(), 1);
    assert!(store.digests(OBSERVED).unwrap().is_empty() && store.claims("account").unwrap().is_empty());
    store.record_outcomes(&[OutcomeRecord { observed: Observed::Absent, ..doubt }]).unwrap();
    assert_eq!(store.open_intents().unwrap(), []);
}

#[test]
fn outcomes_are_in_what_is_read_at_once_and_after_a_death_before_the_fold() {
    let (dir, store) = fresh();
    read_all(&store, &people(0..200), Absence::Believed);
    let numbers = store.record_intents(&[intent(1), intent(2), intent(500)]).unwrap();
    store.record_outcomes(&[landed(numbers[0], 1, 1)]).unwrap();
    assert_landed(&store, 1, 1);
    store.record_outcomes(&[landed(numbers[1], 2, 3), landed(numbers[2], 500, 4)]).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    let opened = bytes(dir.path());
    for (n, version) in [(1, 1), (2, 3), (500, 4)] {
        assert_landed(&store, n, version);
    }
    let root = store.root(OBSERVED).unwrap().unwrap();
    assert_eq!((root.count, root.digest, root.whole), (201, None, true));
    assert!(bytes(dir.path()) == opened, "opening folded, reading had nothing left to do");
}

#[test]
fn the_last_outcome_of_a_record_counts() {
    let (_dir, store) = fresh();
    let numbers = store.record_intents(&[intent(1), intent(1), intent(2), intent(2)]).unwrap();
    let absent =
        |number| OutcomeRecord { observed: Observed::Absent, applied: None, claim: None, ..landed(number, 0, 0) };
    store.record_outcomes(&[landed(numbers[0], 1, 1), absent(numbers[1])]).unwrap();
    store.record_outcomes(&[absent(numbers[2]), landed(numbers[3], 2, 6)]).unwrap();
    store.fold().unwrap();
    assert_landed(&store, 2, 6);
    assert_eq!(bodies(&store, OBSERVED), [person(2, 106)], "what is absent in the end has no row and no body");
    assert_eq!(store.digests(OBSERVED).unwrap().len(), 1);
    assert_eq!(store.applied("account").unwrap().len(), 2);
}

#[test]
fn a_write_after_an_outcome_is_newer_than_it() {
    let (_dir, store) = fresh();
    let numbers = store.record_intents(&[intent(1)]).unwrap();
    store.record_outcomes(&[landed(numbers[0], 1, 1)]).unwrap();
    store.put(OBSERVED, &crate::campus::schema(), &[person(1, 9)]).unwrap();
    assert_eq!(store.digests(OBSERVED).unwrap().get(&key_digest(1)), Some(digest(&person(1, 9))));
    store.put_claims("account", &[(key(1), Some(claim("new")))].into()).unwrap();
    assert_eq!(store.claims("account").unwrap()[&key(1)], claim("new"));
}

#[test]
fn an_outcome_of_no_intent_is_refused_whole() {
    let (_dir, store) = fresh();
    let number =
        store.record_note(Note { run: "r1".into(), at: 0, what: "began".into(), who: "night".into() }).unwrap();
    let intents = store.record_intents(&[intent(1)]).unwrap();
    for wrong in [number, 77] {
        let refused = store.record_outcomes(&[landed(intents[0], 1, 1), landed(wrong, 2, 2)]).unwrap_err();
        assert!(matches!(refused, StoreError::NoIntent { intent, .. } if intent == wrong), "{refused}");
    }
    assert_eq!(store.open_intents().unwrap().len(), 1);
    assert_eq!(bodies(&store, OBSERVED), []);
}

#[test]
fn the_journal_is_read_in_order_and_holds_no_values() {
    let (_dir, store) = fresh();
    store.record_note(Note { run: "r1".into(), at: 5, what: "approved".into(), who: "night".into() }).unwrap();
    let numbers = store.record_intents(&[intent(1), intent(2)]).unwrap();
    store.record_outcomes(&[landed(numbers[0], 1, 1)]).unwrap();
    let entries = store.journal(0, 100).unwrap();
    assert_eq!(entries.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(matches!(&entries[0].1, Entry::Note(note) if note.who == "night"));
    assert_eq!(entries[1].1, Entry::Intent(intent(1)));
    let Entry::Outcome(outcome) = &entries[3].1 else { panic!("{:?}", entries[3]) };
    assert!(matches!(outcome.after, After::Present { digest: held, .. } if held == digest(&person(1, 101))));
    assert_eq!(store.journal(3, 1).unwrap(), entries[2..3]);
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains("Invented") && !text.contains("example.org"), "{text}");
}
