//! A site that goes away in the middle of a large pass.

use std::time::{Duration, Instant};

use reconcile::sim::campus::attribute;
use reconcile::sim::faults::{Fault as Ldap, Operation, Refusal, Times};
use reconcile::targets::moodle::sim::{Fault, RetryAfter, User};

use super::stage::Stage;
use crate::rig::{UPDATE, username};

/// So many more requests at most, once it is away: those under way, their repetitions and read-backs.
const HANDFUL: u64 = 32;

async fn goes_away(fault: Fault, causes: &[&str]) {
    let stage = Stage::set(true, 400).await;
    stage.reconfigure("batch_size = 100", "batch_size = 2");
    stage.pass().await.expect(0);
    stage.converges("loaded").await;
    let (before, loaded) = (stage.world().writes().records, stage.state());
    let plain = stage.campus.people.iter().filter(|one| {
        let called_so = one.text("idautoPersonPreferredName").is_none();
        one.oddity.is_none() && one.entitled("moodle") && called_so
    });
    let plain: Vec<_> = plain.cloned().collect();
    let (marked, renamed) = plain.split_at(3);
    for person in renamed {
        assert!(stage.directory.modify(&person.uhid, |entry| entry.set(attribute::GIVEN_NAME, ["Nytt"])));
    }
    let marks = |uhid: &str| {
        let entry = stage.directory.get(uhid).unwrap();
        [attribute::BIRTHRIGHT_MARKS, attribute::REQUESTED_MARKS]
            .iter()
            .map(|name| entry.texts(name).len())
            .sum::<usize>()
    };
    for person in marked {
        assert!(marks(&person.uhid) > 0);
        assert!(stage.directory.modify(&person.uhid, |entry| {
            entry.set::<&str>(attribute::BIRTHRIGHT_MARKS, []);
            entry.set::<&str>(attribute::REQUESTED_MARKS, []);
        }));
    }
    let calls = stage.calls(UPDATE);
    let leaves = async {
        while stage.calls(UPDATE) < calls + 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stage.faults().always(None, fault.clone());
        Instant::now()
    };
    let all = ["--yes", "--allow", "updates", "--allow", "one-attribute", "--allow", "collapse"];
    let (ended, left) = tokio::join!(stage.run(&all), leaves);
    let (took, ended) = (left.elapsed(), ended.expect(4).says(causes));
    assert!(took < Duration::from_secs(30), "{took:?}");
    let more = stage.faults().played();
    assert!(more <= HANDFUL, "{more} more requests");
    let line = ended.said.lines().find(|line| line.contains("given up: ")).unwrap();
    let not_tried: usize = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(line.contains("changes were not tried, and due again in the next pass; "), "{line}");
    assert!(not_tried > renamed.len() / 2 && not_tried < renamed.len(), "{line}");
    assert!(marked.iter().all(|person| marks(&person.uhid) > 0), "marks went on\n{}", ended.said);
    println!("{fault:?}: {more} more requests, {not_tried} changes not tried, ended after {took:?}");

    stage.faults().clear();
    let again = stage.run(&all).await;
    assert!(again.code == 0, "{}", again.said);
    stage.converges("back").await;
    let named = stage.world().users().iter().filter(|user| user.firstname == "Nytt").count();
    assert!(named > renamed.len() * 9 / 10, "some of them are closed: {named}");
    assert_eq!(stage.world().writes().records - before, named as u64, "each of them once");
    let names: Vec<String> = renamed.iter().map(username).collect();
    let rename = |user: &mut User| {
        if names.contains(&user.username) && !user.suspended {
            user.firstname = "Nytt".into();
        }
    };
    stage.state().is(&loaded.with(rename, (named as u64, marked.len() as u64)), "back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_behind_a_proxy_that_goes_away_is_soon_left_alone_and_marks_go_on() {
    goes_away(Fault::Html(502), &["HTTP 502: the target is down, busy or slow"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_asks_for_hours_is_left_alone_and_marks_go_on() {
    let hours = Fault::TooManyRequests(RetryAfter::Seconds(3 * 3600));
    let causes = [
        "HTTP 429: too many requests; lower the pace",
        "; TARGET_AWAY: moodle is away: it asks to be left alone (MOODLE_",
        "nothing was sent, and it is tried again in ",
    ];
    goes_away(hours, &causes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_cuts_every_connection_is_soon_left_alone_and_marks_go_on() {
    // By the halt's own words, or the breaker's, whichever came first; both tell the cause.
    goes_away(Fault::Refuse, &["MOODLE_CONNECTION_FAILED: the connection to http://127.0.0.1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_goes_away_while_courses_are_read_one_by_one_is_soon_left_alone() {
    let stage = Stage::set(false, 400).await;
    stage.pass().await.expect(0);
    stage.converges("loaded").await;
    let (courses, loaded) = (stage.world().courses().len() as u64, stage.state());
    assert!(courses > HANDFUL + 16, "{courses}");
    stage.faults().always(Some("core_enrol_get_enrolled_users"), Fault::Html(502));
    let since = Instant::now();
    let ended = stage.pass().await.expect(5).says(&["parts-unread", "HTTP 502"]);
    let more = stage.faults().played();
    assert!(more <= HANDFUL, "{more} of {courses}\n{}", ended.said);
    println!("{more} requests for {courses} courses, ended after {:?}", since.elapsed());
    stage.state().is(&loaded, "away");
    stage.faults().clear();
    stage.converges("back").await;
    stage.state().is(&loaded, "back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_takes_no_writes_is_soon_left_alone_and_accounts_go_on() {
    let stage = Stage::set(true, 400).await;
    stage.directory.faults().play(Ldap::Refuse(Operation::Write, Refusal::Unavailable), Times::Always);
    let ended = stage.pass().await.expect(4);
    let ended =
        ended.says(&["failed: PORTAL_UPDATE_FAILED: 127.0.0.1:", "the modification was refused (rc 52, unavailable)"]);
    let writes = stage.directory.faults().played();
    let line = ended.said.lines().find(|line| line.contains("given up: ")).unwrap();
    let not_tried: u64 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(writes <= HANDFUL && not_tried > 100, "{writes} writes, {line}");
    assert!(!ended.said.contains("totalAddUserFail"), "{}", ended.said);
    stage.directory.faults().clear();
    let written = stage.world().writes();
    stage.converges("back").await;
    assert_eq!(stage.world().writes(), written, "the site had all of it");
    let undisturbed = Stage::set(true, 400).await;
    undisturbed.converges("without faults").await;
    stage.state().is(&undisturbed.state(), "back");
}
