//! What is put out and kept: results on standard output, everything else on standard error, files for the
//! owner alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::rig::{Rig, Run};

/// total = skipped + unchanged + changed + failed.
fn adds_up(run: &Run) {
    let parts = ["totalSkipped", "totalUnchangedUser", "peopleChanged", "peopleFailed"];
    assert_eq!(run.count("total"), parts.iter().map(|name| run.count(name)).sum::<u64>());
    let in_directory = run.report()["sources"][0]["people"].as_u64().unwrap();
    assert_eq!(run.count("total"), in_directory);
}

#[test]
fn results_go_to_standard_output_and_logs_to_standard_error() {
    let rig = Rig::new(100, 200);
    let plan = rig.json(&["--plan", "-vv"]).expect(2);
    adds_up(&plan);
    assert!(!plan.err.is_empty(), "with -vv something is logged");
    plan.gives_nobody_away(&rig);
    assert_eq!(plan.report()["mode"], "plan");
    let apply = rig.json(&["--yes", "-vvv"]).expect(0);
    adds_up(&apply);
    apply.gives_nobody_away(&rig);
    assert_eq!(apply.count("peopleChanged"), plan.count("peopleChanged"));
    let end = rig.json(&["--plan"]).expect(0);
    adds_up(&end);
    assert_eq!(end.err, "");
    let text = rig.run(&["--plan"]).expect(0);
    assert!(
        (text.out.contains("In sync.") || text.out.contains("\nNothing to write. Not in sync: "))
            && !text.out.contains('\u{1b}'),
        "{}",
        text.out
    );
    assert_eq!(text.err, "");
}

#[test]
fn a_failed_pass_adds_up_as_well() {
    use reconcile::targets::moodle::sim::Fault;
    let rig = Rig::new(101, 200);
    rig.faults().next(1, Some(crate::rig::CREATE), Fault::CutAfter);
    let run = rig.json(&["--yes"]).expect(4);
    adds_up(&run);
    assert!(run.count("totalAddUserFail") > 0 && run.count("totalAddUser") > 0);
    adds_up(&rig.json(&["--plan"]).expect(4));
}

#[test]
fn what_is_kept_is_for_its_owner_alone() {
    let rig = Rig::new(102, 100);
    fs::create_dir(rig.path("reports")).unwrap();
    rig.run(&["--plan", "--out", "plan.json"]).expect(2);
    rig.run(&["--yes", "--report-dir", "reports"]).expect(0);
    let kept: Vec<_> = fs::read_dir(rig.path("reports")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].file_name().unwrap().to_str().unwrap().starts_with("moodle-20"));
    serde_json::from_slice::<serde_json::Value>(&fs::read(&kept[0]).unwrap()).unwrap();
    private(&kept[0]);
    private(&rig.path("plan.json"));
    private(&rig.path("store"));
}

fn private(path: &Path) {
    let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
    if path.is_dir() {
        assert_eq!(mode, 0o700, "{}", path.display());
        fs::read_dir(path).unwrap().for_each(|entry| private(&entry.unwrap().path()));
    } else {
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}
