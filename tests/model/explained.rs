//! What is explained of somebody is what the next plan holds.

use reconcile::clock::Clock;
use reconcile::engine::{Explainer, Explaining};
use reconcile::model::Plan;

use crate::college::College;
use crate::event::STAFF;
use crate::world::{Changes, Desk, by_record, key, would_do};

/// What is explained otherwise than it was planned.
pub fn differences(college: &College, plan: &Plan) -> Vec<String> {
    let (explained, planned) = (explained(college), by_record(plan));
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
    for n in College::everybody().chain(STAFF) {
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
