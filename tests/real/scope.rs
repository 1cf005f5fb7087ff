//! Narrow scopes: named people, lists, the first few, and whoever changed.

use reconcile::sim::campus::{CampusPerson, attribute};
use reconcile::targets::moodle::sim::User;
use serde_json::json;

use crate::rig::{AUTH, REPORT, Rig, username};

fn made(rig: &Rig) -> Vec<String> {
    rig.managed().into_iter().map(|user| user.username).collect()
}

fn names(people: &[&CampusPerson]) -> Vec<String> {
    let mut names: Vec<String> = people.iter().map(|person| username(person)).collect();
    names.sort_unstable();
    names
}

#[test]
fn named_people_are_done_and_nobody_else() {
    let rig = Rig::new(70, 200);
    let named = |person: &&CampusPerson| person.text(attribute::USERNAME).is_some();
    let people: Vec<&CampusPerson> = rig.plain().filter(named).take(6).collect();
    let local = format!("username={}", people[0].text(attribute::USERNAME).unwrap());
    let uh = format!("uh-username={}", people[1].text(attribute::UH_USERNAME).unwrap());
    let id = format!("idautoID={}", people[2].uhid);
    let upper = format!("uhid={}", people[3].uhid.to_uppercase());
    // Whether somebody has an account already cannot be said before it is known who else bears the same number.
    rig.run(&["--yes", "--key", &local]).expect(5).says(&["everybody-unknown", "read everybody once"]);
    assert_eq!(rig.managed().len(), 0);
    rig.run(&["--plan"]).expect(2);
    let read = rig.calls(REPORT);
    for (at, key) in [&local, &uh, &id, &upper].into_iter().enumerate() {
        let run = rig.json(&["--yes", "--key", key]).expect(0);
        assert_eq!(run.report()["scope"]["people"], 1);
        assert_eq!(rig.managed().len(), at + 1, "{}", run.out);
        assert!(rig.world().user(&username(people[at])).is_some());
    }
    let (five, six) = (format!("uhid={}", people[4].uhid), format!("username={}", username(people[5])));
    rig.run(&["--yes", "--key", &five, "--key", &six, "--key", &local]).expect(0);
    let mut made = made(&rig);
    made.sort_unstable();
    assert_eq!(made, names(&people));
    assert_eq!(rig.calls(REPORT), read, "a narrow scope does not read everything");
    rig.run(&["--yes"]).expect(0);
    rig.everybody_has_one_account();
}

#[test]
fn a_key_that_nobody_bears_is_told() {
    let rig = Rig::loaded(71, 100);
    let before = rig.outside();
    let run = rig.json(&["--yes", "--key", "username=nobody-here"]).expect(1);
    assert_eq!(run.report()["scope"]["unknown_keys"], json!(["username=nobody-here"]));
    rig.run(&["--plan", "--key", "uhid=00000000-0000-4000-8000-000000000000"])
        .expect(1)
        .says(&["unknown", "error: no source knows"]);
    rig.run(&["--plan", "--key", "mail=x"]).expect(64);
    // A character that means something in a filter is only a character.
    rig.run(&["--plan", "--key", "username=*"]).expect(1);
    rig.nothing_was_written(&before);
}

#[test]
fn a_list_of_keys_comes_from_a_file_or_from_standard_input() {
    let rig = Rig::new(72, 200);
    let people: Vec<&CampusPerson> = rig.plain().take(4).collect();
    let list = |some: &[&CampusPerson]| {
        format!("# people\n{}\nuh-username={}\n", some[0].uhid, some[1].text(attribute::UH_USERNAME).unwrap())
    };
    std::fs::write(rig.path("keys"), list(&people[..2])).unwrap();
    rig.run(&["--plan"]).expect(2);
    rig.run(&["--yes", "--keys-from", "keys"]).expect(0);
    rig.run_with_input(&["--yes", "--keys-from", "-"], &list(&people[2..])).expect(0);
    let mut made = made(&rig);
    made.sort_unstable();
    assert_eq!(made, names(&people));
    let before = rig.outside();
    rig.run_with_input(&["--yes", "--keys-from", "-"], "# nobody\n").expect(64).says(&["no key"]);
    rig.run(&["--yes", "--keys-from", "missing"]).expect(64);
    rig.nothing_was_written(&before);
}

#[test]
fn a_limit_takes_the_first_people_in_key_order_and_closes_nobody() {
    let rig = Rig::new(73, 200);
    let run = rig.json(&["--yes", "--limit", "20"]).expect(0);
    assert_eq!(run.report()["scope"]["people"], 20);
    let first: Vec<&CampusPerson> = rig.campus.people.iter().filter(|one| one.in_directory).take(20).collect();
    for person in rig.plain() {
        let within = first.iter().any(|one| one.uhid == person.uhid);
        assert_eq!(rig.world().user(&username(person)).is_some(), within, "{}", person.uhid);
    }
    rig.run(&["--yes"]).expect(0);
    let before = rig.outside();
    rig.run(&["--yes", "--limit", "5"]).expect(0);
    rig.nothing_was_written(&before);
}

#[test]
fn only_whoever_changed_is_looked_at() {
    let rig = Rig::loaded(74, 200);
    let quiet = rig.json(&["--plan", "--changed"]).expect(0);
    assert_eq!(quiet.report()["scope"]["people"], 0);
    let person = rig.plain().nth(3).unwrap();
    rig.replace(person, attribute::SURNAME, "Nyttnavn");
    let reports = rig.calls(REPORT);
    for mode in ["--plan", "--yes"] {
        let run = rig.json(&[mode, "--changed"]).expect(if mode == "--plan" { 2 } else { 0 });
        let report = run.report();
        assert_eq!(report["scope"]["people"], 1);
        assert_eq!(report["pipelines"][0]["changes"][0]["key"], person.uhid);
        assert_eq!(run.count("total"), 1);
    }
    assert_eq!(rig.calls(REPORT), reports, "others are not read at the site");
    assert_eq!(rig.account(person).lastname, "Nyttnavn");
    rig.run(&["--yes", "--changed"]).expect(0);
    assert_eq!(rig.json(&["--plan", "--changed"]).expect(0).report()["scope"]["people"], 0);
    // MetaVault counts as well.
    rig.sql(&format!("UPDATE mv_person SET campus = 'Elsewhere' WHERE uhid = '{}'", person.uhid));
    assert_eq!(rig.json(&["--yes", "--changed"]).expect(0).report()["scope"]["people"], 1);
    // And whoever is new.
    rig.slapd.delete([person.dn().as_str()].into_iter());
    rig.run(&["--yes", "--changed"]).expect(0);
    assert!(!rig.account(person).suspended, "a surplus account is reported and stays open");
}

#[test]
fn a_number_that_somebody_out_of_scope_bears_too_links_nobody() {
    let rig = Rig::new(37, 300);
    let mut students = rig.plain().filter(|person| person.text(attribute::STUDENT_NUMBER).is_some());
    let (one, two) = (students.next().unwrap(), students.next().unwrap());
    let number = two.text(attribute::STUDENT_NUMBER).unwrap();
    rig.replace(one, attribute::STUDENT_NUMBER, number);
    // The other one's account is there already, under a name that is nobody's user name.
    let theirs = User {
        username: "made.long.ago".into(),
        email: "long.ago@elsewhere.example".into(),
        firstname: "Long".into(),
        lastname: "Ago".into(),
        auth: AUTH.into(),
        idnumber: number.into(),
        ..User::default()
    };
    rig.world().add_user(theirs).unwrap();
    let key = format!("idautoID={}", one.uhid);
    let adopt = ["--yes", "--adopt", "--key", &key];
    assert_eq!(rig.json(&adopt).expect(5).pipeline()["linked"], 0, "before everybody is known");
    rig.run(&["--plan"]).expect(2);
    assert_eq!(rig.json(&adopt).expect(0).pipeline()["linked"], 0, "and after");
}
