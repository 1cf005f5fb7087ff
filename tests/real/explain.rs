//! Why one person's records are as they are: out of the store alone, or planned now.

use std::collections::BTreeMap;
use std::fs;

use reconcile::sim::campus::{CampusPerson, attribute};
use reconcile::targets::moodle::sim::User;
use reconcile_state::store::StoreDir;

use crate::rig::{Rig, username};

/// Every file of the store as it is.
fn files(rig: &Rig) -> BTreeMap<String, Vec<u8>> {
    let all = fs::read_dir(rig.path("store")).unwrap().map(|file| file.unwrap().path());
    all.filter(|path| path.is_file()).map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

fn named(rig: &Rig) -> Vec<&CampusPerson> {
    rig.plain().filter(|person| person.text(attribute::USERNAME).is_some()).take(2).collect()
}

#[test]
fn explaining_reads_the_store_alone_and_leaves_it_as_it_is() {
    let rig = Rig::loaded(110, 100);
    rig.run(&["--plan"]).expect(0);
    let person = named(&rig)[0];
    let (uhid, name) = (person.uhid.clone(), username(person));
    let uh = format!("uh-username={}", person.text(attribute::UH_USERNAME).unwrap());
    let (outside, calls, store) = (rig.outside(), rig.world().calls(), files(&rig));
    for who in [uhid.as_str(), &uhid.to_uppercase(), person.text(attribute::USERNAME).unwrap(), &uh] {
        let words = [uhid.as_str(), &name, "active in Portal LDAP", "account: in sync", "to be there and open", "run "];
        rig.run(&["explain", who]).expect(0).says(&words);
    }
    let report = rig.json(&["explain", &uhid]).expect(0).report();
    assert_eq!((report["key"].as_str(), report["version"].as_u64()), (Some(uhid.as_str()), Some(1)));
    let account = &report["pipelines"][0]["kinds"][0];
    assert_eq!((account["drift"].as_str(), account["next"]["do"].as_str()), (Some("in-sync"), Some("nothing")));
    assert_eq!(account["observed"], "present");
    rig.run(&["explain", "nobody-here"]).expect(1).says(&["nobody is known by that"]);
    rig.run(&["explain", &uhid, "--pipeline", "nowhere"]).expect(64);
    rig.run(&["explain", "mail=x"]).expect(64);
    rig.run(&["--plan", "explain", &uhid]).expect(64);
    rig.run(&["conflicts"]).expect(0).says(&["No conflicts."]);
    assert_eq!(rig.world().calls(), calls, "no request was made");
    assert!(files(&rig) == store, "the store was written to");
    rig.nothing_was_written(&outside);
    let _held = StoreDir::open(rig.path("store"), [0; 32]).unwrap();
    rig.run(&["explain", &uhid]).expect(6);
    rig.run(&["conflicts"]).expect(6);
}

#[test]
fn after_any_pass_its_people_are_explained_out_of_the_store() {
    let rig = Rig::loaded(113, 100);
    let uhid = named(&rig)[0].uhid.clone();
    let key = format!("uhid={uhid}");
    for pass in [&["--yes"][..], &["--yes", "--changed"], &["--yes", "--pending"], &["--yes", "--key", &key]] {
        rig.run(pass).expect(0);
        rig.run(&["explain", &uhid]).expect(0).says(&["account: in sync"]);
    }
}

#[test]
fn what_was_changed_by_hand_is_explained_once_it_is_read() {
    let rig = Rig::loaded(111, 100);
    let person = named(&rig)[0];
    let uhid = person.uhid.clone();
    let id = rig.account(person).id;
    assert!(rig.world().edit_user(id, |user| user.lastname = "By hand".into()));
    let outside = rig.outside();
    rig.run(&["explain", &uhid]).expect(0).says(&["account: in sync"]);
    let live = ["read just now", "account: drifted", "~ update", "repair: the target changed", "By hand"];
    rig.run(&["explain", &uhid, "--live"]).expect(0).says(&live);
    rig.run(&["explain", &username(person), "--live", "--pipeline", "moodle"]).expect(0).says(&live);
    rig.run(&["explain", &uhid]).expect(0).says(&["account: drifted", "By hand"]);
    rig.run(&["explain", "nobody-here", "--live"]).expect(1);
    rig.nothing_was_written(&outside);
    rig.world().deny("core_webservice_get_site_info", true);
    rig.run(&["explain", &uhid, "--live"]).expect(1).says(&["could not be read:", "account: drifted"]);
    rig.world().deny("core_webservice_get_site_info", false);
    rig.run(&["--yes"]).expect(0);
    rig.run(&["explain", &uhid]).expect(0).says(&["account: in sync", "this one was read back"]);
}

#[test]
fn several_people_who_may_be_meant_are_listed() {
    let rig = Rig::loaded(112, 100);
    let [one, two] = named(&rig)[..] else { panic!() };
    let name = one.text(attribute::USERNAME).unwrap();
    rig.replace(two, attribute::UH_USERNAME, name);
    rig.run(&["--plan"]);
    let (first, second) = (one.uhid.clone(), two.uhid.clone());
    let several = rig.run(&["explain", name]).expect(64);
    several.says(&["2 people are meant", &first, &second]);
    assert!(!several.err.contains(name), "{}", several.err);
    rig.run(&["explain", &format!("username={name}")]).expect(0).says(&[&first]);
}

#[test]
fn conflicts_are_listed_with_what_to_do() {
    let rig = Rig::new(113, 100);
    rig.run(&["explain", "somebody"]).expect(1).says(&["no pass has read anything yet"]);
    rig.run(&["conflicts"]).expect(1);
    assert!(!rig.path("store").exists(), "looking makes no store");
    let person = named(&rig)[0];
    let holder = User { username: username(person), auth: "manual".into(), firstname: "A".into(), ..User::default() };
    let holder = User { lastname: "B".into(), email: "holder@elsewhere.example".into(), ..holder };
    rig.world().add_user(holder).unwrap();
    rig.run(&["--plan"]).expect(2);
    let uhid = person.uhid.clone();
    rig.run(&["conflicts"]).expect(0).says(&["held-by-foreign", &uhid, "to do: ", "1 conflict"]);
    let listed = rig.json(&["conflicts", "--pipeline", "moodle"]).expect(0).report();
    let listed = listed["conflicts"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0]["key"].as_str(), listed[0]["code"].as_str()), (Some(uhid.as_str()), Some("held-by-foreign")));
    rig.run(&["explain", &uhid]).expect(0).says(&["nothing: conflict held-by-foreign", "to do: "]);
}
