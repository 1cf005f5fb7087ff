//! Whatever happens to accounts, seats, rooms and marks and whatever goes wrong, in any order: three passes after
//! it stopped nothing is left to do, everybody sits where they should, and marks say who is in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use reconcile::config::{FirstMeeting, OnDrift, OnSurplus};
use reconcile::model::person::directory as d;
use reconcile::model::{Pick, Plan, Scope};
use reconcile_state::{AttributeId, Edit, Key, Record, Standing, Value};

use super::random::cases;
use crate::toys::seated::{ACCOUNT, LOGIN, NAME, TITLE};
use crate::toys::{Answer, Hand, Seated, marked, room_of};
use crate::world::{Desk, Fault, ID, SECOND, SECOND_ID, School, key, run, wait};

const PEOPLE: u32 = 5;
const SEATS: [&str; 5] = ["room1/a", "room1/b", "room2/a", "room9/a", "hall1/a"];
const ROOMS: [&str; 3] = ["room1", "room2", "room9"];

#[derive(Clone, Debug)]
enum Event {
    Enrol(u32, u8),
    Entitle(u32, bool, bool),
    Call(u32, u8),
    Retitle(u32, u8),
    Disable(u32, bool),
    LetGo(u32),
    DropRow(u32),
    /// A room comes or goes.
    Room(usize, bool),
    SeatByHand(u32, usize, bool),
    UnseatByHand(u32, usize),
    CloseByHand(u32),
    RemoveByHand(u32),
    MarkByHand(u32, bool, bool),
    IdByHand(u32),
    /// In the next pass answers are lost: of accounts, seats or marks.
    LoseAnswers(u8, u8),
    Cut(u32, usize),
    Grumble(u32),
    Drop(usize),
    RefuseAccount(u32, bool),
    RefuseSeats(u32, bool),
    RefuseMarks(u32, bool),
    BadBatch(u32),
    /// In the next pass a room cannot be read.
    Unread(usize),
    /// In the next pass no seat can be read, or readings never end, or nothing can be read back.
    Blind(u8),
    Away(u8),
    Source(Fault),
    Wait(u64),
    Pass,
    Changed,
    Pending,
    Narrow(u32),
    Torn(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let who = || 1..=PEOPLE;
    let seat = || 0..SEATS.len();
    let people = prop_oneof![
        4 => (who(), any::<u8>()).prop_map(|(n, x)| Event::Enrol(n, x)),
        3 => (who(), any::<bool>(), any::<bool>()).prop_map(|(n, a, b)| Event::Entitle(n, a, b)),
        4 => (who(), any::<u8>()).prop_map(|(n, x)| Event::Call(n, x)),
        1 => (who(), 0..3_u8).prop_map(|(n, x)| Event::Retitle(n, x)),
        1 => (who(), any::<bool>()).prop_map(|(n, on)| Event::Disable(n, on)),
        1 => who().prop_map(Event::LetGo),
        1 => who().prop_map(Event::DropRow),
    ];
    let hands = prop_oneof![
        2 => (0..ROOMS.len(), any::<bool>()).prop_map(|(room, on)| Event::Room(room, on)),
        3 => (who(), seat(), any::<bool>()).prop_map(|(n, s, own)| Event::SeatByHand(n, s, own)),
        3 => (who(), seat()).prop_map(|(n, s)| Event::UnseatByHand(n, s)),
        1 => who().prop_map(Event::CloseByHand),
        1 => who().prop_map(Event::RemoveByHand),
        2 => (who(), any::<bool>(), any::<bool>()).prop_map(|(n, at, on)| Event::MarkByHand(n, at, on)),
        1 => who().prop_map(Event::IdByHand),
    ];
    let moods = prop_oneof![
        3 => (0..3_u8, 0..3_u8).prop_map(|(at, how)| Event::LoseAnswers(at, how)),
        1 => (who(), 0..3_usize).prop_map(|(n, edits)| Event::Cut(n, edits)),
        1 => who().prop_map(Event::Grumble),
        1 => seat().prop_map(Event::Drop),
        1 => (who(), any::<bool>()).prop_map(|(n, on)| Event::RefuseAccount(n, on)),
        1 => (who(), any::<bool>()).prop_map(|(n, on)| Event::RefuseSeats(n, on)),
        1 => (who(), any::<bool>()).prop_map(|(n, on)| Event::RefuseMarks(n, on)),
        1 => who().prop_map(Event::BadBatch),
        2 => (0..ROOMS.len()).prop_map(Event::Unread),
        1 => (0..3_u8).prop_map(Event::Blind),
        1 => (0..3_u8).prop_map(Event::Away),
        1 => prop_oneof![Just(Fault::Midway), Just(Fault::Incomplete), Just(Fault::HalfMissing), Just(Fault::Empty)]
            .prop_map(Event::Source),
    ];
    let passes = prop_oneof![
        1 => prop_oneof![Just(5), Just(40), Just(700)].prop_map(Event::Wait),
        5 => Just(Event::Pass),
        2 => Just(Event::Changed),
        1 => Just(Event::Pending),
        1 => who().prop_map(Event::Narrow),
        2 => (0..30_u64).prop_map(|some| Event::Torn(some * 10)),
    ];
    prop_oneof![3 => people, 2 => hands, 2 => moods, 3 => passes]
}

fn chosen(x: u8) -> Vec<&'static str> {
    SEATS.into_iter().enumerate().filter(|(at, _)| x & (1 << at) != 0).map(|(_, seat)| seat).collect()
}

fn login(n: u32) -> String {
    format!("user{n:03}")
}

fn account(toy: &Seated, n: u32) -> Option<u64> {
    toy.shelf().with(ACCOUNT, LOGIN, &login(n)).first().copied()
}

fn toys(school: &School) -> [(&Seated, AttributeId); 2] {
    [(&school.seated, ID), (&school.second, SECOND_ID)]
}

/// What a world remembers of itself.
#[derive(Default)]
struct Past {
    removed: u32,
    /// Marks that somebody set by hand.
    marked: BTreeSet<(u32, &'static str)>,
    /// Nobody ever heard whether a first mark was set.
    forgot: bool,
}

fn answer(how: u8) -> Answer {
    [Answer::LostAndLanded, Answer::Lost, Answer::LandsAfter(Duration::from_secs(10))][usize::from(how)]
}

fn people(school: &School, event: &Event) {
    match *event {
        Event::Enrol(n, x) => {
            school.enrol(n, &chosen(x));
            school.people.entitle(n, if x & 64 == 0 { &[NAME] } else { &[NAME, SECOND] });
        }
        Event::Entitle(n, a, b) => {
            let systems = [(NAME, a), (SECOND, b)];
            school.people.entitle(n, &systems.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>());
        }
        Event::Call(n, x) => school.call_for(n, &chosen(x)),
        Event::Retitle(n, x) => school.people.edit(n, d::SURNAME, format!("Title{x}").as_str()),
        Event::Disable(n, on) => school.people.edit(n, d::DISABLED, Value::Flag(on)),
        Event::LetGo(n) => school.people.let_go(n),
        Event::DropRow(n) => school.people.drop_row(n),
        _ => {}
    }
}

fn hands(school: &School, event: &Event, past: &mut Past) {
    let toy = &school.seated;
    match *event {
        Event::Room(room, true) => toy.hall().open(&[ROOMS[room]]),
        Event::Room(room, false) => toy.hall().demolish(ROOMS[room]),
        Event::SeatByHand(n, seat, own) => {
            if let Some(number) = account(toy, n).filter(|_| toy.hall().rooms.contains(room_of(SEATS[seat]))) {
                toy.hall().seat(number, SEATS[seat], if own { Hand::Manual } else { Hand::Theirs });
            }
        }
        Event::UnseatByHand(n, seat) => {
            if let Some(number) = account(toy, n) {
                toy.hall().unseat(number, SEATS[seat]);
            }
        }
        Event::CloseByHand(n) => {
            if let Some(number) = account(toy, n) {
                toy.shelf().rows.get_mut(&(ACCOUNT, number)).unwrap().standing = Standing::Disabled;
            }
        }
        // A target that loses several records is doubted, and rightly so.
        Event::RemoveByHand(n) if past.removed < 2 => {
            if let Some(number) = account(toy, n) {
                toy.shelf().rows.remove(&(ACCOUNT, number));
                toy.hall().seats.retain(|(of, _), _| *of != number);
                past.removed += 1;
            }
        }
        Event::MarkByHand(n, at, on) => {
            let mark = if at { NAME } else { SECOND };
            let held = school.people.marks(&key(n)).map(|_| school.marks(n).contains(&mark.to_owned()));
            if held == Some(!on) {
                school.mark_by_hand(n, mark, on);
                past.marked.insert((n, mark));
            }
        }
        Event::IdByHand(n) => {
            // One that differs when it is met for the first time is left.
            let met = school.claimed(marked::NAME, marked::KIND).contains(&key(n));
            if met && school.people.marks(&key(n)).is_some_and(|marks| marks.text(ID).is_some()) {
                school.people.mark(&key(n), &[Edit::Set { attribute: ID, from: None, to: "by hand".into() }]);
            }
        }
        _ => {}
    }
}

fn moods(school: &School, event: &Event) {
    let toy = &school.seated;
    let change =
        |set: &mut BTreeSet<reconcile_state::Key>, n, on| if on { set.insert(key(n)) } else { set.remove(&key(n)) };
    match *event {
        Event::LoseAnswers(0, how) => toy.shelf().answer = Some(answer(how)),
        Event::LoseAnswers(1, how) => toy.hall().answer = Some(answer(how)),
        Event::LoseAnswers(_, how) => school.marked.moods().answer = Some(answer(how)),
        Event::Cut(n, edits) => {
            let _ = toy.hall().cut.insert(key(n), edits);
        }
        Event::Grumble(n) => {
            let _ = change(&mut toy.hall().grumbles, n, true);
        }
        Event::Drop(seat) => {
            let _ = toy.hall().drops.insert(SEATS[seat].to_owned());
        }
        Event::RefuseAccount(n, on) => {
            let _ = change(&mut toy.shelf().refused, n, on);
        }
        Event::RefuseSeats(n, on) => {
            let _ = change(&mut toy.hall().refused, n, on);
        }
        Event::RefuseMarks(n, on) => {
            let _ = change(&mut school.marked.moods().refused, n, on);
        }
        Event::BadBatch(n) => {
            let _ = change(&mut toy.hall().bad, n, true);
        }
        Event::Unread(room) => {
            let _ = toy.hall().unread.insert(ROOMS[room].to_owned());
        }
        Event::Blind(0) => toy.hall().away = true,
        Event::Blind(1) => toy.hall().endless = true,
        Event::Blind(_) => {
            let mut hall = toy.hall();
            hall.blind_after = Some(hall.asked.len() + 1);
        }
        Event::Away(0) => toy.shelf().away = true,
        Event::Away(1) => school.second.shelf().away = true,
        Event::Away(_) => school.marked.moods().away = true,
        Event::Source(fault) => school.people.fault(fault),
        _ => {}
    }
}

/// Ends what was to go wrong in one pass.
fn calm(school: &School) {
    school.people.fault(Fault::None);
    for (toy, _) in toys(school) {
        let mut shelf = toy.shelf();
        (shelf.answer, shelf.away) = (None, false);
        drop(shelf);
        let mut hall = toy.hall();
        (hall.answer, hall.away, hall.endless, hall.blind_after) = (None, false, false, None);
        hall.unread.clear();
        hall.bad.clear();
    }
    let mut moods = school.marked.moods();
    (moods.answer, moods.away) = (None, false);
}

async fn pass(school: &mut School, event: &Event) {
    school.scope = match event {
        Event::Changed => Scope { pick: Pick::Changed, limit: None },
        Event::Pending => Scope { pick: Pick::Pending, limit: None },
        Event::Narrow(n) => Desk::only([*n]),
        _ => Scope::default(),
    };
    match event {
        Event::Wait(seconds) => return wait(Duration::from_secs(*seconds)).await,
        Event::Torn(millis) => school.torn_pass(Duration::from_millis(*millis)).await,
        Event::Pass | Event::Changed | Event::Pending | Event::Narrow(_) => drop(school.pass().await),
        _ => return,
    }
    calm(school);
}

/// At no time has anybody two accounts.
fn check_single(school: &School) -> Result<(), TestCaseError> {
    for (toy, _) in toys(school) {
        let mut seen = BTreeSet::new();
        for ((_, number), row) in toy.rows() {
            prop_assert!(seen.insert(row.text(LOGIN).map(str::to_owned)), "{number} is an account too many");
        }
    }
    Ok(())
}

/// Marks that a plan tells of and leaves.
fn left_marks(plan: &Plan) -> BTreeSet<(Key, String)> {
    let plan = &plan.pipelines[marked::NAME];
    let findings = plan.findings.iter().map(|finding| (&finding.key, &finding.differences));
    let all = findings.chain(plan.links.iter().map(|link| (&link.key, &link.differences)));
    all.flat_map(|(key, edits)| {
        edits.iter().filter_map(|edit| match edit {
            Edit::Remove { element, .. } => Some((key.clone(), element.clone())),
            _ => None,
        })
    })
    .collect()
}

/// What must be true in the end, worked out without the engine.
fn check(school: &School, past: &Past, last: &Plan) -> Result<(), TestCaseError> {
    let told = left_marks(last);
    for n in 1..=PEOPLE {
        let Some(entry) = school.people.entry(n) else { continue };
        let enabled = entry.get(d::DISABLED) != Some(&Value::Flag(true));
        for (toy, id) in toys(school) {
            let system = toy.mark().entitlement;
            let open = enabled && entry.elements(d::REQUESTED).any(|text| text == system);
            let number = account(toy, n);
            let row = number.map(|number| toy.rows()[&(ACCOUNT, number)].clone());
            let stands = row.as_ref().is_some_and(|row| row.standing == Standing::Active);
            prop_assert_eq!(stands, open, "{} at {}", n, system);
            let marked = school.marks(n).contains(&system.to_owned());
            // Who keeps what is not called for any more is as nobody says they should be.
            prop_assert!(!open || marked || !school.people.has_row(n), "{} lacks {}", n, system);
            if marked && !open {
                // One that is not known to be ours is left, and told in every pass.
                prop_assert!(past.forgot || past.marked.contains(&(n, system)), "{} of {}", system, n);
                prop_assert!(told.contains(&(key(n), system.to_owned())), "{} of {} is not told", system, n);
            }
            let (Some(number), Some(row), true) = (number, row, open) else { continue };
            prop_assert_eq!(row.text(TITLE), entry.text(d::SURNAME));
            let written = school.people.marks(&key(n)).unwrap().text(id).map(str::to_owned);
            // One that differs at a first meeting is only told, also where it is of a write that nobody heard of.
            let told = past.forgot || !school.people.has_row(n);
            prop_assert!(written == Some(number.to_string()) || told, "{} {:?}", n, written);
            let hall = toy.hall();
            let wanted: BTreeSet<&str> = entry.elements(d::AFFILIATIONS).collect();
            for seat in wanted.iter().filter(|seat| seat.starts_with("room") && hall.rooms.contains(room_of(seat))) {
                prop_assert!(hall.seats.contains_key(&(number, (*seat).to_owned())), "{} without {}", n, seat);
            }
            let mine = hall.seats.iter().filter(|((of, seat), _)| *of == number && seat.starts_with("room"));
            for ((_, seat), hand) in mine.filter(|_| hall.tells && school.people.has_row(n)) {
                let left = wanted.contains(seat.as_str()) || *hand == Hand::Theirs;
                prop_assert!(left, "{} still sits in {}", n, seat);
            }
        }
    }
    check_single(school)
}

/// Whom this world is about from its beginning, whatever happens: a person, and an account that nobody knows.
fn begin(school: &School) -> (u64, BTreeMap<(u64, String), Hand>) {
    school.enrol(99, &["room1/a"]);
    let number = school.seated.shelf().put(ACCOUNT, Record::new("".into()).with(LOGIN, "stranger"));
    let mut hall = school.seated.hall();
    for seat in ["room3/s", "hall1/s"] {
        hall.seat(number, seat, Hand::Manual);
    }
    drop(hall);
    school.mark_by_hand(99, "elsewhere", true);
    let hall = school.seated.hall();
    let theirs = hall.seats.iter().filter(|((of, _), _)| *of == number);
    (number, theirs.map(|(at, hand)| (at.clone(), *hand)).collect())
}

async fn live(school: &mut School, events: &[Event]) -> Result<(Past, Plan), TestCaseError> {
    let (stranger, theirs) = begin(school);
    let forgot = events.iter().any(|event| matches!(event, Event::Torn(_) | Event::LoseAnswers(2, _)));
    let mut past = Past { forgot, ..Past::default() };
    for event in events {
        people(school, event);
        hands(school, event, &mut past);
        moods(school, event);
        pass(school, event).await;
        check_single(school)?;
    }
    calm(school);
    for (toy, _) in toys(school) {
        toy.hall().calm();
        toy.shelf().refused.clear();
    }
    school.marked.moods().refused.clear();
    school.scope = Scope::default();
    // Of what was torn it is known from here on that it is in doubt.
    school.plan().await;
    wait(Duration::from_hours(25)).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(school.pass().await.told);
    }
    let last = school.plan().await;
    let left: Vec<_> = last.plan.changes.iter().map(|c| format!("{} {} {:?}", c.key, c.kind, c.edits)).collect();
    prop_assert!(left.is_empty(), "left: {:#?}\nafter {:#?}", left, told);
    for plan in last.plan.pipelines.values() {
        prop_assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
        prop_assert!(plan.unobserved.is_empty(), "{:?}", plan.unobserved);
        let is_here = |n: &u32| school.people.entry(*n).is_some() && plan.in_doubt.contains(&key(*n));
        prop_assert_eq!((1..=PEOPLE).find(is_here), None);
    }
    for (at, hand) in theirs {
        let now = school.seated.hall().seats.get(&at).copied();
        prop_assert_eq!(now, Some(hand));
    }
    prop_assert!(school.seated.rows()[&(ACCOUNT, stranger)].text(TITLE).is_none());
    prop_assert!(school.marks(99).contains(&"elsewhere".to_owned()));
    Ok((past, last.plan))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schools_converge(events in proptest::collection::vec(event(), 1..50), tells in any::<bool>()) {
        run(async move {
            let mut school = School::two();
            school.settings.surplus = OnSurplus::Disable;
            school.settings.guard.shrink.floor = 1000;
            school.seated.hall().tells = tells;
            let (past, last) = live(&mut school, &events).await?;
            check(&school, &past, &last)
        })?;
    }

    #[test]
    fn schools_calm_down_under_every_setting(
        events in proptest::collection::vec(event(), 1..50),
        tells in any::<bool>(),
        nameless in any::<bool>(),
        drift in prop_oneof![Just(OnDrift::Enforce), Just(OnDrift::Report), Just(OnDrift::Ignore)],
        first_meeting in prop_oneof![Just(FirstMeeting::Enforce), Just(FirstMeeting::Report)],
        surplus in prop_oneof![Just(OnSurplus::Disable), Just(OnSurplus::Report)],
        met in proptest::collection::btree_set(1..=PEOPLE, 0..4),
    ) {
        run(async move {
            let mut school = School::two();
            (school.settings.drift, school.settings.first_meeting, school.settings.surplus) = (drift, first_meeting, surplus);
            school.settings.guard.shrink.floor = 1000;
            school.seated.hall().tells = tells;
            if nameless {
                school.seated.hide_ids();
            }
            for n in met {
                let account = Record::new("".into()).with(LOGIN, login(n).as_str()).with(TITLE, "Old");
                let number = school.seated.shelf().put(ACCOUNT, account);
                school.seated.hall().seat(number, "room1/b", Hand::Manual);
                school.seated.hall().seat(number, "room2/a", Hand::Theirs);
            }
            live(&mut school, &events).await?;
            check_single(&school)
        })?;
    }
}

#[test]
fn what_is_made_once_more_is_ours_although_nobody_heard_of_it() {
    run(async move {
        let mut school = School::two();
        school.settings.guard.shrink.floor = 1000;
        let lost = [Event::Enrol(5, 0), Event::Pass, Event::RemoveByHand(5), Event::LoseAnswers(0, 0), Event::Pass];
        let torn = [Event::Retitle(5, 0), Event::Wait(40), Event::Torn(10)];
        let events: Vec<Event> = lost.into_iter().chain(torn).collect();
        let (past, last) = live(&mut school, &events).await.unwrap();
        check(&school, &past, &last).unwrap();
    });
}

#[test]
fn an_account_that_was_replaced_behind_its_name_is_met_anew() {
    run(async move {
        let mut school = School::two();
        school.settings.guard.shrink.floor = 1000;
        school.settings.first_meeting = FirstMeeting::Enforce;
        school.seated.hide_ids();
        let replaced = [Event::Enrol(1, 0), Event::Enrol(4, 113), Event::Pass, Event::RemoveByHand(4)];
        let lost = [Event::LoseAnswers(1, 0), Event::Narrow(4), Event::Call(4, 10)];
        let events: Vec<Event> = replaced.into_iter().chain(lost).collect();
        let (past, last) = live(&mut school, &events).await.unwrap();
        check(&school, &past, &last).unwrap();
    });
}
