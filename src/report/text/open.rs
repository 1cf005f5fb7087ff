//! What stands open beside the changes of a plan, in words. An exit code other than 0 and 2 never comes
//! without some of it or a change that was not made, and `In sync` is never said beside any of it.

use reconcile_state::Drift;

use crate::report::value::{PipelineReport, Report};

/// What stands open: counts first, then what is wrong with a reading. Empty where nothing does.
pub(super) fn list(report: &Report) -> Vec<String> {
    let sum = |part: fn(&PipelineReport) -> usize| report.pipelines.iter().map(part).sum::<usize>();
    let counts = [
        (sum(|one| one.conflicts.len()), "conflict", "conflicts"),
        (sum(|one| one.in_doubt.len()), "in doubt", "in doubt"),
        (sum(|one| one.unobserved.len()), "unobserved", "unobserved"),
        (sum(|one| one.listed.len()), "difference only listed", "differences only listed"),
        (report.scope.unknown_keys.len(), "key that no source knows", "keys that no source knows"),
    ];
    let counted = |(count, one, many): (usize, &str, &str)| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let counts: Vec<String> = counts.into_iter().filter_map(counted).collect();
    let counts = (!counts.is_empty()).then(|| counts.join(", "));
    let sources = report.sources.iter().filter(|source| !source.trust.is_trusted());
    let sources = sources.map(|source| format!("what {} answered is not trusted", source.name));
    counts.into_iter().chain(sources).chain(report.pipelines.iter().filter_map(reading)).collect()
}

/// What is wrong with a pipeline's reading.
fn reading(pipeline: &PipelineReport) -> Option<String> {
    let name = pipeline.name;
    if pipeline.stopped.is_some() {
        let target = if pipeline.target.is_some() { "is stopped" } else { "could not be read" };
        Some(format!("{name} {target}"))
    } else if pipeline.is_mostly_unknown() {
        Some(format!(
            "more than half of {name} is in conflict or unobserved, so this is no success: look for one cause, a key \
             of [{name}] in the configuration or a right at the target"
        ))
    } else if !pipeline.trust.is_trusted() {
        Some(format!("what {name} answered is not trusted"))
    } else if pipeline.drift.keys().all(|class| *class == Drift::Untouched) && !pipeline.untouched.is_empty() {
        Some(format!("everybody in {name} is untouched"))
    } else {
        None
    }
}
