//! Killed at each request that writes, as the servers see it: before anything of it is done, and when all of it is
//! done and nobody has heard. This knows nothing of the program's own points, so that a request to which no point
//! was given is met too.

use std::collections::BTreeMap;

use reconcile::sim::watch::{Moment, Verdict};

use super::scenes::{ENROL, Scene, UNENROL};
use super::stage::AtWrite;

/// Each of them: what is called, and which time.
fn cases(writes: &[String]) -> Vec<(String, usize)> {
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    let nth = |what| {
        let times = times.entry(what).or_default();
        *times += 1;
        (what.clone(), *times)
    };
    assert!(writes.len() >= 6, "{writes:?}");
    writes.iter().map(nth).collect()
}

fn killed_at(played: &Scene, cases: Vec<(String, usize)>, moment: Moment, verdict: Verdict) {
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

/// In a first load the service account tries the ids of roles first: nobody is to keep one, nor it a place in a course.
#[test]
fn a_first_load_that_is_killed_while_the_id_of_a_role_is_tried_ends_as_if_it_had_not_been() {
    let played = Scene::first_load();
    let tried = [(ENROL, 1), (UNENROL, 1), (UNENROL, 2)].map(|(what, nth)| (what.to_owned(), nth));
    killed_at(&played, tried.to_vec(), Moment::Arrived, Verdict::Drop);
    killed_at(&played, tried.to_vec(), Moment::Done, Verdict::Do);
}
