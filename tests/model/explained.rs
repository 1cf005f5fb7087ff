//! What is explained of somebody is what the next plan holds.

use reconcile::clock::Clock;
use reconcile::engine::{Explainer, Explaining};
use reconcile::model::Plan;
use reconcile_state::Key;

use crate::college::College;
use crate::event::At;
use crate::hands::remembered;
use crate::world::{Changes, Desk, by_record, key, would_do};

/// What is explained otherwise than it was planned.
pub fn differences(college: &College, plan: &Plan) -> Vec<String> {
    let (mut explained, mut planned) = (explained(college), by_record(plan));
    // Of a record that took another's place only a reading tells that it is not the one that is remembered.
    let replaced = |at: At, n: u32| {
        remembered(college, at, n).is_some_and(|known| college.number(at, n).is_some_and(|number| number != known))
    };
    let is_known = |pipeline: &str, key: &Key| {
        let at = college.setting.kind.targets().iter().find(|at| at.pipeline() == pipeline);
        at.zip(College::person(key)).is_none_or(|(at, n)| !replaced(*at, n))
    };
    explained.retain(|(pipeline, _, key), _| is_known(pipeline, key));
    planned.retain(|(pipeline, _, key), _| is_known(pipeline, key));
    if explained == planned {
        return Vec::new();
    }
    vec![format!("what is explained is not what is planned:\n{explained:?}\n{planned:?}")]
}

fn explainer(desk: &Desk) -> Explainer {
    let planner = desk.planner();
    let explaining = planner.observers.into_iter().map(|(observer, settings)| {
        let store = Some(desk.store.pipeline(observer.name).unwrap());
        Explaining { observer, settings, store }
    });
    Explainer::new(desk.store.sources().unwrap(), explaining.collect(), desk.clock.now()).unwrap()
}

fn explained(college: &College) -> Changes {
    let explainer = explainer(&college.school);
    let mut explained = Changes::new();
    for n in College::everybody() {
        for one in explainer.explain(&key(n), &[]).unwrap().pipelines {
            for kind in one.kinds {
                if let Some(change) = would_do(&kind) {
                    explained.insert((one.name, kind.schema.kind, key(n)), change);
                }
            }
        }
    }
    explained
}
