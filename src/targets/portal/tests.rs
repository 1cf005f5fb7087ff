//! Reader and writer against the in-process directory, over sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt;
use reconcile_state::{AttributeId, Digester, Drift, Edit, Record, Remote, Value};

use super::definition::Portal;
use super::project::BY_ID;
use super::schema::{BIRTHRIGHT, MARKS, PIPELINE, REQUESTED};
use super::testing::{MARKED, institution};
use crate::model::stop::STOPPED;
use crate::model::{
    Action, Anchor, Batch, Cause, Change, Check, Effect, ErrorKind, Level, Match, Outcome, Ready, Retry, Stop,
    TargetError,
};
use crate::sim::faults::{Fault, Operation, Refusal, Times};
use crate::sim::ldap::{Directory, DirectoryPlan, Entry};
use crate::sim::watch::{Moment, Verdict};
use crate::targets::port::{Ask, Definition, Page, Surroundings, Target};
use crate::wire::breaker::AWAY;

const MOODLE: AttributeId = AttributeId(12);
const FS: AttributeId = AttributeId(15);
const FIVE: &str = "idautoPersonAppRoles5";
const EIGHT: &str = "idautoPersonAppRoles8";
const SEVEN: &str = "idautoPersonAppRoles7";

fn uhid(n: u32) -> String {
    format!("0b7c4e1a-0000-4000-8000-{n:012}")
}

fn person(n: u32) -> Entry {
    Entry::new(format!("idautoID={},ou=Accounts,dc=meta", uhid(n)))
        .with("objectClass", ["idautoPerson"])
        .with("idautoID", [uhid(n)])
        .with("idautoPersonUserNameMV", [format!("testu{n:04}")])
}

async fn directory(entries: impl IntoIterator<Item = Entry>) -> Directory {
    let plan = DirectoryPlan::portal("2026-09-15T03:00:00Z".parse().unwrap());
    Directory::start(plan.with(entries)).await.unwrap()
}

/// The target of this directory; `more` stands in `[portal]`, `ldap` in `[portal_ldap]`.
fn target(directory: &Directory, more: &str, ldap: &str) -> Target {
    let text = format!("url = '{}'\nbind_dn = 'cn=portal,dc=meta'\npassword = 'env:P'\n{ldap}", directory.url());
    let ldap: toml::Table = toml::from_str(&text).unwrap();
    let (institution, environment) = (institution(), |_: &str| Some("portalpw".to_owned()));
    let around =
        Surroundings { portal_ldap: Some(&ldap), marks: &MARKED, ..Surroundings::new(&institution, &environment) };
    Portal.open(toml::from_str(more).unwrap(), &around).unwrap()
}

fn ready(key: &str, edits: Vec<Edit>, id: Option<&str>) -> Ready {
    let digest = Digester::new([0; 32]).texts([key]);
    let named = |edit: &Edit| edit.attribute().zip(id.map(str::to_owned));
    let references = edits.iter().filter_map(named).collect();
    let change = Change {
        id: digest,
        pipeline: PIPELINE,
        kind: MARKS,
        key: key.into(),
        action: Action::Update,
        edits,
        cause: Cause::Source,
        reason: None,
        drift: Drift::Missing,
        wanted: digest,
        expect: None,
        remote: Some(Remote { id: Some(key.to_owned()), handle: None }),
        protected: None,
        requires: Vec::new(),
        seen_as: None,
        after: BTreeSet::new(),
        bounds: crate::model::Bounds::default(),
        taken_from: BTreeMap::new(),
        listed: BTreeSet::new(),
        left: Vec::new(),
        again: 0,
        kept: BTreeSet::new(),
        remembered: None,
        matches: Vec::new(),
        desired: Record::new(key.into()),
    };
    Ready { change, references }
}

async fn write(target: &Target, ready: Ready) -> Outcome {
    let mut batches = target.writer.batches(vec![ready]);
    assert_eq!((batches.len(), batches[0].request, batches[0].changes.len()), (1, "modify", 1));
    let batch: Batch = batches.remove(0);
    let mut outcomes = target.writer.write(&batch).await;
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

fn add(attribute: AttributeId, element: &str) -> Edit {
    Edit::Add { attribute, element: element.into() }
}

fn remove(attribute: AttributeId, element: &str) -> Edit {
    Edit::Remove { attribute, element: element.into() }
}

fn name(attribute: AttributeId, key: &str, from: Option<&str>) -> Edit {
    Edit::Set { attribute, from: from.map(Value::from), to: Value::Reference(key.into()) }
}

fn clear(attribute: AttributeId, from: &str) -> Edit {
    Edit::Clear { attribute, from: Value::from(from) }
}

#[track_caller]
fn landed(outcome: &Outcome, edits: usize) {
    assert_eq!((outcome.error.as_ref(), outcome.failed.len(), outcome.landed.len()), (None, 0, edits));
    assert!(outcome.remote.as_ref().is_some_and(|remote| remote.id.is_some() && remote.handle.is_none()));
}

#[track_caller]
fn holds(directory: &Directory, n: u32, five: &[&str], eight: &[&str], seven: &[&str]) {
    let entry = directory.get(&uhid(n)).unwrap();
    assert_eq!([entry.texts(FIVE), entry.texts(EIGHT), entry.texts(SEVEN)], [five, eight, seven]);
}

async fn observe(target: &Target, ask: Ask) -> Vec<Page> {
    target.observer.reader.observe(MARKS, ask).map(Result::unwrap).collect().await
}

#[tokio::test]
async fn everybody_is_read_in_pages_and_only_the_last_says_so() {
    let people = (1..=5).map(|n| {
        let ids = ["moodle:123", "Topdesk:b034", "FS Fagperson:a:b"];
        person(n).with(FIVE, ["Moodle", "lenel"]).with(EIGHT, ["wiseflow:author"]).with(SEVEN, ids)
    });
    let nobody = Entry::new("cn=odd,ou=Accounts,dc=meta").with("objectClass", ["idautoPerson"]).with("cn", ["odd"]);
    let directory = directory(people.chain([nobody.with("idautoID", ["12"])])).await;
    let target = target(&directory, "", "page_size = 2\n");
    let pages = observe(&target, Ask::All).await;
    assert_eq!(pages.iter().map(|page| page.end.is_some()).collect::<Vec<_>>(), [false, false, true]);
    let seen: Vec<_> = pages.into_iter().flat_map(|page| page.seen).collect();
    assert_eq!(seen.len(), 5, "an entry without a UUID is nobody");
    let one = &seen[0];
    assert_eq!(one.remote, Remote { id: Some(uhid(1)), handle: None });
    assert_eq!((one.matches.as_slice(), one.foreign), (&[(BY_ID, uhid(1))][..], None));
    assert_eq!(one.record.elements(BIRTHRIGHT).collect::<Vec<_>>(), ["Moodle", "lenel"]);
    assert_eq!(one.record.elements(REQUESTED).collect::<Vec<_>>(), ["wiseflow:author"]);
    assert_eq!((one.record.text(MOODLE), one.record.text(FS)), (Some("123"), Some("a:b")));
    assert_eq!(one.record.attributes().len(), 4, "ids of other systems are nobody's");
    target.observer.project.kinds()[0].check(&one.record).unwrap();
}

#[tokio::test]
async fn single_people_are_read_by_their_key_and_who_is_not_there_is_absent() {
    let upper = person(2).with("idautoID", [uhid(2).to_uppercase()]);
    let directory = directory([person(1), upper, person(3).with(SEVEN, ["moodle:7", "moodle:12"])]).await;
    let target = target(&directory, "", "page_size = 1\n");
    let anchor = |n: u32, remembered: bool| Anchor {
        key: uhid(n).as_str().into(),
        remembered: remembered.then(|| Remote { id: Some(uhid(n)), handle: None }),
        matches: vec![Match { field: BY_ID, value: uhid(n), only_unique: false }],
    };
    let anchors = vec![anchor(2, true), anchor(3, false), anchor(9, true)];
    let pages = observe(&target, Ask::These(anchors.clone())).await;
    assert_eq!((pages.len(), pages[0].covered.len(), pages[0].end), (1, 3, None));
    let seen: Vec<_> = pages[0].seen.iter().map(|seen| seen.remote.id.clone().unwrap()).collect();
    assert_eq!(seen, [uhid(2), uhid(3)]);
    assert_eq!(pages[0].seen[1].record.text(MOODLE), Some("12, 7"), "two ids are none to be known by");
    assert_eq!(observe(&target, Ask::These(Vec::new())).await[0], Page::default());
    directory.faults().play(Fault::SizeLimit(1), Times::Always);
    let answers: Vec<_> = target.observer.reader.observe(MARKS, Ask::All).collect().await;
    let error = answers.last().unwrap().as_ref().unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Rejected, "PORTAL_FETCH_FAILED"));
    assert!(error.message.contains("raise the size limit"), "{error}");
}

#[tokio::test]
async fn both_marks_and_the_id_are_one_modification_and_its_echo_is_told_once() {
    let directory = directory([person(1).with(FIVE, ["lenel"]).with(SEVEN, ["topdesk:1"])]).await;
    let target = target(&directory, "", "");
    let (key, before) = (uhid(1), directory.csn(&uhid(1)));
    let edits = vec![
        add(BIRTHRIGHT, "Moodle"),
        add(REQUESTED, "moodle:editor"),
        add(REQUESTED, "wiseflow:author"),
        name(MOODLE, &key, None),
        name(FS, &key, None),
    ];
    landed(&write(&target, ready(&key, edits, Some("4:7"))).await, 5);
    let ids = ["topdesk:1", "moodle:4:7", "fs fagperson:4:7"];
    holds(&directory, 1, &["lenel", "Moodle"], &["moodle:editor", "wiseflow:author"], &ids);
    assert_eq!(directory.writes(), 1);
    let echoes = target.writer.echoes();
    assert_eq!(echoes.len(), 1);
    assert_eq!(
        (echoes[0].key.as_str(), &echoes[0].before, &echoes[0].after),
        (key.as_str(), &before, &directory.csn(&key))
    );
    assert!(target.writer.echoes().is_empty());
    let seen = observe(&target, Ask::All).await.remove(0).seen.remove(0).record;
    assert_eq!((seen.text(MOODLE), seen.text(FS)), (Some("4:7"), Some("4:7")), "what is written is read back so");
}

#[tokio::test]
async fn only_our_values_are_taken_away() {
    let entry = person(1)
        .with(FIVE, ["MOODLE", "lenel", "active directory"])
        .with(EIGHT, ["moodle:editor", "topdesk:operator"])
        .with(SEVEN, ["Moodle:12", "moodle:7", "moodle2:12", "topdesk:moodle:12", "moodle"]);
    let directory = directory([entry]).await;
    let target = target(&directory, "", "");
    let edits = vec![remove(BIRTHRIGHT, "MOODLE"), remove(REQUESTED, "moodle:editor"), clear(MOODLE, "12, 7")];
    landed(&write(&target, ready(&uhid(1), edits, None)).await, 3);
    let ids = ["moodle2:12", "topdesk:moodle:12", "moodle"];
    holds(&directory, 1, &["lenel", "active directory"], &["topdesk:operator"], &ids);
    assert_eq!(directory.writes(), 1);
}

#[tokio::test]
async fn an_id_is_replaced_and_whatever_else_the_system_has_goes_with_it() {
    let directory = directory([
        person(1).with(SEVEN, ["MOODLE:7", "lenel:9"]),
        person(2).with(SEVEN, ["moodle:1", "Moodle:8", "lenel:9"]),
        person(3).with(SEVEN, ["Moodle:8"]),
        person(4).with(SEVEN, ["moodle:abc"]),
    ])
    .await;
    let target = target(&directory, "", "");
    let one =
        |n: u32, from: &str, id: &'static str| ready(&uhid(n), vec![name(MOODLE, &uhid(n), Some(from))], Some(id));
    landed(&write(&target, one(1, "7", "8")).await, 1);
    holds(&directory, 1, &[], &[], &["lenel:9", "moodle:8"]);
    landed(&write(&target, one(2, "1, 8", "8")).await, 1);
    holds(&directory, 2, &[], &[], &["Moodle:8", "lenel:9"]);
    assert_eq!(directory.writes(), 2);
    landed(&write(&target, one(3, "7", "8")).await, 1);
    assert_eq!(directory.writes(), 2, "what is there already is not written");
    landed(&write(&target, one(4, "abc", "ABC")).await, 1);
    holds(&directory, 4, &[], &[], &["moodle:ABC"]);
}

#[tokio::test]
async fn what_is_so_already_has_landed_and_only_the_rest_is_written() {
    let directory = directory([person(1).with(FIVE, ["MOODLE"]), person(2).with(FIVE, ["MOODLE"])]).await;
    let target = target(&directory, "", "");
    let edits = vec![remove(BIRTHRIGHT, "lenel"), add(BIRTHRIGHT, "moodle"), add(REQUESTED, "wiseflow:author")];
    landed(&write(&target, ready(&uhid(1), edits, None)).await, 3);
    holds(&directory, 1, &["MOODLE"], &["wiseflow:author"], &[]);
    assert_eq!((directory.writes(), target.writer.echoes().len()), (1, 1));
    let before = directory.snapshot();
    landed(&write(&target, ready(&uhid(2), vec![add(BIRTHRIGHT, "moodle"), clear(MOODLE, "7")], None)).await, 2);
    assert_eq!(directory.snapshot(), before, "nothing to do is nothing written");
    assert!(target.writer.echoes().is_empty());
}

#[tokio::test]
async fn a_value_that_is_refused_among_others_names_what_landed() {
    let directory = directory([person(1).with(FIVE, ["moodle"])]).await;
    let target = target(&directory, "", "");
    // The server refuses the empty value by itself once the first answer made it one by one.
    let edits = vec![add(BIRTHRIGHT, "lenel"), add(BIRTHRIGHT, "moodle"), add(REQUESTED, ""), add(REQUESTED, "x")];
    let outcome = write(&target, ready(&uhid(1), edits, None)).await;
    let error = outcome.error.unwrap();
    assert_eq!((outcome.landed.len(), outcome.failed.len()), (2, 2));
    assert_eq!((error.kind, error.effect), (ErrorKind::Rejected, Effect::Partial));
    holds(&directory, 1, &["moodle", "lenel"], &[], &[]);
}

#[tokio::test]
async fn missing_rights_are_said_with_their_fix_and_nothing_is_written() {
    let directory = directory([person(1)]).await;
    let target = target(&directory, "", "");
    let before = directory.snapshot();
    directory.faults().play(Fault::Refuse(Operation::Write, Refusal::Forbidden), Times::Next(1));
    let change = || ready(&uhid(1), vec![add(BIRTHRIGHT, "moodle")], None);
    let TargetError { kind, retry, effect, code, message } = write(&target, change()).await.error.unwrap();
    assert_eq!(
        (kind, retry, effect, code.as_str()),
        (ErrorKind::Auth, Retry::Never, Effect::None, "PORTAL_UPDATE_FAILED")
    );
    assert!(message.contains("right to write") && !message.contains(&uhid(1)), "{message}");
    directory.faults().play(Fault::Refuse(Operation::Write, Refusal::Busy), Times::Next(1));
    let busy = write(&target, change()).await.error.unwrap();
    assert_eq!((busy.kind, busy.retry, busy.effect), (ErrorKind::Unavailable, Retry::Later(None), Effect::None));
    assert_eq!(directory.snapshot(), before);
}

#[tokio::test]
async fn a_connection_that_is_cut_after_the_write_leaves_it_unknown_and_the_next_write_connects_anew() {
    let directory = directory([person(1), person(2)]).await;
    let target = target(&directory, "", "");
    directory.faults().play(Fault::LoseAnswer(Operation::Write), Times::Next(1));
    let error = write(&target, ready(&uhid(1), vec![add(BIRTHRIGHT, "moodle")], None)).await.error.unwrap();
    assert_eq!((error.kind, error.effect), (ErrorKind::Connect, Effect::Unknown));
    assert_eq!((error.code.as_str(), error.retry), ("PORTAL_CONNECTION_FAILED", Retry::Later(None)));
    holds(&directory, 1, &["moodle"], &[], &[]);
    landed(&write(&target, ready(&uhid(2), vec![add(BIRTHRIGHT, "moodle")], None)).await, 1);
    assert_eq!((directory.writes(), target.writer.echoes().len()), (2, 1));
}

#[tokio::test]
async fn an_entry_is_asked_for_again_where_the_connection_had_ended() {
    let directory = directory([person(1).with(SEVEN, ["moodle:7"])]).await;
    let target = target(&directory, "", "");
    directory.faults().play(Fault::LoseAnswer(Operation::Read), Times::Next(1));
    landed(&write(&target, ready(&uhid(1), vec![clear(MOODLE, "7")], None)).await, 1);
    directory.faults().play(Fault::LoseAnswer(Operation::Read), Times::Next(2));
    let error = write(&target, ready(&uhid(1), vec![clear(MOODLE, "7")], None)).await.error.unwrap();
    assert_eq!((error.kind, error.effect), (ErrorKind::Connect, Effect::None));
    holds(&directory, 1, &[], &[], &[]);
}

#[tokio::test]
async fn a_refused_bind_is_not_repeated_and_a_busy_server_is_asked_again() {
    let directory = directory([person(1)]).await;
    let target = target(&directory, "", "");
    directory.faults().play(Fault::Refuse(Operation::Bind, Refusal::Busy), Times::Next(1));
    let busy = write(&target, ready(&uhid(1), vec![add(BIRTHRIGHT, "moodle")], None)).await.error.unwrap();
    assert_eq!(busy.retry, Retry::Later(None));
    directory.faults().play(Fault::Refuse(Operation::Bind, Refusal::Unwilling), Times::Always);
    for _ in 0..3 {
        let error = write(&target, ready(&uhid(1), vec![add(BIRTHRIGHT, "moodle")], None)).await.error.unwrap();
        assert_eq!((error.kind, error.effect), (ErrorKind::Auth, Effect::None));
        assert_eq!(error.code, "PORTAL_CONNECTION_FAILED");
    }
    assert_eq!(directory.faults().played(), 2);
}

#[tokio::test]
async fn an_entry_further_down_is_found_and_one_that_is_gone_is_not_made() {
    let below =
        Entry::new("ou=Guests,ou=Accounts,dc=meta").with("objectClass", ["organizationalUnit"]).with("ou", ["Guests"]);
    let guest = Entry::new(format!("idautoID={},ou=Guests,ou=Accounts,dc=meta", uhid(1)))
        .with("objectClass", ["idautoPerson"])
        .with("idautoID", [uhid(1)])
        .with("idautoPersonUserNameMV", ["testu0001"])
        .with(SEVEN, ["moodle:7"]);
    let directory = directory([below, guest]).await;
    let target = target(&directory, "", "");
    landed(&write(&target, ready(&uhid(1), vec![add(BIRTHRIGHT, "moodle")], None)).await, 1);
    landed(&write(&target, ready(&uhid(1), vec![clear(MOODLE, "7")], None)).await, 1);
    holds(&directory, 1, &["moodle"], &[], &[]);
    for edits in [vec![add(BIRTHRIGHT, "moodle")], vec![clear(MOODLE, "7")]] {
        let error = write(&target, ready(&uhid(9), edits, None)).await.error.unwrap();
        assert_eq!((error.kind, error.effect), (ErrorKind::NotFound, Effect::None));
    }
    assert_eq!(directory.writes(), 2);
}

#[tokio::test]
async fn many_writes_at_once_share_one_connection() {
    let directory = Arc::new(directory((1..=60).map(person)).await);
    let target = target(&directory, "pace = { per_second = 100000, concurrency = 16 }\n", "");
    let changes = (1..=60).map(|n| {
        let (target, key) = (target.clone(), uhid(n));
        async move { write(&target, ready(&key, vec![name(MOODLE, &key, None)], Some("5"))).await }
    });
    let outcomes = futures::future::join_all(changes).await;
    assert!(outcomes.iter().all(|outcome| outcome.error.is_none()));
    assert_eq!((directory.writes(), target.writer.echoes().len()), (60, 60));
}

#[tokio::test]
async fn once_somebody_asks_to_stop_no_other_entry_of_the_batch_is_written() {
    let directory = directory((1..=20).map(person)).await;
    let target = target(&directory, "pace = { per_second = 100000, concurrency = 4 }\n", "");
    let changes: Vec<Ready> = (1..=20).map(|n| ready(&uhid(n), vec![add(BIRTHRIGHT, "moodle")], None)).collect();
    let batch = target.writer.batches(changes).remove(0);
    assert_eq!(batch.changes.len(), 20);
    let stop = Stop::default();
    let (asks, seen) = (stop.clone(), AtomicU32::new(0));
    directory.watch().set(Arc::new(move |write| {
        if write.moment == Moment::Done && seen.fetch_add(1, Ordering::Relaxed) == 2 {
            asks.request();
        }
        Verdict::Do
    }));
    let outcomes = target.writer.write_until(&batch, &stop).await;
    assert!(outcomes[..3].iter().all(|outcome| outcome.error.is_none() && outcome.landed.len() == 1));
    let errors: Vec<&TargetError> = outcomes[3..].iter().filter_map(|outcome| outcome.error.as_ref()).collect();
    assert_eq!((errors.len(), directory.writes()), (17, 3));
    assert!(errors.iter().all(|error| error.code == STOPPED && error.effect == Effect::None));
}

#[tokio::test]
async fn a_directory_that_is_away_is_soon_left_alone() {
    let directory = directory((1..=60).map(person)).await;
    let target = target(&directory, "pace = { per_second = 100000, concurrency = 4 }\n", "");
    directory.faults().play(Fault::Refuse(Operation::Write, Refusal::Unavailable), Times::Always);
    let changes: Vec<Ready> = (1..=60).map(|n| ready(&uhid(n), vec![add(BIRTHRIGHT, "moodle")], None)).collect();
    let mut outcomes = Vec::new();
    for batch in target.writer.batches(changes) {
        outcomes.extend(target.writer.write(&batch).await);
    }
    let errors: Vec<&TargetError> = outcomes.iter().map(|outcome| outcome.error.as_ref().unwrap()).collect();
    assert!(errors.iter().all(|error| error.effect == Effect::None && error.kind == ErrorKind::Unavailable));
    assert!(errors[..5].iter().all(|error| error.code == "PORTAL_UPDATE_FAILED"));
    assert!(errors[5..].iter().all(|error| error.code == AWAY && error.message.contains("portal is away")));
    assert_eq!((directory.faults().played(), directory.writes()), (5, 0));
    let asked = target.observer.reader.observe(MARKS, Ask::All).next().await.unwrap();
    assert_eq!(asked.unwrap_err().code, AWAY, "who reads shares it with who writes");
}

#[tokio::test]
async fn edits_that_marks_do_not_have_are_refused_unsent() {
    let directory = directory([person(1)]).await;
    let target = target(&directory, "", "");
    for edit in [
        Edit::Standing { to: reconcile_state::Standing::Disabled },
        add(AttributeId(99), "x"),
        name(AttributeId(99), &uhid(1), None),
        Edit::Set { attribute: MOODLE, from: None, to: Value::Flag(true) },
    ] {
        let error = write(&target, ready(&uhid(1), vec![edit], Some("1"))).await.error.unwrap();
        assert_eq!(error.kind, ErrorKind::Rejected);
    }
    let unnamed = write(&target, ready(&uhid(1), vec![name(MOODLE, &uhid(1), None)], None)).await.error.unwrap();
    assert_eq!((unnamed.kind, unnamed.retry), (ErrorKind::Conflict, Retry::Later(None)));
    assert_eq!(directory.writes(), 0);
}

#[tokio::test]
async fn the_directory_is_known_by_its_branch_and_not_by_its_address() {
    let directory = directory([person(1)]).await;
    let identity = target(&directory, "", "").observer.reader.identity().await.unwrap();
    let csn = directory.url().trim_start_matches("ldap://").to_owned();
    assert!(identity.id.starts_with("ou=accounts,dc=meta ") && identity.id.len() > 50, "{}", identity.id);
    assert!(!identity.id.contains(&csn) && identity.warnings.is_empty());
    assert_eq!(identity.title, "Portal LDAP, ou=Accounts,dc=meta");
    directory.faults().play(Fault::HideAttribute("entryUUID".into()), Times::Always);
    let blind = target(&directory, "", "").observer.reader.identity().await.unwrap();
    assert_eq!((blind.id.as_str(), blind.warnings.len()), ("ou=accounts,dc=meta", 1));
    let lost = target(&directory, "", "people_base = 'ou=Nowhere,dc=meta'\n").observer.reader.identity().await;
    assert!(lost.unwrap_err().message.contains("people_base"));
}

fn levels(found: &[Check]) -> Vec<(&str, Level)> {
    found.iter().map(|check| (check.what.as_str(), check.level)).collect()
}

#[tokio::test]
async fn a_check_tells_what_stands_in_the_way() {
    use Level::{Good, Problem, Warning};
    let marked = person(1).with(FIVE, ["moodle"]).with(SEVEN, ["moodle:7"]).with(EIGHT, ["moodle:editor"]);
    let directory = directory([marked]).await;
    let check = async |more: &str, ldap: &str| target(&directory, more, ldap).observer.reader.check().await;
    let writes = directory.snapshot();
    let all = ["connection", "branch", "marks", "marks", "marks", "rights"];
    assert_eq!(levels(&check("", "").await), all.map(|what| (what, Good)));
    let odd = check("birthright_marks = 'noSuchAttribute'\nrequested_marks = 'idautoPersonExt1'", "").await;
    assert_eq!(levels(&odd)[2..5], [("schema", Problem), ("marks", Warning), ("marks", Good)]);
    assert!(odd[2].found.contains("noSuchAttribute") && odd.iter().all(|one| one.level == Good || one.fix.is_some()));
    let base = check("", "people_base = 'ou=Nowhere,dc=meta'\n").await;
    assert_eq!(levels(&base), [("branch", Problem)]);
    directory.faults().play(Fault::Refuse(Operation::Bind, Refusal::Unwilling), Times::Next(1));
    assert_eq!(levels(&check("", "").await), [("connection", Problem)]);
    assert_eq!(directory.snapshot(), writes);
}

#[tokio::test]
async fn each_attribute_is_checked_by_itself() {
    let directory = directory([person(1).with(FIVE, ["moodle"]).with(SEVEN, ["moodle:7"])]).await;
    directory.faults().play(Fault::HideAttribute(FIVE.into()), Times::Always);
    let found = target(&directory, "", "").observer.reader.check().await;
    let said: Vec<_> = found.iter().filter(|one| one.what == "marks").map(|one| (one.level, &*one.found)).collect();
    assert!(said[0].0 == Level::Warning && said[0].1.contains(FIVE), "{said:?}");
    assert!(said[1].0 == Level::Warning && said[1].1.contains(EIGHT), "{said:?}");
    assert_eq!(said[2], (Level::Good, "idautoPersonAppRoles7 can be read"));
}

const ONE: &str = "idautoPersonAppRoles1";

/// What a pass is told before it plans marks, and whether a check finds the same.
async fn refused(directory: &Directory, more: &str) -> Option<TargetError> {
    let reader = target(directory, more, "").observer.reader;
    let refused = reader.identity().await.err();
    let problem = reader.check().await.into_iter().any(|one| one.level == Level::Problem);
    assert_eq!(problem, refused.is_some(), "{refused:?}");
    refused
}

#[tokio::test]
async fn no_mark_is_planned_for_an_attribute_of_another_meaning() {
    let directory = directory((1..=5).map(|n| {
        let roles = ["iam:employee:185/IT", "iam:manager:185/IT"];
        person(n).with("mail", [format!("testu{n:04}@uni.example")]).with(ONE, roles)
    }))
    .await;
    for (more, said) in [
        ("birthright_marks = 'mail'", "`birthright_marks`"),
        ("requested_marks = 'idautoPersonAppRoles1'", "begin with `iam`"),
        ("target_ids = 'idautoPersonAppRoles1'", "5 of 5"),
    ] {
        let error = refused(&directory, more).await.unwrap();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Rejected, "PORTAL_ATTRIBUTE_TAKEN"), "{more}");
        assert!(error.message.contains(said) && !error.message.contains("testu"), "{error}");
    }
    let named = "requested_marks = 'idautoPersonAppRoles1'\nother_systems = ['IAM']";
    assert_eq!(refused(&directory, named).await, None, "the operator knows better");
    let missing = refused(&directory, "target_ids = 'noSuchAttribute'").await.unwrap();
    assert_eq!((missing.kind, missing.code.as_str()), (ErrorKind::Rejected, "PORTAL_ATTRIBUTE_MISSING"));
    assert!(missing.message.contains("`target_ids`"), "{missing}");
}

#[tokio::test]
async fn marks_that_only_those_who_left_still_carry_are_marks() {
    let left = directory((1..=4).map(|n| person(n).with(EIGHT, ["wiseflow:author"]))).await;
    assert_eq!(refused(&left, "").await, None);
}

#[tokio::test]
async fn marks_of_systems_that_nobody_manages_here_are_marks() {
    let other = |n| person(n).with(FIVE, ["Cristin"]).with(SEVEN, ["cristin:77"]).with(EIGHT, ["topdesk:operator"]);
    let entitled = |n| other(n).with("idautoPersonAppRoles2", ["cristin"]);
    let bare = directory((1..=4).map(other)).await;
    assert!(refused(&bare, "").await.is_some(), "nobody has heard of it");
    assert_eq!(refused(&bare, "other_systems = ['cristin', 'topdesk']").await, None);
    let known = directory((1..=3).map(other).chain([entitled(4)])).await;
    assert_eq!(refused(&known, "").await, None, "somebody is entitled to it");
    let few = directory((1..=2).map(other)).await;
    assert_eq!(refused(&few, "").await, None, "too few to conclude anything");
    let ours = |n| person(n).with(FIVE, ["moodle", "cristin"]).with(SEVEN, ["moodle:7"]);
    let half = directory((1..=3).map(other).chain((4..=6).map(ours))).await;
    assert_eq!(refused(&half, "").await, None, "no more than half");
}
