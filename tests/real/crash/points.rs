//! Killed at each point of a pass, at the first time it is reached and at the last: those of planning at the last.

use reconcile::engine::Point;
use reconcile::sim::faults::{Fault, Times};

use super::scenes::{Args, CHANGED, Scene};
use super::stage::Stage;

/// The scene in which a point is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Everyday,
    FirstLoad,
    AnotherSite,
    ByChanges,
    Rebuilt,
}

/// Without a wildcard: whoever adds a point says where it is reached, and the program is killed there.
fn scene(point: Point) -> Where {
    use Point as P;
    match point {
        P::Spent | P::Loading | P::Loaded => Where::FirstLoad,
        P::AsideCopied
        | P::AsideClaims
        | P::AsideApplied
        | P::AsideForgotten
        | P::AsideContradicted
        | P::AsideClosed
        | P::Identified => Where::AnotherSite,
        P::PeopleGone | P::EntriesGone => Where::ByChanges,
        P::Semesters | P::RebuiltAnew | P::RebuiltContradicted | P::RebuiltClaims | P::RebuiltIdentity => {
            Where::Rebuilt
        }
        P::GivenUp
        | P::People
        | P::Entries
        | P::Vault
        | P::Recalled
        | P::Observed
        | P::ObservedWithin
        | P::ObservedAt
        | P::Opened
        | P::Planned
        | P::Begun
        | P::Expected
        | P::Noted
        | P::WindowBegun
        | P::ReadBack
        | P::ReadBackEmpty
        | P::LinkClaimed
        | P::LinkApplied
        | P::LinkForgotten
        | P::Intended
        | P::Answered
        | P::Refused
        | P::Accepted
        | P::Confirmed
        | P::Recorded
        | P::EmptiedApplied
        | P::Emptied
        | P::ReplacedForgotten
        | P::ReplacedClaimed
        | P::Heard
        | P::Folded
        | P::WindowEnded
        | P::Remembered
        | P::Counted
        | P::Measured
        | P::Reopened
        | P::Left
        | P::CopiedClaims
        | P::Copied
        | P::Figured
        | P::Finished => Where::Everyday,
    }
}

/// What a first load is cut off at beside its own points: many at once is another thing than a few.
const LOADING: [Point; 5] = [Point::Intended, Point::Answered, Point::Accepted, Point::Emptied, Point::Recorded];
/// What is cut off beside the points of its own where only what changed is looked at from then on: whoever was read or
/// carried through half is to be found again.
const CHANGING: [Point; 14] = [
    Point::People,
    Point::Entries,
    Point::Vault,
    Point::Opened,
    Point::LinkApplied,
    Point::Intended,
    Point::Answered,
    Point::Recorded,
    Point::Heard,
    Point::Folded,
    Point::Remembered,
    Point::Left,
    Point::Figured,
    Point::Finished,
];
/// And where claims are rebuilt.
const REBUILDING: [Point; 6] =
    [Point::People, Point::Entries, Point::Expected, Point::Noted, Point::CopiedClaims, Point::Copied];

/// Where passes of a scene are cut off, as the program is told: pipeline, point, which time. Every point that belongs
/// here must be reached.
fn places(scene_of: Where, played: &Scene) -> Vec<String> {
    let mut places = Vec::new();
    for point in Point::ALL {
        let mine: Vec<(&String, &u64)> =
            played.points.iter().filter(|(name, _)| name.ends_with(&format!("/{}", point.name()))).collect();
        let here = scene(*point) == scene_of;
        assert!(!here || !mine.is_empty(), "{} is never reached in its scene", point.name());
        let along = match scene_of {
            Where::FirstLoad => &LOADING[..],
            Where::ByChanges => &CHANGING,
            Where::Rebuilt => &REBUILDING,
            Where::Everyday | Where::AnotherSite => &[],
        };
        let taken_along = along.contains(point);
        let first = *point >= Point::Spent && scene_of != Where::ByChanges;
        for (name, times) in mine.into_iter().filter(|_| here || taken_along) {
            places.push(format!("{name}/{times}"));
            if *times > 1 && first {
                places.push(format!("{name}/1"));
            }
        }
    }
    places
}

/// One of so many shares of the places, so that the shares run side by side.
fn share(places: Vec<String>, (share, of): (usize, usize)) -> Vec<String> {
    places.into_iter().enumerate().filter(|(at, _)| at % of == share).map(|(_, place)| place).collect()
}

fn kill_at(stage: &Stage, place: &str, args: &[&str]) {
    let run = stage.run_until(Some(place), None, args);
    assert_eq!(run.code, -9, "{place} is not reached: {}\n{}", run.out, run.err);
}

fn killed_at_its_places(scene_of: Where, played: &Scene, part: (usize, usize)) {
    killed(played, share(places(scene_of, played), part));
}

fn killed(played: &Scene, places: Vec<String>) {
    assert!(places.len() >= 5, "{places:?}");
    played.each(places, |stage, place| {
        let (name, nth) = place.rsplit_once('/').unwrap();
        let nth: u64 = nth.parse().unwrap();
        // What is sent again, and with it the number of times, is chance where requests are under way side by side.
        let fewer = nth.saturating_sub(2).max(1)..nth;
        let reached = |nth: u64| {
            let reached = stage.run_until(Some(&format!("{name}/{nth}")), None, played.args).code == -9;
            if !reached {
                stage.restore(&played.start);
            }
            reached
        };
        if !reached(nth) {
            assert!(fewer.rev().any(reached), "{place} is not reached");
        }
        played.is_right_again(stage, place);
    });
}

#[test]
fn a_pass_that_is_killed_at_any_point_ends_as_if_it_had_not_been_1_of_3() {
    killed_at_its_places(Where::Everyday, &Scene::everyday(), (0, 3));
}

#[test]
fn a_pass_that_is_killed_at_any_point_ends_as_if_it_had_not_been_2_of_3() {
    killed_at_its_places(Where::Everyday, &Scene::everyday(), (1, 3));
}

#[test]
fn a_pass_that_is_killed_at_any_point_ends_as_if_it_had_not_been_3_of_3() {
    killed_at_its_places(Where::Everyday, &Scene::everyday(), (2, 3));
}

#[test]
fn a_first_load_that_is_killed_at_any_point_ends_as_if_it_had_not_been() {
    killed_at_its_places(Where::FirstLoad, &Scene::first_load(), (0, 1));
}

#[test]
fn turning_to_another_site_killed_at_any_point_ends_as_if_it_had_not_been() {
    killed_at_its_places(Where::AnotherSite, &Scene::another_site(), (0, 1));
}

#[test]
fn after_a_pass_over_everybody_that_was_killed_anywhere_what_changed_is_enough_to_look_at() {
    let played = Scene::by_changes(&["--yes"]);
    killed(&played, played.last(&CHANGING));
}

#[test]
fn after_a_pass_over_what_changed_that_was_killed_anywhere_what_changed_is_enough_to_look_at() {
    let played = Scene::by_changes(CHANGED);
    killed(&played, places(Where::ByChanges, &played));
}

#[test]
fn whoever_was_not_shown_for_a_moment_is_read_again_wherever_that_was_cut_off() {
    let played = Scene::by_changes(CHANGED);
    let cases: [(&str, Args); 4] = [
        ("-/people-gone/1", CHANGED),
        ("-/entries-gone/1", CHANGED),
        ("-/people/1", &["--yes"]),
        ("-/entries/1", &["--yes"]),
    ];
    played.each(cases.into(), |stage, (place, args)| {
        stage.directory.faults().play(Fault::HideEntries(5), Times::Always);
        kill_at(stage, place, args);
        stage.directory.faults().clear();
        played.is_right_again(stage, place);
    });
}

#[test]
fn a_rebuild_of_claims_that_is_killed_at_any_point_ends_as_if_it_had_not_been() {
    let played = Scene::rebuilt();
    killed(&played, places(Where::Rebuilt, &played));
}

#[test]
fn two_crashes_in_a_row_end_as_if_there_had_been_none() {
    let played = Scene::everyday();
    let last = |name: &str| format!("{name}/{}", played.points[name]);
    let pairs = [
        (last("moodle/intended"), "moodle/noted/1".to_owned()),
        (last("moodle/answered"), "moodle/remembered/1".to_owned()),
        ("moodle/answered/1".to_owned(), "moodle/recorded/1".to_owned()),
        ("moodle/recorded/1".to_owned(), "moodle/emptied/1".to_owned()),
        ("portal/answered/1".to_owned(), "-/heard/1".to_owned()),
        ("moodle/read-back/1".to_owned(), "moodle/link-claimed/1".to_owned()),
        ("moodle/accepted/1".to_owned(), "portal/intended/1".to_owned()),
    ];
    played.each(pairs.into(), |stage, (first, second)| {
        kill_at(stage, first, played.args);
        kill_at(stage, second, played.again);
        played.is_right_again(stage, &format!("{first}, then {second}"));
    });
}
