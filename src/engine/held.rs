//! Held: values that no two records may have, and who has them now. Pure.
//!
//! Who calls for the same value as somebody else is told in `contest`; what comes of it for the order of
//! changes, in `order`.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Attribute, AttributeId, Edit, Key, Remote, Schema, Shape, Value};

use super::correlate::Found;
use super::observe::Observed;
use crate::model::{Action, Candidate, Change, Conflict, Rival};

/// Another record has the value, and nothing planned takes it away.
pub const VALUE_HELD: &str = "value-held";
/// Records are to take their values from each other in a circle.
pub const VALUE_SWAP: &str = "value-swap";

/// A record that has a value now.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Holder {
    remote: Remote,
    key: Option<Key>,
}

/// A value of a kind's attribute, in the form in which it is compared.
type Place = (&'static str, &'static str, AttributeId, Value);

/// Who has what changes are to give to others.
#[derive(Default)]
pub struct Held(BTreeMap<Place, Vec<Holder>>);

/// A change that is to give a record what another one has now.
pub struct Need<'h> {
    /// The change, by its place.
    pub taker: usize,
    /// The change that takes the value away from the other record, if there is one.
    pub giver: Option<usize>,
    attribute: &'static str,
    holder: &'h Holder,
}

/// The attributes of which two records can be in each other's way.
fn unique(schema: &Schema, id: AttributeId) -> Option<&Attribute> {
    schema.attribute(id).filter(|attribute| attribute.unique && !matches!(attribute.shape, Shape::Reference { .. }))
}

/// What an edit gives, where no two records may have it.
fn given<'s>(schema: &'s Schema, edit: &Edit) -> Option<(&'s Attribute, Value)> {
    let Edit::Set { attribute, to, .. } = edit else { return None };
    unique(schema, *attribute).map(|attribute| (attribute, attribute.comparable(to).into_owned()))
}

impl Held {
    /// Looks through what was read of a kind for what its changes are to give. `owner` tells whose a
    /// record is by what is remembered.
    pub fn look<'o>(
        &mut self,
        schema: &Schema,
        changes: &[Change],
        observed: &Observed,
        owner: &dyn Fn(&Remote) -> Option<&'o Key>,
    ) {
        let changes = changes.iter().filter(|change| change.pipeline == schema.pipeline && change.kind == schema.kind);
        let edits = changes.flat_map(|change| &change.edits);
        let given: BTreeSet<(AttributeId, Value)> =
            edits.filter_map(|edit| given(schema, edit)).map(|(attribute, value)| (attribute.id, value)).collect();
        if given.is_empty() {
            return;
        }
        let found = observed.correlated.found.iter();
        let whose: BTreeMap<usize, &Key> = found
            .filter_map(|(key, found)| if let Found::Present(at) = found { Some((*at, key)) } else { None })
            .collect();
        for (at, seen) in observed.seen.iter().enumerate() {
            for (id, value) in seen.record.attributes() {
                let Some(attribute) = unique(schema, *id) else { continue };
                let wanted = (*id, attribute.comparable(value).into_owned());
                if given.contains(&wanted) {
                    let key = whose.get(&at).copied().or_else(|| owner(&seen.remote)).cloned();
                    let holders = self.0.entry((schema.pipeline, schema.kind, wanted.0, wanted.1)).or_default();
                    holders.push(Holder { remote: seen.remote.clone(), key });
                }
            }
        }
        for holders in self.0.values_mut() {
            holders.sort_by(|a, b| (&a.key, &a.remote).cmp(&(&b.key, &b.remote)));
        }
    }

    /// Which changes can only land after which others, and which cannot land at all.
    pub fn needs(&self, changes: &[Change], schemas: &[Schema]) -> Vec<Need<'_>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let schema = |change: &Change| schemas.iter().find(|s| s.pipeline == change.pipeline && s.kind == change.kind);
        let mut moving: BTreeMap<(&str, &str, &Key, AttributeId), usize> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate().filter(|(_, change)| change.action != Action::Create) {
            for edit in &change.edits {
                if let Edit::Set { attribute, .. } | Edit::Clear { attribute, .. } = edit {
                    moving.insert((change.pipeline, change.kind, &change.key, *attribute), at);
                }
            }
        }
        let mut needs = Vec::new();
        for (taker, change) in changes.iter().enumerate() {
            let Some(schema) = schema(change) else { continue };
            for (attribute, value) in change.edits.iter().filter_map(|edit| given(schema, edit)) {
                let place = (change.pipeline, change.kind, attribute.id, value);
                let holders = self.0.get(&place).into_iter().flatten();
                let mine = |holder: &&Holder| change.remote.as_ref().is_some_and(|remote| remote.is(&holder.remote));
                for holder in holders.filter(|holder| !mine(holder)) {
                    let giver = holder.key.as_ref().and_then(|key| {
                        let at = *moving.get(&(change.pipeline, change.kind, key, attribute.id))?;
                        let other = &changes[at];
                        let same = other.remote.as_ref().is_some_and(|remote| remote.is(&holder.remote));
                        // Another spelling of the value is no other value.
                        let keeps = other.edits.iter().any(|edit| {
                            given(schema, edit).is_some_and(|(other, to)| other.id == attribute.id && to == place.3)
                        });
                        (same && !keeps).then_some(at)
                    });
                    needs.push(Need { taker, giver, attribute: attribute.name, holder });
                }
            }
        }
        needs
    }
}

/// The changes that cannot land whatever their order, by their places, and why.
pub fn blocked(changes: &[Change], needs: &[Need<'_>]) -> BTreeMap<usize, Conflict> {
    let mut stays: BTreeSet<usize> = BTreeSet::new();
    loop {
        // What is not written takes nothing away either.
        let stuck = |need: &&Need<'_>| need.giver.is_none_or(|giver| stays.contains(&giver));
        let more: BTreeSet<usize> = needs.iter().filter(stuck).map(|need| need.taker).collect();
        if more.len() == stays.len() {
            break;
        }
        stays = more;
    }
    let mut conflicts = BTreeMap::new();
    for need in needs.iter().filter(|need| need.giver.is_none_or(|giver| stays.contains(&giver))) {
        let conflict = conflicts.entry(need.taker).or_insert_with(|| conflict(&changes[need.taker], VALUE_HELD));
        tell(conflict, need);
        let remote = &need.holder.remote;
        if !conflict.candidates.iter().any(|candidate| candidate.remote == *remote) {
            conflict.candidates.push(Candidate { remote: remote.clone(), by: Vec::new() });
        }
        let mut same = conflict.candidates.iter_mut().filter(|candidate| candidate.remote == *remote);
        if let Some(candidate) = same.next().filter(|candidate| !candidate.by.contains(&need.attribute)) {
            candidate.by.push(need.attribute);
        }
    }
    // Whatever stands at an end can be done first or last; what has no end is a circle, or between two.
    let mut circle: Vec<&Need<'_>> = needs.iter().filter(|need| !stays.contains(&need.taker)).collect();
    loop {
        let takers: BTreeSet<usize> = circle.iter().map(|need| need.taker).collect();
        let givers: BTreeSet<usize> = circle.iter().filter_map(|need| need.giver).collect();
        let before = circle.len();
        circle.retain(|need| givers.contains(&need.taker) && need.giver.is_some_and(|giver| takers.contains(&giver)));
        if circle.len() == before {
            break;
        }
    }
    for need in circle {
        let conflict = conflicts.entry(need.taker).or_insert_with(|| conflict(&changes[need.taker], VALUE_SWAP));
        tell(conflict, need);
    }
    conflicts
}

fn conflict(change: &Change, code: &'static str) -> Conflict {
    Conflict { kind: change.kind, key: change.key.clone(), code, candidates: Vec::new(), rivals: Vec::new() }
}

fn tell(conflict: &mut Conflict, need: &Need<'_>) {
    conflict.rivals.extend(need.holder.key.iter().map(|key| Rival { key: key.clone(), attribute: need.attribute }));
    conflict.rivals.sort();
    conflict.rivals.dedup();
}
