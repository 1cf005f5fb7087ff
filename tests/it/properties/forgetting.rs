//! Somebody who has left is forgotten whole, and nobody who is still needed; what is kept for a time goes after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reconcile::config::Retention;
use reconcile::engine::{self, Kept, Stop};
use reconcile_state::journal::{Entry, Note};
use serde_json::{Value, json};

use crate::toys::seated::{self, ACCOUNT, LOGIN};
use crate::toys::{Answer, listed, marked};
use crate::world::{Desk, School, key, wait};

const DAY: Duration = Duration::from_hours(24);

fn kept(desk: &Desk, n: u32) -> Kept {
    engine::kept(&desk.store, &key(n)).unwrap()
}

/// Why somebody is not forgotten: codes, and of what.
fn refused(desk: &Desk, n: u32) -> Vec<(&'static str, String)> {
    kept(desk, n).refusals.into_iter().map(|one| (one.code, one.of)).collect()
}

fn forget(desk: &Desk, n: u32) {
    let note = Note { run: "forget".into(), at: 1, what: "forgot 1 person".into(), who: "operator".into() };
    engine::forget(&desk.store, &kept(desk, n), &note).unwrap();
}

/// Deletes an account at the target, as its administrators do some time after somebody left.
fn delete(school: &School, n: u32) {
    let number = school.number(n);
    school.seated.shelf().rows.remove(&(ACCOUNT, number));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_still_needed_is_not_forgotten() {
    let fresh = Desk::new();
    let unread = ["Portal LDAP", "MetaVault"].map(|name| ("source-not-read", name.to_owned()));
    assert_eq!(refused(&fresh, 1), unread);

    // Asked for single people, a target says nothing of others.
    let mut narrow = Desk::new();
    narrow.people.hire_all(1..=3);
    narrow.scope = Desk::only([1]);
    narrow.plan().await;
    assert!(refused(&narrow, 2).contains(&("target-not-read", listed::NAME.to_owned())), "{:?}", refused(&narrow, 2));

    let school = School::with(1..=40).await;
    let told = refused(&school, 1);
    assert_eq!(told[..2], ["Portal LDAP", "MetaVault"].map(|name| ("still-in-source", name.to_owned())));
    assert_eq!(told[2..], [marked::NAME, seated::NAME].map(|name| ("record-at-target", name.to_owned())));

    school.people.let_go(1);
    assert_eq!(refused(&school, 1), told, "by what was read last");
    school.pass().await;
    assert_eq!(refused(&school, 1), [("record-at-target", seated::NAME.to_owned())]);
    let what = &kept(&school, 1).refusals[0].what;
    assert!(what.contains(&ACCOUNT.to_owned()), "{what:?}");

    // A reading that is not believed proves nothing.
    delete(&school, 1);
    (2..=39).for_each(|n| school.people.let_go(n));
    school.try_plan().await.unwrap();
    assert!(refused(&school, 1).contains(&("source-not-read", "Portal LDAP".to_owned())), "{:?}", refused(&school, 1));
}

#[tokio::test(start_paused = true)]
async fn a_write_in_doubt_is_not_forgotten() {
    let school = School::with(1..=40).await;
    school.seated.shelf().answer = Some(Answer::Lost);
    school.enrol(41, &["room1/a"]);
    school.pass().await;
    school.seated.shelf().answer = None;
    assert_eq!(school.open_intents(seated::NAME).len(), 1);
    school.people.let_go(41);
    school.try_plan().await.unwrap();
    assert!(refused(&school, 41).contains(&("still-in-doubt", seated::NAME.to_owned())), "{:?}", refused(&school, 41));
}

#[tokio::test(start_paused = true)]
async fn whoever_has_left_is_forgotten_whole_and_nothing_else_moves() {
    let school = School::with(1..=40).await;
    school.people.let_go(1);
    school.pass().await;
    delete(&school, 1);
    school.pass().await;
    let before = kept(&school, 1);
    assert_eq!(before.refusals, []);
    assert!(before.files[seated::NAME].entries > 0 && !before.is_nothing());
    let planned = school.plan().await;
    let (claims, writes) = (school.claimed(seated::NAME, ACCOUNT), school.writes());

    forget(&school, 1);
    assert!(kept(&school, 1).is_nothing() && kept(&school, 1).refusals.is_empty());
    let again = school.plan().await;
    assert_eq!(again.plan.hash, planned.plan.hash);
    let bases = |planned: &reconcile::model::pass::Planned| -> Vec<u64> {
        planned.pipelines.iter().map(|pipeline| pipeline.base).collect()
    };
    assert_eq!(bases(&again), bases(&planned));
    assert_eq!((school.claimed(seated::NAME, ACCOUNT), school.writes()), (claims, writes));
    let store = school.store.pipeline(seated::NAME).unwrap();
    let Entry::Note(note) = store.journal_back(None, 1).unwrap().remove(0).1 else { panic!("no note") };
    assert_eq!((note.what.as_str(), note.who.as_str()), ("forgot 1 person", "operator"));
    drop(store);

    // Whoever comes back is as new, and gets one account.
    school.enrol(1, &["room1/a"]);
    school.pass().await;
    assert_eq!(school.seated.shelf().with(ACCOUNT, LOGIN, "user001").len(), 1);
    assert_eq!(school.seats(1), ["room1/a"]);
    assert_eq!(school.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_anew_is_told_in_every_pass_until_it_is() {
    let mut desk = Desk::with(1..=3).await;
    let note = Note { run: "forget".into(), at: 1, what: "forgot 1 person".into(), who: "operator".into() };
    let store = desk.store.pipeline(listed::NAME).unwrap();
    store.forget(&[key(99)].into(), &BTreeMap::new(), note).unwrap();
    drop(store);
    let in_the_way = format!("{}.redb.new", listed::NAME);
    desk.restart_after(|place| std::fs::create_dir(place.join(&in_the_way)).unwrap());
    for _ in 0..2 {
        let told = desk.plan().await.events;
        let told: Vec<_> = told.iter().map(|event| (event.code.as_str(), event.pipeline)).collect();
        assert_eq!(told, [("FILE_NOT_REWRITTEN", Some(listed::NAME))]);
    }
    desk.restart_after(|place| std::fs::remove_dir(place.join(&in_the_way)).unwrap());
    assert_eq!(desk.plan().await.events, []);
}

async fn pass_and_retain(school: &School, retention: Retention) -> u64 {
    let judged = school.judge(school.plan().await);
    school.apply(&judged.approved, &Stop::default()).await;
    wait(Duration::from_secs(1)).await;
    let events = engine::retain(&school.planner(), &judged.approved, retention).await;
    assert!(events.is_empty(), "{events:?}");
    entries(school).len() as u64
}

fn entries(school: &School) -> Vec<Entry> {
    let all = school.store.pipeline(seated::NAME).unwrap().journal(0, usize::MAX).unwrap();
    all.into_iter().map(|(_, entry)| entry).collect()
}

#[tokio::test(start_paused = true)]
async fn the_journal_is_kept_for_as_long_as_is_configured() {
    let mut school = School::with(1..=40).await;
    school.seated.shelf().answer = Some(Answer::Lost);
    school.enrol(41, &["room1/a"]);
    school.pass().await;
    school.seated.shelf().refused.insert(key(41));
    let first = entries(&school).len() as u64;
    let (week, ever) = (Retention { journal_days: 8, copies_days: 8 }, Retention { journal_days: 0, copies_days: 0 });
    wait(20 * DAY).await;
    assert!(pass_and_retain(&school, ever).await > first, "0 keeps it for ever");
    school.scope = Desk::only([3]);
    assert!(pass_and_retain(&school, week).await > first, "a pass over some people takes nothing out");
    school.scope = reconcile::model::scope::Scope::default();
    let left = pass_and_retain(&school, week).await;
    assert!(left < first, "{left} of {first}");
    assert!(entries(&school).iter().all(|entry| !matches!(entry, Entry::Outcome(one) if one.at < 0)));
    let planned = school.plan().await;
    assert!(planned.pipelines.iter().all(|pipeline| pipeline.trust.is_trusted() && !pipeline.first_load));
}

#[tokio::test(start_paused = true)]
async fn that_somebody_was_carried_through_goes_when_they_have_left() {
    let school = School::with(1..=40).await;
    let carried = || -> BTreeSet<String> {
        let held = school.store.pipeline(seated::NAME).unwrap().held(&key(1)).unwrap();
        held.records.into_iter().filter(|name| name.ends_with("/processed")).collect()
    };
    assert_eq!(carried().len(), 1);
    let retention = Retention { journal_days: 730, copies_days: 365 };
    pass_and_retain(&school, retention).await;
    assert_eq!(carried().len(), 1);
    school.people.let_go(1);
    pass_and_retain(&school, retention).await;
    assert_eq!(carried().len(), 0);
    assert_eq!(refused(&school, 1).len(), 1, "what is needed of them is kept: the account is there");
}

#[tokio::test(start_paused = true)]
async fn evidence_that_contradicts_is_forgotten_only_where_no_record_is_left() {
    let school = School::with(1..=40).await;
    school.people.let_go(1);
    delete(&school, 1);
    school.pass().await;
    let remember = |code: &str, found: &[&str]| {
        let known = json!({ "code": code, "id": "4711", "found": found });
        let all = json!({ ACCOUNT: { key(1).as_str(): known, key(2).as_str(): known } });
        school.store.pipeline(seated::NAME).unwrap().set_meta("contradicted", &all).unwrap();
    };
    for (code, found) in [("values-differ", &[][..]), ("record-missing", &["12"])] {
        remember(code, found);
        assert_eq!(refused(&school, 1), [("whose-is-unclear", seated::NAME.to_owned())], "{code}");
    }
    remember("record-missing", &[]);
    assert_eq!(refused(&school, 1), []);
    assert!(kept(&school, 1).told.contains(seated::NAME));
    forget(&school, 1);
    let left: Value = school.store.pipeline(seated::NAME).unwrap().meta("contradicted").unwrap().unwrap();
    let left: Vec<&String> = left[ACCOUNT].as_object().unwrap().keys().collect();
    assert_eq!(left, [key(2).as_str()]);
}
