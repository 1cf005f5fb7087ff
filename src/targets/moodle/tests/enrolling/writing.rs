//! What is written of who is enrolled in what, and what is said of what was not.

use super::*;
use crate::model::Stop;
use crate::model::stop::STOPPED;
use crate::sim::watch::{Moment, Verdict};

#[tokio::test(start_paused = true)]
async fn each_kind_of_change_is_sent_as_what_it_is() {
    let site = site(BY_REPORT);
    let [kari, ola, eva, per] = ["kari", "ola", "eva", "per"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, ola, MANUAL, &["student"]);
    site.put(a, eva, MANUAL, &["student", "teacher"]);
    site.put(a, per, MANUAL, &["student"]);
    let before = site.world().calls();
    let outcomes = site
        .write(vec![
            change(kari, &["A/student"], &[]),
            change(ola, &["A/student", "A/teacher"], &["A/student"]),
            change(eva, &["A/teacher"], &["A/student", "A/teacher"]),
            change(per, &[], &["A/student"]),
        ])
        .await;
    assert_eq!(outcomes.iter().map(landed).sum::<usize>(), 4);
    let sent = site.since(&before);
    for function in
        ["enrol_manual_enrol_users", "enrol_manual_unenrol_users", "core_role_assign_roles", "core_role_unassign_roles"]
    {
        assert_eq!(sent[function], 1, "{sent:?}");
    }
    assert_eq!([kari, ola, eva, per].map(|user| site.roles(a, user)), [vec![5], vec![4, 5], vec![4], vec![]]);
    assert!(site.world().member(a, per).is_none());
    assert_eq!(outcomes[0].remote.as_ref().unwrap().id, Some(kari.to_string()));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_role_never_ends_the_enrolment_and_sends_no_mail() {
    let site = site(BY_REPORT);
    let [kari, boss] = ["kari", "boss"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, boss, MANUAL, &["editingteacher", "teacher"]);
    site.put(a, kari, MANUAL, &["student"]);
    site.page(&[]).await;
    site.world().edit_member(a, kari, |member| member.methods.get_mut(MANUAL).unwrap().suspended = true);
    assert_eq!(landed(&site.write_one(change(kari, &["A/teacher"], &["A/student"])).await), 2);
    assert_eq!(site.roles(a, kari), [4]);
    assert!(site.world().member(a, kari).unwrap().methods[MANUAL].suspended, "not enrolled again");
    assert_eq!(site.world().mail().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_role_of_ours_beside_a_foreign_one_is_taken_without_the_enrolment() {
    for more in ["", BY_REPORT] {
        let site = site(more);
        let kari = site.add("kari", "oidc");
        let a = site.course("A");
        site.put(a, kari, MANUAL, &["student", "manager"]);
        assert_eq!(landed(&site.write_one(kept(change(kari, &[], &["A/student"]), &["A/manager"])).await), 1);
        assert_eq!(site.roles(a, kari), [1]);
        assert!(site.world().member(a, kari).unwrap().methods.contains_key(MANUAL));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_there_by_another_method_gets_a_role_and_no_second_enrolment() {
    let site = site(BY_REPORT);
    let kari = site.add("kari", "oidc");
    let a = site.course("A");
    site.put(a, kari, "self", &["student"]);
    site.write_one(kept(change(kari, &["A/student", "A/teacher"], &["A/student"]), &["A/student"])).await;
    let member = site.world().member(a, kari).unwrap();
    assert_eq!((member.roles.into_iter().collect::<Vec<_>>(), member.methods.len()), (vec![4, 5], 1));
    let all = ["A/student", "A/teacher"];
    assert_eq!(landed(&site.write_one(kept(change(kari, &[], &["A/teacher"]), &all)).await), 1);
    assert_eq!(site.roles(a, kari), [5], "the other method's own role is left");
}

#[tokio::test(start_paused = true)]
async fn who_is_enrolled_and_lost_the_role_by_hand_gets_the_role_and_is_not_enrolled_again() {
    for more in ["", BY_REPORT] {
        let site = site(more);
        let [kari, boss] = ["kari", "boss"].map(|name| site.add(name, "oidc"));
        let a = site.course("A");
        site.put(a, boss, MANUAL, &["editingteacher", "student"]);
        site.put(a, kari, MANUAL, &[]);
        site.world().edit_member(a, kari, |member| member.methods.get_mut(MANUAL).unwrap().suspended = true);
        let page = site.page(&[("kari", kari)]).await;
        let mut ready = change(kari, &["A/student"], &[]);
        ready.change.kept = page.seen.into_iter().flat_map(|seen| seen.kept).collect();
        assert_eq!(landed(&site.write_one(ready).await), 1);
        assert_eq!(site.roles(a, kari), [5]);
        assert!(site.world().member(a, kari).unwrap().methods[MANUAL].suspended, "{more}");
        assert_eq!(site.world().mail().sent, 0, "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_report_hides_is_not_made_again() {
    let site = site(BY_REPORT);
    let [kari, ola, boss] = ["kari", "ola", "boss"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, boss, MANUAL, &["editingteacher", "teacher"]);
    site.put(a, kari, MANUAL, &["student"]);
    site.page(&[]).await;
    site.world().edit_member(a, kari, |member| member.methods.get_mut(MANUAL).unwrap().suspended = true);
    // As a report that shows active enrolments only would have it.
    let new = |user| change(user, &["A/student"], &[]);
    let outcomes = site.write(vec![new(kari), new(ola)]).await;
    let [hidden, gone] = &outcomes[..] else { panic!("two: {outcomes:?}") };
    assert_eq!((hidden.error.as_ref(), hidden.landed.len(), hidden.failed.len()), (None, 0, 1));
    let error = &hidden.failed[0].1;
    assert!(error.effect == Effect::None && error.message.contains("condition"), "{error}");
    assert_eq!((landed(gone), site.roles(a, ola)), (1, vec![5]));
    assert!(site.world().member(a, kari).unwrap().methods[MANUAL].suspended);
    assert_eq!(site.world().calls()["core_enrol_get_enrolled_users"], 1, "one look for all");
    // Somebody unenrolled since, and everything was read again.
    site.world().edit_member(a, kari, |member| {
        member.methods.clear();
        member.roles.clear();
    });
    site.page(&[]).await;
    assert_eq!(landed(&site.write_one(new(kari)).await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_removal_keeps_the_enrolment_and_reads_as_gone_until_it_returns() {
    let site = site(SUSPEND);
    let kari = site.add("kari", "oidc");
    let a = site.course("A");
    site.put(a, kari, MANUAL, &["student", "teacher"]);
    let all = ["A/student", "A/teacher"];
    assert_eq!(landed(&site.write_one(change(kari, &[], &all)).await), 2);
    let member = site.world().member(a, kari).unwrap();
    assert!(member.methods[MANUAL].suspended && member.roles.is_empty());
    assert!(site.page(&[("kari", kari)]).await.seen.is_empty(), "what we suspended is not there");
    assert_eq!(landed(&site.write_one(change(kari, &["A/student"], &[])).await), 1);
    let member = site.world().member(a, kari).unwrap();
    assert!(!member.methods[MANUAL].suspended);
    assert_eq!(site.roles(a, kari), [5]);
}

#[tokio::test(start_paused = true)]
async fn a_course_without_manual_enrolment_does_not_hold_back_the_others() {
    let site = site(BY_REPORT);
    let users: Vec<u64> = (0..30).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
    let (a, b) = (site.course("A"), site.course("B"));
    for code in ["C", "D", "E", "F"] {
        site.course(code);
    }
    site.world().edit_course(b, |course| course.manual = Some(ManualInstance { enabled: false, welcome: false }));
    let want = ["A/student", "B/student", "C/student", "D/student", "E/student", "F/student"];
    let batches = site.target.writer.batches(users.iter().map(|user| change(*user, &want, &[])).collect());
    assert_eq!(batches.len(), 1);
    let outcomes = site.target.writer.write(&batches[0]).await;
    for outcome in &outcomes {
        assert_eq!((outcome.error.as_ref(), outcome.landed.len(), outcome.failed.len()), (None, 5, 1));
        let error = &outcome.failed[0].1;
        assert_eq!((error.code.as_str(), error.effect), ("MOODLE_COURSE_ENROL_FAILED", Effect::None));
        assert!(error.message.contains(&key("B")) && error.message.contains("manual enrolments"), "{error}");
    }
    assert!(users.iter().all(|user| site.roles(a, *user) == [5] && site.roles(b, *user).is_empty()));
    // The bad pair is known now.
    let late = site.add("late", "oidc");
    let before = site.world().calls();
    let outcome = site.write_one(change(late, &want, &[])).await;
    assert_eq!((outcome.landed.len(), outcome.failed.len()), (5, 1));
    assert_eq!(site.since(&before)["enrol_manual_enrol_users"], 1);
    // Somebody put it right, and everything was read again.
    site.world().edit_course(b, |course| course.manual = Some(ManualInstance { enabled: true, welcome: false }));
    site.page(&[]).await;
    assert_eq!(landed(&site.write_one(change(late, &["B/student"], &[])).await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_be_assigned_names_the_setting_and_the_right() {
    let site = site(BY_REPORT);
    site.world()
        .edit_plan(|plan| plan.roles.iter_mut().filter(|role| role.id == 3).for_each(|role| role.assignable = false));
    let [kari, ola] = ["kari", "ola"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    let outcomes = site.write(vec![change(kari, &["A/student"], &[]), change(ola, &["A/editingteacher"], &[])]).await;
    assert_eq!(landed(&outcomes[0]), 1);
    assert!(outcomes[1].failed[0].1.message.contains("role_ids"));
    assert_eq!((site.roles(a, kari), site.roles(a, ola)), (vec![5], vec![]));
    // In the middle of a change of role nothing is taken away.
    let outcome = site.write_one(change(kari, &["A/editingteacher"], &["A/student"])).await;
    assert_eq!((outcome.landed.len(), outcome.failed.len()), (0, 2));
    assert_eq!(site.roles(a, kari), [5]);
}

#[tokio::test(start_paused = true)]
async fn a_course_that_went_fails_its_own_edits() {
    let site = site(BY_REPORT);
    let kari = site.add("kari", "oidc");
    site.course("A");
    let outcome = site.write_one(change(kari, &["A/student", "GONE/student"], &[])).await;
    assert_eq!((outcome.landed.len(), outcome.failed.len()), (1, 1));
    assert_eq!(outcome.failed[0].1.kind, ErrorKind::NotFound);
    // Known from the list, and gone since.
    let b = site.course("B");
    site.page(&[]).await;
    site.world().edit_course(b, |course| course.manual = None);
    let outcome = site.write_one(change(kari, &["A/student"], &["A/student", "B/student"])).await;
    assert_eq!(outcome.failed[0].1.code, "MOODLE_COURSE_UNENROL_FAILED");
}

#[tokio::test(start_paused = true)]
async fn a_batch_refused_for_a_person_is_refused_whole_and_one_person_s_edits_stand_alone() {
    let site = site(BY_REPORT);
    let [kari, gone] = ["kari", "gone"].map(|name| site.add(name, "oidc"));
    site.course("A");
    site.course("B");
    site.world().delete_user(gone, SitePlan::default().started_at);
    site.read_roles().await;
    let before = site.world().digest();
    let want = ["A/student", "B/student"];
    for outcome in site.write(vec![change(kari, &want, &[]), change(gone, &want, &[])]).await {
        let error = error(&outcome);
        assert_eq!((error.kind, error.effect, outcome.failed.len()), (ErrorKind::Rejected, Effect::None, 0));
    }
    assert_eq!(site.world().digest(), before);
    let outcome = site.write_one(change(gone, &want, &[])).await;
    assert_eq!((outcome.error, outcome.failed.len()), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn where_something_landed_a_bad_person_holds_back_nobody() {
    let site = site(BY_REPORT);
    let names = ["kari", "ola", "gone", "eva"];
    let [kari, ola, gone, eva] = names.map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, kari, MANUAL, &["student"]);
    site.world().delete_user(gone, SitePlan::default().started_at);
    let outcomes = site
        .write(vec![
            change(kari, &["A/student", "A/teacher"], &["A/student"]),
            change(ola, &["A/student"], &[]),
            change(gone, &["A/student"], &[]),
            change(eva, &["A/student"], &[]),
        ])
        .await;
    assert_eq!(outcomes.iter().map(|outcome| outcome.failed.len()).collect::<Vec<_>>(), [0, 0, 1, 0]);
    assert!([kari, ola, eva].iter().all(|user| site.roles(a, *user).contains(&5)));
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_fails_after_the_commit_leaves_the_outcome_partial() {
    let site = site(BY_REPORT);
    let [kari, boss] = ["kari", "boss"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, boss, MANUAL, &["editingteacher"]);
    site.read_roles().await;
    site.world().break_mail(true);
    let outcome = site.write_one(change(kari, &["A/student"], &[])).await;
    assert_eq!(error(&outcome).effect, Effect::Partial);
    assert_eq!(site.roles(a, kari), [5], "stored all the same");
    assert_eq!(site.world().calls()["enrol_manual_enrol_users"], 1, "and never sent again");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_leaves_its_people_in_doubt_and_the_rest_unsent() {
    let site = site("max_fields = 50\n[enrolments]\nreport = { id = 2 }\n");
    let users: Vec<u64> = (0..30).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
    site.course("A");
    site.read_roles().await;
    site.gate.faults().next(1, Some("enrol_manual_enrol_users"), Fault::CutAfter);
    let outcomes = site.write(users.iter().map(|user| change(*user, &["A/student"], &[])).collect()).await;
    let effects: Vec<Effect> = outcomes.iter().map(|outcome| error(outcome).effect).collect();
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::Unknown).count(), 11, "one request's people");
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::None).count(), 19);
    assert_eq!(site.world().calls()["enrol_manual_enrol_users"], 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_enrolled_by_an_account_that_is_not_ours() {
    let site = site(BY_REPORT);
    site.add("ola", "manual");
    let a = site.course("A");
    let mut ready = change(1, &["A/student"], &[]);
    ready.change.remote = Some(Remote { id: None, handle: Some("ola".into()) });
    let outcome = site.write_one(ready.clone()).await;
    assert_eq!(
        (error(&outcome).kind, error(&outcome).code.as_str()),
        (ErrorKind::Rejected, "MOODLE_COURSE_ENROL_FAILED")
    );
    let kari = site.add("kari", "oidc");
    ready.change.remote = Some(Remote { id: None, handle: Some("Kari".into()) });
    let outcome = site.write_one(ready).await;
    assert_eq!((landed(&outcome), outcome.remote.unwrap().id), (1, Some(kari.to_string())));
    assert_eq!(site.roles(a, kari), [5]);
}

#[tokio::test(start_paused = true)]
async fn parallel_batches_over_many_courses_never_block_each_other() {
    let plan = SitePlan { cost: Some(Cost::default()), ..SitePlan::default() };
    let site = site_of(plan, "[enrolments]\nbatch_size = 12\nreport = { id = 2 }\n");
    let users: Vec<u64> = (0..40).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
    let codes: Vec<String> = (0..6).map(|nth| format!("C{nth}")).collect();
    for code in &codes {
        site.course(code);
    }
    let want: Vec<String> = codes.iter().map(|code| format!("{code}/student")).collect();
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    // The engine gives people in any order.
    let mut ready: Vec<Ready> = users.iter().map(|user| change(*user, &want, &[])).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut ready);
    let batches = site.target.writer.batches(ready);
    assert_eq!(batches.len(), 20);
    let writes: Vec<_> = batches.iter().map(|batch| site.target.writer.write(batch)).collect();
    let outcomes: Vec<Vec<Outcome>> = futures::stream::iter(writes).buffer_unordered(4).collect().await;
    // A request that met another one would have been refused.
    assert_eq!(outcomes.iter().flatten().map(landed).sum::<usize>(), 240);
}

#[tokio::test(start_paused = true)]
async fn accounts_and_enrolments_never_share_a_batch() {
    let site = site(BY_REPORT);
    let ready = vec![change(7, &["A/student"], &[]), create(account("kari")), change(8, &["A/student"], &[])];
    let batches = site.target.writer.batches(ready);
    let kinds: Vec<BTreeSet<&str>> =
        batches.iter().map(|batch| batch.changes.iter().map(|ready| ready.change.kind).collect()).collect();
    assert_eq!(kinds, [BTreeSet::from([ACCOUNT]), BTreeSet::from([ENROLMENTS])]);
}

#[tokio::test(start_paused = true)]
async fn a_course_refused_for_what_nobody_knows_holds_back_nothing_else_and_is_named() {
    for code in ["hiddencoursefault", "A sentence of a plug-in, with a name in it.", "nopermissions"] {
        let site = site(BY_REPORT);
        let users: Vec<u64> = (0..20).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
        let (a, b, c) = (site.course("A"), site.course("B"), site.course("C"));
        site.read_roles().await;
        site.world().refuse_course(b, code);
        let want = ["A/student", "B/student", "C/student"];
        let before = site.world().calls();
        let outcomes = site.write(users.iter().map(|user| change(*user, &want, &[])).collect()).await;
        for (user, outcome) in users.iter().zip(&outcomes) {
            assert_eq!((site.roles(a, *user), site.roles(c, *user)), (vec![5], vec![5]), "{code}");
            assert!(outcome.error.is_none() && outcome.landed.len() == 2, "{code}: {outcome:?}");
            let [(_, error)] = &outcome.failed[..] else { panic!("{code}: {outcome:?}") };
            assert!(error.message.contains(&key("B")) && error.effect == Effect::None, "{code}: {error}");
        }
        let sent = site.since(&before)["enrol_manual_enrol_users"];
        assert!(sent <= 16, "{code}: {sent} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_refused_for_what_nobody_knows_holds_back_nobody() {
    let site = site(BY_REPORT);
    let users: Vec<u64> = (0..20).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
    let a = site.course("A");
    site.read_roles().await;
    site.world().refuse_user(users[7], "guardedaccount");
    let outcomes = site.write(users.iter().map(|user| change(*user, &["A/student"], &[])).collect()).await;
    let failed: Vec<u64> =
        users.iter().zip(&outcomes).filter(|(_, one)| !one.failed.is_empty()).map(|(user, _)| *user).collect();
    assert_eq!(failed, [users[7]]);
    assert_eq!(users.iter().filter(|user| site.roles(a, **user) == [5]).count(), 19);
    // The same where nothing is enrolled, which may be asked for again without a look.
    let outcomes = site.write(users.iter().map(|user| change(*user, &[], &["A/student"])).collect()).await;
    let failed: Vec<u64> =
        users.iter().zip(&outcomes).filter(|(_, one)| !one.failed.is_empty()).map(|(user, _)| *user).collect();
    assert_eq!(failed, [users[7]]);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_everywhere_ends_the_batch_after_a_few_courses() {
    let site = site(BY_REPORT);
    let kari = site.add("kari", "oidc");
    let codes: Vec<String> = (0..12).map(|nth| format!("C{nth}")).collect();
    for code in &codes {
        site.course(code);
    }
    site.read_roles().await;
    site.world().deny("enrol_manual_enrol_users", true);
    let want: Vec<String> = codes.iter().map(|code| format!("{code}/student")).collect();
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    let outcome = site.write_one(change(kari, &want, &[])).await;
    let error = outcome.error.unwrap();
    assert_eq!((error.kind, error.effect), (ErrorKind::Auth, Effect::None));
    assert_eq!(outcome.failed.len(), 3);
    assert!(site.world().calls()["enrol_manual_enrol_users"] <= 16);
}

#[tokio::test(start_paused = true)]
async fn once_somebody_asks_to_stop_no_other_request_of_the_batch_is_sent() {
    let site = site("max_fields = 50\n[enrolments]\nreport = { id = 2 }\n");
    let users: Vec<u64> = (0..30).map(|nth| site.add(&format!("user{nth}"), "oidc")).collect();
    site.course("A");
    site.read_roles().await;
    let ready = users.iter().map(|user| change(*user, &["A/student"], &[])).collect();
    let batch = site.target.writer.batches(ready).remove(0);
    assert_eq!(batch.changes.len(), 30);
    let stop = Stop::default();
    let asks = stop.clone();
    site.gate.watch().set(Arc::new(move |write| {
        if write.moment == Moment::Done {
            asks.request();
        }
        Verdict::Do
    }));
    let outcomes = site.target.writer.write_until(&batch, &stop).await;
    let (sent, left): (Vec<&Outcome>, Vec<&Outcome>) = outcomes.iter().partition(|outcome| outcome.error.is_none());
    assert_eq!((sent.iter().map(|outcome| landed(outcome)).sum::<usize>(), left.len()), (11, 19));
    assert!(left.iter().all(|outcome| error(outcome).code == STOPPED && error(outcome).effect == Effect::None));
    assert_eq!(site.world().calls()["enrol_manual_enrol_users"], 1);
}
