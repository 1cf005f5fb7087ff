//! `reconcile check`: every finding, and that nothing is written for it.

use super::*;
use crate::model::{Check, Level};
use crate::targets::moodle::sim::{Course, Enrolment, MANUAL};

const BOTH: &str = "[report]\nid = 1\n[enrolments]\nreport = { id = 2 }\n";

async fn check(site: &Site) -> Vec<Check> {
    let before = site.world().digest();
    let found = site.target.observer.reader.check().await;
    assert_eq!(site.world().digest(), before, "looking changes nothing");
    found
}

fn level(found: &[Check], what: &str) -> Level {
    let all: Vec<Level> = found.iter().filter(|one| one.what == what).map(|one| one.level).collect();
    all.iter().copied().max().unwrap_or_else(|| panic!("{what}: {found:?}"))
}

/// A site with somebody in a course of ours.
fn used(plan: SitePlan, more: &str) -> Site {
    let site = site_of(plan, more);
    let kari = site.add("kari", "oidc");
    let idnumber = "185:A:1:2026:HØST".to_owned();
    let course = site.world().add_course(Course { shortname: "A".into(), idnumber, ..Course::default() });
    site.world().edit_member(course, kari, |member| {
        member.methods.insert(MANUAL.into(), Enrolment::default());
        member.roles.extend([5, 4, 3]);
    });
    site
}

#[tokio::test(start_paused = true)]
async fn a_site_as_it_should_be_has_good_findings_only() {
    let found = check(&used(SitePlan::default(), BOTH)).await;
    for what in ["connection", "functions", "sight", "debugging", "administrator", "report of accounts", "courses"] {
        assert_eq!(level(&found, what), Level::Good, "{found:?}");
    }
    assert_eq!((level(&found, "report of enrolments"), level(&found, "roles")), (Level::Good, Level::Good));
}

#[tokio::test(start_paused = true)]
async fn each_missing_function_is_a_finding_of_its_own() {
    let functions = [
        "core_course_get_courses",
        "enrol_manual_enrol_users",
        "enrol_manual_unenrol_users",
        "core_role_assign_roles",
        "core_role_unassign_roles",
    ];
    let mut plan = SitePlan::default();
    for function in functions {
        plan.functions.remove(function);
    }
    let site = used(plan, BOTH);
    let found = check(&site).await;
    for function in functions {
        let one = found.iter().find(|one| one.what == "functions" && one.found.contains(function)).unwrap();
        assert_eq!(one.level, Level::Problem);
    }
    let error = site.target.observer.reader.identity().await.unwrap_err();
    assert!(functions.iter().all(|function| error.message.contains(function)), "{error}");
    let mut plan = SitePlan::default();
    plan.functions.remove("core_enrol_get_enrolled_users");
    assert!(used(plan.clone(), BOTH).target.observer.reader.identity().await.is_ok(), "the report is enough");
    assert!(used(plan.clone(), "").target.observer.reader.identity().await.is_err());
    assert!(used(plan, "[enrolments]\nenabled = false").target.observer.reader.identity().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_reports_both_are_warned_of() {
    let found = check(&used(SitePlan::default(), "")).await;
    for what in ["report of accounts", "report of enrolments"] {
        assert_eq!(level(&found, what), Level::Warning);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_as_it_should_be_comes_with_its_fix() {
    let plan = SitePlan { debugging: true, identity_fields: std::collections::BTreeSet::new(), ..SitePlan::default() };
    let site = used(plan, "[report]\nid = 9\n[enrolments]\nreport = { id = 2, manual = 'Manuell påmelding' }\n");
    let found = check(&site).await;
    for (what, level_of) in [
        ("sight", Level::Problem),
        ("debugging", Level::Warning),
        ("report of accounts", Level::Problem),
        ("report of enrolments", Level::Warning),
    ] {
        assert_eq!(level(&found, what), level_of, "{what}: {found:?}");
        assert!(found.iter().filter(|one| one.level != Level::Good).all(|one| one.fix.is_some()));
    }
}

#[tokio::test(start_paused = true)]
async fn role_ids_of_another_site_are_a_problem() {
    let ids = "[enrolments]\nreport = { id = 2 }\nrole_ids = { student = 15, teacher = 4, editingteacher = 3 }\n";
    let found = check(&used(SitePlan::default(), ids)).await;
    let roles = found.iter().find(|one| one.what == "roles").unwrap();
    assert_eq!(roles.level, Level::Problem);
    assert!(roles.found.contains("`student` is 5"), "{roles:?}");
}

/// Courses of ours, each with somebody in these roles.
fn held(site: &Site, courses: &[&[u64]]) {
    for (nth, roles) in courses.iter().enumerate() {
        let user = site.add(&format!("user{nth}"), "oidc");
        let idnumber = format!("185:C{nth}:1:2026:HØST");
        let course = Course { shortname: format!("C{nth}"), idnumber, ..Course::default() };
        let course = site.world().add_course(course);
        site.world().edit_member(course, user, |member| {
            member.methods.insert(MANUAL.into(), Enrolment::default());
            member.roles.extend(roles.iter().copied());
        });
    }
}

fn roles(found: &[Check]) -> Vec<&Check> {
    found.iter().filter(|one| one.what == "roles").collect()
}

#[tokio::test(start_paused = true)]
async fn roles_are_looked_for_in_several_courses_until_all_were_seen() {
    let swapped = "role_ids = { student = 3, teacher = 4, editingteacher = 5 }\n";
    for report in ["", "report = { id = 2 }\n"] {
        let site = site(&format!("[enrolments]\n{report}{swapped}"));
        held(&site, &[&[5], &[4], &[4], &[4]]);
        let found = check(&site).await;
        let roles = roles(&found);
        assert_eq!(roles.iter().map(|one| one.level).max(), Some(Level::Problem), "{roles:?}");
        assert!(roles[0].found.contains("`student` is 5 at the site and 3 in role_ids"), "{roles:?}");
        assert!(roles[0].found.contains("`editingteacher` is 5 in role_ids, which is `student`"), "{roles:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn roles_that_nobody_was_seen_with_are_named_and_the_looks_are_few() {
    for report in ["", "report = { id = 2 }\n"] {
        let site = site(&format!("[enrolments]\n{report}"));
        held(&site, &[[5].as_slice(); 30]);
        let found = check(&site).await;
        let [unseen, seen] = &roles(&found)[..] else { panic!("two: {found:?}") };
        assert_eq!((unseen.level, seen.level), (Level::Warning, Level::Good));
        assert!(unseen.found.contains("editingteacher, teacher") && !unseen.found.contains("student"), "{unseen:?}");
        let fix = unseen.fix.as_ref().unwrap();
        assert!(fix.contains("`teacher = 4`") && fix.contains("Define roles"), "{fix}");
        assert!(site.world().calls()["core_enrol_get_enrolled_users"] <= 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_of_another_institution_is_warned_of() {
    let site = site(BOTH);
    for (nth, institution) in ["194", "194", "186"].into_iter().enumerate() {
        let idnumber = format!("{institution}:C{nth}:1:2026:HØST");
        site.world().add_course(Course { shortname: format!("C{nth}"), idnumber, ..Course::default() });
    }
    let found = check(&site).await;
    let courses = found.iter().find(|one| one.what == "courses").unwrap();
    assert_eq!(courses.level, Level::Warning);
    let text = "no course of institution 185 among 3 courses of the site; there are 1 of 186, 2 of 194";
    assert_eq!(courses.found, text);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_the_pass_would_refuse_is_a_problem() {
    let site = used(SitePlan::default(), BOTH);
    site.gate.faults().always(Some("core_reportbuilder_retrieve_report"), Fault::DuplicateRows);
    assert_eq!(level(&check(&site).await, "report of enrolments"), Level::Problem);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_does_not_answer_is_the_only_finding() {
    let site = site(BOTH);
    site.world().revoke_token(&SitePlan::default().token);
    let found = check(&site).await;
    assert_eq!((found.len(), level(&found, "connection")), (1, Level::Problem));
}
