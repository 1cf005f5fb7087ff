//! What a pass leaves in memory beside claims: what was last applied, seen and carried through, what the next readings
//! and passes are held against, and the copies that a lost file is made from again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reconcile_state::journal::{Entry, Landing};
use reconcile_state::store::{Scope, Side, Store, StoreDir};
use reconcile_state::{Claim, Digest, Key};
use serde_json::Value;

use super::ending::{KINDS, SOURCES, differ};
use super::stage::Stage;

/// Values by name: of the sources, and of each pipeline.
const OF_SOURCES: [&str; 3] = ["figures Portal LDAP", "figures MetaVault", "semesters"];
const OF_PIPELINE: [&str; 4] = ["identity", "first load", "population", "contradicted"];
/// What was written lately, by pipeline.
type Windows = BTreeMap<&'static str, BTreeMap<String, u64>>;
/// How often what was sent of which record, or may have been: by pipeline, kind, key and action.
type Sent = BTreeMap<(&'static str, String, Key, String), u64>;

/// Everything of it that does not depend on when it was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Rows of digests and values, by name.
    rows: BTreeMap<String, String>,
    /// Claims on a former target's records.
    aside: BTreeSet<String>,
    windows: Windows,
    sent: Sent,
}

impl Remembered {
    /// Looks at the stores that were copied there, and holds the copies of the claims against the claims.
    pub fn of(stage: &Stage, (stores, copy): (&BTreeMap<&'static str, Store>, &Path), since: i64, told: &str) -> Self {
        let copy = copy.join("store");
        are_copied(stores, &copy, told);
        let mut aside = BTreeSet::new();
        for file in fs::read_dir(copy.join("claims")).unwrap().map(Result::unwrap) {
            if file.file_name().to_str().unwrap().contains("-before-") {
                aside.extend(fs::read_to_string(file.path()).unwrap().lines().map(str::to_owned));
            }
        }
        let pipelines = || stores.iter().filter(|(name, _)| **name != SOURCES).map(|(name, store)| (*name, store));
        Self {
            rows: rows(stores, &people(stage)),
            aside,
            windows: pipelines().map(|(name, store)| (name, window(store, &format!("{told}: {name}")))).collect(),
            sent: pipelines().flat_map(|(name, store)| sent(name, store, since)).collect(),
        }
    }

    /// Leaves out what only a reading of everybody moves.
    pub fn narrow(&mut self) {
        let whole = |name: &str| name.ends_with(" population") || name.contains("figures") || name.contains("Observed");
        self.rows.retain(|name, _| !whole(name));
    }

    /// Leaves the windows out: what an approved plan wrote does not count there, and what is left of it after a crash does.
    pub fn approved(&mut self) {
        self.windows.clear();
    }

    /// Holds it against how it should be.
    #[track_caller]
    pub fn is(&self, right: &Self, told: &str) {
        differ(&self.rows, &right.rows, told, "row");
        assert_eq!(self.aside, right.aside, "{told}: claims on a former target's records");
        for (pipeline, right_window) in &right.windows {
            let window = &self.windows[pipeline];
            // What may have been sent before a pass was cut off counts, and once more where it is sent again.
            let times = |of: &Self, action: &str| {
                let mine = of.sent.iter().filter(|((name, .., sent), _)| name == pipeline && sent == action);
                mine.map(|(_, times)| times).sum::<u64>()
            };
            let count = |of: &BTreeMap<String, u64>, classes: &[&str]| {
                classes.iter().filter_map(|class| of.get(*class)).sum::<u64>()
            };
            for (action, classes) in [("create", &["creates", "lost"][..]), ("disable", &["disables"])] {
                let again = times(self, action) - times(right, action).min(times(self, action));
                assert_eq!(
                    count(window, classes),
                    count(right_window, classes) + again,
                    "{told}: {pipeline}: {classes:?} of the window, {again} were sent again: {window:?} {right_window:?}"
                );
            }
            let mine = |of: &Self| -> Sent {
                let mine = of.sent.iter().filter(|((name, ..), _)| name == pipeline);
                mine.map(|(of, times)| (of.clone(), *times)).collect()
            };
            let (mine, all) = (mine(self), mine(right));
            if mine == all {
                assert_eq!(window, right_window, "{told}: {pipeline}: the window");
            } else if all.iter().all(|(of, times)| mine.get(of) >= Some(times)) {
                let less = |class: &&String| window.get(*class) < right_window.get(*class);
                let less: Vec<_> = right_window.keys().filter(less).collect();
                assert!(less.is_empty(), "{told}: {pipeline}: {less:?} of the window: {window:?} {right_window:?}");
            }
        }
    }
}

/// The files of a store, copied aside: whoever is started meanwhile has ours open for a moment, and with them the lock.
pub fn stores(stage: &Stage, aside: &Path) -> BTreeMap<&'static str, Store> {
    stage.copy_store(aside);
    let dir = StoreDir::open(aside.join("store"), [0; 32]).unwrap();
    let pipelines = ["moodle", "portal"].map(|name| (name, dir.pipeline(name).unwrap()));
    pipelines.into_iter().chain([(SOURCES, dir.sources().unwrap())]).collect()
}

fn people(stage: &Stage) -> BTreeSet<Key> {
    let all = stage.directory.snapshot();
    all.entries().filter_map(|entry| Some(Key::new(entry.text("idautoID")?.to_lowercase()))).collect()
}

fn rows(stores: &BTreeMap<&'static str, Store>, people: &BTreeSet<Key>) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for (&name, store) in stores {
        let of_file = if name == SOURCES { &OF_SOURCES[..] } else { &OF_PIPELINE };
        for value in of_file {
            let held: Option<Value> = store.meta(value).unwrap();
            rows.insert(format!("{name} {value}"), format!("{held:?}"));
        }
        let digester = store.digester();
        let who: BTreeMap<Digest, &Key> = people.iter().map(|key| (digester.key(key), key)).collect();
        // Of whoever is gone it does not matter what the target last showed.
        let mut row = |what: String, key: Digest, held: String| {
            let Some(key) = who.get(&key) else { return };
            rows.insert(format!("{name} {what} {key}"), held);
        };
        let kinds = KINDS.iter().filter(|(pipeline, _)| *pipeline == name).map(|(_, kind)| *kind);
        for kind in kinds {
            for (key, pair) in store.applied(kind).unwrap().iter() {
                row(format!("applied {kind}"), key, format!("{pair:?}"));
            }
        }
        let sides =
            KINDS.iter().filter(|(pipeline, _)| *pipeline == name).map(|(_, kind)| Scope::new(kind, Side::Observed));
        let said = ["directory", "vault"].map(|kind| Scope::new(kind, Side::Source));
        let through = Scope::new("person", Side::Processed);
        let scopes: Vec<_> = if name == SOURCES { said.into() } else { sides.chain([through]).collect() };
        for scope in scopes {
            for (key, held) in store.digests(scope).unwrap().iter() {
                row(format!("{scope:?}"), key, held.to_string());
            }
        }
    }
    rows
}

/// What is copied of the claims is what is remembered, and it is known how many those are.
fn are_copied(stores: &BTreeMap<&'static str, Store>, dir: &Path, told: &str) {
    let mut counts = BTreeMap::new();
    for (&name, store) in stores.iter().filter(|(name, _)| **name != SOURCES) {
        let text = fs::read_to_string(dir.join(format!("claims/{name}.jsonl"))).unwrap_or_default();
        let copied: BTreeMap<(String, String), Claim> = text
            .lines()
            .map(|line| {
                let mut line: Value = serde_json::from_str(line).unwrap();
                let claim = serde_json::from_value(line["claim"].take()).unwrap();
                let text = |field: &str| line[field].as_str().unwrap().to_owned();
                ((text("kind"), text("key")), claim)
            })
            .collect();
        let mut held = BTreeMap::new();
        for (_, kind) in KINDS.iter().filter(|(pipeline, _)| *pipeline == name) {
            let claims = store.claims(kind).unwrap();
            held.extend(claims.into_iter().map(|(key, claim)| (((*kind).to_owned(), key.to_string()), claim)));
        }
        differ(&copied, &held, told, "copied claim");
        counts.insert(name.to_owned(), held.len().to_string());
    }
    let text = fs::read_to_string(dir.join("claimed")).unwrap_or_default();
    let counted = text.lines().filter_map(|line| line.split_once(' '));
    let counted = counted.map(|(name, count)| (name.to_owned(), count.to_owned())).collect();
    differ(&counted, &counts, told, "number of claims");
}

/// What the guard holds the next pass against, all hours together.
fn window(store: &Store, told: &str) -> BTreeMap<String, u64> {
    let held: Option<Value> = store.meta("spent").unwrap();
    let held = held.unwrap_or_default();
    assert_eq!(held["under_way"], Value::Null, "{told}: a pass is still under way");
    let mut sums = BTreeMap::new();
    for (class, count) in
        held["hours"].as_array().into_iter().flatten().filter_map(|hour| hour["wrote"].as_object()).flatten()
    {
        *sums.entry(class.clone()).or_default() += count.as_u64().unwrap();
    }
    sums
}

/// What was sent since, and what nobody knows of whether it was; each change once a run.
fn sent(name: &'static str, store: &Store, since: i64) -> Sent {
    let journal = store.journal(1, usize::MAX).unwrap();
    let failed: BTreeSet<u64> = journal
        .iter()
        .filter_map(|(_, entry)| match entry {
            Entry::Outcome(one) if matches!(one.landing, Landing::Failed { .. }) => Some(one.intent),
            _ => None,
        })
        .collect();
    let (mut sent, mut known) = (Sent::new(), BTreeSet::new());
    for (number, entry) in journal {
        let Entry::Intent(one) = entry else { continue };
        if one.at >= since && !failed.contains(&number) && known.insert((one.run, one.change)) {
            *sent.entry((name, one.kind, one.key, one.action)).or_default() += 1;
        }
    }
    sent
}
