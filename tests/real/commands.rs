//! Commands that only look: `check` and `journal`, by the program as it is shipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reconcile::sim::campus::attribute;
use reconcile::targets::moodle::sim::Fault;
use serde_json::Value;

use crate::rig::{CREATE, Outside, Rig, Run, UPDATE, username};
use crate::slapd::silent_port;

/// Every file of the store with its bytes; of the lock only that it is there.
fn store(rig: &Rig) -> BTreeMap<PathBuf, Vec<u8>> {
    fn all(dir: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all(&path, into);
            } else {
                into.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    all(&rig.path("store"), &mut files);
    files
}

/// Everything that a command might write to.
fn everything(rig: &Rig) -> (Outside, BTreeMap<PathBuf, Vec<u8>>) {
    (rig.outside(), store(rig))
}

fn nothing_was_written(rig: &Rig, (outside, files): &(Outside, BTreeMap<PathBuf, Vec<u8>>)) {
    rig.nothing_was_written(outside);
    assert!(store(rig) == *files, "the store was written to");
}

/// The findings of a system that are not as they should be: what, level, found, fix.
fn amiss(run: &Run, system: &str) -> Vec<[String; 4]> {
    let found = run.report();
    let systems = found["systems"].as_array().unwrap();
    let system = systems.iter().find(|one| one["system"] == system).unwrap_or_else(|| panic!("{system}: {found:#}"));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = system["checks"].as_array().unwrap().iter().filter(|check| check["level"] != "good");
    checks.map(|check| ["what", "level", "found", "fix"].map(|key| text(check, key))).collect()
}

/// Holds that a check finds a problem of this system, says what to do, and writes nothing.
fn finds(rig: &Rig, code: i32, system: &str, words: &[&str]) {
    let before = everything(rig);
    let run = rig.json(&["check"]).expect(code);
    let problems: Vec<_> = amiss(&run, system).into_iter().filter(|[_, level, ..]| level == "problem").collect();
    assert!(!problems.is_empty(), "{system} is said to be well\n{}", run.out);
    let said = format!("{problems:?}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in\n{said}");
    }
    assert!(problems.iter().all(|[.., fix]| !fix.is_empty()), "a problem without a fix\n{said}");
    run.gives_nobody_away(rig);
    let text = rig.run(&["check"]).expect(code);
    assert!(text.out.contains("  problem  ") && text.out.contains("    fix: "), "{}", text.out);
    text.gives_nobody_away(rig);
    nothing_was_written(rig, &before);
}

#[test]
fn on_a_good_rig_all_is_well_and_no_store_is_made() {
    let mut rig = Rig::new(110, 60);
    rig.reconfigure("[guard]\nfirst_load = true\n\n", "");
    let before = everything(&rig);
    let run = rig.json(&["check"]).expect(0);
    assert_eq!(run.report()["problems"], 0);
    for system in ["configuration", "store", "portal_ldap", "metavault", "moodle"] {
        let amiss: Vec<_> = amiss(&run, system).into_iter().filter(|[_, level, ..]| level == "problem").collect();
        assert!(amiss.is_empty(), "{system}: {amiss:?}");
    }
    run.says(&["will be made at the first run"]);
    assert!(!rig.path("store").exists());
    rig.run(&["check"]).expect(0).says(&["Nothing is wrong", "moodle"]);
    rig.run(&["check", "--pipeline", "toi"]).expect(64);
    nothing_was_written(&rig, &before);

    let rig = Rig::loaded(111, 60);
    let before = everything(&rig);
    let run = rig.json(&["check"]).expect(0);
    run.says(&["as remembered", "entries in the journal", "first_load is on"]);
    assert_eq!(amiss(&run, "store"), [] as [[String; 4]; 0]);
    nothing_was_written(&rig, &before);
}

#[test]
fn what_is_wrong_with_a_way_to_a_server_is_found_with_its_fix() {
    let mut rig = Rig::loaded(112, 60);
    rig.secret("wrong", "Forgotten-4711");
    let file = format!("file:{}", rig.path("wrong").display());
    rig.reconfigure("env:REAL_PORTAL_PASSWORD", &file);
    finds(&rig, 1, "portal_ldap", &["bind_dn"]);
    assert!(!rig.run(&["check"]).text().contains("Forgotten-4711"));
    rig.reconfigure(&file, "env:NOT_SET_ANYWHERE");
    finds(&rig, 78, "configuration", &["NOT_SET_ANYWHERE"]);
    rig.reconfigure("env:NOT_SET_ANYWHERE", "env:REAL_PORTAL_PASSWORD");

    let (url, silent) = (rig.slapd.tls_url(), format!("ldaps://127.0.0.1:{}", silent_port()));
    rig.reconfigure(&url, &silent);
    finds(&rig, 1, "portal_ldap", &["`url`"]);
    rig.reconfigure(&silent, &url);

    rig.reconfigure("metavault.db", "no-such.db");
    finds(&rig, 1, "metavault", &["no-such.db"]);
    assert!(!rig.path("no-such.db").exists());
    rig.reconfigure("no-such.db", "metavault.db");

    let (url, silent) = (rig.moodle.base_url(), format!("http://127.0.0.1:{}", silent_port()));
    rig.reconfigure(&url, &silent);
    finds(&rig, 1, "moodle", &["MOODLE_CONNECTION_FAILED"]);
    rig.reconfigure(&silent, &url);
    rig.secret("token", "0123456789abcdef0123456789abcdef");
    finds(&rig, 1, "moodle", &["MOODLE_TOKEN_FAILED"]);
    rig.secret("token", rig.moodle.token());
    rig.run(&["check"]).expect(0);
}

#[test]
fn a_site_that_lacks_what_is_needed_is_found_with_its_fix() {
    let site = |change: fn(&mut reconcile::targets::moodle::sim::SitePlan)| {
        let mut plan = reconcile::targets::moodle::sim::SitePlan::default();
        change(&mut plan);
        Rig::with(113, 60, plan)
    };
    let rig = site(|plan| plan.functions.retain(|name| name != UPDATE));
    finds(&rig, 1, "moodle", &[UPDATE]);
    assert!(!rig.path("store").exists());
}

#[test]
fn a_configuration_that_does_not_parse_is_a_finding() {
    let mut rig = Rig::new(114, 60);
    rig.reconfigure("batch_size", "batch_sise");
    finds(&rig, 78, "configuration", &["batch_sise", "reconcile.toml:"]);
    rig.reconfigure("[moodle]", "[moddle]");
    let before = everything(&rig);
    rig.run(&["check"]).expect(78).says(&["there is no section [moddle]"]);
    rig.run(&["journal"]).expect(78);
    nothing_was_written(&rig, &before);
}

/// The journal's entries as JSON.
fn entries(rig: &Rig, args: &[&str]) -> Vec<Value> {
    let mut all = vec!["journal"];
    all.extend(args);
    let run = rig.json(&all).expect(0);
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// No user name, address or number of anybody on the campus is in a text.
fn names_nobody(rig: &Rig, text: &str) {
    for person in &rig.campus.people {
        for name in [attribute::USERNAME, attribute::UH_USERNAME, attribute::EMAIL, attribute::EPPN, "displayName"] {
            if let Some(value) = person.text(name).filter(|value| value.len() > 5) {
                assert!(!text.contains(value), "a value of {} is in the journal", person.uhid);
            }
        }
    }
    assert!(!text.contains('@'), "an address is in the journal");
}

#[test]
fn the_journal_lists_every_write_with_its_outcome_and_names_nobody() {
    let rig = Rig::loaded(115, 120);
    let before = everything(&rig);
    let all = entries(&rig, &["--limit", "all"]);
    let of = |entry: &str| all.iter().filter(|one| one["entry"] == entry).cloned().collect::<Vec<Value>>();
    let (intents, outcomes, notes) = (of("intent"), of("outcome"), of("note"));
    assert_eq!(intents.len(), rig.managed().len(), "every account that was made is in it");
    let numbers = |of: &[Value], key: &str| of.iter().map(|one| one[key].as_u64().unwrap()).collect::<BTreeSet<u64>>();
    assert_eq!(numbers(&intents, "number"), numbers(&outcomes, "intent"));
    assert!(outcomes.iter().all(|one| one["result"] == "landed" && one["settled"] == true));
    assert_eq!(notes.len(), 1);
    for one in intents.iter().chain(&outcomes) {
        for key in ["run", "who", "pipeline", "kind", "key", "action", "at"] {
            assert!(one[key].is_string(), "{key} is not in {one}");
        }
        assert!(one["attributes"].as_array().is_some_and(|names| !names.is_empty()), "{one}");
    }
    let keys: BTreeSet<&str> = intents.iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert!(rig.plain().all(|person| keys.contains(person.uhid.as_str())));

    let text = rig.run(&["journal"]).expect(0);
    assert_eq!(text.out.lines().count(), 50, "the last fifty");
    assert_eq!(text.err, "");
    let whole = rig.run(&["journal", "--limit", "all"]).expect(0);
    assert_eq!(whole.out.lines().count(), intents.len() + 1);
    assert!(whole.out.ends_with(&text.out.lines().last().map(|line| format!("{line}\n")).unwrap()), "newest last");
    names_nobody(&rig, &whole.text());
    names_nobody(&rig, &rig.json(&["journal", "--limit", "all"]).text());
    nothing_was_written(&rig, &before);
}

#[test]
fn the_journal_is_searched_by_person_run_and_time() {
    let rig = Rig::loaded(116, 80);
    let person = rig.plain().nth(3).unwrap().clone();
    rig.replace(&person, attribute::SURNAME, "Nyttnavn");
    let second = rig.json(&["--yes", "--changed"]).expect(0).report()["run"].as_str().unwrap().to_owned();
    let before = everything(&rig);
    let mine = entries(&rig, &["--key", &person.uhid]);
    assert_eq!(mine.len(), 4, "made and changed, each with its outcome: {mine:?}");
    assert_eq!(entries(&rig, &["--key", &format!("uhid={}", person.uhid.to_uppercase())]), mine);
    let name = person.text(attribute::UH_USERNAME).unwrap();
    assert_eq!(entries(&rig, &["--key", &format!("uh-username={name}")]), mine, "found by what the store last read");
    let unknown = rig.run(&["journal", "--key", "username=nobody.at.all"]).expect(1);
    assert!(unknown.out.is_empty() && !unknown.err.contains("nobody.at.all"), "{}", unknown.err);
    let run = entries(&rig, &["--run", &second]);
    assert_eq!(run.iter().filter(|one| one["entry"] == "intent").count(), 1, "{run:?}");
    assert!(run.iter().all(|one| one["run"] == second));
    let text = rig.run(&["journal", "--run", &second]).expect(0);
    text.says(&["update account", &person.uhid, "lastname", "done"]);

    let whole = entries(&rig, &["--limit", "all"]);
    assert_eq!(entries(&rig, &["--limit", "all", "--since", "1h"]), whole);
    assert_eq!(entries(&rig, &["--limit", "all", "--since", "2020-01-01"]), whole);
    rig.run(&["journal", "--since", "2999-01-01"]).expect(64).says(&["lies in the future"]);
    let later = run.iter().map(|one| one["at"].as_str().unwrap()).min().unwrap();
    let since = entries(&rig, &["--limit", "all", "--since", later]);
    assert!(since.len() >= run.len() && since.len() < whole.len(), "{} of {}", since.len(), whole.len());
    assert!(since.iter().all(|one| one["at"].as_str().unwrap() >= later));
    assert_eq!(entries(&rig, &["--limit", "3"]), whole[whole.len() - 3..]);
    nothing_was_written(&rig, &before);
}

#[test]
fn what_is_in_doubt_is_listed_until_it_is_read_back() {
    let rig = Rig::new(117, 60);
    rig.run(&["journal"]).expect(0).says(&["nothing has been written"]);
    assert!(!rig.path("store").exists());
    rig.faults().next(1, Some(CREATE), Fault::CutAfter);
    rig.run(&["--yes"]).expect(4).says(&["in doubt"]);
    let open = rig.run(&["journal", "--open"]).expect(0);
    let count = open.out.lines().count();
    assert!(count > 0 && open.out.lines().all(|line| line.contains("in doubt since")), "{}", open.out);
    rig.run(&["check"]).expect(0).says(&[&format!("writes without an outcome: {count} (")]);
    assert!(entries(&rig, &["--open"]).iter().all(|one| one["in_doubt_since"].is_string()));
    rig.settles();
    assert_eq!(rig.run(&["journal", "--open"]).expect(0).out, "");
    rig.run(&["journal", "--limit", "all"]).expect(0).says(&["read back: it is there"]);
}

#[test]
fn the_journal_after_a_killed_pass_is_read() {
    let rig = Rig::new(118, 200);
    rig.faults().next(1, Some(CREATE), Fault::LandsLater(std::time::Duration::from_secs(5)));
    let running = rig.start(&["--yes"]);
    crate::rig::until("the first account is asked for", || rig.calls(CREATE) > 0);
    let held = rig.run(&["journal"]).expect(6);
    held.says(&[&format!("process {}", running.pid())]);
    running.signal("KILL");
    running.end();
    rig.run(&["check"]).expect(0);
    let open = rig.run(&["journal", "--open"]).expect(0);
    assert!(open.out.lines().count() > 0, "{}", open.text());
    let one = rig.plain().next().unwrap();
    assert!(!open.out.contains(&username(one)));
}
