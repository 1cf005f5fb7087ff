//! What is to be done with each record, in a form in which plans and explanations can be compared.

use std::collections::BTreeMap;

use reconcile::engine::{KindExplained, Next};
use reconcile::model::{Action, Plan};
use reconcile_state::{Edit, Key};

/// Changes by record: what is split for the order of a plan is one.
pub type Changes = BTreeMap<(&'static str, &'static str, Key), (Action, Vec<Edit>)>;

/// What an explanation says will be done.
pub fn would_do(one: &KindExplained) -> Option<(Action, Vec<Edit>)> {
    let Next::Change(change) = &one.next else { return None };
    let mut edits = change.edits.clone();
    edits.sort();
    Some((change.action, edits))
}

/// What a plan holds.
pub fn by_record(plan: &Plan) -> Changes {
    let mut planned = Changes::new();
    for change in &plan.changes {
        let place = (change.pipeline, change.kind, change.key.clone());
        let one = planned.entry(place).or_insert((change.action, Vec::new()));
        if change.action == Action::Create {
            one.0 = Action::Create;
        }
        one.1.extend(change.edits.clone());
        one.1.sort();
    }
    planned
}
