//! What was changed by hand at the site is put right; what is not ours is not touched.

use jiff::Timestamp;
use reconcile::sim::campus::{Standing, attribute};
use reconcile::targets::moodle::sim::User;

use crate::rig::{AUTH, Rig, email, username};

fn manual(name: &str) -> User {
    User {
        username: name.into(),
        firstname: "Local".into(),
        lastname: "Account".into(),
        email: format!("{name}@elsewhere.example"),
        auth: "manual".into(),
        department: "Typed in by hand".into(),
        ..User::default()
    }
}

#[test]
fn drift_is_repaired_and_foreign_accounts_stay_as_they_are() {
    repairs(&Rig::new(30, 300));
}

#[test]
fn drift_is_repaired_without_a_report_as_well() {
    let mut rig = Rig::new(33, 300);
    rig.reconfigure("[moodle.report]\nid = 1\n", "");
    repairs(&rig);
}

fn repairs(rig: &Rig) {
    rig.world().add_user(manual("guest.lecturer")).unwrap();
    rig.world().add_user(User { auth: AUTH.into(), ..manual("nobody.we.know") }).unwrap();
    rig.run(&["--yes"]).expect(0);
    let stranger = rig.world().user("nobody.we.know").unwrap();
    let (foreign, good) = (rig.foreign(), rig.managed());
    assert!(foreign.len() >= 4, "guest, administrator, service account, and one by hand");

    let numbered = rig.plain().filter(|person| person.text(attribute::STUDENT_NUMBER).is_some());
    let ids: Vec<u64> = numbered.map(|person| rig.account(person).id).step_by(5).take(6).collect();
    let world = rig.world();
    assert!(world.edit_user(ids[0], |user| user.department = "Typed in by hand".into()));
    assert!(world.edit_user(ids[1], |user| user.suspended = true));
    assert!(world.edit_user(ids[2], |user| user.firstname = "Oops".into()));
    assert!(world.edit_user(ids[3], |user| user.email = "oops@elsewhere.example".into()));
    assert!(world.edit_user(ids[4], |user| user.idnumber.clear()));
    assert!(world.edit_user(ids[5], |user| user.username = "renamed.by.hand".into()));
    let plan = rig.json(&["--plan"]).expect(2);
    assert_eq!(plan.count("drifted"), 6);
    let run = rig.json(&["--yes"]).expect(0);
    assert_eq!(run.count("peopleChanged"), 6);
    let unstamped = |users: Vec<User>| users.into_iter().map(|user| User { modified: 0, ..user }).collect::<Vec<_>>();
    assert_eq!(unstamped(rig.managed()), unstamped(good));
    assert_eq!(rig.foreign(), foreign);
    assert_eq!(rig.world().user("nobody.we.know").unwrap(), stranger);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_deleted_account_is_made_again_and_a_leaver_is_closed_and_opened_again() {
    let rig = Rig::loaded(31, 300);
    let mut people = rig.plain().filter(|person| person.standing == Standing::Active);
    let (lost, leaver) = (people.next().unwrap(), people.next().unwrap());
    let (old, open) = (rig.account(lost), rig.account(leaver));
    assert!(rig.world().delete_user(old.id, Timestamp::from_second(1_768_460_000).unwrap()));
    let dn = leaver.dn();
    rig.slapd.modify(&format!("dn: {dn}\nchangetype: modify\nadd: idautoDisabled\nidautoDisabled: TRUE\n"));
    let run = rig.json(&["--yes"]).expect(0);
    assert_eq!((run.count("totalAddUser"), run.count("totalDisableUser")), (1, 1));
    let again = rig.account(lost);
    assert!(again.id != old.id && again.email == old.email);
    assert!(rig.account(leaver).suspended);
    rig.run(&["--plan"]).expect(0);

    rig.slapd.modify(&format!("dn: {dn}\nchangetype: modify\ndelete: idautoDisabled\n"));
    assert_eq!(rig.json(&["--yes"]).expect(0).count("totalEnable"), 1);
    assert_eq!(rig.account(leaver).id, open.id);
    rig.everybody_has_one_account();
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn accounts_that_are_there_already_are_linked_and_not_doubled() {
    let rig = Rig::new(32, 200);
    let known: Vec<String> = rig.plain().step_by(3).map(username).collect();
    for (person, name) in rig.plain().step_by(3).zip(&known) {
        let user = User { auth: AUTH.into(), email: email(person), ..manual(name) };
        rig.world().add_user(user).unwrap();
    }
    let before = rig.managed();
    let run = rig.json(&["--yes"]).expect(0);
    assert_eq!(run.pipeline()["linked"], known.len());
    let after = rig.managed();
    assert_eq!(after[..before.len()], before[..], "a first meeting writes nothing");
    rig.everybody_has_one_account();
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn an_account_that_bears_the_name_and_has_another_id_is_not_written_as_the_remembered_one() {
    let rig = Rig::loaded(34, 200);
    let mut people = rig.plain().filter(|person| person.standing == Standing::Active);
    let (one, two) = (people.next().unwrap(), people.next().unwrap());
    let (first, second) = (rig.account(one), rig.account(two));
    // The site lost both, and single sign-on made them again in the other order. A report shows no ids.
    let world = rig.world();
    assert!(world.edit_user(first.id, |user| user.username = "between".into()));
    assert!(world.edit_user(second.id, |user| *user = User { id: second.id, ..first.clone() }));
    assert!(world.edit_user(first.id, |user| *user = User { id: first.id, ..second.clone() }));
    let leaver = one.dn();
    rig.slapd.modify(&format!("dn: {leaver}\nchangetype: modify\nadd: idautoDisabled\nidautoDisabled: TRUE\n"));
    rig.run(&["--yes"]).expect(4).says(&["claimed-by-another"]);
    assert!(rig.managed().iter().all(|user| !user.suspended), "nobody was closed for somebody else");
}

#[test]
fn an_account_made_anew_under_a_remembered_name_is_met_for_the_first_time() {
    let rig = Rig::loaded(35, 200);
    let person = rig.plain().find(|person| person.standing == Standing::Active).unwrap();
    let old = rig.account(person);
    assert!(rig.world().delete_user(old.id, Timestamp::from_second(1_768_460_000).unwrap()));
    rig.world().add_user(User { department: "Made by hand".into(), ..old.clone() }).unwrap();
    rig.run(&["--yes"]).expect(4).says(&["RECORD_REPLACED"]);
    assert_eq!(rig.account(person).department, "Made by hand");
    let met = rig.json(&["--yes"]).expect(0).pipeline();
    assert_eq!(met["listed"].as_array().unwrap().len(), 1, "told, and left as it is");
    assert_eq!(rig.account(person).department, "Made by hand");
}
