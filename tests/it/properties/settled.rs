//! After a pass there is nothing to do; what others do is repaired, or left, as the settings say.

use std::time::Duration;

use proptest::prelude::*;
use reconcile::config::{FirstMeeting, OnDrift};
use reconcile::model::Cause;
use reconcile::model::person::directory as d;
use reconcile_state::{Drift, Record, Standing, Value};

use crate::toys::{asked, listed};
use crate::world::{Desk, Pass, key, run, wait};

fn drift(pass: &Pass, pipeline: &str, class: Drift) -> u64 {
    pass.planned.plan.pipelines[pipeline].drift.get(&class).copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_second_pass_does_nothing() {
    let desk = Desk::with(1..=12).await;
    let before = (desk.listed.rows(), desk.asked.rows(), desk.writes());
    let second = desk.pass().await;
    assert_eq!(second.changes(), 0, "{:#?}", second.told);
    assert_eq!(drift(&second, listed::NAME, Drift::InSync), 12);
    assert_eq!(drift(&second, asked::NAME, Drift::InSync), 24);
    assert_eq!((desk.listed.rows(), desk.asked.rows(), desk.writes()), before);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_rewrites_settles() {
    let desk = Desk::new();
    desk.listed.shelf().rewrites.insert(listed::MAIL);
    desk.people.hire_all(1..=3);
    let first = desk.pass().await;
    assert!(first.told.iter().all(|line| line.ends_with("landed")), "{:#?}", first.told);
    assert_eq!(
        desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").text(listed::MAIL),
        Some("MAIL001@toy")
    );
    let second = desk.pass().await;
    assert_eq!((second.changes(), drift(&second, listed::NAME, Drift::InSync)), (0, 3));
    desk.people.edit(2, d::EMAIL, "other");
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-002 update: landed"]);
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn create_only_and_write_once_are_given_once() {
    let desk = Desk::with(1..=2).await;
    desk.people.edit(1, d::EPPN, "another eppn");
    desk.people.edit(1, d::STUDENT_NUMBER, "another number");
    assert_eq!(desk.pass().await.changes(), 0);
    assert_eq!(desk.pass().await.changes(), 0);
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").set(listed::NUMBER, "".into());
    desk.pass().await;
    let row = desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").clone();
    assert_eq!((row.text(listed::NUMBER), row.text(listed::BORN_AS)), (Some("another number"), Some("eppn001")));
}

#[tokio::test(start_paused = true)]
async fn planning_writes_nothing_and_says_the_same_again() {
    let desk = Desk::with(1..=6).await;
    desk.people.hire_all(7..=9);
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.people.entitle(2, &[]);
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user003").set(listed::TITLE, "by hand".into());
    let before = (desk.listed.rows(), desk.asked.rows(), desk.writes());
    let journal = |name| desk.store.pipeline(name).unwrap().journal(1, 10_000).unwrap().len();
    let entries = (journal(listed::NAME), journal(asked::NAME));
    let plans = [desk.plan().await, desk.plan().await, desk.plan().await];
    assert_eq!(plans[0].plan.changes.len(), 9 + 3 + 3 + 1);
    assert!(plans.iter().all(|planned| planned.plan == plans[0].plan));
    assert_eq!((desk.listed.rows(), desk.asked.rows(), desk.writes()), before);
    assert_eq!((journal(listed::NAME), journal(asked::NAME)), entries);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_input_changes_nothing(one in any::<u64>(), two in any::<u64>()) {
        let hash = |seed: u64| run(async move {
            let desk = Desk::with(1..=5).await;
            desk.people.hire_all(6..=9);
            desk.people.edit(2, d::JOB_CODE, "uhid-007");
            desk.people.edit(3, d::SURNAME, "Changed");
            desk.people.entitle(4, &["toy-asked"]);
            desk.people.shuffle(seed);
            desk.listed.shelf().order = Some(seed);
            desk.asked.shelf().order = Some(seed);
            desk.plan().await.plan
        });
        let (one, two) = (hash(one), hash(two));
        prop_assert_eq!(one.hash, two.hash);
        prop_assert_eq!(one.changes, two.changes);
    }
}

#[tokio::test(start_paused = true)]
async fn hand_made_drift_is_repaired_reported_or_ignored() {
    for (mode, changes, findings) in [(OnDrift::Enforce, 2, 0), (OnDrift::Report, 0, 2), (OnDrift::Ignore, 0, 0)] {
        let mut desk = Desk::with(1..=4).await;
        desk.settings.drift = mode;
        desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user002").set(listed::TITLE, "by hand".into());
        let groups = Value::Set(["ours:one".to_owned(), "ours:odd".to_owned()].into());
        desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user003").set(listed::GROUPS, groups);
        let pass = desk.pass().await;
        assert_eq!((pass.changes(), drift(&pass, listed::NAME, Drift::Drifted)), (changes, 2), "{mode:?}");
        assert!(pass.planned.plan.changes.iter().all(|change| change.cause == Cause::Drift));
        assert_eq!(pass.planned.plan.pipelines[listed::NAME].findings.len(), findings, "{mode:?}");
        let repaired = desk.listed.shelf().with(listed::ACCOUNT, listed::TITLE, "by hand").is_empty();
        assert_eq!(repaired, mode == OnDrift::Enforce);
        let next = desk.pass().await;
        assert_eq!(next.changes(), 0, "{mode:?}");
        assert_eq!(
            drift(&next, listed::NAME, Drift::Drifted),
            if mode == OnDrift::Enforce { 0 } else { 2 },
            "{mode:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_closed_or_removed_by_hand_comes_back() {
    let desk = Desk::with(1..=4).await;
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").standing = Standing::Disabled;
    let lost = desk.listed.shelf().with(listed::ACCOUNT, listed::LOGIN, "user002")[0];
    desk.listed.shelf().rows.remove(&(listed::ACCOUNT, lost));
    let pass = desk.pass().await;
    assert_eq!(pass.of(listed::NAME), ["account/uhid-001 enable: landed", "account/uhid-002 create: landed"]);
    assert_eq!(drift(&pass, listed::NAME, Drift::Lost), 1);
    // The twin of the record that was made anew has another id: what refers to it follows.
    assert_eq!(desk.pass().await.told, ["toy-asked/member/uhid-002 update: landed"]);
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_foreign_is_never_touched() {
    let desk = Desk::with(1..=3).await;
    let groups = ["ours:one", "ours:two", "theirs:x"].map(str::to_owned);
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").set(listed::GROUPS, Value::Set(groups.into()));
    let stranger = Record::new("".into()).with(listed::LOGIN, "stranger").with(listed::TITLE, "Theirs");
    let number = desk.listed.shelf().put(listed::ACCOUNT, stranger.clone());
    let admin = Record::new("".into()).with(listed::LOGIN, "user009");
    let admin_number = desk.listed.shelf().put(listed::ACCOUNT, admin.clone());
    desk.listed.shelf().admins.insert(admin_number);
    desk.people.hire(9);
    desk.people.edit(1, d::AFFILIATIONS, Value::Set(["two".to_owned()].into()));
    let pass = desk.pass().await;
    let plan = &pass.planned.plan.pipelines[listed::NAME];
    assert_eq!((plan.foreign, plan.conflicts.len(), plan.conflicts[0].code), (1, 1, "held-by-foreign"));
    assert_eq!(pass.of(listed::NAME), ["account/uhid-001 update: landed"]);
    let rows = desk.listed.rows();
    assert_eq!((&rows[&(listed::ACCOUNT, number)], &rows[&(listed::ACCOUNT, admin_number)]), (&stranger, &admin));
    let kept: Vec<String> = desk
        .listed
        .shelf()
        .only(listed::ACCOUNT, listed::LOGIN, "user001")
        .elements(listed::GROUPS)
        .map(str::to_owned)
        .collect();
    assert_eq!(kept, ["ours:two", "theirs:x"]);
    assert_eq!(desk.pass().await.changes(), 0);
}

/// Where first meetings are only told, nothing of it would be written anyhow.
#[tokio::test(start_paused = true)]
async fn a_foreign_record_in_the_way_is_not_written_where_first_meetings_are_enforced() {
    let mut desk = Desk::with(1..=3).await;
    desk.settings.first_meeting = FirstMeeting::Enforce;
    let number = desk.listed.shelf().put(listed::ACCOUNT, Record::new("".into()).with(listed::LOGIN, "user009"));
    desk.listed.shelf().admins.insert(number);
    desk.people.hire(9);
    let before = desk.listed.rows();
    for _ in 0..2 {
        let pass = desk.pass().await;
        assert_eq!(desk.listed.rows(), before);
        assert_eq!(pass.planned.plan.pipelines[listed::NAME].conflicts.len(), 1);
    }
    assert!(!desk.claimed(listed::NAME, listed::ACCOUNT).contains(&key(9)));
    // One that is not is taken over.
    desk.listed.shelf().admins.clear();
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-009 update: landed"]);
}

#[tokio::test(start_paused = true)]
async fn an_element_out_of_scope_is_neither_asked_for_nor_taken_away() {
    let desk = Desk::with(1..=2).await;
    desk.people.edit(1, d::AFFILIATIONS, Value::Set(["one", "two", "closed"].map(str::to_owned).into()));
    assert_eq!(desk.pass().await.changes(), 0);
    let groups = ["ours:one", "ours:two", "ours:closed"].map(str::to_owned);
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user002").set(listed::GROUPS, Value::Set(groups.into()));
    assert_eq!(desk.pass().await.changes(), 0);
    assert_eq!(desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user002").elements(listed::GROUPS).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_converge_waits_longer_each_time() {
    for mode in [OnDrift::Enforce, OnDrift::Report] {
        let mut desk = Desk::with(1..=3).await;
        desk.settings.drift = mode;
        desk.listed.shelf().drops.insert(listed::TITLE);
        desk.people.edit(1, d::SURNAME, "Never kept");
        let first = desk.pass().await;
        assert_eq!(first.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: not converged title"));
        for minutes in [10, 20, 40] {
            let early = desk.pass().await;
            assert_eq!(early.changes(), 0, "{mode:?} {minutes} {:#?}", early.told);
            assert!(early.planned.plan.pipelines[listed::NAME].findings[0].not_before.is_some());
            assert_eq!(drift(&early, listed::NAME, Drift::InSync), 2, "never counted in sync");
            wait(Duration::from_mins(minutes)).await;
            let due = desk.pass().await;
            assert_eq!(due.told, ["toy-listed/account/uhid-001 update: not converged title"], "{mode:?} {minutes}");
        }
        // A new wish does not wait for the old one.
        desk.people.edit(1, d::EMAIL, "new wish");
        assert_eq!(desk.pass().await.of(listed::NAME).len(), 1);
        desk.listed.shelf().drops.clear();
        wait(Duration::from_hours(24)).await;
        assert_eq!(desk.pass().await.told, ["toy-listed/account/uhid-001 update: landed"], "{mode:?}");
        assert_eq!(desk.pass().await.changes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_did_while_a_pass_wrote_is_drift_in_the_next() {
    let mut desk = Desk::with(1..=3).await;
    desk.pipelines = vec![listed::NAME];
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.listed.shelf().meddle = Some(Box::new(|shelf| {
        shelf.only(listed::ACCOUNT, listed::LOGIN, "user001").set(listed::MAIL, "by hand".into());
        let groups = Value::Set(["ours:odd".to_owned()].into());
        shelf.only(listed::ACCOUNT, listed::LOGIN, "user001").set(listed::GROUPS, groups);
    }));
    assert_eq!(desk.pass().await.told, ["toy-listed/account/uhid-001 update: landed"]);
    let next = desk.pass().await;
    assert_eq!(next.told, ["toy-listed/account/uhid-001 update: landed"]);
    assert_eq!(next.planned.plan.changes[0].drift, Drift::Drifted);
    assert_eq!(desk.pass().await.changes(), 0);
}
