//! Killed at each point of a pass, at the first time it is reached and at the last.

use reconcile::engine::Point;

use super::scenes::Scene;
use super::stage::Stage;

/// The scene in which a point is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Everyday,
    FirstLoad,
    AnotherSite,
}

/// Without a wildcard: whoever adds a point says where it is reached, and the program is killed there.
fn scene(point: Point) -> Where {
    use Point as P;
    match point {
        P::Spent | P::Loading | P::Loaded => Where::FirstLoad,
        P::AsideCopied | P::AsideClaims | P::AsideApplied | P::AsideForgotten | P::AsideClosed | P::Identified => {
            Where::AnotherSite
        }
        P::Collected
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
        | P::Copied
        | P::Figured
        | P::Finished => Where::Everyday,
    }
}

/// What a first load is cut off at beside its own points: many at once is another thing than a few.
const LOADING: [Point; 5] = [Point::Intended, Point::Answered, Point::Accepted, Point::Emptied, Point::Recorded];

/// Where passes of a scene are cut off, as the program is told: pipeline, point, which time. Every point that belongs
/// here must be reached.
fn places(scene_of: Where, played: &Scene) -> Vec<String> {
    let mut places = Vec::new();
    for point in Point::ALL {
        let mine: Vec<(&String, &u64)> =
            played.points.iter().filter(|(name, _)| name.ends_with(&format!("/{}", point.name()))).collect();
        let here = scene(*point) == scene_of;
        assert!(!here || !mine.is_empty(), "{} is never reached in its scene", point.name());
        let taken_along = scene_of == Where::FirstLoad && LOADING.contains(point);
        for (name, times) in mine.into_iter().filter(|_| here || taken_along) {
            places.push(format!("{name}/1"));
            if *times > 1 {
                places.push(format!("{name}/{times}"));
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
    let places = share(places(scene_of, played), part);
    assert!(places.len() >= 5, "{places:?}");
    played.each(places, |stage, place| {
        kill_at(stage, place, played.args);
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
