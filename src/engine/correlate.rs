//! Correlation: which of the records a target shows belongs to which anchor. Pure.
//!
//! Everything that may identify a record is looked at, not the first hit: a remembered id, and every
//! match. Hits on two records, and two anchors that hit one, are conflicts with their candidates; a
//! guess is never made.

use std::borrow::Cow;
use std::collections::BTreeMap;

use reconcile_state::{Key, Remote};

use super::hashed::Hashed;
use crate::model::{Anchor, Candidate, Match};
use crate::targets::port::Seen;

/// What was found for one anchor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// This record, by its place in the reading.
    Present(usize),
    /// More than one, or one that is not to be had: the rule's code and what was hit.
    Ambiguous(&'static str, Vec<Candidate>),
}

/// The result over a whole reading.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Correlated {
    /// What was found; an anchor that is not here was not found.
    pub found: BTreeMap<Key, Found>,
    /// Records that no anchor means.
    pub foreign: u64,
    /// Of those, records that carry nothing any anchor asked for.
    pub unasked: u64,
    /// Records of which another with the same identity was read.
    pub repeated: u64,
    /// Anchors with something remembered.
    pub remembered: u64,
    /// How many of those were found again by what is remembered.
    pub found_again: u64,
}

/// Several records carry what identifies one person.
pub const SEVERAL: &str = "several-records";
/// The record is remembered as another person's.
pub const CLAIMED: &str = "claimed-by-another";
/// Several people are recognised in one record, or by one value, and it is remembered as nobody's.
pub const SHARED: &str = "several-people";
/// The record that carries the person's name can never be ours.
pub const FOREIGN: &str = "held-by-foreign";

const REMEMBERED: &str = "remembered";

/// So many records that bear one person's name are looked at: where a template is broken all may.
const MANY: usize = 10;

/// What a record is looked for by, as [`Anchor`] has it: in a listing nobody is asked for, and of everybody's values no
/// copy is made.
#[derive(Clone, Debug)]
pub struct Sought<'s> {
    /// The record's key.
    pub key: &'s Key,
    /// What the claim remembers.
    pub remembered: Option<&'s Remote>,
    /// How it is recognised otherwise.
    pub matches: Cow<'s, [Match]>,
}

impl Sought<'_> {
    /// What a target is asked with for it.
    pub fn anchor(&self) -> Anchor {
        Anchor { key: self.key.clone(), remembered: self.remembered.cloned(), matches: self.matches.to_vec() }
    }
}

impl<'s> From<&'s Anchor> for Sought<'s> {
    fn from(anchor: &'s Anchor) -> Self {
        let Anchor { key, remembered, matches } = anchor;
        Self { key, remembered: remembered.as_ref(), matches: Cow::Borrowed(matches) }
    }
}

/// Finds the record of each key. `owner` tells whose a record is by what is remembered.
pub fn correlate<'o>(sought: &[Sought<'_>], seen: &[Seen], owner: &dyn Fn(&Remote) -> Option<&'o Key>) -> Correlated {
    let index = Index::new(seen);
    let bearers = Bearers::new(sought);
    let mut result = Correlated { repeated: index.repeated, ..Correlated::default() };
    // Everything that one of them hits, and by what.
    let hits = |one: &Sought<'_>| {
        let again = one.remembered.into_iter().flat_map(|remote| index.remembered(remote));
        let mut hits: Vec<(usize, &'static str)> = again.map(|at| (at, REMEMBERED)).collect();
        for wanted in one.matches.iter() {
            let most = if wanted.only_unique { 2 } else { MANY };
            let at = index.matching(wanted.field, &wanted.value, most);
            // What somebody else's record shows too is borne twice, whether or not they are asked for here.
            let others = |&at: &usize| owner(&seen[at].remote).is_some_and(|owner| owner != one.key);
            let unique = || at.len() == 1 && bearers.count(wanted.field, &wanted.value) == 1 && !at.iter().any(others);
            if !wanted.only_unique || unique() {
                hits.extend(at.iter().map(|&at| (at, wanted.field)));
            }
        }
        hits
    };
    // By record: who hit it, and whether by what is remembered.
    let mut hit_by: Vec<(usize, usize, bool)> = Vec::with_capacity(sought.len());
    for (who, one) in sought.iter().enumerate() {
        let mine = hits(one);
        result.remembered += u64::from(one.remembered.is_some());
        result.found_again += u64::from(mine.iter().any(|hit| hit.1 == REMEMBERED));
        hit_by.extend(places(&mine).into_iter().map(|at| (at, who, mine.contains(&(at, REMEMBERED)))));
    }
    hit_by.sort_unstable();

    for (who, one) in sought.iter().enumerate() {
        let mine = hits(one);
        let owned = |at: usize| owner(&seen[at].remote).is_some_and(|owner| owner != one.key);
        let places = places(&mine);
        let by = |at: usize| mine.iter().filter(move |hit| hit.0 == at).map(|hit| hit.1).collect();
        let candidates = || {
            let hit = places.iter().map(|&at| Candidate { remote: seen[at].remote.clone(), by: by(at) });
            hit.collect::<Vec<_>>()
        };
        let found = match places[..] {
            [] => continue,
            [at] if seen[at].foreign.is_some() => Found::Ambiguous(FOREIGN, candidates()),
            [at] if owned(at) => Found::Ambiguous(CLAIMED, candidates()),
            [at] => match rivals(who, of_record(&hit_by, at)) {
                None => Found::Present(at),
                Some(code) => Found::Ambiguous(code, candidates()),
            },
            _ => Found::Ambiguous(SEVERAL, candidates()),
        };
        result.found.insert(one.key.clone(), found);
    }
    for (_, one) in seen.iter().enumerate().filter(|(at, _)| of_record(&hit_by, *at).is_empty()) {
        result.foreign += 1;
        let asked = one.matches.iter().any(|(field, value)| bearers.count(field, value) > 0);
        result.unasked += u64::from(!asked);
    }
    result
}

/// Who hit this record.
fn of_record(hit_by: &[(usize, usize, bool)], at: usize) -> &[(usize, usize, bool)] {
    let from = hit_by.partition_point(|hit| hit.0 < at);
    let many = hit_by[from..].partition_point(|hit| hit.0 == at);
    &hit_by[from..from + many]
}

/// The records that were hit, each once, in the order of the reading.
fn places(hits: &[(usize, &'static str)]) -> Vec<usize> {
    let mut places: Vec<usize> = hits.iter().map(|(at, _)| *at).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Whether somebody else has a claim on the one record that `who` hits. Whoever remembers it has it.
fn rivals(who: usize, hit_by: &[(usize, usize, bool)]) -> Option<&'static str> {
    let mine = hit_by.iter().any(|(_, other, remembered)| *other == who && *remembered);
    let theirs = hit_by.iter().any(|(_, other, remembered)| *other != who && *remembered);
    match (mine, theirs) {
        (_, true) => Some(CLAIMED),
        (false, false) if hit_by.len() > 1 => Some(SHARED),
        (_, false) => None,
    }
}

/// Who bears which match value.
struct Bearers<'s> {
    places: Hashed,
    sought: &'s [Sought<'s>],
}

impl<'s> Bearers<'s> {
    fn new(sought: &'s [Sought<'s>]) -> Self {
        let mine =
            |(at, one): (usize, &'s Sought<'s>)| one.matches.iter().map(move |one| ((one.field, &one.value), at));
        Self { places: Hashed::new(sought.iter().enumerate().flat_map(mine)), sought }
    }

    /// None, one, or two for any more.
    fn count(&self, field: &str, value: &String) -> usize {
        let bears = |one: &&Match| one.field == field && one.value == *value;
        let mine = |at: usize| self.sought[at].matches.iter().filter(bears);
        self.places.places((field, value)).flat_map(mine).take(2).count()
    }
}

struct Index<'s> {
    by_id: Hashed,
    by_handle: Hashed,
    by_match: Hashed,
    repeated: u64,
    seen: &'s [Seen],
}

impl<'s> Index<'s> {
    fn new(seen: &'s [Seen]) -> Self {
        let all = || seen.iter().enumerate();
        let id = |(at, one): (usize, &'s Seen)| Some((one.remote.id.as_ref()?, at));
        let handle = |(at, one): (usize, &'s Seen)| Some((one.remote.handle.as_ref()?, at));
        let shown = |(at, one): (usize, &'s Seen)| one.matches.iter().map(move |(field, value)| ((*field, value), at));
        let mut index = Self {
            by_id: Hashed::new(all().filter_map(id)),
            by_handle: Hashed::new(all().filter_map(handle)),
            by_match: Hashed::new(all().flat_map(shown)),
            repeated: 0,
            seen,
        };
        let again = |&(at, one): &(usize, &'s Seen)| match (&one.remote.id, &one.remote.handle) {
            (Some(id), _) => {
                index.by_id.places(id).any(|other| other < at && seen[other].remote.id.as_ref() == Some(id))
            }
            (None, Some(name)) => {
                index.by_handle.places(name).any(|other| other < at && seen[other].remote.handle.as_ref() == Some(name))
            }
            (None, None) => false,
        };
        index.repeated = all().filter(again).count() as u64;
        index
    }

    fn remembered(&self, remote: &Remote) -> Vec<usize> {
        let by_id = remote.id.iter().flat_map(|id| self.by_id.places(id));
        let by_handle = remote.handle.iter().flat_map(|handle| self.by_handle.places(handle));
        let mut at: Vec<usize> = by_id.chain(by_handle).filter(|&at| remote.is(&self.seen[at].remote)).collect();
        at.sort_unstable();
        at.dedup();
        at
    }

    /// No more than `most`.
    fn matching(&self, field: &'static str, value: &String, most: usize) -> Vec<usize> {
        let shows = |&at: &usize| self.seen[at].matches.iter().any(|(other, shown)| *other == field && shown == value);
        self.by_match.places((field, value)).filter(shows).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;
    use reconcile_state::Record;
    use std::collections::BTreeSet;

    fn sought(anchors: &[Anchor]) -> Vec<Sought<'_>> {
        anchors.iter().map(Sought::from).collect()
    }

    fn correlate(anchors: &[Anchor], seen: &[Seen]) -> Correlated {
        super::correlate(&sought(anchors), seen, &|_| None)
    }

    fn seen(id: &str, name: &str, number: &str) -> Seen {
        Seen {
            remote: Remote { id: Some(id.into()), handle: Some(name.into()) },
            record: Record::new(id.into()),
            matches: vec![("name", name.into()), ("number", number.into())],
            foreign: None,
            kept: BTreeSet::new(),
        }
    }

    fn anchor(key: &str, remembered: Option<&str>, name: &str, number: &str) -> Anchor {
        Anchor {
            key: key.into(),
            remembered: remembered.map(|id| Remote { id: Some(id.into()), handle: None }),
            matches: vec![
                Match { field: "name", value: name.into(), only_unique: false },
                Match { field: "number", value: number.into(), only_unique: true },
            ],
        }
    }

    fn code(result: &Correlated, key: &str) -> &'static str {
        match result.found.get(&key.into()) {
            Some(Found::Ambiguous(code, candidates)) => {
                assert!(!candidates.is_empty());
                code
            }
            Some(Found::Present(_)) => "present",
            None => "absent",
        }
    }

    #[test]
    fn every_hit_counts_and_contradictions_are_conflicts() {
        let world = [seen("1", "a", "10"), seen("2", "b", "20"), seen("3", "c", "30")];
        let cases: [(&str, Anchor); 6] = [
            ("present", anchor("p", None, "a", "10")),
            ("present", anchor("p", Some("1"), "new-name", "")),
            ("present", anchor("p", None, "unknown", "30")),
            ("absent", anchor("p", None, "unknown", "99")),
            (SEVERAL, anchor("p", None, "a", "20")),
            (SEVERAL, anchor("p", Some("1"), "b", "")),
        ];
        for (expected, anchor) in cases {
            assert_eq!(code(&correlate(std::slice::from_ref(&anchor), &world), "p"), expected, "{anchor:?}");
        }
    }

    #[test]
    fn a_value_that_everybody_bears_is_a_conflict_with_some_candidates() {
        let world: Vec<Seen> = (0..300).map(|n| seen(&n.to_string(), "same", "0")).collect();
        let keys: Vec<String> = (0..300).map(|n| format!("p{n:03}")).collect();
        let all: Vec<Anchor> = keys.iter().map(|key| anchor(key, None, "same", "0")).collect();
        let result = correlate(&all, &world);
        for key in &keys {
            assert!(
                matches!(&result.found[&key.as_str().into()], Found::Ambiguous(SEVERAL, some) if some.len() == MANY)
            );
        }
        assert_eq!(result.unasked, 0);
        let numbers: Vec<Anchor> = keys.iter().map(|key| anchor(key, None, key, "0")).collect();
        assert!(correlate(&numbers, &world).found.is_empty());
    }

    #[test]
    fn whoever_remembers_a_record_has_it() {
        let world = [seen("1", "a", "10")];
        let result = correlate(&[anchor("p", Some("1"), "a", ""), anchor("q", None, "a", "")], &world);
        assert_eq!((code(&result, "p"), code(&result, "q")), ("present", CLAIMED));
        let result = correlate(&[anchor("p", None, "a", ""), anchor("q", None, "a", "")], &world);
        assert_eq!((code(&result, "p"), code(&result, "q")), (SHARED, SHARED));
        let result = correlate(&[anchor("p", Some("1"), "", ""), anchor("q", Some("1"), "", "")], &world);
        assert_eq!((code(&result, "p"), code(&result, "q")), (CLAIMED, CLAIMED));
    }

    #[test]
    fn a_number_counts_only_where_one_person_bears_it_and_one_record_shows_it() {
        let world = [seen("1", "a", "10"), seen("2", "b", "10"), seen("3", "c", "30")];
        assert_eq!(code(&correlate(&[anchor("p", None, "x", "10")], &world), "p"), "absent");
        let two = [anchor("p", None, "x", "30"), anchor("q", None, "y", "30")];
        let result = correlate(&two, &world);
        assert_eq!((code(&result, "p"), code(&result, "q")), ("absent", "absent"));
    }

    #[test]
    fn what_is_remembered_as_somebody_elses_is_theirs_in_scope_or_not() {
        let world = [seen("1", "a", "10")];
        let owner: Key = "somebody".into();
        let theirs = |anchor: Anchor| super::correlate(&sought(&[anchor]), &world, &|_| Some(&owner));
        assert_eq!(code(&theirs(anchor("p", None, "a", "")), "p"), CLAIMED);
        assert_eq!(code(&theirs(anchor("p", None, "new", "10")), "p"), "absent", "the number is borne twice");
        assert_eq!(code(&theirs(anchor("somebody", None, "a", "10")), "somebody"), "present");
    }

    #[test]
    fn a_foreign_record_in_the_way_is_a_conflict() {
        let mut world = [seen("1", "a", "10")];
        world[0].foreign = Some(Reason("other-auth"));
        assert_eq!(code(&correlate(&[anchor("p", None, "a", "")], &world), "p"), FOREIGN);
    }

    #[test]
    fn memory_and_repetition_are_counted() {
        let world = [seen("1", "a", "10"), seen("1", "a", "10"), seen("3", "c", "30")];
        let result = correlate(&[anchor("p", Some("3"), "c", ""), anchor("q", Some("9"), "q", "")], &world);
        assert_eq!((result.repeated, result.remembered, result.found_again, result.foreign), (1, 2, 1, 2));
    }

    #[test]
    fn a_reading_without_ids_is_found_again_by_handle() {
        let mut world = [seen("1", "a", "10")];
        world[0].remote.id = None;
        let mut known = anchor("p", Some("1"), "zzz", "");
        known.remembered = Some(Remote { id: Some("1".into()), handle: Some("a".into()) });
        assert_eq!(code(&correlate(&[known], &world), "p"), "present");
    }
}
