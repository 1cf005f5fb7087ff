//! The same over real sockets.

use super::*;

fn open(sim: &MoodleSim) -> Target {
    let (mut section, token) = (section(""), sim.token().to_owned());
    section.insert("url".into(), sim.base_url().into());
    let environment = move |_: &str| Some(token.clone());
    Moodle.open(section, &Surroundings::new(&institution(), &environment)).unwrap()
}

#[tokio::test]
async fn over_http_a_person_is_made_found_and_closed() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let target = open(&sim);
    let identity = target.observer.reader.identity().await.unwrap();
    assert!(identity.id.starts_with(&sim.base_url()), "{}", identity.id);
    let batches = target.writer.batches(vec![create(account("kari").with(id::DEPARTMENT, "Ærlig & Å"))]);
    let made = target.writer.write(&batches[0]).await.remove(0);
    assert_eq!(made.error, None);
    let remote = made.remote.unwrap().id.unwrap();
    let close = update("k", &remote, vec![Edit::Standing { to: Standing::Disabled }]);
    let batches = target.writer.batches(vec![close]);
    assert_eq!(target.writer.write(&batches[0]).await[0].error, None);
    let pages = observe(&target, Ask::All).await.unwrap();
    assert_eq!(names(&pages[0].seen), ["kari"]);
    assert_eq!(pages[0].seen[0].record.text(id::DEPARTMENT), Some("Ærlig & Å"));
    assert_eq!(pages[0].seen[0].record.standing, Standing::Disabled);
}

#[tokio::test]
async fn over_http_a_cut_write_is_in_doubt_and_a_cut_read_is_repeated() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let target = open(&sim);
    sim.faults().next(1, Some("core_user_create_users"), Fault::CutAfter);
    let batches = target.writer.batches(vec![create(account("kari"))]);
    let outcome = target.writer.write(&batches[0]).await.remove(0);
    let error = error(&outcome);
    assert_eq!((error.effect, error.code.as_str()), (Effect::Unknown, "MOODLE_CONNECTION_FAILED"));
    sim.faults().next(1, Some("core_user_get_users"), Fault::Refuse);
    let pages = observe(&target, Ask::All).await.unwrap();
    assert_eq!(names(&pages[0].seen), ["kari"]);
}

#[tokio::test]
async fn over_http_a_site_that_is_gone_is_a_failed_connection_without_effect() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let target = open(&sim);
    sim.shutdown().await;
    let batches = target.writer.batches(vec![create(account("kari"))]);
    let outcome = target.writer.write(&batches[0]).await.remove(0);
    let error = error(&outcome);
    assert_eq!((error.kind, error.effect), (ErrorKind::Connect, Effect::None));
    assert_eq!(error.code, "MOODLE_CONNECTION_FAILED");
}
