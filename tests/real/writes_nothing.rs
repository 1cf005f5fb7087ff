//! What must not write does not: plans, refused plans, a pass over what is in sync.

use crate::rig::{REPORT, Rig};

#[test]
fn planning_writes_nothing_anywhere() {
    let rig = Rig::new(20, 200);
    let before = rig.outside();
    for args in [
        &["--plan"][..],
        &["--plan", "--format", "json"],
        &["--plan", "--changed"],
        &["--plan", "--limit", "5"],
        &["--plan", "--out", "p.json"],
        &["--plan", "--report-dir", "."],
    ] {
        rig.run(args).expect(2);
    }
    rig.run(&["--plan", "--adopt"]).expect(0);
    rig.run(&[]).expect(64);
    rig.nothing_was_written(&before);
    assert_eq!(rig.world().writes().calls, 0);
}

#[test]
fn a_refused_plan_writes_nothing() {
    let mut rig = Rig::loaded(21, 300);
    rig.reconfigure("name = \"Test University\"", "name = \"Renamed University\"");
    let before = rig.outside();
    let run = rig.run(&["--yes"]).expect(3);
    run.says(&["updates", "one-attribute", "collapse", "--allow"]).gives_nobody_away(&rig);
    rig.run(&["--yes", "--allow", "updates"]).expect(3);
    rig.nothing_was_written(&before);
    rig.run(&["--yes", "--allow", "updates", "--allow", "one-attribute", "--allow", "collapse"]).expect(0);
    assert!(rig.managed().iter().all(|user| user.suspended || user.institution == "Renamed University"));
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_second_pass_does_nothing() {
    let rig = Rig::loaded(22, 200);
    let (before, writes, reads) = (rig.outside(), rig.writing_calls(), rig.calls(REPORT));
    let run = rig.json(&["--yes"]).expect(0);
    assert_eq!(run.count("peopleChanged"), 0);
    rig.nothing_was_written(&before);
    assert_eq!(rig.writing_calls(), writes);
    assert_eq!(rig.calls(REPORT), reads + 1);
}
