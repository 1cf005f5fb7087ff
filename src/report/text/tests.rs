use std::collections::BTreeMap;

use reconcile_state::{Attribute, Drift, Edit, Schema};

use super::*;
use crate::model::pass::{Done, Fate, Planned, Trip, Verdict};
use crate::model::{ErrorKind, TargetError};
use crate::report::sample::{EMAIL, PIN, planned};

fn style() -> Style {
    Style {
        saved: None,
        colour: false,
        most: Some(20),
        acting: false,
        command: "reconcile --config r.toml".into(),
        scope: String::new(),
    }
}

fn text(report: &Report, style: &Style) -> String {
    let mut out = Vec::new();
    write(report, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn of_plan(planned: &Planned) -> Report {
    Report::of_plan(planned, &BTreeMap::new(), &[])
}

const PLAN: &str = r#"Plan  run r1, 2026-08-03T02:00:00Z
  scope: everything, 14 people
  source Portal LDAP: 14 people, 1 new, 2 changed, 0 gone
  signs: + create, ^ enable, ~ update, - disable, ! conflict, ? not known, = differs and is only listed

toy  Toy 1.0
  14 records read
  2 untouched, 1 in conflict, 1 missing, 5 in sync, 1 met for the first time, 3 behind, 1 drifted
  untouched: 2 not-entitled
  1 record of nobody we know, never touched
  ! conflict account p5: two-candidates; nothing is written until one is left:
      21, found by username
      22, found by idnumber
  1 record met for the first time and linked; nothing is written for that
  = account p6 differs (met for the first time); listed, not written:
      email  "old@uni.example" -> (empty)
  = account p7 differs (drifted); listed, not written:
      email  "x" -> "y"
  changes: 1 to create, 1 to enable, 1 to update, 1 to disable
  + create account p1 new-p1  (not there yet)
      username  "new-p1"
      pin       (secret)
  ^ enable account p4 u-p4  (the sources changed)
      standing  becomes active
  ~ update account p2 u-p2  (the sources changed)
      email  "a@uni.example" -> "b@uni.example"
  - disable account p3 u-p3  (not-entitled; the sources changed)
      standing  becomes disabled

Plan: 4 changes. Nothing has been written.
Not in sync: 1 conflict, 2 differences only listed.
To make them: reconcile --config r.toml
"#;

#[test]
fn a_plan_says_who_what_and_why() {
    assert_eq!(text(&of_plan(&planned()), &style()), PLAN);
}

#[test]
fn a_cut_is_said_and_nothing_is_cut_without_a_limit() {
    let mut planned = planned();
    let more = planned.plan.changes[0].clone();
    planned.plan.changes.push(more);
    let cut = text(&of_plan(&planned), &Style { most: Some(1), ..style() });
    assert!(cut.contains("    ... and 1 more to create (-v shows all, --out FILE keeps them)\n"), "{cut}");
    let whole = text(&of_plan(&planned), &Style { most: None, ..style() });
    assert!(!whole.contains("... and"), "{whole}");
}

#[test]
fn colour_adds_nothing_but_escape_codes() {
    let painted = text(&of_plan(&planned()), &Style { colour: true, ..style() });
    let mut plain = String::new();
    let mut rest = painted.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, PLAN);
}

#[test]
fn a_value_cannot_repaint_the_terminal() {
    let mut planned = planned();
    planned.plan.changes[1].edits = vec![crate::report::sample::set(crate::report::sample::EMAIL, None, "\u{1b}[2J")];
    assert!(!text(&of_plan(&planned), &style()).contains('\u{1b}'));
}

#[test]
fn a_refusal_shows_what_would_have_been_done_and_the_next_command() {
    let planned = planned();
    let trip = |rule| Trip {
        rule,
        message: "120 records would be disabled; the limit is 50".into(),
        count: 120,
        limit: 50,
        changes: Vec::new(),
        may_allow: true,
    };
    let verdict = Verdict { trips: vec![trip("first-load"), trip("disables")], ..Verdict::default() };
    let held: Vec<Done> = planned
        .plan
        .changes
        .iter()
        .map(|change| Done { change: change.clone(), fate: Fate::Held(crate::model::Reason("refused")) })
        .collect();
    let report = Report::of_plan(&planned, &[("toy", verdict)].into(), &held);
    let text = text(&report, &Style { scope: " --changed".into(), ..style() });
    let expected = r#"  Guard refuses: nothing of toy is written (4 changes held).
    first-load: 120 records would be disabled; the limit is 50
    disables: 120 records would be disabled; the limit is 50
    If this is right, save the plan, read it, and approve it within 24 hours:
      reconcile --config r.toml --changed --pipeline toy --plan --out toy-plan.json
      reconcile --config r.toml --approve toy-plan.json --allow disables --why "..."

Plan: 4 changes, 0 of them to be made. Nothing has been written.
Not in sync: 1 conflict, 2 differences only listed.
Refused by the guard: toy
"#;
    assert!(text.ends_with(expected), "{text}");
    assert!(text.contains("  - disable account p3"), "{text}");
}

#[test]
fn a_pass_shows_its_counters_and_what_did_not_come_out_as_planned() {
    let planned = planned();
    let error = TargetError::new(ErrorKind::Rejected, "TOY_UPDATE_FAILED", "the address is taken");
    let fates = [Fate::Landed, Fate::Failed(error), Fate::Deferred(planned.plan.changes[1].id), Fate::Interrupted];
    let done: Vec<Done> =
        planned.plan.changes.iter().cloned().zip(fates).map(|(change, fate)| Done { change, fate }).collect();
    let report = Report::of_pass(&planned, &BTreeMap::new(), &done, &[]);
    let text = text(&report, &style());
    for line in [
        "total 14, totalSkipped 5, totalUnchanged 7, totalAdd 1, totalUpdateFail 1",
        "      failed: TOY_UPDATE_FAILED: the address is taken\n",
        "      deferred: it requires the account of toy of p2, which was not made\n",
        "      not made: interrupted\n",
        "Done: 1 change made, 3 not; see above.\n",
        "Interrupted. Run the same command again for the rest.\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("+ create"), "what landed is not listed again\n{text}");
    assert!(!text.contains("4711"));
}

#[test]
fn what_was_not_tried_is_told_once_with_its_number_and_cause() {
    let planned = planned();
    let away = TargetError::new(ErrorKind::Unavailable, "TARGET_AWAY", "toy is away");
    let fates = [Fate::Landed, Fate::NotTried(away.clone()), Fate::NotTried(away.clone()), Fate::NotTried(away)];
    let done: Vec<Done> =
        planned.plan.changes.iter().cloned().zip(fates).map(|(change, fate)| Done { change, fate }).collect();
    let report = Report::of_pass(&planned, &BTreeMap::new(), &done, &[]);
    let short = text(&report, &style());
    let line = "  given up: 3 changes were not tried, and due again in the next pass; TARGET_AWAY: toy is away\n";
    assert!(short.contains(line) && !short.contains("account p"), "{short}");
    let long = text(&report, &Style { most: None, ..style() });
    assert_eq!(long.matches("not tried: TARGET_AWAY\n").count(), 3, "{long}");
}

#[test]
fn what_no_setting_knows_is_told_in_one_line() {
    let mut planned = planned();
    let all = (1..=9).map(|nth| (format!("teacher/role{nth} is not in enrolments.roles"), nth)).collect();
    planned.plan.pipelines.get_mut("toy").unwrap().left_out = all;
    let text = text(&of_plan(&planned), &style());
    let line = "  left out of what the sources say: teacher/role9 is not in enrolments.roles (9), ";
    assert!(text.contains(line) && text.contains("role5 is not in enrolments.roles (5), 4 more\n"), "{text}");
}

#[test]
fn what_a_target_shows_instead_is_told_and_not_more_than_a_few_elements() {
    let mut planned = planned();
    let chairs = reconcile_state::AttributeId(4);
    let add = |nth: u32| Edit::Add { attribute: chairs, element: format!("room{nth}/student") };
    let set = vec![add(1), Edit::Remove { attribute: chairs, element: "room1/editor".into() }];
    let many = (1..=9).map(add).collect();
    let plain = vec![Edit::Set { attribute: EMAIL, from: Some("a@uni.example".into()), to: "b@uni.example".into() }];
    let secret = vec![Edit::Set { attribute: PIN, from: Some("1234".into()), to: "4711".into() }];
    let schemas = &mut planned.pipelines[0].schemas;
    let attributes = schemas[0].attributes().iter().cloned().chain([Attribute::set(4, "chairs")]);
    schemas[0] = Schema::new("toy", "account", 0, attributes.collect::<Vec<_>>()).unwrap();
    let fates = [set, many, plain, secret].map(Fate::NotConverged);
    let done: Vec<Done> =
        planned.plan.changes.iter().cloned().zip(fates).map(|(change, fate)| Done { change, fate }).collect();
    let text = text(&Report::of_pass(&planned, &BTreeMap::new(), &done, &[]), &style());
    for line in [
        "something else in chairs: not \"room1/student\", but \"room1/editor\"; tried again later\n",
        "\"room4/student\", 5 more; tried again later\n",
        "something else in email: \"a@uni.example\"; tried again later\n",
        "something else in pin: (secret); tried again later\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("1234"));
}

#[test]
fn in_sync_is_said_only_where_nothing_stands_open() {
    let settled = || {
        let mut planned = planned();
        planned.plan.changes.clear();
        let plan = planned.plan.pipelines.get_mut("toy").unwrap();
        *plan = crate::model::PipelinePlan { drift: [(Drift::InSync, 9)].into(), ..Default::default() };
        planned
    };
    let closing = |planned: &Planned| {
        let text = text(&of_plan(planned), &style());
        text.lines().last().unwrap().to_owned()
    };
    assert_eq!(closing(&settled()), "In sync. Nothing to do.");

    let sample = planned();
    let mut open = settled();
    let plan = open.plan.pipelines.get_mut("toy").unwrap();
    plan.conflicts = sample.plan.pipelines["toy"].conflicts.clone();
    plan.in_doubt = vec![("account", "a".into()), ("account", "b".into())];
    plan.unobserved = vec!["c".into()];
    plan.findings = sample.plan.pipelines["toy"].findings.clone();
    open.scope.unknown_keys = vec!["username=kari".into()];
    assert_eq!(
        closing(&open),
        "Nothing to write. Not in sync: 1 conflict, 2 in doubt, 1 unobserved, 1 difference only listed, \
         1 key that no source knows."
    );
    let whole = text(&of_plan(&open), &style());
    assert!(whole.contains("the UH user name is found by --key uh-username="), "{whole}");

    let mut stopped = settled();
    stopped.pipelines[0].target = None;
    stopped.pipelines[0].stopped = Some(crate::model::pass::Event {
        code: "TOY_CONNECTION_FAILED".into(),
        pipeline: Some("toy"),
        step: "observe",
        key: None,
        message: "no answer".into(),
    });
    assert_eq!(closing(&stopped), "Nothing to write. Not in sync: toy could not be read.");

    let mut doubted = settled();
    doubted.sources[0].trust.doubts.push(reconcile_state::trust::Doubt::new("source-shrunk", "half is missing"));
    let whole = text(&of_plan(&doubted), &style());
    assert!(whole.ends_with("Nothing to write. Not in sync: what Portal LDAP answered is not trusted.\n"), "{whole}");
    assert!(whole.contains("source Portal LDAP: not wholly read, 14 people known with what is remembered"), "{whole}");

    let mut lost = settled();
    lost.plan.pipelines.get_mut("toy").unwrap().drift = [(Drift::InSync, 40), (Drift::Conflict, 50)].into();
    assert!(closing(&lost).contains("more than half of toy is in conflict or unobserved"), "{}", closing(&lost));
}

#[test]
fn what_was_allowed_asks_for_nothing_any_more() {
    let trip = Trip {
        rule: "first-load",
        message: "nothing is remembered of this target yet, and 4 changes would be made; read the plan and approve it"
            .into(),
        count: 4,
        limit: 0,
        changes: Vec::new(),
        may_allow: true,
    };
    let verdict = Verdict { allowed: vec![trip], ..Verdict::default() };
    let text = text(&Report::of_plan(&planned(), &[("toy", verdict)].into(), &[]), &style());
    assert!(
        text.contains("allowed: first-load: nothing is remembered of this target yet, and 4 changes would be made\n")
    );
}
