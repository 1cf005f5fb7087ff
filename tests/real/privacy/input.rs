//! Broken input: what is wrong is said, what stands there is not.

use std::fs;

use super::planted::{Class, Planted};
use super::{Watch, planted};
use crate::rig::Rig;

/// What somebody typed where it does not belong.
const GEHEIM: &str = "Str0ngGeheim4711";

#[test]
fn a_secret_in_the_wrong_place_of_the_configuration_is_not_repeated() {
    let mut rig = Rig::loaded(132, 60);
    let watch = Watch::new(&rig, vec![Planted::new("secret in the wrong place", Class::Secret, GEHEIM)]);
    let token = format!("token = \"file:{}\"", rig.path("token").display());
    let site = format!("url = \"{}\"", rig.moodle.base_url());
    let directory = format!("url = \"{}\"", rig.slapd.tls_url());
    let vault = format!("url = \"sqlite://{}\"", rig.path("metavault.db").display());
    let password = "password = \"env:REAL_PORTAL_PASSWORD\"";
    let cases = [
        (token.as_str(), format!("token = \"{GEHEIM}\"")),
        (&token, format!("token = {GEHEIM}")),
        (&token, format!("token = \"{GEHEIM}")),
        (&token, format!("token = \"env:{GEHEIM}\"")),
        (&token, format!("token = [\"{GEHEIM}\"]")),
        (&token, format!("token: {GEHEIM}")),
        (&token, format!("{token}\n{token} # {GEHEIM}")),
        (&token, format!("username = \"svc\"\npassword = \"{GEHEIM}\"\nservice = \"x\"")),
        (&token, format!("username = \"svc\"\npassword = \"env:{GEHEIM}\"\nservice = \"x\"")),
        (&site, format!("url = \"http://svc:{GEHEIM}@127.0.0.1/\"")),
        (&site, format!("url = \"https://moodle.uni.example/?wstoken={GEHEIM}\"")),
        (&site, format!("url = \"{GEHEIM}\"")),
        (&directory, format!("url = \"ldaps://cn:{GEHEIM}@127.0.0.1\"")),
        (&directory, format!("url = \"ldaps://127.0.0.1/{GEHEIM}\"")),
        (&directory, format!("url = \"{GEHEIM}\"")),
        (&vault, format!("url = \"postgres://reader:{GEHEIM}@localhost/mv\"")),
        (&vault, format!("url = \"postgres://reader@localhost/mv?password={GEHEIM}\"")),
        (&vault, format!("url = \"mysql://reader:{GEHEIM}@localhost/mv\"")),
        (password, format!("password = \"{GEHEIM}\"")),
        (password, format!("password = {{ value = \"{GEHEIM}\" }}")),
        (password, format!("password = \"file:{GEHEIM}\"")),
        ("first_load = true", format!("first_load = \"{GEHEIM}\"")),
        ("batch_size = 100", format!("batch_size = \"{GEHEIM}\"")),
        ("batch_size = 100", format!("batch_size = 100\nfirst_meeting = \"{GEHEIM}\"")),
        ("per_second = 500", format!("per_second = \"{GEHEIM}\"")),
        ("id = 1", format!("id = \"{GEHEIM}\"")),
        ("[moodle.report]", format!("attributes = \"{GEHEIM}\"\n[moodle.report]")),
        ("[moodle.report]", format!("[moodle.attributes]\ndepartment = \"{{{{ {GEHEIM}\"\n[moodle.report]")),
    ];
    for (at, (from, to)) in cases.into_iter().enumerate() {
        rig.reconfigure(from, &to);
        for args in [&["check"][..], &["check", "--format", "json", "-vvv"], &["--plan", "-vvv"], &["journal"]] {
            let run = watch.careless(&rig, args);
            let looks_only = args == ["journal"];
            assert!(looks_only || [1, 78].contains(&run.code), "case {at} is accepted: {to}\n{}", run.out);
        }
        rig.reconfigure(&to, from);
    }
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn broken_files_are_told_without_what_stands_in_them() {
    let mut rig = Rig::new(133, 60);
    let mut watch = planted(&rig);
    let all = watch.everything();
    let mut broken = |rig: &Rig, name: &str, bytes: &[u8]| {
        fs::write(rig.path(name), bytes).unwrap();
        watch.is_ours(rig.path(name));
    };
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan", "--out", "plan.json"]);
    let plan = fs::read_to_string(rig.path("plan.json")).unwrap();
    let odd = |from: &str, to: String| plan.replacen(from, &to, 1).into_bytes();
    let plans = [
        all.clone().into_bytes(),
        format!("{{\"{all}\": 1}}").into_bytes(),
        odd("\"version\": 1", format!("\"version\": \"{all}\"")),
        odd("\"version\": 1", format!("\"version\": 1, \"{all}\": 2")),
        odd("\"adopt\": false", format!("\"adopt\": \"{all}\"")),
        odd("\"made\": \"", format!("\"made\": \"{all}")),
        plan.as_bytes()[..plan.len() / 2].to_vec(),
    ];
    for (at, plan) in plans.iter().enumerate() {
        broken(&rig, &format!("broken-{at}.json"), plan);
    }
    let keys =
        [format!("{all}={all}"), format!("mail={all}"), all.clone(), format!("username=x\nuhid={all}\nmail={all}")];
    for (at, keys) in keys.iter().enumerate() {
        broken(&rig, &format!("keys-{at}"), keys.as_bytes());
    }
    broken(&rig, "keys-4", &[all.as_bytes(), &[0xff, 0xfe]].concat());
    rig.secret("odd-secret", &all);
    fs::write(rig.path("odd-secret"), [all.as_bytes(), &[0xff]].concat()).unwrap();
    watch.is_ours(rig.path("odd-secret"));
    let watch = watch;
    for at in 0..plans.len() {
        let file = format!("broken-{at}.json");
        watch.careless(&rig, &["--approve", &file, "--why", "x", "-vvv"]).expect(1);
        watch.careless(&rig, &["--plan", "--out", &file]).expect(64);
    }
    for at in 0..=keys.len() {
        let run = watch.careless(&rig, &["--plan", "-vvv", "--keys-from", &format!("keys-{at}")]);
        assert!(run.code != 0, "keys-{at} is accepted");
    }
    let reference = format!("file:{}", rig.path("odd-secret").display());
    rig.reconfigure("env:REAL_PORTAL_PASSWORD", &reference);
    watch.careless(&rig, &["--plan"]).expect(78);
    watch.careless(&rig, &["check"]).expect(78);
    rig.reconfigure(&reference, "env:REAL_PORTAL_PASSWORD");
    // The store's own files, each overwritten with what it must not tell.
    let claims = rig.path("store/claims/moodle.jsonl");
    let good = fs::read_to_string(&claims).unwrap();
    fs::rename(rig.path("store/moodle.redb"), rig.path("aside.redb")).unwrap();
    for bad in [all.clone(), good.replacen("\"kind\"", &format!("\"{all}\""), 1), good.replacen('{', &all, 1)] {
        fs::write(&claims, bad).unwrap();
        watch.careless(&rig, &["--plan", "-vvv"]).expect(1);
        watch.careless(&rig, &["check"]);
    }
    fs::write(&claims, good).unwrap();
    fs::rename(rig.path("aside.redb"), rig.path("store/moodle.redb")).unwrap();
    let whole = fs::read(rig.path("store/sources.redb")).unwrap();
    let filled: Vec<u8> = all.bytes().cycle().take(whole.len()).collect();
    let half = [&whole[..4096], &filled[4096..]].concat();
    for bad in [filled.clone(), half] {
        fs::write(rig.path("store/sources.redb"), bad).unwrap();
        for args in [&["--plan", "-vvv"][..], &["explain", "username=plantsladre77"], &["check"]] {
            watch.careless(&rig, args).expect(1);
        }
    }
}
