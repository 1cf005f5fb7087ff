//! The whole way on a whole university: plan, apply, and nothing left.

use crate::rig::{REPORT, Rig};

/// Plan, apply, plan: 2, 0, 0.
fn converges(rig: &Rig, what: &str) {
    let before = rig.outside();
    let plan = rig.run(&["--plan"]).expect(2);
    rig.nothing_was_written(&before);
    let apply = rig.json(&["--yes"]).expect(0);
    let writes = rig.writing_calls();
    let end = rig.json(&["--plan"]).expect(0);
    assert_eq!(rig.writing_calls(), writes);
    assert_eq!(end.pipeline()["changes"].as_array().map(Vec::len), Some(0));
    assert_eq!(apply.count("totalAddUser"), rig.managed().len() as u64);
    assert_eq!(apply.count("peopleFailed"), 0);
    rig.everybody_has_one_account();
    let people = rig.campus.people.len();
    println!("{what}, {people} people: plan {:?}, apply {:?}, plan {:?}", plan.took, apply.took, end.took);
}

#[test]
fn a_university_of_20_000_converges_in_one_pass() {
    converges(&Rig::new(1, 20_000), "by report");
}

#[test]
fn without_a_report_a_site_converges_as_well() {
    let mut rig = Rig::new(2, 2_000);
    rig.reconfigure("[moodle.report]\nid = 1\n", "");
    converges(&rig, "by search");
    assert_eq!(rig.calls(REPORT), 0);
}
