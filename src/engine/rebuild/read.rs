//! What a target shows of one kind: all of it, or nothing counts.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::StreamExt;

use crate::model::pass::Event;
use crate::model::{Anchor, TargetError};
use crate::targets::port::{Ask, End, Observer, Page, Seen};

/// A reading that did not come to its end, or does not add up.
pub const EVIDENCE_INCOMPLETE: &str = "EVIDENCE_INCOMPLETE";

/// Reads all records of a kind, or those that these anchors mean where they cannot be listed. Records that the
/// directory names and the list does not show under their ids are looked up directly.
pub async fn read(observer: &Observer, kind: &'static str, anchors: &[Anchor]) -> Result<Vec<Seen>, Event> {
    if !observer.terms.listable {
        return look_up(observer, kind, anchors).await;
    }
    let (mut seen, mut end): (Vec<Seen>, Option<End>) = (Vec::new(), None);
    for page in ask(observer, kind, Ask::All).await? {
        seen.extend(page.seen);
        end = end.or(page.end);
    }
    let Some(end) = end else { return Err(incomplete(observer, &format!("the list of {kind} has no end"))) };
    if end.total.is_some_and(|total| total != seen.len() as u64) {
        return Err(incomplete(observer, &format!("the list of {kind} shows fewer or more than the target counts")));
    }
    let mut met = BTreeSet::new();
    if !seen.iter().all(|one| met.insert(one.remote.clone())) {
        return Err(incomplete(observer, &format!("the list of {kind} shows a record twice")));
    }
    let shown: HashSet<&str> = seen.iter().filter_map(|one| one.remote.id.as_deref()).collect();
    let nameless = shown.len() < seen.len();
    let is_shown = |anchor: &Anchor| {
        let id = anchor.remembered.as_ref().and_then(|remote| remote.id.as_deref());
        id.is_none_or(|id| shown.contains(id))
    };
    let missing: Vec<Anchor> = anchors.iter().filter(|anchor| nameless || !is_shown(anchor)).cloned().collect();
    let nearer = look_up(observer, kind, &missing).await?;
    merge(&mut seen, nearer);
    Ok(seen)
}

/// Gives records that the list showed by name alone the ids that a look-up showed, and adds what it did not show.
fn merge(seen: &mut Vec<Seen>, nearer: Vec<Seen>) {
    let nameless = seen.iter().enumerate().filter(|(_, one)| one.remote.id.is_none());
    let by_handle: HashMap<String, usize> =
        nameless.filter_map(|(at, one)| Some((one.remote.handle.clone()?, at))).collect();
    let mut shown: HashSet<String> = seen.iter().filter_map(|one| one.remote.id.clone()).collect();
    for new in nearer {
        match new.remote.handle.as_ref().and_then(|handle| by_handle.get(handle)) {
            Some(at) => seen[*at].remote = seen[*at].remote.refreshed(&new.remote),
            None if new.remote.id.as_ref().is_none_or(|id| shown.insert(id.clone())) => seen.push(new),
            None => {}
        }
    }
}

async fn look_up(observer: &Observer, kind: &'static str, anchors: &[Anchor]) -> Result<Vec<Seen>, Event> {
    let (mut seen, mut met): (Vec<Seen>, BTreeSet<_>) = (Vec::new(), BTreeSet::new());
    for some in anchors.chunks(observer.terms.chunk.max(1)) {
        let mut left: BTreeSet<_> = some.iter().map(|anchor| &anchor.key).collect();
        for page in ask(observer, kind, Ask::These(some.to_vec())).await? {
            left.retain(|key| !page.covered.contains(key));
            seen.extend(page.seen.into_iter().filter(|one| met.insert(one.remote.clone())));
        }
        if !left.is_empty() {
            return Err(incomplete(observer, &format!("{} {kind} could not be looked up", left.len())));
        }
    }
    Ok(seen)
}

async fn ask(observer: &Observer, kind: &'static str, ask: Ask) -> Result<Vec<Page>, Event> {
    let mut pages = observer.reader.observe(kind, ask);
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        all.push(page.map_err(|error| failed(observer, &error))?);
    }
    Ok(all)
}

fn failed(observer: &Observer, error: &TargetError) -> Event {
    let message = format!("{}; nothing is derived from half a reading", error.message);
    Event { code: error.code.clone(), ..incomplete(observer, &message) }
}

/// Why nothing is derived.
pub fn incomplete(observer: &Observer, what: &str) -> Event {
    Event {
        code: EVIDENCE_INCOMPLETE.to_owned(),
        pipeline: Some(observer.name),
        step: "rebuild",
        key: None,
        message: what.to_owned(),
    }
}
