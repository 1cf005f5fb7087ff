//! Whatever happens and whatever goes wrong, in any order: three passes after it stopped nothing is left
//! to do, nobody has two records, and the targets are as the sources say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use reconcile::config::{FirstMeeting, OnDrift, OnSurplus};
use reconcile::model::person::directory as d;
use reconcile::model::{Pick, Scope};
use reconcile_state::{Intent, Key, Record, Standing, Value};

use crate::toys::{Answer, Listing, Toy, asked, listed};
use crate::world::{Desk, Fault, key, run, wait};

const PEOPLE: u32 = 6;

/// So many worlds in every run; more by PROPTEST_CASES.
pub(super) fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(32)
}

#[derive(Clone, Debug)]
enum Event {
    Hire(u32),
    Entitle(u32, bool, bool),
    Rename(u32, u8),
    Retitle(u32, u8),
    Regroup(u32, u8),
    Boss(u32, u32),
    Disable(u32, bool),
    LetGo(u32),
    EditByHand(u32, u8),
    CloseByHand(u32),
    RemoveByHand(u32, bool),
    /// Answers to writes are lost in the next pass: at A or B, and whether they land, or land late.
    LoseAnswers(bool, u8),
    /// The next write for this person is cut off.
    Cut(u32, bool, usize),
    /// Changes for this person are refused, at A or B, or no longer.
    Refuse(u32, bool, bool),
    /// The directory fails in the next pass.
    Source(Fault),
    /// A target cannot be reached in the next pass.
    Away(bool),
    /// The listing of A fails in the next pass.
    List(Listing),
    Wait(u64),
    Pass,
    Changed,
    Narrow(u32),
    Torn(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let who = || 1..=PEOPLE;
    prop_oneof![
        3 => who().prop_map(Event::Hire),
        3 => (who(), any::<bool>(), any::<bool>()).prop_map(|(n, a, b)| Event::Entitle(n, a, b)),
        1 => (who(), 0..3_u8).prop_map(|(n, x)| Event::Rename(n, x)),
        2 => (who(), 0..3_u8).prop_map(|(n, x)| Event::Retitle(n, x)),
        2 => (who(), 0..3_u8).prop_map(|(n, x)| Event::Regroup(n, x)),
        2 => (who(), who()).prop_map(|(n, boss)| Event::Boss(n, boss)),
        2 => (who(), any::<bool>()).prop_map(|(n, on)| Event::Disable(n, on)),
        2 => who().prop_map(Event::LetGo),
        2 => (who(), 0..3_u8).prop_map(|(n, x)| Event::EditByHand(n, x)),
        1 => who().prop_map(Event::CloseByHand),
        1 => (who(), any::<bool>()).prop_map(|(n, a)| Event::RemoveByHand(n, a)),
        1 => (any::<bool>(), 0..3_u8).prop_map(|(at, how)| Event::LoseAnswers(at, how)),
        1 => (who(), any::<bool>(), 1..4_usize).prop_map(|(n, at, edits)| Event::Cut(n, at, edits)),
        1 => (who(), any::<bool>(), any::<bool>()).prop_map(|(n, at, on)| Event::Refuse(n, at, on)),
        1 => prop_oneof![Just(Fault::Midway), Just(Fault::Incomplete), Just(Fault::HalfMissing), Just(Fault::Empty)]
            .prop_map(Event::Source),
        1 => any::<bool>().prop_map(Event::Away),
        1 => prop_oneof![Just(Listing::Half), Just(Listing::NoEnd), Just(Listing::Twice), Just(Listing::Broken)]
            .prop_map(Event::List),
        1 => prop_oneof![Just(5), Just(40), Just(700)].prop_map(Event::Wait),
        5 => Just(Event::Pass),
        2 => Just(Event::Changed),
        1 => who().prop_map(Event::Narrow),
        1 => (0..30_u64).prop_map(|some| Event::Torn(some * 10)),
    ]
}

/// Does what is told; gives whether a record was removed.
fn happen(desk: &Desk, event: &Event) -> bool {
    let by_hand = |n: u32, with: &dyn Fn(&mut Record)| {
        let mut shelf = desk.listed.shelf();
        let place = shelf.rows.iter().position(|(_, row)| owner(row) == format!("user{n:03}"));
        place.and_then(|place| shelf.rows.values_mut().nth(place)).map(with);
    };
    match *event {
        Event::Hire(n) => desk.people.hire(n),
        Event::Entitle(n, a, b) => {
            let systems = [("toy-listed", a), ("toy-asked", b)];
            desk.people.entitle(n, &systems.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>());
        }
        Event::Rename(n, x) => desk.people.edit(n, d::USERNAME, format!("user{n:03}-{x}").as_str()),
        Event::Retitle(n, x) => desk.people.edit(n, d::SURNAME, format!("Title{x}").as_str()),
        Event::Regroup(n, x) => desk.people.edit(n, d::AFFILIATIONS, Value::Set([format!("group{x}")].into())),
        Event::Boss(n, boss) => desk.people.edit(n, d::JOB_CODE, key(boss).as_str()),
        Event::Disable(n, on) => desk.people.edit(n, d::DISABLED, Value::Flag(on)),
        Event::LetGo(n) => desk.people.let_go(n),
        Event::EditByHand(n, x) => by_hand(n, &|row| {
            row.set(listed::TITLE, format!("by hand {x}").as_str().into());
            row.set(listed::GROUPS, Value::Set([format!("ours:group{x}"), "theirs:kept".to_owned()].into()));
        }),
        Event::CloseByHand(n) => by_hand(n, &|row| row.standing = Standing::Disabled),
        Event::RemoveByHand(n, at_listed) => {
            let mut shelf = toy(desk, at_listed).shelf();
            let rows = shelf.rows.len();
            shelf.rows.retain(|(kind, _), row| {
                let mine = owner(row) == format!("user{n:03}") || row.text(asked::CODE) == Some(&asked::code(&key(n)));
                *kind == asked::MEMBER || !mine
            });
            return shelf.rows.len() < rows;
        }
        Event::LoseAnswers(at_listed, how) => {
            let answers = [Answer::LostAndLanded, Answer::Lost, Answer::LandsAfter(Duration::from_secs(10))];
            toy(desk, at_listed).shelf().answer = Some(answers[usize::from(how)]);
        }
        Event::Cut(n, at_listed, edits) => drop(toy(desk, at_listed).shelf().cut.insert(key(n), edits)),
        Event::Refuse(n, at_listed, true) => drop(toy(desk, at_listed).shelf().refused.insert(key(n))),
        Event::Refuse(n, at_listed, false) => drop(toy(desk, at_listed).shelf().refused.remove(&key(n))),
        Event::Source(fault) => desk.people.fault(fault),
        Event::Away(at_listed) => toy(desk, at_listed).shelf().away = true,
        Event::List(listing) => desk.listed.shelf().listing = listing,
        Event::Wait(_) | Event::Pass | Event::Changed | Event::Narrow(_) | Event::Torn(_) => {}
    }
    false
}

fn toy(desk: &Desk, at_listed: bool) -> &Toy {
    if at_listed { &desk.listed } else { &desk.asked }
}

/// Runs what is a pass, and ends what was to go wrong in it.
async fn pass(desk: &mut Desk, event: &Event) {
    desk.scope = match event {
        Event::Changed => Scope { pick: Pick::Changed, limit: None },
        Event::Narrow(n) => Desk::only([*n]),
        _ => Scope::default(),
    };
    match event {
        Event::Wait(seconds) => return wait(Duration::from_secs(*seconds)).await,
        Event::Torn(millis) => desk.torn_pass(Duration::from_millis(*millis)).await,
        Event::Pass | Event::Changed | Event::Narrow(_) => drop(desk.pass().await),
        _ => return,
    }
    calm(desk);
}

fn calm(desk: &Desk) {
    desk.people.fault(Fault::None);
    desk.listed.shelf().listing = Listing::Whole;
    for at_listed in [true, false] {
        let mut shelf = toy(desk, at_listed).shelf();
        (shelf.answer, shelf.away) = (None, false);
    }
}

/// Whose account a record of A is: the user name, without what renaming adds to it.
fn owner(row: &Record) -> String {
    row.text(listed::LOGIN).unwrap_or_default().split('-').next().unwrap_or_default().to_owned()
}

/// Nobody has two records anywhere, at no time.
fn check_single(desk: &Desk) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    for ((kind, _), row) in desk.listed.rows().into_iter().chain(desk.asked.rows()) {
        let whose =
            if kind == listed::ACCOUNT { owner(&row) } else { row.text(asked::CODE).unwrap_or_default().into() };
        prop_assert!(seen.insert((kind, whose.clone())), "{kind} of {whose} twice");
    }
    Ok(())
}

fn is_doubted(desk: &Desk, pipeline: &str, n: u32) -> bool {
    desk.open_intents(pipeline).iter().any(|intent| intent.key == key(n))
}

/// What must be true of both targets, worked out without the engine.
fn check(desk: &Desk) -> Result<(), TestCaseError> {
    let accounts = desk.listed.rows();
    let mut owners: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for row in accounts.values() {
        owners.entry(owner(row)).or_default().push(row);
    }
    for n in 1..=PEOPLE {
        let rows = owners.get(&format!("user{n:03}")).map_or(&[][..], Vec::as_slice);
        prop_assert!(rows.len() <= 1, "{n} has {} accounts", rows.len());
        let entry = desk.people.entry(n);
        let open = entry.as_ref().is_some_and(|entry| {
            entry.elements(d::REQUESTED).any(|system| system == "toy-listed")
                && entry.get(d::DISABLED) != Some(&Value::Flag(true))
        });
        prop_assert!(rows.len() == 1 || !open, "{n} is entitled and has no account");
        let Some(row) = rows.first().filter(|_| !is_doubted(desk, listed::NAME, n)) else { continue };
        prop_assert_eq!(row.standing == Standing::Active, open, "{}", n);
        let Some(entry) = entry.filter(|_| open) else { continue };
        prop_assert_eq!(row.text(listed::TITLE), entry.text(d::SURNAME));
        prop_assert_eq!(row.text(listed::LOGIN), entry.text(d::USERNAME));
        let ours: Vec<&str> = row.elements(listed::GROUPS).filter_map(|e| e.strip_prefix("ours:")).collect();
        prop_assert_eq!(ours, entry.elements(d::AFFILIATIONS).collect::<Vec<_>>());
    }
    let asked = desk.asked.rows();
    for (n, kind) in (1..=PEOPLE).flat_map(|n| [(n, asked::MEMBER), (n, asked::CARD)]) {
        let code = asked::code(&key(n));
        let mine = |((k, _), row): &(&(&str, u64), &Record)| *k == kind && row.text(asked::CODE) == Some(&code);
        let row = asked.iter().find(mine).map(|(_, row)| row);
        let open = desk.people.entry(n).filter(|entry| {
            entry.elements(d::REQUESTED).any(|system| system == "toy-asked")
                && entry.get(d::DISABLED) != Some(&Value::Flag(true))
        });
        if is_doubted(desk, asked::NAME, n) {
            continue;
        }
        prop_assert_eq!(row.is_some_and(|row| row.standing == Standing::Active), open.is_some(), "{} {}", kind, n);
        if let (Some(row), Some(entry)) = (row, open) {
            prop_assert_eq!(row.text(asked::LABEL), entry.text(d::SURNAME));
        }
    }
    check_single(desk)
}

/// Lives through the events, lets everything calm down, and gives three passes their time: then nothing is
/// left to do, and nothing is unknown.
async fn live(desk: &mut Desk, events: &[Event]) -> Result<(), TestCaseError> {
    // Somebody always stays, so that the sources are never empty.
    desk.people.hire(99);
    let stranger = Record::new("".into()).with(listed::LOGIN, "stranger").with(listed::TITLE, "Theirs");
    let number = desk.listed.shelf().put(listed::ACCOUNT, stranger.clone());
    let mut removed = 0;
    for event in events {
        // A target that loses several records is doubted, and rightly so.
        if removed < 2 || !matches!(event, Event::RemoveByHand(..)) {
            removed += u32::from(happen(desk, event));
        }
        pass(desk, event).await;
        check_single(desk)?;
    }
    calm(desk);
    for at_listed in [true, false] {
        let mut shelf = toy(desk, at_listed).shelf();
        shelf.cut.clear();
        shelf.refused.clear();
    }
    desk.scope = Scope::default();
    // Of what was torn it is known from here on that it is in doubt.
    desk.plan().await;
    wait(Duration::from_hours(25)).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(desk.pass().await.told);
    }
    let last = desk.plan().await;
    let left: Vec<_> = last.plan.changes.iter().map(|c| format!("{} {} {:?}", c.key, c.kind, c.edits)).collect();
    prop_assert!(left.is_empty(), "left: {:#?}\nafter {:#?}", left, told);
    for (name, plan) in &last.plan.pipelines {
        prop_assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
        prop_assert!(plan.unobserved.is_empty(), "{:?}", plan);
        // Who went before it was known whether they had got a record is told in every pass.
        let told = |intent: &Intent| plan.in_doubt.contains(&intent.key);
        let all_told = desk.open_intents(name).iter().all(told);
        prop_assert!(all_told, "{:?}", plan.in_doubt);
        let is_here = |who: &Key| (1..=PEOPLE).any(|n| key(n) == *who && desk.people.entry(n).is_some());
        prop_assert!(!plan.in_doubt.iter().any(is_here), "{:?}", plan.in_doubt);
    }
    prop_assert_eq!(&desk.listed.rows()[&(listed::ACCOUNT, number)], &stranger);
    check_single(desk)
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.settings.surplus = OnSurplus::Disable;
    desk.settings.guard.shrink.floor = 1000;
    desk.listed.shelf().rewrites.insert(listed::MAIL);
    desk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn worlds_converge(events in proptest::collection::vec(event(), 1..40)) {
        run(async move {
            let mut desk = desk();
            live(&mut desk, &events).await?;
            check(&desk)
        })?;
    }

    #[test]
    fn worlds_calm_down_under_every_setting(
        events in proptest::collection::vec(event(), 1..40),
        drift in prop_oneof![Just(OnDrift::Enforce), Just(OnDrift::Report), Just(OnDrift::Ignore)],
        first_meeting in prop_oneof![Just(FirstMeeting::Enforce), Just(FirstMeeting::Report)],
        surplus in prop_oneof![Just(OnSurplus::Disable), Just(OnSurplus::Report)],
        met in proptest::collection::btree_set(1..=PEOPLE, 0..4),
    ) {
        run(async move {
            let mut desk = desk();
            (desk.settings.drift, desk.settings.first_meeting, desk.settings.surplus) = (drift, first_meeting, surplus);
            // A record met under a name that nobody bears any more is a stranger's.
            let events: Vec<Event> =
                events.into_iter().filter(|e| !matches!(e, Event::Rename(n, _) if met.contains(n))).collect();
            for n in met {
                let login = format!("user{n:03}");
                let account = Record::new("".into()).with(listed::LOGIN, login.as_str()).with(listed::TITLE, "Old");
                desk.listed.shelf().put(listed::ACCOUNT, account);
                let code = asked::code(&key(n));
                let card = Record::new("".into()).with(asked::CODE, code.as_str()).standing(Standing::Disabled);
                desk.asked.shelf().put(asked::CARD, card);
            }
            live(&mut desk, &events).await
        })?;
    }
}
