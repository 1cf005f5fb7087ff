//! Live: what a plan made just now says takes the place of what memory says would come.

use reconcile_state::Edit;

use super::value::{Explained, Next, NextChange, PipelineExplained};
use crate::engine::guard::Judged;
use crate::engine::{CLAIMS_LOST, CLAIMS_RESTORED};
use crate::model::pass::{Event, Fate};
use crate::model::{Action, Change};

impl PipelineExplained {
    fn stop(&mut self, event: Event) {
        // What has lost its file had one: it is no first load.
        self.first_load &= ![CLAIMS_LOST, CLAIMS_RESTORED].contains(&event.code.as_str());
        self.stopped = Some(event);
    }
}

impl Explained {
    /// The same of a pipeline that is stopped; `event` names it.
    #[must_use]
    pub fn stopped(mut self, event: Event) -> Self {
        let mine = self.pipelines.iter_mut().find(|pipeline| event.pipeline == Some(pipeline.name));
        if let Some(pipeline) = mine {
            pipeline.stop(event);
        }
        self
    }

    /// The same with the changes of a plan that was made for this person, and with what the guard says of them.
    #[must_use]
    pub fn planned(mut self, judged: &Judged) -> Self {
        let planned = judged.approved.planned();
        // Of whom the directory does not have, memory is all there is.
        self.live = planned.people.contains(&self.key);
        for pipeline in &mut self.pipelines {
            let Some(summary) = planned.pipelines.iter().find(|summary| summary.name == pipeline.name) else {
                continue;
            };
            if let Some(event) = &summary.stopped {
                pipeline.stop(event.clone());
                continue;
            }
            let verdict = judged.verdicts.get(pipeline.name);
            pipeline.refused = verdict.into_iter().flat_map(|verdict| &verdict.trips).map(|trip| trip.rule).collect();
            for kind in &mut pipeline.kinds {
                let mine = |change: &&Change| change.pipeline == pipeline.name && change.kind == kind.schema.kind;
                let changes: Vec<&Change> = planned.plan.changes.iter().filter(mine).collect();
                match next(&changes, judged) {
                    Some(change) => kind.next = Next::Change(change),
                    None if matches!(kind.next, Next::Change(_)) => kind.next = Next::Nothing,
                    None => {}
                }
            }
        }
        self
    }
}

/// A record's changes as one: what is split only for the order of a plan is one thing to a reader.
fn next(changes: &[&Change], judged: &Judged) -> Option<NextChange> {
    let first = changes.iter().find(|change| change.action == Action::Create).or(changes.first())?;
    let held = judged.approved.held().iter().find(|done| done.change.id == first.id);
    let held = held.and_then(|done| match done.fate {
        Fate::Held(reason) if reason != crate::engine::guard::REFUSED => Some(reason),
        _ => None,
    });
    let edits: Vec<Edit> = changes.iter().flat_map(|change| change.edits.clone()).collect();
    Some(NextChange { action: first.action, edits, cause: first.cause, reason: first.reason, held })
}
