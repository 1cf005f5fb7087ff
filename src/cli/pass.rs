//! The default command: one pass.
//!
//! Plan, judge, show; then, with consent, apply and report. Without consent nothing is written, and
//! there is no other way to the writers than through the guard's verdict.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::store::StoreDir;

use super::args::{Format, PassArgs};
use super::ask::ask;
use super::exit::{Exit, Failure};
use super::io::Io;
use super::keys::List;
use super::operator::who;
use super::output::report_name;
use super::plan_file::{self, Asked, PlanFile};
use super::private_file::{self, Existing};
use super::{approval, logs};
use crate::config::PipelineSettings;
use crate::engine::{Applied, ApprovedPlan, Consent, Judged, Order, PassError, Point, Stop, judge};
use crate::model::ChangeId;
use crate::model::pass::Planned;
use crate::model::scope::{KeyField, SEVERAL};
use crate::plain::in_words;
use crate::report::text::Style;
use crate::report::{Approval, Report, json, text};

/// So many changes of a class are listed without `-v`.
const LISTED: usize = 5;

/// The steps of a pass that read and write: the engine, or what stands for it in tests.
pub(super) trait Steps {
    /// Reads and plans; writes to no target.
    async fn plan(&self, order: &Order) -> Result<Planned, PassError>;
    /// What the guard is told, by pipeline.
    fn settings(&self) -> BTreeMap<&'static str, PipelineSettings>;
    /// Writes what was approved.
    async fn apply(&self, approved: &ApprovedPlan, stop: &Stop) -> Result<Applied, PassError>;
    /// Memory.
    fn store(&self) -> &StoreDir;
}

/// What a pass is asked for.
pub(super) struct Request<'a> {
    /// Scope, pipelines, rules that may trip.
    pub asked: Asked,
    /// The list that names the people, where one does.
    pub list: Option<List>,
    /// The saved plan that is approved.
    pub approve: Option<PlanFile>,
    /// How to act and what to put out.
    pub args: &'a PassArgs,
    /// Whether everything is listed.
    pub verbose: bool,
    /// The command in words, without what it does; and its scope in words.
    pub words: (String, String),
}

/// Runs one pass.
pub(super) async fn run(steps: &impl Steps, request: Request<'_>, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.clock.now();
    if let Some(file) = &request.approve {
        file.check(steps.store().digester(), at)?;
        approval::check(steps.store(), file, at)?;
    }
    let allow: BTreeSet<String> = request.asked.allow.iter().cloned().collect();
    let (scope, adopt) = (request.asked.scope.clone(), request.asked.adopt);
    let order = Order { scope, adopt, allow: allow.clone(), run: run_id(io), at };
    let planned = steps.plan(&order).await;
    io.progress.end();
    let planned = planned.map_err(|error| failed(&error))?;
    let logged = request.verbose || request.args.format == Format::Json;
    planned.events.iter().filter(|_| logged).for_each(logs::event);

    let approved = request.approve.as_ref().map(|file| file.approval.changes.iter().map(|one| one.id).collect());
    let comparison = request.approve.as_ref().map(|file| compare(file, &planned));
    let consent = Consent { approved, allow, who: who(io), why: request.args.why.clone() };
    let Judged { verdicts, approved } = judge(planned, &steps.settings(), consent);
    let mut report = Report::of_plan(approved.planned(), &verdicts, approved.held());
    report.approval = comparison.clone();

    if request.args.plan {
        show(&report, &request, io)?;
        if let Some(path) = &request.args.out {
            plan_file::save(path, request.asked.clone(), &report, steps.store().digester(), at)?;
        }
        return end(&report, &request, io);
    }
    if request.args.format == Format::Text {
        show(&report, &request, io)?;
    }
    // Without a change there is nothing to ask: records are linked and people are remembered as seen.
    let count = approved.changes().len();
    let asks = count > 0 && !request.args.yes && request.approve.is_none();
    if asks && !ask(&format!("Make {count} {}?", if count == 1 { "change" } else { "changes" }), io)? {
        writeln!(io.err, "Nothing has been written.")?;
        return end(&report, &request, io);
    }
    if let Some(file) = &request.approve {
        approval::spend(steps.store(), file, at)?;
        io.points.reached(None, Point::Spent);
    }
    io.interrupt.begin_writing();
    let applied = steps.apply(&approved, &io.interrupt.stop).await;
    io.interrupt.end_writing();
    io.progress.end();
    let applied = applied.map_err(|error| failed(&error))?;
    applied.events.iter().filter(|_| logged).for_each(logs::event);
    let mut report = Report::of_pass(approved.planned(), &verdicts, &applied.done, &applied.events);
    report.approval = comparison;
    if count > 0 || !applied.events.is_empty() || request.args.format == Format::Json {
        show(&report, &request, io)?;
    }
    end(&report, &request, io)
}

fn show(report: &Report, request: &Request<'_>, io: &mut Io<'_>) -> std::io::Result<()> {
    let (command, scope) = request.words.clone();
    let (most, acting) = ((!request.verbose).then_some(LISTED), !request.args.plan);
    match request.args.format {
        Format::Text => {
            let saved = request.args.out.as_ref().map(|path| path.display().to_string());
            text::write(report, &Style { colour: io.colour(), most, acting, command, scope, saved }, io.out)?;
        }
        Format::Json => json::write(report, io.out)?,
    }
    io.out.flush()
}

/// Keeps the reports where that is asked for, and says why a pass over nobody is an error.
fn end(report: &Report, request: &Request<'_>, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if !report.scope.unknown_keys.is_empty() {
        let told: Vec<String> = report.scope.unknown_keys.iter().map(|key| unknown(key, request)).collect();
        writeln!(io.err, "error: no source knows {}", told.join(", "))?;
    }
    if let Some(dir) = &request.args.report_dir {
        for pipeline in &report.pipelines {
            let mut bytes = Vec::new();
            json::write(&json::single(report, pipeline), &mut bytes)?;
            let path = dir.join(report_name(pipeline.name, report.at, &report.run));
            private_file::write(&path, &bytes, Existing::Replace).map_err(|error| {
                Failure::error(format!("{} cannot be written: {}", path.display(), in_words(&error)))
            })?;
        }
    }
    Ok(Exit::of(report))
}

/// A key that no source knows, as an error may tell it: repeated where it was typed, else by where it stands.
fn unknown(key: &str, request: &Request<'_>) -> String {
    let (name, several) = key.strip_suffix(SEVERAL).map_or((key, ""), |name| (name, SEVERAL));
    let is_it = |(field, value): &(KeyField, String)| format!("{field}={}", value.trim()).eq_ignore_ascii_case(name);
    if request.args.key.iter().any(is_it) {
        return key.to_owned();
    }
    let place = request.list.as_ref().and_then(|list| list.lines.get(list.keys.iter().position(is_it)?));
    match (place, &request.args.keys_from) {
        (Some(line), Some(path)) if path.as_os_str() == "-" => format!("line {line} of standard input{several}"),
        (Some(line), Some(path)) => format!("line {line} of {}{several}", path.display()),
        _ => format!("a key of the saved plan{several}"),
    }
}

/// What was approved and is no longer called for, and the other way round.
fn compare(file: &PlanFile, planned: &Planned) -> Approval {
    let now: BTreeSet<ChangeId> = planned.plan.changes.iter().map(|change| change.id).collect();
    let approved: BTreeSet<ChangeId> = file.approval.changes.iter().map(|one| one.id).collect();
    let gone = file.approval.changes.iter().filter(|one| !now.contains(&one.id));
    Approval { gone: gone.map(|one| one.what.clone()).collect(), new: now.difference(&approved).count() as u64 }
}

/// What a pass could not do, as the end of a command.
pub(super) fn failed(error: &PassError) -> Failure {
    let exit = if error.code() == "STORE_LOCKED" { Exit::Locked } else { Exit::Error };
    Failure { exit, message: format!("{}: {error}", error.code()) }
}

/// Ordered by time, and told apart by chance.
pub(super) fn run_id(io: &Io<'_>) -> String {
    let chance = (io.random)();
    let [one, two, three, four, ..] = chance;
    format!("{}-{one:02x}{two:02x}{three:02x}{four:02x}", io.clock.now().strftime("%Y%m%dT%H%M%S"))
}

#[cfg(test)]
mod tests;
