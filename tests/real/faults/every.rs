//! Every fault that the simulators can play, once at every function or operation that a pass uses: one pass under it,
//! then it is gone, and the world ends as without it, with as many writes. What the user reads is `told.rs`.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use reconcile::sim::faults::{Fault as Ldap, Operation, Refusal, Times};
use reconcile::targets::moodle::sim::{Fault, RetryAfter};

use super::stage::{Stage, TIMEOUT};

/// Longer than an answer is waited for.
const LATE: Duration = TIMEOUT.saturating_add(Duration::from_millis(500));
const SOON: Duration = Duration::from_millis(100);

/// Faults between the asker and the site, which every function can meet.
fn of_any_function() -> Vec<Fault> {
    vec![
        Fault::Refuse,
        Fault::CutAfter,
        Fault::LandsLater(SOON),
        Fault::GatewayTimeout(SOON),
        Fault::Delay(LATE),
        Fault::Drip(LATE),
        Fault::TooManyRequests(RetryAfter::Seconds(1)),
        Fault::TooManyRequests(RetryAfter::Seconds(7_200)),
        Fault::TooManyRequests(RetryAfter::Absent),
        Fault::Html(401),
        Fault::Html(500),
        Fault::Empty500,
        Fault::Maintenance(503),
        Fault::InvalidToken,
        Fault::TokenExpired,
        Fault::DatabaseDown,
        Fault::TruncatedBody,
        Fault::HtmlOk,
        Fault::Says(200, r#"{"exception":"moodle_exception","errorcode":"plugin","message":"x"}"#.into()),
        Fault::Says(403, "null".into()),
    ]
}

/// Where a fault is played. Without a wildcard: whoever adds one says where, and it is looked for there.
fn is_of_any_function(fault: &Fault) -> bool {
    match fault {
        Fault::Refuse
        | Fault::CutAfter
        | Fault::LandsLater(_)
        | Fault::GatewayTimeout(_)
        | Fault::Delay(_)
        | Fault::Drip(_)
        | Fault::TooManyRequests(_)
        | Fault::Html(_)
        | Fault::Says(..)
        | Fault::Empty500
        | Fault::Maintenance(_)
        | Fault::InvalidToken
        | Fault::TokenExpired
        | Fault::DatabaseDown
        | Fault::TruncatedBody
        | Fault::HtmlOk => true,
        Fault::WriteRefused
        | Fault::HalfReport
        | Fault::DuplicateRows
        | Fault::EditedReport
        | Fault::UsersVanish(_)
        | Fault::HalfUsers => false,
    }
}

#[test]
fn every_fault_of_the_site_is_among_them() {
    let kinds = |faults: Vec<Fault>| faults.iter().map(std::mem::discriminant).collect::<HashSet<_>>();
    let any = of_any_function();
    assert!(any.iter().all(is_of_any_function));
    assert_eq!(kinds(any).len(), 16);
    let readers = ["core_reportbuilder_retrieve_report", "core_user_get_users", "core_user_create_users"];
    let some: Vec<Fault> = readers.into_iter().flat_map(of_one_function).collect();
    assert!(!some.iter().any(is_of_any_function));
    assert_eq!(kinds(some).len(), 6);
}

/// Faults that only a function has that answers so.
fn of_one_function(function: &str) -> Vec<Fault> {
    let vanish = || [Fault::UsersVanish(0), Fault::UsersVanish(50)];
    let mut faults = Vec::new();
    match function {
        "core_reportbuilder_retrieve_report" => {
            faults.extend([Fault::HalfReport, Fault::DuplicateRows, Fault::EditedReport]);
            faults.extend(vanish());
        }
        "core_user_get_users" => {
            faults.push(Fault::HalfUsers);
            faults.extend(vanish());
        }
        "core_user_get_users_by_field" => faults.extend(vanish()),
        _ => {}
    }
    if !function.contains("_get_") && !["login/token.php", "core_reportbuilder_retrieve_report"].contains(&function) {
        faults.push(Fault::WriteRefused);
    }
    faults
}

/// Exit codes with which a pass may answer a fault, and what it then says.
#[track_caller]
fn is_told(code: u8, said: &str, what: &str) {
    match code {
        0 => {}
        1 | 4 | 5 => assert!(
            ["MOODLE_", "PORTAL_", "LDAP_", "TARGET_AWAY", "not trusted", "NOT_CONFIRMED"]
                .iter()
                .any(|code| said.contains(code)),
            "{what}: exit code {code} without a cause\n{said}"
        ),
        _ => panic!("{what}: exit code {code}\n{said}"),
    }
    assert!(!said.contains("INTERNAL_ERROR") && !said.contains("panicked"), "{what}\n{said}");
}

async fn survives(by_report: bool, functions: &[&str]) {
    let all = functions.iter().flat_map(|function| {
        let faults = of_any_function().into_iter().chain(of_one_function(function));
        faults.map(|fault| ((*function).to_owned(), fault))
    });
    let cases: Vec<(String, Fault)> = all.collect();
    let expected = Stage::undisturbed(cases.len(), by_report).await;
    let stage = Stage::loaded(by_report).await;
    let mut codes: BTreeMap<u8, usize> = BTreeMap::new();
    for (number, (function, fault)) in cases.iter().enumerate() {
        let what = format!("{fault:?} at {function}");
        stage.round(number).await;
        stage.faults().next(1, Some(function), fault.clone());
        let ended = stage.pass().await;
        is_told(ended.code, &ended.said, &what);
        assert!(stage.faults().are_spent(), "{what}: nobody met it\n{}", ended.said);
        *codes.entry(ended.code).or_default() += 1;
        stage.converges(&what).await;
        stage.state().is(&expected[number], &what);
    }
    println!("{} faults, by exit code {codes:?}", cases.len());
}

macro_rules! survived {
    ($($name:ident: $by_report:literal, $functions:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            survives($by_report, &$functions).await;
        }
    )*};
}

survived! {
    every_fault_of_a_log_in_is_survived: true, ["login/token.php", "core_webservice_get_site_info"];
    every_fault_of_a_report_is_survived: true, ["core_reportbuilder_retrieve_report"];
    every_fault_of_a_look_up_is_survived: true, ["core_user_get_users_by_field", "core_course_get_courses"];
    every_fault_of_a_listing_is_survived: false, ["core_user_get_users", "core_enrol_get_enrolled_users"];
    every_fault_of_an_account_s_write_is_survived: true, ["core_user_create_users", "core_user_update_users"];
    every_fault_of_an_enrolment_is_survived: true, ["enrol_manual_enrol_users", "enrol_manual_unenrol_users"];
    every_fault_of_a_role_is_survived: true, ["core_role_assign_roles", "core_role_unassign_roles"];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_that_a_pass_uses_is_among_them() {
    let named = [
        "login/token.php",
        "core_webservice_get_site_info",
        "core_reportbuilder_retrieve_report",
        "core_user_get_users_by_field",
        "core_course_get_courses",
        "core_user_get_users",
        "core_enrol_get_enrolled_users",
        "core_user_create_users",
        "core_user_update_users",
        "enrol_manual_enrol_users",
        "enrol_manual_unenrol_users",
        "core_role_assign_roles",
        "core_role_unassign_roles",
    ];
    for by_report in [true, false] {
        let stage = Stage::loaded(by_report).await;
        stage.round(0).await;
        stage.pass().await.expect(0);
        for function in stage.world().calls().keys() {
            assert!(named.contains(&function.as_str()), "{function} is used, and no fault of it is played");
        }
    }
}

/// Every fault of the directory is played below, but for one that only words a refusal. Without a wildcard: whoever adds
/// one says so.
fn is_played(fault: &Ldap) -> bool {
    match fault {
        Ldap::SizeLimit(_)
        | Ldap::DropAfter(_)
        | Ldap::Refuse(..)
        | Ldap::LoseAnswer(_)
        | Ldap::Hold(_)
        | Ldap::HideAttribute(_)
        | Ldap::HideEntries(_)
        | Ldap::RepeatAttribute(_)
        | Ldap::RepeatEntry
        | Ldap::Drip(_)
        | Ldap::Referral(_)
        | Ldap::NotUtf8(_) => true,
        Ldap::Explain(_) => false,
    }
}

#[test]
fn every_fault_of_the_directory_is_among_them() {
    let all = of_the_directory();
    assert!(all.iter().all(|(fault, _)| is_played(fault)));
    assert_eq!(all.iter().map(|(fault, _)| std::mem::discriminant(fault)).collect::<HashSet<_>>().len(), 12);
}

/// Faults of the directory; the number says how many requests meet it.
fn of_the_directory() -> Vec<(Ldap, Times)> {
    use Operation::{Bind, Read, Write};
    let mut faults = Vec::new();
    let refusals = [Refusal::Busy, Refusal::Unavailable, Refusal::Unwilling, Refusal::Forbidden, Refusal::Internal];
    for operation in [Bind, Read, Write] {
        for refusal in refusals {
            faults.push((Ldap::Refuse(operation, refusal), Times::Next(1)));
            faults.push((Ldap::Refuse(operation, refusal), Times::Always));
        }
        faults.push((Ldap::LoseAnswer(operation), Times::Next(1)));
        faults.push((Ldap::LoseAnswer(operation), Times::Always));
    }
    // Longer than its answer is waited for.
    faults.push((Ldap::Hold(LATE), Times::Next(1)));
    faults.push((Ldap::Hold(SOON), Times::Always));
    for fault in [
        Ldap::SizeLimit(0),
        Ldap::SizeLimit(25),
        Ldap::DropAfter(0),
        Ldap::DropAfter(7),
        Ldap::HideAttribute("idautoPersonAppRoles2".into()),
        Ldap::HideAttribute("idautoPersonAppRoles5".into()),
        Ldap::HideAttribute("idautoPersonAppRoles7".into()),
        Ldap::HideAttribute("idautoDisabled".into()),
        Ldap::HideAttribute("idautoID".into()),
        Ldap::HideAttribute("entryCSN".into()),
        Ldap::HideEntries(40),
        Ldap::RepeatAttribute("idautoPersonAppRoles2".into()),
        Ldap::Drip(Duration::from_millis(1)),
        Ldap::Drip(LATE),
        Ldap::RepeatEntry,
        Ldap::Referral("ldap://127.0.0.1:1/dc=other".into()),
        Ldap::NotUtf8("sn".into()),
    ] {
        faults.push((fault.clone(), Times::Next(1)));
        if fault != Ldap::Drip(LATE) {
            faults.push((fault, Times::Always));
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_directory_is_survived() {
    let cases = of_the_directory();
    let expected = Stage::undisturbed(cases.len(), true).await;
    let stage = Stage::loaded(true).await;
    let mut codes: BTreeMap<u8, usize> = BTreeMap::new();
    for (number, (fault, times)) in cases.iter().enumerate() {
        let what = format!("{fault:?}, {times:?}");
        stage.round(number).await;
        let met = stage.directory.faults().played();
        stage.directory.faults().play(fault.clone(), *times);
        let ended = stage.pass().await;
        is_told(ended.code, &ended.said, &what);
        assert!(stage.directory.faults().played() > met, "{what}: nobody met it\n{}", ended.said);
        stage.directory.faults().clear();
        *codes.entry(ended.code).or_default() += 1;
        stage.converges(&what).await;
        stage.state().is(&expected[number], &what);
    }
    println!("{} faults, by exit code {codes:?}", cases.len());
}
