//! What passes leave open: conflicts, and records that could not be told, remembered for whoever asks between two
//! passes. A cache, written by planning; what a pass does never depends on it.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::store::{Store, StoreDir};
use reconcile_state::{Key, Remote};
use serde::{Deserialize, Serialize};

use super::blocking::blocking;
use super::error::PassError;
use super::planner::{Order, Planner};
use super::point::Point;
use crate::model::scope::Pick;
use crate::model::{Conflict, PipelinePlan, Plan};

/// Under which name it is remembered, in each pipeline's file.
pub(super) const OPEN: &str = "left open";
/// Under which name it is remembered who last read the sources, in their file.
const READ: &str = "sources read";

/// A pass, and when it began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The run.
    pub run: String,
    /// Unix milliseconds.
    pub at: i64,
}

/// Who last read the sources.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SourcesRead {
    /// The last pass that asked for everybody, or for whoever changed.
    pub everybody: Option<Told>,
    /// The last pass of any scope.
    pub last: Option<Told>,
}

/// A conflict as a pass found it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownConflict {
    /// The kind.
    pub kind: String,
    /// The person.
    pub key: Key,
    /// Code of the rule that found it.
    pub code: String,
    /// Records at the target that may be meant.
    pub candidates: Vec<KnownCandidate>,
    /// Other people who have the same, or of whom it is called for.
    pub rivals: Vec<KnownRival>,
    /// The pass that found it last.
    pub told: Told,
}

/// A record that may be meant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownCandidate {
    /// What identifies it at the target.
    pub remote: Remote,
    /// What it was recognised by.
    pub by: Vec<String>,
}

/// Somebody who is in the way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownRival {
    /// The person.
    pub key: Key,
    /// The value's attribute.
    pub attribute: String,
}

/// What the last passes left open in one pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LeftOpen {
    /// The last pass over everybody.
    pub whole: Option<Told>,
    /// The last pass of any scope.
    pub last: Option<Told>,
    /// Before any pass over everybody: the people that others looked at.
    pub some: BTreeSet<Key>,
    /// Conflicts, by key and kind.
    pub conflicts: Vec<KnownConflict>,
    /// People of whom nobody knows whether records are there, and of how many of their kinds.
    pub unobserved: BTreeMap<Key, usize>,
    /// Records of which an earlier write could not be read back.
    #[serde(default)]
    pub not_read_back: Vec<KnownDoubt>,
    /// People of whom an element or a reference waits for its other end.
    pub waiting: BTreeSet<Key>,
    /// Records in the places of those that are remembered.
    #[serde(default)]
    pub replaced: Vec<KnownReplaced>,
}

/// A record of which an earlier write could not be read back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownDoubt {
    /// The kind.
    pub kind: String,
    /// The person.
    pub key: Key,
    /// When that was tried, in Unix milliseconds.
    pub at: i64,
}

/// A record that was found in the place of the one that is remembered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownReplaced {
    /// The kind.
    pub kind: String,
    /// The person.
    pub key: Key,
    /// What identifies the record that is there.
    pub remote: Remote,
}

impl KnownConflict {
    fn new(conflict: &Conflict, told: &Told) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let candidates = conflict.candidates.iter();
        let rivals = conflict.rivals.iter();
        Self {
            kind: conflict.kind.to_owned(),
            key: conflict.key.clone(),
            code: conflict.code.to_owned(),
            candidates: candidates.map(|c| KnownCandidate { remote: c.remote.clone(), by: texts(&c.by) }).collect(),
            rivals: rivals.map(|r| KnownRival { key: r.key.clone(), attribute: r.attribute.to_owned() }).collect(),
            told: told.clone(),
        }
    }
}

impl LeftOpen {
    /// Whether a pass has looked at what a target has of a person: what it did not find was not there.
    pub fn looked(&self, key: &Key) -> bool {
        self.whole.is_some() || self.some.contains(key)
    }

    /// Whether the last pass that looked at what a target has of a person could not say what that is.
    pub(super) fn is_unsure_of(&self, key: &Key) -> bool {
        self.unobserved.contains_key(key) || self.not_read_back.iter().any(|known| known.key == *key)
    }

    /// When a pass last tried, and failed, to read back an earlier write of a record, in Unix milliseconds.
    pub(super) fn tried(&self, kind: &str, key: &Key) -> Option<i64> {
        self.not_read_back.iter().find(|known| known.kind == kind && known.key == *key).map(|known| known.at)
    }

    /// Codes of the conflicts of a person.
    pub(super) fn conflicts_of<'o>(&'o self, key: &'o Key) -> impl Iterator<Item = &'o str> {
        self.conflicts.iter().filter(move |known| known.key == *key).map(|known| known.code.as_str())
    }

    /// The same without what tells of these people.
    pub(super) fn without(mut self, keys: &BTreeSet<Key>) -> Self {
        self.some.retain(|key| !keys.contains(key));
        self.conflicts.retain(|known| !keys.contains(&known.key));
        self.conflicts.iter_mut().for_each(|known| known.rivals.retain(|rival| !keys.contains(&rival.key)));
        self.unobserved.retain(|key, _| !keys.contains(key));
        self.not_read_back.retain(|known| !keys.contains(&known.key));
        self.waiting.retain(|key| !keys.contains(key));
        self.replaced.retain(|known| !keys.contains(&known.key));
        self
    }

    /// What is open after a pass over everybody, or over these people alone.
    fn after(mut self, told: Told, people: Option<&BTreeSet<&Key>>, plan: &PipelinePlan) -> Self {
        let looked = |key: &Key| people.is_none_or(|people| people.contains(key));
        // Whoever is gone is told of without being in scope.
        let anew: BTreeSet<&Key> = plan.conflicts.iter().map(|conflict| &conflict.key).collect();
        self.conflicts.retain(|known| !looked(&known.key) && !anew.contains(&known.key));
        self.conflicts.extend(plan.conflicts.iter().map(|conflict| KnownConflict::new(conflict, &told)));
        self.conflicts.sort_by(|a, b| (&a.key, &a.kind).cmp(&(&b.key, &b.kind)));
        let unobserved: BTreeSet<&Key> = plan.unobserved.iter().collect();
        self.unobserved.retain(|key, _| !looked(key) && !unobserved.contains(key));
        for key in &plan.unobserved {
            *self.unobserved.entry(key.clone()).or_default() += 1;
        }
        self.not_read_back.retain(|known| !looked(&known.key));
        self.not_read_back.extend(plan.in_doubt.iter().map(|(kind, key)| KnownDoubt {
            kind: (*kind).to_owned(),
            key: key.clone(),
            at: told.at,
        }));
        self.waiting.retain(|key| !looked(key));
        self.waiting.extend(plan.waiting_for.iter().cloned());
        self.replaced.retain(|known| !looked(&known.key));
        self.replaced.extend(plan.replaced.iter().map(|(kind, key, remote)| KnownReplaced {
            kind: (*kind).to_owned(),
            key: key.clone(),
            remote: remote.clone(),
        }));
        match people {
            None => (self.whole, self.some) = (Some(told.clone()), BTreeSet::new()),
            Some(people) if self.whole.is_none() => self.some.extend(people.iter().map(|&key| key.clone())),
            Some(_) => {}
        }
        self.last = Some(told);
        self
    }
}

/// Remembers what a plan leaves open, in every pipeline that it read. A plan over everybody replaces all that was
/// remembered, any other what was of its `people`.
///
/// # Errors
/// [`PassError::Store`]
pub async fn remember(planner: &Planner, order: &Order, people: &[Key], plan: &Plan) -> Result<(), PassError> {
    let whole = order.scope.pick == Pick::Everything && order.scope.limit.is_none();
    let everybody = !matches!(order.scope.pick, Pick::Keys(_));
    let told = Told { run: order.run.clone(), at: order.at.as_millisecond() };
    let (directory, people) = (planner.store.clone(), (!whole).then(|| people.to_vec()));
    let plans: Vec<_> = plan.pipelines.iter().map(|(name, plan)| (*name, open(plan))).collect();
    let points = planner.points.clone();
    blocking(move || {
        let people: Option<BTreeSet<&Key>> = people.as_ref().map(|people| people.iter().collect());
        let people = people.as_ref();
        for (name, plan) in &plans {
            keep(&directory, name, told.clone(), people, plan)?;
            points.reached(Some(name), Point::Opened);
        }
        let sources = directory.sources()?;
        let mut read: SourcesRead = sources.meta(READ)?.unwrap_or_default();
        if everybody {
            read.everybody = Some(told.clone());
        }
        read.last = Some(told);
        Ok(sources.set_meta(READ, &read)?)
    })
    .await
}

/// Of a plan what is remembered; the rest of it may be large.
fn open(plan: &PipelinePlan) -> PipelinePlan {
    PipelinePlan {
        in_doubt: plan.in_doubt.clone(),
        unobserved: plan.unobserved.clone(),
        conflicts: plan.conflicts.clone(),
        waiting_for: plan.waiting_for.clone(),
        replaced: plan.replaced.clone(),
        ..PipelinePlan::default()
    }
}

fn keep(
    directory: &StoreDir,
    name: &str,
    told: Told,
    people: Option<&BTreeSet<&Key>>,
    plan: &PipelinePlan,
) -> Result<(), PassError> {
    let store = directory.pipeline(name)?;
    let open = recall(&store)?.after(told, people, plan);
    Ok(store.set_meta(OPEN, &open)?)
}

/// What the last passes left open, as a pipeline's file remembers it.
///
/// # Errors
/// [`PassError::Store`]
pub fn recall(store: &Store) -> Result<LeftOpen, PassError> {
    Ok(store.meta(OPEN)?.unwrap_or_default())
}

/// Who last read the sources, as their file remembers it.
///
/// # Errors
/// [`PassError::Store`]
pub fn sources_read(store: &Store) -> Result<SourcesRead, PassError> {
    Ok(store.meta(READ)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::{SEVERAL, SHARED};
    use crate::model::{Candidate, Rival};

    fn conflict(key: &str, code: &'static str) -> Conflict {
        let candidate = Candidate { remote: Remote { id: Some("1".into()), handle: None }, by: vec!["username"] };
        let rivals = vec![Rival { key: "other".into(), attribute: "mail" }];
        Conflict { kind: "account", key: key.into(), code, candidates: vec![candidate], rivals }
    }

    fn plan(conflicts: Vec<Conflict>, unobserved: &[&str]) -> PipelinePlan {
        let unobserved: Vec<Key> = unobserved.iter().map(|&key| key.into()).collect();
        let waiting_for = unobserved.clone();
        let in_doubt = unobserved.iter().map(|key| ("account", key.clone())).collect();
        let other = Remote { id: Some("2".into()), handle: None };
        let replaced = unobserved.iter().map(|key| ("account", key.clone(), other.clone())).collect();
        PipelinePlan { in_doubt, unobserved, conflicts, replaced, waiting_for, ..PipelinePlan::default() }
    }

    fn told(at: i64) -> Told {
        Told { run: format!("run-{at}"), at }
    }

    fn codes(open: &LeftOpen) -> Vec<(&str, &str, i64)> {
        open.conflicts.iter().map(|known| (known.key.as_str(), known.code.as_str(), known.told.at)).collect()
    }

    #[test]
    fn a_whole_pass_replaces_all_and_a_narrow_one_what_is_of_its_people() {
        let first = plan(vec![conflict("a", SEVERAL), conflict("b", SEVERAL)], &["a", "b", "b"]);
        let open = LeftOpen::default().after(told(1), None, &first);
        assert_eq!(codes(&open), [("a", SEVERAL, 1), ("b", SEVERAL, 1)]);
        assert_eq!(open.unobserved, [("a".into(), 1), ("b".into(), 2)].into());
        assert_eq!(open.conflicts[0].candidates[0].by, ["username"]);
        assert_eq!(open.conflicts[0].rivals[0].attribute, "mail");

        let (a, gone) = (Key::new("a"), conflict("gone", SHARED));
        let narrow = open.clone().after(told(2), Some(&[&a].into()), &plan(vec![gone], &[]));
        assert_eq!(codes(&narrow), [("b", SEVERAL, 1), ("gone", SHARED, 2)]);
        assert_eq!(narrow.unobserved, [("b".into(), 2)].into());
        assert_eq!((narrow.not_read_back.len(), narrow.waiting.len(), narrow.replaced.len()), (2, 1, 2));
        assert!(narrow.replaced.iter().all(|known| known.key.as_str() == "b"));
        assert_eq!((narrow.whole.as_ref(), narrow.last.as_ref()), (Some(&told(1)), Some(&told(2))));

        let again = narrow.after(told(3), None, &plan(Vec::new(), &[]));
        assert_eq!(again, LeftOpen { whole: Some(told(3)), last: Some(told(3)), ..LeftOpen::default() });
    }

    #[test]
    fn whoever_is_forgotten_is_told_of_nowhere() {
        let (a, b) = (Key::new("a"), Key::new("b"));
        let people: BTreeSet<&Key> = [&a, &b].into();
        let some = plan(vec![conflict("a", SEVERAL), conflict("b", SEVERAL)], &["a", "b"]);
        let open = LeftOpen::default().after(told(1), Some(&people), &some);
        assert_eq!(open.conflicts_of(&a).collect::<Vec<_>>(), [SEVERAL]);
        let text = |open: &LeftOpen| serde_json::to_string(open).unwrap();
        assert!(text(&open).contains("\"a\"") && text(&open).contains("\"other\""));
        let left = open.without(&[a.clone(), Key::new("other")].into());
        assert!(!text(&left).contains("\"a\"") && !text(&left).contains("\"other\""), "{}", text(&left));
        assert_eq!(left.conflicts_of(&b).count(), 1);
        assert!(left.looked(&b) && !left.looked(&a));
        assert_eq!((left.unobserved.len(), left.not_read_back.len(), left.waiting.len()), (1, 1, 1));
    }
}
