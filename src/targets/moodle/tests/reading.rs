//! What is read, whole and by person.

use super::*;

#[tokio::test(start_paused = true)]
async fn both_ways_to_read_everything_show_the_same_of_ours() {
    let (by_search, by_report) = (site(""), site(REPORT));
    for site in [&by_search, &by_report] {
        let kari = site.add("kari", "oidc");
        site.world().edit_user(kari, |user| user.suspended = true);
        site.add("ola", "manual");
    }
    let (searched, none) = by_search.all().await.unwrap();
    let (reported, total) = by_report.all().await.unwrap();
    assert_eq!((names(&searched), none), (vec!["kari"], None));
    assert_eq!(total, Some(reported.len() as u64), "foreign accounts count");
    let ours: Vec<&Seen> = reported.iter().filter(|seen| seen.foreign.is_none()).collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0].record, searched[0].record);
    assert_eq!(ours[0].record.text(id::LASTNAME), Some("O'Hara & Co"), "unescaped");
    assert_eq!(ours[0].record.standing, Standing::Disabled);
    assert_eq!((ours[0].remote.id.is_none(), searched[0].remote.id.is_some()), (true, true));
}

#[tokio::test(start_paused = true)]
async fn a_report_in_another_language_is_read_with_its_words() {
    let plan = SitePlan { language: Language::Norwegian, ..SitePlan::default() };
    let more = "[report]\nid = 1\nyes = 'Ja'\nno = 'Nei'\nauth = 'OpenID Connect'\n[report.columns]\nusername = 'Brukernavn'\nidnumber = 'ID-nummer'\nemail = 'E-postadresse'\nfirstname = 'Fornavn'\nlastname = 'Etternavn'\nsuspended = 'Suspendert'\nauth = 'Autentisering'\ndepartment = 'Avdeling'\ninstitution = 'Institusjon'\n";
    let site = site_of(plan, more);
    site.gate.world().edit_report(1, |report| report.auth_titles = true);
    site.add("kari", "oidc");
    let (seen, _) = site.all().await.unwrap();
    let ours: Vec<_> = seen.iter().filter(|seen| seen.foreign.is_none()).cloned().collect();
    assert_eq!(names(&ours), ["kari"]);
}

#[tokio::test(start_paused = true)]
async fn an_edited_report_is_followed_where_it_can_be_and_refused_where_not() {
    let site = site(REPORT);
    site.add("kari", "oidc");
    let whole = site.all().await.unwrap();
    site.gate.faults().next(1, None, Fault::EditedReport);
    assert_eq!(site.all().await.unwrap(), whole, "a moved column is followed");
    site.world().edit_report(1, |report| report.columns.retain(|column| *column != Column::Suspended));
    let error = site.all().await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Malformed, "MOODLE_FETCH_FAILED"));
    assert!(error.message.contains("Suspended"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn half_a_report_shows_in_its_count_and_a_doubled_one_is_refused() {
    let site = site(REPORT);
    for number in 0..10 {
        site.add(&format!("user{number}"), "oidc");
    }
    site.gate.faults().next(1, None, Fault::HalfReport);
    let (seen, total) = site.all().await.unwrap();
    assert!(total.unwrap() > seen.len() as u64);
    site.gate.faults().next(1, None, Fault::DuplicateRows);
    assert_eq!(site.all().await.unwrap_err().kind, ErrorKind::Malformed);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_not_there_is_an_error() {
    let site = site("[report]\nid = 77");
    let error = site.all().await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::NotFound, "MOODLE_FETCH_FAILED"));
}

#[tokio::test(start_paused = true)]
async fn people_are_found_by_what_is_remembered_and_by_every_match() {
    let site = site("");
    let renamed = site.add("renamed", "oidc");
    let numbered = site.add("other", "oidc");
    site.world().edit_user(numbered, |user| user.idnumber = "5".into());
    let foreign = site.add("taken", "manual");
    let deleted = site.add("gone", "oidc");
    site.world().delete_user(deleted, SitePlan::default().started_at);
    let anchors = vec![
        anchor("a", Some(&renamed.to_string()), "old", "1"),
        anchor("b", None, "nobody", "5"),
        anchor("c", None, "taken", "3"),
        anchor("d", Some(&deleted.to_string()), "gone", "4"),
        anchor("e", None, "Not A Name", "6"),
    ];
    let pages = site.observe(Ask::These(anchors)).await.unwrap();
    assert_eq!(pages.len(), 1);
    let page = &pages[0];
    assert_eq!(names(&page.seen), ["renamed", "other", "taken"], "a deleted account is none");
    assert_eq!(page.seen[2].foreign.unwrap().0, "other-auth");
    assert_eq!(page.seen[2].remote.id, Some(foreign.to_string()));
    assert_eq!(page.seen[1].matches, [("username", "other".to_owned()), ("idnumber", "5".to_owned())]);
    assert_eq!((page.covered.len(), page.end), (5, None), "an anchor that no account can match is answered too");
}

#[tokio::test(start_paused = true)]
async fn accounts_that_share_an_id_number_are_all_shown() {
    let site = site("");
    for name in ["one", "two"] {
        let id = site.add(name, "oidc");
        site.world().edit_user(id, |user| user.idnumber = "5".into());
    }
    let pages = site.observe(Ask::These(vec![anchor("a", None, "nobody", "5")])).await.unwrap();
    assert_eq!(names(&pages[0].seen), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn many_people_are_asked_for_in_parts_and_an_error_ends_the_stream() {
    let site = site("max_fields = 105");
    let anchors: Vec<Anchor> = (0..1100).map(|n| anchor(&format!("k{n}"), None, &format!("u{n}"), "")).collect();
    let pages = site.observe(Ask::These(anchors.clone())).await.unwrap();
    assert_eq!(pages.iter().map(|page| page.covered.len()).collect::<Vec<_>>(), [500, 500, 100]);
    assert_eq!(site.world().calls()["core_user_get_users_by_field"], 11, "one hundred values a call");
    site.world().deny("core_user_get_users_by_field", true);
    assert_eq!(site.observe(Ask::These(anchors)).await.unwrap_err().kind, ErrorKind::Auth);
}

#[tokio::test(start_paused = true)]
async fn guest_administrator_and_service_account_are_never_ours() {
    let site = site("");
    for id in 1..=3 {
        site.world().edit_user(id, |user| user.auth = "oidc".into());
    }
    let (seen, _) = site.all().await.unwrap();
    assert!(seen.iter().all(|seen| seen.foreign.is_some()) && !seen.is_empty(), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_may_not_be_seen_is_an_error_and_no_difference() {
    let plan = SitePlan { identity_fields: std::collections::BTreeSet::new(), ..SitePlan::default() };
    let site = site_of(plan, "");
    site.add("kari", "oidc");
    let error = site.all().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(error.message.contains("`email`"));
}

#[tokio::test(start_paused = true)]
async fn reads_are_repeated_through_what_passes_and_have_no_effect() {
    let site = site("");
    site.add("kari", "oidc");
    for fault in [
        Fault::Refuse,
        Fault::TooManyRequests(RetryAfter::Seconds(3)),
        Fault::Html(502),
        Fault::Empty500,
        Fault::DatabaseDown,
        Fault::TruncatedBody,
        Fault::HtmlOk,
        Fault::Delay(Duration::from_hours(1)),
    ] {
        site.gate.faults().next(1, Some("core_user_get_users"), fault.clone());
        let (seen, _) = site.all().await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(names(&seen), ["kari"], "{fault:?}");
        assert!(site.gate.faults().are_spent());
    }
    site.world().set_mode(Mode::CommandLineMaintenance);
    let error = site.all().await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Unavailable, Effect::None));
    assert_eq!(error.retry, Retry::Later(Some(Duration::from_mins(5))));
    let calls = site.world().calls();
    assert_eq!(site.all().await.unwrap_err().code, AWAY);
    assert_eq!(site.world().calls(), calls, "it asked to be left alone");
    tokio::time::sleep(Duration::from_mins(5)).await;
    site.world().set_mode(Mode::ServicesOff);
    assert_eq!(site.all().await.unwrap_err().kind, ErrorKind::Auth);
    site.world().set_mode(Mode::Maintenance);
    assert_eq!(site.all().await.unwrap_err().kind, ErrorKind::Unavailable);
}
