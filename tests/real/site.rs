//! A site that shows less than it holds, says nonsense, or is another one: nothing is made and nobody closed.

use reconcile::sim::campus::{Standing, attribute};
use reconcile::targets::moodle::sim::{Fault, Mode};

use crate::rig::{REPORT, Rig};

/// A loaded site at which one closing and one update wait.
fn with_work(seed: u64) -> Rig {
    let rig = Rig::loaded(seed, 300);
    let people: Vec<_> = rig.plain().filter(|person| person.standing == Standing::Active).take(2).cloned().collect();
    let (leaver, renamed) = (&people[0], &people[1]);
    let dn = leaver.dn();
    rig.slapd.modify(&format!("dn: {dn}\nchangetype: modify\nadd: idautoDisabled\nidautoDisabled: TRUE\n"));
    rig.replace(renamed, attribute::SURNAME, "Nyttnavn");
    rig
}

/// Afterwards the work is done as if nothing had been.
fn recovers(rig: &Rig) {
    rig.faults().clear();
    let run = rig.json(&["--yes"]).expect(0);
    assert_eq!(run.count("totalAddUser"), 0);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_report_that_shows_less_makes_nobody() {
    let rig = with_work(50);
    for (fault, doubt) in [
        (Fault::UsersVanish(50), "remembered-lost"),
        (Fault::UsersVanish(0), "remembered-lost"),
        (Fault::HalfReport, "listing-short"),
        (Fault::DuplicateRows, "MOODLE_FETCH_FAILED"),
    ] {
        let accounts = rig.managed().len();
        rig.faults().always(None, fault.clone());
        rig.run(&["--plan"]).expect(5).says(&[doubt]);
        let run = rig.json(&["--yes"]).expect(5);
        run.says(&[doubt]).gives_nobody_away(&rig);
        rig.faults().clear();
        assert_eq!(rig.managed().len(), accounts, "{fault:?}");
        assert_eq!(run.count("totalAddUser"), 0, "{fault:?}");
    }
    recovers(&rig);
}

#[test]
fn a_first_load_of_a_half_shown_site_makes_nobody() {
    let rig = Rig::loaded(51, 200);
    std::fs::remove_dir_all(rig.path("store")).unwrap();
    let before = rig.outside();
    rig.faults().always(None, Fault::HalfReport);
    rig.run(&["--yes"]).expect(5).says(&["listing-short"]);
    rig.nothing_was_written(&before);
    rig.faults().clear();
    rig.run(&["--yes"]).expect(0);
    rig.nothing_was_written(&before);
}

#[test]
fn an_edited_report_is_read_by_its_headers_or_not_at_all() {
    let rig = with_work(52);
    let before = rig.outside();
    let rename = |headers: Option<&[&str]>| {
        let headers = headers.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        assert!(rig.world().edit_report(1, |report| report.headers = headers));
    };
    rename(Some(&["Username", "ID number", "Mail", "First name", "Last name", "Suspended", "Auth", "Dept", "Inst"]));
    let run = rig.run(&["--yes"]).expect(5);
    run.says(&["MOODLE_FETCH_FAILED", "Email address"]).gives_nobody_away(&rig);
    rig.nothing_was_written(&before);
    rename(None);
    rig.faults().always(None, Fault::EditedReport);
    assert_eq!(rig.json(&["--plan"]).expect(2).count("peopleChanged"), 2);
    recovers(&rig);
}

#[test]
fn a_site_that_does_not_answer_is_an_error_and_nothing_else() {
    let rig = with_work(53);
    let before = rig.outside();
    for (fault, code) in [
        (Fault::HtmlOk, "MOODLE_CONNECTION_FAILED"),
        (Fault::Maintenance(503), "MOODLE_CONNECTION_FAILED"),
        (Fault::InvalidToken, "MOODLE_TOKEN_FAILED"),
        (Fault::DatabaseDown, "MOODLE_CONNECTION_FAILED"),
        (Fault::Refuse, "MOODLE_CONNECTION_FAILED"),
    ] {
        rig.faults().always(None, fault.clone());
        let run = rig.run(&["--yes"]);
        assert!(run.took.as_secs() < 60, "{fault:?} took {:?}", run.took);
        let run = run.expect(1);
        run.says(&[code]).gives_nobody_away(&rig);
        rig.faults().clear();
    }
    rig.nothing_was_written(&before);
    for (fault, code) in [(Fault::HtmlOk, 5), (Fault::Html(500), 5), (Fault::TruncatedBody, 5)] {
        rig.faults().always(Some(REPORT), fault.clone());
        rig.run(&["--yes"]).expect(code).says(&["MOODLE_FETCH_FAILED"]).gives_nobody_away(&rig);
        rig.faults().clear();
    }
    rig.nothing_was_written(&before);
    for (mode, code) in
        [(Mode::Maintenance, "MOODLE_CONNECTION_FAILED"), (Mode::CommandLineMaintenance, "MOODLE_CONNECTION_FAILED")]
    {
        rig.world().set_mode(mode);
        rig.run(&["--yes"]).expect(1).says(&[code]);
        rig.world().set_mode(Mode::Open);
    }
    rig.nothing_was_written(&before);
    recovers(&rig);
}

#[test]
fn another_site_behind_the_same_address_is_refused_until_it_is_adopted() {
    let rig = with_work(54);
    let before = rig.outside();
    let site = rig.moodle.base_url();
    rig.world().edit_plan(|plan| plan.site_url = Some("https://another.example".into()));
    rig.run(&["--plan"]).expect(1).says(&["TARGET_CHANGED", "--adopt"]);
    for _ in 0..2 {
        rig.run(&["--yes"]).expect(1).says(&["TARGET_CHANGED", &site, "https://another.example"]);
    }
    rig.run(&["--yes", "--changed"]).expect(1).says(&["TARGET_CHANGED"]);
    rig.nothing_was_written(&before);
    rig.run(&["--adopt", "--yes"]).expect(0);
    // Everybody was met for the first time: what differs is listed, also by later passes.
    let run = rig.json(&["--yes"]).expect(0);
    assert_eq!(run.pipeline()["listed"].as_array().map(Vec::len), Some(2));
    rig.nothing_was_written(&before);
}

#[test]
fn who_changed_while_the_site_was_away_is_picked_when_it_is_back() {
    let rig = with_work(55);
    rig.world().set_mode(Mode::CommandLineMaintenance);
    rig.run(&["--yes", "--changed"]).expect(1);
    rig.run(&["--yes"]).expect(1);
    rig.world().set_mode(Mode::Open);
    let run = rig.json(&["--yes", "--changed"]).expect(0);
    assert_eq!((run.count("totalDisableUser"), run.count("totalUpdateUser")), (1, 1));
    rig.run(&["--plan"]).expect(0);
}
