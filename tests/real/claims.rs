//! What was remembered is lost: nothing goes on as if it had never been, and evidence brings it back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reconcile::sim::campus::attribute;
use serde_json::Value;

use crate::rig::Rig;

/// A site that holds the accounts, with their marks and ids in the directory.
fn marked(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, 150);
    rig.reconfigure(
        "[portal_ldap]",
        "[portal]\n[portal.pace]\nper_second = 5000\nburst = 50\nconcurrency = 4\n\n[portal_ldap]",
    );
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
    // From here on nothing new may be filled by itself.
    rig.reconfigure("first_load = true", "first_load = false");
    rig
}

fn of<'r>(report: &'r Value, pipeline: &str, kind: &str) -> &'r Value {
    let named = |all: &'r Value, key: &str, name: &str| {
        all.as_array().unwrap().iter().find(|one| one[key] == name).unwrap_or_else(|| panic!("{name} in {report}"))
    };
    named(&named(&report["pipelines"], "name", pipeline)["kinds"], "kind", kind)
}

fn count(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

#[test]
fn a_pipeline_that_lost_its_claims_is_refused_and_rebuilt_from_the_directory_and_the_site() {
    let rig = marked(140);
    let accounts = rig.managed().len();
    let store = rig.path("store");
    fs::remove_file(store.join("moodle.redb")).unwrap();
    fs::remove_file(store.join("claims/moodle.jsonl")).unwrap();
    let before = rig.outside();
    rig.run(&["check"]).expect(1).says(&["moodle", "--rebuild-claims"]);
    for args in [&["--plan"][..], &["--yes"], &["--yes", "--pipeline", "moodle"], &["--plan", "--adopt"]] {
        let run = rig.run(args).expect(1);
        run.says(&["CLAIMS_LOST", "claims/moodle.jsonl", "--rebuild-claims", "from the backup"])
            .gives_nobody_away(&rig);
        assert!(!store.join("moodle.redb").exists(), "{args:?} begins no new one");
    }
    let planned = rig.json(&["--plan", "--rebuild-claims", "--pipeline", "moodle"]).expect(2);
    planned.gives_nobody_away(&rig);
    let report = planned.report();
    assert_eq!(report["pipelines"].as_array().unwrap().len(), 1);
    let derived = of(&report, "moodle", "account");
    let known = count(&derived["derived"]) + count(&derived["contradicted"]);
    assert!(count(&derived["derived"]) > accounts * 9 / 10, "{accounts} accounts: {derived}");
    assert!(!store.join("moodle.redb").exists(), "a plan remembers nothing");

    rig.run(&["--rebuild-claims", "--yes", "--why", "a disk died"]).expect(0).says(&["are remembered"]);
    let copy = store.join("claims/moodle.jsonl");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&copy).unwrap().lines().count(), count(&derived["derived"]));
    rig.run(&["journal"]).expect(0).says(&["rebuilt from evidence", "a disk died"]);
    rig.nothing_was_written(&before);
    assert!(known <= accounts);
    rig.run(&["--plan"]).expect(0);
    rig.run(&["--yes"]).expect(0);
    rig.nothing_was_written(&before);
    rig.everybody_has_one_account();
    // And what is due from then on is done.
    let moved = rig.plain().find(|person| derived["derived"].get(&person.uhid).is_some()).unwrap();
    rig.replace(moved, attribute::SURNAME, "Nyttnavn");
    rig.run(&["--yes"]).expect(0);
    assert_eq!(rig.account(moved).lastname, "Nyttnavn");
}

#[test]
fn commands_that_only_read_say_what_is_lost_and_show_the_rest() {
    let rig = marked(143);
    let person = rig.plain().next().unwrap().clone();
    let store = rig.path("store");
    fs::remove_file(store.join("moodle.redb")).unwrap();
    fs::remove_file(store.join("claims/moodle.jsonl")).unwrap();
    let before = rig.outside();
    let next = ["CLAIMS_LOST", "claims/moodle.jsonl", "from the backup", "reconcile --rebuild-claims"];
    let lost = |of: &Value| {
        assert_eq!(of["code"], "CLAIMS_LOST", "{of}");
        assert!(of["message"].as_str().unwrap().contains("reconcile --rebuild-claims"), "{of}");
    };
    for live in [&[][..], &["--live"]] {
        let args = [&["explain", &person.uhid][..], live].concat();
        let run = rig.run(&args).expect(1);
        run.says(&next).says(&["not known: what was remembered is not there", "marks: "]);
        assert!(!run.text().contains("first load is still to come"), "{}", run.out);
        let report = rig.json(&args).expect(1).report();
        let (moodle, portal) = (&report["pipelines"][0], &report["pipelines"][1]);
        lost(&moodle["stopped"]);
        assert_eq!(
            (moodle["first_load"].as_bool(), moodle["kinds"][0]["observed"].as_str()),
            (Some(false), Some("unknown"))
        );
        assert_eq!((&portal["stopped"], portal["kinds"][0]["observed"].as_str()), (&Value::Null, Some("present")));
    }
    rig.run(&["explain", &person.uhid, "--pipeline", "portal"]).expect(0);
    rig.run(&["explain", "nobody-here"]).expect(1).says(&["nobody is known by that", "CLAIMS_LOST"]);

    rig.run(&["conflicts"]).expect(1).says(&next).says(&["in the others"]);
    let report = rig.json(&["conflicts"]).expect(1).report();
    assert!(report["conflicts"].is_array());
    lost(&report["stopped"][0]);
    rig.run(&["conflicts", "--pipeline", "portal"]).expect(0);

    rig.run(&["journal"]).expect(1).says(&next).says(&["update marks"]);
    let lines = rig.json(&["journal"]).expect(1).out;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["entry"], &lines[0]["pipeline"]), (&"stopped".into(), &"moodle".into()));
    lost(&lines[0]);
    assert!(lines.len() > 1 && lines[1..].iter().all(|line| line["pipeline"] == "portal"));
    rig.run(&["journal", "--pipeline", "portal"]).expect(0);
    assert!(!store.join("moodle.redb").exists(), "looking begins no new one");
    rig.nothing_was_written(&before);
    // Of a pipeline that is configured no more nobody misses anything but by its name.
    let mut rig = rig;
    fs::remove_file(store.join("portal.redb")).unwrap();
    let to_come = ["CLAIMS_RESTORED", "the next pass restores its claims", "claims/portal.jsonl"];
    for command in [&["explain", &person.uhid, "--pipeline", "portal"][..], &["conflicts"], &["journal"]] {
        rig.run(command).expect(1).says(&to_come);
    }
    rig.run(&["--yes", "--pipeline", "portal"]).expect(0);
    rig.run(&["explain", &person.uhid, "--pipeline", "portal"]).expect(0);
    rig.reconfigure("[moodle]", "[moodle]\nenabled = false");
    rig.run(&["journal"]).expect(0);
    rig.run(&["journal", "--pipeline", "moodle"]).expect(1);
}

#[test]
fn after_the_whole_store_was_lost_a_rebuild_leaves_nothing_to_make_to_close_or_to_take_away() {
    let rig = marked(141);
    fs::remove_dir_all(rig.path("store")).unwrap();
    let before = rig.outside();
    rig.run(&["--rebuild-claims", "--plan"]).expect(2).says(&["derived", "Nothing is written to any target"]);
    let run = rig.run(&["--rebuild-claims", "--yes"]).expect(0);
    run.says(&["are remembered"]).gives_nobody_away(&rig);
    rig.run(&["--plan"]).expect(0);
    rig.run(&["--yes"]).expect(0);
    rig.nothing_was_written(&before);
    rig.everybody_has_one_account();
}

#[test]
fn passes_over_one_person_each_do_no_more_in_a_day_than_one_over_everybody() {
    let mut rig = Rig::loaded(142, 200);
    rig.reconfigure("first_load = true", "first_load = false");
    let some: Vec<_> = rig.plain().take(12).cloned().collect();
    let pass = |n: usize, more: &[&str]| {
        let key = format!("uhid={}", some[n].uhid);
        assert!(rig.world().edit_user(rig.account(&some[n]).id, |user| user.firstname = "By hand".into()));
        rig.run(&[&["--yes", "--key", &key][..], more].concat())
    };
    for n in 0..10 {
        pass(n, &[]).expect(0);
    }
    let refused = pass(10, &[]).expect(3);
    refused.says(&["10 were within the last 24 hours without anybody's approval", "11 together", "--allow"]);
    assert_eq!(rig.account(&some[10]).firstname, "By hand");
    pass(10, &["--allow", "updates", "--allow", "one-attribute", "--why", "a busy day"]).expect(0);
    assert_ne!(rig.account(&some[10]).firstname, "By hand");
    // Looking refuses as acting does.
    pass(11, &[]).expect(3);
}
