//! A source that shows less than it should closes nobody and makes nobody, and whoever it calls disabled is
//! closed all the same.

use reconcile::sim::campus::{CampusPerson, Standing, attribute};

use crate::rig::{Rig, Run, email, username};

const PEOPLE: usize = 400;

/// Excludes one person while all is well otherwise; the next pass is to close exactly this one.
fn excluded(rig: &Rig) -> &CampusPerson {
    let person = rig.plain().find(|person| person.standing == Standing::Active).unwrap();
    let dn = person.dn();
    rig.slapd.modify(&format!("dn: {dn}\nchangetype: modify\nadd: idautoDisabled\nidautoDisabled: TRUE\n"));
    person
}

/// Applies, and holds that nothing happened at the site but the closing of one.
#[track_caller]
fn only_closes(rig: &Rig, person: Option<&CampusPerson>, code: i32) -> Run {
    let before = rig.managed();
    let run = rig.run(&["--yes"]);
    let mut expected = before.clone();
    if let Some(person) = person {
        let id = rig.account(person).id;
        let account = expected.iter_mut().find(|user| user.id == id).unwrap();
        assert!(!account.suspended);
        account.suspended = true;
    }
    let now = rig.managed();
    for (was, is) in expected.iter_mut().zip(&now) {
        was.modified = is.modified;
    }
    let differ = expected.iter().zip(&now).filter(|(was, is)| was != is).count();
    assert!(now == expected, "{differ} of {} differ, {} now\n{}\n{}", expected.len(), now.len(), run.out, run.err);
    run.gives_nobody_away(rig);
    run.expect(code)
}

#[test]
fn half_a_directory_closes_nobody_but_who_is_excluded() {
    let rig = Rig::loaded(40, PEOPLE);
    let person = excluded(&rig);
    let entries: Vec<String> = rig
        .campus
        .people
        .iter()
        .filter(|one| one.in_directory && one.uhid != person.uhid)
        .step_by(2)
        .map(CampusPerson::dn)
        .collect();
    rig.slapd.delete(entries.iter().map(String::as_str));
    rig.run(&["--plan"]).expect(5).says(&["Portal LDAP", "source-shrunk"]);
    only_closes(&rig, Some(person), 5).says(&["not trusted", "source-shrunk"]);
    only_closes(&rig, None, 5);
    rig.run(&["--yes", "--changed"]).expect(5);
    only_closes(&rig, None, 5);
}

#[test]
fn an_entitlement_that_can_no_longer_be_read_closes_nobody() {
    let mut rig = Rig::loaded(41, PEOPLE);
    let person = excluded(&rig).clone();
    rig.slapd.restart(&[("HIDE", attribute::BIRTHRIGHT)]);
    only_closes(&rig, Some(&person), 5).says(&["attribute-shrunk"]);
    rig.slapd.restart(&[]);
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn an_exclusion_that_can_no_longer_be_read_opens_nobody() {
    let mut rig = Rig::loaded(42, PEOPLE);
    rig.slapd.restart(&[("HIDE", attribute::DISABLED)]);
    only_closes(&rig, None, 5).says(&["attribute-shrunk", "disabled"]);
}

#[test]
fn other_attributes_that_can_no_longer_be_read_change_nobody() {
    let mut rig = Rig::loaded(43, PEOPLE);
    for hidden in [
        attribute::STUDENT_NUMBER,
        attribute::GIVEN_NAME,
        attribute::AFFILIATION,
        attribute::DEPT_CODE,
        attribute::EMAIL,
        attribute::USERNAME,
    ] {
        rig.slapd.restart(&[("HIDE", hidden)]);
        let run = only_closes(&rig, None, 5);
        assert!(run.text().contains("attribute-shrunk"), "{hidden}\n{}", run.out);
    }
    rig.slapd.restart(&[]);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_size_limit_is_no_end() {
    let mut rig = Rig::loaded(44, PEOPLE);
    rig.slapd.restart(&[("SIZE_LIMIT", "100")]);
    only_closes(&rig, None, 5).says(&["source-incomplete", "Portal LDAP"]);
    rig.slapd.restart(&[]);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn an_empty_directory_closes_nobody() {
    let rig = Rig::loaded(45, 200);
    let entries: Vec<String> = rig.campus.people.iter().filter(|one| one.in_directory).map(CampusPerson::dn).collect();
    rig.slapd.delete(entries.iter().map(String::as_str));
    only_closes(&rig, None, 5).says(&["source-empty"]);
}

#[test]
fn an_emptied_table_changes_nobody() {
    let rig = Rig::loaded(46, PEOPLE);
    let person = excluded(&rig);
    rig.sql("DELETE FROM mv_org");
    only_closes(&rig, Some(person), 5).says(&["MetaVault", "attribute-shrunk", "mv_org"]);
    rig.sql("DELETE FROM mv_affiliation; DELETE FROM mv_position; DELETE FROM mv_enrolment; DELETE FROM mv_person");
    only_closes(&rig, None, 5).says(&["MetaVault", "source-empty"]);
}

#[test]
fn marks_are_not_written_where_they_cannot_be_read_or_do_not_belong() {
    let mut rig = Rig::new(47, 100);
    rig.reconfigure("[portal_ldap]", "[portal]\n\n[portal_ldap]");
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
    rig.plain().take(9).for_each(|one| rig.replace(one, "mail", &email(one)));
    rig.run(&["--yes"]).expect(0);
    rig.slapd.restart(&[("HIDE", "idautoPersonAppRoles5")]);
    let before = rig.slapd.csns();
    for _ in 0..2 {
        rig.run(&["--yes"]).expect(5).says(&["attribute-vanished", "birthright", "--allow attribute-vanished"]);
    }
    let person = username(rig.plain().next().unwrap());
    rig.run(&["--yes", "--key", &format!("username={person}")]).expect(5).says(&["attribute-vanished"]);
    rig.slapd.restart(&[]);
    rig.run(&["--plan"]).expect(0);
    rig.reconfigure("[portal]\n", "[portal]\nbirthright_marks = \"mail\"\n");
    rig.run(&["--yes"]).expect(1).says(&["PORTAL_ATTRIBUTE_TAKEN", "`birthright_marks`"]).gives_nobody_away(&rig);
    rig.run(&["check"]).expect(1).says(&["mail is used for something else"]);
    rig.reconfigure("\"mail\"", "\"noSuchAttribute\"");
    rig.run(&["--yes"]).expect(1).says(&["PORTAL_ATTRIBUTE_MISSING"]);
    assert_eq!(rig.slapd.csns(), before);
}
