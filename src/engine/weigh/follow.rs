//! Follow: what is said of a record because of others waits for them, and for no more than them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{AttributeId, Edit, Schema};

use crate::model::{Address, Outlook};
use crate::targets::port::Project;

/// Edits by the records whose changes must land first; those that wait for none come first. One pipeline that
/// was refused does not hold up what follows from another.
pub fn split(
    project: &dyn Project,
    schema: &Schema,
    outlooks: &[Outlook],
    edits: Vec<Edit>,
) -> BTreeMap<BTreeSet<Address>, Vec<Edit>> {
    let after = |edit: &Edit| {
        let concerned = outlooks.iter().find(|outlook| match edit {
            Edit::Add { attribute, element } | Edit::Remove { attribute, element } => {
                project.scope_of(schema.kind, *attribute, element) == Some(outlook.mark.entitlement)
            }
            _ => edit.attribute() == Some(AttributeId(outlook.mark.number)),
        });
        concerned.map(|outlook| outlook.after.clone()).unwrap_or_default()
    };
    let mut groups: BTreeMap<BTreeSet<Address>, Vec<Edit>> = BTreeMap::new();
    if edits.is_empty() {
        groups.insert(BTreeSet::new(), edits);
        return groups;
    }
    for edit in edits {
        groups.entry(after(&edit)).or_default().push(edit);
    }
    groups
}
