//! A report as text: what an operator reads before typing `yes`, and after.
//!
//! A plan shows every change by class, long classes cut and the cut said. A pass that wrote follows upon
//! its plan and shows what came of it: counters, and what did not come out as planned. Whatever is refused
//! comes with the command that would go on.

mod change;
pub mod conflicts;
pub mod explain;
mod guard;
mod open;
mod paint;
mod pipeline;

use std::io::{self, Write};

use reconcile_state::trust::Trust;

use self::paint::Paint;
use super::value::{Mode, PipelineReport, Report};

/// How much is shown, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether escape codes for colour may be written.
    pub colour: bool,
    /// So many changes of a class are listed; `None` = all.
    pub most: Option<usize>,
    /// Whether a plan is shown to be made right away, and not for its own sake.
    pub acting: bool,
    /// The command as it was given, without what it was to do: `reconcile --config uni.toml`.
    pub command: String,
    /// What it was to be done to, as further arguments: ` --key uhid=...`; empty for everything.
    pub scope: String,
    /// Where the plan is being saved, if it is.
    pub saved: Option<String>,
}

/// What the first character of a line means.
const SIGNS: &str =
    "signs: + create, ^ enable, ~ update, - disable, ! conflict, ? not known, = differs and is only listed";

impl Style {
    /// The command that plans the same again, for one pipeline.
    fn plan_command(&self, pipeline: &str, file: &str) -> String {
        format!("{}{} --pipeline {pipeline} --plan --out {file}", self.command, self.scope)
    }
}

/// Writes the report.
///
/// # Errors
/// Where `out` refuses.
pub fn write(report: &Report, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    head(report, paint, out)?;
    for pipeline in &report.pipelines {
        writeln!(out)?;
        pipeline::write(report.mode, pipeline, style, out)?;
    }
    events(report, paint, out)?;
    writeln!(out)?;
    approval(report, out)?;
    foot(report, style, paint, out)
}

fn head(report: &Report, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let what = match report.mode {
        Mode::Plan => "Plan",
        Mode::Apply => "Pass",
    };
    writeln!(out, "{}  {}", paint.title(what), paint.faint(&format!("run {}, {:.0}", report.run, report.at)))?;
    if report.mode == Mode::Apply {
        return Ok(());
    }
    writeln!(out, "  scope: {}, {}", report.scope.what, people(report.scope.people))?;
    if !report.scope.unknown_keys.is_empty() {
        let keys = report.scope.unknown_keys.join(", ");
        writeln!(out, "  {} no source knows {keys}", paint.warn("unknown:"))?;
        hint(&report.scope.unknown_keys, out)?;
    }
    for source in &report.sources {
        let (new, changed, gone) = (source.new, source.changed, source.gone);
        // What is remembered of a reading that is doubted must not look as if it had been read.
        let known = match (people(source.people), source.trust.is_trusted()) {
            (known, true) => known,
            (known, false) => format!("not wholly read, {known} known with what is remembered"),
        };
        writeln!(out, "  source {}: {known}, {new} new, {changed} changed, {gone} gone", source.name)?;
        trust("    ", &source.trust, "disables and removals that follow from an absence in it are held", paint, out)?;
        for (code, count) in &source.findings {
            writeln!(out, "    {count} {code}")?;
        }
    }
    let signed = |one: &PipelineReport| {
        let parts =
            [one.changes.len(), one.conflicts.len(), one.in_doubt.len(), one.unobserved.len(), one.listed.len()];
        parts.iter().any(|count| *count > 0)
    };
    if report.pipelines.iter().any(signed) { writeln!(out, "  {}", paint.faint(SIGNS)) } else { Ok(()) }
}

/// People have two user names, and a plan shows the one that was selected for the target.
fn hint(unknown: &[String], out: &mut dyn Write) -> io::Result<()> {
    let hints = [
        (
            "username=",
            "username is the institution's own user name; the UH user name is found by --key uh-username=...",
        ),
        ("uh-username=", "uh-username is the UH user name; the institution's own is found by --key username=..."),
    ];
    let meant = |start: &str| unknown.iter().any(|key| key.starts_with(start));
    hints.iter().filter(|(start, _)| meant(start)).try_for_each(|(_, text)| writeln!(out, "    {text}"))
}

/// What is doubted in a reading, and what follows.
fn trust(indent: &str, trust: &Trust, then: &str, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    if trust.is_trusted() {
        return Ok(());
    }
    writeln!(out, "{indent}{}: {then}", paint.warn("not trusted"))?;
    trust.doubts.iter().try_for_each(|doubt| writeln!(out, "{indent}  {}: {}", doubt.code, doubt.message))
}

fn events(report: &Report, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    // Why a pipeline is stopped already stands with the pipeline.
    let stopped = |event: &_| report.pipelines.iter().any(|pipeline| pipeline.stopped.as_ref() == Some(event));
    let events: Vec<_> = report.events.iter().filter(|event| !stopped(event)).collect();
    if !events.is_empty() {
        writeln!(out, "\n{}", paint.title("Events"))?;
    }
    for event in events {
        let key = event.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
        let place = event.pipeline.unwrap_or("pass");
        writeln!(out, "  {} {place} {}{key}: {}", paint.warn(&event.code), event.step, event.message)?;
    }
    Ok(())
}

fn approval(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Some(approval) = &report.approval else { return Ok(()) };
    if !approval.gone.is_empty() {
        writeln!(out, "Approved and no longer called for:")?;
        approval.gone.iter().try_for_each(|change| writeln!(out, "  {change}"))?;
    }
    if approval.new > 0 {
        writeln!(out, "Called for by now and not in the approved plan, so not made: {}.", changes(approval.new))?;
    }
    Ok(())
}

fn foot(report: &Report, style: &Style, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let acting = report.acting();
    let refused: Vec<_> =
        report.refused().filter(|pipeline| !pipeline.awaits_approval()).map(|pipeline| pipeline.name).collect();
    let total: u64 = report.pipelines.iter().map(|pipeline| pipeline.changes.len() as u64).sum();
    let open = open::list(report);
    match report.mode {
        Mode::Plan if total == 0 && open.is_empty() => writeln!(out, "{} Nothing to do.", paint.good("In sync."))?,
        Mode::Plan if total == 0 => {
            writeln!(out, "{} {}", paint.title("Nothing to write."), not_in_sync(&open, paint))?;
        }
        Mode::Plan => {
            let waits = report.refused().any(PipelineReport::awaits_approval);
            let not = match acting < total {
                true if waits && acting == 0 => ", waiting for approval".to_owned(),
                true => format!(", {acting} of them to be made"),
                false => String::new(),
            };
            let written = if style.acting { "" } else { " Nothing has been written." };
            writeln!(out, "{} {}{not}.{written}", paint.title("Plan:"), changes(total))?;
            if !open.is_empty() {
                writeln!(out, "{}", not_in_sync(&open, paint))?;
            }
        }
        Mode::Apply => {
            let landed = report.fates("landed");
            let left = total - landed;
            let rest = if left > 0 { format!(", {left} not; see above") } else { String::new() };
            writeln!(out, "{} {} made{rest}.", paint.title("Done:"), changes(landed))?;
            if !open.is_empty() {
                writeln!(out, "{}", not_in_sync(&open, paint))?;
            }
        }
    }
    if report.interrupted {
        let rest = match report.approval {
            Some(_) => "A saved plan is approved once: save and approve a new one for the rest.",
            None => "Run the same command again for the rest.",
        };
        writeln!(out, "{} {rest}", paint.warn("Interrupted."))?;
    }
    if !refused.is_empty() && report.mode == Mode::Plan {
        writeln!(out, "{} {}", paint.bad("Refused by the guard:"), refused.join(", "))?;
    }
    if report.mode == Mode::Plan && acting > 0 && !style.acting {
        writeln!(out, "To make them: {}{}", style.command, style.scope)?;
    }
    Ok(())
}

/// What stands open, as the sentence that closes a report.
fn not_in_sync(open: &[String], paint: Paint) -> String {
    format!("{} {}.", paint.warn("Not in sync:"), open.join("; "))
}

/// `1 person`, `2 people`.
fn people(count: u64) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

/// `1 record`, `2 records`.
fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// `1 change`, `2 changes`.
fn changes(count: u64) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

#[cfg(test)]
mod tests;
