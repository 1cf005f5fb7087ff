//! What edits refer to: a record that neither exists nor is about to be made is waited for, as `order` has it.

use std::collections::BTreeMap;

use reconcile_state::{Edit, Key, Schema, Shape, Value};

use super::weigh::Weighed;
use super::{Explainer, Next};
use crate::engine::error::PassError;
use crate::model::Action;

impl Explainer {
    /// Takes out of the changes to come whatever waits for another record.
    pub(super) fn refer(&self, key: &Key, weighed: &mut BTreeMap<&'static str, Vec<Weighed>>) -> Result<(), PassError> {
        let mut others: BTreeMap<Key, BTreeMap<&'static str, Vec<Weighed>>> = BTreeMap::new();
        others.insert(key.clone(), weighed.clone());
        for one in weighed.values_mut().flatten() {
            let Next::Change(change) = &mut one.next else { continue };
            let mut kept = Vec::with_capacity(change.edits.len());
            for edit in std::mem::take(&mut change.edits) {
                let waits = match target(&one.schema, &edit) {
                    Some((pipeline, kind, key)) => !self.is_to_be(pipeline, kind, &key, &mut others)?,
                    None => false,
                };
                if waits { &mut one.waiting } else { &mut kept }.push(edit);
            }
            change.edits = kept;
            if change.edits.is_empty() && change.action != Action::Create {
                one.next = Next::Nothing;
            }
        }
        Ok(())
    }

    /// Whether a record exists and its id is remembered, or the next pass makes it.
    fn is_to_be(
        &self,
        pipeline: &'static str,
        kind: &str,
        key: &Key,
        others: &mut BTreeMap<Key, BTreeMap<&'static str, Vec<Weighed>>>,
    ) -> Result<bool, PassError> {
        let Some(one) = self.pipelines.get(pipeline) else { return Ok(false) };
        let claim = one.explaining.store.as_ref().map(|store| store.claim_of(kind, key)).transpose()?.flatten();
        if claim.is_some_and(|claim| claim.remote.id.is_some()) {
            return Ok(true);
        }
        if !others.contains_key(key) {
            others.insert(key.clone(), self.weigh(key, self.person(key)?.as_ref())?);
        }
        let theirs = others.get(key).and_then(|weighed| weighed.get(pipeline)).into_iter().flatten();
        // Made, or met and remembered before the first write.
        let made = |next: &Next| matches!(next, Next::Change(_) | Next::Link(_));
        Ok(theirs.filter(|one| one.schema.kind == kind).any(|one| made(&one.next)))
    }
}

/// The record an edit refers to.
fn target(schema: &Schema, edit: &Edit) -> Option<(&'static str, &'static str, Key)> {
    let Edit::Set { attribute, to: Value::Reference(key), .. } = edit else { return None };
    match schema.attribute(*attribute)?.shape {
        Shape::Reference { pipeline, kind } => Some((pipeline, kind, key.clone())),
        _ => None,
    }
}
