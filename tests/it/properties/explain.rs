//! Explaining changes nothing, and tells why. That it is what the next plan holds, the model test shows.

use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::config::FirstMeeting;
use reconcile::engine::{
    Asked, Called, Explained, Explainer, Explaining, KindExplained, LeftOpen, Next, Sight, recall,
};
use reconcile::model::person::directory as d;
use reconcile::model::{Action, KeyField, Pick, Scope};
use reconcile::report::explain::ExplainReport;
use reconcile::report::text;
use reconcile_state::{AttributeId, Digest, Drift, Edit, Key, Record, Value};

use crate::toys::{Answer, asked, listed, seated};
use crate::world::{Desk, School, by_record, key, wait, would_do};

fn explainer(desk: &Desk) -> Explainer {
    let planner = desk.planner();
    let explaining = planner.observers.into_iter().map(|(observer, settings)| {
        let store = Some(desk.store.pipeline(observer.name).unwrap());
        Explaining { observer, settings, store }
    });
    Explainer::new(desk.store.sources().unwrap(), explaining.collect(), desk.clock.now()).unwrap()
}

fn explain(desk: &Desk, n: u32) -> Explained {
    explainer(desk).explain(&key(n), &[]).unwrap()
}

fn kind(explained: &Explained, pipeline: &str, kind: &str) -> KindExplained {
    let pipeline = explained.pipelines.iter().find(|one| one.name == pipeline).unwrap();
    pipeline.kinds.iter().find(|one| one.schema.kind == kind).unwrap().clone()
}

fn account(desk: &Desk, n: u32) -> KindExplained {
    kind(&explain(desk, n), listed::NAME, listed::ACCOUNT)
}

fn shown(explained: &Explained) -> String {
    let (mut out, report) = (Vec::new(), ExplainReport::of(explained));
    let style = text::explain::Style { colour: false, verbose: true };
    text::explain::write(&report, style, &mut out).unwrap();
    String::from_utf8(out).unwrap() + &serde_json::to_string(&report).unwrap()
}

/// Everything that the store's files hold, but for when a pass last looked.
fn contents(desk: &Desk) -> Vec<(String, Digest)> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(desk.store.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            all.push((path.display().to_string(), desk.store.digester().bytes(&bytes)));
        }
    }
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn explaining_writes_nothing() {
    let desk = Desk::with(1..=3).await;
    desk.people.edit(2, d::SURNAME, "Other");
    desk.plan().await;
    let before = contents(&desk);
    let explainer = explainer(&desk);
    for n in 1..=4 {
        explainer.explain(&key(n), &[]).unwrap();
    }
    assert_eq!(contents(&desk), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_sync_is_told_with_when_it_was_written() {
    let desk = Desk::with(1..=3).await;
    let one = account(&desk, 2);
    assert_eq!((one.drift, &one.next), (Some(Drift::InSync), &Next::Nothing));
    assert!(matches!((&one.called, &one.seen), (Called::Active(_), Sight::Present(_))));
    let applied = one.applied.unwrap();
    assert_eq!((applied.as_wanted, applied.as_seen), (true, Some(true)));
    assert_eq!(applied.when.unwrap().run, "run-0");
    assert_eq!(one.confirmed.unwrap().run, "run-0");
    let text = shown(&explain(&desk, 2));
    for word in ["uhid-002", "user002", "in sync", "called for   to be there and open", "run run-0"] {
        assert!(text.contains(word), "{word}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repair_a_protected_person_and_a_retry_are_told() {
    let mut desk = Desk::with(1..=3).await;
    for n in 1..=2 {
        desk.listed.shelf().only(listed::ACCOUNT, listed::LOGIN, &format!("user{n:03}")).set(listed::TITLE, "x".into());
    }
    desk.settings.guard.protected.keys = vec![key(1).to_string()];
    desk.plan().await;
    let Next::Change(change) = account(&desk, 1).next else { panic!() };
    assert_eq!((change.action, change.held.map(|reason| reason.0)), (Action::Update, Some("protected")));
    assert_eq!(change.edits.len(), 1);
    let Next::Change(change) = account(&desk, 2).next else { panic!() };
    assert_eq!(change.held, None);
    assert!(shown(&explain(&desk, 1)).contains("held: protected"));
    desk.listed.shelf().drops.insert(listed::TITLE);
    desk.pass().await;
    let Next::List(differences, Some(until)) = account(&desk, 2).next else { panic!("{:?}", account(&desk, 2)) };
    assert_eq!(differences.len(), 1);
    assert!(until > desk.clock.now().as_millisecond());
    assert!(shown(&explain(&desk, 2)).contains("is tried again then"));
}

#[tokio::test(start_paused = true)]
async fn a_record_in_the_place_of_the_one_that_is_remembered_is_explained_as_it_is_planned() {
    for first_meeting in [FirstMeeting::Report, FirstMeeting::Enforce] {
        let mut desk = Desk::with(1..=3).await;
        desk.settings.first_meeting = first_meeting;
        let known = account(&desk, 2).remote;
        let another = {
            let mut shelf = desk.listed.shelf();
            let number = shelf.with(listed::ACCOUNT, listed::LOGIN, "user002")[0];
            shelf.rows.remove(&(listed::ACCOUNT, number));
            let row = Record::new("".into()).with(listed::LOGIN, "user002").with(listed::TITLE, "Another");
            shelf.put(listed::ACCOUNT, row).to_string()
        };
        let planned = by_record(&desk.plan().await.plan);
        let one = account(&desk, 2);
        let place = (listed::NAME, listed::ACCOUNT, key(2));
        assert_eq!(would_do(&one).as_ref(), planned.get(&place), "{first_meeting:?}");
        assert_eq!(would_do(&one).is_some(), first_meeting == FirstMeeting::Enforce);
        assert_eq!(matches!(&one.next, Next::Link(differences) if !differences.is_empty()), would_do(&one).is_none());
        assert_eq!((one.drift, one.remote.unwrap().id), (Some(Drift::FirstMeeting), Some(another.clone())));
        assert_ne!(known.unwrap().id, Some(another.clone()));
        desk.pass().await;
        // It is the one that is remembered from here on, whatever was found before.
        let met = account(&desk, 2);
        assert_eq!(met.remote.unwrap().id, Some(another));
        assert_eq!(met.applied.map(|applied| applied.as_wanted), Some(true));
        assert_eq!(would_do(&account(&desk, 2)), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_in_doubt_is_told_with_when_it_is_read_back() {
    let desk = Desk::with(1..=2).await;
    desk.people.edit(1, d::SURNAME, "Changed");
    desk.listed.shelf().answer = Some(Answer::LostAndLanded);
    desk.pass().await;
    desk.listed.shelf().answer = None;
    let Next::InDoubt(doubt) = account(&desk, 1).next else { panic!() };
    assert_eq!((doubt.action.as_str(), doubt.sent.run.as_str()), ("update", "run-1"));
    assert_eq!(doubt.until.unwrap() - doubt.since.unwrap(), 30_000);
    assert!(shown(&explain(&desk, 1)).contains("reads an earlier write back first"));
    wait(Duration::from_mins(1)).await;
    assert!(!matches!(account(&desk, 1).next, Next::InDoubt(_)));
}

#[tokio::test(start_paused = true)]
async fn conflicts_are_remembered_until_a_pass_finds_them_no_more() {
    let desk = Desk::with(1..=3).await;
    desk.people.hire_all(4..=5);
    let twin = Record::new("".into()).with(listed::LOGIN, "user004");
    let numbers = [0, 1].map(|_| desk.listed.shelf().put(listed::ACCOUNT, twin.clone()));
    desk.plan().await;
    let left = |desk: &Desk| -> LeftOpen { recall(&desk.store.pipeline(listed::NAME).unwrap()).unwrap() };
    let known = left(&desk).conflicts;
    assert_eq!(known.len(), 1);
    assert_eq!(
        (known[0].key.clone(), known[0].code.as_str(), known[0].candidates.len()),
        (key(4), "several-records", 2)
    );
    assert_eq!(known[0].told.run, "run-1");
    let one = account(&desk, 4);
    assert_eq!((one.drift, &one.seen), (Some(Drift::Conflict), &Sight::Ambiguous));
    assert_eq!(one.next, Next::Conflict(known[0].clone()));
    assert!(shown(&explain(&desk, 4)).contains("several-records"));
    desk.listed.shelf().rows.retain(|(_, number), _| *number != numbers[1]);
    let mut desk = desk;
    desk.scope = Desk::only([5]);
    desk.plan().await;
    assert_eq!(left(&desk).conflicts, known, "nobody looked");
    desk.scope = Desk::only([4]);
    desk.plan().await;
    assert!(left(&desk).conflicts.is_empty());
    assert!(matches!(account(&desk, 4).next, Next::Link(_)));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_record_is_told() {
    let desk = Desk::with(1..=2).await;
    desk.people.edit(1, d::JOB_CODE, key(77).as_str());
    desk.plan().await;
    let one = kind(&explain(&desk, 1), asked::NAME, asked::MEMBER);
    assert_eq!((&one.next, one.waiting.len()), (&Next::Nothing, 1));
    assert!(shown(&explain(&desk, 1)).contains("waits"));
    desk.people.hire(77);
    desk.plan().await;
    let one = kind(&explain(&desk, 1), asked::NAME, asked::MEMBER);
    assert!(matches!(one.next, Next::Change(_)) && one.waiting.is_empty(), "the other is about to be made");
}

#[tokio::test(start_paused = true)]
async fn what_a_record_that_is_to_be_made_will_hold_is_told() {
    let school = School::new();
    school.enrol(1, &["room1/a", "room2/a"]);
    let planned = school.plan().await;
    let explained = explain(&school, 1);
    let seats = kind(&explained, seated::NAME, seated::SEATS);
    let changes = planned.plan.changes.iter().filter(|change| change.kind == seated::SEATS);
    let changes: Vec<_> = changes.map(|change| (change.action, change.edits.clone())).collect();
    assert!(changes.len() == 1 && would_do(&seats) == changes.into_iter().next(), "{seats:?}");
    let text = shown(&explained);
    assert!(text.contains("room2/a") && text.contains("not there: it is part of the account"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_gone_or_was_never_entitled_is_explained_too() {
    let desk = Desk::with(1..=30).await;
    desk.people.let_go(1);
    desk.people.hire(31);
    desk.people.entitle(31, &[]);
    desk.people.edit(30, d::SURNAME, "");
    desk.plan().await;
    let one = account(&desk, 1);
    assert_eq!((&one.called, one.drift), (&Called::Gone, Some(Drift::Surplus)));
    assert!(matches!(one.next, Next::List(..)), "surplus is only reported");
    assert!(shown(&explain(&desk, 1)).contains("gone from the sources"));
    let one = account(&desk, 31);
    assert!(matches!(one.called, Called::Disabled(..)));
    assert_eq!((one.drift, one.next), (Some(Drift::NotThere), Next::Nothing));
    let one = account(&desk, 30);
    assert!(matches!(one.called, Called::Untouched(_)));
    assert_eq!((one.drift, one.next), (Some(Drift::Untouched), Next::Nothing));
    assert!(shown(&explain(&desk, 30)).contains("called for   nothing: "));
}

#[tokio::test(start_paused = true)]
async fn people_are_found_by_key_and_by_either_name() {
    let desk = Desk::with(1..=3).await;
    desk.people.edit(2, d::UH_USERNAME, "user001");
    desk.plan().await;
    let explainer = explainer(&desk);
    let find = |asked: &Asked| -> Vec<Key> { explainer.find(asked).unwrap() };
    let bare = |text: &str| find(&Asked::Bare(text.to_owned()));
    let field = |field, text: &str| find(&Asked::Field(field, text.to_owned()));
    assert_eq!(bare(" UHID-003 "), [key(3)]);
    assert_eq!(bare("USER003"), [key(3)]);
    assert_eq!(bare("uh000003"), [key(3)]);
    assert_eq!(bare("user001"), [key(1), key(2)], "one bears it as this name, one as that");
    assert_eq!(field(KeyField::Username, "user001"), [key(1)]);
    assert_eq!(field(KeyField::UhUsername, "user001"), [key(2)]);
    assert_eq!(bare("nobody"), []);
    assert_eq!(field(KeyField::Username, "user002"), [key(2)]);
    assert_eq!(field(KeyField::Username, "uhid-002"), []);
    drop(explainer);
    desk.people.let_go(3);
    desk.plan().await;
    let explainer = self::explainer(&desk);
    assert!(explainer.find(&Asked::Bare("user003".into())).unwrap().is_empty());
    assert_eq!(explainer.find(&Asked::Bare(key(3).to_string())).unwrap().len(), 1, "still remembered");
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_says_now_takes_the_place_of_what_memory_says() {
    let mut desk = Desk::with(1..=3).await;
    desk.people.edit(1, d::SURNAME, "Changed");
    assert_eq!(account(&desk, 1).next, Next::Nothing, "nobody has read that yet");
    desk.scope = Scope { pick: Pick::Keys(vec![(KeyField::Username, "user001".into())]), limit: None };
    let judged = desk.judge(desk.plan().await);
    let live = explain(&desk, 1).planned(&judged);
    assert!(live.live && matches!(kind(&live, listed::NAME, listed::ACCOUNT).next, Next::Change(_)));
    desk.listed.shelf().away = true;
    let judged = desk.judge(desk.plan().await);
    let live = explain(&desk, 1).planned(&judged);
    let stopped = live.pipelines.iter().find(|one| one.name == listed::NAME).unwrap();
    assert_eq!(stopped.stopped.as_ref().unwrap().code, "TOY_CONNECTION_FAILED");
    assert!(shown(&live).contains("could not be read: TOY_CONNECTION_FAILED"));
}

const PIN: AttributeId = AttributeId(9);

#[tokio::test(start_paused = true)]
async fn secret_values_are_shown_nowhere() {
    let desk = Desk::with(1..=1).await;
    let mut explained = explain(&desk, 1);
    let one = &mut explained.pipelines[0].kinds[0];
    let secret = reconcile_state::Attribute::text(PIN.0, "pin").sensitivity(reconcile_state::Sensitivity::Secret);
    let attributes: Vec<_> = one.schema.attributes().iter().cloned().chain([secret]).collect();
    one.schema = reconcile_state::Schema::new(listed::NAME, listed::ACCOUNT, 0, attributes).unwrap();
    let with = |record: &Record| record.clone().with(PIN, "4711-secret");
    let (Called::Active(wanted), Sight::Present(seen)) = (&one.called, &one.seen) else { panic!() };
    let (wanted, seen) = (with(wanted), with(seen));
    one.applied.as_mut().unwrap().wanted = Some(wanted.clone());
    one.called = Called::Active(wanted);
    one.seen = Sight::Present(seen);
    let edit = Edit::Set { attribute: PIN, from: Some(Value::from("4711-secret")), to: Value::from("4711-secret") };
    (one.waiting, one.kept, one.next) = (vec![edit.clone()], vec![edit.clone()], Next::Link(vec![edit]));
    let because = |element: Option<&str>, attribute| reconcile::targets::port::Because {
        kind: listed::ACCOUNT,
        attribute,
        element: element.map(str::to_owned),
        wanted: false,
        rule: "a rule".into(),
    };
    one.because = vec![because(Some("4711-secret"), "pin"), because(Some("4711-secret"), "unknown")];
    let text = shown(&explained);
    assert!(text.contains("(secret)") && text.contains("pin") && text.contains("a rule"));
    assert!(!text.contains("4711"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn before_any_pass_over_everybody_absence_is_not_known() {
    let mut desk = Desk::new();
    desk.people.hire_all(1..=3);
    desk.scope = Desk::only([1]);
    desk.plan().await;
    assert_eq!(account(&desk, 1).seen, Sight::Absent);
    desk.pipelines = vec![asked::NAME];
    desk.scope = Desk::only([2]);
    desk.plan().await;
    desk.pipelines = vec![listed::NAME, asked::NAME];
    let one = account(&desk, 2);
    assert_eq!((&one.seen, one.drift, &one.next), (&Sight::Unknown, Some(Drift::Unobserved), &Next::Nothing));
    assert!(explain(&desk, 2).pipelines[0].first_load);
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_memory_leaves_unsure_is_explained_as_the_plan_has_it() {
    let mut school = School::new();
    school.enrol(1, &["room1/a", "room2/a"]);
    school.enrol(2, &["room1/a"]);
    school.pass().await;
    school.stand(2, reconcile_state::Standing::Disabled);
    school.settings.first_meeting = FirstMeeting::Enforce;
    school.lose_everything();
    school.rebuild().await;
    school.pass().await;
    school.call_for(1, &["room1/a", "room3/a"]);
    school.scope = Desk::only([1]);
    school.plan().await;
    let seats = kind(&explain(&school, 1), seated::NAME, seated::SEATS);
    let Next::Change(change) = &seats.next else { panic!("{:?}", seats.next) };
    assert!(matches!(&change.edits[..], [Edit::Add { element, .. }] if element == "room3/a"));
    assert!(matches!(&seats.unsure[..], [Edit::Remove { element, .. }] if element == "room2/a"));
    assert!(shown(&explain(&school, 1)).contains("memory was lost"));
    let closed = kind(&explain(&school, 2), seated::NAME, seated::ACCOUNT);
    assert_eq!(closed.next, Next::List(vec![Edit::Standing { to: reconcile_state::Standing::Active }], None));
}
