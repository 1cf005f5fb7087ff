//! Killed at each request that writes, as the servers see it: before anything of it is done, and when all of it is
//! done and nobody has heard. This knows nothing of the program's own points, so that a request to which no point
//! was given is met too.

use std::collections::BTreeMap;

use reconcile::sim::watch::{Moment, Verdict};

use super::scenes::{ENROL, Scene, UNENROL};
use super::stage::AtWrite;

/// Which of them, and which time: the first and the last of each function, and some entries of the directory.
fn cases(writes: &[String], moment: Moment, verdict: Verdict) -> Vec<(String, usize, Moment, Verdict)> {
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    writes.iter().for_each(|what| *times.entry(what).or_default() += 1);
    let (entries, functions): (Vec<_>, Vec<_>) = times.into_iter().partition(|(what, _)| what.contains('='));
    let entries = entries.into_iter().step_by(5).map(|(what, _)| (what, 1));
    let functions = functions.into_iter().flat_map(|(what, times)| [(what, 1), (what, times)]);
    let mut cases: Vec<_> = entries.chain(functions).collect();
    cases.dedup();
    cases.into_iter().map(|(what, nth)| (what.clone(), nth, moment, verdict)).collect()
}

fn killed_at(played: &Scene, cases: Vec<(String, usize, Moment, Verdict)>) {
    assert!(cases.len() >= 6, "{cases:?}");
    played.each(cases, |stage, (what, nth, moment, verdict)| {
        let told = format!("{what} {nth} {moment:?}");
        let at = AtWrite { what: what.clone(), nth: *nth, moment: *moment, verdict: *verdict };
        let run = stage.run_until_write(at, played.args);
        assert_eq!(run.code, -9, "{told} does not come: {}\n{}", run.out, run.err);
        played.is_right_again(stage, &told);
    });
}

#[test]
fn a_pass_that_is_killed_before_any_request_is_done_ends_as_if_it_had_not_been() {
    let played = Scene::everyday();
    killed_at(&played, cases(&played.came, Moment::Arrived, Verdict::Drop));
}

#[test]
fn a_pass_that_is_killed_when_any_request_is_done_ends_as_if_it_had_not_been() {
    let played = Scene::everyday();
    killed_at(&played, cases(&played.done, Moment::Done, Verdict::Do));
}

/// In a first load the service account tries the ids of roles first: nobody is to keep one, nor it a place in a course.
#[test]
fn a_first_load_that_is_killed_while_the_id_of_a_role_is_tried_ends_as_if_it_had_not_been() {
    let played = Scene::first_load();
    let tried = [(ENROL, 1), (UNENROL, 1), (UNENROL, 2)];
    let moments = [(Moment::Arrived, Verdict::Drop), (Moment::Done, Verdict::Do)];
    let at = |(what, nth): (&str, usize)| moments.map(|(moment, verdict)| (what.to_owned(), nth, moment, verdict));
    killed_at(&played, tried.into_iter().flat_map(at).collect());
}
