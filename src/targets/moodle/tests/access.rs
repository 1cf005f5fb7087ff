//! Who the site is, whether it can be worked with, and tokens.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_identity_names_site_and_account() {
    let plan = SitePlan { site_url: Some("https://moodle.example.invalid".into()), ..SitePlan::default() };
    let identity = site_of(plan, "").target.observer.reader.identity().await.unwrap();
    assert_eq!(identity.id, "https://moodle.example.invalid user 3");
    assert!(identity.title.contains("4.5.5"), "{}", identity.title);
    assert_eq!(identity.warnings, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_function_that_the_service_does_not_list_is_named() {
    for (more, function) in [
        ("", "core_user_get_users"),
        ("", "core_user_create_users"),
        (REPORT, "core_reportbuilder_retrieve_report"),
        ("", "core_user_get_users_by_field"),
    ] {
        let mut plan = SitePlan::default();
        assert!(plan.functions.remove(function));
        let error = site_of(plan, more).target.observer.reader.identity().await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Auth, "MOODLE_CONNECTION_FAILED"));
        assert!(error.message.contains(function), "{error}");
    }
    let mut plan = SitePlan::default();
    plan.functions.remove("core_user_get_users");
    assert!(site_of(plan, REPORT).target.observer.reader.identity().await.is_ok(), "not needed with a report");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_debugs_is_warned_of() {
    let plan = SitePlan { debugging: true, ..SitePlan::default() };
    let identity = site_of(plan, "").target.observer.reader.identity().await.unwrap();
    assert!(identity.warnings.iter().any(|warning| warning.contains("debugging")), "{:?}", identity.warnings);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_ends_the_pipeline_with_its_code() {
    let site = site("");
    site.world().revoke_token(&SitePlan::default().token);
    let error = site.target.observer.reader.identity().await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str(), error.retry), (ErrorKind::Auth, "MOODLE_TOKEN_FAILED", Retry::Never));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_once_more_when_it_expires() {
    let site = site_with_log_in();
    site.target.observer.reader.identity().await.unwrap();
    site.all().await.unwrap();
    assert_eq!(site.world().calls()["login/token.php"], 1);
    for _ in 0..2 {
        site.gate.faults().next(1, Some("core_user_get_users"), Fault::TokenExpired);
        site.all().await.unwrap();
    }
    assert_eq!(site.world().calls()["login/token.php"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_fetched_for_ever() {
    let site = site_with_log_in();
    site.gate.faults().always(Some("core_user_get_users"), Fault::InvalidToken);
    assert_eq!(site.all().await.unwrap_err().code, "MOODLE_TOKEN_FAILED");
    assert_eq!(site.world().calls()["login/token.php"], 2);
}
