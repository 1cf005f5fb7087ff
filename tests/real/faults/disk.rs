//! A disk that is full: no file may grow beyond a limit, which the kernel holds for the program alone and which needs no
//! rights. Wherever in a pass it is met, what was written had an intent, and the next pass goes on.

use std::fmt::Write as _;

use reconcile::sim::campus::{CampusPerson, attribute};

use crate::rig::{CREATE, Rig, Run, UPDATE};

const ALL: [&str; 7] = ["--yes", "--allow", "updates", "--allow", "one-attribute", "--allow", "collapse"];

/// An error of one line that names the file and what to do.
#[track_caller]
fn is_told(rig: &Rig, run: Run) {
    let run = run.expect(1);
    let store = rig.path("store").display().to_string();
    run.says(&["error: STORE_FAILED: ", &store, "make room on this file system and start again"])
        .gives_nobody_away(rig);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
}

/// How large the larger file of the store is, in whole KiB.
fn size(rig: &Rig) -> u64 {
    let length = |name: &str| rig.path("store").join(name).metadata().unwrap().len();
    length("sources.redb").max(length("moodle.redb")).div_ceil(1024)
}

#[test]
fn a_disk_that_is_full_from_the_start_is_an_error_and_nothing_is_written() {
    let rig = Rig::new(97, 300);
    let before = rig.outside();
    for kib in [16, 64, 256, 512, 1024] {
        is_told(&rig, rig.run_within(kib, &["--yes"]));
        rig.nothing_was_written(&before);
    }
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
    assert_eq!(rig.world().writes().records, rig.managed().len() as u64, "every account was made once");
    rig.everybody_has_one_account();
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_pass_ends_it_and_loses_nothing() {
    let mut rig = Rig::new(98, 300);
    rig.reconfigure("batch_size = 100", "batch_size = 10");
    rig.run(&["--yes"]).expect(0);
    let preferred = |person: &&CampusPerson| person.text("idautoPersonPreferredLastName").is_none();
    let (made, people) = (rig.calls(CREATE), rig.plain().filter(preferred).cloned().collect::<Vec<_>>());
    let (mut is_met, mut round, mut updated) = (false, 0, 0);
    // The journal grows with every pass, so one of them is where the file must grow.
    while !is_met {
        round += 1;
        assert!(round < 60, "the journal never grew");
        let mut ldif = String::new();
        for person in &people {
            let (dn, name) = (person.dn(), attribute::SURNAME);
            writeln!(ldif, "dn: {dn}\nchangetype: modify\nreplace: {name}\n{name}: Runde {round}\n").unwrap();
        }
        rig.slapd.modify(&ldif);
        updated += people.len();
        let calls = rig.calls(UPDATE);
        let run = rig.run_within(size(&rig), &ALL);
        if run.code == 0 {
            continue;
        }
        is_told(&rig, run);
        is_met = rig.calls(UPDATE) > calls;
        // What was under way is read back, and the rest is done.
        crate::rig::until("there is room again and everything is done", || {
            let run = rig.run(&ALL);
            assert!([0, 4].contains(&run.code), "{}{}", run.out, run.err);
            run.code == 0
        });
    }
    rig.run(&["--plan"]).expect(0);
    rig.everybody_has_one_account();
    assert!(people.iter().all(|person| rig.account(person).lastname == format!("Runde {round}")));
    assert_eq!(rig.calls(CREATE), made);
    let written = usize::try_from(rig.world().writes().records).unwrap() - rig.managed().len();
    assert_eq!(written, updated, "every update was made once");
}
