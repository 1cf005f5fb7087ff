use std::path::Path;
use std::sync::Mutex;

use clap::Parser;
use serde_json::Value;

use super::*;
use crate::cli::args::Args;
use crate::cli::sample::World;
use crate::cli::scope;
use crate::config::test_settings;
use crate::model::pass::{Done, Event, Fate};
use crate::model::{ErrorKind, Reason, TargetError};
use crate::report::sample::planned;
use reconcile_state::trust::Doubt;

/// An engine that plans what it is given and lands what is approved.
struct Toy {
    planned: Planned,
    fate: Fate,
    floor: u64,
    store: StoreDir,
    written: Mutex<Vec<String>>,
    consent: Mutex<Option<Consent>>,
}

impl Toy {
    fn new(dir: &Path) -> Self {
        let store = StoreDir::open(dir.join("store"), [7; 32]).unwrap();
        let (written, consent) = (Mutex::default(), Mutex::default());
        Self { planned: planned(), fate: Fate::Landed, floor: 10, store, written, consent }
    }

    fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }
}

impl Steps for Toy {
    async fn plan(&self, _: &Order) -> Result<Planned, PassError> {
        Ok(self.planned.clone())
    }

    fn settings(&self) -> BTreeMap<&'static str, PipelineSettings> {
        let mut settings = test_settings();
        settings.guard.floor = self.floor;
        [("toy", settings)].into()
    }

    async fn apply(&self, approved: &ApprovedPlan, stop: &Stop) -> Result<Applied, PassError> {
        *self.consent.lock().unwrap() = Some(approved.consent().clone());
        let fate = if stop.is_requested() { &Fate::Interrupted } else { &self.fate };
        let mut done = approved.held().to_vec();
        for change in approved.changes() {
            self.written.lock().unwrap().push(change.key.to_string());
            done.push(Done { change: change.clone(), fate: fate.clone() });
        }
        Ok(Applied { done, linked: BTreeMap::new(), events: Vec::new() })
    }

    fn store(&self) -> &StoreDir {
        &self.store
    }
}

async fn pass(toy: &Toy, world: &mut World, line: &str) -> Result<Exit, Failure> {
    let args = Args::try_parse_from(format!("reconcile {line}").split_whitespace()).unwrap();
    world
        .with(async |io: &mut Io<'_>| {
            args.check(io.terminal.input)?;
            let approve = args.pass.approve.as_deref().map(plan_file::read).transpose()?;
            let (asked, list) = match &approve {
                Some(file) => {
                    let mut asked = file.approval.asked.clone();
                    asked.allow.extend(args.pass.allow.iter().cloned());
                    (asked, None)
                }
                None => scope::asked(&args.pass, io)?,
            };
            let verbose = args.verbose > 0;
            run(toy, Request { asked, list, approve, args: &args.pass, verbose, words: scope::words(&args) }, io).await
        })
        .await
}

#[tokio::test]
async fn a_plan_writes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (toy, mut world) = (Toy::new(dir.path()), World::default());
    assert_eq!(pass(&toy, &mut world, "--plan --key uhid=p1").await, Ok(Exit::Changes));
    assert!(
        world.out().contains("Plan: 4 changes. Nothing has been written.\nNot in sync: 1 conflict, 2 differences only listed.\nTo make them: reconcile --key idautoID=p1\n")
    );
    assert_eq!(toy.written(), Vec::<String>::new());
}

#[tokio::test]
async fn only_a_typed_yes_is_consent() {
    let dir = tempfile::tempdir().unwrap();
    for (answer, exit, written) in
        [("yes\n", Exit::Done, 4), ("y\n", Exit::Changes, 0), ("no\n", Exit::Changes, 0), ("", Exit::Changes, 0)]
    {
        let dir = dir.path().join(format!("{written}{}", answer.trim()));
        let toy = Toy::new(&dir);
        let environment = vec![("NO_COLOR", "1")];
        let mut world = World { answers: answer.into(), terminal: true, environment, ..World::default() };
        assert_eq!(pass(&toy, &mut world, "").await, Ok(exit), "{answer:?}");
        assert_eq!(toy.written().len(), written, "{answer:?}");
        assert!(world.err().starts_with("Make 4 changes? Type `yes`: "), "{}", world.err());
        assert!(world.out().contains("Plan: 4 changes.\n"), "the plan is shown before the question");
    }
}

#[tokio::test]
async fn colour_is_for_terminals_that_want_it() {
    let dir = tempfile::tempdir().unwrap();
    let toy = Toy::new(dir.path());
    for (terminal, environment, painted) in [
        (true, vec![], true),
        (true, vec![("NO_COLOR", "")], true),
        (true, vec![("NO_COLOR", "1")], false),
        (true, vec![("TERM", "dumb")], false),
        (false, vec![], false),
    ] {
        let mut world = World { terminal, environment, ..World::default() };
        assert_eq!(pass(&toy, &mut world, "--plan").await, Ok(Exit::Changes));
        assert_eq!(world.out().contains('\u{1b}'), painted);
    }
}

#[tokio::test]
async fn without_a_terminal_or_consent_nothing_is_even_read() {
    let dir = tempfile::tempdir().unwrap();
    let failure = pass(&Toy::new(dir.path()), &mut World::default(), "").await.unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("--yes"));
}

#[tokio::test]
async fn a_pass_that_wrote_is_reported_and_consent_names_who_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let toy = Toy::new(dir.path());
    let mut world = World { environment: vec![("SUDO_USER", "kari")], ..World::default() };
    assert_eq!(pass(&toy, &mut world, "--yes --why term").await, Ok(Exit::Done));
    assert!(world.out().contains("Done: 4 changes made.\nNot in sync: 1 conflict"), "{}", world.out());
    let consent = toy.consent.lock().unwrap().clone().unwrap();
    assert_eq!((consent.why.as_deref(), consent.approved), (Some("term"), None));
    assert_eq!(consent.who, "operator (uid 1000), SUDO_USER=kari");
}

#[tokio::test]
async fn json_alone_goes_to_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let (toy, mut world) = (Toy::new(dir.path()), World::default());
    assert_eq!(pass(&toy, &mut world, "--yes --format json").await, Ok(Exit::Done));
    let report: Value = serde_json::from_slice(&world.out).unwrap();
    assert_eq!(
        (report["mode"].as_str(), report["pipelines"][0]["counters"]["totalAdd"].as_u64()),
        (Some("apply"), Some(1))
    );
    let mut world = World::default();
    assert_eq!(pass(&toy, &mut world, "--plan --format json").await, Ok(Exit::Changes));
    assert_eq!(serde_json::from_slice::<Value>(&world.out).unwrap()["mode"], "plan");
}

#[tokio::test]
async fn a_saved_plan_serves_once_and_only_for_what_it_lists() {
    let dir = tempfile::tempdir().unwrap();
    let mut toy = Toy::new(dir.path());
    let file = dir.path().join("plan.json");
    let (save, approve) = (format!("--plan --out {}", file.display()), format!("--approve {}", file.display()));
    assert_eq!(pass(&toy, &mut World::default(), &save).await, Ok(Exit::Changes));

    let new = crate::report::sample::change("p9", crate::model::Action::Create, Vec::new());
    toy.planned.plan.changes.remove(0);
    toy.planned.plan.changes.push(new);
    let mut world = World::default();
    assert_eq!(pass(&toy, &mut world, &approve).await, Ok(Exit::Changes), "one change is left");
    assert_eq!(toy.written(), ["p2", "p3", "p4"]);
    assert!(world.out().contains("Approved and no longer called for:\n  toy: create account p1\n"), "{}", world.out());
    assert!(world.out().contains("not in the approved plan, so not made: 1 change."), "{}", world.out());

    let again = pass(&toy, &mut World::default(), &approve).await.unwrap_err();
    assert!(again.message.contains("has been used already"), "{again}");
    assert_eq!(toy.written().len(), 3);

    assert_eq!(pass(&toy, &mut World::default(), &save).await, Ok(Exit::Changes));
    let late = pass(&toy, &mut World { seconds: 86_400, ..World::default() }, &approve).await.unwrap_err();
    assert_eq!((late.exit, late.message.contains("older than 24 hours")), (Exit::Error, true));
}

#[tokio::test]
async fn a_refusal_writes_nothing_until_its_rule_is_named_with_a_plan() {
    let dir = tempfile::tempdir().unwrap();
    let mut toy = Toy::new(dir.path());
    toy.floor = 0;
    let mut world = World::default();
    assert_eq!(pass(&toy, &mut world, "--yes").await, Ok(Exit::Refused));
    assert_eq!(toy.written(), Vec::<String>::new());
    assert!(world.out().contains("Guard refuses: nothing of toy is written (4 changes held)."), "{}", world.out());

    let file = dir.path().join("plan.json");
    assert_eq!(pass(&toy, &mut World::default(), &format!("--plan --out {}", file.display())).await, Ok(Exit::Refused));
    let rules: Vec<String> = ["creates", "disables", "updates", "one-attribute", "collapse"]
        .iter()
        .map(|rule| format!(" --allow {rule}"))
        .collect();
    let line = format!("--approve {}{}", file.display(), rules.concat());
    let mut world = World::default();
    assert_eq!(pass(&toy, &mut world, &line).await, Ok(Exit::Done), "{}", world.out());
    assert_eq!(toy.written().len(), 4);
    assert!(world.out().contains("allowed: collapse"), "{}", world.out());
}

#[tokio::test]
async fn reports_are_kept_under_pipeline_date_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let (toy, mut world) = (Toy::new(dir.path()), World::default());
    let reports = dir.path().join("reports");
    std::fs::create_dir(&reports).unwrap();
    let line = format!("--yes --report-dir {}", reports.display());
    assert_eq!(pass(&toy, &mut world, &line).await, Ok(Exit::Done));
    let report: Value = serde_json::from_slice(&std::fs::read(reports.join("toy-20260803-r1.json")).unwrap()).unwrap();
    assert_eq!(report["pipelines"][0]["name"], "toy");
}

/// The code of a plan, or of a pass where `fate` says what came of its changes.
async fn code(change: impl FnOnce(&mut Toy), line: &str, interrupt: bool) -> Exit {
    let dir = tempfile::tempdir().unwrap();
    let (mut toy, mut world) = (Toy::new(dir.path()), World::default());
    change(&mut toy);
    if interrupt {
        world.interrupt.stop.request();
    }
    pass(&toy, &mut world, line).await.unwrap()
}

#[tokio::test]
async fn codes_come_in_the_agreed_order() {
    let event = || Event {
        code: "TOY_CONNECTION_FAILED".into(),
        pipeline: Some("toy"),
        step: "observe",
        key: None,
        message: "unreachable".into(),
    };
    let error = || TargetError::new(ErrorKind::Rejected, "E", "m");
    let doubt = || Doubt::new("listing-short", "short");
    let stopped = |toy: &mut Toy| toy.planned.pipelines[0].stopped = Some(event());
    let untrusted = |toy: &mut Toy| toy.planned.pipelines[0].trust.doubts.push(doubt());
    let refused = |toy: &mut Toy| toy.floor = 0;
    let failing = |toy: &mut Toy| toy.fate = Fate::Failed(error());
    assert_eq!(code(|_| {}, "--yes", false).await, Exit::Done);
    assert_eq!(code(|toy| toy.planned.plan.changes.clear(), "--plan", false).await, Exit::Done);
    assert_eq!(code(|_| {}, "--plan", false).await, Exit::Changes);
    assert_eq!(code(failing, "--yes", false).await, Exit::Incomplete);
    assert_eq!(code(|toy| toy.fate = Fate::InDoubt(error()), "--yes", false).await, Exit::Incomplete);
    assert_eq!(code(|toy| toy.fate = Fate::NotTried(error()), "--yes", false).await, Exit::Incomplete);
    assert_eq!(code(|toy| toy.fate = Fate::Superseded, "--yes", false).await, Exit::Incomplete);
    assert_eq!(code(|toy| toy.fate = Fate::NotConverged(vec![]), "--yes", false).await, Exit::Incomplete);
    let in_doubt = |toy: &mut Toy| {
        toy.planned.plan.pipelines.get_mut("toy").unwrap().in_doubt.push(("account", "p9".into()));
    };
    assert_eq!(code(in_doubt, "--plan", false).await, Exit::Incomplete);
    assert_eq!(code(untrusted, "--plan", false).await, Exit::Untrusted);
    let conflicts = |number: u64| {
        move |toy: &mut Toy| {
            let drift = &mut toy.planned.plan.pipelines.get_mut("toy").unwrap().drift;
            *drift = [(reconcile_state::Drift::InSync, 20), (reconcile_state::Drift::Conflict, number)].into();
        }
    };
    assert_eq!(code(conflicts(20), "--yes", false).await, Exit::Done, "few conflicts are no failure");
    assert_eq!(code(conflicts(21), "--yes", false).await, Exit::Untrusted);
    let both = |toy: &mut Toy| {
        untrusted(toy);
        failing(toy);
    };
    assert_eq!(code(both, "--yes", false).await, Exit::Untrusted);
    let three = |toy: &mut Toy| {
        both(toy);
        refused(toy);
    };
    assert_eq!(code(three, "--yes", false).await, Exit::Refused);
    let four = |toy: &mut Toy| {
        three(toy);
        stopped(toy);
    };
    assert_eq!(code(four, "--yes", false).await, Exit::Error);
    assert_eq!(code(|_| {}, "--yes", true).await, Exit::Interrupted);
    let protected = |toy: &mut Toy| {
        toy.planned.plan.changes.truncate(1);
        toy.planned.plan.changes[0].protected = Some(Reason("protected"));
    };
    assert_eq!(code(protected, "--plan", false).await, Exit::Done, "what is protected is shown and never due");
}

#[tokio::test]
async fn an_unknown_key_is_repeated_where_it_was_typed_and_else_told_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut toy = Toy::new(dir.path());
    toy.planned.scope.unknown_keys = vec!["username=kari".into(), "idautoID=abc-2 (several people)".into()];
    let (list, plan) = (dir.path().join("list"), dir.path().join("plan.json"));
    std::fs::write(&list, "# people\nusername=ola\nusername=kari\nuhid=ABC-2\n").unwrap();
    let (list, plan) = (list.display(), plan.display());
    for (line, told) in [
        ("--plan --key username=kari --key uhid=abc-2".to_owned(), "username=kari, idautoID=abc-2 (several people)"),
        (
            format!("--plan --keys-from {list} --out {plan}"),
            &format!("line 3 of {list}, line 4 of {list} (several people)"),
        ),
        (format!("--approve {plan}"), "a key of the saved plan, a key of the saved plan (several people)"),
    ] {
        let mut world = World::default();
        assert_eq!(pass(&toy, &mut world, &line).await, Ok(Exit::Error), "{line}");
        assert_eq!(world.err(), format!("error: no source knows {told}\n"), "{line}");
    }
    let mut world = World { answers: "username=kari\n".into(), ..World::default() };
    toy.planned.scope.unknown_keys.truncate(1);
    assert_eq!(pass(&toy, &mut world, "--plan --keys-from -").await, Ok(Exit::Error));
    assert_eq!(world.err(), "error: no source knows line 1 of standard input\n");
}
