//! From intent to settlement: what is refused, cut off, lost or overtaken.

use std::sync::Arc;
use std::time::Duration;

use reconcile::config::OnSurplus;
use reconcile::engine::{Point, Stop, Unstopped};
use reconcile::model::pass::Fate;
use reconcile::model::person::directory as d;
use reconcile::model::{Action, Scope};
use reconcile_state::{Origin, Record, Standing};

use crate::toys::{Answer, asked, listed};
use crate::world::{Desk, DiesAt, key, wait};

fn only_listed(desk: &mut Desk) {
    desk.pipelines = vec![listed::NAME];
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_does_not_hold_up_the_others() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=8);
    desk.listed.shelf().bad.insert(key(5));
    let pass = desk.pass().await;
    let failed: Vec<&String> = pass.told.iter().filter(|line| !line.ends_with("landed")).collect();
    assert_eq!(failed, ["toy-listed/account/uhid-005 create: failed TOY_REJECTED"]);
    assert_eq!(
        (desk.listed.rows().len(), desk.listed.shelf().requests),
        (7, 7),
        "eight, then halves of what is refused"
    );
    assert!(desk.open_intents(listed::NAME).is_empty());
    desk.listed.shelf().bad.clear();
    assert_eq!(desk.pass().await.told, ["toy-listed/account/uhid-005 create: landed"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_elsewhere_is_settled_when_one_memory_fails() {
    let mut desk = Desk::with(1..=3).await;
    (1..=3).for_each(|n| desk.people.edit(n, d::SURNAME, "Changed"));
    desk.listed.shelf().held = Duration::from_secs(20);
    desk.points = Arc::new(DiesAt(Some(asked::NAME), Point::Recorded));
    let judged = desk.judge(desk.plan().await);
    let failed = reconcile::engine::apply(&desk.planner(), &desk.writers(), &judged.approved, &Stop::default()).await;
    assert!(failed.is_err());
    assert!(desk.open_intents(listed::NAME).is_empty(), "its answer was waited for");
    desk.points = Arc::new(Unstopped);
    assert_eq!(desk.pass().await.of(listed::NAME), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_may_pass_is_tried_once_more_before_it_is_halved() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=8);
    desk.listed.shelf().later_once = true;
    let pass = desk.pass().await;
    assert!(pass.fates.iter().all(|fate| *fate == Fate::Landed));
    assert_eq!((desk.listed.rows().len(), desk.listed.shelf().requests), (8, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_read_back_when_the_write_has_settled_and_never_repeated_before() {
    let cases = [(Answer::LostAndLanded, 0), (Answer::LandsAfter(Duration::from_secs(25)), 0), (Answer::Lost, 1)];
    for (answer, again) in cases {
        let mut desk = Desk::new();
        only_listed(&mut desk);
        desk.people.hire_all(1..=3);
        desk.listed.shelf().answer = Some(answer);
        let lost = desk.pass().await;
        assert!(lost.told.iter().all(|line| line.ends_with("create: in doubt TOY_TIMEOUT")), "{:?}", lost.told);
        assert_eq!(desk.open_intents(listed::NAME).len(), 3);
        let requests = desk.listed.shelf().requests;
        desk.listed.shelf().answer = None;
        // Also what changes meanwhile waits.
        desk.people.edit(1, d::SURNAME, "Changed meanwhile");
        for _ in 0..2 {
            let early = desk.pass().await;
            assert_eq!(early.changes(), 0, "{answer:?} {:?}", early.told);
            assert_eq!(early.planned.plan.pipelines[listed::NAME].in_doubt.len(), 3);
            wait(Duration::from_secs(10)).await;
        }
        assert_eq!(desk.listed.shelf().requests, requests, "no second write before the first has settled");
        assert_eq!(desk.open_intents(listed::NAME).len(), 3);
        wait(Duration::from_secs(30)).await;
        let settled = desk.pass().await;
        assert!(desk.open_intents(listed::NAME).is_empty());
        let creates = settled.planned.plan.changes.iter().filter(|c| c.action == Action::Create).count();
        assert_eq!(creates, 3 * again, "{answer:?} {:?}", settled.told);
        desk.pass().await;
        assert_eq!(desk.pass().await.changes(), 0);
        let rows = desk.listed.rows();
        assert_eq!(rows.len(), 3, "{answer:?}: no second copy");
        let title = desk.listed.shelf().with(listed::ACCOUNT, listed::TITLE, "Changed meanwhile");
        assert_eq!(title.len(), 1, "{answer:?}: what we made ourselves is no stranger's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_sent_long_after_its_intent_is_in_doubt_from_its_lost_answer() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=3);
    {
        let mut shelf = desk.listed.shelf();
        shelf.held = Duration::from_mins(5);
        shelf.answer = Some(Answer::LandsAfter(Duration::from_secs(25)));
    }
    assert!(desk.pass().await.told.iter().all(|line| line.ends_with("create: in doubt TOY_TIMEOUT")));
    desk.listed.shelf().answer = None;
    let early = desk.pass().await;
    assert_eq!((early.changes(), early.planned.plan.pipelines[listed::NAME].in_doubt.len()), (0, 3));
    assert_eq!((desk.open_intents(listed::NAME).len(), desk.listed.shelf().requests), (3, 1));
    wait(Duration::from_secs(30)).await;
    assert_eq!(desk.pass().await.changes(), 0);
    assert_eq!((desk.listed.rows().len(), desk.open_intents(listed::NAME).len()), (3, 0), "found, not made twice");
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_outcome_is_in_doubt_from_the_first_pass_that_finds_it() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=3);
    desk.listed.shelf().answer = Some(Answer::LandsAfter(Duration::from_secs(80)));
    // The request is at the target, its answer is not back.
    desk.torn_pass(Duration::from_millis(30)).await;
    desk.listed.shelf().answer = None;
    assert_eq!((desk.listed.shelf().requests, desk.open_intents(listed::NAME).len()), (1, 3));
    // Long after the intent; and the first finding counts, not the last.
    wait(Duration::from_mins(1)).await;
    for seconds in [20, 10] {
        let early = desk.pass().await;
        assert_eq!((early.changes(), early.planned.plan.pipelines[listed::NAME].in_doubt.len()), (0, 3));
        wait(Duration::from_secs(seconds)).await;
    }
    let settled = desk.pass().await;
    assert_eq!((settled.changes(), desk.open_intents(listed::NAME).len()), (0, 0), "{:?}", settled.told);
    assert_eq!((desk.listed.rows().len(), desk.listed.shelf().requests), (3, 1), "found, not made twice");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_update_is_settled_too() {
    for answer in [Answer::LostAndLanded, Answer::Lost] {
        let mut desk = Desk::with(1..=3).await;
        only_listed(&mut desk);
        desk.people.edit(1, d::SURNAME, "Changed");
        desk.people.entitle(2, &[]);
        desk.listed.shelf().answer = Some(answer);
        assert!(desk.pass().await.fates.iter().all(|fate| matches!(fate, Fate::InDoubt(_))));
        desk.listed.shelf().answer = None;
        wait(Duration::from_secs(40)).await;
        desk.pass().await;
        assert_eq!(desk.pass().await.changes(), 0);
        assert_eq!(desk.listed.shelf().with(listed::ACCOUNT, listed::TITLE, "Changed").len(), 1);
        assert_eq!(desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user002").standing, Standing::Disabled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_closing_in_doubt_that_landed_is_remembered_as_ours() {
    let mut desk = Desk::with(1..=3).await;
    only_listed(&mut desk);
    desk.people.entitle(2, &[]);
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    desk.listed.shelf().answer = None;
    wait(Duration::from_secs(40)).await;
    desk.pass().await;
    let claims = desk.store.pipeline(listed::NAME).unwrap().claims(listed::ACCOUNT).unwrap();
    assert!(claims[&key(2)].disabled_by_us && !claims[&key(1)].disabled_by_us);
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_landed_in_part_is_finished_by_the_next_pass() {
    for edits in 0..=3 {
        let mut desk = Desk::with(2..=4).await;
        desk.people.hire(1);
        desk.asked.shelf().cut.insert(key(1), edits);
        let pass = desk.pass().await;
        assert_eq!(
            pass.fate(asked::NAME, asked::MEMBER, 1).map(|f| f != "create: landed"),
            Some(edits < 3),
            "{:?}",
            pass.told
        );
        if edits == 0 {
            // Nobody can recognise a record without its code: it is in doubt, then made again.
            continue;
        }
        desk.pipelines = vec![listed::NAME, asked::NAME];
        let next = desk.pass().await;
        assert!(next.fates.iter().all(|fate| *fate == Fate::Landed), "{edits} {:?}", next.told);
        assert_eq!(desk.pass().await.changes(), 0, "{edits}");
        let member = desk.asked.shelf().only(asked::MEMBER, asked::CODE, "code-uhid-001").clone();
        assert_eq!(member.text(asked::LABEL), Some("Surname001"), "{edits}");
        assert!(member.text(asked::TWIN).is_some(), "{edits}");
        assert_eq!(desk.asked.shelf().with(asked::CARD, asked::CODE, "code-uhid-001").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_that_landed_in_part_is_finished_whatever_drift_is_to_be_done_with() {
    let mut desk = Desk::with(1..=3).await;
    desk.settings.drift = reconcile::config::OnDrift::Report;
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.people.edit(1, d::EMAIL, "changed");
    desk.listed.shelf().cut.insert(key(1), 1);
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: failed TOY_CUT"));
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-001 update: landed"]);
    assert_eq!(desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").text(listed::MAIL), Some("changed"));
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_requires_a_failed_change_is_deferred_and_says_by_which() {
    let desk = Desk::new();
    desk.people.hire_all(1..=2);
    desk.listed.shelf().refused.insert(key(1));
    let pass = desk.pass().await;
    assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, 1), Some("create: failed TOY_REJECTED"));
    assert_eq!(pass.fate(asked::NAME, asked::MEMBER, 1), Some("create: deferred"));
    assert_eq!(pass.fate(asked::NAME, asked::CARD, 1), Some("create: deferred"));
    let id = |pipeline, kind| {
        let found = |c: &&reconcile::model::Change| c.pipeline == pipeline && c.kind == kind && c.key == key(1);
        pass.planned.plan.changes.iter().position(|c| found(&c)).unwrap()
    };
    let changes = &pass.planned.plan.changes;
    let account = id(listed::NAME, listed::ACCOUNT);
    let (member, card) = (id(asked::NAME, asked::MEMBER), id(asked::NAME, asked::CARD));
    assert_eq!(pass.fates[member], Fate::Deferred(changes[account].id));
    assert_eq!(pass.fates[card], Fate::Deferred(changes[member].id));
    assert!(changes[member].requires.contains(&changes[account].id), "the plan says so beforehand");
    desk.listed.shelf().refused.clear();
    assert!(desk.pass().await.fates.iter().all(|fate| *fate == Fate::Landed));
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_circle_of_references_is_opened_and_closed_within_one_pass() {
    let desk = Desk::new();
    desk.people.hire_all(1..=4);
    for (n, boss) in [(1, 2), (2, 3), (3, 1), (4, 4)] {
        desk.people.edit(n, d::JOB_CODE, key(boss).as_str());
    }
    let pass = desk.pass().await;
    assert!(pass.fates.iter().all(|fate| *fate == Fate::Landed), "{:#?}", pass.told);
    for (n, boss) in [(1, 2), (2, 3), (3, 1), (4, 4)] {
        let boss = desk.asked.shelf().with(asked::MEMBER, asked::CODE, &asked::code(&key(boss)))[0].to_string();
        let mine = desk.asked.shelf().only(asked::MEMBER, asked::CODE, &asked::code(&key(n))).clone();
        assert_eq!(mine.text(asked::BOSS), Some(boss.as_str()));
    }
    let claims = desk.store.pipeline(asked::NAME).unwrap().claims(asked::MEMBER).unwrap();
    assert!(claims.values().all(|claim| claim.origin == Origin::Created));
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reference_to_nobody_waits_and_is_set_when_somebody_comes() {
    let desk = Desk::with(1..=2).await;
    desk.people.edit(1, d::JOB_CODE, key(9).as_str());
    let waiting = desk.pass().await;
    assert_eq!((waiting.changes(), waiting.planned.plan.pipelines[asked::NAME].waiting), (0, 1));
    desk.people.hire(9);
    let pass = desk.pass().await;
    assert_eq!(pass.fate(asked::NAME, asked::MEMBER, 1), Some("update: landed"));
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_appeared_meanwhile_is_not_made_twice() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=2);
    let planned = desk.plan().await;
    desk.listed.shelf().put(listed::ACCOUNT, Record::new("".into()).with(listed::LOGIN, "user001"));
    let pass = desk.carry_out(planned, &Stop::default()).await;
    assert_eq!(pass.of(listed::NAME), ["account/uhid-001 create: superseded", "account/uhid-002 create: landed"]);
    assert_eq!(desk.listed.shelf().with(listed::ACCOUNT, listed::LOGIN, "user001").len(), 1);
    assert_eq!(desk.pass().await.planned.plan.pipelines[listed::NAME].links.len(), 1, "met in the next pass");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_moved_since_the_plan_is_not_written() {
    let mut desk = Desk::with(1..=3).await;
    only_listed(&mut desk);
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.people.edit(2, d::SURNAME, "Changed too");
    let planned = desk.plan().await;
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").set(listed::MAIL, "by hand".into());
    wait(Duration::from_secs(301)).await;
    let pass = desk.carry_out(planned, &Stop::default()).await;
    assert_eq!(pass.of(listed::NAME), ["account/uhid-001 update: superseded", "account/uhid-002 update: landed"]);
    assert_eq!(
        desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user001").text(listed::TITLE),
        Some("Surname001")
    );
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-001 update: landed"]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_stopped_starts_no_new_write_and_the_next_one_finishes() {
    let desk = Desk::new();
    desk.people.hire_all(1..=20);
    let stop = Stop::default();
    desk.listed.shelf().stop = Some((1, stop.clone()));
    let pass = desk.pass_until(&stop).await;
    let requests = desk.listed.shelf().requests + desk.asked.shelf().requests;
    assert!(requests <= 2, "only what was on its way: {requests}");
    let landed = pass.fates.iter().filter(|fate| **fate == Fate::Landed).count();
    assert_eq!(landed, desk.listed.rows().len());
    let left = |fate: &&Fate| matches!(fate, Fate::Interrupted | Fate::Deferred(_));
    assert_eq!(pass.fates.iter().filter(left).count(), pass.changes() - landed);
    assert!(desk.open_intents(listed::NAME).is_empty() && desk.open_intents(asked::NAME).is_empty());
    desk.listed.shelf().stop = None;
    let next = desk.pass().await;
    assert_eq!(next.changes(), pass.changes() - landed);
    assert!(next.fates.iter().all(|fate| *fate == Fate::Landed));
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_batch_of_many_requests_a_stop_starts_no_new_write() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=3);
    let stop = Stop::default();
    {
        let mut shelf = desk.listed.shelf();
        shelf.one_by_one = true;
        shelf.stop = Some((1, stop.clone()));
    }
    let pass = desk.pass_until(&stop).await;
    assert_eq!(desk.listed.shelf().requests, 1);
    let interrupted = pass.fates.iter().filter(|fate| **fate == Fate::Interrupted).count();
    assert_eq!((pass.changes(), interrupted, desk.listed.rows().len()), (3, 2, 1), "{:?}", pass.told);
    assert!(desk.open_intents(listed::NAME).is_empty(), "what was not sent is not in doubt");
    desk.listed.shelf().stop = None;
    let next = desk.pass().await;
    assert_eq!(next.fates, [Fate::Landed, Fate::Landed]);
}

#[tokio::test(start_paused = true)]
async fn who_is_in_doubt_goes_alone_so_that_nobody_is_held_up_for_ever() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=4);
    desk.listed.shelf().poison.insert(key(2));
    let lost = desk.pass().await;
    assert!(lost.told.iter().all(|line| line.ends_with("create: in doubt TOY_TIMEOUT")), "{:?}", lost.told);
    for left in [1, 1] {
        wait(Duration::from_mins(2)).await;
        let pass = desk.pass().await;
        let doubted = pass.fates.iter().filter(|fate| matches!(fate, Fate::InDoubt(_))).count();
        assert_eq!((doubted, desk.listed.rows().len()), (left, 3), "{:?}", pass.told);
    }
    desk.listed.shelf().poison.clear();
    wait(Duration::from_mins(2)).await;
    desk.pass().await;
    assert_eq!((desk.listed.rows().len(), desk.pass().await.changes()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_back_stays_in_doubt_until_it_can() {
    for mute in [false, true] {
        let mut desk = Desk::with(1..=3).await;
        only_listed(&mut desk);
        desk.people.edit(1, d::SURNAME, "Changed");
        desk.listed.shelf().meddle = Some(Box::new(move |shelf| {
            shelf.mute = mute;
            shelf.blind_after = (!mute).then_some(0);
            if mute {
                let number = shelf.with(listed::ACCOUNT, listed::LOGIN, "user001")[0];
                shelf.vanished.insert(number);
            }
        }));
        assert_eq!(desk.pass().await.told.len(), 1);
        assert_eq!(desk.open_intents(listed::NAME).len(), 1);
        {
            let mut shelf = desk.listed.shelf();
            (shelf.blind_after, shelf.mute) = (None, false);
            shelf.vanished.clear();
        }
        assert_eq!(desk.pass().await.planned.plan.pipelines[listed::NAME].in_doubt, [(listed::ACCOUNT, key(1))]);
        wait(Duration::from_secs(40)).await;
        let settled = desk.pass().await;
        assert_eq!((settled.changes(), desk.open_intents(listed::NAME).len()), (0, 0), "{mute} {:?}", settled.told);
        assert_eq!(desk.pass().await.changes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_record_that_is_shown_late_is_not_made_twice() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=2);
    desk.listed.shelf().shy = Some(Duration::from_secs(20));
    assert!(desk.pass().await.told.iter().all(|line| line.ends_with("in doubt NOT_CONFIRMED")));
    assert_eq!(desk.pass().await.changes(), 0);
    wait(Duration::from_secs(40)).await;
    assert_eq!(desk.pass().await.changes(), 0);
    assert_eq!((desk.listed.rows().len(), desk.open_intents(listed::NAME).len()), (2, 0));
    assert_eq!(desk.claimed(listed::NAME, listed::ACCOUNT), [key(1), key(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_goes_away_is_not_asked_for_every_change() {
    let mut desk = Desk::new();
    only_listed(&mut desk);
    desk.people.hire_all(1..=40);
    let planned = desk.plan().await;
    let reads = desk.listed.shelf().reads;
    desk.listed.shelf().blind_after = Some(0);
    let pass = desk.carry_out(planned, &Stop::default()).await;
    let ends = |word: &str| pass.told.iter().filter(|line| line.ends_with(word)).count();
    let (failed, not_tried) = (ends(" failed TOY_CONNECTION_FAILED"), ends(" not tried TOY_CONNECTION_FAILED"));
    assert!(failed > 0 && not_tried > failed && failed + not_tried == pass.told.len(), "{:?}", pass.told);
    assert!(desk.listed.shelf().reads <= reads + 2, "one look for each batch on its way");
    assert_eq!(desk.listed.shelf().requests, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pass_torn_at_any_point_is_recovered() {
    for tens in 0..24 {
        let desk = Desk::with(1..=2).await;
        desk.people.hire_all(3..=14);
        desk.people.edit(1, d::SURNAME, "Changed");
        desk.people.entitle(2, &[]);
        desk.torn_pass(Duration::from_millis(tens * 10 + 5)).await;
        let mut passes = 0;
        loop {
            wait(Duration::from_secs(40)).await;
            let pass = desk.pass().await;
            assert!(pass.fates.iter().all(|fate| *fate == Fate::Landed), "{tens} {:?}", pass.told);
            if pass.changes() == 0 && pass.planned.plan.pipelines.values().all(|plan| plan.in_doubt.is_empty()) {
                break;
            }
            passes += 1;
            assert!(passes <= 3, "{tens} {:?}", pass.told);
        }
        assert!(desk.open_intents(listed::NAME).is_empty() && desk.open_intents(asked::NAME).is_empty());
        assert_eq!((desk.listed.rows().len(), desk.asked.rows().len()), (14, 2 + 28), "{tens}: nobody twice");
        assert_eq!(desk.listed.shelf().with(listed::ACCOUNT, listed::TITLE, "Changed").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_in_doubt_is_found_also_when_the_person_has_another_name_or_is_gone() {
    for answer in [Answer::LostAndLanded, Answer::Lost] {
        let landed = answer == Answer::LostAndLanded;
        let mut desk = Desk::with(1..=3).await;
        only_listed(&mut desk);
        desk.settings.surplus = OnSurplus::Disable;
        desk.people.hire_all(4..=5);
        desk.listed.shelf().answer = Some(answer);
        desk.pass().await;
        desk.listed.shelf().answer = None;
        desk.people.edit(4, d::USERNAME, "renamed");
        desk.people.let_go(5);
        wait(Duration::from_secs(40)).await;
        let pass = desk.pass().await;
        let closed = ["account/uhid-004 update: landed", "account/uhid-005 disable: landed"];
        let expected = if landed { &closed[..] } else { &["account/uhid-004 create: landed"][..] };
        assert_eq!(pass.of(listed::NAME), expected, "{answer:?}");
        assert_eq!(desk.pass().await.changes(), 0);
        assert!(desk.open_intents(listed::NAME).is_empty());
        assert_eq!(desk.listed.rows().len(), if landed { 5 } else { 4 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_in_doubt_is_not_made_again_by_a_pass_that_asks_for_another_name() {
    let mut desk = Desk::with(1..=3).await;
    only_listed(&mut desk);
    desk.people.hire(4);
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    desk.listed.shelf().answer = None;
    desk.people.edit(4, d::USERNAME, "renamed");
    wait(Duration::from_secs(40)).await;
    // A narrow scope asks by what the person bears now.
    desk.scope = Desk::only([4]);
    for _ in 0..2 {
        let narrow = desk.pass().await;
        assert_eq!((narrow.changes(), desk.listed.rows().len()), (0, 4), "{:?}", narrow.told);
        assert_eq!(narrow.planned.plan.pipelines[listed::NAME].in_doubt, [(listed::ACCOUNT, key(4))]);
    }
    desk.scope = Scope::default();
    assert_eq!(desk.pass().await.told, ["toy-listed/account/uhid-004 update: landed"], "found by its first name");
    assert_eq!((desk.open_intents(listed::NAME).len(), desk.listed.rows().len()), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_creation_in_doubt_that_cannot_be_asked_for_is_told() {
    let desk = Desk::with(1..=3).await;
    desk.people.hire(4);
    desk.asked.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    desk.asked.shelf().answer = None;
    desk.people.let_go(4);
    for _ in 0..2 {
        wait(Duration::from_secs(40)).await;
        assert_eq!(desk.pass().await.planned.plan.pipelines[asked::NAME].in_doubt, [(asked::MEMBER, key(4))]);
    }
    desk.people.hire(4);
    assert!(desk.pass().await.fates.iter().all(|fate| *fate == Fate::Landed));
    assert_eq!((desk.open_intents(asked::NAME).len(), desk.asked.rows().len()), (0, 2 + 8));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_is_not_settled_by_a_pass_that_leaves_the_person_alone() {
    let mut desk = Desk::with(1..=3).await;
    only_listed(&mut desk);
    desk.people.hire(4);
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    desk.listed.shelf().answer = None;
    desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, "user004").set(listed::TITLE, "by hand".into());
    wait(Duration::from_secs(40)).await;
    desk.people.edit(4, d::GIVEN_NAME, "");
    assert_eq!(desk.pass().await.changes(), 0);
    desk.people.edit(4, d::GIVEN_NAME, "Given004");
    assert_eq!(desk.pass().await.told, ["toy-listed/account/uhid-004 update: landed"], "ours, not a stranger's");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_made_after_all_is_ours_whatever_comes_of_the_next_write() {
    let mut desk = Desk::with(1..=3).await;
    only_listed(&mut desk);
    desk.people.hire(4);
    for answer in [Answer::LostAndLanded, Answer::Lost] {
        desk.listed.shelf().answer = Some(answer);
        desk.pass().await;
        wait(Duration::from_secs(40)).await;
        desk.people.entitle(4, &[]);
    }
    desk.listed.shelf().answer = None;
    assert_eq!(desk.pass().await.told, ["toy-listed/account/uhid-004 disable: landed"]);
    assert_eq!(desk.pass().await.changes(), 0);
}
