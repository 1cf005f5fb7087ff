//! What came of a write.

use reconcile_state::{Edit, Remote};

use super::change::{Change, ChangeId};
use super::error::TargetError;

/// A change on its way to the target, with all that claims know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready {
    /// The change.
    pub change: Change,
    /// The ids at their targets of the records that its references name, by the reference's attribute: two of
    /// them may name one person's records at different targets.
    pub references: std::collections::BTreeMap<reconcile_state::AttributeId, String>,
}

/// Changes that share one real request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// What the request is called in logs: the target's own function or path, without values.
    pub request: &'static str,
    /// Never empty; never two that depend on each other.
    pub changes: Vec<Ready>,
}

/// What came of one change of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The change.
    pub id: ChangeId,
    /// Edits the target accepted.
    pub landed: Vec<Edit>,
    /// Edits it did not, with the reason; empty where all landed. What is in neither list is unknown.
    pub failed: Vec<(Edit, TargetError)>,
    /// Why the change as a whole did not land.
    pub error: Option<TargetError>,
    /// What identifies the record from now on, where the answer tells.
    pub remote: Option<Remote>,
}

impl Outcome {
    /// Everything landed.
    pub fn landed(change: &Change, remote: Option<Remote>) -> Self {
        Self { id: change.id, landed: change.edits.clone(), failed: Vec::new(), error: None, remote }
    }

    /// The change failed as a whole.
    pub fn failed(change: &Change, error: TargetError) -> Self {
        Self { id: change.id, landed: Vec::new(), failed: Vec::new(), error: Some(error), remote: None }
    }
}
