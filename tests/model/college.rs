//! A college: sources, targets, memory, and what the test knows of what happened there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconcile::config::Limit;
use reconcile::engine::RULE_CODES;
use reconcile::model::ChangeId;
use reconcile::model::person::directory as d;
use reconcile_state::trust::{ShrinkLimit, SourceFigures};
use reconcile_state::{Key, Record, Standing, Value};

use crate::books::Books;
use crate::event::{At, Kind, PEOPLE, SEATS, STAFF, Setting};
use crate::ledger::Ledger;
use crate::toys::marked::Witness;
use crate::toys::seated::{ACCOUNT, LOGIN, TITLE};
use crate::toys::{Hand, Toy, asked, listed, room_of};
use crate::watch::Watch;
use crate::world::{School, key};

/// A record: its target, kind and number.
pub type Place = (At, &'static str, u64);

/// A plan that was kept.
pub struct Saved {
    /// When it was made.
    pub at: Timestamp,
    /// Its changes.
    pub changes: BTreeSet<ChangeId>,
}

/// Everything.
pub struct College {
    /// How it is set up.
    pub setting: Setting,
    /// Sources, targets, memory, time.
    pub school: School,
    /// What stands between the engine and the targets.
    pub watch: Watch,
    /// What was journalled, and what landed.
    pub books: Books,
    /// What was done without consent.
    pub ledger: Ledger,
    /// A plan that was kept.
    pub saved: Option<Saved>,
    /// Somebody else's records, as they must stay.
    pub foreign: BTreeMap<Place, Record>,
    /// Somebody else's seats, which must stay.
    pub theirs: BTreeSet<(u64, String)>,
    /// Listed accounts that somebody put into a group of theirs.
    pub grouped: BTreeSet<u64>,
    /// Records that somebody made beside one of ours.
    pub doubles: BTreeSet<Place>,
    /// People of whom there ever was another record: it may have taken the place of the one that is remembered, and then
    /// what differs is only listed.
    pub doubled: BTreeSet<u32>,
    /// People who bear somebody else's number.
    pub shared: BTreeSet<u32>,
    /// Whether somebody was read while entitlements were hidden, and not everybody since.
    pub misread: bool,
    /// How many records were removed by hand, by target.
    pub removed: BTreeMap<At, u32>,
    /// Marks that somebody set by hand.
    pub marked: BTreeSet<(u32, At)>,
    /// Whether it may be that nobody ever heard whether a first mark was set.
    pub forgot: bool,
    /// Whether anything is set to go wrong.
    pub faulty: bool,
    /// What happened so far, for another run to be held against.
    pub trace: Vec<String>,
    /// Set aside while a target shows what is not so.
    pub witness: Option<Witness>,
}

/// Whose record is meant by a name: without what renaming adds to it.
pub fn owner(row: &Record) -> String {
    row.text(LOGIN).unwrap_or_default().split(['-', '+']).next().unwrap_or_default().to_owned()
}

/// What a person's records are recognised by.
pub fn name(at: At, n: u32) -> String {
    if at == At::Asked { asked::code(&key(n)) } else { format!("user{n:03}") }
}

/// The number of a person, where nobody else bears it.
pub fn number(n: u32) -> String {
    format!("number{n:03}")
}

impl College {
    /// As it is before anything happens.
    pub fn new(setting: &Setting) -> Self {
        let mut school = School::two();
        if setting.kind == Kind::Office {
            school.pipelines = vec![listed::NAME, asked::NAME];
            school.listed.shelf().rewrites.insert(listed::MAIL);
            school.listed.recognise_by_number();
        }
        let settings = &mut school.settings;
        (settings.drift, settings.first_meeting, settings.surplus) =
            (setting.drift, setting.first_meeting, setting.surplus);
        if setting.strict {
            let few = |number| Limit { number: Some(number), percent: None };
            let guard = &mut settings.guard;
            guard.first_load = false;
            (guard.creates, guard.lost, guard.updates, guard.disables) = (few(2), few(1), few(3), few(1));
            (guard.renames, guard.additions, guard.removals) = (few(1), few(4), few(2));
        }
        settings.guard.shrink = ShrinkLimit { percent: 5, floor: if setting.tight { 1 } else { 1000 } };
        let mut college = Self {
            setting: setting.clone(),
            watch: Watch::default(),
            books: Books::default(),
            ledger: Ledger::default(),
            school,
            saved: None,
            foreign: BTreeMap::new(),
            theirs: BTreeSet::new(),
            grouped: BTreeSet::new(),
            doubles: BTreeSet::new(),
            doubled: BTreeSet::new(),
            shared: BTreeSet::new(),
            misread: false,
            removed: BTreeMap::new(),
            marked: BTreeSet::new(),
            forgot: false,
            faulty: false,
            trace: Vec::new(),
            witness: None,
        };
        college.begin();
        college
    }

    fn begin(&mut self) {
        for n in STAFF {
            self.hire(n);
        }
        for &at in self.setting.kind.targets() {
            self.stranger(at);
        }
        if self.setting.kind == Kind::School {
            self.school.seated.hall().tells = self.setting.tells;
            if self.setting.nameless {
                self.school.seated.hide_ids();
            }
            self.school.mark_by_hand(STAFF[0], "elsewhere", true);
        }
        for n in self.setting.met.clone() {
            self.met(n);
        }
    }

    /// Hires a person into everything.
    pub fn hire(&self, n: u32) {
        self.school.people.hire(n);
        let systems = self.setting.kind.targets().iter().filter(|at| **at != At::Marks);
        self.school.people.entitle(n, &systems.map(|at| at.pipeline()).collect::<Vec<_>>());
        self.school.call_for(n, &["one", "room1/a"]);
    }

    fn met(&self, n: u32) {
        match self.setting.kind {
            Kind::Office => {
                let account = Record::new("".into()).with(listed::LOGIN, name(At::Listed, n).as_str());
                let account = account.with(listed::NUMBER, number(n).as_str());
                self.school.listed.shelf().put(listed::ACCOUNT, account.with(listed::TITLE, "Old"));
                let card = Record::new("".into()).with(asked::CODE, name(At::Asked, n).as_str());
                self.school.asked.shelf().put(asked::CARD, card.standing(Standing::Disabled));
            }
            Kind::School => {
                let account = Record::new("".into()).with(LOGIN, name(At::Seated, n).as_str()).with(TITLE, "Old");
                let number = self.school.seated.shelf().put(ACCOUNT, account);
                self.school.seated.hall().seat(number, "room1/b", Hand::Manual);
                self.school.seated.hall().seat(number, "room2/a", Hand::Theirs);
            }
        }
    }

    /// Somebody else's record, and where they sit.
    pub fn stranger(&mut self, at: At) {
        let Some(toy) = self.toy(at) else { return };
        let kind = kinds(at)[0];
        let who = format!("stranger{}", self.foreign.len());
        let mut shelf = toy.shelf();
        let row = Record::new("".into()).with(LOGIN, who.as_str()).with(TITLE, "Theirs");
        let number = shelf.put(kind, row.clone());
        drop(shelf);
        self.foreign.insert((at, kind, number), row);
        if at == At::Seated {
            let seats = ["room1/s", "hall1/s"].map(str::to_owned);
            let mut hall = self.school.seated.hall();
            for seat in seats {
                if hall.rooms.contains(room_of(&seat)) {
                    hall.seat(number, &seat, Hand::Manual);
                    self.theirs.insert((number, seat));
                }
            }
        }
    }

    /// Where a target keeps its records.
    pub fn toy(&self, at: At) -> Option<&Toy> {
        if !self.setting.kind.targets().contains(&at) {
            return None;
        }
        match at {
            At::Listed => Some(&self.school.listed),
            At::Asked => Some(&self.school.asked),
            At::Seated => Some(&self.school.seated),
            At::Second => Some(&self.school.second),
            At::Marks => None,
        }
    }

    /// The targets with records of their own.
    pub fn toys(&self) -> Vec<(At, &Toy)> {
        self.setting.kind.targets().iter().filter_map(|at| Some((*at, self.toy(*at)?))).collect()
    }

    /// The numbers of a person's records of the first kind of a target.
    pub fn numbers(&self, at: At, n: u32) -> Vec<u64> {
        let Some(toy) = self.toy(at) else { return Vec::new() };
        let (kind, name) = (*kinds(at).last().unwrap(), name(at, n));
        let is_mine = |row: &Record| if at == At::Asked { row.text(LOGIN) == Some(&name) } else { owner(row) == name };
        let shelf = toy.shelf();
        let mine = shelf.rows.iter().filter(|((k, _), row)| *k == kind && is_mine(row));
        mine.map(|((_, number), _)| *number).collect()
    }

    /// The first of them.
    pub fn number(&self, at: At, n: u32) -> Option<u64> {
        self.numbers(at, n).first().copied()
    }

    /// Whether a person is entitled to a target, and enabled.
    pub fn is_entitled(&self, at: At, n: u32) -> bool {
        self.school.people.entry(n).is_some_and(|entry| {
            entry.elements(d::REQUESTED).any(|system| system == at.pipeline())
                && entry.get(d::DISABLED) != Some(&Value::Flag(true))
        })
    }

    /// The last trusted figures of the directory that a pass over everybody acted on.
    pub fn figures(&self) -> Option<SourceFigures> {
        self.school.store.sources().unwrap().meta("figures Portal LDAP").unwrap()
    }

    /// Everybody who may be in the sources.
    pub fn everybody() -> impl Iterator<Item = u32> {
        (1..=PEOPLE).chain(STAFF)
    }

    /// Seats of these bits, and groups.
    pub fn chosen(bits: u8) -> Vec<&'static str> {
        let all = SEATS.into_iter().chain(["one", "two", "three"]).enumerate();
        all.filter(|(at, _)| bits & (1 << at) != 0).map(|(_, text)| text).collect()
    }

    /// Every rule that an operator may pass.
    pub fn consent() -> BTreeSet<String> {
        RULE_CODES.into_iter().map(str::to_owned).collect()
    }

    /// Every rule and every doubt, where an operator knows that all is as it should be.
    pub fn trust() -> BTreeSet<String> {
        let doubts = ["source-shrunk", "attribute-shrunk", "attribute-vanished"].map(str::to_owned);
        Self::consent().into_iter().chain(doubts).collect()
    }

    /// Every record, seat and mark, as it is now.
    pub fn everything(&self) -> String {
        let rows: Vec<_> = self.toys().into_iter().map(|(at, toy)| (at, toy.rows())).collect();
        let seats = [&self.school.seated, &self.school.second].map(|toy| {
            let mut hall = toy.hall();
            hall.settle();
            hall.seats.clone()
        });
        self.school.marked.settle();
        let marks: Vec<_> = self.school.people.keys().iter().map(|key| self.school.people.marks(key)).collect();
        format!("{rows:?} {seats:?} {marks:?}")
    }

    /// Whose key this is.
    pub fn person(key: &Key) -> Option<u32> {
        Self::everybody().find(|n| crate::world::key(*n) == *key)
    }
}

/// The kinds of a target, the one that stands by itself last.
pub fn kinds(at: At) -> &'static [&'static str] {
    match at {
        At::Listed => &[listed::ACCOUNT],
        At::Asked => &[asked::MEMBER, asked::CARD],
        At::Seated | At::Second => &[ACCOUNT],
        At::Marks => &[],
    }
}
