//! Claims that were lost are derived from evidence, and what evidence does not tell is listed and left alone.

use std::time::Duration;

use reconcile::config::FirstMeeting;
use reconcile::engine::{KindRebuilt, Rebuilt};
use reconcile::model::Action;
use reconcile_state::journal::Entry;
use reconcile_state::{Edit, Origin, Standing};

use crate::toys::marked::{self, NAME as MARKS};
use crate::toys::seated::{ACCOUNT, LOGIN, NAME, SEATS};
use crate::toys::{Listing, listed};
use crate::world::{Desk, Fault, ID, Pass, School, key, wait};

fn kind<'r>(rebuilt: &'r Rebuilt, pipeline: &str, kind: &str) -> &'r KindRebuilt {
    let pipeline = rebuilt.pipelines.iter().find(|one| one.name == pipeline).unwrap();
    assert_eq!(pipeline.stopped, None);
    pipeline.kinds.iter().find(|one| one.kind == kind).unwrap()
}

fn people<'k>(keys: impl Iterator<Item = &'k reconcile_state::Key>) -> Vec<u32> {
    keys.map(|known| (1..100).find(|n| key(*n) == *known).unwrap()).collect()
}

fn unknown(rebuilt: &KindRebuilt, why: &str) -> Vec<u32> {
    rebuilt.unknown.iter().filter(|(reason, _)| reason.0 == why).flat_map(|(_, keys)| people(keys.iter())).collect()
}

fn listed(pass: &Pass, pipeline: &str) -> Vec<(u32, Vec<Edit>)> {
    let plan = &pass.planned.plan.pipelines[pipeline];
    let findings = plan.findings.iter().map(|finding| (&finding.key, &finding.differences));
    let links = plan.links.iter().map(|link| (&link.key, &link.differences));
    let all = findings.chain(links).filter(|(_, differences)| !differences.is_empty());
    all.map(|(key, differences)| (people(std::iter::once(key))[0], differences.clone())).collect()
}

fn conflicts(pass: &Pass, pipeline: &str) -> Vec<(u32, &'static str)> {
    let conflicts = pass.planned.plan.pipelines[pipeline].conflicts.iter();
    conflicts.map(|conflict| (people(std::iter::once(&conflict.key))[0], conflict.code)).collect()
}

#[tokio::test(start_paused = true)]
async fn after_everything_was_lost_and_rebuilt_nothing_is_made_closed_or_taken_away() {
    let mut school = School::with(1..=12).await;
    school.people.entitle(12, &[]);
    school.pass().await;
    let before = (school.writes(), school.seated.rows());
    school.lose_everything();
    let rebuilt = school.rebuild().await;
    let accounts = kind(&rebuilt, NAME, ACCOUNT);
    assert_eq!(people(accounts.derived.keys()), (1..=12).collect::<Vec<_>>());
    assert_eq!(unknown(accounts, "standing-unknown"), [12]);
    assert_eq!(unknown(kind(&rebuilt, NAME, SEATS), "elements-unknown").len(), 12);
    assert_eq!(kind(&rebuilt, MARKS, marked::KIND).derived.len(), 12);
    assert!(accounts.contradicted.is_empty());
    let plan = school.plan().await;
    assert_eq!(plan.plan.changes, [], "{:#?}", plan.plan.changes);
    assert!(plan.pipelines.iter().all(|one| !one.first_load && one.stopped.is_none()));
    assert_eq!(school.pass().await.changes(), 0);
    assert_eq!((school.writes(), school.seated.rows()), before, "the world is as it was");
    // And everything that is due from then on is done.
    school.enrol(13, &["room2/a"]);
    school.people.entitle(1, &[]);
    school.call_for(2, &["room1/a", "room3/b"]);
    let pass = school.pass().await;
    assert!(pass.told.iter().all(|line| line.ends_with("landed")), "{:#?}", pass.told);
    assert_eq!((school.seats(13), school.seats(2)), (vec!["room2/a".into()], vec!["room1/a".into(), "room3/b".into()]));
    assert_eq!((school.marks(13).len(), school.marks(1).len()), (1, 0));
    assert_eq!(school.pass().await.changes(), 0);
}

fn stopped(rebuilt: &Rebuilt) -> Vec<&str> {
    let stopped = rebuilt.pipelines.iter().filter_map(|one| one.stopped.as_ref());
    stopped.map(|event| event.code.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_derived_from_half_a_directory() {
    for fault in [Fault::Midway, Fault::Incomplete, Fault::Empty] {
        let mut school = School::with(1..=12).await;
        school.lose_everything();
        school.people.fault(fault);
        let rebuilt = school.rebuild().await;
        assert_eq!(stopped(&rebuilt), ["EVIDENCE_INCOMPLETE"; 2], "{fault:?}");
        assert!(rebuilt.pipelines.iter().all(|one| !one.is_due() && one.kinds.is_empty()), "{fault:?}");
        assert_eq!(school.claimed(NAME, ACCOUNT), [], "{fault:?}");
        school.people.fault(Fault::None);
        assert_eq!(stopped(&school.rebuild().await), [""; 0]);
        assert_eq!(school.plan().await.plan.changes, [], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_shrank_derives_nothing_until_somebody_says_that_it_did() {
    let mut school = School::with(1..=12).await;
    school.settings.guard.shrink.floor = 2;
    let copy = school.store.claims_copy(NAME);
    school.lose(&format!("{NAME}.redb"));
    std::fs::remove_file(&copy).unwrap();
    school.people.fault(Fault::HalfMissing);
    assert_eq!(stopped(&school.rebuild().await), ["EVIDENCE_INCOMPLETE"; 2]);
    let plan = school.plan().await;
    let lost = plan.pipelines.iter().find(|one| one.name == NAME).unwrap().stopped.clone();
    assert_eq!(lost.unwrap().code, "CLAIMS_LOST", "and stays so");
    school.allow.insert("source-shrunk".into());
    assert_eq!(stopped(&school.rebuild().await), [""; 0]);
    assert_eq!(school.claimed(NAME, ACCOUNT).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_contradicted_is_not_settled_by_a_reading_that_does_not_show_it() {
    let mut school = School::with(1..=12).await;
    // The directory names an account that is nobody's, and theirs has another name.
    let from = school.id(12).map(|id| id.as_str().into());
    school.people.mark(&key(12), &[Edit::Set { attribute: ID, from, to: "4711".into() }]);
    school.seated.shelf().only(ACCOUNT, LOGIN, "user012").set(LOGIN, "old012".into());
    school.lose_everything();
    let one = |rebuilt: &Rebuilt| {
        let pipeline = rebuilt.pipelines.iter().find(|one| one.name == NAME).unwrap();
        (pipeline.settled.len(), pipeline.kinds.iter().map(|kind| kind.contradicted.len()).sum::<usize>())
    };
    assert_eq!(one(&school.rebuild().await), (0, 1));
    // Nothing says how many people there should be: half of them are believed to be all.
    school.people.fault(Fault::HalfMissing);
    assert_eq!(one(&school.rebuild().await).0, 0);
    school.people.fault(Fault::None);
    assert_eq!(conflicts(&school.pass().await, NAME), [(12, "evidence-contradicts")]);
    assert_eq!(school.seated.shelf().with(ACCOUNT, LOGIN, "user012"), [0; 0], "no second account");
    // What agrees is settled.
    let id = school.seated.shelf().with(ACCOUNT, LOGIN, "old012")[0].to_string();
    let from = school.id(12).map(|id| id.as_str().into());
    school.people.mark(&key(12), &[Edit::Set { attribute: ID, from, to: id.as_str().into() }]);
    school.seated.shelf().only(ACCOUNT, LOGIN, "old012").set(LOGIN, "user012".into());
    assert_eq!(one(&school.rebuild().await), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_derived_is_remembered_with_its_origin_a_note_and_a_copy_and_a_plan_remembers_nothing() {
    let mut school = School::with(1..=3).await;
    let copy = school.store.claims_copy(NAME);
    std::fs::write(&copy, "damaged").unwrap();
    school.lose(&format!("{NAME}.redb"));
    let planned = school.derive(&[NAME]).await;
    assert_eq!(planned.pipelines.len(), 1, "only what was asked for");
    assert!(planned.pipelines[0].lost.as_ref().is_some_and(|lost| lost.contains("is no claim")));
    assert_eq!(kind(&planned, NAME, ACCOUNT).derived.len(), 3);
    assert!(!school.store.path().join(format!("{NAME}.redb")).exists());
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "damaged");
    let stopped = |planned: &reconcile::model::pass::Planned| {
        let code = planned.pipelines.iter().find(|one| one.name == NAME).unwrap().stopped.clone();
        code.map(|event| event.code)
    };
    assert_eq!(stopped(&school.plan().await).as_deref(), Some("CLAIMS_LOST"));

    school.rebuild().await;
    assert_eq!(stopped(&school.plan().await), None);
    let store = school.store.pipeline(NAME).unwrap();
    let claims = store.claims(ACCOUNT).unwrap();
    assert!(claims.len() == 3 && claims.values().all(|claim| claim.origin == Origin::Rebuilt));
    let entries = store.journal(1, 100).unwrap();
    let notes: Vec<_> = entries
        .into_iter()
        .filter_map(|(_, entry)| if let Entry::Note(note) = entry { Some(note) } else { None })
        .collect();
    assert_eq!((notes.len(), notes[0].who.as_str()), (1, "operator"));
    assert!(notes[0].what.contains("rebuilt from evidence, 3 account derived") && notes[0].what.contains("a test"));
    let text = std::fs::read_to_string(&copy).unwrap();
    assert_eq!((text.lines().count(), text.matches("\"origin\":\"rebuilt\"").count()), (6, 6));
    // Found as it should be, a record is as any other.
    school.pass().await;
    let claims = school.store.pipeline(NAME).unwrap().claims(ACCOUNT).unwrap();
    assert!(claims.values().all(|claim| claim.origin == Origin::Adopted));
}

#[tokio::test(start_paused = true)]
async fn evidence_that_contradicts_is_listed_and_left_alone_until_it_agrees() {
    let mut school = School::with(1..=8).await;
    let id = |n: u32, to: &str, school: &School| {
        let from = school.id(n).map(|id| id.as_str().into());
        school.people.mark(&key(n), &[Edit::Set { attribute: ID, from, to: to.into() }]);
    };
    let numbers: Vec<String> =
        (0..=8).map(|n| if n == 0 { String::new() } else { school.number(n).to_string() }).collect();
    // A record that is not there; one of somebody else; one that carries nothing of the person.
    id(1, "4711", &school);
    id(2, &numbers[3], &school);
    id(8, "4712", &school);
    school.seated.shelf().only(ACCOUNT, LOGIN, "user004").set(LOGIN, "renamed".into());
    school.lose_everything();
    let rebuilt = school.rebuild().await;
    let accounts = kind(&rebuilt, NAME, ACCOUNT);
    let codes: Vec<(u32, &str)> = accounts
        .contradicted
        .iter()
        .map(|(key, found)| (people(std::iter::once(key))[0], found.code.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            (1, "record-missing"),
            (2, "several-records"),
            (3, "claimed-by-another"),
            (4, "values-differ"),
            (8, "record-missing")
        ]
    );
    assert_eq!(people(accounts.derived.keys()), [5, 6, 7]);
    let before = school.writes();
    let pass = school.pass().await;
    assert_eq!(conflicts(&pass, NAME), [1, 2, 3, 4, 8].map(|n| (n, "evidence-contradicts")));
    school.people.entitle(1, &[]);
    school.people.edit(4, reconcile::model::person::directory::SURNAME, "Changed");
    assert_eq!(school.pass().await.changes(), 0);
    assert_eq!(school.writes(), before, "no account is made, closed or changed for them");
    // Corrected, and rebuilt once more.
    id(1, &numbers[1], &school);
    id(2, &numbers[2], &school);
    school.seated.shelf().only(ACCOUNT, LOGIN, "renamed").set(LOGIN, "user004".into());
    let again = school.rebuild().await;
    let accounts = kind(&again, NAME, ACCOUNT);
    assert_eq!((people(accounts.derived.keys()), accounts.known), (vec![1, 2, 3, 4], 3));
    assert_eq!(conflicts(&school.pass().await, NAME), [(8, "evidence-contradicts")]);
    // A wrong id is taken out: what is left is one value, and the next pass meets the record for the first time.
    let from = school.id(8).unwrap().as_str().into();
    school.people.mark(&key(8), &[Edit::Clear { attribute: ID, from }]);
    let last = school.rebuild().await;
    assert_eq!(unknown(kind(&last, NAME, ACCOUNT), "no-target-id"), [8]);
    let pass = school.pass().await;
    assert!(conflicts(&pass, NAME).is_empty());
    assert!(school.claimed(NAME, ACCOUNT).contains(&key(8)));
    assert_eq!(pass.of(NAME), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn seats_that_nobody_knows_we_gave_stay_and_those_given_since_are_taken_away() {
    let mut school = School::new();
    school.enrol(1, &["room1/a", "room2/a"]);
    school.enrol(2, &["room1/a"]);
    school.pass().await;
    for first_meeting in [FirstMeeting::Report, FirstMeeting::Enforce] {
        school.settings.first_meeting = first_meeting;
        school.call_for(1, &["room1/a", "room2/a"]);
        school.lose_everything();
        school.rebuild().await;
        assert_eq!(school.pass().await.changes(), 0);
        school.call_for(1, &["room1/a"]);
        let pass = school.pass().await;
        assert_eq!(pass.changes(), 0, "{:#?}", pass.told);
        let told = listed(&pass, NAME);
        assert!(
            matches!(&told[..], [(1, edits)] if matches!(&edits[..], [Edit::Remove { element, .. }] if element == "room2/a"))
        );
        // Another change of the same person does not take it along.
        school.call_for(1, &["room1/a", "room3/a"]);
        let pass = school.pass().await;
        assert_eq!(pass.of(NAME).len(), 1, "{:#?}", pass.told);
        assert_eq!(school.seats(1), ["room1/a", "room2/a", "room3/a"]);
        school.call_for(1, &["room1/a"]);
        school.pass().await;
        assert_eq!(school.seats(1), ["room1/a", "room2/a"], "what was given since is ours");
        assert_eq!(school.pass().await.changes(), 0);
    }
    // Also where the sources had moved before the first pass.
    school.lose_everything();
    school.rebuild().await;
    school.call_for(1, &[]);
    assert_eq!(school.pass().await.changes(), 0);
    assert_eq!(school.seats(1), ["room1/a", "room2/a"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_nobody_knows_we_closed_is_listed_and_not_opened_by_itself() {
    let mut school = School::with(1..=3).await;
    school.settings.first_meeting = FirstMeeting::Enforce;
    school.stand(1, Standing::Disabled);
    school.lose_everything();
    let rebuilt = school.rebuild().await;
    assert_eq!(unknown(kind(&rebuilt, NAME, ACCOUNT), "standing-unknown"), [1]);
    for _ in 0..3 {
        let pass = school.pass().await;
        assert_eq!(pass.changes(), 0, "{:#?}", pass.told);
        assert_eq!(listed(&pass, NAME), [(1, vec![Edit::Standing { to: Standing::Active }])]);
    }
    // What was found open is known: somebody who closes it now is put right as ever.
    school.stand(2, Standing::Disabled);
    let pass = school.pass().await;
    assert!(pass.planned.plan.changes.iter().any(|change| change.key == key(2) && change.action == Action::Enable));
    assert_eq!(pass.planned.plan.changes.iter().filter(|change| change.key == key(1)).count(), 0);
    // Opened by hand, it is as it should be, and one of ours from then on.
    school.stand(1, Standing::Active);
    school.pass().await;
    school.stand(1, Standing::Disabled);
    let pass = school.pass().await;
    assert!(pass.fate(NAME, ACCOUNT, 1).unwrap().ends_with("landed"), "{:#?}", pass.told);
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_we_may_have_taken_away_is_not_contested() {
    let mut school = School::with(1..=3).await;
    school.people.entitle(1, &[]);
    school.pass().await;
    assert!(school.marks(1).is_empty());
    school.mark_by_hand(1, NAME, true);
    school.lose_everything();
    let rebuilt = school.rebuild().await;
    assert_eq!(unknown(kind(&rebuilt, MARKS, marked::KIND), "mark-unconfirmed"), [1]);
    for _ in 0..3 {
        assert_eq!(school.pass().await.changes(), 0);
        wait(Duration::from_hours(25)).await;
    }
    assert_eq!(school.marks(1), [NAME]);
}

#[tokio::test(start_paused = true)]
async fn one_value_alone_is_no_evidence_and_half_a_reading_is_none_at_all() {
    let mut desk = Desk::with(1..=3).await;
    desk.pipelines = vec![listed::NAME];
    desk.lose_everything();
    let rebuilt = desk.rebuild().await;
    let accounts = kind(&rebuilt, listed::NAME, listed::ACCOUNT);
    assert!(accounts.derived.is_empty());
    assert_eq!(unknown(accounts, "no-target-id"), [1, 2, 3]);

    let school = School::with(1..=3).await;
    for breaks in [Listing::Half, Listing::NoEnd, Listing::Twice, Listing::OneMore, Listing::Broken] {
        school.seated.shelf().listing = breaks;
        let rebuilt = school.derive(&[]).await;
        let pipeline = rebuilt.pipelines.iter().find(|one| one.name == NAME).unwrap();
        assert!(pipeline.stopped.is_some() && pipeline.kinds.is_empty(), "{breaks:?}");
    }
    school.seated.shelf().listing = Listing::Whole;
    school.marked.moods().away = true;
    let rebuilt = school.derive(&[NAME]).await;
    assert!(rebuilt.pipelines[0].stopped.is_some(), "without the directory's ids nothing is certain");
}
