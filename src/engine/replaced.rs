//! Replaced: records that bear a remembered name and are others than the ones remembered. They are met for the
//! first time by the next pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use reconcile_state::{Claim, Key, Origin, Remote};

use super::blocking::blocking;
use super::error::PassError;
use super::lane::{Lane, Settled};
use super::observe::{Look, look};
use super::point::Point;
use crate::model::pass::Fate;
use crate::model::{Anchor, Bounds, Change, ErrorKind};

/// Takes in that a record is another than the one that is remembered.
///
/// # Errors
/// [`PassError::Store`]
pub async fn meet_anew(lane: &Lane<'_>, kind: &'static str, found: BTreeMap<Key, Remote>) -> Result<(), PassError> {
    let parts = lane.observer.project.kinds().iter().filter(|schema| schema.part_of == Some(kind));
    let parts: Vec<&'static str> = parts.map(|schema| schema.kind).collect();
    let store = lane.memory.store.clone();
    let (points, name) = (Arc::clone(lane.points), lane.observer.name);
    blocking(move || {
        let reached = |point| points.reached(Some(name), point);
        let keys: Vec<Key> = found.keys().cloned().collect();
        let claims = found.into_iter().map(|(key, remote)| (key, Some(Claim::new(remote, Origin::Adopted)))).collect();
        store.forget_applied(kind, &keys)?;
        reached(Point::ReplacedForgotten);
        store.put_claims(kind, &claims)?;
        reached(Point::ReplacedClaimed);
        for part in parts {
            store.forget_applied(part, &keys)?;
            reached(Point::ReplacedForgotten);
            store.put_claims(part, &keys.iter().map(|key| (key.clone(), None)).collect())?;
            reached(Point::ReplacedClaimed);
        }
        Ok(())
    })
    .await
}

/// After a wave: where the target did not take the change of a part, the whole may have been replaced behind a
/// name that a listing without ids still shows. Then its id is another.
///
/// # Errors
/// [`PassError::Store`]; what cannot be looked up is tried again by a later pass.
pub async fn look_for_replaced(lane: &Lane<'_>, settled: &[Settled]) -> Result<(), PassError> {
    let refused = |fate: &Fate| match fate {
        Fate::Failed(error) => matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound),
        _ => false,
    };
    for whole in lane.observer.project.kinds() {
        let is_part = |change: &Change| lane.schema(change.kind).is_some_and(|one| one.part_of == Some(whole.kind));
        let failed = settled.iter().map(|(done, _)| done).filter(|done| is_part(&done.change) && refused(&done.fate));
        let named = failed.filter_map(|done| {
            let known = lane.memory.claim(whole.kind, &done.change.key)?;
            let handle = known.remote.handle.clone().filter(|_| known.remote.id.is_some())?;
            let remembered = Some(Remote { id: None, handle: Some(handle) });
            Some(Anchor { key: done.change.key.clone(), remembered, matches: Vec::new() })
        });
        let anchors: Vec<Anchor> = named.collect();
        let mut found = BTreeMap::new();
        for some in anchors.chunks(lane.observer.terms.chunk.max(1)) {
            let bounds = |_: &Key| Bounds::default();
            let Ok(looks) = look(lane.observer, whole, lane.memories, lane.memory, some, &bounds).await else { break };
            for (key, look) in looks {
                let Some(Look::Present(_, _, remote)) = look else { continue };
                let known = lane.memory.claim(whole.kind, &key).and_then(|claim| claim.remote.id.as_ref());
                if known.is_some() && remote.id.is_some() && known != remote.id.as_ref() {
                    found.insert(key, remote);
                }
            }
        }
        if !found.is_empty() {
            meet_anew(lane, whole.kind, found).await?;
        }
    }
    Ok(())
}
