//! Single records that fail, and writes of which nobody knows what became of them.

use std::time::Duration;

use reconcile::sim::campus::attribute;
use reconcile::targets::moodle::sim::{Fault, User};

use crate::rig::{CREATE, Rig, UPDATE, email, username};

#[test]
fn one_bad_record_in_a_batch_is_named_and_all_others_land() {
    let mut rig = Rig::new(60, 200);
    // Without a report only managed accounts are listed: that somebody else has the address is known to the site
    // alone.
    rig.reconfigure("[moodle.report]\nid = 1\n", "");
    let bad = rig.plain().nth(7).unwrap().clone();
    let holder = User { username: "guest.lecturer".into(), auth: "manual".into(), ..User::default() };
    let holder = User { firstname: "Local".into(), lastname: "Account".into(), email: email(&bad), ..holder };
    let id = rig.world().add_user(holder).unwrap();
    let run = rig.run(&["--yes"]).expect(4);
    run.says(&["email-taken", &bad.uhid]).gives_nobody_away(&rig);
    assert!(rig.world().user(&username(&bad)).is_none());
    assert!(rig.plain().filter(|one| one.uhid != bad.uhid).all(|one| rig.world().user(&username(one)).is_some()));

    let again = rig.json(&["--yes", "--changed"]).expect(4);
    assert_eq!(again.report()["scope"]["people"], 1, "who failed is picked again");
    assert!(rig.world().edit_user(id, |user| user.email = "elsewhere@elsewhere.example".into()));
    rig.run(&["--yes", "--changed"]).expect(0);
    rig.everybody_has_one_account();
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn one_bad_record_in_a_batch_of_updates_is_named_and_all_others_land() {
    let mut rig = Rig::loaded(65, 200);
    rig.reconfigure("[moodle.report]\nid = 1\n", "");
    let some: Vec<_> = rig.plain().take(8).cloned().collect();
    let (bad, before) = (&some[3], rig.world().users());
    // Somebody else has the new address, which the site alone knows.
    let holder = User { username: "guest.lecturer".into(), auth: "manual".into(), ..User::default() };
    let taken = "taken@uni.example".to_owned();
    let id =
        rig.world().add_user(User { firstname: "Local".into(), lastname: "Account".into(), email: taken, ..holder });
    for person in &some {
        rig.replace(person, attribute::SURNAME, "Nyttnavn");
    }
    rig.replace(bad, "idautoPersonSystem2ID", "taken@uni.example");
    rig.run(&["--yes"]).expect(4).says(&[&bad.uhid]).gives_nobody_away(&rig);
    let others = || some.iter().filter(|one| one.uhid != bad.uhid);
    assert!(others().all(|one| rig.account(one).lastname == "Nyttnavn"));
    assert_ne!(rig.account(bad).email, "taken@uni.example");
    assert!(rig.world().edit_user(id.unwrap(), |user| user.email = "elsewhere@elsewhere.example".into()));
    rig.run(&["--yes", "--changed"]).expect(0);
    assert_eq!(rig.account(bad).email, "taken@uni.example");
    assert!(some.iter().all(|one| rig.account(one).lastname == "Nyttnavn"));
    for user in before.into_iter().filter(|user| some.iter().all(|one| username(one) != user.username)) {
        assert_eq!(rig.world().user(&user.username), Some(user), "everybody else is as before");
    }
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_create_whose_answer_is_lost_is_read_back_and_not_repeated() {
    let rig = Rig::new(61, 250);
    rig.faults().next(1, Some(CREATE), Fault::CutAfter);
    let run = rig.json(&["--yes"]).expect(4);
    run.says(&["in-doubt"]).gives_nobody_away(&rig);
    assert!(run.count("peopleFailed") > 0);
    rig.settles();
}

#[test]
fn a_create_that_lands_after_the_asker_has_looked_is_not_doubled() {
    let mut rig = Rig::new(62, 250);
    rig.reconfigure("settle_after_seconds = 1", "settle_after_seconds = 4");
    rig.faults().next(1, Some(CREATE), Fault::LandsLater(Duration::from_millis(800)));
    rig.run(&["--yes"]).expect(4).says(&["in doubt"]);
    rig.settles();
}

#[test]
fn a_create_that_never_landed_is_made_later() {
    let rig = Rig::new(63, 250);
    rig.faults().next(1, Some(CREATE), Fault::Html(504));
    rig.run(&["--yes"]).expect(4).says(&["in doubt"]);
    rig.settles();
}

#[test]
fn an_update_whose_answer_is_lost_is_read_back() {
    let rig = Rig::loaded(64, 250);
    for person in rig.plain().take(5) {
        rig.replace(person, attribute::SURNAME, "Nyttnavn");
    }
    rig.faults().next(1, Some(UPDATE), Fault::GatewayTimeout(Duration::from_millis(300)));
    rig.run(&["--yes"]).expect(4).says(&["in doubt"]);
    rig.settles();
    assert!(rig.plain().take(5).all(|person| rig.account(person).lastname == "Nyttnavn"));
}
