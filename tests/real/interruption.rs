//! Killed, told to stop, or started twice.

use std::time::Duration;

use reconcile::targets::moodle::sim::Fault;
use reconcile_state::store::StoreDir;

use crate::rig::{CREATE, Rig, Running, until};

/// Small batches, so that there is a middle.
fn rig(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, 300);
    rig.reconfigure("batch_size = 100", "batch_size = 10");
    rig
}

/// Runs until some batches have landed and the next one is held at the site for so long.
fn in_the_middle(rig: &Rig, held: Duration) -> Running {
    let running = rig.start(&["--yes"]);
    until("three batches have landed", || rig.calls(CREATE) >= 3);
    rig.faults().next(1, Some(CREATE), Fault::Delay(held));
    until("a batch is held", || rig.faults().are_spent());
    running
}

/// Intents of which the journal knows no outcome.
fn open_intents(rig: &Rig) -> usize {
    let store = StoreDir::open(rig.path("store"), [0; 32]).unwrap();
    store.pipeline("moodle").unwrap().open_intents().unwrap().len()
}

fn converges(rig: &Rig) {
    rig.settles();
    assert_eq!(open_intents(rig), 0);
}

#[test]
fn a_pass_that_is_killed_is_taken_up_without_doubles() {
    let mut rig = rig(90);
    rig.reconfigure("settle_after_seconds = 1", "settle_after_seconds = 4");
    let running = in_the_middle(&rig, Duration::from_millis(500));
    running.signal("KILL");
    assert_eq!(running.end().code, -9);
    assert!(open_intents(&rig) > 0);
    rig.run(&["--plan"]);
    converges(&rig);
}

#[test]
fn a_pass_that_is_killed_again_and_again_is_taken_up_without_doubles() {
    let rig = rig(91);
    for calls in [2, 6, 11] {
        let running = rig.start(&["--yes"]);
        until("some batches have landed", || rig.calls(CREATE) >= calls);
        running.signal("KILL");
        assert_eq!(running.end().code, -9);
    }
    converges(&rig);
}

#[test]
fn a_pass_that_is_told_to_stop_settles_what_runs_and_starts_nothing_new() {
    let mut rig = rig(92);
    // With more, so many requests may be under way.
    rig.reconfigure("concurrency = 4", "concurrency = 1");
    let running = in_the_middle(&rig, Duration::from_secs(1));
    let calls = rig.calls(CREATE);
    running.signal("TERM");
    until("it has heard", || running.said().contains("Stopping"));
    let run = running.end().expect(130);
    run.says(&["Interrupted"]).gives_nobody_away(&rig);
    // Calls are counted as they are done: the one that was held is one more, and it is the last.
    assert_eq!(rig.calls(CREATE), calls + 1);
    assert_eq!(open_intents(&rig), 0);
    assert!(rig.managed().len() >= 40 && rig.managed().len() < 200);
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
    rig.everybody_has_one_account();
}

#[test]
fn a_second_signal_stops_at_once() {
    let rig = rig(93);
    let running = in_the_middle(&rig, Duration::from_mins(1));
    running.signal("INT");
    until("it has heard", || running.said().contains("Stopping"));
    running.signal("INT");
    assert!(running.end().expect(130).took < Duration::from_secs(50));
}

#[test]
fn a_signal_while_planning_ends_at_once() {
    let rig = rig(94);
    rig.faults().next(1, None, Fault::Delay(Duration::from_mins(1)));
    let running = rig.start(&["--yes"]);
    until("the site is asked", || rig.faults().are_spent());
    running.signal("TERM");
    assert!(running.end().expect(130).took < Duration::from_secs(50));
    rig.faults().clear();
    rig.run(&["--yes"]).expect(0);
}

#[test]
fn of_two_processes_on_one_store_the_second_gives_way() {
    let rig = rig(95);
    let running = in_the_middle(&rig, Duration::from_secs(2));
    let pid = running.pid().to_string();
    for args in [&["--yes"][..], &["--plan"]] {
        let second = rig.run(args).expect(6);
        second.says(&[&pid]);
        assert!(second.out.is_empty());
    }
    running.end().expect(0);
    rig.run(&["--plan"]).expect(0);
    rig.everybody_has_one_account();
}
