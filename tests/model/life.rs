//! A life: what happens, one after the other, and what comes of it once nothing happens any more.

use std::time::Duration;

use reconcile_state::Intent;

use crate::books::Books;
use crate::college::College;
use crate::event::{Event, Setting};
use crate::world::wait;
use crate::{faults, hands, passes, truth};

/// So many passes with consent bring everything about, once nothing happens any more and nothing goes wrong.
pub const BOUND: usize = 3;

/// Lives through the events, mends everything and gives the passes their time; gives what happened, in words.
///
/// # Errors
/// What was wrong, and after what.
pub async fn live(setting: &Setting, events: &[Event]) -> Result<Vec<String>, String> {
    let mut college = College::new(setting);
    if setting.loaded {
        let (_, wrong) = passes::agreed(&mut college).await;
        if !wrong.is_empty() {
            return Err(format!("in the first load: {}", wrong.join("\n  ")));
        }
    }
    for (at, event) in events.iter().enumerate() {
        hands::sources(&college, event);
        hands::targets(&mut college, event);
        faults::begin(&mut college, event);
        let wrong = passes::pass(&mut college, event).await;
        let is_over = wrong.is_some() && *event != Event::Plan;
        let wrong: Vec<String> = wrong.into_iter().flatten().chain(truth::always(&college)).collect();
        if !wrong.is_empty() {
            return Err(format!("after event {at}: {}", wrong.join("\n  ")));
        }
        if is_over {
            faults::end(&mut college);
        }
    }
    end(&mut college).await
}

async fn end(college: &mut College) -> Result<Vec<String>, String> {
    faults::mend(college);
    hands::settle_doubles(college);
    hands::settle_numbers(college);
    // Of what was torn it is known from here on that it is in doubt.
    let wrong = passes::look_only(college).await;
    if !wrong.is_empty() {
        return Err(format!("when nothing happens any more: {}", wrong.join("\n  ")));
    }
    wait(Duration::from_hours(25)).await;
    for pass in 1..=BOUND {
        let (_, wrong) = passes::agreed(college).await;
        let wrong: Vec<String> = wrong.into_iter().chain(truth::always(college)).collect();
        if !wrong.is_empty() {
            return Err(format!("in pass {pass} after the end: {}", wrong.join("\n  ")));
        }
    }
    let (everything, books) = (college.everything(), Books::intents(college));
    let (last, mut wrong) = passes::agreed(college).await;
    let plan = &last.plan;
    let left = plan.changes.iter();
    wrong.extend(left.map(|c| format!("left: {} {} {} {:?}", c.pipeline, c.key, c.kind, c.edits)));
    if college.everything() != everything || Books::intents(college) != books {
        wrong.push("a pass with nothing to do wrote".to_owned());
    }
    for (name, plan) in &plan.pipelines {
        wrong.extend(plan.conflicts.iter().map(|conflict| format!("{name}: {conflict:?}")));
        wrong.extend(plan.unobserved.iter().map(|key| format!("{name}: {key} is not observed")));
        // Who went before it was known whether they had got a record is told in every pass.
        let told = |intent: &&Intent| !plan.doubted().any(|key| *key == intent.key);
        let open = college.school.open_intents(name);
        wrong.extend(open.iter().filter(told).map(|intent| format!("{name}: {} is in doubt, untold", intent.key)));
        let is_here = |key: &&reconcile_state::Key| {
            College::person(key).is_some_and(|n| college.school.people.entry(n).is_some())
        };
        wrong.extend(plan.doubted().filter(is_here).map(|key| format!("{name}: {key} is in doubt")));
    }
    if college.setting.is_enforcing() {
        wrong.extend(truth::finally(college, plan));
    }
    if !wrong.is_empty() {
        return Err(format!("in the end: {}", wrong.join("\n  ")));
    }
    college.trace.extend(Books::told(college));
    Ok(std::mem::take(&mut college.trace))
}
