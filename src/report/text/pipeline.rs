//! One pipeline as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use reconcile_state::{Drift, Remote};

use super::paint::Paint;
use super::{Style, change, guard, records, trust};
use crate::model::{Action, Reason};
use crate::report::value::{ChangeReport, Mode, PipelineReport};

/// Actions in the order in which they are shown: what takes away stands last, next to the question.
const ORDER: [Action; 4] = [Action::Create, Action::Enable, Action::Update, Action::Disable];

/// Writes a pipeline.
pub(super) fn write(mode: Mode, pipeline: &PipelineReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    let title = pipeline.target.as_ref().map(|target| format!("  {}", target.title)).unwrap_or_default();
    writeln!(out, "{}{title}", paint.title(pipeline.name))?;
    if let Some(stopped) = &pipeline.stopped {
        return writeln!(out, "  {} {}: {}", paint.bad("stopped:"), stopped.code, stopped.message);
    }
    match mode {
        Mode::Plan => planned(pipeline, style, out),
        Mode::Apply => done(pipeline, style, out),
    }
}

fn planned(pipeline: &PipelineReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    for warning in pipeline.target.iter().flat_map(|target| &target.warnings) {
        writeln!(out, "  {} {warning}", paint.warn("warning:"))?;
    }
    let first = if pipeline.first_load { "; its first load is still to come, or not through" } else { "" };
    let part = if pipeline.trust.is_trusted() { "" } else { ", not all of them" };
    writeln!(out, "  {} read{part}{first}", records(pipeline.observed))?;
    if pipeline.anew {
        writeln!(out, "  {} what was remembered of the former target is put aside", paint.warn("another target:"))?;
    }
    trust("  ", &pipeline.trust, "nothing is created that it did not show to be absent", paint, out)?;
    state(pipeline, out)?;
    listed(pipeline, style, out)?;
    changes(pipeline, &pipeline.changes.iter().collect::<Vec<_>>(), "to ", style, out)?;
    guard::write(pipeline, style, out)
}

fn done(pipeline: &PipelineReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    counters(pipeline, out)?;
    if !pipeline.verdict.passes() {
        return writeln!(
            out,
            "  {} nothing was written; see the plan",
            Paint(style.colour).bad("refused by the guard:")
        );
    }
    given_up(pipeline, style, out)?;
    let told = ["landed", "not-tried"];
    let shown = |change: &&ChangeReport| {
        style.most.is_none() || change.fate.as_ref().is_none_or(|fate| !told.contains(&fate.result))
    };
    changes(pipeline, &pipeline.changes.iter().filter(shown).collect::<Vec<_>>(), "", style, out)
}

/// What was not sent because the target is away, or refuses us as a whole: once, and not change by change.
fn given_up(pipeline: &PipelineReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let fates = pipeline.changes.iter().filter_map(|change| change.fate.as_ref());
    let not_tried: Vec<_> = fates.filter(|fate| fate.result == "not-tried").collect();
    let Some(last) = not_tried.last() else { return Ok(()) };
    let (were, code) = (if not_tried.len() == 1 { "was" } else { "were" }, last.code.as_deref().unwrap_or_default());
    let message = last.message.as_deref().unwrap_or_default();
    writeln!(
        out,
        "  {} {} {were} not tried, and due again in the next pass; {code}: {message}",
        Paint(style.colour).bad("given up:"),
        super::changes(not_tried.len() as u64)
    )
}

fn state(pipeline: &PipelineReport, out: &mut dyn Write) -> io::Result<()> {
    let known = classes(&pipeline.drift);
    if !known.is_empty() {
        writeln!(out, "  {known}")?;
    }
    reasons("untouched", &pipeline.untouched, out)?;
    reasons("disabled", &pipeline.disabled, out)?;
    for (kind, part) in &pipeline.parts {
        let elements = if part.elements == 1 { "1 element".to_owned() } else { format!("{} elements", part.elements) };
        let classes = Some(classes(&part.drift)).filter(|classes| !classes.is_empty());
        let classes = classes.map(|classes| format!("; {classes}")).unwrap_or_default();
        writeln!(out, "  {kind}: {elements}{classes}")?;
        reasons(&format!("{kind} untouched"), &part.untouched, out)?;
    }
    if pipeline.foreign > 0 {
        writeln!(out, "  {} of nobody we know, never touched", records(pipeline.foreign))?;
    }
    if pipeline.strangers > 0 {
        let (count, s) = (pipeline.strangers, if pipeline.strangers == 1 { "" } else { "s" });
        writeln!(out, "  {count} element{s} of nobody we know or outside what is managed, never touched")?;
    }
    left_out(&pipeline.left_out, out)?;
    match pipeline.counters.get("waiting") {
        0 => Ok(()),
        1 => writeln!(out, "  1 element waits for its other end (a course) to exist"),
        count => writeln!(out, "  {count} elements wait for their other end (a course) to exist"),
    }
}

/// So many names of what no setting knows are told.
const LEFT_OUT: usize = 5;

fn left_out(left_out: &BTreeMap<String, u64>, out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<(&String, &u64)> = left_out.iter().collect();
    all.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let mut told: Vec<String> = all.iter().take(LEFT_OUT).map(|(why, count)| format!("{why} ({count})")).collect();
    if all.len() > LEFT_OUT {
        told.push(format!("{} more", all.len() - LEFT_OUT));
    }
    if told.is_empty() { Ok(()) } else { writeln!(out, "  left out of what the sources say: {}", told.join(", ")) }
}

fn classes(drift: &BTreeMap<Drift, u64>) -> String {
    let known = drift.iter().filter(|(_, count)| **count > 0).map(|(class, n)| format!("{n} {}", label(*class)));
    known.collect::<Vec<_>>().join(", ")
}

fn reasons(what: &str, reasons: &BTreeMap<Reason, u64>, out: &mut dyn Write) -> io::Result<()> {
    let counted: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    if counted.is_empty() { Ok(()) } else { writeln!(out, "  {what}: {}", counted.join(", ")) }
}

fn listed(pipeline: &PipelineReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    let most = style.most.unwrap_or(usize::MAX);
    for conflict in pipeline.conflicts.iter().take(most) {
        let (kind, key, code) = (conflict.kind, &conflict.key, conflict.code);
        writeln!(out, "  {} {kind} {key}: {code}; nothing is written until one is left:", paint.bad("! conflict"))?;
        for candidate in &conflict.candidates {
            writeln!(out, "      {}, found by {}", remote(&candidate.remote), candidate.by.join(" and "))?;
        }
        for rival in &conflict.rivals {
            writeln!(out, "      the same {} is held by or called for of {}", rival.attribute, rival.key)?;
        }
    }
    rest(pipeline.conflicts.len(), most, "in conflict", out)?;
    let keys = [
        (&pipeline.in_doubt, "in doubt", "an earlier write has no known outcome; it is read back first"),
        (&pipeline.unobserved, "unobserved", "the target did not say whether it is there; nothing is written"),
    ];
    for (keys, what, why) in keys {
        for key in keys.iter().take(most) {
            writeln!(out, "  {} {key}: {why}", paint.warn(&format!("? {what}")))?;
        }
        rest(keys.len(), most, what, out)?;
    }
    if pipeline.linked > 0 {
        writeln!(out, "  {} met for the first time and linked; nothing is written for that", records(pipeline.linked))?;
    }
    for item in pipeline.listed.iter().take(most) {
        let (kind, key, class) = (item.kind, &item.key, label(item.drift));
        let why = match item.not_before {
            Some(at) => format!("an accepted write did not show; tried again after {at:.0}"),
            None => "listed, not written".to_owned(),
        };
        writeln!(out, "  = {kind} {key} differs ({class}); {why}:")?;
        change::edits("      ", &item.differences, out)?;
    }
    rest(pipeline.listed.len(), most, "that differ and are only listed", out)
}

fn rest(all: usize, most: usize, what: &str, out: &mut dyn Write) -> io::Result<()> {
    match all.saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "    ... and {more} more {what} (-v shows all)"),
    }
}

fn changes(
    pipeline: &PipelineReport,
    changes: &[&ChangeReport],
    word: &str,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut by_action: BTreeMap<Action, Vec<&ChangeReport>> = BTreeMap::new();
    changes.iter().for_each(|change| by_action.entry(change.action).or_default().push(change));
    let counts: Vec<String> = ORDER
        .iter()
        .filter_map(|action| by_action.get(action).map(|changes| format!("{} {word}{action}", changes.len())))
        .collect();
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(out, "  changes: {}", counts.join(", "))?;
    for action in ORDER {
        let Some(changes) = by_action.get(&action) else { continue };
        let most = style.most.unwrap_or(usize::MAX);
        for one in changes.iter().take(most) {
            change::write(one, !pipeline.verdict.passes(), Paint(style.colour), out)?;
        }
        let more = changes.len().saturating_sub(most);
        if more > 0 {
            let keeps = if style.acting { "" } else { ", --out FILE keeps them" };
            writeln!(out, "    ... and {more} more {word}{action} (-v shows all{keeps})")?;
        }
    }
    Ok(())
}

fn counters(pipeline: &PipelineReport, out: &mut dyn Write) -> io::Result<()> {
    let counted: Vec<String> = pipeline
        .counters
        .0
        .iter()
        .filter(|(name, count)| *count > 0 || name == "total")
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    writeln!(out, "  {}", counted.join(", "))
}

/// What identifies a record.
pub(super) fn remote(remote: &Remote) -> String {
    match (&remote.id, &remote.handle) {
        (Some(id), Some(handle)) => format!("{id} ({handle})"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "a record without id".to_owned(),
    }
}

/// A class of the drift table in words.
pub(super) fn label(class: Drift) -> &'static str {
    match class {
        Drift::Untouched => "untouched",
        Drift::Unobserved => "unobserved",
        Drift::Conflict => "in conflict",
        Drift::Missing => "missing",
        Drift::Lost => "lost",
        Drift::NotThere => "rightly not there",
        Drift::InSync => "in sync",
        Drift::Adopt => "to adopt",
        Drift::FirstMeeting => "met for the first time",
        Drift::Behind => "behind",
        Drift::Drifted => "drifted",
        Drift::Diverged => "diverged",
        Drift::Surplus => "surplus",
        Drift::Forgotten => "forgotten",
        Drift::Foreign => "foreign",
    }
}
