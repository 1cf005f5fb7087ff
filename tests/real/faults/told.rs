//! What the user is told of a fault: exit code and words, as they stand on the terminal. Afterwards it is gone, and the
//! world ends as without it.

use std::time::Duration;

use reconcile::sim::campus::attribute;
use reconcile::sim::faults::{Fault as Ldap, Operation, Times};
use reconcile::targets::moodle::sim::{Fault, RetryAfter, User};

use super::stage::{Stage, TIMEOUT};
use crate::rig::{CREATE, REPORT, UPDATE, username};

const LATE: Duration = TIMEOUT.saturating_add(Duration::from_millis(500));
const SITE: &str = "core_webservice_get_site_info";
const ENROL: &str = "enrol_manual_enrol_users";

/// One fault, once or for a whole pass, and what the pass then ends with.
struct Row {
    function: &'static str,
    fault: Fault,
    always: bool,
    code: u8,
    says: &'static [&'static str],
}

fn once(function: &'static str, fault: Fault, code: u8, says: &'static [&'static str]) -> Row {
    Row { function, fault, always: false, code, says }
}

fn always(function: &'static str, fault: Fault, code: u8, says: &'static [&'static str]) -> Row {
    Row { always: true, ..once(function, fault, code, says) }
}

fn too_many(retry: RetryAfter) -> Fault {
    Fault::TooManyRequests(retry)
}

async fn told(rows: &[Row]) {
    let (expected, stage) = tokio::join!(Stage::undisturbed(rows.len(), true), Stage::loaded(true));
    for (number, Row { function, fault, always, code, says }) in rows.iter().enumerate() {
        let what = format!("{fault:?} at {function}, {}", if *always { "always" } else { "once" });
        stage.round(number).await;
        match always {
            true => stage.faults().always(Some(function), fault.clone()),
            false => stage.faults().next(1, Some(function), fault.clone()),
        }
        let ended = stage.pass().await;
        assert_eq!(ended.code, *code, "{what}\n{}", ended.said);
        for words in *says {
            assert!(ended.said.contains(words), "{what}: `{words}` is not in\n{}", ended.said);
        }
        stage.faults().clear();
        stage.converges(&what).await;
        stage.state().is(&expected[number], &what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_refuses_us_is_told_by_its_own_status() {
    let refused = &["HTTP 401: access is refused; check credentials and rights"];
    told(&[
        once(SITE, Fault::Html(401), 1, &["stopped: MOODLE_CONNECTION_FAILED: HTTP 401: access is refused"]),
        always(SITE, Fault::Html(401), 1, refused),
        once(REPORT, Fault::Html(401), 5, refused),
        once(CREATE, Fault::Html(401), 4, &["failed: MOODLE_USER_CREATE_FAILED: HTTP 401: access is refused"]),
        always(UPDATE, Fault::Html(401), 4, refused),
        always(ENROL, Fault::Html(401), 4, &["MOODLE_COURSE_ENROL_FAILED: HTTP 401"]),
        always(SITE, Fault::InvalidToken, 1, &["stopped: MOODLE_TOKEN_FAILED: invalidtoken: the token is wrong"]),
        once(SITE, Fault::InvalidToken, 0, &[]),
        once(CREATE, Fault::TokenExpired, 0, &[]),
        once(REPORT, Fault::TokenExpired, 0, &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_are_waited_out_in_every_form_but_not_for_hours() {
    told(&[
        once(CREATE, too_many(RetryAfter::Seconds(1)), 0, &[]),
        once(CREATE, too_many(RetryAfter::Date(Duration::from_secs(2))), 0, &[]),
        once(CREATE, too_many(RetryAfter::Past(Duration::from_mins(10))), 0, &[]),
        once(CREATE, too_many(RetryAfter::Text("soon")), 0, &[]),
        once(CREATE, too_many(RetryAfter::Text("-1")), 0, &[]),
        once(CREATE, too_many(RetryAfter::Absent), 0, &[]),
        once(REPORT, too_many(RetryAfter::Text("Wed, 21 Oct")), 0, &[]),
        always(
            CREATE,
            too_many(RetryAfter::Absent),
            4,
            &["failed: MOODLE_USER_CREATE_FAILED: HTTP 429: too many requests"],
        ),
        once(
            CREATE,
            too_many(RetryAfter::Seconds(3 * 3600)),
            4,
            &["failed: MOODLE_USER_CREATE_FAILED: HTTP 429: too many requests"],
        ),
        once(SITE, too_many(RetryAfter::Seconds(3 * 3600)), 1, &["stopped: MOODLE_CONNECTION_FAILED: HTTP 429"]),
        once(REPORT, too_many(RetryAfter::Date(Duration::from_hours(2))), 5, &["HTTP 429: too many requests"]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_an_answer_is_in_doubt_and_read_back() {
    let doubted = &["in doubt: MOODLE_USER_CREATE_FAILED: HTTP 50"];
    let cut =
        &["in doubt: MOODLE_CONNECTION_FAILED: the connection to http://127.0.0.1", "broke before the whole answer"];
    let late = &["in doubt: MOODLE_CONNECTION_FAILED: http://127.0.0.1", "did not answer within 2000 ms"];
    told(&[
        once(CREATE, Fault::Refuse, 4, cut),
        once(CREATE, Fault::CutAfter, 4, cut),
        once(UPDATE, Fault::CutAfter, 4, cut),
        once(CREATE, Fault::Html(500), 4, doubted),
        once(CREATE, Fault::Empty500, 4, doubted),
        once(CREATE, Fault::Html(502), 4, doubted),
        once(CREATE, Fault::GatewayTimeout(Duration::from_millis(200)), 4, doubted),
        once(CREATE, Fault::Maintenance(503), 4, &["HTTP 503: the site is in maintenance, or too slow"]),
        once(
            CREATE,
            Fault::HtmlOk,
            4,
            &["in doubt: MOODLE_USER_CREATE_FAILED: the site answered with a page instead of JSON"],
        ),
        once(CREATE, Fault::TruncatedBody, 4, &["in doubt: MOODLE_USER_CREATE_FAILED: the site answered with what"]),
        once(CREATE, Fault::Delay(LATE), 4, late),
        once(CREATE, Fault::Drip(LATE), 4, late),
        once(ENROL, Fault::CutAfter, 4, cut),
        once(ENROL, Fault::Drip(Duration::from_millis(300)), 0, &[]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_tried_again_after_a_look() {
    let refused =
        &["dmlwriteexception: the database refused the write: a name is taken, a value too long, or two writes met"];
    told(&[
        once(CREATE, Fault::WriteRefused, 0, &[]),
        always(CREATE, Fault::WriteRefused, 4, refused),
        once(UPDATE, Fault::WriteRefused, 0, &[]),
        once(ENROL, Fault::WriteRefused, 4, refused),
        always(ENROL, Fault::WriteRefused, 4, refused),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_fails_or_shows_less_is_told_and_nothing_follows_from_it() {
    told(&[
        once(REPORT, Fault::Refuse, 0, &[]),
        always(REPORT, Fault::Html(502), 5, &["MOODLE_FETCH_FAILED", "HTTP 502: the target is down, busy or slow"]),
        always(REPORT, Fault::Drip(LATE), 5, &["did not answer within 2000 ms"]),
        once(REPORT, Fault::HalfReport, 5, &["listing-short"]),
        once(REPORT, Fault::DuplicateRows, 5, &["MOODLE_FETCH_FAILED"]),
        always(REPORT, Fault::EditedReport, 0, &[]),
        always(SITE, Fault::DatabaseDown, 1, &["stopped: MOODLE_CONNECTION_FAILED: dbconnectionfailed"]),
        always("core_course_get_courses", Fault::Html(500), 5, &["parts-unread", "HTTP 500"]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expired_is_told_until_there_is_another() {
    let stage = Stage::loaded(true).await;
    stage.reconfigure(
        "username = \"svc-reconcile\"\npassword = \"env:SITE\"\nservice = \"reconcile\"\n",
        "token = \"env:TOKEN\"\n",
    );
    stage.round(0).await;
    stage.faults().next(1, Some(UPDATE), Fault::TokenExpired);
    let ended = stage.pass().await.expect(4);
    ended.says(&["MOODLE_TOKEN_FAILED: accessexception: the token has expired"]);
    for _ in 0..2 {
        let ended = stage.pass().await.expect(1);
        ended.says(&["stopped: MOODLE_TOKEN_FAILED: invalidtoken: the token is wrong, withdrawn or expired"]);
    }
    stage.reconfigure(
        "token = \"env:TOKEN\"\n",
        "username = \"svc-reconcile\"\npassword = \"env:SITE\"\nservice = \"reconcile\"\n",
    );
    stage.converges("with a new token").await;
    stage.state().is(&Stage::undisturbed(1, true).await[0], "with a new token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_breaks_off_or_answers_in_part_closes_nobody() {
    let rows: [(Ldap, Times, u8, &[&str]); 6] = [
        (
            Ldap::SizeLimit(15),
            Times::Always,
            1,
            &["source-incomplete", "the server's size limit cut the reading short (rc 4"],
        ),
        (Ldap::DropAfter(7), Times::Always, 1, &["LDAP_CONNECTION_FAILED: portal-ldap: ", "the connection ended"]),
        (Ldap::Drip(LATE), Times::Next(1), 1, &["PORTAL_CONNECTION_FAILED: 127.0.0.1:", "no answer in time"]),
        (Ldap::HideEntries(50), Times::Always, 5, &["source-shrunk"]),
        (Ldap::LoseAnswer(Operation::Write), Times::Next(1), 4, &["in doubt: PORTAL_CONNECTION_FAILED"]),
        (Ldap::LoseAnswer(Operation::Bind), Times::Always, 1, &["LDAP_CONNECTION_FAILED"]),
    ];
    let (expected, stage) = tokio::join!(Stage::undisturbed(rows.len(), true), Stage::loaded(true));
    for (number, (fault, times, code, says)) in rows.into_iter().enumerate() {
        let what = format!("{fault:?}");
        stage.round(number).await;
        stage.directory.faults().play(fault, times);
        stage.pass().await.expect(code).says(says);
        stage.directory.faults().clear();
        stage.converges(&what).await;
        stage.state().is(&expected[number], &what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_reloaded_half_way_takes_nothing_and_the_rest_goes_on() {
    let stage = Stage::loaded(true).await;
    let loaded = stage.state();
    let renamed = stage.campus.people.iter().find(|one| one.oddity.is_none() && one.entitled("moodle")).unwrap();
    assert!(stage.directory.modify(&renamed.uhid, |entry| entry.set(attribute::SURNAME, ["Nyttnavn"])));
    let rename = |user: &mut User| {
        if user.username == username(renamed) {
            user.lastname = "Nyttnavn".into();
        }
    };
    let (renamed, all) = (loaded.with(rename, (1, 0)), "true");
    let rows = [
        ("mv_enrolment", "teaching_id % 2 = 0"),
        ("mv_enrolment", all),
        ("mv_teaching", all),
        ("mv_topic", all),
        ("mv_affiliation", all),
    ];
    for (table, rows) in rows {
        stage.sql(&format!("CREATE TABLE aside AS SELECT * FROM {table}; DELETE FROM {table} WHERE {rows}")).await;
        stage.pass().await.expect(5).says(&["MetaVault", "attribute-shrunk", table]);
        stage.state().is(&renamed, table);
        stage.sql(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM aside; DROP TABLE aside")).await;
    }
    stage.converges("whole again").await;
    stage.state().is(&renamed, "whole again");
}
