//! What goes wrong at sources and targets, and how it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use reconcile::model::person::directory as d;
use reconcile_state::Key;

use crate::college::College;
use crate::event::{At, Event, Lost, ROOMS, SEATS};
use crate::toys::{Answer, Listing, Shelf};
use crate::world::{Fault, key};

fn answer(how: Lost) -> Answer {
    match how {
        Lost::Landed => Answer::LostAndLanded,
        Lost::Never => Answer::Lost,
        Lost::After(seconds) => Answer::LandsAfter(Duration::from_secs(seconds)),
    }
}

fn note(set: &mut BTreeSet<Key>, n: u32, on: bool) {
    if on {
        set.insert(key(n));
    } else {
        set.remove(&key(n));
    }
}

/// Lets something go wrong from now on.
pub fn begin(college: &mut College, event: &Event) {
    let before = college.faulty;
    college.faulty = true;
    match *event {
        Event::LoseAnswers(At::Marks, _, how) => {
            college.forgot = true;
            college.school.marked.moods().answer = Some(answer(how));
        }
        Event::LoseAnswers(At::Seated, true, how) => college.school.seated.hall().answer = Some(answer(how)),
        Event::LoseAnswers(at, _, how) => shelf(college, at, |shelf| shelf.answer = Some(answer(how))),
        Event::Away(At::Marks) => college.school.marked.moods().away = true,
        Event::Away(at) => shelf(college, at, |shelf| shelf.away = true),
        Event::Slow(at, minutes) => shelf(college, at, |shelf| shelf.held = Duration::from_mins(minutes)),
        Event::List(at, how) => shelf(college, at, |shelf| shelf.listing = how),
        Event::Stale(at) => {
            shelf(college, at, |shelf| shelf.stale = Some(shelf.rows.clone()));
            // Marks follow what is shown.
            let witness = college.school.marked.moods().witness.take();
            college.witness = college.witness.take().or(witness);
        }
        Event::Mute(at) => shelf(college, at, |shelf| shelf.mute = true),
        Event::BadBatch(at, n) => shelf(college, at, |shelf| note(&mut shelf.bad, n, true)),
        Event::LaterOnce(at) => shelf(college, at, |shelf| shelf.later_once = true),
        Event::Unread(room) => note_room(college, ROOMS[room]),
        Event::Blind(0) => college.school.seated.hall().away = true,
        Event::Blind(1) => college.school.seated.hall().endless = true,
        Event::Blind(_) => {
            let mut hall = college.school.seated.hall();
            hall.blind_after = Some(hall.asked.len() + 1);
        }
        // Half of the people is a great part only where that is looked at, and nobody is missed before a pass over
        // everybody has acted.
        Event::Source(Fault::HalfMissing | Fault::Empty) if !is_measured(college) => {
            college.school.people.fault(Fault::Midway);
        }
        Event::Source(fault) => college.school.people.fault(fault),
        Event::HideEntitlements if is_measured(college) => college.school.people.hide(Some(d::REQUESTED)),
        Event::Refuse(At::Marks, n, on) => note(&mut college.school.marked.moods().refused, n, on),
        Event::Refuse(at, n, on) => shelf(college, at, |shelf| note(&mut shelf.refused, n, on)),
        Event::RefuseSeats(n, on) => note(&mut college.school.seated.hall().refused, n, on),
        Event::Cut(At::Seated, n, true, edits) => {
            let _ = college.school.seated.hall().cut.insert(key(n), edits);
        }
        // What was made has at least a name.
        Event::Cut(at, n, _, edits) => shelf(college, at, |shelf| {
            let _ = shelf.cut.insert(key(n), edits.max(1));
        }),
        Event::Grumble(n) => note(&mut college.school.seated.hall().grumbles, n, true),
        Event::Drop(seat) => drop(college.school.seated.hall().drops.insert(SEATS[seat].to_owned())),
        _ => college.faulty = before,
    }
}

/// Whether there is a reading of the directory that others are held against.
fn is_measured(college: &College) -> bool {
    college.setting.tight && college.figures().is_some()
}

fn shelf(college: &College, at: At, with: impl FnOnce(&mut Shelf)) {
    if let Some(toy) = college.toy(at) {
        with(&mut toy.shelf());
    }
}

fn note_room(college: &College, room: &str) {
    college.school.seated.hall().unread.insert(room.to_owned());
}

/// Ends what was to go wrong in one pass.
pub fn end(college: &mut College) {
    college.school.people.fault(Fault::None);
    college.school.people.hide(None);
    for (_, toy) in college.toys() {
        let mut shelf = toy.shelf();
        (shelf.answer, shelf.away, shelf.listing, shelf.stale) = (None, false, Listing::Whole, None);
        (shelf.held, shelf.mute, shelf.later_once) = (Duration::ZERO, false, false);
        shelf.bad.clear();
    }
    for toy in [&college.school.seated, &college.school.second] {
        let mut hall = toy.hall();
        (hall.answer, hall.away, hall.endless, hall.blind_after) = (None, false, false, None);
        hall.unread.clear();
        hall.bad.clear();
    }
    let mut moods = college.school.marked.moods();
    (moods.answer, moods.away) = (None, false);
    if let Some(witness) = college.witness.take() {
        moods.witness = Some(witness);
    }
}

/// Mends everything.
pub fn mend(college: &mut College) {
    end(college);
    for (_, toy) in college.toys() {
        let mut shelf = toy.shelf();
        shelf.refused.clear();
        shelf.cut.clear();
    }
    for toy in [&college.school.seated, &college.school.second] {
        toy.hall().calm();
    }
    college.school.marked.moods().refused.clear();
    college.faulty = false;
}
