//! What a source does not say is believed only of a reading that is whole and looks like the last one.

use reconcile::config::OnSurplus;
use reconcile::model::person::directory as d;
use reconcile_state::{Drift, Standing, Value};

use crate::toys::listed;
use crate::world::{Desk, Fault, key};

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_not_trusted_neither_closes_nor_makes() {
    let cases = [
        (Fault::HalfMissing, "source-shrunk"),
        (Fault::Empty, "source-empty"),
        (Fault::Midway, "source-incomplete"),
        (Fault::Incomplete, "source-incomplete"),
    ];
    for (fault, code) in cases {
        let mut desk = Desk::with(1..=12).await;
        desk.settings.surplus = OnSurplus::Disable;
        let before = (desk.listed.rows(), desk.asked.rows());
        desk.people.fault(fault);
        let pass = desk.pass().await;
        assert_eq!(pass.changes(), 0, "{fault:?} {:#?}", pass.told);
        assert!(pass.source_doubts().contains(&code), "{fault:?} {:?}", pass.source_doubts());
        assert_eq!((desk.listed.rows(), desk.asked.rows()), before);
        desk.people.fault(Fault::None);
        assert_eq!(desk.pass().await.changes(), 0, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_broke_off_closes_nobody_however_far_a_source_may_shrink() {
    let mut desk = Desk::with(1..=12).await;
    desk.settings.surplus = OnSurplus::Disable;
    desk.settings.guard.shrink.floor = 100;
    let before = (desk.listed.rows(), desk.asked.rows());
    desk.people.fault(Fault::Midway);
    let pass = desk.pass().await;
    assert_eq!((pass.told.clone(), pass.source_doubts()), (vec![], vec!["source-incomplete"]));
    assert_eq!((desk.listed.rows(), desk.asked.rows()), before);
    // The same people missing from a reading that was whole are gone.
    desk.people.fault(Fault::None);
    (9..=12).for_each(|n| desk.people.let_go(n));
    assert_eq!(desk.pass().await.of(listed::NAME).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_doubted_reading_does_not_say_of_somebody_it_shows_takes_nothing() {
    let mut desk = Desk::with(1..=12).await;
    desk.settings.guard.shrink.floor = 100;
    desk.people.fault(Fault::Incomplete);
    desk.people.entitle(1, &[]);
    desk.people.edit(2, d::AFFILIATIONS, Value::Set(["one".to_owned()].into()));
    desk.people.edit(3, d::DISABLED, Value::Flag(true));
    desk.people.edit(4, d::SURNAME, "Changed");
    let expected = |held: &str| {
        let of = |line: &str, fate: &str| format!("account/uhid-{line}: {fate}");
        vec![of("001 disable", held), of("002 update", held), of("003 disable", "landed"), of("004 update", "landed")]
    };
    assert_eq!(desk.pass().await.of(listed::NAME), expected("held untrusted-source"));
    desk.people.fault(Fault::None);
    assert_eq!(desk.pass().await.of(listed::NAME), expected("landed")[..2]);
}

#[tokio::test(start_paused = true)]
async fn nobody_whom_a_broken_reading_did_not_show_is_made_anew() {
    let desk = Desk::with(1..=12).await;
    // The last person's record is lost, and the reading breaks off before the last person.
    let lost = desk.listed.shelf().with(listed::ACCOUNT, listed::LOGIN, "user012")[0];
    desk.listed.shelf().rows.remove(&(listed::ACCOUNT, lost));
    desk.people.fault(Fault::Midway);
    let pass = desk.pass().await;
    assert_eq!(pass.changes(), 0, "{:#?}", pass.told);
    assert_eq!(pass.planned.plan.pipelines[listed::NAME].untouched.values().sum::<u64>(), 8);
    desk.people.fault(Fault::None);
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-012 create: landed"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_gives_nothing_ends_the_pass_and_changes_no_memory() {
    let desk = Desk::with(1..=3).await;
    desk.people.fault(Fault::AtStart);
    let error = desk.try_plan().await.unwrap_err();
    assert_eq!(error.code(), "LDAP_CONNECTION_FAILED");
    desk.people.fault(Fault::None);
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attribute_that_vanishes_for_everybody_closes_nobody() {
    let desk = Desk::with(1..=12).await;
    for id in [d::REQUESTED, d::SURNAME, d::AFFILIATION, d::USERNAME, d::EMAIL, d::AFFILIATIONS] {
        desk.people.hide(Some(id));
        let before = (desk.listed.rows(), desk.asked.rows());
        let pass = desk.pass().await;
        assert!(pass.source_doubts().contains(&"attribute-shrunk"), "{id:?}");
        let written = pass.told.iter().filter(|line| line.ends_with(": landed")).collect::<Vec<_>>();
        if id != d::USERNAME {
            assert_eq!(written, Vec::<&String>::new(), "{id:?}");
            assert_eq!((desk.listed.rows(), desk.asked.rows()), before);
        }
        assert!(desk.listed.rows().values().all(|row| row.standing == Standing::Active), "{id:?}");
        desk.people.hide(None);
        desk.pass().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_let_in_because_nobody_may_read_any_more_who_is_disabled() {
    let desk = Desk::with(1..=12).await;
    for n in 1..=6 {
        desk.people.edit(n, d::DISABLED, Value::Flag(true));
    }
    desk.people.hire(13);
    desk.people.edit(13, d::DISABLED, Value::Flag(true));
    desk.pass().await;
    let closed = |desk: &Desk| desk.listed.rows().values().filter(|row| row.standing == Standing::Disabled).count();
    assert_eq!(closed(&desk), 6);
    desk.people.hide(Some(d::DISABLED));
    let pass = desk.pass().await;
    assert!(pass.source_doubts().contains(&"attribute-shrunk"));
    assert!(
        pass.told.iter().all(|line| line.ends_with("held untrusted-source") || line.ends_with("deferred")),
        "{:#?}",
        pass.told
    );
    assert_eq!((closed(&desk), desk.listed.rows().len()), (6, 12));
    // Read in the open again and really lifted, they come back.
    desk.people.hide(None);
    desk.people.edit(1, d::DISABLED, Value::Flag(false));
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 1), Some("enable: landed"));
}

#[tokio::test(start_paused = true)]
async fn untouched_people_are_never_closed() {
    let mut desk = Desk::with(1..=6).await;
    // Not even where those who are gone would be, however many they are.
    desk.settings.surplus = OnSurplus::Disable;
    desk.settings.guard.shrink.floor = 100;
    for (n, id) in [(1, d::SURNAME), (2, d::AFFILIATION), (3, d::GIVEN_NAME)] {
        desk.people.edit(n, id, "");
        desk.people.entitle(n, &[]);
    }
    let pass = desk.pass().await;
    assert_eq!(pass.changes(), 0, "{:#?}", pass.told);
    assert_eq!(pass.planned.plan.pipelines[listed::NAME].drift[&Drift::Untouched], 3);
}

#[tokio::test(start_paused = true)]
async fn leavers_are_closed_and_come_back() {
    let desk = Desk::with(1..=6).await;
    desk.people.entitle(1, &[]);
    desk.people.edit(2, d::DISABLED, Value::Flag(true));
    let pass = desk.pass().await;
    assert_eq!(pass.of(listed::NAME), ["account/uhid-001 disable: landed", "account/uhid-002 disable: landed"]);
    assert_eq!(desk.pass().await.changes(), 0);
    desk.people.hire(1);
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 1), Some("enable: landed"));
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_gone_are_reported_or_closed_and_forgotten_when_they_are_not_there() {
    let mut desk = Desk::with(1..=6).await;
    desk.people.let_go(6);
    let reported = desk.pass().await;
    assert_eq!(reported.changes(), 0);
    assert_eq!(reported.planned.plan.pipelines[listed::NAME].findings[0].drift, Drift::Surplus);
    desk.settings.surplus = OnSurplus::Disable;
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 6), Some("disable: landed"));
    assert_eq!(desk.pass().await.changes(), 0);
    // Who returns is known, and let in again.
    desk.people.hire(6);
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 6), Some("enable: landed"));
    desk.people.let_go(6);
    let row = desk.listed.shelf().with(listed::ACCOUNT, listed::LOGIN, "user006")[0];
    desk.listed.shelf().rows.remove(&(listed::ACCOUNT, row));
    let forgotten = desk.pass().await;
    assert!(forgotten.planned.plan.pipelines[listed::NAME].forgotten.contains(&(listed::ACCOUNT, key(6))));
    assert!(!desk.claimed(listed::NAME, listed::ACCOUNT).contains(&key(6)));
}

#[tokio::test(start_paused = true)]
async fn elements_are_not_taken_away_on_the_word_of_a_shrunken_table() {
    let mut desk = Desk::new();
    desk.people.table("mv_enrolment", 100);
    desk.people.hire_all(1..=4);
    desk.pass().await;
    desk.people.table("mv_enrolment", 3);
    desk.people.edit(1, d::AFFILIATIONS, Value::Set(["one".to_owned()].into()));
    desk.scope = Desk::only([1]);
    let narrow = desk.pass().await;
    assert_eq!(narrow.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: held untrusted-source"));
    assert_eq!(narrow.source_doubts(), ["attribute-shrunk"]);
    desk.people.table("mv_enrolment", 100);
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: landed"));
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_accepted_by_its_name_and_becomes_the_measure() {
    let mut desk = Desk::with(1..=12).await;
    (1..=5).for_each(|n| desk.people.entitle(n, &[]));
    let doubted = desk.pass().await;
    assert_eq!(doubted.fate(listed::NAME, listed::ACCOUNT, 1), Some("disable: held untrusted-source"));
    desk.allow.insert("attribute-shrunk".into());
    let accepted = desk.pass().await;
    assert_eq!((accepted.source_doubts().len(), accepted.planned.events.len()), (0, 1));
    assert_eq!(accepted.of(listed::NAME).iter().filter(|line| line.ends_with("disable: landed")).count(), 5);
    desk.allow.clear();
    let next = desk.pass().await;
    assert_eq!((next.source_doubts().len(), next.changes()), (0, 0));
}
