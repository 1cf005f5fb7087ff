//! Toy C: accounts that can be listed, and the seats that are parts of them. Many people share one request.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use reconcile::model::person::directory as d;
use reconcile::model::{
    Batch, Call, Change, Desired, Effect, ErrorKind, Mark, Match, Outcome, Person, Ready, TargetError,
};
use reconcile::policy::selected_username;
use reconcile::targets::port::{
    Ask, Definition, End, Identity, Lookup, Observer, OpenError, Page, Parts, Project, Reader, Seen, Subject,
    Surroundings, Target, Terms, Writer,
};
use reconcile_state::{Attribute, AttributeId, Ownership, Record, Remote, Role, Schema, Standing, Value};

use super::hall::{Hall, room_of};
use super::listed::{COUNTERS, call};
use super::shelf::Toy;

/// The pipeline.
pub const NAME: &str = "toy-seated";
/// The whole.
pub const ACCOUNT: &str = "account";
/// Its part.
pub const SEATS: &str = "seats";
/// The user name, by which an account is recognised.
pub const LOGIN: AttributeId = AttributeId(1);
/// Managed text: the surname.
pub const TITLE: AttributeId = AttributeId(2);
/// On seats: `room/chair`.
pub const CHAIRS: AttributeId = AttributeId(3);
/// What is ours, in the reader's words.
const OURS: &str = "rooms";
const REQUEST: &str = "seats";

/// The toy and its line in the registry.
#[derive(Clone)]
pub struct Seated {
    name: &'static str,
    number: u16,
    toy: Toy,
    hall: Arc<Mutex<Hall>>,
    nameless: Arc<Mutex<bool>>,
}

impl Seated {
    /// An empty one under this name, whose mark has this number.
    pub fn new(name: &'static str, number: u16) -> Self {
        let toy = Toy::new(name, |_, record| vec![("login", record.text(LOGIN).unwrap_or_default().to_owned())], 8);
        let mut hall = Hall::default();
        hall.tells = true;
        Self { name, number, toy, hall: Arc::new(Mutex::new(hall)), nameless: Arc::default() }
    }

    /// The rooms, to look at or to meddle with.
    pub fn hall(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap()
    }

    /// From now on listings show accounts by name, and only look-ups show their ids.
    pub fn hide_ids(&self) {
        *self.nameless.lock().unwrap() = true;
    }

    /// The number of the only account with this user name.
    pub fn number(&self, login: &str) -> u64 {
        let found = self.shelf().with(ACCOUNT, LOGIN, login);
        assert_eq!(found.len(), 1, "{login}");
        found[0]
    }

    /// Where somebody with this user name sits.
    pub fn seats(&self, login: &str) -> Vec<String> {
        let number = self.number(login);
        let mut hall = self.hall();
        hall.settle();
        hall.of(number).into_iter().map(str::to_owned).collect()
    }

    /// The mark of who is in.
    pub fn mark(&self) -> Mark {
        Mark { entitlement: self.name, kind: ACCOUNT, number: self.number }
    }

    fn find(&self, remote: &Remote) -> Option<u64> {
        let by_name = || {
            let found = self.shelf().with(ACCOUNT, LOGIN, remote.handle.as_deref()?);
            (found.len() == 1).then(|| found[0])
        };
        remote.id.as_deref().and_then(|id| id.parse().ok()).or_else(by_name)
    }

    /// The account as this reading shows it.
    fn shown(&self, mut seen: Seen, listing: bool) -> Seen {
        if *self.nameless.lock().unwrap() {
            seen.remote.handle = seen.record.text(LOGIN).map(str::to_owned);
            if listing {
                seen.remote.id = None;
            }
        }
        seen
    }

    fn parts(&self, asked: &Parts) -> Vec<Result<Page, TargetError>> {
        assert_eq!(asked.within, [OURS], "asked for what is not ours");
        let nameless = *self.nameless.lock().unwrap();
        let wholes: BTreeMap<u64, Remote> = asked
            .wholes
            .iter()
            .filter_map(|(_, remote)| {
                let number = self.find(remote)?;
                let by_name = nameless && remote.handle.is_some();
                let id = (!by_name).then(|| number.to_string());
                Some((number, Remote { id, handle: remote.handle.clone().filter(|_| by_name) }))
            })
            .collect();
        let mut hall = self.hall();
        hall.settle();
        hall.asked.push(asked.clone());
        if hall.away || hall.blind_after.is_some_and(|most| hall.asked.len() > most) {
            return vec![Err(unread())];
        }
        let mut pages = Vec::new();
        for room in
            hall.rooms.iter().filter(|room| hall.tells || asked.scopes.as_ref().is_none_or(|s| s.contains(*room)))
        {
            let mut page = Page { silent: !hall.tells, ..Page::default() };
            for ((number, seat), hand) in hall.seats.iter().filter(|((_, seat), _)| room_of(seat) == room) {
                let Some(remote) = wholes.get(number).filter(|_| room.starts_with("room")) else {
                    page.strangers += u64::from(asked.all);
                    continue;
                };
                let record = Record::new("".into()).with(CHAIRS, Value::Set([seat.clone()].into()));
                let kept = if hall.is_kept(*hand) { [(CHAIRS, seat.clone())].into() } else { BTreeSet::new() };
                page.seen.push(Seen { remote: remote.clone(), record, matches: Vec::new(), foreign: None, kept });
            }
            if room.starts_with("room") {
                if hall.unread.contains(room) {
                    // Some of it was shown before it failed.
                    page.seen.truncate(page.seen.len() / 2);
                    page.unread.insert(room.clone());
                } else {
                    page.read.insert(room.clone());
                }
            }
            pages.push(Ok(page));
        }
        if hall.rooms.iter().any(|room| hall.unread.contains(room)) {
            pages.push(Err(unread()));
        } else if !hall.endless {
            pages.push(Ok(Page { end: Some(End { total: None }), ..Page::default() }));
        }
        pages
    }

    fn take(&self, batch: &Batch) -> Vec<Outcome> {
        if let Some(meddle) = { self.hall().meddle.take() } {
            meddle(&mut self.hall());
        }
        let numbers: Vec<Option<u64>> = batch.changes.iter().map(|ready| self.open_account(&ready.change)).collect();
        let mut hall = self.hall();
        hall.settle();
        hall.requests += 1;
        let whole = |error: &TargetError| {
            batch.changes.iter().map(|ready| Outcome::failed(&ready.change, error.clone())).collect::<Vec<_>>()
        };
        if let Some(error) = hall.refusal(&batch.changes.iter().map(|ready| &ready.change.key).collect()) {
            return whole(&error);
        }
        let changes = batch.changes.iter().zip(numbers);
        if let Some(answer) = hall.answer {
            for (ready, number) in changes {
                number.iter().for_each(|number| hall.lose(*number, &ready.change, answer));
            }
            let lost = TargetError::new(ErrorKind::Connect, "TOY_TIMEOUT", "no answer").later(None);
            return whole(&lost.effect(Effect::Unknown));
        }
        let gone = || TargetError::new(ErrorKind::NotFound, "TOY_NOT_FOUND", "no such account");
        changes
            .map(|(ready, number)| match number {
                Some(number) => hall.take(number, &ready.change),
                None => Outcome::failed(&ready.change, gone()),
            })
            .collect()
    }

    /// The account whose seats are to change; nobody sits down under a closed one.
    fn open_account(&self, change: &Change) -> Option<u64> {
        let number = self.find(change.remote.as_ref().expect("seats of nobody"))?;
        let standing = self.shelf().rows.get(&(ACCOUNT, number))?.standing;
        assert_eq!(standing, Standing::Active, "seats of the closed account of {}", change.key);
        Some(number)
    }
}

fn unread() -> TargetError {
    TargetError::new(ErrorKind::Unavailable, "TOY_ROOM_UNREAD", "told not to show").later(None)
}

impl Deref for Seated {
    type Target = Toy;

    fn deref(&self) -> &Toy {
        &self.toy
    }
}

impl Reader for Seated {
    async fn identity(&self) -> Result<Identity, TargetError> {
        Reader::identity(&self.toy).await
    }

    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        let (ask, listing) = match ask {
            Ask::Parts(parts) => return stream::iter(self.parts(&parts)).boxed(),
            Ask::All => (Ask::All, true),
            Ask::These(mut anchors) => {
                for anchor in &mut anchors {
                    let known = anchor.remembered.as_ref().filter(|known| known.id.is_none());
                    if let Some(login) = known.and_then(|known| known.handle.clone()) {
                        anchor.matches.push(Match { field: "login", value: login, only_unique: false });
                    }
                }
                (Ask::These(anchors), false)
            }
        };
        let pages = Reader::observe(&self.toy, kind, ask);
        let shown = move |page: Page| Page {
            seen: page.seen.into_iter().map(|seen| self.shown(seen, listing)).collect(),
            ..page
        };
        pages.map(move |page| page.map(&shown)).boxed()
    }
}

impl Writer for Seated {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        let (seats, mut accounts): (Vec<Ready>, Vec<Ready>) =
            ready.into_iter().partition(|ready| ready.change.kind == SEATS);
        for ready in &mut accounts {
            if let Some(remote) = ready.change.remote.as_mut().filter(|remote| remote.id.is_none()) {
                remote.id = self.find(remote).map(|number| number.to_string());
            }
        }
        let seats = seats.chunks(8).map(|some| Batch { request: REQUEST, changes: some.to_vec() });
        seats.chain(Writer::batches(&self.toy, accounts)).collect()
    }

    async fn write(&self, batch: &Batch) -> Vec<Outcome> {
        if batch.request != REQUEST {
            return Writer::write(&self.toy, batch).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let outcomes = self.take(batch);
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcomes
    }
}

struct Policy {
    name: &'static str,
    kinds: Vec<Schema>,
}

fn account(person: &Person) -> Record {
    Record::new(person.key().clone())
        .with(LOGIN, selected_username(person).unwrap_or_default())
        .with(TITLE, person.text(d::SURNAME).unwrap_or_default())
}

fn seats(person: &Person) -> Record {
    let chairs = person.set(d::AFFILIATIONS).into_iter().filter(|text| text.contains('/')).map(str::to_owned);
    Record::new(person.key().clone()).with(CHAIRS, Value::Set(chairs.collect()))
}

impl Project for Policy {
    fn kinds(&self) -> &[Schema] {
        &self.kinds
    }

    fn desired(&self, subject: Subject<'_>, _look: &dyn Lookup, _at: Timestamp) -> Vec<Desired> {
        let Subject::Person(person) = subject;
        let login = selected_username(person).unwrap_or_default().to_owned();
        let asked = person.set(d::AFFILIATIONS).into_iter().filter(|text| text.contains('?'));
        let left_out: BTreeMap<String, u64> = asked.map(|text| (text.to_owned(), 1)).collect();
        let one = |kind, call, matches| Desired {
            kind,
            key: person.key().clone(),
            call,
            matches,
            scopes: None,
            unasked: BTreeSet::new(),
            left_out: if kind == SEATS { left_out.clone() } else { BTreeMap::new() },
            valid_until: None,
        };
        let named = Match { field: "login", value: login, only_unique: false };
        let part = match call(person, self.name, seats) {
            Call::Disabled(_, reason) => Call::Untouched(reason),
            other => other,
        };
        vec![
            one(ACCOUNT, call(person, self.name, account), Vec::from_iter(Some(named).filter(|m| !m.value.is_empty()))),
            one(SEATS, part, Vec::new()),
        ]
    }

    fn scope_of<'e>(&self, kind: &str, _attribute: AttributeId, element: &'e str) -> Option<&'e str> {
        Some(room_of(element)).filter(|room| kind == SEATS && room.starts_with("room"))
    }

    fn within(&self, kind: &str, _look: &dyn Lookup, _at: Timestamp) -> Vec<String> {
        assert_eq!(kind, SEATS, "only parts are asked for so");
        vec![OURS.to_owned()]
    }

    fn tables(&self, kind: &str) -> Option<&[&'static str]> {
        Some(if kind == SEATS { &["mv_enrolment"] } else { &["mv_person"] })
    }
}

impl Definition for Seated {
    fn name(&self) -> &'static str {
        self.name
    }

    fn configuration(&self) -> &'static str {
        "[toy-seated]\n"
    }

    fn mark(&self) -> Option<Mark> {
        Some(Seated::mark(self))
    }

    fn open(&self, _section: toml::Table, _around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let login = Attribute::text(LOGIN.0, "login").role(Role::Name);
        let accounts = Schema::new(self.name, ACCOUNT, 0, [login, Attribute::text(TITLE.0, "title")]).unwrap();
        let chairs = Attribute::set(CHAIRS.0, "chairs").owned(Ownership::ScopedSet);
        let seats = Schema::new(self.name, SEATS, 1, [chairs]).unwrap().part_of(ACCOUNT);
        let observer = Observer {
            name: self.name,
            project: Arc::new(Policy { name: self.name, kinds: vec![accounts, seats] }),
            reader: Arc::new(self.clone()),
            terms: Terms {
                settle_after: Duration::from_secs(30),
                reread_after: Duration::from_mins(5),
                concurrency: 2,
                listable: true,
                chunk: 5,
                known: None,
                counters: COUNTERS,
                mark: Some(Seated::mark(self)),
                marked_in: None,
                follows: false,
            },
        };
        Ok(Target { observer, writer: Arc::new(self.clone()) })
    }
}
