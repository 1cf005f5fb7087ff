//! The ids of roles: compared with what the site shows before any is sent.

use super::*;
use crate::sim::watch::{Moment, Verdict};

/// Student and editing teacher changed places.
const SWAPPED: &str = "role_ids = { student = 3, teacher = 4, editingteacher = 5 }\n";
const LOOK: &str = "core_enrol_get_enrolled_users";
const ENROL: &str = "enrol_manual_enrol_users";
const UNENROL: &str = "enrol_manual_unenrol_users";

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

/// Another process over the same site.
fn again(site: &Site, more: &str) -> Site {
    let settings = with_token(more, &SitePlan::default().token);
    let memory = Memory::new(Arc::clone(&site.gate), settings.pace, settings.request_timeout);
    Site { gate: Arc::clone(&site.gate), target: Moodle::over(Arc::new(memory), settings).unwrap() }
}

fn service() -> u64 {
    SitePlan::default().service_user
}

#[tokio::test(start_paused = true)]
async fn where_nobody_has_a_role_yet_a_wrong_id_reaches_no_person() {
    // With the report a course is also looked at before anybody is enrolled in it.
    for (more, looks) in [("batch_size = 12\nreport = { id = 2 }\n", 2), ("batch_size = 12\n", 1)] {
        let site = site_of(SitePlan { cost: Some(Cost::default()), ..SitePlan::default() }, &swapped(more));
        let users: Vec<u64> = (0..40).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
        site.course("A");
        site.page(&[]).await;
        let before = site.world().calls();
        let batches = site.target.writer.batches(users.iter().map(|user| change(*user, &["A/student"], &[])).collect());
        let writes: Vec<_> = batches.iter().map(|batch| site.target.writer.write(batch)).collect();
        let outcomes: Vec<Vec<Outcome>> = futures::stream::iter(writes).buffer_unordered(4).collect().await;
        assert_eq!(outcomes.iter().flatten().map(refused).count(), 40);
        let sent = site.since(&before);
        assert_eq!((sent[ENROL], sent[LOOK], sent[UNENROL]), (1, looks, 1), "{sent:?}");
        assert!(site.world().members().is_empty(), "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_not_looked_at_gives_nobody_a_role_and_is_done_again() {
    for more in ["report = { id = 2 }\n", ""] {
        let site = site(&swapped(more));
        let kari = site.add("kari", "oidc");
        let a = site.course("A");
        site.page(&[]).await;
        let gate = Arc::clone(site.gate.faults());
        site.gate.watch().set(Arc::new(move |write| {
            if write.moment == Moment::Done && write.what == ENROL {
                gate.next(8, Some(LOOK), Fault::Html(500));
            }
            Verdict::Do
        }));
        let outcome = site.write_one(change(kari, &["A/student"], &[])).await;
        let (_, error) = outcome.failed.first().unwrap();
        assert!(error.message.contains("could not be compared"), "{error}");
        assert!(outcome.error.is_none() && site.world().members().is_empty(), "{:?}", site.world().members());
        site.gate.watch().set(Arc::new(|_| Verdict::Do));
        site.gate.faults().clear();
        refused(&site.write_one(change(kari, &["A/student"], &[])).await);
        assert!(site.world().member(a, kari).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_ends_a_process_in_a_trial_leaves_only_the_service_account_and_that_for_no_longer_than_the_next_write()
{
    for more in ["report = { id = 2 }\n", ""] {
        for fault in [Fault::Html(500), Fault::CutAfter, Fault::DatabaseDown] {
            let first = site(&swapped(more));
            let [kari, ola] = ["kari", "ola"].map(|name| first.add(name, "oidc"));
            let a = first.course("A");
            first.page(&[]).await;
            // Nothing is heard any more from the moment at which the role was given.
            let gate = Arc::clone(first.gate.faults());
            let played = fault.clone();
            first.gate.watch().set(Arc::new(move |write| {
                if write.moment == Moment::Done && write.what == ENROL {
                    gate.always(Some(LOOK), Fault::Html(500));
                    gate.always(Some(UNENROL), played.clone());
                }
                Verdict::Do
            }));
            first.write_one(change(kari, &["A/student"], &[])).await;
            let left = first.world().members();
            assert!(left.keys().all(|(_, user)| *user == service()), "{left:?}");
            first.gate.watch().set(Arc::new(|_| Verdict::Do));
            first.gate.faults().clear();
            let second = again(&first, &format!("[enrolments]\n{more}"));
            second.page(&[]).await;
            assert_eq!(landed(&second.write_one(change(ola, &["A/student"], &[])).await), 1);
            assert_eq!(second.world().members().keys().collect::<Vec<_>>(), [&(a, ola)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_account_that_may_be_a_person_s_is_given_nothing_and_stays_where_it_is() {
    let site = site(BY_REPORT);
    let kari = site.add("kari", "oidc");
    let (a, b) = (site.course("A"), site.course("B"));
    site.world().edit_user(service(), |user| user.auth = "oidc".into());
    site.put(b, service(), MANUAL, &["teacher"]);
    site.page(&[]).await;
    let before = site.world().members();
    let outcome = site.write_one(change(kari, &["A/student"], &[])).await;
    let (_, error) = outcome.failed.first().unwrap();
    assert!(error.message.contains("give it another") && error.effect == Effect::None, "{error}");
    assert_eq!((site.world().members(), site.roles(a, kari)), (before, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_right_id_that_nobody_had_costs_one_trial_beside_the_look_at_each_course() {
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
    assert_eq!((sent[ENROL], sent[LOOK], sent[UNENROL]), (2, 3, 1), "{sent:?}");
    assert_eq!(site.world().members().len(), 60);
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
    assert!(site.world().member(a, kari).is_none(), "{error}");
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
    let wrong = outcomes.iter().flat_map(|outcome| &outcome.failed).filter(|(_, e)| e.code == "MOODLE_ROLE_ID_WRONG");
    assert_eq!(wrong.count(), 3, "{outcomes:?}");
    assert!(site.world().members().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_course_that_refuses_the_trial_does_not_hide_what_another_one_shows() {
    for code in ["hiddencoursefault", "nopermissions"] {
        let site = site(&swapped("report = { id = 2 }\n"));
        let kari = site.add("kari", "oidc");
        let (a, _) = (site.course("A"), site.course("B"));
        site.page(&[]).await;
        site.world().refuse_course(a, code);
        let outcome = site.write_one(change(kari, &["A/student", "B/student"], &[])).await;
        let codes: Vec<&str> = outcome.failed.iter().map(|(_, error)| error.code.as_str()).collect();
        assert_eq!(codes, ["MOODLE_COURSE_ENROL_FAILED", "MOODLE_ROLE_ID_WRONG"], "{code}");
        assert!(outcome.failed.iter().all(|(_, error)| error.effect == Effect::None), "{code}");
        assert!(site.world().members().is_empty(), "{code}");
    }
}
