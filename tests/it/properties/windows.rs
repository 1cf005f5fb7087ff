//! Many small passes do together what one pass may, and no more.

use std::time::Duration;

use reconcile::config::Limit;
use reconcile::engine::Stop;
use reconcile::model::person::directory as d;

use crate::toys::{Answer, listed};
use crate::world::{Desk, key, wait};

const HOUR: Duration = Duration::from_hours(1);

/// Forty people, of whom two may be closed in a day.
async fn desk() -> Desk {
    let mut desk = Desk::with(1..=40).await;
    // A few who are no longer entitled are a great share of few.
    desk.settings.guard.shrink.floor = 30;
    desk.settings.guard.disables = Limit { number: Some(2), percent: None };
    desk
}

fn rules(pass: &crate::world::Pass) -> Vec<&'static str> {
    pass.judged.verdicts[listed::NAME].trips.iter().map(|trip| trip.rule).collect()
}

async fn close(desk: &mut Desk, n: u32) -> crate::world::Pass {
    desk.people.entitle(n, &[]);
    desk.scope = Desk::only([n]);
    desk.pass().await
}

#[tokio::test(start_paused = true)]
async fn small_passes_are_refused_where_one_over_everything_would_be() {
    let mut desk = desk().await;
    for n in 1..=2 {
        assert_eq!(rules(&close(&mut desk, n).await), [""; 0]);
        wait(HOUR).await;
    }
    let refused = close(&mut desk, 3).await;
    assert_eq!(rules(&refused), ["disables"]);
    let message = &refused.judged.verdicts[listed::NAME].trips[0].message;
    assert!(message.contains("1 records would be disabled, and 2 were within the last 24 hours"), "{message}");
    wait(23 * HOUR).await;
    let later = desk.pass().await;
    assert_eq!(rules(&later), [""; 0], "the first of them is a day ago");
    desk.allow = ["disables".to_owned()].into();
    let named = close(&mut desk, 4).await;
    assert_eq!(rules(&named), [""; 0], "who names the rule consents");
    desk.allow.clear();
    wait(2 * HOUR).await;
    assert_eq!(rules(&close(&mut desk, 5).await), [""; 0], "and uses nothing up");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_written_uses_nothing_up() {
    let mut desk = desk().await;
    desk.listed.shelf().refused.insert(key(1));
    for _ in 0..4 {
        assert_eq!(rules(&close(&mut desk, 1).await), [""; 0]);
    }
    let stop = Stop::default();
    stop.request();
    desk.people.entitle(2, &[]);
    desk.scope = Desk::only([2]);
    desk.pass_until(&stop).await;
    for n in 2..=3 {
        assert_eq!(rules(&close(&mut desk, n).await), [""; 0], "{n}");
    }
    assert_eq!(rules(&close(&mut desk, 4).await), ["disables"]);
}

/// What is told of each edit by itself does not say that the change did nothing.
#[tokio::test(start_paused = true)]
async fn a_change_that_landed_in_part_counts_whatever_is_told_of_the_rest() {
    for piecemeal in [false, true] {
        let mut desk = Desk::with(1..=40).await;
        desk.settings.guard.updates = Limit { number: Some(2), percent: None };
        desk.listed.shelf().piecemeal = piecemeal;
        for n in 1..=3 {
            desk.people.edit(n, d::SURNAME, "Changed");
            desk.people.edit(n, d::EMAIL, "changed");
            desk.listed.shelf().cut.insert(key(n), 1);
            desk.scope = Desk::only([n]);
            let pass = desk.pass().await;
            if n == 3 {
                assert_eq!(rules(&pass), ["updates"], "{piecemeal}");
            } else {
                assert_eq!(pass.fate(listed::NAME, listed::ACCOUNT, n), Some("update: failed TOY_CUT"));
            }
        }
    }
}

/// The clock of a machine is set by others, and not always well.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_for_a_pass_or_two_frees_nothing() {
    let month = 30 * 24 * 60 * 60;
    for wrong in [month, -month, 400 * month, -400 * month] {
        let mut desk = desk().await;
        assert_eq!(rules(&close(&mut desk, 1).await), [""; 0]);
        desk.clock.set_off(wrong);
        desk.plan().await;
        assert_eq!(rules(&close(&mut desk, 2).await), [""; 0]);
        desk.clock.set_off(0);
        assert_eq!(rules(&close(&mut desk, 3).await), ["disables"], "{wrong}");
        wait(25 * HOUR).await;
        assert_eq!(rules(&desk.pass().await), [""; 0], "{wrong}: and it is not held for ever");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pass_sent_that_was_cut_off_counts_once_and_the_rest_of_it_does_not() {
    for after in [0, 5, 30, 60, 5000] {
        let mut desk = desk().await;
        desk.people.entitle(1, &[]);
        desk.scope = Desk::only([1]);
        desk.torn_pass(Duration::from_millis(after)).await;
        wait(Duration::from_mins(2)).await;
        assert_eq!(rules(&desk.pass().await), [""; 0], "{after}");
        assert_eq!(rules(&close(&mut desk, 2).await), [""; 0], "{after}");
        assert_eq!(rules(&close(&mut desk, 3).await), ["disables"], "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_unknown_outcome_counts() {
    let mut desk = desk().await;
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    close(&mut desk, 1).await;
    close(&mut desk, 2).await;
    desk.listed.shelf().answer = None;
    wait(Duration::from_mins(1)).await;
    assert_eq!(rules(&close(&mut desk, 3).await), ["disables"]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_week_of_small_passes_goes_through_by_itself() {
    let mut desk = Desk::with(1..=200).await;
    desk.settings.guard.updates = Limit { number: None, percent: Some(5) };
    desk.settings.guard.floor = 10;
    // A tenth of the people over a week, a few every day.
    for n in 1..=20 {
        desk.people.edit(n, d::SURNAME, "Changed");
        desk.scope = Desk::only([n]);
        let pass = desk.pass().await;
        assert_eq!(rules(&pass), [""; 0], "{n}");
        assert_eq!(pass.of(listed::NAME).len(), 1);
        wait(8 * HOUR).await;
    }
}
