//! What people do: in the sources, and by hand at the targets.

use reconcile::model::person::directory as d;
use reconcile_state::{Edit, Record, Standing, Value};

use crate::college::{College, kinds, name, number};
use crate::event::{At, Event, Kind, ROOMS, SEATS};
use crate::toys::listed::{GROUPS, NUMBER, TITLE};
use crate::toys::seated::LOGIN;
use crate::toys::{Hand, asked, marked, room_of};
use crate::world::{ID, key};

/// Does what the sources are told.
pub fn sources(college: &College, event: &Event) {
    let people = &college.school.people;
    match *event {
        Event::Hire(n) => college.hire(n),
        Event::Entitle(n, bits) => {
            let targets = college.setting.kind.targets().iter().enumerate();
            let chosen = targets.filter(|(at, target)| bits & (1 << at) != 0 && **target != At::Marks);
            people.entitle(n, &chosen.map(|(_, at)| at.pipeline()).collect::<Vec<_>>());
        }
        Event::Call(n, bits) => college.school.call_for(n, &College::chosen(bits)),
        Event::Retitle(n, x) => people.edit(n, d::SURNAME, format!("Title{x}").as_str()),
        // A record that was met under a name that nobody bears any more is a stranger's, and names are what seats
        // are watched by.
        Event::Rename(n, x) if college.setting.kind == Kind::Office && !college.setting.met.contains(&n) => {
            people.edit(n, d::USERNAME, format!("user{n:03}-{x}").as_str());
        }
        // So that there is something to hesitate about.
        Event::Hesitate(_, n) => people.edit(n, d::SURNAME, format!("Late{}", people.stamp()).as_str()),
        Event::Boss(n, boss) => people.edit(n, d::JOB_CODE, key(boss).as_str()),
        Event::Disable(n, on) => people.edit(n, d::DISABLED, Value::Flag(on)),
        Event::Gone(n) => people.let_go(n),
        Event::DropRow(n) => people.drop_row(n),
        _ => {}
    }
}

/// Does what somebody does at a target.
pub fn targets(college: &mut College, event: &Event) {
    match *event {
        Event::Share(n, other) if college.setting.kind == Kind::Office && n != other => share(college, n, other),
        Event::EditByHand(at, n, x) => {
            edit(college, at, n, |row| {
                row.set(if at == At::Asked { asked::LABEL } else { TITLE }, format!("by hand {x}").as_str().into());
                if at == At::Listed {
                    row.set(GROUPS, Value::Set([format!("ours:group{x}"), "theirs:kept".to_owned()].into()));
                }
            });
            college.grouped.extend(college.number(At::Listed, n).filter(|_| at == At::Listed));
        }
        Event::CloseByHand(at, n) => edit(college, at, n, |row| row.standing = Standing::Disabled),
        // One that is not remembered yet would be nobody's under another name.
        Event::RenameByHand(n) if is_remembered(college, At::Listed, n) => edit(college, At::Listed, n, |row| {
            row.set(LOGIN, format!("user{n:03}-hand").as_str().into());
        }),
        // A target that loses several records is doubted, and rightly so.
        Event::RemoveByHand(at, n) if college.removed.get(&at).is_none_or(|removed| *removed < 2) => {
            remove(college, at, n);
        }
        Event::DoubleByHand(at, n) => double(college, at, n),
        Event::ReplaceByHand(at, n)
            if college.removed.get(&at).is_none_or(|removed| *removed < 2) && college.numbers(at, n).len() == 1 =>
        {
            remove(college, at, n);
            put_another(college, at, n);
        }
        Event::Stranger(at) => college.stranger(at),
        Event::Room(room, true) => college.school.seated.hall().open(&[ROOMS[room]]),
        Event::Room(room, false) => {
            college.school.seated.hall().demolish(ROOMS[room]);
            college.theirs.retain(|(_, seat)| room_of(seat) != ROOMS[room]);
        }
        Event::SeatByHand(n, seat, ours) => seat_by_hand(college, n, SEATS[seat], ours),
        Event::UnseatByHand(n, seat) => {
            if let Some(number) = college.number(At::Seated, n) {
                college.school.seated.hall().unseat(number, SEATS[seat]);
                college.theirs.remove(&(number, SEATS[seat].to_owned()));
            }
        }
        Event::MarkByHand(n, at, on) if college.setting.kind == Kind::School => {
            let held = college.school.people.marks(&key(n)).map(|_| college.school.marks(n));
            if held.is_some_and(|held| held.iter().any(|mark| mark == at.pipeline()) != on) {
                college.school.mark_by_hand(n, at.pipeline(), on);
                college.marked.insert((n, at));
            }
        }
        Event::IdByHand(n) if college.setting.kind == Kind::School => {
            // One that differs when it is met for the first time is left.
            let met = college.school.claimed(marked::NAME, marked::KIND).contains(&key(n));
            let has_id = college.school.people.marks(&key(n)).is_some_and(|marks| marks.text(ID).is_some());
            if met && has_id {
                college.school.people.mark(&key(n), &[Edit::Set { attribute: ID, from: None, to: "by hand".into() }]);
            }
        }
        _ => {}
    }
}

/// Edits the record of a person that stands by itself.
pub fn edit(college: &College, at: At, n: u32, with: impl FnOnce(&mut Record)) {
    if let (Some(toy), Some(number)) = (college.toy(at), college.number(at, n)) {
        with(toy.shelf().rows.get_mut(&(*kinds(at).last().unwrap(), number)).unwrap());
    }
}

/// The number of the record that is remembered of a person.
fn remembered(college: &College, at: At, n: u32) -> Option<u64> {
    let store = college.school.store.pipeline(at.pipeline()).unwrap();
    let claim = store.claim_of(kinds(at).last().unwrap(), &key(n)).unwrap()?;
    claim.remote.id.as_deref()?.parse().ok()
}

fn is_remembered(college: &College, at: At, n: u32) -> bool {
    college.number(at, n).is_some_and(|number| remembered(college, at, n) == Some(number))
}

fn remove(college: &mut College, at: At, n: u32) {
    let Some(number) = college.number(at, n) else { return };
    let kind = *kinds(at).last().unwrap();
    college.toy(at).unwrap().shelf().rows.remove(&(kind, number));
    if at == At::Seated {
        college.school.seated.hall().seats.retain(|(of, _), _| *of != number);
        college.theirs.retain(|(of, _)| *of != number);
    }
    if at == At::Second {
        college.school.second.hall().seats.retain(|(of, _), _| *of != number);
    }
    college.doubles.remove(&(at, kind, number));
    *college.removed.entry(at).or_default() += 1;
}

/// Two people bear one number. What becomes of records of theirs that nobody remembers yet is not foreseen, but that no
/// one's is taken for the other's.
fn share(college: &mut College, n: u32, other: u32) {
    let people = &college.school.people;
    let number = people.entry(other).and_then(|entry| entry.text(d::STUDENT_NUMBER).map(str::to_owned));
    if let (Some(number), Some(_)) = (number, people.entry(n)) {
        people.edit(n, d::STUDENT_NUMBER, number.as_str());
        college.shared.insert(n);
        college.doubled.extend([n, other]);
    }
}

/// Everybody has a number of their own again, and so have their accounts.
pub fn settle_numbers(college: &mut College) {
    for n in std::mem::take(&mut college.shared) {
        let own = number(n);
        college.school.people.edit(n, d::STUDENT_NUMBER, own.as_str());
        edit(college, At::Listed, n, |row| row.set(NUMBER, own.as_str().into()));
    }
}

/// Makes another record by which the same person may be meant.
fn double(college: &mut College, at: At, n: u32) {
    if college.numbers(at, n).len() != 1 {
        return;
    }
    let (kind, number) = put_another(college, at, n);
    college.doubles.insert((at, kind, number));
}

fn put_another(college: &mut College, at: At, n: u32) -> (&'static str, u64) {
    let (attribute, kind) = (LOGIN, *kinds(at).last().unwrap());
    let row = Record::new("".into()).with(attribute, name(at, n).as_str());
    let number = college.toy(at).unwrap().shelf().put(kind, row);
    college.doubled.insert(n);
    (kind, number)
}

fn seat_by_hand(college: &mut College, n: u32, seat: &str, ours: bool) {
    let Some(number) = college.number(At::Seated, n) else { return };
    let mut hall = college.school.seated.hall();
    let free = !hall.seats.contains_key(&(number, seat.to_owned()));
    if free && hall.rooms.contains(room_of(seat)) {
        hall.seat(number, seat, if ours { Hand::Manual } else { Hand::Theirs });
        if !ours {
            college.theirs.insert((number, seat.to_owned()));
        }
    }
}

/// Of several records of one person, an operator takes away those that are not remembered.
pub fn settle_doubles(college: &mut College) {
    for n in College::everybody() {
        for &at in college.setting.kind.targets() {
            let numbers = college.numbers(at, n);
            if numbers.len() < 2 {
                continue;
            }
            let kind = *kinds(at).last().unwrap();
            let known = remembered(college, at, n);
            let stays = known.filter(|known| numbers.contains(known)).unwrap_or(numbers[0]);
            for number in numbers.into_iter().filter(|number| *number != stays) {
                college.toy(at).unwrap().shelf().rows.remove(&(kind, number));
                if at == At::Seated {
                    college.school.seated.hall().seats.retain(|(of, _), _| *of != number);
                    college.theirs.retain(|(of, _)| *of != number);
                }
            }
        }
    }
    college.doubles.clear();
}
