//! The power fails in the middle of anything: what was acknowledged is there afterwards, and what was on its way is
//! there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::digest::Digester;
use reconcile_state::journal::{Entry, Landing, Note};
use reconcile_state::store::{Absence, Observed, OpenIntent, OutcomeRecord, Root, Scope, Side, Store, StoreError};
use reconcile_state::{Applied, Claim, Digest, Key, Record};

use crate::campus::{KEY, OBSERVED, digest, key, person, schema};
use crate::device::{Chance, Disk};
use crate::journal::{claim, intent};

/// Cuts of one file, one after the other.
const CUTS: u64 = 25;
/// Files in each of the two shares that run side by side.
const FILES: u64 = 24;
/// People there are.
const PEOPLE: u64 = 60;
const SOURCE: Scope<'_> = Scope { kind: "account", side: Side::Source };

/// What a scope holds: its root, its digests by key, its bodies.
type Rows = (Option<Root>, Vec<(Digest, Digest)>, Vec<Record>);

/// All that a file holds, as its users see it.
#[derive(PartialEq, Debug)]
struct Held {
    journal: Vec<(u64, Entry)>,
    open: Vec<OpenIntent>,
    claims: BTreeMap<Key, Claim>,
    applied: Vec<(Digest, Applied)>,
    wanted: Vec<Record>,
    scopes: Vec<Rows>,
    meta: Option<u64>,
}

fn held(store: &Store) -> Held {
    let bodies = |scope| {
        let mut bodies = Vec::new();
        store.for_each_body(scope, |record| bodies.push(record)).unwrap();
        bodies
    };
    let scope = |of| (store.root(of).unwrap(), store.digests(of).unwrap().iter().collect(), bodies(of));
    Held {
        journal: store.journal(1, usize::MAX).unwrap(),
        open: store.open_intents().unwrap(),
        claims: store.claims("account").unwrap(),
        applied: store.applied("account").unwrap().iter().collect(),
        wanted: bodies(Scope::new("account", Side::Wanted)),
        scopes: [OBSERVED, SOURCE].map(scope).into(),
        meta: store.meta("figures").unwrap(),
    }
}

/// Every body has its digest and every digest its body.
fn is_consistent(store: &Store) {
    for scope in [OBSERVED, SOURCE] {
        let digests = store.digests(scope).unwrap();
        let mut bodies = 0;
        store
            .for_each_body(scope, |record| {
                bodies += 1;
                let at = store.digester().key(&record.key);
                assert_eq!(digests.get(&at), Some(store.digester().record(&schema(), &record)), "{scope}");
            })
            .unwrap();
        assert_eq!(bodies, digests.len(), "{scope}");
    }
}

/// One call of the store's, or several that belong together.
#[derive(Clone, Debug)]
enum Act {
    Intend(Vec<u32>),
    Settle { take: usize, version: u32, how: u64 },
    GiveUp(i64),
    Note(u32),
    Claim(Vec<u32>, bool),
    Apply(Vec<u32>, u32),
    Forget(Vec<u32>),
    Put(Vec<u32>, u32),
    Remove(Vec<u32>),
    Keep(u64),
    Read { from: u32, to: u32, version: u32, absence: Absence, finish: bool },
    Fold,
}

fn act(chance: &mut Chance, at: u64) -> Act {
    let mut number = |bound: u64| u32::try_from(chance.below(bound)).unwrap();
    let version = number(4);
    let count = 1 + number(6);
    let some: Vec<u32> = (0..count).map(|_| number(PEOPLE)).collect();
    match number(16) {
        0..4 => Act::Intend(some),
        4..7 => Act::Settle { take: 1 + number(4) as usize, version, how: u64::from(number(4)) },
        7 => Act::GiveUp(i64::from(number(1000))),
        8 => Act::Note(number(1000)),
        9 => Act::Claim(some, number(3) > 0),
        10 => Act::Apply(some, version),
        11 => Act::Forget(some),
        12 => Act::Put(some, version),
        13 => {
            if number(2) > 0 {
                Act::Remove(some)
            } else {
                Act::Keep(at)
            }
        }
        14 => {
            let from = number(PEOPLE / 2);
            let absence = if number(2) > 0 { Absence::Believed } else { Absence::Doubted };
            Act::Read { from, to: from + number(PEOPLE), version, absence, finish: number(5) > 0 }
        }
        _ => Act::Fold,
    }
}

/// Does it; `done` is told of each call that has returned. Whatever refuses ends it.
fn perform(store: &Store, act: &Act, done: &mut dyn FnMut()) -> Result<(), StoreError> {
    let keys = |some: &[u32]| some.iter().map(|n| key(*n)).collect::<Vec<_>>();
    match act {
        Act::Intend(some) => drop(store.record_intents(&some.iter().map(|n| intent(*n)).collect::<Vec<_>>())?),
        Act::Settle { take, version, how } => {
            let open = store.open_intents()?.into_iter().take(*take);
            let outcomes: Vec<_> = open.map(|open| outcome(&open, *version, *how)).collect();
            store.record_outcomes(&outcomes)?;
        }
        Act::GiveUp(at) => store.give_up_intents(*at)?,
        Act::Note(n) => {
            store.record_note(Note { run: "r".into(), at: i64::from(*n), what: "w".repeat(200), who: "me".into() })?;
        }
        Act::Claim(some, keep) => {
            let claims = keys(some).into_iter().map(|key| (key.clone(), keep.then(|| claim(key.as_str())))).collect();
            store.put_claims("account", &claims)?;
        }
        Act::Apply(some, version) => {
            let pair = |n: &u32| {
                let record = person(*n, *version);
                (Applied { wanted: digest(&record), seen: digest(&record) }, record)
            };
            let each: BTreeSet<u32> = some.iter().copied().collect();
            store.put_applied("account", &each.iter().map(pair).collect::<Vec<_>>())?;
        }
        Act::Forget(some) => store.forget_applied("account", &keys(some))?,
        Act::Put(some, version) => {
            store.put(SOURCE, &schema(), &some.iter().map(|n| person(*n, *version)).collect::<Vec<_>>())?;
        }
        Act::Remove(some) => store.remove(SOURCE, &keys(some))?,
        Act::Keep(value) => store.set_meta("figures", value)?,
        Act::Read { from, to, version, absence, finish } => {
            let mut reading = store.snapshot(SOURCE, &schema())?.in_pieces_of(400);
            done();
            for n in *from..*to {
                reading.see(&person(n, *version))?;
                done();
            }
            if *finish {
                reading.finish(*absence)?;
            }
        }
        Act::Fold => store.fold()?,
    }
    done();
    Ok(())
}

fn outcome(open: &OpenIntent, version: u32, how: u64) -> OutcomeRecord {
    let n = open.intent.key.as_str().bytes().map(u32::from).sum::<u32>() % 1000;
    let (mut wanted, mut seen) = (person(n, version), person(n, version + 100));
    (wanted.key, seen.key) = (open.intent.key.clone(), open.intent.key.clone());
    let landed = OutcomeRecord {
        intent: open.number,
        at: 1_700_000_000_500,
        landing: Landing::Landed,
        applied: Some((Applied { wanted: digest(&wanted), seen: digest(&seen) }, wanted)),
        observed: Observed::Present(digest(&seen), seen),
        claim: Some(claim(&n.to_string())),
    };
    let code = || "X".to_owned();
    let bare = |landing, observed| OutcomeRecord { landing, observed, applied: None, claim: None, ..landed.clone() };
    match how {
        0 => bare(Landing::Failed { code: code() }, Observed::Absent),
        1 => bare(Landing::Unknown { code: code() }, Observed::Unread),
        _ => landed,
    }
}

fn digester() -> Digester {
    Digester::new(KEY)
}

fn open(disk: &Disk) -> Result<Store, StoreError> {
    Store::open_on(disk.clone(), digester())
}

/// Works until the power fails. Beside it a file whose power does not fail takes in what was acknowledged, so that
/// what is right is always at hand: how everything stood before the call that was cut off, and after it.
fn work(disk: &Disk, store: Result<Store, StoreError>, beside: &Store, chance: &mut Chance, at: u64) -> Vec<Held> {
    let Ok(store) = store else { return vec![held(beside)] };
    for step in 0..2_000 {
        let act = act(chance, at * 1000 + step);
        let mut returned = 0;
        match perform(&store, &act, &mut || returned += 1) {
            Ok(()) => perform(beside, &act, &mut || ()).unwrap(),
            Err(error) => {
                assert!(disk.is_off(), "{act:?} is refused while the power is on: {error}");
                let mut acceptable = vec![held(beside)];
                let mut calls = 0;
                perform(beside, &act, &mut || {
                    calls += 1;
                    if calls == returned || calls == returned + 1 {
                        acceptable.push(held(beside));
                    }
                })
                .unwrap();
                if returned > 0 {
                    acceptable.remove(0);
                }
                return acceptable;
            }
        }
    }
    panic!("2000 calls did not write enough for the power to fail: nothing is durable")
}

fn survives(seed: u64) {
    let mut chance = Chance::new(seed);
    let disk = Disk::default();
    drop(open(&disk).unwrap());
    let mut bytes = disk.found(&mut Chance::new(0));
    let mut entries = 0;
    for cut in 0..CUTS {
        let beside = open(&Disk::holding(bytes.clone())).unwrap();
        let disk = Disk::holding(bytes);
        // Opening repairs and folds: now and then it is cut off too.
        let writes = if chance.of(25) { chance.below(8) } else { 8 + chance.below(200) };
        disk.fail_after(writes);
        let acceptable = work(&disk, open(&disk), &beside, &mut chance, cut);
        bytes = disk.found(&mut chance);
        let again = Disk::holding(bytes.clone());
        let store = open(&again).unwrap_or_else(|error| panic!("file {seed}, cut {cut}: {error}"));
        let now = held(&store);
        assert!(
            acceptable.contains(&now),
            "file {seed}, cut {cut}: {} entries are there, not {:?}",
            now.journal.len(),
            acceptable.iter().map(|held| held.journal.len()).collect::<Vec<_>>()
        );
        is_consistent(&store);
        entries = now.journal.len();
        // It goes on from what this look has mended, or from what was found.
        if chance.of(50) {
            drop(store);
            bytes = again.found(&mut Chance::new(0));
        }
    }
    assert!(entries > 50, "file {seed}: {entries} entries after all this");
}

#[test]
fn no_power_cut_loses_what_was_acknowledged_1_of_2() {
    (0..FILES).for_each(survives);
}

#[test]
fn no_power_cut_loses_what_was_acknowledged_2_of_2() {
    (FILES..2 * FILES).for_each(survives);
}
