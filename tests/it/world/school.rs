//! A desk with accounts, seats and marks.

use std::ops::{Deref, DerefMut};

use reconcile::model::pass::Fate;
use reconcile::model::person::directory as d;
use reconcile_state::{AttributeId, Edit, Standing, Value};

use super::desk::Desk;
use super::people::key;
use crate::toys::seated::{ACCOUNT, LOGIN};
use crate::toys::{Hand, Marked, Seated, marked, seated};

/// The number of the target ids of toy C.
pub const ID: AttributeId = AttributeId(11);
/// The same toy a second time, where there is one.
pub const SECOND: &str = "toy-second";
/// The number of its target ids.
pub const SECOND_ID: AttributeId = AttributeId(12);

/// The desk, toy C, and the marks of who is in there.
pub struct School {
    desk: Desk,
    /// Accounts and seats.
    pub seated: Seated,
    /// Marks.
    pub marked: Marked,
    /// The same as `seated` under another name, in scope only where it was asked for.
    pub second: Seated,
}

impl Deref for School {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl DerefMut for School {
    fn deref_mut(&mut self) -> &mut Desk {
        &mut self.desk
    }
}

fn login(n: u32) -> String {
    format!("user{n:03}")
}

impl School {
    /// Nobody there; three rooms and a hall.
    pub fn new() -> Self {
        Self::of(false)
    }

    /// With the second toy.
    pub fn two() -> Self {
        Self::of(true)
    }

    fn of(two: bool) -> Self {
        let mut desk = Desk::new();
        let (seated, second) = (Seated::new(seated::NAME, ID.0), Seated::new(SECOND, SECOND_ID.0));
        desk.pipelines.clear();
        // Few people are a great share of a small school.
        desk.settings.guard.shrink.floor = 30;
        desk.add(seated.clone());
        let mut marks = vec![(seated::NAME, seated.mark())];
        if two {
            desk.add(second.clone());
            marks.push((SECOND, second.mark()));
        }
        let marked = Marked::new(desk.people.clone(), &marks);
        desk.add(marked.clone());
        for toy in [&seated, &second] {
            toy.hall().open(&["room1", "room2", "room3", "hall1"]);
        }
        let school = Self { desk, seated, marked, second };
        school.watch();
        school
    }

    /// These people, each in `room1/a`, carried through once.
    pub async fn with(people: impl IntoIterator<Item = u32>) -> Self {
        let school = Self::new();
        people.into_iter().for_each(|n| school.enrol(n, &["room1/a"]));
        let first = school.pass().await;
        assert!(first.fates.iter().all(|fate| *fate == Fate::Landed), "{:#?}", first.told);
        school
    }

    /// Hires a person who is entitled to the toy and to these seats.
    pub fn enrol(&self, n: u32, seats: &[&str]) {
        self.people.hire(n);
        self.people.entitle(n, &[seated::NAME]);
        self.call_for(n, seats);
    }

    /// Entitles a person to exactly these seats.
    pub fn call_for(&self, n: u32, seats: &[&str]) {
        self.people.edit(n, d::AFFILIATIONS, Value::Set(seats.iter().map(|&seat| seat.to_owned()).collect()));
    }

    /// Where a person sits.
    pub fn seats(&self, n: u32) -> Vec<String> {
        self.seated.seats(&login(n))
    }

    /// Writes at all targets so far.
    pub fn writes(&self) -> u64 {
        let at = |toy: &Seated| toy.shelf().writes + toy.hall().writes;
        at(&self.seated) + at(&self.second) + self.marked.moods().writes
    }

    /// Somebody gives a person a seat.
    pub fn seat_by_hand(&self, n: u32, seat: &str, hand: Hand) {
        let number = self.number(n);
        self.seated.hall().seat(number, seat, hand);
    }

    /// Somebody takes a person's seat away.
    pub fn unseat_by_hand(&self, n: u32, seat: &str) {
        let number = self.number(n);
        assert!(self.seated.hall().unseat(number, seat), "{n} sat in {seat}");
    }

    /// The number of a person's account.
    pub fn number(&self, n: u32) -> u64 {
        self.seated.number(&login(n))
    }

    /// Closes or opens a person's account by hand.
    pub fn stand(&self, n: u32, standing: Standing) {
        self.seated.shelf().only(ACCOUNT, LOGIN, &login(n)).standing = standing;
    }

    /// The marks in a person's entry.
    pub fn marks(&self, n: u32) -> Vec<String> {
        let record = self.people.marks(&key(n)).unwrap();
        record.elements(marked::MARKS).map(str::to_owned).collect()
    }

    /// The target id in a person's entry.
    pub fn id(&self, n: u32) -> Option<String> {
        self.people.marks(&key(n)).unwrap().text(ID).map(str::to_owned)
    }

    /// Sets or takes a mark by hand.
    pub fn mark_by_hand(&self, n: u32, mark: &str, on: bool) {
        let (attribute, element) = (marked::MARKS, mark.to_owned());
        let edit = if on { Edit::Add { attribute, element } } else { Edit::Remove { attribute, element } };
        self.people.mark(&key(n), &[edit]);
    }

    /// From now on a mark that is set or taken while the target says otherwise is a failure of the test.
    fn watch(&self) {
        let (people, toys) = (self.people.clone(), [self.seated.clone(), self.second.clone()]);
        self.marked.moods().witness = Some(Box::new(move |who, edit| {
            let (Edit::Add { element, .. } | Edit::Remove { element, .. }) = edit else { return };
            let toy = toys.iter().find(|toy| toy.mark().entitlement == element).expect("a mark of ours");
            let number = (1..1000).find(|n| key(*n) == *who).unwrap();
            let shelf = toy.shelf();
            let at = shelf.with(ACCOUNT, LOGIN, &login(number));
            assert!(at.len() <= 1);
            let open = at.first().is_some_and(|at| shelf.rows[&(ACCOUNT, *at)].standing == Standing::Active);
            drop(shelf);
            let on = matches!(edit, Edit::Add { .. });
            assert_eq!(open, on, "the mark of {who}");
            if !on {
                return;
            }
            let hall = toy.hall();
            let held = hall.of(at[0]);
            let entry = people.entry(number).unwrap();
            let wanted = entry.elements(d::AFFILIATIONS).filter(|seat| seat.starts_with("room"));
            let there = |seat: &&str| hall.rooms.contains(seat.split('/').next().unwrap());
            // What was confirmed once and cannot be seen now is not held against a mark.
            for seat in wanted.filter(there).filter(|seat| !hall.is_hidden(at[0], seat)) {
                assert!(held.contains(&seat), "{who} is marked without {seat}");
            }
        }));
    }
}
