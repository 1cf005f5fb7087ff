//! The ids of roles: compared with what the site shows before any is sent.

use super::*;

/// Student and editing teacher changed places.
const SWAPPED: &str = "role_ids = { student = 3, teacher = 4, editingteacher = 5 }\n";
const LOOK: &str = "core_enrol_get_enrolled_users";
const ENROL: &str = "enrol_manual_enrol_users";

fn swapped(more: &str) -> String {
    format!("[enrolments]\n{SWAPPED}{more}")
}

fn refused(outcome: &Outcome) -> &TargetError {
    assert!(outcome.error.is_none() && outcome.landed.is_empty(), "{outcome:?}");
    let (_, error) = outcome.failed.first().expect("a failed edit");
    assert_eq!((error.code.as_str(), error.effect, error.retry), ("MOODLE_ROLE_ID_WRONG", Effect::None, Retry::Never));
    error
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_another_role_s_at_the_site_is_never_sent() {
    for (more, looks) in [("report = { id = 2 }\n", 1), ("", 0)] {
        let site = site(&swapped(more));
        let [kari, ola, boss] = ["kari", "ola", "boss"].map(|name| site.add(name, "oidc"));
        let a = site.course("A");
        site.put(a, boss, MANUAL, &["editingteacher", "teacher"]);
        site.page(&[]).await;
        let before = site.world().calls();
        let ready = vec![change(kari, &["A/student"], &[]), change(ola, &["A/teacher"], &[])];
        let outcomes = site.write(ready).await;
        let error = refused(&outcomes[0]);
        for words in
            ["`student` is 3 in role_ids", "`editingteacher` at the site", "correct enrolments.role_ids.student"]
        {
            assert!(error.message.contains(words), "{error}");
        }
        assert!(site.world().member(a, kari).is_none());
        assert_eq!((landed(&outcomes[1]), site.roles(a, ola)), (1, vec![4]), "the other roles go on");
        assert_eq!(site.since(&before).get(LOOK).copied().unwrap_or_default(), looks, "{more}");
        // Nor is it taken away from anybody, and nothing is looked at again.
        let outcome = site.write_one(change(boss, &["A/teacher"], &["A/teacher", "A/editingteacher"])).await;
        refused(&outcome);
        assert_eq!(site.roles(a, boss), [3, 4]);
        assert_eq!(site.since(&before).get(LOOK).copied().unwrap_or_default(), looks, "{more}");
        // A whole enrolment has no role in it.
        assert_eq!(landed(&site.write_one(change(boss, &[], &["A/teacher", "A/editingteacher"])).await), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_has_a_role_yet_a_wrong_id_reaches_one_person_and_is_taken_back() {
    for more in ["batch_size = 12\nreport = { id = 2 }\n", "batch_size = 12\n"] {
        let site = site_of(SitePlan { cost: Some(Cost::default()), ..SitePlan::default() }, &swapped(more));
        let users: Vec<u64> = (0..40).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
        let a = site.course("A");
        site.page(&[]).await;
        let before = site.world().calls();
        let batches = site.target.writer.batches(users.iter().map(|user| change(*user, &["A/student"], &[])).collect());
        let writes: Vec<_> = batches.iter().map(|batch| site.target.writer.write(batch)).collect();
        let outcomes: Vec<Vec<Outcome>> = futures::stream::iter(writes).buffer_unordered(4).collect().await;
        let all: Vec<&TargetError> = outcomes.iter().flatten().map(refused).collect();
        assert_eq!(all.len(), 40);
        assert_eq!(all.iter().filter(|error| error.message.contains("taken back")).count(), 1);
        let sent = site.since(&before);
        assert_eq!((sent[ENROL], sent[LOOK], sent["core_role_unassign_roles"]), (1, 1, 1), "{sent:?}");
        assert!(users.iter().all(|user| site.roles(a, *user).is_empty()), "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_was_before_is_not_taken_back() {
    let site = site(&swapped("report = { id = 2 }\n"));
    let kari = site.add("kari", "oidc");
    let a = site.course("A");
    // Put there by hand since the courses were read.
    site.page(&[]).await;
    site.put(a, kari, MANUAL, &["editingteacher"]);
    let ready = kept(change(kari, &["A/student"], &[]), &["A/editingteacher"]);
    let error = refused(&site.write_one(ready).await).clone();
    assert!(!error.message.contains("taken back"), "{error}");
    assert_eq!(site.roles(a, kari), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_right_id_that_nobody_had_costs_one_request_and_one_look() {
    let site = site(BY_REPORT);
    let users: Vec<u64> = (0..30).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
    let (a, b) = (site.course("A"), site.course("B"));
    site.page(&[]).await;
    let before = site.world().calls();
    let want = ["A/student", "B/student"];
    let outcomes = site.write(users.iter().map(|user| change(*user, &want, &[])).collect()).await;
    assert_eq!(outcomes.iter().map(landed).sum::<usize>(), 60);
    assert!(users.iter().all(|user| site.roles(a, *user) == [5] && site.roles(b, *user) == [5]));
    let sent = site.since(&before);
    assert_eq!((sent[ENROL], sent[LOOK]), (2, 1), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn where_the_site_cannot_be_asked_the_settings_are_believed() {
    let mut plan = SitePlan::default();
    plan.functions.remove(LOOK);
    let site = site_of(plan, BY_REPORT);
    let kari = site.add("kari", "oidc");
    let a = site.course("A");
    assert_eq!((landed(&site.write_one(change(kari, &["A/student"], &[])).await), site.roles(a, kari)), (1, vec![5]));
}

#[tokio::test(start_paused = true)]
async fn ids_that_could_not_be_compared_hold_back_what_needs_them() {
    let site = site(BY_REPORT);
    let [kari, boss] = ["kari", "boss"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, boss, MANUAL, &["student"]);
    site.page(&[]).await;
    site.world().deny(LOOK, true);
    let outcome = site.write_one(change(kari, &["A/student"], &[])).await;
    let (_, error) = outcome.failed.first().unwrap();
    assert_eq!((error.code.as_str(), error.effect), ("MOODLE_COURSE_ENROL_FAILED", Effect::None));
    assert!(error.message.contains("moodle/role:review") && site.world().member(a, kari).is_none(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_id_is_found_behind_whatever_stands_before_it() {
    let site = site(&swapped("report = { id = 2 }\n"));
    let [kari, ola, eva] = ["kari", "ola", "eva"].map(|name| site.add(name, "oidc"));
    let (a, b) = (site.course("A"), site.course("B"));
    site.world().edit_course(a, |course| course.manual = Some(ManualInstance { enabled: false, welcome: false }));
    // The course without manual enrolment is refused first; then the mail fails after the enrolment was stored.
    site.page(&[]).await;
    site.world().break_mail(true);
    let ready = |user| change(user, &["A/student", "B/student"], &[]);
    let outcomes = site.write(vec![ready(kari), ready(ola), ready(eva)]).await;
    for (user, outcome) in [kari, ola, eva].into_iter().zip(&outcomes) {
        assert!(outcome.landed.is_empty(), "{outcome:?}");
        assert_eq!((site.roles(a, user), site.roles(b, user)), (vec![], vec![]));
    }
    assert_eq!(outcomes[0].error.as_ref().map(|error| error.effect), Some(Effect::Partial), "{outcomes:?}");
    let wrong = outcomes.iter().flat_map(|outcome| &outcome.failed).filter(|(_, e)| e.code == "MOODLE_ROLE_ID_WRONG");
    assert!(wrong.count() >= 3, "{outcomes:?}");
}
