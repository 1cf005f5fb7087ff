//! Parts: records that are there with their whole, such as the enrolments of an account. Read in one go for
//! many wholes, never correlated by themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use reconcile_state::store::Store;
use reconcile_state::trust::{Doubt, Trust};
use reconcile_state::{Applied, Claim, Key, Origin, Record, Remote, Schema, Value};

use super::correlate::Found;
use super::error::PassError;
use super::observe::Observed;
use super::point::Point;
use super::progress::{Progress, Step};
use crate::model::{Element, TargetError};
use crate::targets::port::{Ask, Observer, Parts, Seen};

/// The part of one whole, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its sets, all that the reader shows of them.
    pub record: Record,
    /// Elements by another's hand, or of which the reading does not tell.
    pub kept: BTreeSet<Element>,
}

/// What was read of one kind of parts.
#[derive(Clone, Debug, Default)]
pub struct ObservedParts {
    /// By the whole's key; a whole that is not here has nothing in the scopes that were read.
    pub parts: BTreeMap<Key, Part>,
    /// Scopes that are there and were read.
    pub read: Arc<BTreeSet<String>>,
    /// Scopes that are there and were not.
    pub unread: BTreeSet<String>,
    /// Elements that are nobody's of the wholes, or in scopes that are not ours.
    pub strangers: u64,
    /// Whether the reading does not tell by whose hand elements are there.
    pub silent: bool,
    /// Whether the reading came to its end.
    pub trust: Trust,
    /// What went wrong, if anything. Where nothing at all was read no scope is known either.
    pub failure: Option<TargetError>,
}

impl ObservedParts {
    /// Whether anything can be said: without it not even which scopes there are is known.
    pub fn is_blind(&self) -> bool {
        self.failure.is_some() && self.read.is_empty() && self.unread.is_empty()
    }
}

/// Reads the parts of these wholes. A reading that breaks off counts for the scopes that it read.
pub async fn read(observer: &Observer, kind: &'static str, asked: Parts, progress: &dyn Progress) -> ObservedParts {
    let owners = Owners::new(&asked.wholes);
    let total = asked.wholes.len() as u64;
    let mut observed = ObservedParts::default();
    let mut scopes = BTreeSet::new();
    let mut whole = false;
    let mut pages = observer.reader.observe(kind, Ask::Parts(asked));
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                observed.failure = Some(error);
                break;
            }
        };
        whole |= page.end.is_some();
        scopes.extend(page.read);
        observed.unread.extend(page.unread);
        observed.strangers += page.strangers;
        observed.silent |= page.silent;
        for seen in page.seen {
            let Some(key) = owners.key(&seen.remote) else { continue };
            add(&mut observed.parts, key, seen);
        }
        progress.tell(Some(observer.name), Step::Observe(kind), observed.parts.len() as u64, Some(total));
    }
    drop(pages);
    progress.tell(Some(observer.name), Step::Observe(kind), total, Some(total));
    // Read half is not read.
    scopes.retain(|scope| !observed.unread.contains(scope));
    observed.read = Arc::new(scopes);
    let name = observer.name;
    if let Some(error) = &observed.failure {
        let left = match observed.unread.len() {
            0 => format!("{name}: the {kind} could not be read ({})", error.code),
            some => format!("{name}: the {kind} of {some} scopes could not be read ({})", error.code),
        };
        observed.trust.doubts.push(Doubt::new("parts-unread", format!("{left}; there nothing is written")));
    } else if !whole {
        let message = format!("{name}: the reading of {kind} ended before its end was confirmed");
        observed.trust.doubts.push(Doubt::new("listing-incomplete", message));
        observed.unread.extend(std::mem::take(&mut observed.read).iter().cloned());
    }
    observed
}

/// One whole may be shown on several pages, course by course.
fn add(parts: &mut BTreeMap<Key, Part>, key: &Key, seen: Seen) {
    let part =
        parts.entry(key.clone()).or_insert_with(|| Part { record: Record::new(key.clone()), kept: BTreeSet::new() });
    for (id, value) in seen.record.into_attributes() {
        let Value::Set(more) = value else { continue };
        let all = match part.record.get(id).and_then(Value::as_set) {
            Some(known) => known.iter().chain(more.iter()).collect(),
            None => more,
        };
        part.record.set(id, Value::Set(all));
    }
    part.kept.extend(seen.kept);
}

/// Whose a part is by its whole's id, or by the name under which the whole was seen.
struct Owners {
    by_id: HashMap<String, Key>,
    by_handle: HashMap<String, Key>,
}

impl Owners {
    fn new(wholes: &[(Key, Remote)]) -> Self {
        let named = |name: fn(&Remote) -> &Option<String>| {
            let pairs = wholes.iter().filter_map(|(key, remote)| Some((name(remote).clone()?, key.clone())));
            pairs.collect::<HashMap<_, _>>()
        };
        Self { by_id: named(|remote| &remote.id), by_handle: named(|remote| &remote.handle) }
    }

    fn key(&self, remote: &Remote) -> Option<&Key> {
        let by_id = remote.id.as_ref().and_then(|id| self.by_id.get(id));
        by_id.or_else(|| remote.handle.as_ref().and_then(|handle| self.by_handle.get(handle)))
    }
}

/// The wholes that were found, each as it was seen and as it is remembered.
pub fn wholes(observed: &Observed, remembered: &dyn Fn(&Key) -> Option<Remote>) -> Vec<(Key, Remote)> {
    let found = observed.correlated.found.iter().filter_map(|(key, found)| match found {
        Found::Present(at) => Some((key, &observed.seen[*at].remote)),
        Found::Ambiguous(..) => None,
    });
    let known = |key: &Key, seen: &Remote| {
        let before = remembered(key).filter(|before| before.is(seen));
        before.map_or_else(|| seen.clone(), |before| before.refreshed(seen))
    };
    found.map(|(key, seen)| (key.clone(), known(key, seen))).collect()
}

/// Remembers of wholes that were just made that their parts were empty then: whatever stands there later is no
/// stranger's state that is met for the first time. Before the outcome of the creation is recorded, so that no crash
/// leaves a whole that is remembered without its parts; until then nothing follows from it.
///
/// # Errors
/// [`PassError::Store`]
pub fn begin_empty(
    store: &Store,
    kinds: &[Schema],
    whole: &str,
    made: &[(Key, Remote)],
    reached: &impl Fn(Point),
) -> Result<(), PassError> {
    for schema in kinds.iter().filter(|schema| schema.part_of == Some(whole)) {
        let empty = |(key, _): &(Key, Remote)| {
            let record = Record::new(key.clone());
            let digest = store.digester().record(schema, &record);
            (Applied { wanted: digest, seen: digest }, record)
        };
        let claim = |(key, remote): &(Key, Remote)| (key.clone(), Some(Claim::new(remote.clone(), Origin::Created)));
        store.put_applied(schema.kind, &made.iter().map(empty).collect::<Vec<_>>())?;
        reached(Point::EmptiedApplied);
        store.put_claims(schema.kind, &made.iter().map(claim).collect())?;
    }
    Ok(())
}
