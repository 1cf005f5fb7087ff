//! Whatever happens in a random order, three passes after it stopped nothing is left to do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use reconcile::config::OnSurplus;
use reconcile::model::person::directory as d;
use reconcile_state::{Record, Standing, Value};

use crate::toys::{asked, listed};
use crate::world::{Desk, key, run};

const PEOPLE: u32 = 6;

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
    Pass,
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
        4 => Just(Event::Pass),
    ]
}

/// Does what is told; gives whether a record was removed.
fn happen(desk: &Desk, event: &Event) -> bool {
    let by_hand = |n: u32, with: &dyn Fn(&mut Record)| {
        let mut shelf = desk.listed.shelf();
        let place = shelf.rows.iter().position(|(_, row)| row.text(listed::BORN_AS) == Some(&format!("eppn{n:03}")));
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
            let (toy, kind, id, text) = if at_listed {
                (&*desk.listed, listed::ACCOUNT, listed::BORN_AS, format!("eppn{n:03}"))
            } else {
                (&*desk.asked, asked::CARD, asked::CODE, asked::code(&key(n)))
            };
            let mut shelf = toy.shelf();
            let found = shelf.with(kind, id, &text);
            found.iter().for_each(|number| drop(shelf.rows.remove(&(kind, *number))));
            return !found.is_empty();
        }
        Event::Pass => {}
    }
    false
}

/// What must be true of both targets, worked out without the engine.
fn check(desk: &Desk) -> Result<(), TestCaseError> {
    let accounts = desk.listed.rows();
    let mut owners: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for row in accounts.values() {
        owners.entry(row.text(listed::BORN_AS).unwrap_or_default().to_owned()).or_default().push(row);
    }
    for n in 1..=PEOPLE {
        let rows = owners.get(&format!("eppn{n:03}")).map_or(&[][..], Vec::as_slice);
        prop_assert!(rows.len() <= 1, "{n} has {} accounts", rows.len());
        let entry = desk.people.entry(n);
        let open = entry.as_ref().is_some_and(|entry| {
            entry.elements(d::REQUESTED).any(|system| system == "toy-listed")
                && entry.get(d::DISABLED) != Some(&Value::Flag(true))
        });
        prop_assert!(rows.len() == 1 || !open, "{n} is entitled and has no account");
        let Some(row) = rows.first() else { continue };
        prop_assert_eq!(row.standing == Standing::Active, open, "{}", n);
        let Some(entry) = entry.filter(|_| open) else { continue };
        prop_assert_eq!(row.text(listed::TITLE), entry.text(d::SURNAME));
        prop_assert_eq!(row.text(listed::LOGIN), entry.text(d::USERNAME));
        let ours: Vec<&str> = row.elements(listed::GROUPS).filter_map(|e| e.strip_prefix("ours:")).collect();
        prop_assert_eq!(ours, entry.elements(d::AFFILIATIONS).collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn worlds_converge(events in proptest::collection::vec(event(), 1..40)) {
        run(async move {
            let mut desk = Desk::new();
            desk.settings.surplus = OnSurplus::Disable;
            desk.settings.guard.shrink.floor = 1000;
            desk.listed.shelf().rewrites.insert(listed::MAIL);
            // Somebody always stays, so that the sources are never empty.
            desk.people.hire(99);
            let mut removed = false;
            for event in &events {
                // A target that loses several records at once is doubted, and rightly so.
                let skip = removed && matches!(event, Event::RemoveByHand(..));
                if !skip {
                    removed |= happen(&desk, event);
                }
                if matches!(event, Event::Pass) {
                    desk.pass().await;
                    removed = false;
                }
            }
            let mut told = Vec::new();
            for _ in 0..3 {
                told.push(desk.pass().await.told);
            }
            let last = desk.plan().await;
            let left: Vec<_> = last.plan.changes.iter().map(|c| format!("{} {} {:?}", c.key, c.kind, c.edits)).collect();
            prop_assert!(left.is_empty(), "left: {:#?}\nafter {:#?}", left, told);
            for plan in last.plan.pipelines.values() {
                prop_assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
                prop_assert!(plan.unobserved.is_empty(), "{:?}", plan.unobserved);
            }
            check(&desk)
        })?;
    }
}
