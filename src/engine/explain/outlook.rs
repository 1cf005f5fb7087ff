//! How a person stands in the pipelines that are marked, out of memory: what a pass foresees of a whole plan
//! (`engine::outlook`), of one person alone.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Drift, Edit, Standing};

use super::weigh::Weighed;
use super::{Called, Explainer, Next, Sight};
use crate::model::{Action, Outlook, Prospect};

impl Explainer {
    /// The outlooks that follow from what was weighed.
    pub(super) fn outlooks(&self, weighed: &BTreeMap<&'static str, Vec<Weighed>>) -> Vec<Outlook> {
        let mut outlooks = Vec::new();
        for (&pipeline, kinds) in weighed {
            let Some(mark) = self.pipelines.get(pipeline).and_then(|one| one.explaining.observer.terms.mark) else {
                continue;
            };
            let Some(one) = kinds.iter().find(|one| one.schema.kind == mark.kind) else { continue };
            let rest = kinds.iter().filter(|one| one.schema.kind != mark.kind);
            let prospect = match standing(one) {
                Prospect::In if !rest.into_iter().all(is_complete) => Prospect::Unclear,
                prospect => prospect,
            };
            outlooks.push(Outlook { pipeline, mark, prospect, after: BTreeSet::new() });
        }
        outlooks
    }
}

/// Whether nothing is left open once the next pass has done what it would do.
fn is_settled(one: &Weighed) -> bool {
    one.kept.is_empty()
        && one.unsure.is_empty()
        && match &one.next {
            Next::Change(change) => change.held.is_none(),
            Next::Link(differences) => differences.is_empty(),
            Next::Nothing => matches!(one.drift, Some(Drift::InSync | Drift::NotThere)),
            Next::List(..) | Next::Forget | Next::InDoubt(_) | Next::Conflict(_) => false,
        }
}

fn is_complete(one: &Weighed) -> bool {
    match one.called {
        Called::Untouched(_) => true,
        // A part of what the next pass makes.
        _ => one.seen == Sight::NoWhole || is_settled(one),
    }
}

fn standing(one: &Weighed) -> Prospect {
    let (made, edits): (bool, &[Edit]) = match &one.next {
        Next::Change(change) => (change.action == Action::Create, &change.edits),
        _ => (false, &[]),
    };
    let becomes = |to: Standing| {
        let is = matches!(&one.seen, Sight::Present(record) if record.standing == to);
        is || edits.contains(&Edit::Standing { to })
    };
    match &one.called {
        Called::Disabled(..) if one.seen == Sight::Absent => Prospect::Absent,
        _ if !is_settled(one) => Prospect::Unclear,
        Called::Active(_) if made || becomes(Standing::Active) => Prospect::In,
        Called::Disabled(..) if becomes(Standing::Disabled) => Prospect::Closed,
        _ => Prospect::Unclear,
    }
}
