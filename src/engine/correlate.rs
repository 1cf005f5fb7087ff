//! Correlation: which of the records a target shows belongs to which anchor. Pure.
//!
//! Everything that may identify a record is looked at, not the first hit: a remembered id, and every
//! match. Hits on two records, and two anchors that hit one, are conflicts with their candidates; a
//! guess is never made.

use std::collections::{BTreeMap, HashMap};

use reconcile_state::{Key, Remote};

use crate::model::{Anchor, Candidate};
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

/// Finds each anchor's record. `owner` tells whose a record is by what is remembered.
pub fn correlate<'o>(anchors: &[Anchor], seen: &[Seen], owner: &dyn Fn(&Remote) -> Option<&'o Key>) -> Correlated {
    let index = Index::new(seen);
    let borne = borne(anchors);
    let mut result = Correlated { repeated: index.repeated, ..Correlated::default() };
    let mut hit_by: HashMap<usize, Vec<(&Key, bool)>> = HashMap::new();
    let mut hits: BTreeMap<&Key, Vec<(usize, &'static str)>> = BTreeMap::new();

    for anchor in anchors {
        let mut mine: Vec<(usize, &'static str)> = Vec::new();
        if let Some(remote) = &anchor.remembered {
            result.remembered += 1;
            let again = index.remembered(remote);
            result.found_again += u64::from(!again.is_empty());
            mine.extend(again.into_iter().map(|at| (at, REMEMBERED)));
        }
        for wanted in &anchor.matches {
            let at = index.matching(wanted.field, &wanted.value);
            // What somebody else's record shows too is borne twice, whether or not they are asked for here.
            let others = |&at: &usize| owner(&seen[at].remote).is_some_and(|owner| *owner != anchor.key);
            let unique = at.len() == 1
                && borne.get(&(wanted.field, wanted.value.as_str())) == Some(&1)
                && !at.iter().any(others);
            if !wanted.only_unique || unique {
                mine.extend(at.iter().map(|&at| (at, wanted.field)));
            }
        }
        for at in places(&mine) {
            hit_by.entry(at).or_default().push((&anchor.key, mine.contains(&(at, REMEMBERED))));
        }
        if !mine.is_empty() {
            mine.shrink_to_fit();
            hits.insert(&anchor.key, mine);
        }
    }

    for (key, mine) in hits {
        let owned = |at: usize| owner(&seen[at].remote).is_some_and(|owner| owner != key);
        let places = places(&mine);
        let by = |at: usize| mine.iter().filter(move |hit| hit.0 == at).map(|hit| hit.1).collect();
        let candidates = || {
            let hit = places.iter().map(|&at| Candidate { remote: seen[at].remote.clone(), by: by(at) });
            hit.collect::<Vec<_>>()
        };
        let only = if let [at] = places[..] { Some(at) } else { None };
        let found = match only {
            None => Found::Ambiguous(SEVERAL, candidates()),
            Some(at) if seen[at].foreign.is_some() => Found::Ambiguous(FOREIGN, candidates()),
            Some(at) if owned(at) => Found::Ambiguous(CLAIMED, candidates()),
            Some(at) => match rivals(key, &hit_by[&at]) {
                None => Found::Present(at),
                Some(code) => Found::Ambiguous(code, candidates()),
            },
        };
        result.found.insert(key.clone(), found);
    }
    let foreign = seen.iter().enumerate().filter(|(at, _)| !hit_by.contains_key(at));
    for (_, one) in foreign {
        result.foreign += 1;
        let asked = one.matches.iter().any(|(field, value)| borne.contains_key(&(*field, value.as_str())));
        result.unasked += u64::from(!asked);
    }
    result
}

/// The records that were hit, each once, in the order of the reading.
fn places(hits: &[(usize, &'static str)]) -> Vec<usize> {
    let mut places: Vec<usize> = hits.iter().map(|(at, _)| *at).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Whether somebody else has a claim on the one record that `key` hits. Whoever remembers it has it.
fn rivals(key: &Key, hit_by: &[(&Key, bool)]) -> Option<&'static str> {
    let mine = hit_by.iter().any(|(other, remembered)| *other == key && *remembered);
    let theirs = hit_by.iter().any(|(other, remembered)| *other != key && *remembered);
    match (mine, theirs) {
        (_, true) => Some(CLAIMED),
        (false, false) if hit_by.len() > 1 => Some(SHARED),
        (_, false) => None,
    }
}

/// How many anchors bear each match value.
fn borne(anchors: &[Anchor]) -> HashMap<(&'static str, &str), u32> {
    let mut borne = HashMap::new();
    for wanted in anchors.iter().flat_map(|anchor| &anchor.matches) {
        *borne.entry((wanted.field, wanted.value.as_str())).or_insert(0) += 1;
    }
    borne
}

struct Index<'s> {
    by_id: HashMap<&'s str, Vec<usize>>,
    by_handle: HashMap<&'s str, Vec<usize>>,
    by_match: HashMap<(&'static str, &'s str), Vec<usize>>,
    repeated: u64,
    seen: &'s [Seen],
}

impl<'s> Index<'s> {
    fn new(seen: &'s [Seen]) -> Self {
        let mut index = Self {
            by_id: HashMap::with_capacity(seen.len()),
            by_handle: HashMap::with_capacity(seen.len()),
            by_match: HashMap::with_capacity(seen.len() * 2),
            repeated: 0,
            seen,
        };
        for (at, one) in seen.iter().enumerate() {
            let mut again = false;
            if let Some(id) = &one.remote.id {
                let same = index.by_id.entry(id).or_default();
                same.push(at);
                again = same.len() > 1;
            }
            if let Some(handle) = &one.remote.handle {
                let same = index.by_handle.entry(handle).or_default();
                same.push(at);
                again |= one.remote.id.is_none() && same.len() > 1;
            }
            index.repeated += u64::from(again);
            for (field, value) in &one.matches {
                index.by_match.entry((field, value)).or_default().push(at);
            }
        }
        index
    }

    fn remembered(&self, remote: &Remote) -> Vec<usize> {
        let by_id = remote.id.as_deref().and_then(|id| self.by_id.get(id));
        let by_handle = remote.handle.as_deref().and_then(|handle| self.by_handle.get(handle));
        let mut at: Vec<usize> = by_id.into_iter().chain(by_handle).flatten().copied().collect();
        at.retain(|&at| remote.is(&self.seen[at].remote));
        at.sort_unstable();
        at.dedup();
        at
    }

    fn matching<'v>(&'v self, field: &'static str, value: &'v str) -> &'v [usize] {
        self.by_match.get(&(field, value)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Match, Reason};
    use reconcile_state::Record;
    use std::collections::BTreeSet;

    fn correlate(anchors: &[Anchor], seen: &[Seen]) -> Correlated {
        super::correlate(anchors, seen, &|_| None)
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
        let theirs = |anchor: Anchor| super::correlate(&[anchor], &world, &|_| Some(&owner));
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
