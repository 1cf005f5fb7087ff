//! Where toy C keeps its seats: rooms that come and go, seats by whose hand they were given, and moods.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::model::{Change, ChangeId, Effect, ErrorKind, Outcome, TargetError};
use reconcile::targets::port::Parts;
use reconcile_state::{Edit, Key};
use tokio::time::Instant;

use super::shelf::{Answer, Landed};

/// By whose hand somebody sits somewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hand {
    /// This program's.
    Ours,
    /// Somebody's, in the way in which this program does it.
    Manual,
    /// Somebody's, in a way of their own.
    Theirs,
}

/// What somebody else does while a write of seats is on its way.
pub type Meddle = Box<dyn FnOnce(&mut Hall) + Send>;

/// The rooms of a toy, and its moods.
#[derive(Default)]
pub struct Hall {
    /// Rooms that are there: `room...` may be ours, `hall...` never is.
    pub rooms: BTreeSet<String>,
    /// Who sits where: the number of the account and `room/chair`.
    pub seats: BTreeMap<(u64, String), Hand>,
    /// Whether readings tell by whose hand a seat was given.
    pub tells: bool,
    /// Rooms that cannot be read, nor written.
    pub unread: BTreeSet<String>,
    /// Nothing of seats can be read.
    pub away: bool,
    /// From so many readings of seats on nothing can be read.
    pub blind_after: Option<usize>,
    /// Readings never end.
    pub endless: bool,
    /// What was asked so far.
    pub asked: Vec<Parts>,
    /// Changes of these are refused, alone.
    pub refused: BTreeSet<Key>,
    /// A batch with one of these is refused as a whole.
    pub bad: BTreeSet<Key>,
    /// Of the next change of these only so many edits land.
    pub cut: BTreeMap<Key, usize>,
    /// The next change of these lands, although an error is answered.
    pub grumbles: BTreeSet<Key>,
    /// Accepted and not kept.
    pub drops: BTreeSet<String>,
    /// Accepted, and kept as something else.
    pub mistakes: BTreeMap<String, String>,
    /// Answers to writes are lost.
    pub answer: Option<Answer>,
    /// Runs as the next write arrives.
    pub meddle: Option<Meddle>,
    /// Requests so far.
    pub requests: u64,
    /// Seats given and taken so far.
    pub writes: u64,
    /// What this program ever put there.
    ours: BTreeSet<(u64, String)>,
    /// Who ever sat where.
    ever: BTreeSet<(u64, String)>,
    /// What landed, in order.
    pub landed: Vec<Landed>,
    late: Vec<(Instant, u64, ChangeId, Vec<Edit>)>,
}

/// The room of a seat.
pub fn room_of(seat: &str) -> &str {
    seat.split_once('/').map_or(seat, |(room, _)| room)
}

fn rejected() -> TargetError {
    TargetError::new(ErrorKind::Rejected, "TOY_NO_SEAT", "told to refuse")
}

impl Hall {
    /// Opens rooms.
    pub fn open(&mut self, rooms: &[&str]) {
        self.rooms.extend(rooms.iter().map(|&room| room.to_owned()));
    }

    /// Pulls a room down, with all seats in it.
    pub fn demolish(&mut self, room: &str) {
        self.rooms.remove(room);
        self.seats.retain(|(_, seat), _| room_of(seat) != room);
    }

    /// Somebody gives a seat, unless it is taken by the same person.
    pub fn seat(&mut self, number: u64, seat: &str, hand: Hand) {
        assert!(self.rooms.contains(room_of(seat)));
        self.ever.insert((number, seat.to_owned()));
        self.seats.entry((number, seat.to_owned())).or_insert(hand);
    }

    /// Whether nobody can see that a seat which was there once is there no more.
    pub fn is_hidden(&self, number: u64, seat: &str) -> bool {
        (self.endless || self.unread.contains(room_of(seat))) && self.ever.contains(&(number, seat.to_owned()))
    }

    /// Somebody takes a seat away; gives whether it was there.
    pub fn unseat(&mut self, number: u64, seat: &str) -> bool {
        self.seats.remove(&(number, seat.to_owned())).is_some()
    }

    /// The seats of an account.
    pub fn of(&self, number: u64) -> Vec<&str> {
        self.seats.keys().filter(|(n, _)| *n == number).map(|(_, seat)| seat.as_str()).collect()
    }

    /// Whether readings show a seat as one that is not ours to take.
    pub fn is_kept(&self, hand: Hand) -> bool {
        !self.tells || hand == Hand::Theirs
    }

    /// Ends every mood.
    pub fn calm(&mut self) {
        (self.away, self.endless, self.answer, self.blind_after) = (false, false, None, None);
        for moods in [&mut self.refused, &mut self.bad, &mut self.grumbles] {
            moods.clear();
        }
        self.unread.clear();
        self.cut.clear();
        self.drops.clear();
        self.mistakes.clear();
    }

    /// Does what is due by now.
    pub fn settle(&mut self) {
        let now = Instant::now();
        let (due, late): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(|(at, ..)| *at <= now);
        self.late = late;
        for (_, number, change, edits) in due {
            self.landed.push(Landed { change, edits: edits.clone() });
            for edit in edits {
                match edit {
                    // Who sits there by now stays, and without a room nobody sits.
                    Edit::Add { element, .. } => {
                        let free = !self.seats.contains_key(&(number, element.clone()));
                        if free && self.rooms.contains(room_of(&element)) {
                            self.put(number, element);
                        }
                    }
                    // What somebody gave in a way of their own meanwhile is not what was to be taken.
                    Edit::Remove { element, .. } => {
                        let at = (number, element);
                        if self.seats.get(&at) != Some(&Hand::Theirs) {
                            self.seats.remove(&at);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn put(&mut self, number: u64, seat: String) {
        self.ours.insert((number, seat.clone()));
        self.ever.insert((number, seat.clone()));
        self.seats.insert((number, seat), Hand::Ours);
        self.writes += 1;
    }

    fn land(&mut self, number: u64, edits: &[Edit]) {
        for edit in edits {
            let (Edit::Add { element, .. } | Edit::Remove { element, .. }) = edit else { panic!("a seat's {edit:?}") };
            let at = (number, element.clone());
            let room = room_of(element);
            assert!(room.starts_with("room"), "{element} is never ours");
            assert!(!self.unread.contains(room), "{element} was not read");
            if matches!(edit, Edit::Add { .. }) {
                assert!(self.rooms.contains(room), "{element}: there is no such room");
                assert!(!self.seats.contains_key(&at), "{at:?} is given twice");
                // What was accepted may turn up whenever it likes.
                self.ours.insert(at);
                if !self.drops.contains(element) {
                    let kept = self.mistakes.get(element).unwrap_or(element).clone();
                    self.put(number, kept);
                }
                continue;
            }
            let hand = self.seats.remove(&at);
            let theirs = hand.is_some_and(|hand| self.is_kept(hand) && !self.ours.contains(&at));
            assert!(!theirs, "{at:?} is taken from {hand:?}");
            self.writes += 1;
        }
    }

    /// Takes one change of the seats of an account that is there and open.
    pub fn take(&mut self, number: u64, change: &Change) -> Outcome {
        if self.refused.contains(&change.key) {
            return Outcome::failed(change, rejected());
        }
        let some = self.cut.remove(&change.key).unwrap_or(change.edits.len());
        let (now, never) = change.edits.split_at(some.min(change.edits.len()));
        self.land(number, now);
        self.landed.push(Landed { change: change.id, edits: now.to_vec() });
        let partial = || rejected().effect(Effect::Partial);
        if self.grumbles.remove(&change.key) {
            return Outcome::failed(change, partial());
        }
        Outcome {
            error: (!never.is_empty()).then(partial),
            failed: never.iter().map(|edit| (edit.clone(), partial())).collect(),
            landed: now.to_vec(),
            ..Outcome::landed(change, None)
        }
    }

    /// Takes a change whose answer is lost.
    pub fn lose(&mut self, number: u64, change: &Change, answer: Answer) {
        match answer {
            Answer::LostAndLanded => drop(self.take(number, change)),
            Answer::Lost => {}
            Answer::LandsAfter(delay) => {
                self.late.push((Instant::now() + delay, number, change.id, change.edits.clone()));
            }
        }
    }

    /// Why a batch with these is refused as a whole.
    pub fn refusal(&self, keys: &BTreeSet<&Key>) -> Option<TargetError> {
        self.bad.iter().any(|bad| keys.contains(bad)).then(rejected)
    }
}
