//! The journal: an intent is there before its write, an outcome is never lost, tables follow it.

use reconcile_state::claim::{Claim, Origin, Remote};
use reconcile_state::digest::Digest;
use reconcile_state::drift::Applied;
use reconcile_state::journal::{After, Entry, Intent, Landing, Note};
use reconcile_state::store::{Absence, Observed, OpenIntent, OutcomeRecord, Store, StoreError};

use crate::campus::{OBSERVED, bodies, bytes, digest, fresh, key, key_digest, open, people, person, read_all};

pub fn claim(id: &str) -> Claim {
    let remote = Remote { id: Some(id.to_owned()), handle: None };
    Claim::new(remote, Origin::Created)
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

fn doubt(intent: u64, at: i64) -> OutcomeRecord {
    OutcomeRecord {
        at,
        landing: Landing::Unknown { code: "TIMEOUT".into() },
        applied: None,
        observed: Observed::Unread,
        claim: None,
        ..landed(intent, 1, 0)
    }
}

fn unknown_since(store: &Store) -> Vec<(u64, Option<i64>)> {
    store.open_intents().unwrap().into_iter().map(|open| (open.number, open.unknown_since)).collect()
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
    let open = |number, n| OpenIntent { number, intent: intent(n), unknown_since: None };
    assert_eq!(store.open_intents().unwrap(), [open(1, 1), open(3, 3)]);
    assert_eq!(store.record_intents(&[intent(4)]).unwrap(), [5]);
}

#[test]
fn a_write_in_doubt_stays_open_until_it_is_read_back() {
    let (_dir, store) = fresh();
    store.record_intents(&[intent(1)]).unwrap();
    let doubt = doubt(1, 5);
    store.record_outcomes(std::slice::from_ref(&doubt)).unwrap();
    assert_eq!(store.open_intents().unwrap().len(), 1);
    assert!(store.digests(OBSERVED).unwrap().is_empty() && store.claims("account").unwrap().is_empty());
    store.record_outcomes(&[OutcomeRecord { observed: Observed::Absent, ..doubt }]).unwrap();
    assert_eq!(store.open_intents().unwrap(), []);
    store.record_outcomes(&[self::doubt(1, 9)]).unwrap();
    assert_eq!(store.open_intents().unwrap(), [], "what is settled is not opened again");
}

#[test]
fn a_write_is_in_doubt_since_its_lost_answer_and_since_it_was_first_found_where_there_is_none() {
    let (dir, store) = fresh();
    store.record_intents(&[intent(1), intent(2), intent(3)]).unwrap();
    assert_eq!(unknown_since(&store), [(1, None), (2, None), (3, None)]);
    let partial = OutcomeRecord { landing: Landing::Partial { code: "CUT".into() }, ..doubt(2, 6_000) };
    store.record_outcomes(&[doubt(1, 5_000), partial]).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    store.give_up_intents(20_000).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    let kept = bytes(dir.path());
    store.give_up_intents(30_000).unwrap();
    assert_eq!(unknown_since(&store), [(1, Some(5_000)), (2, Some(6_000)), (3, Some(20_000))]);
    assert!(bytes(dir.path()) == kept, "where all are known to be unknown nothing is written");
    store.record_outcomes(&[doubt(3, 40_000)]).unwrap();
    assert_eq!(unknown_since(&store)[2], (3, Some(40_000)), "an outcome says it better");
}

#[test]
fn a_write_may_land_until_it_has_settled_from_when_it_was_in_doubt() {
    let open = |unknown_since| OpenIntent { number: 1, intent: intent(1), unknown_since };
    let late = 1_700_000_900_000;
    assert!(open(None).may_land(i64::MAX), "it may be on its way");
    assert!(open(Some(late)).may_land(late + 14_999), "long after its intent");
    assert!(!open(Some(late)).may_land(late + 15_000));
}

#[test]
fn a_claim_is_durable_with_its_outcome_and_not_in_the_journal() {
    let named = |name: &str| {
        let remote = Remote { id: Some("id-7".into()), handle: Some(name.into()) };
        Claim { remote, ..claim("7") }
    };
    let with = |intent, n, claim| OutcomeRecord { claim, ..landed(intent, n, 1) };
    let (dir, store) = fresh();
    store.record_intents(&[intent(1), intent(2), intent(2)]).unwrap();
    let outcomes = [with(1, 1, Some(named("one"))), with(2, 2, Some(named("former"))), with(3, 2, Some(named("two")))];
    store.record_outcomes(&outcomes).unwrap();
    store.record_outcomes(&[with(1, 1, None)]).unwrap();
    drop(store);
    let store = open(dir.path()).pipeline("test").unwrap();
    let claims = [(key(1), named("one")), (key(2), named("two"))];
    assert_eq!(store.claims("account").unwrap(), claims.into(), "the last one counts, none changes nothing");
    let text = serde_json::to_string(&store.journal(1, 100).unwrap()).unwrap();
    for word in ["one", "two", "former", "id-7", "remote", "claim"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
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
    assert!(store.claims("account").unwrap().is_empty());
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
