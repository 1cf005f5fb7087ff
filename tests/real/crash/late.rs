//! The server goes on with what it was sent, and is done after the program was started again and has looked.

use std::time::{Duration, Instant};

use reconcile::targets::moodle::sim::Fault;

use super::scenes::{ENROL, Scene, UNENROL};
use crate::rig::{CREATE, UPDATE, until};

/// When the write lands, counted from its request. Longer than a start and a look, shorter than `settle_after`.
const LATE: Duration = Duration::from_secs(4);

fn lands_late(played: &Scene, functions: Vec<&str>) {
    played.each(functions, |stage, function| {
        stage.reconfigure("settle_after_seconds = 1\n", "settle_after_seconds = 6\n");
        // One request at a time: what is on its way is the one that is held.
        stage.reconfigure("concurrency = 2\n", "concurrency = 1\n");
        // The refusal that is armed already would come first.
        stage.moodle.faults().clear();
        stage.moodle.faults().next(1, Some(function), Fault::Delay(LATE));
        stage.start(played.args);
        until("the request is held", || stage.moodle.faults().are_spent());
        let held = Instant::now();
        stage.kill();
        let sent = stage.came().into_iter().rfind(|write| write.what == *function).unwrap();
        let run = stage.run(played.again);
        assert!(!stage.done().contains(&sent), "{function} has landed: the look took {:?}", held.elapsed());
        assert!(run.out.contains("in doubt"), "{function}: {}\n{}", run.out, run.err);
        until("the write lands", || stage.done().contains(&sent));
        played.is_right_again(stage, function);
    });
}

#[test]
fn a_write_that_lands_after_the_restarted_program_has_looked_is_not_done_twice() {
    lands_late(&Scene::everyday(), vec![CREATE, UPDATE, UNENROL]);
}

#[test]
fn of_a_first_load_too_what_lands_late_is_not_done_twice() {
    lands_late(&Scene::first_load(), vec![CREATE, ENROL]);
}
