//! A scope says who is looked at, and proves nothing about anybody else.

use std::time::Duration;

use jiff::SignedDuration;
use reconcile::clock::Clock;
use reconcile::config::{Limit, OnSurplus};
use reconcile::engine::Point;
use reconcile::model::person::directory as d;
use reconcile::model::{Pick, Scope};
use reconcile_state::{Record, Value};

use crate::toys::{asked, listed};
use crate::world::{Desk, Fault, key, wait};

const HOUR: Duration = Duration::from_hours(1);

fn picked(planned: &reconcile::model::pass::Planned) -> Vec<String> {
    planned.people.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_narrow_scope_closes_nobody_for_not_being_found() {
    let mut desk = Desk::with(1..=6).await;
    desk.settings.surplus = OnSurplus::Disable;
    desk.people.let_go(1);
    desk.people.entitle(2, &[]);
    desk.people.edit(3, d::SURNAME, "Changed");
    desk.scope = Desk::only([1, 2]);
    let pass = desk.pass().await;
    assert_eq!(picked(&pass.planned), ["uhid-002"]);
    assert_eq!(pass.planned.scope.unknown_keys, ["idautoID=uhid-001"]);
    assert_eq!(pass.of(listed::NAME), ["account/uhid-002 disable: landed"]);
    assert_eq!(pass.fate(asked::NAME, asked::MEMBER, 2), Some("disable: landed"));
    assert!(pass.doubts(listed::NAME).is_empty() && pass.doubts(asked::NAME).is_empty());
    desk.scope = Scope::default();
    let whole = desk.pass().await;
    assert_eq!(whole.fate(listed::NAME, listed::ACCOUNT, 1), Some("disable: landed"));
    assert_eq!(whole.fate(listed::NAME, listed::ACCOUNT, 3), Some("update: landed"));
}

/// A lost right looks the same as a lost entitlement, of one person alone.
#[tokio::test(start_paused = true)]
async fn a_narrow_scope_closes_nobody_by_what_others_do_not_show_any_more_either() {
    for id in [d::REQUESTED, d::AFFILIATIONS] {
        let mut desk = Desk::with(1..=12).await;
        let before = (desk.listed.rows(), desk.asked.rows());
        desk.people.hide(Some(id));
        desk.people.edit(2, d::SURNAME, "Changed");
        for scope in [Desk::only([1]), Scope { pick: Pick::Changed, limit: None }] {
            desk.scope = scope;
            let pass = desk.pass().await;
            assert_eq!(pass.source_doubts(), ["attribute-shrunk"], "{id:?} {}", desk.scope);
            assert!(pass.changes() > 0 && pass.told.iter().all(|line| !line.ends_with(": landed")), "{:#?}", pass.told);
        }
        assert_eq!((desk.listed.rows(), desk.asked.rows()), before);
        // Who says that it was meant is believed.
        desk.allow = ["attribute-shrunk".to_owned()].into();
        desk.scope = Desk::only([1]);
        let meant = desk.pass().await;
        assert_eq!((meant.source_doubts().len(), meant.planned.events.len()), (0, 1));
        assert!(meant.told.iter().any(|line| line.ends_with(": landed")), "{:#?}", meant.told);
    }
}

#[tokio::test(start_paused = true)]
async fn until_everybody_was_read_once_a_narrow_scope_closes_only_whom_the_directory_disables() {
    let mut desk = Desk::with(1..=12).await;
    // What is known of the sources is a cache; the claims stay.
    desk.lose("sources.redb");
    (1..=2).for_each(|n| desk.people.entitle(n, &[]));
    desk.people.edit(3, d::DISABLED, Value::Flag(true));
    desk.people.edit(4, d::SURNAME, "Changed");
    desk.scope = Desk::only([1, 3, 4]);
    let pass = desk.pass().await;
    assert_eq!(pass.source_doubts(), ["everybody-unknown"]);
    assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, 1), Some("disable: held untrusted-source"));
    assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, 3), Some("disable: landed"));
    assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, 4), Some("update: landed"));
    desk.scope = Scope::default();
    desk.plan().await;
    desk.scope = Desk::only([1]);
    let known = desk.pass().await;
    assert_eq!(
        (known.source_doubts().len(), known.fate(listed::NAME, listed::ACCOUNT, 1)),
        (0, Some("disable: landed"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_narrow_scope_closes_nobody_where_nobody_else_is_known() {
    let mut desk = Desk::with(1..=6).await;
    desk.settings.surplus = OnSurplus::Disable;
    // Claims are known, and of the people only whom this pass reads.
    desk.lose("sources.redb");
    desk.people.edit(2, d::DISABLED, Value::Flag(true));
    desk.scope = Desk::only([2]);
    let pass = desk.pass().await;
    assert_eq!(pass.of(listed::NAME), ["account/uhid-002 disable: landed"]);
    assert_eq!(pass.of(asked::NAME), ["member/uhid-002 disable: landed", "card/uhid-002 disable: landed"]);
    desk.scope = Scope::default();
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_narrow_scope_does_not_take_anothers_record() {
    let mut desk = Desk::with(1..=3).await;
    // Somebody new bears a name that is remembered as somebody else's.
    desk.people.hire(4);
    desk.people.edit(4, d::USERNAME, "user001");
    desk.scope = Desk::only([4]);
    let pass = desk.pass().await;
    assert_eq!(pass.of(listed::NAME), Vec::<&str>::new());
    assert_eq!(pass.planned.plan.pipelines[listed::NAME].conflicts[0].code, "claimed-by-another");
}

/// A record at the target that nobody made, under a user name and a number.
fn by_hand(desk: &Desk, row: u64, login: &str, number: &str) {
    let record = Record::new(login.into()).with(listed::LOGIN, login).with(listed::NUMBER, number);
    desk.listed.shelf().rows.insert((listed::ACCOUNT, row), record);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_not_whole_does_not_say_who_alone_bears_a_number() {
    for fault in [Fault::Midway, Fault::Incomplete] {
        let desk = Desk::new();
        desk.listed.recognise_by_number();
        desk.people.hire_all(1..=12);
        // Two people with one number by mistake; the account is the second one's.
        [1, 12].into_iter().for_each(|n| desk.people.edit(n, d::STUDENT_NUMBER, "shared"));
        by_hand(&desk, 900, "user012", "shared");
        by_hand(&desk, 901, "old002", "number002");
        desk.people.fault(fault);
        let broken = desk.pass().await;
        assert!(broken.doubts(listed::NAME).contains(&"everybody-unknown"), "{fault:?} {:#?}", broken.told);
        let holder = |n: u32| {
            let claims = desk.store.pipeline(listed::NAME).unwrap().claims(listed::ACCOUNT).unwrap();
            claims.get(&key(n)).and_then(|claim| claim.remote.id.clone())
        };
        assert_ne!(holder(1).as_deref(), Some("900"), "{fault:?}");
        assert_eq!(holder(2), None, "{fault:?}");
        desk.people.fault(Fault::None);
        let whole = desk.pass().await;
        assert!(whole.doubts(listed::NAME).is_empty());
        assert_eq!((holder(12).as_deref(), holder(2).as_deref()), (Some("900"), Some("901")), "{fault:?}");
        assert!(holder(1).is_some_and(|own| own != "900"), "{fault:?}");
        // Everybody was read once: from now on a reading that breaks off hides nobody.
        desk.people.hire(0);
        by_hand(&desk, 902, "old000", "number000");
        desk.people.fault(fault);
        assert!(desk.pass().await.doubts(listed::NAME).is_empty());
        assert_eq!(holder(0).as_deref(), Some("902"));
    }
}

#[tokio::test(start_paused = true)]
async fn while_numbers_vanish_nobody_is_the_only_one_who_bears_one() {
    let mut desk = Desk::with(1..=12).await;
    desk.listed.recognise_by_number();
    desk.people.hire_all([13, 14]);
    [13, 14].into_iter().for_each(|n| desk.people.edit(n, d::STUDENT_NUMBER, "shared"));
    desk.plan().await;
    by_hand(&desk, 900, "old014", "shared");
    [1, 2, 3, 14].into_iter().for_each(|n| desk.people.edit(n, d::STUDENT_NUMBER, ""));
    for scope in [Scope::default(), Scope { pick: Pick::Changed, limit: None }, Desk::only([13])] {
        desk.scope = scope;
        let pass = desk.pass().await;
        assert!(pass.source_doubts().contains(&"attribute-shrunk"), "{} {:?}", desk.scope, pass.source_doubts());
        assert!(!desk.claimed(listed::NAME, listed::ACCOUNT).contains(&key(13)), "{}", desk.scope);
    }
}

#[tokio::test(start_paused = true)]
async fn changed_picks_the_changed_and_the_unfinished() {
    let mut desk = Desk::with(1..=8).await;
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    assert_eq!(picked(&desk.plan().await), Vec::<String>::new());
    desk.people.edit(2, d::SURNAME, "Changed");
    desk.people.hire(9);
    desk.people.edit(3, d::SURNAME, "Refused");
    desk.listed.shelf().refused.insert(key(3));
    let pass = desk.pass().await;
    assert_eq!(picked(&pass.planned), ["uhid-002", "uhid-003", "uhid-009"]);
    let left = desk.pass().await;
    assert_eq!(picked(&left.planned), ["uhid-003"], "and the unfinished again");
    desk.listed.shelf().refused.clear();
    // What is tried in vain stays unfinished while it waits.
    desk.listed.shelf().drops.insert(listed::TITLE);
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 3), Some("update: not converged title"));
    for _ in 0..2 {
        let waiting = desk.pass().await;
        assert_eq!((picked(&waiting.planned), waiting.changes()), (vec!["uhid-003".to_owned()], 0));
    }
    desk.listed.shelf().drops.clear();
    crate::world::wait(std::time::Duration::from_hours(1)).await;
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 3), Some("update: landed"));
    assert_eq!(picked(&desk.plan().await), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_not_applied_moves_no_cookie() {
    let mut desk = Desk::with(1..=4).await;
    desk.people.edit(2, d::SURNAME, "Changed");
    desk.plan().await;
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    desk.plan().await;
    assert_eq!(picked(&desk.pass().await.planned), ["uhid-002"]);
    assert_eq!(picked(&desk.plan().await), Vec::<String>::new());
}

fn changed() -> Scope {
    Scope { pick: Pick::Changed, limit: None }
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_dies_leaves_nobody_for_read() {
    // Whole, by what changed, and by key.
    for scope in [Scope::default(), changed(), Desk::only([2])] {
        let mut desk = Desk::with(1..=4).await;
        desk.people.edit(2, d::DISABLED, Value::Flag(true));
        desk.scope = scope;
        desk.die_planning(Point::People).await;
        desk.scope = changed();
        let pass = desk.pass().await;
        assert_eq!(picked(&pass.planned), ["uhid-002"]);
        assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, 2), Some("disable: landed"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_date_brings_about_is_a_change_of_everybody_it_concerns() {
    let mut desk = Desk::new();
    let hours = |n: i64| desk.clock.now() + SignedDuration::from_hours(n);
    let (soon, later) = (hours(2), hours(4));
    desk.listed.opens_late(soon);
    desk.people.hire_all(1..=4);
    desk.pass().await;
    desk.scope = changed();
    wait(HOUR).await;
    assert_eq!(picked(&desk.pass().await.planned), [""; 0], "it has not come yet");
    desk.restart();
    wait(HOUR).await;
    // Somebody else's pass does not carry the others through, and a refused one carries nobody.
    desk.scope = Desk::only([2]);
    assert_eq!(desk.pass().await.of(listed::NAME), ["account/uhid-002 update: landed"]);
    desk.scope = changed();
    desk.settings.guard.updates = Limit { number: Some(1), percent: None };
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: held refused"));
    desk.settings.guard.updates = Limit { number: None, percent: None };
    desk.people.fault(Fault::Empty);
    assert_eq!(desk.pass().await.changes(), 0, "nobody is shown");
    desk.people.fault(Fault::None);
    let due = desk.pass().await;
    assert_eq!(picked(&due.planned), ["uhid-001", "uhid-003", "uhid-004"]);
    assert!(due.of(listed::NAME).iter().all(|line| line.ends_with("update: landed")), "{:#?}", due.told);
    assert_eq!(picked(&desk.pass().await.planned), [""; 0], "once");
    // A later date is as good as the first.
    desk.listed.opens_late(later);
    desk.scope = Scope::default();
    desk.pass().await;
    desk.scope = changed();
    assert_eq!(picked(&desk.pass().await.planned), [""; 0]);
    wait(2 * HOUR).await;
    assert_eq!(picked(&desk.pass().await.planned).len(), 4);
    assert_eq!(picked(&desk.pass().await.planned), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_was_out_of_a_listing_that_died_is_found_when_back_in_it() {
    let mut desk = Desk::with(1..=4).await;
    desk.scope = changed();
    // The second and the fourth are not listed: few enough to be believed.
    desk.people.fault(Fault::HalfMissing);
    desk.die_planning(Point::PeopleGone).await;
    // They are again, as they were, and something else became of one of them meanwhile.
    desk.people.fault(Fault::None);
    desk.people.drop_row(4);
    assert_eq!(picked(&desk.pass().await.planned), ["uhid-004"]);
    desk.scope = Scope::default();
    assert_eq!(picked(&desk.plan().await).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn changed_finds_everybody_who_is_gone() {
    let mut desk = Desk::with(1..=70).await;
    desk.settings.surplus = OnSurplus::Disable;
    desk.settings.guard.shrink.percent = 50;
    for n in [65, 70] {
        desk.people.let_go(n);
    }
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    let pass = desk.pass().await;
    let closed = ["account/uhid-065 disable: landed", "account/uhid-070 disable: landed"];
    assert_eq!(pass.of(listed::NAME), closed);
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_unfinished_whom_a_doubted_listing_does_not_show_are_left_alone() {
    let mut desk = Desk::with(1..=12).await;
    desk.people.hire(14);
    desk.listed.shelf().refused.insert(key(14));
    desk.pass().await;
    desk.listed.shelf().refused.clear();
    desk.scope = Scope { pick: Pick::Changed, limit: None };
    desk.people.fault(Fault::Empty);
    let pass = desk.pass().await;
    assert_eq!(pass.changes(), 0, "{:#?}", pass.told);
    desk.people.fault(Fault::None);
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 14), Some("create: landed"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_takes_the_first_in_key_order_and_proves_nobody_gone() {
    let mut desk = Desk::with(1..=6).await;
    desk.settings.surplus = OnSurplus::Disable;
    desk.people.let_go(1);
    (2..=6).for_each(|n| desk.people.edit(n, d::SURNAME, "Changed"));
    desk.scope = Scope { pick: Pick::Everything, limit: Some(2) };
    let pass = desk.pass().await;
    assert_eq!(picked(&pass.planned), ["uhid-002", "uhid-003"]);
    assert_eq!(pass.of(listed::NAME), ["account/uhid-002 update: landed", "account/uhid-003 update: landed"]);
    assert!(!pass.planned.whole);
}

#[tokio::test(start_paused = true)]
async fn protected_people_are_shown_and_held_also_when_they_are_gone() {
    let mut desk = Desk::with(1..=6).await;
    desk.settings.surplus = OnSurplus::Disable;
    desk.settings.guard.shrink.floor = 100;
    let protected = &mut desk.settings.guard.protected;
    protected.keys = vec!["UHID-001".into(), "uhid-004".into()];
    protected.usernames = vec!["user002".into()];
    protected.roles = vec!["iam:rector".into()];
    desk.people.edit(3, d::BUSINESS_ROLES, Value::Set(["IAM:rector".to_owned()].into()));
    (1..=3).for_each(|n| desk.people.entitle(n, &[]));
    desk.people.let_go(4);
    let before = (desk.listed.rows(), desk.asked.rows());
    let pass = desk.pass().await;
    let held = [1, 2, 3, 4].map(|n| format!("account/{} disable: held protected", key(n)));
    assert_eq!(pass.of(listed::NAME), held);
    assert_eq!((desk.listed.rows(), desk.asked.rows()), before);
}
