//! What a pass leaves behind, and what it never does.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reconcile::cli::Exit;
use reconcile::engine::{self, Point, Stop};
use reconcile::model::pass::{Event, Planned};
use reconcile::model::person::directory as d;
use reconcile::report::Report;
use reconcile_state::journal::Entry;
use reconcile_state::{Standing, Value};

use crate::toys::{Answer, asked, listed};
use crate::world::{Desk, DiesAt, key, wait};

#[tokio::test(start_paused = true)]
async fn claims_are_copied_after_each_pass() {
    let desk = Desk::with(1..=4).await;
    desk.people.hire(5);
    desk.pass().await;
    for (pipeline, lines) in [(listed::NAME, 5), (asked::NAME, 10)] {
        let file = desk.store.path().join("claims").join(format!("{pipeline}.jsonl"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text.lines().count(), lines);
        assert!(text.contains(key(5).as_str()) && text.contains("\"origin\":\"created\""));
    }
}

#[tokio::test(start_paused = true)]
async fn the_claims_of_a_lost_file_are_restored_and_told_until_a_pass_acts() {
    let mut desk = Desk::with(1..=4).await;
    desk.people.edit(3, d::SURNAME, "Changed");
    let claimed = desk.claimed(listed::NAME, listed::ACCOUNT);
    let before = desk.writes();
    desk.lose(&format!("{}.redb", listed::NAME));
    let told = |planned: &Planned| {
        let all = planned.events.iter().filter(|event| event.code == "CLAIMS_RESTORED");
        all.filter_map(|event| event.pipeline).collect::<Vec<_>>()
    };
    let plan = desk.plan().await;
    assert_eq!(told(&plan), [listed::NAME]);
    assert!(!plan.pipelines.iter().any(|pipeline| pipeline.first_load), "the ids are remembered");
    assert_eq!(desk.claimed(listed::NAME, listed::ACCOUNT), claimed);
    let pass = desk.pass().await;
    assert_eq!(told(&pass.planned), [listed::NAME], "a plan acts on nothing");
    assert_eq!(pass.of(listed::NAME), [""; 0], "what differs is only listed");
    assert_eq!((pass.told.len(), desk.writes()), (2, before + 2), "the other pipeline goes on as ever");
    let copy = std::fs::read_to_string(desk.store.claims_copy(listed::NAME)).unwrap();
    assert_eq!(copy.lines().count(), 4);
    assert_eq!(told(&desk.plan().await), [""; 0]);
}

/// Somebody new, carried through; what the operator is told and the exit code.
async fn carry_one_more(desk: &Desk) -> (Vec<Event>, Exit) {
    desk.people.hire(5);
    let judged = desk.judge(desk.plan().await);
    let applied = engine::apply(&desk.planner(), &desk.writers(), &judged.approved, &Stop::default()).await.unwrap();
    let report = Report::of_pass(judged.approved.planned(), &judged.verdicts, &applied.done, &applied.events);
    wait(Duration::from_secs(1)).await;
    (applied.events, Exit::of(&report))
}

#[tokio::test(start_paused = true)]
async fn claims_that_are_not_copied_are_an_error_by_that_name_and_nothing_else_is_lost() {
    let desk = Desk::with(1..=4).await;
    let copy = desk.store.claims_copy(listed::NAME);
    std::fs::remove_file(&copy).unwrap();
    std::fs::create_dir(&copy).unwrap();
    let (events, exit) = carry_one_more(&desk).await;
    let told: Vec<_> = events.iter().map(|event| (event.pipeline, event.code.as_str())).collect();
    assert_eq!((told, exit), (vec![(Some(listed::NAME), "CLAIMS_NOT_COPIED")], Exit::Error));
    assert!(events[0].message.contains("toy-listed.jsonl"), "{}", events[0].message);
    std::fs::remove_dir(&copy).unwrap();
    assert_eq!(desk.pass().await.changes(), 0);
    assert_eq!(std::fs::read_to_string(&copy).unwrap().lines().count(), 5, "the next pass copies them");
}

#[tokio::test(start_paused = true)]
async fn memory_that_is_not_brought_up_to_date_is_an_error_and_the_claims_are_copied_all_the_same() {
    let mut desk = Desk::with(1..=4).await;
    desk.points = Arc::new(DiesAt(Some(listed::NAME), Point::Folded));
    let (events, exit) = carry_one_more(&desk).await;
    let told: Vec<_> = events.iter().map(|event| (event.pipeline, event.step)).collect();
    assert_eq!((told, exit), (vec![(Some(listed::NAME), "settle")], Exit::Error));
    let copy = std::fs::read_to_string(desk.store.claims_copy(listed::NAME)).unwrap();
    assert_eq!(copy.lines().count(), 5);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const MARKER: &str = "XYZZY";

#[tokio::test(start_paused = true)]
async fn no_value_of_a_person_reaches_the_journal_or_the_log() {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || written.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("the log is read");
    let mut desk = Desk::new();
    desk.people.hire_all(1..=6);
    for n in 1..=6 {
        for (id, _) in desk.people.entry(n).unwrap().attributes().to_vec() {
            match id {
                d::REQUESTED => {}
                d::AFFILIATIONS => desk.people.edit(n, id, Value::Set([format!("{MARKER}{n}")].into())),
                _ => desk.people.edit(n, id, format!("{MARKER}-{}-{n}", id.0).as_str()),
            }
        }
    }
    desk.pass().await;
    desk.people.edit(1, d::SURNAME, format!("{MARKER} changed").as_str());
    desk.people.edit(2, d::AFFILIATIONS, Value::Set([format!("{MARKER} other")].into()));
    desk.people.entitle(3, &[]);
    desk.people.let_go(4);
    desk.people.edit(5, d::USERNAME, format!("{MARKER} renamed").as_str());
    desk.listed.shelf().refused.insert(key(1));
    desk.listed.shelf().answer = Some(Answer::Lost);
    desk.pass().await;
    desk.listed.shelf().answer = None;
    wait(Duration::from_mins(1)).await;
    let last = desk.pass().await;
    desk.adopt = true;
    desk.pass().await;
    let mut entries = 0;
    for pipeline in [listed::NAME, asked::NAME] {
        let store = desk.store.pipeline(pipeline).unwrap();
        for (_, entry) in store.journal(1, 10_000).unwrap() {
            let text = serde_json::to_string(&entry).unwrap();
            assert!(!text.contains(MARKER), "{text}");
            entries += 1;
        }
    }
    assert!(entries > 40, "{entries}");
    let told = format!("{:?} {:?}", last.told, last.planned.events);
    assert!(!told.contains(MARKER));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the log is read") && !log.contains(MARKER));
    assert!(
        desk.listed.rows().values().any(|row| row.standing == Standing::Disabled),
        "the marked people were written"
    );
    assert!(desk.listed.rows().values().all(|row| row.text(listed::LOGIN).unwrap().contains(MARKER)));
}

#[tokio::test(start_paused = true)]
async fn the_journal_has_an_intent_and_an_outcome_for_every_write() {
    let desk = Desk::with(1..=4).await;
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.pass().await;
    for (pipeline, writes) in [(listed::NAME, 5), (asked::NAME, 10)] {
        let entries = desk.store.pipeline(pipeline).unwrap().journal(1, 10_000).unwrap();
        let count = |holds: &dyn Fn(&Entry) -> bool| entries.iter().filter(|(_, entry)| holds(entry)).count();
        assert_eq!(count(&|entry| matches!(entry, Entry::Intent(_))), writes);
        assert_eq!(count(&|entry| matches!(entry, Entry::Outcome(_))), writes);
        assert_eq!(count(&|entry| matches!(entry, Entry::Note(note) if note.who == "operator")), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_lost_its_claims_stops_and_the_others_go_on() {
    let mut desk = Desk::with(1..=4).await;
    desk.people.hire(5);
    let copy = desk.store.claims_copy(listed::NAME);
    for damaged in [true, false] {
        if damaged {
            std::fs::write(&copy, "no claim").unwrap();
            desk.lose(&format!("{}.redb", listed::NAME));
        } else {
            std::fs::remove_file(&copy).unwrap();
        }
        let before = desk.listed.shelf().writes;
        let pass = desk.pass().await;
        let stopped = pass.planned.pipelines.iter().find(|one| one.name == listed::NAME).unwrap().stopped.clone();
        let event = stopped.expect("it is stopped");
        assert_eq!((event.code.as_str(), event.step), ("CLAIMS_LOST", "open"));
        for words in [copy.to_str().unwrap(), "--rebuild-claims", "from the backup"] {
            assert!(event.message.contains(words), "{}", event.message);
        }
        assert!(pass.of(listed::NAME).is_empty());
        assert_eq!(desk.listed.shelf().writes, before, "nothing is read as new");
        assert_eq!(pass.planned.plan.changes.iter().filter(|change| change.pipeline == listed::NAME).count(), 0);
        assert!(!desk.store.path().join(format!("{}.redb", listed::NAME)).exists(), "no new one is begun");
    }
    assert_eq!(desk.claimed(asked::NAME, asked::MEMBER).len(), 5, "the other pipeline made the new one");
}

#[tokio::test(start_paused = true)]
async fn a_lost_sources_file_takes_no_claims_with_it() {
    let mut desk = Desk::with(1..=4).await;
    desk.lose("sources.redb");
    let pass = desk.pass().await;
    assert_eq!((pass.changes(), pass.planned.pipelines.iter().filter(|one| one.stopped.is_some()).count()), (0, 0));
    std::fs::remove_file(desk.store.claims_copy(listed::NAME)).unwrap();
    desk.lose("sources.redb");
    desk.lose(&format!("{}.redb", listed::NAME));
    let plan = desk.plan().await;
    let codes: Vec<&str> = plan.pipelines.iter().filter_map(|one| Some(one.stopped.as_ref()?.code.as_str())).collect();
    assert_eq!(codes, ["CLAIMS_LOST"], "what had claims is known without the sources");
}

#[tokio::test(start_paused = true)]
async fn every_pass_that_acted_leaves_a_copy_of_what_is_claimed() {
    let desk = Desk::with(1..=2).await;
    let copy = desk.store.claims_copy(listed::NAME);
    let is_copied = || {
        let text = std::fs::read_to_string(&copy).unwrap();
        let keys: Vec<_> = desk.claimed(listed::NAME, listed::ACCOUNT);
        assert_eq!(text.lines().count(), keys.len());
        keys.iter().all(|key| text.contains(key.as_str()))
    };
    // A link and nothing else.
    desk.people.hire(3);
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    assert!(is_copied());
    desk.listed.shelf().answer = None;
    wait(Duration::from_mins(2)).await;
    let read_back = desk.pass().await;
    assert_eq!(read_back.of(listed::NAME), [""; 0], "only read back");
    assert_eq!(desk.claimed(listed::NAME, listed::ACCOUNT).len(), 3);
    assert!(is_copied());
    // Interrupted.
    desk.people.hire_all(4..=30);
    let stop = reconcile::engine::Stop::default();
    let judged = desk.judge(desk.plan().await);
    let (_, ()) = tokio::join!(desk.apply(&judged.approved, &stop), async {
        wait(Duration::from_millis(30)).await;
        stop.request();
    });
    let made = desk.claimed(listed::NAME, listed::ACCOUNT).len();
    assert!(made > 3 && made < 30, "{made}");
    assert!(is_copied());
}
