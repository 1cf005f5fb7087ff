//! Outlook: how people will stand in a pipeline once the plan has landed. Pure; what marks are made of.
//!
//! A person is in where the record that stands for them will be open and everything else of theirs settled;
//! out where it will be closed, or is not there and should not be. Of everybody of whom that cannot be said,
//! nothing follows: drift alone never takes a mark away.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Drift, Edit, Key, Standing};

use crate::model::{Action, Address, Call, Change, Link, Mark, Outlook, PipelinePlan, Prospect};

use super::project::Row;

/// How a record was classed, and the standing it has where it was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    /// Its place in the drift table.
    pub drift: Drift,
    /// Its standing at the target.
    pub standing: Option<Standing>,
    /// Whether a change of it, if there is one, leaves nothing that differs.
    pub whole: bool,
}

/// How each record of a pipeline was classed: what [`foresee`] goes by beside the plan.
pub type Classes = BTreeMap<(&'static str, Key), Class>;

/// Everybody's outlook in one pipeline.
pub fn foresee(
    pipeline: &'static str,
    mark: Mark,
    rows: &BTreeMap<&'static str, BTreeMap<Key, Row>>,
    classes: &Classes,
    plan: &PipelinePlan,
    changes: &[Change],
) -> BTreeMap<Key, Outlook> {
    let mut planned: BTreeMap<(&'static str, &Key), Vec<&Change>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.pipeline == pipeline) {
        planned.entry((change.kind, &change.key)).or_default().push(change);
    }
    let said = Said::of(plan);
    let Some(people) = rows.get(mark.kind) else { return BTreeMap::new() };
    let mut outlooks = BTreeMap::new();
    let none: &[&Change] = &[];
    for (key, row) in people {
        let mut after: BTreeSet<Address> = BTreeSet::new();
        let mut mine = |kind: &'static str| {
            let mine = planned.get(&(kind, key)).map_or(none, Vec::as_slice);
            after.extend(mine.iter().map(|change| (change.pipeline, change.kind, change.key.clone())));
            (classes.get(&(kind, key.clone())).copied(), mine)
        };
        let mut prospect = match mine(mark.kind) {
            (Some(class), changes) if !said.is_open(mark.kind, key) => {
                said.standing(mark.kind, key, (&row.call, class), changes)
            }
            _ => Prospect::Unclear,
        };
        if prospect == Prospect::In {
            for (&kind, rows) in rows.iter().filter(|(kind, _)| **kind != mark.kind) {
                let Some(row) = rows.get(key) else { continue };
                let (class, changes) = mine(kind);
                // Of what is left alone nothing is called for that could still be missing.
                let left_alone = matches!(row.call, Call::Untouched(_));
                let settled = class.is_some_and(|class| said.is_settled(kind, key, class, changes));
                if said.is_open(kind, key) || !(settled || left_alone) {
                    prospect = Prospect::Unclear;
                }
            }
        }
        if prospect == Prospect::Unclear {
            after.clear();
        }
        outlooks.insert(key.clone(), Outlook { pipeline, mark, prospect, after });
    }
    outlooks
}

/// What the plan says of records beside their changes.
struct Said<'p> {
    open: BTreeSet<(&'p str, &'p Key)>,
    people: BTreeSet<&'p Key>,
    settled: BTreeSet<(&'p str, &'p Key)>,
}

impl<'p> Said<'p> {
    fn of(plan: &'p PipelinePlan) -> Self {
        let conflicts = plan.conflicts.iter().map(|conflict| (conflict.kind, &conflict.key));
        let findings = plan.findings.iter().map(|finding| (finding.kind, &finding.key));
        let (settled, listed): (Vec<&Link>, Vec<&Link>) =
            plan.links.iter().partition(|link| link.differences.is_empty());
        let address = |link: &&'p Link| (link.kind, &link.key);
        Self {
            open: conflicts.chain(findings).chain(listed.iter().map(address)).collect(),
            people: plan.doubted().chain(&plan.unobserved).collect(),
            settled: settled.iter().map(address).collect(),
        }
    }

    /// Whether something is left open whatever the plan does.
    fn is_open(&self, kind: &str, key: &Key) -> bool {
        self.people.contains(key) || self.open.contains(&(kind, key))
    }

    /// Whether nothing is left to do for a record once its changes have landed.
    fn is_settled(&self, kind: &str, key: &Key, class: Class, changes: &[&Change]) -> bool {
        match class.drift {
            Drift::InSync => true,
            // Without a change it is either settled as it is, and then linked, or left as it is.
            Drift::Adopt | Drift::FirstMeeting | Drift::Behind | Drift::Drifted | Drift::Diverged => {
                (class.whole && !changes.is_empty()) || self.settled.contains(&(kind, key))
            }
            Drift::Missing | Drift::Lost => !changes.is_empty(),
            _ => false,
        }
    }

    fn standing(&self, kind: &str, key: &Key, (call, class): (&Call, Class), changes: &[&Change]) -> Prospect {
        let to = |to: Standing| {
            let edited = changes.iter().any(|change| change.edits.contains(&Edit::Standing { to }));
            edited || class.standing == Some(to)
        };
        let made = changes.iter().any(|change| change.action == Action::Create);
        let settled = self.is_settled(kind, key, class, changes);
        match call {
            Call::Active(_) if settled && (made || to(Standing::Active)) => Prospect::In,
            Call::Disabled(..) if class.drift == Drift::NotThere => Prospect::Absent,
            Call::Disabled(..) if settled && to(Standing::Disabled) => Prospect::Closed,
            _ => Prospect::Unclear,
        }
    }
}
