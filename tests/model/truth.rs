//! How things must be, worked out without the engine: at any time, and in the end.

use std::collections::BTreeSet;

use reconcile::model::Plan;
use reconcile::model::person::directory as d;
use reconcile_state::{AttributeId, Edit, Key, Record, Standing};

use crate::college::{College, kinds, name, owner};
use crate::event::{At, Kind};
use crate::toys::listed::{self, GROUPS, LOGIN, TITLE};
use crate::toys::seated::ACCOUNT;
use crate::toys::{Hand, asked, marked, room_of};
use crate::world::{ID, SECOND_ID, key};

/// What must hold at any time.
pub fn always(college: &College) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, toy) in college.toys() {
        let rows = toy.rows();
        let mut seen = BTreeSet::new();
        for ((kind, number), row) in &rows {
            let whose = if at == At::Asked { row.text(asked::CODE).unwrap_or_default().to_owned() } else { owner(row) };
            if !college.doubles.contains(&(at, kind, *number)) && !seen.insert((kind, whose.clone())) {
                wrong.push(format!("{at:?}: {whose} has two records"));
            }
        }
        let foreign = college.foreign.iter().filter(|((of, ..), _)| *of == at);
        for ((_, kind, number), before) in foreign {
            if rows.get(&(*kind, *number)) != Some(before) {
                wrong.push(format!("{at:?}: somebody else's record {number} is not as it was"));
            }
        }
    }
    wrong.extend(taken(college));
    let hall = college.school.seated.hall();
    for at in college.theirs.iter().filter(|at| !hall.seats.contains_key(at)) {
        wrong.push(format!("somebody else's seat {at:?} is gone"));
    }
    drop(hall);
    let accounts = college.school.listed.rows();
    for number in &college.grouped {
        let Some(row) = accounts.get(&(crate::toys::listed::ACCOUNT, *number)) else { continue };
        if !row.elements(GROUPS).any(|group| group == "theirs:kept") {
            wrong.push(format!("account {number} is not in somebody else's group any more"));
        }
    }
    if college.setting.kind == Kind::School && !college.school.marks(91).contains(&"elsewhere".to_owned()) {
        wrong.push("a mark of another system is gone".to_owned());
    }
    wrong
}

/// Accounts that are remembered as one person's and are another's who is here.
fn taken(college: &College) -> Vec<String> {
    if college.setting.kind != Kind::Office {
        return Vec::new();
    }
    let store = college.school.store.pipeline(listed::NAME).unwrap();
    let rows = college.school.listed.rows();
    let mut wrong = Vec::new();
    for (who, claim) in store.claims(listed::ACCOUNT).unwrap() {
        let id = claim.remote.id.and_then(|id| id.parse().ok());
        let Some(row) = id.and_then(|id| rows.get(&(listed::ACCOUNT, id))) else { continue };
        let others = College::everybody().filter(|n| key(*n) != who && name(At::Listed, *n) == owner(row));
        let here = others.filter(|n| college.school.people.entry(*n).is_some());
        wrong.extend(here.map(|n| format!("the account of {n} is remembered as that of {who}")));
    }
    wrong
}

/// What must hold in the end, where the sources say how everything is to be.
pub fn finally(college: &College, last: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    for n in College::everybody().filter(|n| !college.doubled.contains(n)) {
        match college.setting.kind {
            Kind::Office => office(college, n, &mut wrong),
            Kind::School => school(college, n, last, &mut wrong),
        }
    }
    wrong
}

fn is_doubted(college: &College, at: At, n: u32) -> bool {
    college.school.open_intents(at.pipeline()).iter().any(|intent| intent.key == key(n))
}

fn office(college: &College, n: u32, wrong: &mut Vec<String>) {
    let entry = college.school.people.entry(n);
    let open = college.is_entitled(At::Listed, n);
    let number = college.number(At::Listed, n);
    if open && number.is_none() {
        wrong.push(format!("{n} is entitled and has no account"));
    }
    let rows = college.school.listed.rows();
    let row = number.map(|number| &rows[&(crate::toys::listed::ACCOUNT, number)]);
    if let Some(row) = row.filter(|_| !is_doubted(college, At::Listed, n)) {
        if (row.standing == Standing::Active) != open {
            wrong.push(format!("the account of {n} is {:?}", row.standing));
        }
        if let Some(entry) = entry.as_ref().filter(|_| open) {
            if (row.text(TITLE), row.text(LOGIN)) != (entry.text(d::SURNAME), entry.text(d::USERNAME)) {
                wrong.push(format!("the account of {n} is not as called for: {row:?}"));
            }
            let ours: BTreeSet<&str> = row.elements(GROUPS).filter_map(|group| group.strip_prefix("ours:")).collect();
            let wanted: BTreeSet<&str> = entry.elements(d::AFFILIATIONS).collect();
            if !(ours == wanted || (!college.school.people.has_row(n) && ours.is_superset(&wanted))) {
                wrong.push(format!("{n} is in {ours:?}, not in {wanted:?}"));
            }
        }
    }
    let (open, rows) = (college.is_entitled(At::Asked, n), college.school.asked.rows());
    for kind in kinds(At::Asked).iter().filter(|_| !is_doubted(college, At::Asked, n)) {
        let code = name(At::Asked, n);
        let is_mine = |((k, _), row): &(&(&str, u64), &Record)| k == kind && row.text(asked::CODE) == Some(&code);
        let row = rows.iter().find(is_mine).map(|(_, row)| row);
        if row.is_some_and(|row| row.standing == Standing::Active) != open {
            wrong.push(format!("the {kind} of {n} is {:?}", row.map(|row| row.standing)));
        }
        if let (Some(row), Some(entry), true) = (row, &entry, open)
            && row.text(asked::LABEL) != entry.text(d::SURNAME)
        {
            wrong.push(format!("the {kind} of {n} is not as called for: {row:?}"));
        }
    }
}

/// Marks that a plan tells of and leaves.
fn left_marks(plan: &Plan) -> BTreeSet<(Key, String)> {
    let plan = &plan.pipelines[marked::NAME];
    let findings = plan.findings.iter().map(|finding| (&finding.key, &finding.differences));
    let all = findings.chain(plan.links.iter().map(|link| (&link.key, &link.differences)));
    let removals = all.flat_map(|(key, edits)| edits.iter().map(move |edit| (key, edit)));
    let left = removals.filter_map(|(key, edit)| match edit {
        Edit::Remove { element, .. } => Some((key.clone(), element.clone())),
        _ => None,
    });
    left.collect()
}

fn school(college: &College, n: u32, last: &Plan, wrong: &mut Vec<String>) {
    let (school, told) = (&college.school, left_marks(last));
    let Some(entry) = school.people.entry(n) else { return };
    for (at, toy, id) in [(At::Seated, &school.seated, ID), (At::Second, &school.second, SECOND_ID)] {
        let open = college.is_entitled(at, n);
        let number = college.number(at, n);
        let row = number.map(|number| toy.rows()[&(ACCOUNT, number)].clone());
        if row.as_ref().is_some_and(|row| row.standing == Standing::Active) != open {
            wrong.push(format!("the account of {n} at {at:?} is {:?}", row.as_ref().map(|row| row.standing)));
        }
        let system = at.pipeline().to_owned();
        let is_marked = school.marks(n).contains(&system);
        // Who keeps what is not called for any more is as nobody says they should be.
        if open && !is_marked && school.people.has_row(n) {
            wrong.push(format!("{n} lacks the mark of {at:?}"));
        }
        if is_marked && !open {
            // One that is not known to be ours is left, and told in every pass.
            if !college.forgot && !college.marked.contains(&(n, at)) {
                wrong.push(format!("{n} has the mark of {at:?}"));
            }
            if !told.contains(&(key(n), system)) {
                wrong.push(format!("the mark of {at:?} of {n} is not told"));
            }
        }
        let (Some(number), Some(row), true) = (number, row, open) else { continue };
        if row.text(TITLE) != entry.text(d::SURNAME) {
            wrong.push(format!("the account of {n} at {at:?} is not as called for: {row:?}"));
        }
        check_id(college, n, (id, number), wrong);
        seats(college, n, (at, number), &entry, wrong);
    }
}

fn check_id(college: &College, n: u32, (id, number): (AttributeId, u64), wrong: &mut Vec<String>) {
    let written = college.school.people.marks(&key(n)).and_then(|marks| marks.text(id).map(str::to_owned));
    // One that differs at a first meeting is only told, also where it is of a write that nobody heard of.
    let left = college.forgot || !college.school.people.has_row(n);
    if written != Some(number.to_string()) && !left {
        wrong.push(format!("{n} has the target id {written:?}, not {number}"));
    }
}

fn seats(college: &College, n: u32, (at, number): (At, u64), entry: &Record, wrong: &mut Vec<String>) {
    let hall = if at == At::Seated { college.school.seated.hall() } else { college.school.second.hall() };
    let wanted: BTreeSet<&str> = entry.elements(d::AFFILIATIONS).filter(|seat| seat.starts_with("room")).collect();
    for seat in wanted.iter().filter(|seat| hall.rooms.contains(room_of(seat))) {
        if !hall.seats.contains_key(&(number, (*seat).to_owned())) {
            wrong.push(format!("{n} does not sit in {seat}"));
        }
    }
    let mine = hall.seats.iter().filter(|((of, seat), _)| *of == number && seat.starts_with("room"));
    for ((_, seat), hand) in mine.filter(|_| hall.tells && college.school.people.has_row(n)) {
        if !wanted.contains(seat.as_str()) && *hand != Hand::Theirs {
            wrong.push(format!("{n} still sits in {seat}"));
        }
    }
}
