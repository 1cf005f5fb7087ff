//! What follows from what was read. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reconcile_state::{AttributeId, Claim, Key, Origin, Ownership, Record, Remote, Schema, Shape, Standing};
use serde::Serialize;

use crate::engine::claims::Claims;
use crate::engine::contradicted::Contradicted;
use crate::engine::correlate::{Found, Sought, correlate};
use crate::model::{Anchor, Candidate, Match, Reason};
use crate::targets::port::{Project, Seen};

/// Contradicts: the directory names a record that is not there, or that another one stands for.
pub const RECORD_MISSING: &str = "record-missing";
/// Contradicts: the record that the directory names carries nothing of the person.
pub const VALUES_DIFFER: &str = "values-differ";
/// Not derived: a record carries one value of the person, and the directory names none.
pub const NO_TARGET_ID: Reason = Reason("no-target-id");
/// Not derived: by whose hand the elements of a part are there.
pub const ELEMENTS_UNKNOWN: Reason = Reason("elements-unknown");
/// Not derived: by whose hand a record is closed.
pub const STANDING_UNKNOWN: Reason = Reason("standing-unknown");
/// Not derived: a mark stands, and the record that it stands for is not known to be open.
pub const MARK_UNCONFIRMED: Reason = Reason("mark-unconfirmed");

/// What was derived for one kind.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct KindRebuilt {
    /// The kind.
    pub kind: &'static str,
    /// Claims that are remembered: they stay as they are.
    pub known: u64,
    /// Claims that follow from the evidence.
    pub derived: BTreeMap<Key, Claim>,
    /// Evidence that does not agree.
    pub contradicted: BTreeMap<Key, Contradicted>,
    /// What cannot be derived for certain, by why not.
    pub unknown: BTreeMap<Reason, BTreeSet<Key>>,
    /// Of those derived, records that are open.
    #[serde(skip)]
    pub open: BTreeSet<Key>,
}

impl KindRebuilt {
    fn unknown(&mut self, why: Reason, key: &Key) {
        self.unknown.entry(why).or_default().insert(key.clone());
    }
}

/// What is remembered of a kind, and what the directory says of it.
pub struct Testimony<'t> {
    /// Claims that are remembered.
    pub known: Option<&'t Claims>,
    /// Ids in the directory, by person.
    pub ids: BTreeMap<Key, String>,
    /// How everybody's record is recognised.
    pub matches: BTreeMap<Key, Vec<Match>>,
}

impl Testimony<'_> {
    fn claim(&self, key: &Key) -> Option<&Claim> {
        self.known?.get(key)
    }

    /// What a target is asked with.
    pub fn anchors(&self) -> Vec<Anchor> {
        let named = |key: &Key| self.ids.get(key).map(|id| Remote { id: Some(id.clone()), handle: None });
        let anchor = |(key, matches): (&Key, &Vec<Match>)| Anchor {
            key: key.clone(),
            remembered: self.claim(key).map(|claim| claim.remote.clone()).or_else(|| named(key)),
            matches: matches.clone(),
        };
        let all = self.matches.iter().map(anchor);
        all.filter(|anchor| anchor.remembered.is_some() || !anchor.matches.is_empty()).collect()
    }
}

/// The claims on records that stand by themselves.
pub fn records(schema: &Schema, testimony: &Testimony<'_>, seen: &[Seen]) -> KindRebuilt {
    let known = testimony.known.map_or(0, |known| known.len() as u64);
    let mut rebuilt = KindRebuilt { kind: schema.kind, known, ..KindRebuilt::default() };
    let anchors = testimony.anchors();
    let owners: HashMap<&str, &Key> = testimony
        .known
        .into_iter()
        .flat_map(Claims::iter)
        .filter_map(|(key, claim)| Some((claim.remote.id.as_deref()?, key)))
        .collect();
    let owner = |remote: &Remote| owners.get(remote.id.as_deref()?).copied();
    let correlated = correlate(&anchors.iter().map(Sought::from).collect::<Vec<_>>(), seen, &owner);
    let carriers = carriers(seen);
    for anchor in anchors.iter().filter(|anchor| testimony.claim(&anchor.key).is_none()) {
        let (key, id) = (&anchor.key, testimony.ids.get(&anchor.key));
        let carried = |seen: &Seen| anchor.matches.iter().filter(|one| is_carried(one, seen, &carriers)).count();
        let mut contradicts = |code: &str, found: Vec<String>| {
            if let Some(id) = id {
                let contradicted = Contradicted { code: code.to_owned(), id: id.clone(), found };
                rebuilt.contradicted.insert(key.clone(), contradicted);
            }
        };
        let seen = match correlated.found.get(key) {
            Some(Found::Present(at)) => &seen[*at],
            Some(Found::Ambiguous(code, candidates)) => {
                contradicts(code, ids_of(candidates));
                if id.is_none() {
                    rebuilt.unknown(Reason(code), key);
                }
                continue;
            }
            None => {
                contradicts(RECORD_MISSING, Vec::new());
                continue;
            }
        };
        let found = || seen.remote.id.iter().cloned().collect::<Vec<_>>();
        let witnesses = match id {
            Some(id) if seen.remote.id.as_ref() != Some(id) => {
                contradicts(RECORD_MISSING, found());
                continue;
            }
            Some(_) if carried(seen) == 0 => {
                contradicts(VALUES_DIFFER, found());
                continue;
            }
            Some(_) => 2,
            None => carried(seen),
        };
        if witnesses < 2 {
            rebuilt.unknown(NO_TARGET_ID, key);
            continue;
        }
        match seen.record.standing {
            Standing::Active => drop(rebuilt.open.insert(key.clone())),
            Standing::Disabled => rebuilt.unknown(STANDING_UNKNOWN, key),
        }
        rebuilt.derived.insert(key.clone(), Claim::new(seen.remote.clone(), Origin::Rebuilt));
    }
    rebuilt
}

fn ids_of(candidates: &[Candidate]) -> Vec<String> {
    candidates.iter().filter_map(|candidate| candidate.remote.id.clone()).collect()
}

type Carriers<'s> = HashMap<(&'static str, &'s str), u32>;

/// How many records carry each value.
fn carriers(seen: &[Seen]) -> Carriers<'_> {
    let mut carriers = Carriers::new();
    for (field, value) in seen.iter().flat_map(|one| &one.matches) {
        *carriers.entry((field, value)).or_default() += 1;
    }
    carriers
}

fn is_carried(wanted: &Match, seen: &Seen, carriers: &Carriers<'_>) -> bool {
    let one = (wanted.field, wanted.value.clone());
    let alone = !wanted.only_unique || carriers.get(&(wanted.field, wanted.value.as_str())) == Some(&1);
    alone && seen.matches.contains(&one)
}

/// The claims on parts: they are there with their wholes, and by whose hand their elements are there nobody knows.
pub fn parts(schema: &Schema, wholes: &KindRebuilt, known: Option<&Claims>) -> KindRebuilt {
    let count = known.map_or(0, |known| known.len() as u64);
    let mut rebuilt = KindRebuilt { kind: schema.kind, known: count, ..KindRebuilt::default() };
    for (key, whole) in &wholes.derived {
        if known.is_none_or(|known| known.get(key).is_none()) {
            rebuilt.derived.insert(key.clone(), Claim::new(whole.remote.clone(), Origin::Rebuilt));
            rebuilt.unknown(ELEMENTS_UNKNOWN, key);
        }
    }
    rebuilt
}

/// What the directory shows of a person: target ids by pipeline and kind, and marks by what they stand for.
pub struct Entry<'e> {
    schema: &'e Schema,
    project: &'e dyn Project,
    record: &'e Record,
}

impl<'e> Entry<'e> {
    /// An entry as it was read.
    pub fn new(schema: &'e Schema, project: &'e dyn Project, record: &'e Record) -> Self {
        Self { schema, project, record }
    }

    /// The target ids.
    pub fn ids(&self) -> impl Iterator<Item = ((&'static str, &'static str), &'e str)> {
        let references = self.schema.attributes().iter().filter_map(|attribute| match attribute.shape {
            Shape::Reference { pipeline, kind } => Some((attribute.id, (pipeline, kind))),
            _ => None,
        });
        references.filter_map(|(id, of)| Some((of, self.record.text(id)?))).filter(|(_, id)| !id.is_empty())
    }

    /// The marks, each as the entitlement that it stands for.
    pub fn marks(&self) -> BTreeSet<&'e str> {
        let sets = self.schema.attributes().iter().filter(|one| one.ownership == Ownership::ClaimedSet);
        let all = sets.flat_map(|one| self.record.elements(one.id).map(move |element| (one.id, element)));
        let scope = |(id, element): (AttributeId, &'e str)| self.project.scope_of(self.schema.kind, id, element);
        all.filter_map(scope).collect()
    }
}

/// What the other pipelines make of a person's entry.
#[derive(Clone, Copy, Default)]
pub struct Agreement {
    /// Target ids and marks that they confirm.
    pub agree: u64,
    /// Target ids that they contradict.
    pub contradict: u64,
    /// Marks that they cannot confirm.
    pub open: u64,
}

/// The claims on entries in which others keep their marks: those with a mark or an id that stands and agrees.
pub fn marks(schema: &Schema, known: Option<&Claims>, entries: &BTreeMap<Key, (Remote, Agreement)>) -> KindRebuilt {
    let count = known.map_or(0, |known| known.len() as u64);
    let mut rebuilt = KindRebuilt { kind: schema.kind, known: count, ..KindRebuilt::default() };
    for (key, (remote, agreement)) in entries {
        if known.is_some_and(|known| known.get(key).is_some()) {
            continue;
        }
        if agreement.open > 0 {
            rebuilt.unknown(MARK_UNCONFIRMED, key);
        }
        if agreement.agree > 0 && agreement.contradict == 0 {
            rebuilt.derived.insert(key.clone(), Claim::new(remote.clone(), Origin::Rebuilt));
        }
    }
    rebuilt
}

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_state::Attribute;

    fn schema() -> Schema {
        Schema::new("p", "k", 0, [Attribute::text(1, "name")]).unwrap()
    }

    fn seen(id: &str, name: &str, number: &str) -> Seen {
        Seen {
            remote: Remote { id: Some(id.into()), handle: None },
            record: Record::new(id.into()),
            matches: vec![("name", name.into()), ("number", number.into())],
            foreign: None,
            kept: BTreeSet::new(),
        }
    }

    fn testimony<'t>(people: &[(&str, Option<&str>, &str, &str)]) -> Testimony<'t> {
        let one = |field, value: &str, only_unique| Match { field, value: value.to_owned(), only_unique };
        let mut testimony = Testimony { known: None, ids: BTreeMap::new(), matches: BTreeMap::new() };
        for (key, id, name, number) in people {
            let matches = vec![one("name", name, false), one("number", number, true)];
            testimony.matches.insert((*key).into(), matches);
            testimony.ids.extend(id.map(|id| ((*key).into(), id.to_owned())));
        }
        testimony
    }

    #[test]
    fn two_witnesses_that_agree_are_evidence_and_less_is_none() {
        let world = [
            seen("1", "a", "10"),
            seen("2", "b", "20"),
            seen("3", "c", "30"),
            seen("4", "d", "40"),
            seen("9", "i", "40"),
        ];
        let people = [
            ("id-and-values", Some("1"), "a", "10"),
            ("id-and-one", Some("2"), "renamed", "20"),
            ("two-values", None, "c", "30"),
            ("one-value", None, "d", "40"),
            ("nobody", None, "x", "99"),
        ];
        let rebuilt = records(&schema(), &testimony(&people), &world);
        let derived: Vec<(&str, Option<&str>)> =
            rebuilt.derived.iter().map(|(key, claim)| (key.as_str(), claim.remote.id.as_deref())).collect();
        assert_eq!(derived, [("id-and-one", Some("2")), ("id-and-values", Some("1")), ("two-values", Some("3"))]);
        assert!(rebuilt.derived.values().all(|claim| claim.origin == Origin::Rebuilt && !claim.disabled_by_us));
        assert_eq!(rebuilt.unknown, [(NO_TARGET_ID, ["one-value".into()].into())].into());
        assert!(rebuilt.contradicted.is_empty());
    }

    #[test]
    fn evidence_that_contradicts_is_listed_and_gives_nothing() {
        let mut foreign = seen("7", "g", "70");
        foreign.foreign = Some(Reason("other"));
        let world = [seen("1", "a", "10"), seen("2", "b", "20"), seen("5", "e", "50"), seen("6", "f", "60"), foreign];
        let people = [
            ("another-record", Some("99"), "a", "10"),
            ("gone-record", Some("98"), "x", "97"),
            ("two-records", Some("2"), "e", "50"),
            ("nothing-carried", Some("6"), "y", "96"),
            ("foreign", Some("7"), "g", "70"),
        ];
        let rebuilt = records(&schema(), &testimony(&people), &world);
        let codes: Vec<(&str, &str)> =
            rebuilt.contradicted.iter().map(|(key, found)| (key.as_str(), found.code.as_str())).collect();
        assert_eq!(
            codes,
            [
                ("another-record", RECORD_MISSING),
                ("foreign", "held-by-foreign"),
                ("gone-record", RECORD_MISSING),
                ("nothing-carried", VALUES_DIFFER),
                ("two-records", "several-records"),
            ]
        );
        assert_eq!(rebuilt.contradicted[&"another-record".into()].found, ["1"]);
        assert!(rebuilt.derived.is_empty());
        let twins = [("one", Some("1"), "a", "10"), ("other", Some("1"), "a2", "11")];
        let rebuilt = records(&schema(), &testimony(&twins), &world);
        assert_eq!((rebuilt.derived.len(), rebuilt.contradicted.len()), (0, 2), "one id in two entries");
    }

    #[test]
    fn what_is_remembered_stays_and_its_records_are_nobody_elses() {
        let world = [seen("1", "a", "10")];
        let known = Claims::new(
            [("mine".into(), Claim::new(world[0].remote.clone(), Origin::Created))].into(),
            &mut std::collections::HashSet::new(),
        );
        let mut testimony = testimony(&[("mine", Some("1"), "a", "10"), ("theirs", Some("1"), "a", "11")]);
        testimony.known = Some(&known);
        let rebuilt = records(&schema(), &testimony, &world);
        assert_eq!((rebuilt.known, rebuilt.derived.len()), (1, 0));
        assert_eq!(rebuilt.contradicted.keys().map(Key::as_str).collect::<Vec<_>>(), ["theirs"]);
    }

    #[test]
    fn whether_we_closed_a_record_is_not_known() {
        let mut world = [seen("1", "a", "10")];
        world[0].record.standing = Standing::Disabled;
        let rebuilt = records(&schema(), &testimony(&[("p", Some("1"), "a", "10")]), &world);
        assert_eq!((rebuilt.derived.len(), rebuilt.open.len()), (1, 0));
        assert!(rebuilt.unknown.contains_key(&STANDING_UNKNOWN));
    }
}
