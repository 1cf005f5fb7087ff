//! Lives in which something went wrong once.

use reconcile::config::FirstMeeting;

use crate::event::{At, Event, Kind, Lost, Setting};
use crate::shards::once;
use crate::world::Fault;

#[test]
fn what_is_made_once_more_is_ours_although_nobody_heard_of_it() {
    let lost = [Event::Pass, Event::RemoveByHand(At::Seated, 5), Event::LoseAnswers(At::Seated, false, Lost::Landed)];
    let torn = [Event::Pass, Event::Retitle(5, 0), Event::Wait(40), Event::DieAfter(10)];
    let events: Vec<Event> = [Event::Hire(5), Event::Call(5, 0)].into_iter().chain(lost).chain(torn).collect();
    once(&Setting::usual(Kind::School), &events).unwrap();
}

#[test]
fn an_account_that_was_replaced_behind_its_name_is_met_anew() {
    let setting = Setting { nameless: true, first_meeting: FirstMeeting::Enforce, ..Setting::usual(Kind::School) };
    let replaced = [Event::Hire(1), Event::Hire(4), Event::Call(4, 0b10001), Event::Pass];
    let lost = [Event::RemoveByHand(At::Seated, 4), Event::LoseAnswers(At::Seated, true, Lost::Landed)];
    let narrow = [Event::Only([4].into()), Event::Call(4, 0b1010)];
    let events: Vec<Event> = replaced.into_iter().chain(lost).chain(narrow).collect();
    once(&setting, &events).unwrap();
}

#[test]
fn a_record_in_the_place_of_a_remembered_one_is_explained_as_it_is_planned() {
    for (kind, at) in [(Kind::Office, At::Listed), (Kind::Office, At::Asked), (Kind::School, At::Seated)] {
        let hired = [Event::Hire(1), Event::Hire(2), Event::Call(1, 0b1), Event::Pass];
        let events: Vec<Event> = hired.into_iter().chain([Event::ReplaceByHand(at, 1), Event::Plan]).collect();
        for first_meeting in [FirstMeeting::Report, FirstMeeting::Enforce] {
            once(&Setting { first_meeting, ..Setting::usual(kind) }, &events).unwrap();
        }
    }
}

#[test]
fn what_a_target_rewrites_is_not_sent_in_every_pass_beside_what_somebody_keeps() {
    let events = [Event::Hire(1), Event::Pass, Event::EditByHand(At::Listed, 1, 0), Event::DropRow(1)];
    once(&Setting::usual(Kind::Office), &events).unwrap();
}

#[test]
fn seats_in_doubt_of_somebody_who_is_gone_are_settled() {
    let setting = Setting { tells: false, ..Setting::usual(Kind::School) };
    once(&setting, &[Event::Hire(5), Event::Die(2, false), Event::Gone(5)]).unwrap();
}

#[test]
fn whoever_bears_the_number_of_somebody_not_shown_is_not_given_their_account() {
    let setting = Setting { met: [5].into(), ..Setting::usual(Kind::Office) };
    let mut events: Vec<Event> = (1..=5).map(Event::Hire).collect();
    events.extend([Event::Share(1, 5), Event::Source(Fault::Midway), Event::Consent]);
    once(&setting, &events).unwrap();
}

#[test]
fn what_an_account_is_to_hold_that_was_made_without_an_answer_is_explained_as_it_is_planned() {
    let setting = Setting { tells: false, ..Setting::usual(Kind::School) };
    once(&setting, &[Event::Die(0, true), Event::Pass, Event::Wait(40)]).unwrap();
}

#[test]
fn one_of_two_records_of_somebody_in_doubt_is_explained_as_it_is_planned() {
    let hired = [Event::Hire(1), Event::Pass, Event::Retitle(1, 2)];
    let lost = [Event::Slow(At::Asked, 7), Event::LoseAnswers(At::Asked, true, Lost::Never), Event::Pass];
    let events: Vec<Event> = hired.into_iter().chain(lost).collect();
    once(&Setting::usual(Kind::Office), &events).unwrap();
}
