//! Nothing private leaks: recognisable values are planted wherever people and secrets are read from, the program is
//! run in every way, and everything that it puts out and keeps is searched for them. What may stand where is the
//! table in `planted`.

mod forget;
mod input;
mod made;
mod planted;
mod said;
mod watch;

use std::time::Duration;

use reconcile::sim::campus::{CampusPerson, Standing, attribute};
use reconcile::targets::moodle::sim::{Fault, User};

use self::planted::Class::{Personal, Secret};
use self::planted::Planted;
use self::watch::Watch;
use crate::postgres;
use crate::rig::{AUTH, CREATE, Rig, Run, Running, UPDATE, until, username};

/// Whatever makes a program tell more, and files open to others, where it does not see to that itself.
const CARELESS: [&str; 6] = ["env", "RUST_BACKTRACE=full", "RUST_LOG=trace", "TMPDIR=scratch", "sh", "-c"];

impl Watch {
    /// Starts the program in careless surroundings.
    fn start(rig: &Rig, args: &[&str]) -> Running {
        rig.start_through(&[&CARELESS[..], &["umask 000; ulimit -c unlimited; exec \"$@\"", "sh"]].concat(), args)
    }

    /// Runs it so and looks through both streams.
    #[track_caller]
    fn careless(&self, rig: &Rig, args: &[&str]) -> Run {
        self.run(Self::start(rig, args).end())
    }

    /// Runs it with a terminal as standard error.
    #[track_caller]
    fn on_terminal(&self, rig: &Rig, args: &[&str]) -> Run {
        let script = "umask 077; exec script -qec \"$(printf '%q ' \"$@\") > result\" /dev/null";
        let seen = rig.start_through(&["env", "TERM=xterm", "bash", "-c", script, "bash"], args).end();
        self.look(planted::Place::Errors, "a terminal", &seen.out);
        self.look(planted::Place::Errors, "script", &seen.err);
        self.look(planted::Place::Result, "a terminal", &std::fs::read_to_string(rig.path("result")).unwrap());
        seen
    }
}

/// The one whose values are recognisable.
fn somebody(rig: &Rig) -> CampusPerson {
    let named = |person: &&CampusPerson| {
        person.standing == Standing::Active
            && [attribute::USERNAME, attribute::STUDENT_NUMBER].iter().all(|name| person.text(name).is_some())
    };
    rig.plain().find(named).unwrap().clone()
}

/// A rig in which values are planted wherever something is read.
fn planted(rig: &Rig) -> Watch {
    let person = somebody(rig);
    let mut all = Vec::new();
    let mut ldif = format!("dn: {}\nchangetype: modify\n", person.dn());
    for (what, class, name, value) in [
        ("given name", Personal, attribute::GIVEN_NAME, "Plantea-Lovise"),
        ("surname", Personal, attribute::SURNAME, "Sladrosten"),
        ("user name", Personal, attribute::USERNAME, "plantsladre77"),
        ("UH user name", Personal, attribute::UH_USERNAME, "plants007"),
        ("address", Personal, attribute::EMAIL, "sladre.plante@uni.example"),
        ("ePPN", Personal, attribute::EPPN, "eppnplante@uni.example"),
        ("student number", Personal, attribute::STUDENT_NUMBER, "889977553311"),
        ("telephone", Secret, "mobile", "+4799887766"),
        ("passport", Secret, "idautoPersonStateID", "P7654321QX"),
        ("card PIN", Secret, "idautoPersonExt5", "PIN-79463185"),
        ("card number", Secret, "idautoPersonBadgeIDs", "9900887766554433"),
        ("claim code", Secret, "idautoPersonClaimCode", "KRAVKODE-4711"),
        ("password in the directory", Secret, "idautoPersonExt20", "{SSHA}plantedhash"),
        ("display name", Secret, "displayName", "Vist Navnesen"),
    ] {
        ldif.extend(["replace: ", name, "\n", name, ": ", value, "\n-\n"]);
        all.push(Planted::new(what, class, value));
    }
    rig.slapd.modify(&ldif);
    // The campus's own fail their check digits.
    all.push(Planted::new("national number", Secret, person.text(attribute::NATIONAL_NUMBER).unwrap()));
    let mut set = Vec::new();
    for (what, column, value) in [
        ("first name in MetaVault", "first_name", "Hvelvine"),
        ("last name in MetaVault", "last_name", "Hvelvstad"),
        ("national number in MetaVault", "fnr", "31129956799"),
        ("address in MetaVault", "email", "hvelvine@private.example"),
        ("telephone in MetaVault", "mobile", "+4799776655"),
    ] {
        set.push(format!("{column} = '{value}'"));
        all.push(Planted::new(what, Secret, value));
    }
    rig.sql(&format!("UPDATE mv_person SET {} WHERE lower(uhid) = '{}'", set.join(", "), person.uhid));
    for (what, field) in [
        ("stranger's user name", "fremmedplante88"),
        ("stranger's first name", "Fremmedine"),
        ("stranger's last name", "Ukjentesen"),
        ("stranger's address", "fremmed.ukjent@else.example"),
        ("stranger's number", "776655443322"),
    ] {
        all.push(Planted::new(what, Personal, field));
    }
    let stranger = |username: &str, idnumber: &str| User {
        username: username.into(),
        firstname: "Fremmedine".into(),
        lastname: "Ukjentesen".into(),
        email: "fremmed.ukjent@else.example".into(),
        idnumber: idnumber.into(),
        auth: AUTH.into(),
        ..User::default()
    };
    rig.world().add_user(stranger("fremmedplante89", "776655443322")).unwrap();
    // Two accounts for one person: a conflict, of which candidates are listed.
    let numbered = |one: &&CampusPerson| one.uhid != person.uhid && one.text(attribute::STUDENT_NUMBER).is_some();
    let twice = rig.plain().find(numbered).unwrap();
    let number = twice.text(attribute::STUDENT_NUMBER).unwrap();
    let other = |name: &str, number: &str| User { email: format!("{name}@else.example"), ..stranger(name, number) };
    rig.world().add_user(other("fremmedplante88", number)).unwrap();
    // Of a loaded rig it is there.
    let _ = rig.world().add_user(other(&username(twice), ""));
    for (what, value) in [
        ("password of the directory", "portalpw"),
        ("password of MetaVault", postgres::PASSWORD),
        ("token", rig.moodle.token()),
        ("password of the service account", "Simulated-1"),
    ] {
        all.push(Planted::new(what, Secret, value));
    }
    std::fs::create_dir(rig.path("scratch")).unwrap();
    std::fs::set_permissions(rig.path("scratch"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut watch = Watch::new(rig, all);
    watch.is_to_be_searched(&rig.path("scratch"));
    watch
}

#[test]
fn no_command_in_any_form_puts_out_or_keeps_what_is_not_to_stand_there() {
    let rig = Rig::new(130, 80);
    let mut watch = planted(&rig);
    // One of them is nobody's in the directory: a list is no command line, and is not repeated.
    std::fs::write(rig.path("list"), "username=plantsladre77\nusername=fremmedplante88\n").unwrap();
    watch.is_ours(rig.path("list"));
    let uhid = somebody(&rig).uhid;
    rig.run(&["init"]).expect(78);
    watch.run(rig.start_through(&CARELESS[..4], &["init", "--config", "fresh.toml"]).end());
    let louder: [&[&str]; 3] = [&[], &["-v"], &["-vvv", "--format", "json"]];
    let every = |command: &[&str], code: i32| {
        let mut shown = 0;
        for more in louder {
            let run = watch.careless(&rig, &[command, more].concat()).expect(code);
            shown = shown.max(watch.shown(&run.out));
        }
        shown
    };
    assert_eq!(every(&["check"], 0), 0);
    assert!(every(&["--plan"], 2) > 3, "the plan shows what it is about, and the search finds it");
    watch.files(&rig);
    watch.careless(&rig, &["--plan", "--out", "plan.json", "-vvv"]).expect(2);
    watch.on_terminal(&rig, &["--plan", "-vvv", "--format", "json"]);
    std::fs::create_dir(rig.path("reports")).unwrap();
    std::fs::set_permissions(rig.path("reports"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    watch.careless(&rig, &["--approve", "plan.json", "--why", "first", "-vvv", "--report-dir", "reports"]).expect(0);
    watch.files(&rig);
    assert!(every(&["explain", &uhid], 0) > 3);
    every(&["explain", "--live", "username=plantsladre77"], 0);
    watch.careless(&rig, &["conflicts"]).expect(0).says(&["account"]);
    every(&["conflicts"], 0);
    every(&["journal", "--limit", "all"], 0);
    every(&["journal", "--key", "username=plantsladre77"], 0);
    every(&["check"], 0);
    rig.replace(&somebody(&rig), attribute::SURNAME, "Sladrosten Sladrosten");
    let account = rig.world().user("plantsladre77").unwrap().id;
    rig.world().edit_user(account, |user| user.firstname = "Fremmedine".into());
    watch.careless(&rig, &["--plan", "--changed"]).expect(2);
    watch.careless(&rig, &["--plan", "--key", "username=plantsladre77", "-vvv"]).expect(2);
    rig.faults().next(1, Some(UPDATE), Fault::CutAfter);
    watch.careless(&rig, &["--yes", "-vvv", "--format", "json"]).expect(4);
    watch.on_terminal(&rig, &["--yes", "-vvv", "--format", "json"]);
    until("nothing is in doubt", || watch.careless(&rig, &["--yes", "--pending", "-vvv"]).code == 0);
    every(&["--plan"], 0);
    let listed = watch.careless(&rig, &["--yes", "-vvv", "--keys-from", "list", "--report-dir", "reports"]).expect(1);
    listed.says(&["error: no source knows line 2 of list"]);
    every(&["--plan", "--keys-from", "list"], 1);
    every(&["--plan", "--adopt"], 0);
    watch.careless(&rig, &["--yes", "--adopt", "-vvv"]).expect(0);
    watch.files(&rig);
    for lost in ["store/moodle.redb", "store/claims/moodle.jsonl"] {
        std::fs::remove_file(rig.path(lost)).unwrap();
    }
    every(&["--plan"], 1);
    every(&["--rebuild-claims", "--plan"], 2);
    watch.careless(&rig, &["--rebuild-claims", "--yes", "-vvv", "--format", "json"]).expect(0);
    every(&["--rebuild-claims", "--plan"], 0);
    every(&["explain", &uhid], 0);
    every(&["journal", "--limit", "all"], 0);
    watch.files(&rig);
}

#[test]
fn an_interrupted_pass_leaves_nothing_private_where_it_should_not_be() {
    let mut rig = Rig::new(131, 120);
    rig.reconfigure("batch_size = 100", "batch_size = 10");
    let watch = planted(&rig);
    for signal in ["TERM", "KILL", "ABRT"] {
        let calls = rig.calls(CREATE);
        rig.faults().clear();
        rig.faults().next(1, Some(CREATE), Fault::Delay(Duration::from_millis(1500)));
        let running = Watch::start(&rig, &["--yes", "-vvv", "--format", "json"]);
        until("a batch is held", || rig.faults().are_spent());
        watch.command_line(&running);
        running.signal(signal);
        watch.run(running.end());
        until("the site is done", || rig.calls(CREATE) > calls);
        watch.careless(&rig, &["journal", "--open", "-vvv"]).expect(0);
        watch.careless(&rig, &["check"]);
        watch.files(&rig);
    }
}
