//! What a newcomer tries first: it plays to its end, and leaves nothing behind.

use std::process::Command;

#[test]
fn the_demo_converges_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    let played = demo.arg("demo").current_dir(place.path()).env("TMPDIR", place.path()).output().unwrap();
    let (told, faults) = (String::from_utf8(played.stdout).unwrap(), String::from_utf8_lossy(&played.stderr));
    assert!(played.status.success(), "{faults}\n{told}");
    let ends: Vec<&str> = told.lines().filter(|line| line.starts_with("(exit code ")).collect();
    let codes = ["0", "2", "0", "0", "0", "2", "0", "0", "0"].map(|code| format!("(exit code {code})"));
    assert_eq!(ends, codes, "{told}");
    assert!(told.contains("waiting for approval") && told.contains("\nDone: "), "{told}");
    assert_eq!(told.matches("\nNothing to write.").count(), 2, "a pass after a pass does nothing: {told}");
    assert_eq!(place.path().read_dir().unwrap().count(), 0);
}
