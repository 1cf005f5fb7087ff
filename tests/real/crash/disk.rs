//! The disk is full from a point of a pass on: no file may grow any more, which the kernel holds for the program alone.
//! What is found once there is room is what a pass that met no limit leaves.

use std::sync::atomic::{AtomicUsize, Ordering};

use reconcile::engine::Point;

use super::scenes::Scene;

const FULL_AT: [Point; 14] = [
    Point::GivenUp,
    Point::People,
    Point::Planned,
    Point::Noted,
    Point::WindowBegun,
    Point::LinkClaimed,
    Point::Intended,
    Point::Answered,
    Point::Accepted,
    Point::Emptied,
    Point::Recorded,
    Point::Heard,
    Point::Remembered,
    Point::Copied,
];

#[test]
fn a_disk_that_is_full_from_any_point_on_leaves_nothing_undone_once_there_is_room() {
    let played = Scene::everyday();
    let (ended, all) = (AtomicUsize::new(0), played.last(&FULL_AT));
    assert!(all.len() > FULL_AT.len(), "{all:?}");
    let count = all.len();
    played.each(all, |stage, place| {
        let run = stage.run_full(place, played.args);
        let is_told = run.err.contains("STORE_FAILED") || run.out.contains("STORE_FAILED");
        match run.code {
            1 => assert!(is_told, "{place}: {}\n{}", run.out, run.err),
            // What is left to remember by then is a cache, or told by an event.
            0 | 4 => {}
            code => panic!("{place}: {code}\n{}\n{}", run.out, run.err),
        }
        ended.fetch_add(usize::from(run.code == 1), Ordering::Relaxed);
        played.is_right_again(stage, place);
    });
    println!("{ended:?} of {count} passes ended there");
    assert!(ended.into_inner() * 2 > count, "most passes do not end where the disk is full");
}
