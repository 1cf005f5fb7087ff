//! Parts of records: seats are there with their account, are ours room by room, and are taken from nobody who
//! did not get them from us.

use std::time::Duration;

use reconcile::config::{FirstMeeting, Limit};
use reconcile::engine::Stop;
use reconcile::model::pass::Fate;
use reconcile::model::person::directory as d;
use reconcile::model::{Pick, Scope};
use reconcile_state::{Drift, Key, Record, Standing};

use crate::toys::seated::{ACCOUNT, LOGIN, NAME, SEATS};
use crate::toys::{Answer, Hand};
use crate::world::{Desk, Fault, Pass, School, key, wait};

/// What was done to seats.
fn seats(pass: &Pass) -> Vec<&str> {
    pass.of(NAME).into_iter().filter_map(|line| line.strip_prefix("seats/")).collect()
}

fn landed(n: u32) -> String {
    format!("{} update: landed", key(n))
}

async fn nothing_left(school: &School) {
    let plan = school.plan().await;
    let left: Vec<_> = plan.plan.changes.iter().map(|c| (c.kind, c.key.to_string(), &c.edits)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Both ways of reading, each with a school of its own.
async fn both(people: u32) -> [School; 2] {
    let telling = School::with(1..=people).await;
    let silent = School::new();
    silent.seated.hall().tells = false;
    (1..=people).for_each(|n| silent.enrol(n, &["room1/a"]));
    silent.pass().await;
    [telling, silent]
}

#[tokio::test(start_paused = true)]
async fn an_account_made_by_us_gets_its_seats_in_the_same_pass() {
    for tells in [true, false] {
        let school = School::new();
        school.seated.hall().tells = tells;
        (1..=3).for_each(|n| school.enrol(n, &["room1/a", "room2/b", "hall1/c"]));
        let pass = school.pass().await;
        assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:?}", pass.told);
        assert_eq!(school.seats(2), ["room1/a", "room2/b"], "a hall is never ours");
        for change in pass.planned.plan.changes.iter().filter(|change| change.kind == SEATS) {
            let account = pass.planned.plan.changes.iter().find(|c| c.kind == ACCOUNT && c.key == change.key).unwrap();
            assert_eq!(change.requires, [account.id]);
        }
        assert_eq!(school.seated.hall().requests, 1, "many people share one request");
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn planning_writes_nothing_and_a_pass_right_after_a_pass_does_nothing() {
    for school in both(4).await {
        let before = school.writes();
        assert_eq!((school.pass().await.told, school.writes()), (vec![], before));
        school.enrol(5, &["room2/a"]);
        school.call_for(1, &["room3/a"]);
        let planned = school.plan().await;
        assert_eq!((planned.plan.changes.len(), school.writes()), (4, before), "two of the new one, seats, marks");
        school.pass().await;
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_neither_change_nor_failure_and_becomes_a_change_when_its_room_is_there() {
    for school in both(3).await {
        school.call_for(2, &["room1/a", "room9/a"]);
        let pass = school.pass().await;
        assert_eq!(pass.told, [""; 0]);
        assert_eq!(pass.planned.plan.pipelines[NAME].waiting, 1);
        let plan = &pass.planned.plan.pipelines[NAME];
        assert_eq!((plan.drift[&Drift::InSync], plan.parts[SEATS].drift[&Drift::InSync]), (3, 3));
        school.seated.hall().open(&["room9"]);
        assert_eq!(seats(&school.pass().await), [landed(2)]);
        assert_eq!(school.seats(2), ["room1/a", "room9/a"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn changed_comes_back_for_what_waited() {
    let mut school = School::with(1..=3).await;
    school.call_for(2, &["room1/a", "room9/a"]);
    school.pass().await;
    school.scope = Scope { pick: Pick::Changed, limit: None };
    assert_eq!(school.plan().await.people, [key(2)]);
    school.seated.hall().open(&["room9"]);
    assert_eq!(seats(&school.pass().await), [landed(2)]);
    assert_eq!(school.plan().await.people, []);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_vanishes_removes_nothing() {
    for school in both(3).await {
        school.seated.hall().rooms.remove("room1");
        let before = school.writes();
        let pass = school.pass().await;
        assert_eq!((pass.told.len(), pass.planned.plan.pipelines[NAME].waiting), (0, 3));
        school.pass().await;
        assert_eq!(school.writes(), before);
        school.seated.hall().open(&["room1"]);
        nothing_left(&school).await;
        school.seated.hall().demolish("room1");
        school.pass().await;
        school.seated.hall().open(&["room1"]);
        assert_eq!(seats(&school.pass().await).len(), 3, "a new room of the same name");
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_we_gave_in_a_room_that_vanished_for_a_while_is_still_ours() {
    for school in both(3).await {
        school.seat_by_hand(2, "room1/b", Hand::Theirs);
        school.seated.hall().rooms.remove("room1");
        let before = school.writes();
        school.pass().await;
        // Whoever is called for in no room any more meanwhile, and whoever changes elsewhere.
        school.call_for(1, &[]);
        school.call_for(2, &["room1/a", "room2/a"]);
        assert_eq!(seats(&school.pass().await), [landed(2)]);
        assert_eq!(school.writes(), before + 1);
        nothing_left(&school).await;
        school.seated.hall().open(&["room1"]);
        assert_eq!(seats(&school.pass().await), [landed(1)]);
        assert_eq!(school.seats(1), [""; 0]);
        school.call_for(2, &[]);
        school.pass().await;
        assert_eq!(school.seats(2), ["room1/b"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_we_gave_and_nobody_heard_of_is_still_ours() {
    for school in both(3).await {
        school.seat_by_hand(1, "room2/b", Hand::Theirs);
        school.call_for(1, &["room1/a", "room2/a", "room2/b"]);
        let judged = school.judge(school.plan().await);
        {
            let mut hall = school.seated.hall();
            (hall.answer, hall.blind_after) = (Some(Answer::LostAndLanded), Some(hall.asked.len() + 1));
        }
        school.apply(&judged.approved, &Stop::default()).await;
        school.seated.hall().calm();
        assert_eq!(school.open_intents(NAME).len(), 1, "nobody heard what came of it");
        wait(Duration::from_hours(1)).await;
        school.call_for(1, &[]);
        school.pass().await;
        school.pass().await;
        assert_eq!(school.seats(1), ["room2/b"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_room_that_cannot_be_read_nothing_is_written_and_everywhere_else_everything_is() {
    for mut school in both(4).await {
        (2..=4).for_each(|n| school.call_for(n, &["room1/a", "room2/a"]));
        school.pass().await;
        school.seated.hall().unread.insert("room2".into());
        school.call_for(1, &["room1/b", "room2/b"]);
        school.call_for(2, &["room1/a"]);
        school.unseat_by_hand(3, "room2/a");
        let pass = school.pass().await;
        assert_eq!(pass.doubts(NAME), ["parts-unread"]);
        assert_eq!(seats(&pass), [landed(1)]);
        assert_eq!(school.seats(1), ["room1/b"]);
        let again = school.pass().await;
        assert_eq!(seats(&again), [""; 0], "nothing that could be done is left");
        school.seated.hall().unread.clear();
        let everybody = std::mem::replace(&mut school.scope, Scope { pick: Pick::Changed, limit: None });
        assert_eq!(school.plan().await.people, [key(1), key(2)], "who is left is due");
        school.scope = everybody;
        assert_eq!(seats(&school.pass().await), [landed(1), landed(2), landed(3)], "and nobody where nothing moved");
        assert_eq!(school.seats(1), ["room1/b", "room2/b"]);
        assert_eq!((school.seats(2), school.seats(3).len()), (vec!["room1/a".to_owned()], 2));
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_seat_can_be_read_accounts_go_on_and_whoever_is_new_gets_theirs_later() {
    for (at, mut school) in both(3).await.into_iter().enumerate() {
        if at == 0 {
            school.seated.hall().away = true;
        } else {
            school.seated.hall().endless = true;
        }
        school.enrol(4, &["room2/a"]);
        school.call_for(1, &["room2/b"]);
        school.people.edit(2, d::SURNAME, "Changed");
        let pass = school.pass().await;
        assert_eq!(pass.of(NAME), ["account/uhid-002 update: landed", "account/uhid-004 create: landed"]);
        assert_eq!(pass.doubts(NAME), [if at == 0 { "parts-unread" } else { "listing-incomplete" }]);
        school.seated.hall().calm();
        school.scope = Scope { pick: Pick::Changed, limit: None };
        assert_eq!(seats(&school.pass().await), [landed(1), landed(4)]);
        assert_eq!((school.seats(1), school.seats(4)), (vec!["room2/b".to_owned()], vec!["room2/a".to_owned()]));
        school.scope = Scope::default();
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn seats_by_another_hand_satisfy_a_desire_and_are_never_removed() {
    for school in both(3).await {
        school.seat_by_hand(1, "room2/b", Hand::Theirs);
        school.seat_by_hand(2, "room2/b", Hand::Theirs);
        nothing_left(&school).await;
        school.call_for(1, &["room1/a", "room2/b"]);
        assert_eq!(school.pass().await.told, [""; 0], "it is there already");
        // Whatever else is written beside it.
        school.call_for(1, &["room1/a", "room2/b", "room3/c"]);
        assert_eq!(seats(&school.pass().await), [landed(1)]);
        school.call_for(1, &["room3/c"]);
        assert_eq!(seats(&school.pass().await), [landed(1)]);
        assert_eq!(school.seats(1), ["room2/b", "room3/c"]);
        school.call_for(1, &[]);
        school.pass().await;
        assert_eq!((school.seats(1), school.seats(2).len()), (vec!["room2/b".to_owned()], 2));
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn seats_given_in_our_way_go_and_without_a_telling_reader_only_those_we_gave() {
    let [telling, silent] = both(3).await;
    for school in [&telling, &silent] {
        school.seat_by_hand(1, "room2/b", Hand::Manual);
        school.seat_by_hand(1, "hall1/b", Hand::Manual);
        school.call_for(2, &[]);
    }
    assert_eq!(seats(&telling.pass().await), [landed(1), landed(2)]);
    assert_eq!((telling.seats(1), telling.seats(2)), (vec!["hall1/b".to_owned(), "room1/a".to_owned()], vec![]));
    let pass = silent.pass().await;
    assert_eq!(seats(&pass), [landed(2)]);
    assert_eq!((silent.seats(1).len(), silent.seats(2).len()), (3, 0));
    assert_eq!(pass.planned.plan.pipelines[NAME].strangers, 1, "in a room that is never ours");
    nothing_left(&telling).await;
    nothing_left(&silent).await;
}

#[tokio::test(start_paused = true)]
async fn what_no_setting_knows_is_counted_for_whoever_is_called_for() {
    let school = School::with(1..=4).await;
    (1..=3).for_each(|n| school.call_for(n, &["room1/a", "which room?"]));
    school.call_for(4, &["room1/a", "which room?", "what?"]);
    school.people.entitle(3, &[]);
    let pass = school.pass().await;
    let counted = [("which room?", 3), ("what?", 1)].map(|(why, count)| (why.to_owned(), count));
    assert_eq!(pass.planned.plan.pipelines[NAME].left_out, counted.into());
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_by_hand_comes_back() {
    for school in both(3).await {
        school.call_for(1, &["room1/a", "room2/a"]);
        school.pass().await;
        school.unseat_by_hand(1, "room1/a");
        school.unseat_by_hand(3, "room1/a");
        let pass = school.pass().await;
        assert_eq!(seats(&pass), [landed(1), landed(3)]);
        assert!(pass.planned.plan.changes.iter().all(|change| change.drift == Drift::Drifted && change.again == 1));
        assert_eq!((school.seats(1).len(), school.seats(3).len()), (2, 1));
        nothing_left(&school).await;
        // What we put there again is ours as before.
        school.call_for(3, &[]);
        school.pass().await;
        assert_eq!(school.seats(3), [""; 0]);
    }
}

/// People who have an account already, opened by somebody, with one seat called for and one not.
fn met(tells: bool) -> School {
    let school = School::new();
    for n in 1..=2 {
        school.enrol(n, &["room1/a", "room2/a"]);
        let login = format!("user{n:03}");
        let account = Record::new("".into()).with(LOGIN, login.as_str());
        let number = school.seated.shelf().put(ACCOUNT, account);
        let mut hall = school.seated.hall();
        hall.tells = tells;
        hall.seat(number, "room1/a", Hand::Manual);
        hall.seat(number, "room3/z", Hand::Manual);
    }
    school
}

#[tokio::test(start_paused = true)]
async fn a_first_meeting_lists_the_seats_that_differ_and_writes_none() {
    for tells in [true, false] {
        let school = met(tells);
        let pass = school.pass().await;
        assert_eq!(seats(&pass), [""; 0]);
        let links = pass.planned.plan.pipelines[NAME].links.iter().filter(|link| link.kind == SEATS);
        let differences: Vec<usize> = links.map(|link| link.differences.len()).collect();
        assert_eq!(differences, [if tells { 2 } else { 1 }; 2]);
        nothing_left(&school).await;
        assert_eq!(school.seats(1), ["room1/a", "room3/z"]);
        // What the sources move from now on is written.
        school.call_for(1, &["room1/a", "room2/a", "room2/c"]);
        assert_eq!(seats(&school.pass().await), [landed(1)]);
        assert_eq!(school.seats(1), ["room1/a", "room2/c", "room3/z"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_was_only_listed_is_whoevers_who_gives_it() {
    for written_between in [false, true] {
        let school = met(false);
        school.pass().await;
        if written_between {
            school.call_for(1, &["room1/a", "room2/a", "room2/c"]);
            assert_eq!(seats(&school.pass().await), [landed(1)]);
        }
        school.seat_by_hand(1, "room2/a", Hand::Theirs);
        school.pass().await;
        school.call_for(1, &[]);
        school.pass().await;
        assert_eq!(school.seats(1), ["room1/a", "room2/a", "room3/z"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whose_a_seat_is_outlasts_a_room_that_cannot_be_read() {
    for school in both(3).await {
        school.seat_by_hand(1, "room2/b", Hand::Theirs);
        school.call_for(1, &["room1/a", "room2/b"]);
        school.pass().await;
        school.seated.hall().unread.insert("room2".into());
        for chairs in [["room1/b"].as_slice(), &["room1/b", "room2/b"], &["room1/b"]] {
            school.call_for(1, chairs);
            school.pass().await;
        }
        school.seated.hall().calm();
        school.pass().await;
        assert_eq!(school.seats(1), ["room1/b", "room2/b"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_listed_stays_listed_while_its_room_cannot_be_read() {
    let school = met(true);
    school.pass().await;
    school.seated.hall().unread.insert("room2".into());
    school.pass().await;
    assert_eq!(school.marks(1), [""; 0]);
    school.seated.hall().calm();
    let pass = school.pass().await;
    let links = pass.planned.plan.pipelines[NAME].links.iter().filter(|link| link.kind == SEATS);
    assert_eq!(links.map(|link| link.differences.len()).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(school.marks(1), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_enforced_first_meeting_puts_the_seats_right() {
    for (tells, after) in [(true, vec!["room1/a", "room2/a"]), (false, vec!["room1/a", "room2/a", "room3/z"])] {
        let mut school = met(tells);
        school.settings.first_meeting = FirstMeeting::Enforce;
        assert_eq!(seats(&school.pass().await), [landed(1), landed(2)]);
        assert_eq!(school.seats(2), after);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn seats_and_marks_of_an_account_that_was_refused_are_deferred() {
    let school = School::with(1..=3).await;
    school.enrol(4, &["room2/a"]);
    school.enrol(5, &["room2/a"]);
    school.seated.shelf().refused.insert(key(4));
    let pass = school.pass().await;
    assert_eq!(pass.fate(NAME, ACCOUNT, 4), Some("create: failed TOY_REJECTED"));
    assert_eq!(pass.fate(NAME, SEATS, 4), Some("update: deferred"));
    assert_eq!(pass.fate("toy-marks", "marks", 4), Some("update: deferred"));
    assert_eq!(pass.fate("toy-marks", "marks", 5), Some("update: landed"));
    school.seated.shelf().refused.clear();
    assert!(school.pass().await.told.iter().all(|line| line.ends_with("landed")));
    assert_eq!(school.seats(4), ["room2/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_account_keeps_its_seats_and_they_are_put_right_when_it_returns() {
    for school in both(3).await {
        school.call_for(1, &["room1/a", "room2/a"]);
        school.pass().await;
        school.people.entitle(1, &[]);
        school.call_for(1, &["room3/c"]);
        let pass = school.pass().await;
        assert_eq!((seats(&pass), pass.fate(NAME, ACCOUNT, 1)), (vec![], Some("disable: landed")));
        school.unseat_by_hand(1, "room1/a");
        assert_eq!(school.pass().await.told, [""; 0]);
        assert_eq!(school.seats(1), ["room2/a"]);
        school.people.entitle(1, &[NAME]);
        school.call_for(1, &["room1/a", "room3/c"]);
        let back = school.pass().await;
        assert!(back.told.iter().all(|line| line.ends_with("landed")), "{:?}", back.told);
        assert_eq!(school.seats(1), ["room1/a", "room3/c"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_closed_by_hand_and_left_so_keeps_its_seats_untouched() {
    let mut school = School::with(1..=3).await;
    school.settings.drift = reconcile::config::OnDrift::Report;
    school.stand(1, Standing::Disabled);
    school.call_for(1, &["room2/a"]);
    let pass = school.pass().await;
    assert_eq!(seats(&pass), [""; 0]);
    assert_eq!(school.seats(1), ["room1/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_says_what_it_leaves_different_beside_what_it_writes() {
    let mut school = School::with(1..=3).await;
    school.settings.drift = reconcile::config::OnDrift::Report;
    school.unseat_by_hand(1, "room1/a");
    school.call_for(1, &["room1/a", "room1/b"]);
    school.seat_by_hand(2, "room1/b", Hand::Manual);
    school.call_for(2, &[]);
    let pass = school.pass().await;
    let (attribute, element) = (crate::toys::seated::CHAIRS, |seat: &str| seat.to_owned());
    let of = |n: u32| {
        let change = pass.planned.plan.changes.iter().find(|c| c.kind == SEATS && c.key == key(n)).unwrap();
        (change.edits.clone(), change.left.clone())
    };
    let (add, remove) = (
        |seat: &str| reconcile_state::Edit::Add { attribute, element: element(seat) },
        |seat: &str| reconcile_state::Edit::Remove { attribute, element: element(seat) },
    );
    assert_eq!(of(1), (vec![add("room1/b")], vec![add("room1/a")]));
    assert_eq!(of(2), (vec![remove("room1/a")], vec![remove("room1/b")]));
    assert_eq!((school.seats(1), school.seats(2)), (vec!["room1/b".to_owned()], vec!["room1/b".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn who_has_no_row_in_the_vault_loses_nothing() {
    let school = School::with(1..=3).await;
    school.people.drop_row(1);
    school.call_for(1, &["room2/a"]);
    let pass = school.pass().await;
    assert_eq!(seats(&pass), [landed(1)]);
    assert_eq!(school.seats(1), ["room1/a", "room2/a"]);
    let plan = school.plan().await;
    assert_eq!(plan.plan.changes.len(), 0);
    school.people.hire(1);
    school.people.entitle(1, &[NAME]);
    school.call_for(1, &["room2/a"]);
    assert_eq!(seats(&school.pass().await), [landed(1)]);
    assert_eq!(school.seats(1), ["room2/a"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_or_half_loaded_table_takes_no_seat_while_accounts_go_on() {
    for rows in [0, 40] {
        let school = School::new();
        school.people.table("mv_enrolment", 100);
        school.people.table("mv_person", 6);
        (1..=6).for_each(|n| school.enrol(n, &["room1/a", "room2/a"]));
        school.pass().await;
        school.people.table("mv_enrolment", rows);
        (1..=6).for_each(|n| school.call_for(n, &["room2/a"]));
        school.people.edit(1, d::SURNAME, "Changed");
        school.people.entitle(2, &[]);
        school.enrol(7, &["room2/a"]);
        let pass = school.pass().await;
        assert_eq!(pass.source_doubts(), ["attribute-shrunk"]);
        assert_eq!(pass.fate(NAME, ACCOUNT, 1), Some("update: landed"));
        assert_eq!(pass.fate(NAME, ACCOUNT, 2), Some("disable: landed"));
        assert_eq!(pass.fate(NAME, ACCOUNT, 7), Some("create: landed"));
        assert!(seats(&pass).iter().all(|line| line.ends_with("held untrusted-source")), "{:?}", pass.told);
        assert_eq!(school.seats(3), ["room1/a", "room2/a"]);
        // What somebody took away is still put back.
        school.unseat_by_hand(5, "room2/a");
        school.call_for(5, &["room1/a", "room2/a"]);
        assert_eq!(school.pass().await.fate(NAME, SEATS, 5), Some("update: landed"));
        school.people.table("mv_enrolment", 120);
        let after = school.pass().await;
        assert!(after.told.iter().all(|line| line.ends_with("landed")), "{:?}", after.told);
        assert_eq!(school.seats(3), ["room2/a"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_table_lacks_does_not_stand_for_everybody_not_being_known() {
    for table in ["mv_enrolment", "mv_person"] {
        let mut school = School::new();
        ["mv_enrolment", "mv_person"].into_iter().for_each(|table| school.people.table(table, 100));
        (1..=6).for_each(|n| school.enrol(n, &["room1/a"]));
        // The directory was never read whole, the vault was.
        school.people.fault(Fault::Midway);
        school.pass().await;
        let before = (school.seats(1), school.marks(1));
        assert!(!before.0.is_empty() && !before.1.is_empty());
        school.people.fault(Fault::None);
        school.people.table(table, 40);
        school.people.entitle(1, &[]);
        school.call_for(2, &[]);
        school.scope = Desk::only([1, 2]);
        let pass = school.pass().await;
        assert_eq!(pass.source_doubts(), ["everybody-unknown", "attribute-shrunk"]);
        assert_eq!(pass.fate(NAME, ACCOUNT, 1), Some("disable: held untrusted-source"), "{table}");
        assert_eq!(pass.fate(NAME, SEATS, 2), Some("update: held untrusted-source"), "{table}");
        assert_eq!((school.seats(1), school.marks(1)), before, "{table} {:?}", pass.told);
    }
}

fn limit(number: u64) -> Limit {
    Limit { number: Some(number), percent: None }
}

fn trips(pass: &Pass) -> Vec<(&str, u64)> {
    pass.judged.verdicts[NAME].trips.iter().map(|trip| (trip.rule, trip.count)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rule_over_elements_that_trips_writes_nothing_until_it_is_allowed() {
    type Case = (&'static str, u64, fn(&mut School));
    let cases: [Case; 5] = [
        ("additions", 8, |school| {
            school.settings.guard.additions = limit(7);
            (1..=4).for_each(|n| school.call_for(n, &["room1/a", "room2/a", "room2/b"]));
        }),
        ("lost-elements", 4, |school| {
            school.settings.guard.lost_elements = limit(3);
            (1..=4).for_each(|n| school.unseat_by_hand(n, "room1/a"));
        }),
        ("removals", 4, |school| {
            school.settings.guard.removals = limit(3);
            (1..=4).for_each(|n| school.call_for(n, &[]));
        }),
        ("removals-people", 4, |school| {
            school.settings.guard.removals_people = limit(3);
            (1..=4).for_each(|n| school.call_for(n, &[]));
        }),
        ("removals-within", 4, |school| {
            school.settings.guard.removals_within = limit(3);
            school.settings.guard.within_floor = 6;
            (1..=4).for_each(|n| school.call_for(n, &[]));
        }),
    ];
    for (rule, count, happens) in cases {
        let mut school = School::with(1..=6).await;
        happens(&mut school);
        let before = school.writes();
        let pass = school.pass().await;
        assert_eq!(trips(&pass), [(rule, count)]);
        assert_eq!(school.writes(), before, "{rule}");
        school.allow.insert(rule.to_owned());
        let allowed = school.pass().await;
        assert!(allowed.told.iter().all(|line| line.ends_with("landed")), "{rule} {:?}", allowed.told);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_of_few_is_not_judged_by_itself_and_shares_are_of_what_there_is() {
    let mut school = School::with(1..=6).await;
    school.settings.guard.removals_within = Limit { number: None, percent: Some(50) };
    (1..=4).for_each(|n| school.call_for(n, &[]));
    let planned = school.plan().await;
    assert!(school.judge(planned).verdicts[NAME].passes(), "under the floor of thirty");
    school.settings.guard.within_floor = 6;
    let planned = school.plan().await;
    assert_eq!(planned.pipelines[0].elements[SEATS]["room1"], 6);
    assert_eq!(school.judge(planned).verdicts[NAME].trips[0].rule, "removals-within");
    // In a narrow scope the share is of what the last whole reading showed.
    school.scope = crate::world::Desk::only([1, 2, 3]);
    let planned = school.plan().await;
    assert_eq!(planned.pipelines[0].elements[SEATS]["room1"], 6);
    assert!(school.judge(planned).verdicts[NAME].passes(), "three of six");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_has_shrunk_is_judged_by_what_is_left_in_it() {
    let mut school = School::with(1..=12).await;
    (5..=12).for_each(|n| school.call_for(n, &[]));
    let base = |pass: &Pass| pass.planned.pipelines[0].elements[SEATS]["room1"];
    assert_eq!(base(&school.pass().await), 12);
    school.settings.guard.within_floor = 4;
    school.settings.guard.removals_within = Limit { number: None, percent: Some(30) };
    (1..=2).for_each(|n| school.call_for(n, &[]));
    let refused = school.pass().await;
    assert_eq!((base(&refused), refused.judged.verdicts[NAME].trips[0].rule), (4, "removals-within"));
    (1..=2).for_each(|n| school.call_for(n, &["room1/a"]));
    assert_eq!(base(&school.pass().await), 4);
    // Of a narrow scope the last whole reading is the measure.
    (1..=2).for_each(|n| school.call_for(n, &[]));
    school.scope = crate::world::Desk::only([1, 2]);
    let refused = school.pass().await;
    assert_eq!((base(&refused), refused.judged.verdicts[NAME].trips[0].rule), (4, "removals-within"));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_no_part_of_what_removals_are_a_share_of() {
    let school = School::with(1..=6).await;
    (1..=6).for_each(|n| school.call_for(n, &["room1/a", "room8/a", "room9/a"]));
    let planned = school.plan().await;
    assert_eq!(planned.plan.pipelines[NAME].waiting, 12);
    assert_eq!(planned.pipelines[0].elements[SEATS], [("room1".to_owned(), 6)].into());
}

#[tokio::test(start_paused = true)]
async fn seats_of_an_account_that_took_the_place_of_ours_were_not_given_by_us() {
    for tells in [true, false] {
        let mut school = School::new();
        school.seated.hall().tells = tells;
        (1..=3).for_each(|n| school.enrol(n, &["room1/a"]));
        school.pass().await;
        school.settings.first_meeting = FirstMeeting::Enforce;
        let ours = school.number(1);
        let account = school.seated.shelf().rows.remove(&(ACCOUNT, ours)).unwrap();
        school.seated.hall().unseat(ours, "room1/a");
        school.seated.shelf().put(ACCOUNT, account);
        school.seat_by_hand(1, "room1/a", Hand::Theirs);
        school.call_for(1, &[]);
        school.pass().await;
        // The target id follows once the new account is known.
        school.pass().await;
        assert_eq!(school.seats(1), ["room1/a"], "tells: {tells}");
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_gives_nothing_twice_and_loses_nothing() {
    for tells in [true, false] {
        for millis in (0..400).step_by(20) {
            let school = School::new();
            school.seated.hall().tells = tells;
            (1..=20).for_each(|n| school.enrol(n, &["room1/a", "room2/b"]));
            school.torn_pass(Duration::from_millis(millis)).await;
            let planned = school.plan().await;
            school.carry_out(planned, &Stop::default()).await;
            wait(Duration::from_mins(1)).await;
            school.pass().await;
            for n in 1..=20 {
                assert_eq!(school.seats(n), ["room1/a", "room2/b"], "{millis} {n}");
                assert_eq!(school.marks(n), [NAME], "{millis} {n}");
            }
            nothing_left(&school).await;
            assert!(school.open_intents(NAME).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_are_read_back_when_they_have_settled_and_nothing_is_given_twice() {
    for answer in [Answer::LostAndLanded, Answer::Lost, Answer::LandsAfter(Duration::from_secs(25))] {
        for school in both(3).await {
            school.call_for(1, &["room1/a", "room2/b"]);
            school.call_for(2, &["room3/c"]);
            school.seated.hall().answer = Some(answer);
            let lost = school.pass().await;
            assert!(seats(&lost).iter().all(|line| line.ends_with("in doubt TOY_TIMEOUT")), "{:?}", lost.told);
            school.seated.hall().answer = None;
            let early = school.pass().await;
            assert_eq!(seats(&early), [""; 0], "not while it may still land");
            let in_doubt: Vec<Key> = early.planned.plan.pipelines[NAME].doubted().cloned().collect();
            assert_eq!(in_doubt, [key(1), key(2)]);
            wait(Duration::from_secs(40)).await;
            school.pass().await;
            assert_eq!((school.seats(1).len(), school.seats(2)), (2, vec!["room3/c".to_owned()]), "{answer:?}");
            nothing_left(&school).await;
            assert!(school.open_intents(NAME).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn seats_that_moved_between_plan_and_apply_are_superseded() {
    for school in both(4).await {
        school.call_for(1, &["room1/a", "room2/b"]);
        school.call_for(2, &["room1/a", "room2/b"]);
        let planned = school.plan().await;
        wait(Duration::from_mins(6)).await;
        school.seat_by_hand(1, "room2/b", Hand::Manual);
        // What we neither know nor call for is no reason to hold anything back where the reader tells nothing.
        school.seat_by_hand(3, "room2/b", Hand::Manual);
        let pass = school.carry_out(planned, &Stop::default()).await;
        assert_eq!(seats(&pass), ["uhid-001 update: superseded", "uhid-002 update: landed"]);
        school.pass().await;
        nothing_left(&school).await;
        assert_eq!(school.seats(1), ["room1/a", "room2/b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_read_makes_nothing_look_moved() {
    for school in both(4).await {
        (1..=4).for_each(|n| school.call_for(n, &["room1/a", "room2/a"]));
        school.pass().await;
        school.seated.hall().unread.insert("room2".into());
        school.call_for(1, &["room1/b", "room2/a"]);
        let planned = school.plan().await;
        wait(Duration::from_mins(6)).await;
        assert_eq!(seats(&school.carry_out(planned, &Stop::default()).await), [landed(1)]);
        assert_eq!(school.pass().await.told, [""; 0]);
        school.seated.hall().calm();
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_batch_is_halved_and_one_refusal_is_one_persons() {
    let school = School::with(1..=8).await;
    (1..=8).for_each(|n| school.call_for(n, &["room1/a", "room2/b"]));
    school.seated.hall().bad.insert(key(5));
    let before = school.seated.hall().requests;
    let pass = school.pass().await;
    let failed: Vec<&str> = seats(&pass).into_iter().filter(|line| !line.ends_with("landed")).collect();
    assert_eq!(failed, ["uhid-005 update: failed TOY_NO_SEAT"]);
    assert_eq!(school.seated.hall().requests - before, 7);
    school.seated.hall().calm();
    school.seated.hall().refused.insert(key(5));
    assert_eq!(seats(&school.pass().await), ["uhid-005 update: failed TOY_NO_SEAT"]);
    school.seated.hall().calm();
    assert_eq!(seats(&school.pass().await), [landed(5)]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_somebody_gave_while_its_batch_was_refused_is_not_given_again() {
    for school in both(4).await {
        (1..=4).for_each(|n| school.call_for(n, &["room1/a", "room2/b"]));
        let number = school.number(1);
        {
            let mut hall = school.seated.hall();
            hall.bad.insert(key(3));
            hall.meddle = Some(Box::new(move |hall| hall.seat(number, "room2/b", Hand::Manual)));
        }
        let pass = school.pass().await;
        let told = ["uhid-001 update: superseded", &landed(2), "uhid-003 update: failed TOY_NO_SEAT", &landed(4)];
        assert_eq!(seats(&pass), told);
        school.seated.hall().calm();
        school.pass().await;
        nothing_left(&school).await;
        assert!((1..=4).all(|n| school.seats(n) == ["room1/a", "room2/b"]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_in_the_middle_is_finished_and_what_landed_in_spite_of_an_error_is_not_repeated() {
    for school in both(4).await {
        school.call_for(1, &["room1/a", "room2/b", "room3/c"]);
        school.call_for(2, &["room1/a", "room2/b"]);
        school.seated.hall().cut.insert(key(1), 1);
        school.seated.hall().grumbles.insert(key(2));
        let pass = school.pass().await;
        assert_eq!(seats(&pass), ["uhid-001 update: failed TOY_NO_SEAT", "uhid-002 update: landed"]);
        assert_eq!(school.seats(1), ["room1/a", "room2/b"]);
        assert_eq!(seats(&school.pass().await), [landed(1)]);
        nothing_left(&school).await;
        // All of it is ours, however it came about.
        (1..=2).for_each(|n| school.call_for(n, &[]));
        school.pass().await;
        assert_eq!((school.seats(1), school.seats(2)), (vec![], vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_and_not_kept_is_tried_again_with_growing_delay() {
    for school in both(3).await {
        school.call_for(1, &["room1/a", "room2/b"]);
        school.seated.hall().drops.insert("room2/b".into());
        let pass = school.pass().await;
        assert_eq!(seats(&pass), ["uhid-001 update: not converged chairs"]);
        let writes = school.seated.hall().requests;
        assert_eq!(seats(&school.pass().await), [""; 0], "not at once");
        assert_eq!(school.seated.hall().requests, writes);
        school.seated.hall().calm();
        wait(Duration::from_mins(11)).await;
        assert_eq!(seats(&school.pass().await), [landed(1)]);
        assert_eq!(school.seats(1), ["room1/a", "room2/b"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_place_of_what_was_written_is_told() {
    let school = School::with(1..=3).await;
    school.call_for(1, &["room1/a", "room2/b"]);
    school.seated.hall().mistakes.insert("room2/b".into(), "room2/a".into());
    let pass = school.pass().await;
    assert_eq!(seats(&pass), ["uhid-001 update: not converged chairs"]);
    let left = pass.fates.iter().find_map(|fate| match fate {
        Fate::NotConverged(left) => Some(left.iter().map(|edit| format!("{edit:?}")).collect::<Vec<_>>()),
        _ => None,
    });
    let left = left.expect("one that did not come out as wanted");
    assert!(left.len() == 2 && left[0].contains("room2/b") && left[1].contains("room2/a"), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_be_read_back_is_neither_repeated_nor_lost() {
    for school in both(3).await {
        school.call_for(1, &["room1/a", "room2/b"]);
        let read = school.seated.hall().asked.len();
        school.seated.hall().blind_after = Some(read + 1);
        let pass = school.pass().await;
        assert_eq!(seats(&pass), ["uhid-001 update: in doubt TOY_ROOM_UNREAD"]);
        school.seated.hall().calm();
        wait(Duration::from_mins(1)).await;
        school.pass().await;
        assert_eq!(school.seats(1), ["room1/a", "room2/b"]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_narrow_scope_asks_for_what_its_people_have_and_want_and_touches_nobody_else() {
    for mut school in both(4).await {
        school.call_for(2, &["room2/b"]);
        school.pass().await;
        school.call_for(2, &["room3/c"]);
        school.call_for(3, &["room3/c"]);
        school.scope = crate::world::Desk::only([2]);
        assert_eq!(seats(&school.pass().await), [landed(2)]);
        let asked = school.seated.hall().asked.clone();
        let first = &asked[asked.len() - 2];
        let scopes: Vec<&str> = first.scopes.iter().flatten().map(String::as_str).collect();
        assert_eq!((first.all, scopes), (false, vec!["room2", "room3"]));
        assert_eq!(first.wholes.len(), 1);
        assert_eq!((school.seats(2), school.seats(3)), (vec!["room3/c".to_owned()], vec!["room1/a".to_owned()]));
        school.scope = Scope::default();
        assert_eq!(seats(&school.pass().await), [landed(3)]);
        nothing_left(&school).await;
    }
}

#[tokio::test(start_paused = true)]
async fn adopting_links_and_writes_no_seat() {
    let mut school = met(true);
    school.enrol(3, &["room1/a"]);
    school.adopt = true;
    let before = school.writes();
    let pass = school.pass().await;
    assert_eq!((pass.changes(), school.writes()), (0, before));
    school.adopt = false;
    let pass = school.pass().await;
    assert_eq!(seats(&pass), [landed(3)]);
    nothing_left(&school).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_of_the_parts_of_somebody_gone_goes_with_the_whole() {
    let school = School::with(1..=40).await;
    let remembered = || [ACCOUNT, SEATS].map(|kind| school.claimed(NAME, kind).contains(&key(1)));
    school.people.let_go(1);
    school.pass().await;
    assert_eq!(remembered(), [true, true], "the account is there");
    let number = school.number(1);
    school.seated.shelf().rows.remove(&(ACCOUNT, number));
    school.pass().await;
    assert_eq!(remembered(), [false, false]);
    let held = school.store.pipeline(NAME).unwrap().held(&key(1)).unwrap();
    assert!(held.applied.is_empty() && held.observed().count() == 0, "{held:?}");
}
