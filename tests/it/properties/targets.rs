//! What a target does not show is believed only of the right target, read whole.

use std::time::Duration;

use reconcile::config::{FirstMeeting, Limit};
use reconcile::model::pass::{Fate, Planned};
use reconcile::model::person::directory as d;
use reconcile::model::{Pick, Scope};
use reconcile_state::{Drift, Record, Standing, Value};

use crate::toys::{Answer, Listing, asked, listed};
use crate::world::{Desk, Fault, key, wait};

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_not_whole_makes_and_closes_nobody() {
    let cases = [
        (Listing::Half, "listing-short"),
        (Listing::NoEnd, "listing-incomplete"),
        (Listing::Twice, "listing-repeats"),
        (Listing::OneMore, "listing-short"),
        (Listing::Broken, "listing-incomplete"),
    ];
    for (listing, code) in cases {
        let desk = Desk::with(1..=12).await;
        desk.people.hire_all(13..=15);
        let before = desk.listed.rows();
        desk.listed.shelf().listing = listing;
        let pass = desk.pass().await;
        assert_eq!(pass.of(listed::NAME), Vec::<&str>::new(), "{listing:?}");
        assert!(pass.doubts(listed::NAME).contains(&code), "{listing:?} {:?}", pass.doubts(listed::NAME));
        assert_eq!(desk.listed.rows(), before);
        desk.listed.shelf().listing = Listing::Whole;
        assert_eq!(desk.pass().await.of(listed::NAME).len(), 3, "{listing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_page_without_a_count_is_told_by_who_is_missing() {
    let desk = Desk::with(1..=12).await;
    desk.listed.shelf().counts = false;
    desk.listed.shelf().listing = Listing::Half;
    let pass = desk.pass().await;
    assert_eq!((pass.changes(), pass.doubts(listed::NAME)), (0, vec!["remembered-lost"]));
}

#[tokio::test(start_paused = true)]
async fn remembered_records_that_are_not_shown_are_not_made_again() {
    let desk = Desk::with(1..=12).await;
    for toy in [&*desk.listed, &*desk.asked] {
        let numbers: Vec<u64> = toy.shelf().rows.keys().map(|(_, number)| *number).filter(|n| n % 2 == 1).collect();
        toy.shelf().vanished.extend(numbers);
    }
    let pass = desk.pass().await;
    assert_eq!(pass.changes(), 0, "{:#?}", pass.told);
    assert!(
        pass.doubts(listed::NAME).contains(&"listing-short") || pass.doubts(listed::NAME).contains(&"remembered-lost")
    );
    assert!(pass.doubts(asked::NAME).contains(&"remembered-lost"));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_show_what_is_known_gets_nothing() {
    let desk = Desk::new();
    desk.people.hire_all(1..=3);
    desk.asked.shelf().rows.clear();
    let pass = desk.pass().await;
    assert_eq!(pass.of(asked::NAME), Vec::<&str>::new());
    assert!(pass.doubts(asked::NAME).contains(&"known-record-missing"));
    assert_eq!(pass.of(listed::NAME).len(), 3, "the other target is not held up");
}

#[tokio::test(start_paused = true)]
async fn another_target_is_refused_until_it_is_adopted() {
    let mut desk = Desk::with(1..=3).await;
    // The last write at the old one is in doubt.
    desk.people.hire(4);
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    desk.listed.shelf().answer = None;
    // Another site: it has accounts of its own, under other numbers and with other titles.
    {
        let mut shelf = desk.listed.shelf();
        shelf.identity = "listed-2".into();
        shelf.rows.clear();
        for n in 1..=3 {
            let login = format!("user{n:03}");
            shelf.put(listed::ACCOUNT, Record::new("".into()).with(listed::LOGIN, login.as_str()));
        }
    }
    let other = desk.listed.rows();
    desk.people.edit(1, d::SURNAME, "Changed");
    // However often it is tried.
    for _ in 0..3 {
        let refused = desk.pass().await;
        assert_eq!(refused.of(listed::NAME), Vec::<&str>::new());
        assert_eq!(refused.planned.pipelines[0].stopped.as_ref().unwrap().code, "TARGET_CHANGED");
        assert_eq!(desk.listed.rows(), other);
    }
    assert_eq!(desk.claimed(listed::NAME, listed::ACCOUNT).len(), 3);
    assert_eq!(desk.open_intents(listed::NAME).len(), 1);
    desk.adopt = true;
    let adopted = desk.pass().await;
    assert!(adopted.planned.pipelines[0].anew && adopted.changes() == 0);
    assert_eq!(adopted.planned.plan.pipelines[listed::NAME].links.len(), 3);
    assert_eq!(desk.listed.rows(), other, "adopting changes nothing");
    assert_eq!(desk.claimed(listed::NAME, listed::ACCOUNT), [key(1), key(2), key(3)]);
    let aside: Vec<String> = std::fs::read_dir(desk.store.path().join("claims"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("toy-listed-before-"))
        .collect();
    assert_eq!(aside.len(), 1);
    let kept = std::fs::read_to_string(desk.store.path().join("claims").join(&aside[0])).unwrap();
    assert_eq!(kept.lines().count(), 3);
    assert!(desk.open_intents(listed::NAME).is_empty(), "what was in doubt was at the old one");
    desk.adopt = false;
    // Nobody was carried through at this target yet.
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    let next = desk.pass().await;
    assert_eq!(next.of(listed::NAME), ["account/uhid-004 create: landed"], "accepted, first meetings listed");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_reached_keeps_its_memory() {
    let mut desk = Desk::with(1..=4).await;
    desk.people.hire(5);
    desk.listed.shelf().answer = Some(Answer::LandsAfter(Duration::from_secs(25)));
    desk.pass().await;
    desk.listed.shelf().answer = None;
    assert_eq!(desk.open_intents(listed::NAME).len(), 1);
    desk.listed.shelf().away = true;
    desk.people.edit(2, d::SURNAME, "Changed");
    let away = desk.pass().await;
    assert_eq!(away.planned.pipelines[0].stopped.as_ref().unwrap().code, "TOY_CONNECTION_FAILED");
    assert_eq!(away.of(listed::NAME), Vec::<&str>::new());
    assert_eq!(desk.open_intents(listed::NAME).len(), 1, "nothing was read back");
    desk.listed.shelf().away = false;
    desk.listed.shelf().identity = "another".into();
    assert!(desk.plan().await.pipelines[0].stopped.is_some(), "its identity is still known");
    desk.listed.shelf().identity = "listed-1".into();
    wait(Duration::from_mins(1)).await;
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    let back = desk.pass().await;
    assert_eq!(back.of(listed::NAME), ["account/uhid-002 update: landed"], "{:?}", back.told);
    assert_eq!(desk.listed.rows().len(), 5);
    assert!(desk.open_intents(listed::NAME).is_empty());
}

#[tokio::test(start_paused = true)]
async fn references_stay_known_while_the_target_they_lead_to_is_away() {
    let desk = Desk::with(1..=4).await;
    desk.people.edit(2, d::SURNAME, "Changed");
    desk.listed.shelf().away = true;
    let pass = desk.pass().await;
    assert_eq!(pass.fate(asked::NAME, asked::MEMBER, 2), Some("update: landed"));
    assert_eq!(pass.planned.plan.pipelines[asked::NAME].drift[&Drift::InSync], 6);
    assert_eq!(pass.planned.plan.pipelines[asked::NAME].waiting, 0);
    desk.listed.shelf().away = false;
    assert_eq!(desk.pass().await.of(asked::NAME), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_first_meeting_lists_and_writes_nothing_and_leavers_are_closed_all_the_same() {
    let desk = Desk::new();
    desk.people.hire_all(1..=3);
    for n in 1..=3 {
        let login = format!("user{n:03}");
        let row = Record::new("".into()).with(listed::LOGIN, login.as_str()).with(listed::TITLE, "Old");
        desk.listed.shelf().put(listed::ACCOUNT, row);
    }
    let before = desk.listed.rows();
    let met = desk.pass().await;
    assert_eq!(met.of(listed::NAME), Vec::<&str>::new());
    assert_eq!((met.planned.plan.pipelines[listed::NAME].links.len(), desk.listed.rows() == before), (3, true));
    assert!(met.planned.plan.pipelines[listed::NAME].links.iter().all(|link| !link.differences.is_empty()));
    // What the sources move from now on is written, and nothing else.
    desk.people.edit(1, d::EMAIL, "new");
    desk.people.entitle(2, &[]);
    let later = desk.pass().await;
    assert_eq!(later.of(listed::NAME), ["account/uhid-001 update: landed", "account/uhid-002 disable: landed"]);
    let row = desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").clone();
    assert_eq!((row.text(listed::MAIL), row.text(listed::TITLE)), (Some("new"), Some("Old")));
    assert_eq!(desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user002").standing, Standing::Disabled);
    let quiet = desk.pass().await;
    assert_eq!(quiet.of(listed::NAME), Vec::<&str>::new());
    assert_eq!(quiet.planned.plan.pipelines[listed::NAME].drift.get(&Drift::InSync), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn an_enforced_first_meeting_brings_about_what_is_wanted() {
    let mut desk = Desk::new();
    desk.settings.first_meeting = FirstMeeting::Enforce;
    desk.people.hire(1);
    desk.listed
        .shelf()
        .put(listed::ACCOUNT, Record::new("".into()).with(listed::LOGIN, "user001").with(listed::TITLE, "Old"));
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-001 update: landed"]);
    assert_eq!(desk.pass().await.of(listed::NAME), Vec::<&str>::new());
    assert_eq!(desk.listed.rows().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn adopting_changes_nothing_and_settles_nothing_that_was_pending() {
    let mut desk = Desk::with(1..=4).await;
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user002").set(listed::TITLE, "by hand".into());
    desk.people.entitle(3, &[]);
    desk.people.hire(5);
    let before = (desk.listed.rows(), desk.asked.rows());
    desk.adopt = true;
    let adopted = desk.pass().await;
    assert_eq!(adopted.changes(), 0);
    assert_eq!(adopted.planned.plan.pipelines[listed::NAME].findings.len(), 3, "shown all the same");
    assert_eq!((desk.listed.rows(), desk.asked.rows()), before);
    desk.adopt = false;
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    let changed = desk.pass().await;
    assert_eq!(changed.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: landed"));
    assert_eq!(changed.fate(listed::NAME, listed::ACCOUNT, 3), Some("disable: landed"));
    assert_eq!(changed.fate(listed::NAME, listed::ACCOUNT, 5), Some("create: landed"));
    desk.scope = Scope::default();
    desk.pass().await;
    assert!(desk.listed.shelf().with(listed::ACCOUNT, listed::TITLE, "by hand").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_plan_writes_nothing() {
    let mut desk = Desk::with(1..=12).await;
    desk.settings.guard.shrink.floor = 100;
    desk.settings.guard.disables = Limit { number: Some(3), percent: None };
    (1..=5).for_each(|n| desk.people.entitle(n, &[]));
    desk.people.edit(6, d::SURNAME, "Changed");
    let before = (desk.listed.rows(), desk.asked.rows(), desk.writes());
    let entries = |desk: &Desk| desk.store.pipeline(listed::NAME).unwrap().journal(1, 10_000).unwrap().len();
    let journal = entries(&desk);
    let pass = desk.pass().await;
    assert_eq!(pass.judged.verdicts[listed::NAME].trips[0].rule, "disables");
    assert!(pass.of(listed::NAME).iter().all(|line| line.ends_with("held refused")), "{:?}", pass.told);
    assert_eq!(
        (desk.listed.rows(), desk.asked.rows(), desk.writes(), entries(&desk)),
        (before.0, before.1, before.2, journal)
    );
    desk.allow.insert("disables".into());
    assert!(desk.pass().await.told.iter().all(|line| line.ends_with("landed")));
}

#[tokio::test(start_paused = true)]
async fn a_first_load_waits_for_consent() {
    let mut desk = Desk::new();
    desk.settings.guard.first_load = false;
    desk.people.hire_all(1..=3);
    let pass = desk.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("held refused")));
    assert_eq!((pass.judged.verdicts[listed::NAME].trips[0].rule, desk.writes()), ("first-load", 0));
}

#[tokio::test(start_paused = true)]
async fn a_first_load_over_a_reading_that_is_doubted_is_not_through() {
    for fault in [Fault::Midway, Fault::Incomplete] {
        let mut desk = Desk::new();
        desk.settings.guard.creates = Limit { number: Some(1), percent: None };
        desk.people.hire_all(1..=12);
        desk.people.fault(fault);
        let half = desk.pass().await;
        assert!(half.fates.iter().all(|fate| *fate == Fate::Landed), "{fault:?} {:#?}", half.told);
        desk.people.fault(Fault::None);
        let rest = desk.pass().await;
        assert!(rest.fates.iter().all(|fate| *fate == Fate::Landed), "{fault:?} {:#?}", rest.told);
        assert_eq!(desk.listed.rows().len(), 12, "{fault:?}");
        let loading = |plan: &Planned| plan.pipelines.iter().map(|one| one.first_load).collect::<Vec<_>>();
        assert_eq!((loading(&rest.planned), loading(&desk.plan().await)), (vec![true, true], vec![false, false]));
    }
}

#[tokio::test(start_paused = true)]
async fn references_lead_also_to_records_of_a_pipeline_that_was_refused() {
    let mut desk = Desk::new();
    desk.people.hire_all(1..=5);
    desk.people.entitle(1, &["toy-listed"]);
    desk.pass().await;
    // The person's account at A exists; A is refused now, and B makes a member that refers to it.
    desk.settings.guard.renames = Limit { number: Some(0), percent: None };
    desk.people.edit(2, d::USERNAME, "renamed");
    desk.people.entitle(1, &["toy-listed", "toy-asked"]);
    let pass = desk.pass().await;
    assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, 2), Some("update: held refused"));
    assert_eq!(pass.fate(asked::NAME, asked::MEMBER, 1), Some("create: landed"));
    assert_eq!(desk.pass().await.of(asked::NAME), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn two_records_that_may_be_one_persons_are_a_conflict() {
    let desk = Desk::with(1..=3).await;
    desk.listed.shelf().put(listed::ACCOUNT, Record::new("".into()).with(listed::LOGIN, "user001"));
    desk.people.edit(1, d::SURNAME, "Changed");
    let pass = desk.pass().await;
    let conflicts = &pass.planned.plan.pipelines[listed::NAME].conflicts;
    assert_eq!((conflicts[0].code, conflicts[0].candidates.len()), ("several-records", 2));
    assert_eq!(pass.of(listed::NAME), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn two_people_who_would_share_a_record_get_none() {
    let desk = Desk::new();
    desk.people.hire_all(1..=3);
    desk.people.edit(2, d::USERNAME, "user001");
    let pass = desk.pass().await;
    assert_eq!(pass.of(listed::NAME), ["account/uhid-003 create: landed"], "nothing is guessed");
    assert_eq!(pass.planned.plan.pipelines[listed::NAME].conflicts.len(), 2);
    desk.people.edit(2, d::USERNAME, Value::from("user002"));
    assert_eq!(desk.pass().await.of(listed::NAME).len(), 2);
}
