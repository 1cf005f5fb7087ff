//! What is written, and what is said of what was not.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_created_is_read_back_the_same() {
    let site = site("[attributes]\ncity = '{campus}'");
    let wanted = account("kari").with(id::IDNUMBER, "5").with(id::DEPARTMENT, "A & B").with(id::CITY, "Oslo");
    let outcomes = site.write(vec![create(wanted.clone()), create(account("ola"))]).await;
    assert!(outcomes.iter().all(|outcome| outcome.error.is_none()));
    assert_eq!(site.world().calls()["core_user_create_users"], 1);
    let (seen, _) = site.all().await.unwrap();
    let found = seen.iter().find(|seen| seen.remote.handle.as_deref() == Some("kari")).unwrap();
    assert_eq!(Some(&found.remote), outcomes[0].remote.as_ref());
    assert_eq!(found.record.attributes(), wanted.attributes());
    assert!(!site.world().user("kari").unwrap().has_password);
}

#[tokio::test(start_paused = true)]
async fn changes_land_and_nothing_else_moves() {
    let site = site("");
    let kari = site.add("kari", "oidc");
    let before = site.world().user("kari").unwrap();
    let edits = vec![
        Edit::Standing { to: Standing::Disabled },
        set(id::USERNAME, "karin"),
        Edit::Clear { attribute: id::DEPARTMENT, from: "A < B".into() },
    ];
    let outcome = site.write_one(update("k", &kari.to_string(), edits)).await;
    assert_eq!((outcome.error, outcome.landed.len()), (None, 3));
    assert_eq!(outcome.remote, Some(Remote { id: Some(kari.to_string()), handle: Some("karin".into()) }));
    let after = site.world().user("karin").unwrap();
    let mut want = User { username: "karin".into(), department: String::new(), suspended: true, ..before };
    want.modified = after.modified;
    assert_eq!(after, want);
    site.write_one(update("k", &kari.to_string(), vec![Edit::Standing { to: Standing::Active }])).await;
    assert!(!site.world().user("karin").unwrap().suspended);
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_refuses_the_whole_create_without_effect() {
    let site = site("");
    site.add("ola", "oidc");
    let before = site.world().digest();
    let outcomes = site.write(vec![create(account("kari")), create(account("ola"))]).await;
    for outcome in &outcomes {
        let error = error(outcome);
        assert_eq!((error.kind, error.effect, error.retry), (ErrorKind::Rejected, Effect::None, Retry::Never));
        assert_eq!(error.code, "MOODLE_USER_CREATE_FAILED");
    }
    assert_eq!(site.world().digest(), before);
}

#[tokio::test(start_paused = true)]
async fn a_single_refused_create_names_its_cause_without_values() {
    for more in ["", REPORT] {
        let mut plan = SitePlan::default();
        if !more.is_empty() {
            plan.functions.remove("core_user_get_users");
        }
        let site = site_of(plan, more);
        site.add("ola", "manual");
        for (record, cause) in [
            (account("ola").with(id::EMAIL, "other@example.invalid"), "username-taken"),
            (account("kari").with(id::EMAIL, "ola@example.invalid"), "email-taken"),
        ] {
            let outcome = site.write_one(create(record)).await;
            let error = error(&outcome);
            assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::None));
            assert!(error.message.starts_with(cause) && !error.message.contains("ola"), "{error}");
        }
        let strange = account("kari").with(id::AUTH, "saml9");
        assert_eq!(error(&site.write_one(create(strange)).await).kind, ErrorKind::Rejected, "another cause");
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_are_taken_without_regard_to_case_and_without_wildcards() {
    let site = site("");
    let ola = site.add("ola", "oidc");
    site.world().edit_user(ola, |user| user.email = "OLA_N@example.invalid".into());
    let outcome = site.write_one(create(account("kari").with(id::EMAIL, "ola_n@example.invalid"))).await;
    assert!(error(&outcome).message.starts_with("email-taken"));
    let near = account("kari").with(id::EMAIL, "olaXn@example.invalid").with(id::AUTH, "saml9");
    assert!(!error(&site.write_one(create(near)).await).message.contains("email-taken"));
}

#[tokio::test(start_paused = true)]
async fn every_account_of_an_update_has_its_own_outcome() {
    let site = site("");
    let [kari, ola, eva] = ["kari", "ola", "eva"].map(|name| site.add(name, "oidc"));
    let gone = site.add("gone", "oidc");
    site.world().delete_user(gone, SitePlan::default().started_at);
    let changes = vec![
        update("a", &kari.to_string(), vec![set(id::FIRSTNAME, "Karin")]),
        update("b", &ola.to_string(), vec![set(id::EMAIL, "KARI@example.invalid")]),
        update("c", &eva.to_string(), vec![set(id::USERNAME, "kari")]),
        update("d", &gone.to_string(), vec![Edit::Standing { to: Standing::Disabled }]),
        update("e", "4711", vec![set(id::FIRSTNAME, "X")]),
    ];
    let outcomes = site.write(changes).await;
    assert_eq!(site.world().calls()["core_user_update_users"], 1);
    assert_eq!(outcomes[0].error, None);
    assert_eq!(site.world().user("kari").unwrap().firstname, "Karin");
    let rows = [
        (1, ErrorKind::Conflict, "email-taken", "MOODLE_USER_UPDATE_FAILED"),
        (2, ErrorKind::Conflict, "username-taken", "MOODLE_USER_UPDATE_FAILED"),
        (3, ErrorKind::NotFound, "usernotupdateddeleted", "MOODLE_USER_DISABLE_FAILED"),
        (4, ErrorKind::NotFound, "invaliduserid", "MOODLE_USER_UPDATE_FAILED"),
    ];
    for (at, kind, cause, code) in rows {
        let error = error(&outcomes[at]);
        assert_eq!((error.kind, error.effect, error.code.as_str()), (kind, Effect::None, code), "{at}");
        assert!(error.message.starts_with(cause), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_known_by_name_only_is_looked_up_and_never_one_that_is_not_ours() {
    let site = site(REPORT);
    let kari = site.add("kari", "oidc");
    site.add("ola", "manual");
    let suspend = |name: &str| update_named(name, vec![Edit::Standing { to: Standing::Disabled }]);
    let before = site.world().user("ola");
    let outcomes = site.write(["kari", "ola", "nobody", "svc-reconcile"].map(suspend).into()).await;
    assert_eq!(outcomes[0].error, None);
    assert_eq!(outcomes[0].remote.as_ref().unwrap().id, Some(kari.to_string()), "the id is known from now on");
    assert!(site.world().user("kari").unwrap().suspended);
    for (at, kind, cause) in [
        (1, ErrorKind::Rejected, "other-auth"),
        (2, ErrorKind::NotFound, ""),
        (3, ErrorKind::Rejected, "service-account"),
    ] {
        let error = error(&outcomes[at]);
        assert_eq!((error.kind, error.code.as_str()), (kind, "MOODLE_USER_DISABLE_FAILED"));
        assert!(error.message.starts_with(cause), "{error}");
    }
    assert_eq!(site.world().user("ola"), before);
    assert!(!site.world().user("svc-reconcile").unwrap().suspended);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_leaves_the_outcome_unknown_and_is_never_sent_again() {
    for (fault, calls) in [
        (Fault::CutAfter, 1),
        (Fault::LandsLater(Duration::from_mins(1)), 1),
        (Fault::GatewayTimeout(Duration::from_mins(1)), 1),
        (Fault::TruncatedBody, 1),
        (Fault::HtmlOk, 1),
        (Fault::Html(502), 1),
        (Fault::Empty500, 1),
        (Fault::Delay(Duration::from_mins(10)), 1),
    ] {
        let site = site("");
        site.gate.faults().next(1, Some("core_user_create_users"), fault.clone());
        let outcome = site.write_one(create(account("kari"))).await;
        assert_eq!(error(&outcome).effect, Effect::Unknown, "{fault:?}");
        tokio::time::sleep(Duration::from_hours(1)).await;
        let tries = site.world().calls().get("core_user_create_users").copied().unwrap_or_default();
        assert!(tries <= calls, "{fault:?}: sent {tries} times");
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_refusal_is_left_to_be_read_again_first() {
    let site = site("");
    site.gate.faults().next(1, Some("core_user_create_users"), Fault::WriteRefused);
    let outcomes = site.write(vec![create(account("kari")), create(account("ola"))]).await;
    for outcome in &outcomes {
        let error = error(outcome);
        assert_eq!((error.kind, error.retry, error.effect), (ErrorKind::Conflict, Retry::Later(None), Effect::None));
    }
    assert!(site.world().user("kari").is_none(), "not sent again by itself");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_certainly_did_nothing_is_repeated() {
    let site = site("");
    for fault in [Fault::TooManyRequests(RetryAfter::Seconds(2)), Fault::DatabaseDown] {
        site.gate.faults().next(1, Some("core_user_create_users"), fault);
    }
    assert_eq!(site.write_one(create(account("kari"))).await.error, None);
    assert_eq!(site.world().users().iter().filter(|user| user.username == "kari").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_form_that_the_server_cuts_is_noticed() {
    // Five fields a user: the third user is dropped without a word.
    let plan = SitePlan { max_input_vars: 14, ..SitePlan::default() };
    let site = site_of(plan, "");
    let outcomes = site.write(["a", "b", "c"].map(|name| create(account(name))).into()).await;
    assert_eq!((&outcomes[0].error, &outcomes[1].error), (&None, &None));
    let error = error(&outcomes[2]);
    assert_eq!((error.kind, error.effect), (ErrorKind::Malformed, Effect::Unknown));
    assert!(error.message.contains("max_fields"));
}

#[tokio::test(start_paused = true)]
async fn parallel_batches_never_make_two_accounts_of_one_address() {
    let plan = SitePlan { cost: Some(crate::targets::moodle::sim::Cost::default()), ..SitePlan::default() };
    let site = site_of(plan, "");
    let same = |name: &str| create(account(name).with(id::EMAIL, "same@example.invalid"));
    let batches: Vec<Batch> = site.target.writer.batches(vec![same("a"), same("b")]);
    assert_eq!(batches.len(), 2);
    let (one, two) = tokio::join!(site.target.writer.write(&batches[0]), site.target.writer.write(&batches[1]));
    assert_eq!(one[0].error, None);
    assert!(error(&two[0]).message.starts_with("email-taken"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_composed_is_refused_and_the_rest_goes_on() {
    let site = site("");
    let outcomes = site.write(vec![create(account("kari").with(id::LASTNAME, "")), create(account("ola"))]).await;
    assert!(error(&outcomes[0]).message.contains("lastname"));
    assert_eq!(outcomes[1].error, None);
    let only = site.write_one(update("k", "7", vec![Edit::Clear { attribute: id::EMAIL, from: "x".into() }])).await;
    assert!(error(&only).message.contains("email"));
    assert_eq!(site.world().calls().get("core_user_update_users"), None, "nothing was left to send");
}

#[tokio::test(start_paused = true)]
async fn nothing_shown_of_a_failure_names_anybody() {
    let plan = SitePlan { debugging: true, ..SitePlan::default() };
    let site = site_of(plan, "");
    site.add("ola", "oidc");
    let record: Record = account("ola").with(id::FIRSTNAME, "Hemmelig");
    let outcome = site.write_one(create(record)).await;
    let shown = format!("{:?} {}", outcome.error, error(&outcome));
    assert!(!shown.contains("ola") && !shown.contains("Hemmelig"), "{shown}");
}
