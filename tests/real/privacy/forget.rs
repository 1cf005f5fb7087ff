//! Whoever has left is forgotten: afterwards no file of the store tells of them, in any byte.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::{Watch, planted, somebody};
use crate::rig::Rig;

/// What told of somebody, and in which file of the store it stands.
fn found(place: &Path, told: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(self::found(&path, told));
            continue;
        }
        let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
        for text in told {
            let text = text.to_ascii_lowercase();
            if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                found.push(format!("{text} in {}", path.display()));
            }
        }
    }
    found
}

#[test]
fn whoever_has_left_is_forgotten_to_the_last_byte_and_not_before() {
    let mut rig = Rig::new(138, 80);
    rig.reconfigure("[portal_ldap]", "[portal]\n\n[portal_ldap]");
    let watch = planted(&rig);
    let person = somebody(&rig);
    let uhid = person.uhid.as_str();
    let told = [
        uhid,
        "Plantea-Lovise",
        "Sladrosten",
        "plantsladre77",
        "plants007",
        "sladre.plante@uni.example",
        "eppnplante@uni.example",
        "889977553311",
    ];
    watch.careless(&rig, &["forget", uhid, "--plan"]).expect(0);
    rig.run(&["--yes"]).expect(0);
    // Bodies that changed are in unused pages, and a copy that was put aside has the claims.
    rig.replace(&person, "sn", "Sladrosten Sladrosten");
    rig.run(&["--yes"]).expect(0);
    let copies = rig.path("store/claims");
    fs::copy(copies.join("moodle.jsonl"), copies.join("moodle.jsonl.1")).unwrap();
    fs::write(rig.path("store/moodle.redb.new"), "plantsladre77").unwrap();

    let refused = |why: &[&str], rig: &Rig, watch: &Watch| {
        for args in [&["--yes"][..], &["--plan"], &["--yes", "--format", "json"]] {
            watch.careless(rig, &[&["forget", uhid][..], args].concat()).expect(3).says(why);
        }
    };
    refused(&["still-in-source", "Portal LDAP", "MetaVault", "record-at-target", "moodle"], &rig, &watch);
    watch.careless(&rig, &["forget", "plantsladre77", "--plan"]).expect(3);
    rig.slapd.delete([person.dn().as_str()].into_iter());
    rig.sql(&format!("DELETE FROM mv_person WHERE lower(uhid) = '{uhid}'"));
    rig.run(&["--yes"]).expect(0);
    refused(&["record-at-target", "moodle"], &rig, &watch);
    let account = rig.world().user("plantsladre77").unwrap().id;
    assert!(rig.world().delete_user(account, Timestamp::now()));
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
    let before = rig.outside();

    watch.careless(&rig, &["forget", uhid]).expect(64);
    watch.careless(&rig, &["forget", "plantsladre77", "--plan"]).expect(1);
    let plan = watch.careless(&rig, &["forget", &uhid.to_uppercase(), "--plan"]).expect(2);
    plan.says(&["moodle: ", "entries of the journal", "copies of claims"]);
    let left = found(&rig.path("store"), &told);
    for file in ["moodle.redb", "portal.redb", "moodle.jsonl.1", "moodle.redb.new"] {
        assert!(left.iter().any(|one| one.ends_with(file)), "{file} tells of somebody: {left:?}");
    }
    watch.careless(&rig, &["forget", uhid, "--yes", "--why", "case 4711"]).expect(0).says(&["Forgotten."]);
    assert_eq!(found(&rig.path("store"), &told), [] as [String; 0]);
    watch.files(&rig);

    rig.nothing_was_written(&before);
    rig.run(&["--plan"]).expect(0);
    rig.run(&["--yes"]).expect(0);
    rig.nothing_was_written(&before);
    rig.run(&["journal", "--limit", "all"]).expect(0).says(&["forgot 1 person: case 4711"]);
    rig.run(&["explain", uhid]).expect(1);
    let again = watch.careless(&rig, &["forget", uhid, "--plan", "--format", "json"]).expect(0);
    assert_eq!(again.report()["files"].as_array().unwrap().len(), 0);
    assert_eq!(found(&rig.path("store"), &told), [] as [String; 0]);
}
