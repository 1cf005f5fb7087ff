//! Killed at each request that writes, as the servers see it: before anything of it is done, and when all of it is
//! done and nobody has heard. This knows nothing of the program's own points, so that a request to which no point
//! was given is met too.

use std::collections::BTreeMap;

use reconcile::sim::watch::{Moment, Verdict};

use super::scenes::Scene;
use super::stage::AtWrite;

/// Each of them: what is called, and which time.
fn cases(writes: &[String]) -> Vec<(String, usize)> {
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    let nth = |what| {
        let times = times.entry(what).or_default();
        *times += 1;
        (what.clone(), *times)
    };
    writes.iter().map(nth).collect()
}

fn killed_at(played: &Scene, cases: Vec<(String, usize)>, moment: Moment, verdict: Verdict) {
    assert!(cases.len() >= 6, "{cases:?}");
    played.each(cases, |stage, (what, nth)| {
        let told = format!("{what} {nth} {moment:?}");
        let at = AtWrite { what: what.clone(), nth: *nth, moment, verdict };
        let run = stage.run_until_write(at, played.args);
        assert_eq!(run.code, -9, "{told} does not come: {}\n{}", run.out, run.err);
        played.is_right_again(stage, &told);
    });
}

#[test]
fn a_pass_that_is_killed_before_any_request_is_done_ends_as_if_it_had_not_been() {
    let played = Scene::everyday();
    killed_at(&played, cases(&played.came), Moment::Arrived, Verdict::Drop);
}

#[test]
fn a_pass_that_is_killed_when_any_request_is_done_ends_as_if_it_had_not_been() {
    let played = Scene::everyday();
    killed_at(&played, cases(&played.done), Moment::Done, Verdict::Do);
}
