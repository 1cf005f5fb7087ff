//! Edits: what to do to one attribute, one set element or the standing of a record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{AttributeId, Record, Standing, Value};
use crate::schema::{Attribute, Ownership, Schema};
use crate::texts::Texts;

/// One thing to do to a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Open or close the record.
    Standing {
        /// What it is to be.
        to: Standing,
    },
    /// Give an attribute a value.
    Set {
        /// The attribute.
        attribute: AttributeId,
        /// What the target held, if anything.
        from: Option<Value>,
        /// What it is to hold.
        to: Value,
    },
    /// Empty an attribute.
    Clear {
        /// The attribute.
        attribute: AttributeId,
        /// What the target held.
        from: Value,
    },
    /// Add an element to a set.
    Add {
        /// The set.
        attribute: AttributeId,
        /// The element.
        element: String,
    },
    /// Take an element out of a set.
    Remove {
        /// The set.
        attribute: AttributeId,
        /// The element, as the target spells it.
        element: String,
    },
}

impl Edit {
    /// The attribute it touches; `None` for the standing.
    pub fn attribute(&self) -> Option<AttributeId> {
        match self {
            Self::Standing { .. } => None,
            Self::Set { attribute, .. }
            | Self::Clear { attribute, .. }
            | Self::Add { attribute, .. }
            | Self::Remove { attribute, .. } => Some(*attribute),
        }
    }
}

/// All that a new record is given, in the order of its attributes; create-only and write-once included.
pub fn creation(schema: &Schema, desired: &Record) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (id, value) in desired.attributes() {
        match (schema.attribute(*id), value) {
            (None, _) => {}
            (Some(_), Value::Set(elements)) => {
                edits.extend(elements.iter().map(|e| Edit::Add { attribute: *id, element: e.to_owned() }));
            }
            (Some(_), value) => edits.push(Edit::Set { attribute: *id, from: None, to: value.clone() }),
        }
    }
    edits
}

/// What makes `observed` into `desired`, within what is ours: standing first, then attributes in the
/// order of their ids, removals of a set before its additions.
pub fn difference(schema: &Schema, desired: &Record, observed: &Record) -> Vec<Edit> {
    let mut edits = Vec::new();
    if desired.standing != observed.standing {
        edits.push(Edit::Standing { to: desired.standing });
    }
    for attribute in schema.attributes() {
        let managed = desired.standing == Standing::Active || attribute.while_disabled;
        if managed && attribute.ownership != Ownership::CreateOnly {
            compare(attribute, desired.get(attribute.id), observed.get(attribute.id), &mut edits);
        }
    }
    edits
}

fn compare(attribute: &Attribute, desired: Option<&Value>, observed: Option<&Value>, edits: &mut Vec<Edit>) {
    let id = attribute.id;
    if matches!(desired, Some(Value::Set(_))) || matches!(observed, Some(Value::Set(_))) {
        return compare_sets(attribute, desired, observed, edits);
    }
    match (desired, observed) {
        (Some(to), Some(from)) => {
            let differs = attribute.comparable(to) != attribute.comparable(from);
            if differs && attribute.ownership != Ownership::WriteOnce {
                edits.push(Edit::Set { attribute: id, from: Some(from.clone()), to: to.clone() });
            }
        }
        (Some(to), None) => edits.push(Edit::Set { attribute: id, from: None, to: to.clone() }),
        (None, Some(from)) if attribute.ownership == Ownership::Managed => {
            edits.push(Edit::Clear { attribute: id, from: from.clone() });
        }
        (None, _) => {}
    }
}

fn compare_sets(attribute: &Attribute, desired: Option<&Value>, observed: Option<&Value>, edits: &mut Vec<Edit>) {
    // By normal form, so that an element is neither removed nor added for its spelling.
    let forms = |value: Option<&Value>| -> BTreeMap<String, String> {
        let elements = value.and_then(Value::as_set).into_iter().flat_map(Texts::iter);
        elements.map(|e| (attribute.normal.form(e).into_owned(), e.to_owned())).collect()
    };
    let (wanted, held) = (forms(desired), forms(observed));
    let id = attribute.id;
    if attribute.ownership == Ownership::Managed || attribute.ownership.is_scoped() {
        let surplus = held.iter().filter(|(form, _)| !wanted.contains_key(*form));
        edits.extend(surplus.map(|(_, e)| Edit::Remove { attribute: id, element: e.clone() }));
    }
    if attribute.ownership == Ownership::WriteOnce && !held.is_empty() {
        return;
    }
    let missing = wanted.iter().filter(|(form, _)| !held.contains_key(*form));
    edits.extend(missing.map(|(_, e)| Edit::Add { attribute: id, element: e.clone() }));
}

/// Edits done to a record: what the target should hold afterwards.
pub fn perform(record: &mut Record, edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::Standing { to } => record.standing = *to,
            Edit::Set { attribute, to, .. } => record.set(*attribute, to.clone()),
            Edit::Clear { attribute, .. } => record.set(*attribute, Value::Text(String::new())),
            Edit::Add { attribute, element } => {
                let elements = record.elements(*attribute).chain([element.as_str()]).collect();
                record.set(*attribute, Value::Set(elements));
            }
            Edit::Remove { attribute, element } => {
                let elements = record.elements(*attribute).filter(|one| one != element).collect();
                record.set(*attribute, Value::Set(elements));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Normal;

    fn set(elements: &[&str]) -> Value {
        Value::Set(elements.iter().copied().collect())
    }

    fn schema(attributes: Vec<Attribute>) -> Schema {
        Schema::new("p", "k", 0, attributes).unwrap()
    }

    const A: AttributeId = AttributeId(1);

    #[test]
    fn spelling_within_the_normal_form_is_no_difference() {
        let schema = schema(vec![Attribute::text(1, "mail").normal(Normal::Folded)]);
        let (one, two) = (Record::new("k".into()).with(A, "Å@x.no"), Record::new("k".into()).with(A, "å@X.no "));
        assert_eq!(difference(&schema, &one, &two), []);
    }

    #[test]
    fn an_absent_desired_value_clears_only_what_is_managed() {
        let held = Record::new("k".into()).with(A, "x");
        let none = Record::new("k".into());
        for (ownership, edits) in
            [(Ownership::Managed, 1), (Ownership::CreateOnly, 0), (Ownership::WriteOnce, 0), (Ownership::AddOnly, 0)]
        {
            let schema = schema(vec![Attribute::text(1, "a").owned(ownership)]);
            assert_eq!(difference(&schema, &none, &held).len(), edits, "{ownership:?}");
        }
    }

    #[test]
    fn write_once_is_written_into_an_empty_place_only() {
        let schema = schema(vec![Attribute::text(1, "a").owned(Ownership::WriteOnce)]);
        let want = Record::new("k".into()).with(A, "new");
        assert_eq!(difference(&schema, &want, &Record::new("k".into())).len(), 1);
        assert_eq!(difference(&schema, &want, &Record::new("k".into()).with(A, "old")), []);
    }

    #[test]
    fn add_only_sets_never_lose_an_element() {
        let want = Record::new("k".into()).with(A, set(&["a", "b"]));
        let held = Record::new("k".into()).with(A, set(&["b", "c"]));
        let add = Edit::Add { attribute: A, element: "a".into() };
        let add_only = schema(vec![Attribute::set(1, "s").owned(Ownership::AddOnly)]);
        assert_eq!(difference(&add_only, &want, &held), std::slice::from_ref(&add));
        let managed = schema(vec![Attribute::set(1, "s")]);
        assert_eq!(difference(&managed, &want, &held), [Edit::Remove { attribute: A, element: "c".into() }, add]);
    }

    #[test]
    fn a_disabled_record_keeps_its_other_attributes() {
        let schema = schema(vec![Attribute::text(1, "a"), Attribute::text(2, "b").while_disabled()]);
        let want = Record::new("k".into()).standing(Standing::Disabled);
        let held = Record::new("k".into()).with(A, "x").with(AttributeId(2), "y");
        let edits = difference(&schema, &want, &held);
        assert_eq!(edits.len(), 2, "standing and the attribute managed while disabled: {edits:?}");
    }
}
