//! Unsure: what rests on a memory that was lost and rebuilt from evidence is listed, not written. Pure.
//!
//! By whose hand a record is closed, and by whose the elements of a part are there, no evidence tells. So a closed record
//! is not opened unless the sources or the policy move it, and elements that were there when the part was first met again
//! are not taken away. Marks need nothing here: a first meeting adds what is missing and takes nothing, and what we took
//! away before the loss is nobody's to contest.

use std::collections::BTreeSet;

use reconcile_state::{Claim, Edit, Origin, Record, Schema, Standing};

use super::diff::{Facts, Want};
use crate::model::Element;

/// Whether what we did to a record was lost.
pub fn is_unsure(claim: Option<&Claim>) -> bool {
    claim.is_some_and(|claim| claim.origin == Origin::Rebuilt)
}

/// Elements of a part that may be there by another's hand: all that are there when it is met again.
pub fn elements(schema: &Schema, claim: Option<&Claim>, met: bool, have: &Record) -> BTreeSet<Element> {
    let Some(claim) = claim.filter(|claim| claim.origin == Origin::Rebuilt) else { return BTreeSet::new() };
    if !met {
        return claim.beside.others.clone();
    }
    let of = |id| have.elements(id).map(move |element| (id, element.to_owned()));
    schema.attributes().iter().flat_map(|attribute| of(attribute.id)).collect()
}

/// Takes out of what is to be done to a record what is only to be listed.
pub fn take(edits: &mut Vec<Edit>, elements: &BTreeSet<Element>, facts: &Facts<'_>) -> Vec<Edit> {
    if !is_unsure(facts.claim) {
        return Vec::new();
    }
    let moved = || {
        let Want::Record(want, ..) = facts.want else { return false };
        (facts.wanted_before)().is_some_and(|before| before.standing != want.standing)
    };
    let is_theirs = |edit: &mut Edit| match edit {
        Edit::Remove { attribute, element } => elements.contains(&(*attribute, element.clone())),
        Edit::Standing { to: Standing::Active } => !moved(),
        _ => false,
    };
    edits.extract_if(.., is_theirs).collect()
}
