//! The approval road: a plan is saved, read, and approved once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reconcile::sim::campus::attribute;
use reconcile_state::store::StoreDir;

use crate::rig::{Rig, username};

fn awaiting(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, 200);
    rig.reconfigure("first_load = true", "first_load = false");
    rig
}

#[test]
fn a_saved_plan_is_approved_once() {
    let rig = awaiting(10);
    let before = rig.outside();
    let plan = rig.run(&["--plan", "--out", "plan.json"]).expect(2);
    assert_eq!(fs::metadata(rig.path("plan.json")).unwrap().permissions().mode() & 0o777, 0o600);
    plan.gives_nobody_away(&rig);
    rig.nothing_was_written(&before);
    rig.run(&["--yes"]).expect(3).says(&["first-load", "--approve"]);
    rig.nothing_was_written(&before);

    rig.run(&["--approve", "plan.json", "--why", "first load"]).expect(0);
    rig.everybody_has_one_account();
    let before = rig.outside();
    rig.run(&["--approve", "plan.json"]).expect(1).says(&["used already"]);
    rig.nothing_was_written(&before);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_plan_that_is_foreign_altered_or_broken_is_refused() {
    let mut rig = awaiting(11);
    rig.run(&["--plan", "--out", "plan.json"]).expect(2);
    let before = rig.outside();
    let text = fs::read_to_string(rig.path("plan.json")).unwrap();
    let year = "\"expires\": \"20";
    assert!(text.contains(year));
    for (name, content, why) in [
        ("longer.json", text.replace(year, "\"expires\": \"21"), "was changed after it was saved"),
        ("half.json", text[..text.floor_char_boundary(text.len() / 2)].to_owned(), "is no saved plan"),
        ("empty.json", String::new(), "is no saved plan"),
    ] {
        fs::write(rig.path(name), content).unwrap();
        let run = rig.run(&["--approve", name]).expect(1);
        run.says(&[why, "--plan --out"]).gives_nobody_away(&rig);
        assert!(run.out.is_empty());
    }
    rig.run(&["--approve", "none.json"]).expect(1).says(&["none.json cannot be read"]);
    rig.reconfigure("path = \"store\"", "path = \"another\"");
    rig.run(&["--approve", "plan.json"]).expect(1).says(&["belongs to another store"]);
    rig.nothing_was_written(&before);
}

#[test]
fn a_plan_older_than_a_day_is_refused() {
    let rig = awaiting(13);
    rig.run(&["--plan", "--out", "plan.json"]).expect(2);
    let before = rig.outside();
    fs::write(rig.path("plan.json"), aged(&rig)).unwrap();
    rig.run(&["--approve", "plan.json"]).expect(1).says(&["older than 24 hours", "--plan --out"]);
    rig.nothing_was_written(&before);
}

/// The saved plan as it would be had it been made long ago: with a seal that is right.
fn aged(rig: &Rig) -> String {
    let text = fs::read_to_string(rig.path("plan.json")).unwrap();
    let within = |from: &str, to: &str| {
        let start = text.find(from).unwrap() + from.len();
        text[start..start + text[start..].find(to).unwrap()].to_owned()
    };
    let approval = within("\"approval\": ", ",\n\"report\": ");
    let report = blake3::hash(within("\"report\": ", ",\n\"seal\": ").as_bytes()).to_hex();
    let mut old = approval.clone();
    for time in ["\"made\": \"20", "\"expires\": \"20"] {
        assert!(old.contains(time));
        old = old.replace(time, &time.replace("20", "19"));
    }
    let store = StoreDir::open(rig.path("store"), [0; 32]).unwrap();
    let seal =
        |approval: &str| store.digester().texts(["reconcile", "plan", &compact(approval), report.as_str()]).to_string();
    assert_eq!(seal(&approval), within("\"seal\": \"", "\""), "the seal is made otherwise by now");
    text.replace(&approval, &old).replace(&seal(&approval), &seal(&old))
}

/// JSON without the blanks between its parts.
fn compact(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keeps = |c: &char| {
        let quote = *c == '"' && !escaped;
        escaped = inside && *c == '\\' && !escaped;
        inside ^= quote;
        inside || quote || !c.is_ascii_whitespace()
    };
    json.chars().filter(keeps).collect()
}

#[test]
fn what_was_not_in_the_approved_plan_is_not_made() {
    let rig = awaiting(12);
    rig.run(&["--plan", "--out", "plan.json"]).expect(2);
    let moved = rig.plain().next().unwrap();
    rig.replace(moved, attribute::SURNAME, "Nyttnavn");
    rig.run(&["--approve", "plan.json"]).expect(2).says(&[
        "no longer called for",
        &moved.uhid,
        "not in the approved plan",
    ]);
    assert!(rig.world().user(&username(moved)).is_none());
    assert!(rig.plain().skip(1).all(|person| rig.world().user(&username(person)).is_some()));
    rig.run(&["--yes"]).expect(0);
    assert_eq!(rig.account(moved).lastname, "Nyttnavn");
}
