//! The server goes on with what it was sent, and is done after the program was started again and has looked.

use std::time::{Duration, Instant};

use reconcile::sim::faults::{Fault as DirectoryFault, Times};
use reconcile::targets::moodle::sim::Fault;

use super::ending::is_entry;
use super::scenes::{ENROL, Scene, UNENROL};
use crate::rig::{CREATE, UPDATE, until};

/// When the write lands, counted from its request. Longer than a start and a look on a machine that does much else,
/// shorter than `settle_after`.
const LATE: Duration = Duration::from_secs(12);

fn lands_late(played: &Scene, functions: Vec<&str>) {
    played.each(functions, |stage, function| {
        stage.reconfigure("settle_after_seconds = 1\n", "settle_after_seconds = 15\n");
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

fn marks_land_late(played: &Scene) {
    played.each(vec![DirectoryFault::Hold(LATE)], |stage, fault| {
        stage.reconfigure("operation_timeout_seconds = 3\n", "operation_timeout_seconds = 15\n");
        stage.reconfigure("concurrency = 2\n", "concurrency = 1\n");
        stage.directory.faults().play(fault.clone(), Times::Next(1));
        stage.start(played.args);
        until("a modification is held", || stage.directory.faults().are_spent());
        stage.kill();
        let sent = stage.came().into_iter().rfind(|write| is_entry(&write.what)).unwrap();
        let run = stage.run(played.again);
        assert!(!stage.done().contains(&sent), "it has landed already");
        assert!(run.out.contains("in doubt"), "{}\n{}", run.out, run.err);
        until("it lands", || stage.done().contains(&sent));
        played.is_right_again(stage, "a mark");
    });
}

#[test]
fn a_mark_that_lands_after_the_restarted_program_has_looked_is_not_set_twice() {
    marks_land_late(&Scene::everyday());
}

#[test]
fn of_a_first_load_too_a_mark_that_lands_late_is_not_set_twice() {
    marks_land_late(&Scene::first_load());
}

#[test]
fn of_a_first_load_too_what_lands_late_is_not_done_twice() {
    lands_late(&Scene::first_load(), vec![CREATE, ENROL]);
}
