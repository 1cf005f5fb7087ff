//! Marks of who is in: they say what was confirmed, and nothing that somebody else wrote is taken for it.

use std::time::Duration;

use reconcile::config::{OnDrift, OnSurplus};
use reconcile::engine::Stop;
use reconcile::model::person::directory as d;
use reconcile::model::{Pick, Scope};
use reconcile_state::{Edit, Record, Standing, Value};

use crate::toys::Answer;
use crate::toys::marked::{KIND, NAME as MARKS};
use crate::toys::seated::{ACCOUNT, LOGIN, NAME, SEATS};
use crate::world::{Desk, Fault, ID, Pass, SECOND, SECOND_ID, School, key, wait};

/// What was done to marks.
fn marks(pass: &Pass) -> Vec<&str> {
    pass.of(MARKS)
}

fn line(n: u32, fate: &str) -> String {
    format!("{KIND}/{} update: {fate}", key(n))
}

/// What is listed of marks and not written.
fn listed(pass: &Pass) -> Vec<(String, Vec<String>)> {
    let plan = &pass.planned.plan.pipelines[MARKS];
    let elements = |edits: &[Edit]| {
        edits
            .iter()
            .map(|edit| match edit {
                Edit::Add { element, .. } => format!("+{element}"),
                Edit::Remove { element, .. } => format!("-{element}"),
                other => format!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let findings = plan.findings.iter().map(|finding| (finding.key.to_string(), elements(&finding.differences)));
    let links = plan.links.iter().filter(|link| !link.differences.is_empty());
    findings.chain(links.map(|link| (link.key.to_string(), elements(&link.differences)))).collect()
}

async fn nothing_left(school: &School) {
    let plan = school.plan().await;
    let left: Vec<_> = plan.plan.changes.iter().map(|c| (c.kind, c.key.to_string(), &c.edits)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_requires_all_that_makes_it_true() {
    let school = School::new();
    (1..=3).for_each(|n| school.enrol(n, &["room1/a"]));
    school.enrol(4, &[]);
    let pass = school.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:?}", pass.told);
    let all = &pass.planned.plan.changes;
    for n in 1..=4 {
        let of = |kind: &str| all.iter().find(|change| change.kind == kind && change.key == key(n));
        let mut expected: Vec<_> = [ACCOUNT, SEATS].into_iter().filter_map(of).map(|change| change.id).collect();
        expected.sort_unstable();
        let mut requires = of(KIND).unwrap().requires.clone();
        requires.sort_unstable();
        assert_eq!(requires, expected);
        assert_eq!((school.marks(n), school.id(n)), (vec![NAME.to_owned()], Some(school.number(n).to_string())));
    }
    nothing_left(&school).await;
    assert_eq!(school.pass().await.told, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_marked_before_account_and_seats_were_confirmed() {
    type Mood = fn(&School);
    let moods: [(&str, Mood); 5] = [
        ("failed TOY_NO_SEAT", |school| {
            let _ = school.seated.hall().refused.insert(key(4));
        }),
        ("failed TOY_NO_SEAT", |school| {
            let _ = school.seated.hall().cut.insert(key(4), 1);
        }),
        ("in doubt TOY_TIMEOUT", |school| {
            school.seated.hall().answer = Some(Answer::LandsAfter(Duration::from_secs(9)));
        }),
        ("not converged chairs", |school| {
            let _ = school.seated.hall().drops.insert("room2/b".into());
        }),
        ("in doubt TOY_ROOM_UNREAD", |school| {
            let mut hall = school.seated.hall();
            hall.blind_after = Some(hall.asked.len() + 1);
        }),
    ];
    for (fate, mood) in moods {
        let school = School::with(1..=3).await;
        school.enrol(4, &["room1/a", "room2/b"]);
        mood(&school);
        let pass = school.pass().await;
        assert_eq!(pass.fate(NAME, ACCOUNT, 4), Some("create: landed"));
        assert_eq!(pass.fate(NAME, SEATS, 4), Some(format!("update: {fate}").as_str()));
        assert_eq!(marks(&pass), [line(4, "deferred")]);
        assert_eq!(school.marks(4), [""; 0], "{fate}");
        // While it is not known, or not tried again, there is no opinion.
        let early = school.pass().await;
        if !early.of(NAME).iter().any(|line| line.ends_with("landed")) && early.planned.plan.changes.is_empty() {
            assert_eq!(school.marks(4), [""; 0], "{fate}");
        }
        school.seated.hall().calm();
        wait(Duration::from_mins(11)).await;
        school.pass().await;
        wait(Duration::from_mins(1)).await;
        school.pass().await;
        assert_eq!(school.marks(4), [NAME], "{fate}");
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_does_not_become_what_was_written_is_not_marked() {
    let school = School::with(1..=2).await;
    school.enrol(3, &[]);
    school.seated.shelf().drops.insert(crate::toys::seated::TITLE);
    let pass = school.pass().await;
    assert_eq!(pass.fate(NAME, ACCOUNT, 3), Some("create: not converged title"));
    assert_eq!(marks(&pass), [line(3, "deferred")]);
    assert_eq!(marks(&school.pass().await), [""; 0]);
    school.seated.shelf().drops.clear();
    wait(Duration::from_mins(11)).await;
    school.pass().await;
    assert_eq!(school.marks(3), [NAME]);
}

#[tokio::test(start_paused = true)]
async fn a_mark_goes_after_a_confirmed_close_and_the_id_stays() {
    let school = School::with(1..=6).await;
    (1..=3).for_each(|n| school.people.entitle(n, &[]));
    school.people.edit(4, d::DISABLED, Value::Flag(true));
    school.seated.shelf().refused.insert(key(2));
    let pass = school.pass().await;
    assert_eq!(marks(&pass), [line(1, "landed"), line(2, "deferred"), line(3, "landed"), line(4, "landed")]);
    for (n, left) in [(1, 0), (2, 1), (3, 0), (4, 0)] {
        assert_eq!((school.marks(n).len(), school.id(n)), (left, Some(school.number(n).to_string())));
    }
    school.seated.shelf().refused.clear();
    school.seated.shelf().answer = Some(Answer::LostAndLanded);
    assert_eq!(marks(&school.pass().await), [line(2, "deferred")]);
    assert_eq!(school.marks(2), [NAME], "nobody knows yet");
    school.seated.shelf().answer = None;
    wait(Duration::from_mins(1)).await;
    assert_eq!(marks(&school.pass().await), [line(2, "landed")]);
    assert_eq!(school.marks(2), [""; 0]);
    nothing_left(&school).await;
    // Who returns is marked again.
    school.people.entitle(1, &[NAME]);
    assert_eq!(marks(&school.pass().await), [line(1, "landed")]);
    assert_eq!(school.marks(1), [NAME]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn mark_and_id_go_after_a_confirmed_absence() {
    let school = School::with(1..=6).await;
    let at = (ACCOUNT, school.number(1));
    school.seated.shelf().rows.remove(&at);
    school.people.entitle(1, &[]);
    let pass = school.pass().await;
    assert_eq!(pass.told, [format!("{MARKS}/{}", line(1, "landed"))]);
    assert_eq!((school.marks(1), school.id(1)), (vec![], None));
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn drift_alone_takes_no_mark_away() {
    type Case = (&'static str, fn(&mut School));
    let cases: [Case; 9] = [
        ("closed by hand, reported", |school| {
            school.settings.drift = OnDrift::Report;
            school.stand(1, Standing::Disabled);
        }),
        ("closed by hand, ignored", |school| {
            school.settings.drift = OnDrift::Ignore;
            school.stand(1, Standing::Disabled);
        }),
        ("a seat taken by hand, reported", |school| {
            school.settings.drift = OnDrift::Report;
            school.unseat_by_hand(1, "room1/a");
        }),
        ("a conflict", |school| {
            school.seated.shelf().put(ACCOUNT, Record::new("".into()).with(LOGIN, "user001"));
        }),
        ("a conflict of somebody who lost the entitlement", |school| {
            school.seated.shelf().put(ACCOUNT, Record::new("".into()).with(LOGIN, "user001"));
            school.people.entitle(1, &[]);
        }),
        ("the target is away", |school| {
            school.seated.shelf().away = true;
            school.people.entitle(1, &[]);
        }),
        ("not shown", |school| {
            let numbers: Vec<u64> = (1..=4).map(|n| school.number(n)).collect();
            school.seated.shelf().vanished.extend(numbers);
        }),
        ("a room that cannot be read", |school| {
            let _ = school.seated.hall().unread.insert("room1".into());
        }),
        ("no seat can be read", |school| school.seated.hall().away = true),
    ];
    for (case, happens) in cases {
        let mut school = School::with(1..=6).await;
        happens(&mut school);
        for _ in 0..2 {
            let pass = school.pass().await;
            assert_eq!(marks(&pass), [""; 0], "{case} {:?}", pass.told);
        }
        assert_eq!(school.marks(1), [NAME], "{case}");
        assert!(school.id(1).is_some(), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_closed_by_hand_is_opened_and_its_mark_stays() {
    let school = School::with(1..=3).await;
    school.stand(1, Standing::Disabled);
    let pass = school.pass().await;
    assert_eq!(pass.told, ["toy-seated/account/uhid-001 enable: landed"]);
    assert_eq!(school.marks(1), [NAME]);
    // An account that vanished and is made again has another id.
    let at = (ACCOUNT, school.number(2));
    school.seated.shelf().rows.remove(&at);
    school.seated.hall().seats.retain(|(number, _), _| *number != at.1);
    school.enrol(4, &[]);
    let pass = school.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:?}", pass.told);
    assert_eq!(school.marks(2), [NAME]);
    // That the id in the entry is nobody's any more shows in the next reading.
    assert_eq!(marks(&school.pass().await), [line(2, "landed")]);
    assert_eq!(school.id(2), Some(school.number(2).to_string()));
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_does_not_hold_a_mark_back() {
    let school = School::new();
    school.enrol(1, &["room1/a", "room9/a"]);
    school.enrol(2, &["room9/a"]);
    let pass = school.pass().await;
    assert_eq!(pass.planned.plan.pipelines[NAME].waiting, 2);
    assert_eq!((school.marks(1), school.marks(2)), (vec![NAME.to_owned()], vec![NAME.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn marks_by_another_writer_are_left_and_reported() {
    let school = School::two();
    (1..=4).for_each(|n| school.enrol(n, &["room1/a"]));
    school.pass().await;
    school.mark_by_hand(1, SECOND, true);
    school.mark_by_hand(1, "elsewhere", true);
    for _ in 0..2 {
        let pass = school.pass().await;
        assert_eq!(pass.told, [""; 0]);
        assert_eq!(listed(&pass), [("uhid-001".to_owned(), vec![format!("-{SECOND}")])]);
    }
    assert_eq!(school.marks(1), ["elsewhere", NAME, SECOND]);
    // Ours is put back beside it, and taken away beside it.
    school.mark_by_hand(1, NAME, false);
    assert_eq!(marks(&school.pass().await), [line(1, "landed")]);
    assert_eq!(school.marks(1), ["elsewhere", NAME, SECOND]);
    nothing_left(&school).await;
    school.people.entitle(1, &[]);
    assert_eq!(marks(&school.pass().await), [line(1, "landed")]);
    assert_eq!(school.marks(1), ["elsewhere", SECOND]);
    nothing_left(&school).await;
    // What the target confirms is true whoever wrote it, and goes when it is not true any more.
    school.people.entitle(1, &[NAME, SECOND]);
    school.pass().await;
    school.people.entitle(1, &[NAME]);
    school.pass().await;
    assert_eq!(school.marks(1), ["elsewhere", NAME]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_comes_back_is_left_for_a_day_and_then_taken_away() {
    let school = School::with(1..=4).await;
    school.people.entitle(1, &[]);
    school.pass().await;
    school.mark_by_hand(1, NAME, true);
    for _ in 0..3 {
        let pass = school.pass().await;
        assert_eq!((marks(&pass), listed(&pass).len()), (vec![], 1));
        let finding = &pass.planned.plan.pipelines[MARKS].findings[0];
        assert!(finding.not_before.is_some());
        wait(Duration::from_hours(7)).await;
    }
    wait(Duration::from_hours(7)).await;
    assert_eq!(marks(&school.pass().await), [line(1, "landed")]);
    assert_eq!(school.marks(1), [""; 0]);
    nothing_left(&school).await;
    school.mark_by_hand(1, NAME, true);
    assert_eq!(marks(&school.pass().await), [""; 0], "another day");
}

#[tokio::test(start_paused = true)]
async fn marks_and_ids_that_were_removed_or_changed_by_hand_come_back() {
    let school = School::with(1..=4).await;
    school.mark_by_hand(1, NAME, false);
    school.people.mark(&key(2), &[Edit::Set { attribute: ID, from: None, to: "another".into() }]);
    school.people.mark(&key(3), &[Edit::Clear { attribute: ID, from: "".into() }]);
    let pass = school.pass().await;
    assert_eq!(marks(&pass), [line(1, "landed"), line(2, "landed"), line(3, "landed")]);
    for n in 1..=4 {
        assert_eq!((school.marks(n), school.id(n)), (vec![NAME.to_owned()], Some(school.number(n).to_string())));
    }
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn a_first_meeting_adds_what_is_missing_and_removes_nothing() {
    let school = School::two();
    (1..=4).for_each(|n| school.enrol(n, &[]));
    school.people.entitle(2, &[]);
    school.mark_by_hand(1, SECOND, true);
    school.mark_by_hand(2, NAME, true);
    school.mark_by_hand(3, NAME, true);
    school.mark_by_hand(3, SECOND, true);
    school.people.mark(&key(4), &[Edit::Set { attribute: ID, from: None, to: "another".into() }]);
    let pass = school.pass().await;
    assert_eq!(marks(&pass), [line(1, "landed"), line(3, "landed"), line(4, "landed")]);
    assert_eq!((school.marks(1), school.marks(2)), (vec![NAME.to_owned(), SECOND.to_owned()], vec![NAME.to_owned()]));
    assert_eq!(school.marks(4), [NAME]);
    nothing_left(&school).await;
    let later = school.pass().await;
    let who: Vec<String> = listed(&later).into_iter().map(|(who, _)| who).collect();
    for n in [1, 2, 3, 4] {
        assert!(who.contains(&key(n).to_string()), "{who:?}");
    }
    // Ours are ours from now on.
    school.mark_by_hand(1, NAME, false);
    school.mark_by_hand(3, NAME, false);
    assert_eq!(marks(&school.pass().await), [line(1, "landed"), line(3, "landed")]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn ids_of_accounts_that_are_listed_by_name_are_looked_up_and_written() {
    let school = School::new();
    for n in 1..=3 {
        school.enrol(n, &["room1/a"]);
        let login = format!("user{n:03}");
        let title = format!("Surname{n:03}");
        let account =
            Record::new("".into()).with(LOGIN, login.as_str()).with(crate::toys::seated::TITLE, title.as_str());
        let number = school.seated.shelf().put(ACCOUNT, account);
        school.seated.hall().seat(number, "room1/a", crate::toys::Hand::Manual);
    }
    school.seated.hide_ids();
    school.enrol(4, &["room2/a"]);
    school.pass().await;
    for n in 1..=4 {
        assert_eq!((school.marks(n), school.id(n)), (vec![NAME.to_owned()], Some(school.number(n).to_string())), "{n}");
    }
    nothing_left(&school).await;
    assert_eq!(school.pass().await.told, [""; 0]);
    school.call_for(1, &["room2/b"]);
    school.people.edit(2, d::SURNAME, "Changed");
    let pass = school.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:?}", pass.told);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_is_refused_defers_its_marks_and_no_others() {
    let mut school = School::two();
    (1..=4).for_each(|n| school.enrol(n, &["room1/a"]));
    school.pass().await;
    let mut refusing = school.settings.clone();
    refusing.guard.first_load = false;
    school.special.insert(SECOND, refusing);
    // Somebody who is new at both, and somebody who is new at the second only and left the first.
    school.enrol(5, &["room1/a"]);
    school.people.entitle(5, &[NAME, SECOND]);
    school.people.entitle(1, &[SECOND]);
    let pass = school.pass().await;
    assert_eq!(pass.fate(SECOND, ACCOUNT, 5), Some("create: held refused"));
    assert_eq!(marks(&pass).iter().filter(|line| line.ends_with("deferred")).count(), 2, "{:?}", pass.told);
    for _ in 0..2 {
        school.pass().await;
    }
    assert_eq!((school.marks(5), school.marks(1)), (vec![NAME.to_owned()], vec![]));
    school.special.clear();
    let pass = school.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:?}", pass.told);
    assert_eq!((school.marks(5), school.marks(1)), (vec![NAME.to_owned(), SECOND.to_owned()], vec![SECOND.to_owned()]));
    assert!(school.people.marks(&key(5)).unwrap().text(SECOND_ID).is_some());
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn pending_takes_who_is_entitled_without_a_mark_and_who_was_left_over() {
    let mut school = School::with(1..=9).await;
    let pending = Scope { pick: Pick::Pending, limit: None };
    school.scope = pending.clone();
    assert_eq!(school.plan().await.people, []);
    // Changed is not pending.
    school.people.edit(1, d::SURNAME, "Changed");
    assert_eq!(school.plan().await.people, []);
    school.scope = Scope::default();
    school.people.edit(2, d::SURNAME, "Changed");
    school.call_for(3, &["room2/a"]);
    school.call_for(4, &["room2/b"]);
    school.people.entitle(5, &[]);
    school.seated.shelf().refused.extend([key(2), key(5)]);
    school.seated.hall().refused.insert(key(3));
    school.seated.hall().drops.insert("room2/b".into());
    school.enrol(10, &["room9/a"]);
    school.pass().await;
    school.mark_by_hand(6, NAME, false);
    school.mark_by_hand(7, NAME, false);
    school.people.entitle(7, &[]);
    school.mark_by_hand(8, NAME, false);
    school.people.edit(8, d::DISABLED, Value::Flag(true));
    school.scope = pending.clone();
    // Refused: 2, 3, 5; tried again later: 4; entitled without a mark: 6. Who waits for a room is not pending.
    assert_eq!(school.plan().await.people, [key(2), key(3), key(4), key(5), key(6)]);
    school.seated.shelf().refused.clear();
    school.seated.hall().calm();
    let pass = school.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:?}", pass.told);
    assert_eq!(school.plan().await.people, [key(4)], "not before its time");
    wait(Duration::from_mins(11)).await;
    school.pass().await;
    assert_eq!(school.plan().await.people, []);
    // A write in doubt.
    school.scope = Scope::default();
    school.seated.shelf().answer = Some(Answer::LostAndLanded);
    school.people.edit(9, d::SURNAME, "Changed");
    school.pass().await;
    school.seated.shelf().answer = None;
    school.scope = pending;
    assert!(school.plan().await.people.contains(&key(9)));
}

#[tokio::test(start_paused = true)]
async fn ids_that_stand_there_before_anybody_is_remembered_are_known_at_the_first_look() {
    let mut school = School::with(1..=3).await;
    for pipeline in [NAME, MARKS] {
        school.lose(&format!("claims/{pipeline}.jsonl"));
        school.lose(&format!("{pipeline}.redb"));
    }
    school.lose("claimed");
    let plan = &school.plan().await.plan;
    let told: Vec<_> = plan.pipelines[MARKS].links.iter().map(|link| (&link.key, &link.differences)).collect();
    assert!(told.len() == 3 && told.iter().all(|(_, differences)| differences.is_empty()), "{told:?}");
    let pass = school.pass().await;
    assert_eq!((marks(&pass), listed(&pass).len()), (Vec::new(), 0));
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn adopting_writes_no_mark() {
    let mut school = School::with(1..=3).await;
    school.enrol(4, &[]);
    school.mark_by_hand(1, NAME, false);
    school.adopt = true;
    let before = school.writes();
    assert_eq!((school.pass().await.changes(), school.writes()), (0, before));
    school.adopt = false;
    school.pass().await;
    assert_eq!((school.marks(1), school.marks(4)), (vec![NAME.to_owned()], vec![NAME.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn lost_answers_to_marks_are_read_back_and_a_crash_sets_none_twice() {
    for answer in [Answer::LostAndLanded, Answer::Lost, Answer::LandsAfter(Duration::from_secs(25))] {
        let school = School::with(1..=3).await;
        school.enrol(4, &["room1/a"]);
        school.people.entitle(1, &[]);
        school.marked.moods().answer = Some(answer);
        assert_eq!(marks(&school.pass().await).len(), 2);
        school.marked.moods().answer = None;
        assert_eq!(marks(&school.pass().await), [""; 0]);
        wait(Duration::from_mins(1)).await;
        school.pass().await;
        assert_eq!((school.marks(1), school.marks(4)), (vec![], vec![NAME.to_owned()]));
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_whose_removal_was_in_doubt_is_remembered_as_taken_away() {
    let school = School::with(1..=3).await;
    school.people.entitle(1, &[]);
    school.marked.moods().answer = Some(Answer::LostAndLanded);
    school.pass().await;
    school.marked.moods().answer = None;
    wait(Duration::from_mins(1)).await;
    school.pass().await;
    nothing_left(&school).await;
    school.mark_by_hand(1, NAME, true);
    assert_eq!(marks(&school.pass().await), [""; 0], "it is left for a day");
    wait(Duration::from_hours(25)).await;
    assert_eq!(marks(&school.pass().await), [line(1, "landed")]);
    assert_eq!(school.marks(1), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_is_away_or_refuses_holds_nothing_up() {
    let school = School::with(1..=3).await;
    school.enrol(4, &["room1/a"]);
    school.marked.moods().away = true;
    let pass = school.pass().await;
    assert_eq!((pass.of(NAME).len(), pass.of(MARKS).len()), (2, 0));
    school.marked.moods().away = false;
    school.marked.moods().refused.insert(key(4));
    assert_eq!(marks(&school.pass().await), [line(4, "failed TOY_NO_MARK")]);
    school.marked.moods().refused.clear();
    assert_eq!(marks(&school.pass().await), [line(4, "landed")]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn marks_alone_are_put_right_in_a_narrow_scope_and_nobody_elses() {
    let mut school = School::with(1..=5).await;
    school.mark_by_hand(1, NAME, false);
    school.mark_by_hand(2, NAME, false);
    school.scope = Desk::only([2]);
    assert_eq!(marks(&school.pass().await), [line(2, "landed")]);
    assert_eq!(school.marks(1), [""; 0]);
    school.people.entitle(3, &[]);
    school.scope = Desk::only([3]);
    assert_eq!(marks(&school.pass().await), [line(3, "landed")]);
    assert_eq!(school.marks(3), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_moved_since_the_plan_is_superseded() {
    let school = School::with(1..=3).await;
    school.mark_by_hand(1, NAME, false);
    let planned = school.plan().await;
    wait(Duration::from_mins(6)).await;
    school.mark_by_hand(1, NAME, true);
    let pass = school.carry_out(planned, &Stop::default()).await;
    assert_eq!(marks(&pass), [line(1, "superseded")]);
    nothing_left(&school).await;
    assert_eq!(school.marks(1), [NAME]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_never_closed() {
    let mut school = School::with(1..=4).await;
    school.settings.surplus = OnSurplus::Disable;
    // Taken for gone, while the entry is still there.
    school.people.fault(Fault::HalfMissing);
    let pass = school.pass().await;
    assert_eq!(pass.fate(NAME, ACCOUNT, 2), Some("disable: landed"));
    assert_eq!((marks(&pass), school.marks(2)), (vec![], vec![NAME.to_owned()]));
    school.people.fault(Fault::None);
    assert_eq!(school.pass().await.fate(NAME, ACCOUNT, 2), Some("enable: landed"));
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn each_target_id_is_that_of_its_own_target() {
    let school = School::two();
    school.enrol(1, &[]);
    school.enrol(2, &[]);
    school.people.entitle(2, &[NAME, SECOND]);
    school.pass().await;
    let ids = school.people.marks(&key(2)).unwrap();
    assert_eq!((ids.text(ID), ids.text(SECOND_ID)), (Some("2"), Some("1")));
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_question_for_a_while_is_still_ours_to_take_away() {
    let school = School::two();
    (1..=3).for_each(|n| school.enrol(n, &["room1/a"]));
    school.pass().await;
    school.people.entitle(1, &[]);
    // That somebody is absent at the second can be said meanwhile.
    school.seated.hall().away = true;
    for _ in 0..2 {
        assert_eq!(marks(&school.pass().await), [""; 0]);
    }
    assert_eq!(school.marks(1), [NAME]);
    school.seated.hall().calm();
    assert_eq!(marks(&school.pass().await), [line(1, "landed")]);
    assert_eq!(school.marks(1), [""; 0]);
    nothing_left(&school).await;
    // The same while something else is written.
    school.people.entitle(2, &[SECOND]);
    school.seated.hall().away = true;
    assert_eq!(marks(&school.pass().await), [line(2, "landed")]);
    assert_eq!(school.marks(2), [NAME, SECOND]);
    assert_eq!(school.pass().await.told, [""; 0]);
    school.seated.hall().calm();
    school.pass().await;
    assert_eq!(school.marks(2), [SECOND]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn what_drift_leaves_undone_beside_a_change_makes_nobody_complete() {
    for drift in [OnDrift::Report, OnDrift::Ignore] {
        let mut school = School::with(1..=3).await;
        school.settings.drift = drift;
        school.mark_by_hand(1, NAME, false);
        school.unseat_by_hand(1, "room1/a");
        school.call_for(1, &["room1/a", "room2/a"]);
        let pass = school.pass().await;
        assert_eq!(pass.fate(NAME, SEATS, 1), Some("update: landed"));
        assert_eq!((marks(&pass), school.seats(1)), (vec![], vec!["room2/a".to_owned()]));
        school.settings.drift = OnDrift::Enforce;
        school.pass().await;
        assert_eq!((school.marks(1), school.seats(1).len()), (vec![NAME.to_owned()], 2));
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_no_row_in_the_vault_loses_the_mark_with_the_account() {
    let school = School::with(1..=3).await;
    school.people.drop_row(1);
    school.people.entitle(1, &[]);
    let pass = school.pass().await;
    assert_eq!(pass.fate(NAME, ACCOUNT, 1), Some("disable: landed"));
    assert_eq!(marks(&pass), [line(1, "landed")]);
    assert_eq!(school.marks(1), [""; 0]);
    nothing_left(&school).await;
}

/// Marks of which a service account that lost a right sees nothing.
fn hide(school: &School, hidden: bool) {
    school.marked.moods().hidden = hidden;
}

#[tokio::test(start_paused = true)]
async fn marks_that_all_vanish_at_once_are_a_lost_right_and_nothing_is_written() {
    let mut school = School::with(1..=4).await;
    let before = school.marked.moods().writes;
    hide(&school, true);
    for _ in 0..2 {
        let pass = school.pass().await;
        assert_eq!(
            (pass.doubts(MARKS), marks(&pass)),
            (vec!["attribute-vanished"], vec![]),
            "not once, but until mended"
        );
    }
    school.scope = Desk::only([1]);
    let narrow = school.pass().await;
    assert_eq!(narrow.doubts(MARKS), ["attribute-vanished"], "others are asked for too");
    school.scope = Scope { pick: Pick::Everything, limit: None };
    assert_eq!(school.marked.moods().writes, before);
    hide(&school, false);
    assert_eq!(school.pass().await.doubts(MARKS), [""; 0]);
    nothing_left(&school).await;
    (1..=4).for_each(|n| school.mark_by_hand(n, NAME, false));
    assert_eq!(school.pass().await.doubts(MARKS), ["attribute-vanished"]);
    school.allow.insert("attribute-vanished".into());
    let pass = school.pass().await;
    assert_eq!((pass.doubts(MARKS), marks(&pass).len()), (vec![], 4), "the operator says that it is so");
    school.allow.clear();
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn marks_that_this_program_took_from_everybody_have_not_vanished() {
    let school = School::with(1..=4).await;
    (1..=4).for_each(|n| school.people.entitle(n, &["something else"]));
    let pass = school.pass().await;
    assert!(pass.doubts(MARKS).is_empty() && !marks(&pass).is_empty(), "{:?}", pass.told);
    assert_eq!(school.pass().await.doubts(MARKS), [""; 0]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn two_marks_may_vanish() {
    let school = School::with(1..=2).await;
    (1..=2).for_each(|n| school.mark_by_hand(n, NAME, false));
    let pass = school.pass().await;
    assert!(pass.doubts(MARKS).is_empty());
    assert_eq!(marks(&pass).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_former_account_had_is_not_taken_for_its_successor_s() {
    let mut school = School::two();
    school.settings.guard.shrink.floor = 1000;
    school.seated.hall().tells = false;
    (1..=3).for_each(|n| school.enrol(n, &["room1/a"]));
    school.pass().await;
    school.people.entitle(1, &[]);
    school.pass().await;
    assert!(!school.marks(1).contains(&NAME.to_owned()));
    let number = school.number(1);
    school.seated.shelf().rows.remove(&(ACCOUNT, number));
    school.seated.hall().seats.retain(|(of, _), _| *of != number);
    school.people.entitle(1, &[NAME]);
    school.seated.hall().unread.insert("room1".to_owned());
    school.pass().await;
    assert_eq!((school.seats(1), school.marks(1)), (vec![], vec![]), "nobody knows what is in that room");
    school.seated.hall().unread.clear();
    school.pass().await;
    assert_eq!((school.seats(1), school.marks(1)), (vec!["room1/a".to_owned()], vec![NAME.to_owned()]));
}
