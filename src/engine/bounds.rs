//! Bounds: what of a record is in question. Pure.
//!
//! Both sides of a comparison are cut to the same bounds before digests are taken, so that whatever lies
//! outside neither counts as wanted nor as drift.

use std::collections::BTreeSet;

use reconcile_state::{AttributeId, Edit, Record, Schema, Value};

use crate::model::{Bounds, Element};
use crate::targets::port::Project;

/// Leaves out what is not in question.
pub fn cut(bounds: &Bounds, project: &dyn Project, schema: &Schema, record: &mut Record) {
    for id in &bounds.unasked {
        record.set(*id, Value::Text(String::new()));
    }
    retain(schema, record, |id, element| match (project.scope_of(schema.kind, id, element), &bounds.scopes) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(scope), Some(scopes)) => scopes.contains(scope),
    });
}

/// Puts what is remembered in the place of what is not in question: neither side forgets it.
pub fn carry(bounds: &Bounds, project: &dyn Project, schema: &Schema, record: &mut Record, known: &Record) {
    for id in &bounds.unasked {
        record.set(*id, known.get(*id).cloned().unwrap_or_else(|| Value::Text(String::new())));
    }
    let Some(scopes) = &bounds.scopes else { return };
    for attribute in schema.attributes().iter().filter(|attribute| attribute.ownership.is_scoped()) {
        let outside = |element: &&str| {
            project.scope_of(schema.kind, attribute.id, element).is_some_and(|scope| !scopes.contains(scope))
        };
        let more: BTreeSet<String> = known.elements(attribute.id).filter(outside).map(str::to_owned).collect();
        if !more.is_empty() {
            let all = record.elements(attribute.id).map(str::to_owned).chain(more).collect();
            record.set(attribute.id, Value::Set(all));
        }
    }
}

/// Leaves out elements that are there by another's hand and that nobody calls for.
pub fn leave_kept(schema: &Schema, record: &mut Record, kept: &BTreeSet<Element>, want: Option<&Record>) {
    if kept.is_empty() {
        return;
    }
    let called_for = |id: AttributeId, element: &str| {
        let wanted = want.and_then(|want| want.get(id)).and_then(Value::as_set);
        wanted.is_some_and(|wanted| wanted.contains(element))
    };
    retain(schema, record, |id, element| !kept.contains(&(id, element.to_owned())) || called_for(id, element));
}

/// Keeps those elements of scoped sets that `keeps` says.
fn retain(schema: &Schema, record: &mut Record, keeps: impl Fn(AttributeId, &str) -> bool) {
    for attribute in schema.attributes().iter().filter(|attribute| attribute.ownership.is_scoped()) {
        let Some(Value::Set(elements)) = record.get(attribute.id) else { continue };
        if elements.iter().all(|element| keeps(attribute.id, element)) {
            continue;
        }
        let kept = elements.iter().filter(|element| keeps(attribute.id, element)).collect();
        record.set(attribute.id, Value::Set(kept));
    }
}

/// The element that an edit puts into a set.
pub fn added(edit: &Edit) -> Option<Element> {
    match edit {
        Edit::Add { attribute, element } => Some((*attribute, element.clone())),
        _ => None,
    }
}

/// Those of the elements that a record calls for.
pub fn called_for(record: &Record, mut elements: BTreeSet<Element>) -> BTreeSet<Element> {
    elements.retain(|(id, element)| record.elements(*id).any(|wanted| wanted == element));
    elements
}
