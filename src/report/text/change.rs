//! One change as text.

use std::io::{self, Write};

use reconcile_state::Drift;

use super::paint::Paint;
use crate::model::{Cause, Reason};
use crate::report::redact::Shown;
use crate::report::value::{ChangeReport, EditReport, FateReport};

/// Writes a change with its edits, its cause and, where something came of it already, what. `refused`: the
/// guard refused its whole pipeline.
pub(super) fn write(change: &ChangeReport, refused: bool, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let who = change.username.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let (sign, action) = (paint.sign(change.action), change.action);
    let why = paint.faint(&format!("({})", cause(change.drift, change.cause, change.reason)));
    writeln!(out, "  {sign} {action} {} {}{who}  {why}", change.kind, change.key)?;
    edits("      ", &change.edits, out)?;
    match &change.fate {
        // Where the whole pipeline is refused, the verdict says so once for all.
        Some(fate) if refused && fate.result == "held" => Ok(()),
        Some(fate) => writeln!(out, "      {}", outcome(fate, paint)),
        None => Ok(()),
    }
}

/// Writes edits, one on a line, values under each other.
pub(super) fn edits(indent: &str, edits: &[EditReport], out: &mut dyn Write) -> io::Result<()> {
    let width = edits.iter().map(|edit| attribute(edit).chars().count()).max().unwrap_or(0);
    for edit in edits {
        let name = attribute(edit);
        let what = match edit {
            EditReport::Standing { to } => format!("becomes {to}"),
            EditReport::Set { from: None, to, .. } => value(to),
            EditReport::Set { from: Some(from), to, .. } => format!("{} -> {}", value(from), value(to)),
            EditReport::Clear { from, .. } => format!("{} -> (empty)", value(from)),
            EditReport::Add { element, .. } => format!("+ {}", value(element)),
            EditReport::Remove { element, .. } => format!("- {}", value(element)),
        };
        writeln!(out, "{indent}{name:width$}  {what}")?;
    }
    Ok(())
}

fn attribute(edit: &EditReport) -> &str {
    match edit {
        EditReport::Standing { .. } => "standing",
        EditReport::Set { attribute, .. }
        | EditReport::Clear { attribute, .. }
        | EditReport::Add { attribute, .. }
        | EditReport::Remove { attribute, .. } => attribute,
    }
}

/// Control characters are escaped: a value must not repaint the operator's terminal.
pub(super) fn value(shown: &Shown) -> String {
    match shown {
        Shown::Text(text) => format!("{text:?}"),
        Shown::Flag(flag) => flag.to_string(),
        Shown::Number(number) => number.to_string(),
        Shown::Set(elements) => format!("{elements:?}"),
        Shown::Record(key) => format!("record {key:?}"),
        Shown::Secret => "(secret)".to_owned(),
    }
}

/// Why a record is to change.
pub(super) fn cause(drift: Drift, cause: Cause, reason: Option<Reason>) -> String {
    let cause = match (drift, cause) {
        (Drift::Lost, _) => "it vanished from the target",
        (Drift::Missing, _) => "not there yet",
        (Drift::Surplus, _) => "gone from the sources",
        (_, Cause::Source) => "the sources changed",
        (_, Cause::Policy) => "configuration or program changed",
        (_, Cause::Drift) => "repair: the target changed",
    };
    match reason {
        Some(reason) => format!("{reason}; {cause}"),
        None => cause.to_owned(),
    }
}

/// So many differences are told of a record that did not come out as wanted.
const TOLD: usize = 4;

/// What a target shows in place of what was written.
fn instead(left: &[EditReport]) -> String {
    let one = |edit: &EditReport| match edit {
        EditReport::Standing { to } => format!("not {to}"),
        EditReport::Set { from: None, .. } => "nothing".to_owned(),
        EditReport::Set { from: Some(from), .. } | EditReport::Clear { from, .. } => value(from),
        EditReport::Add { element, .. } => format!("not {}", value(element)),
        EditReport::Remove { element, .. } => format!("but {}", value(element)),
    };
    let mut told: Vec<String> = left.iter().take(TOLD).map(one).collect();
    if left.len() > TOLD {
        told.push(format!("{} more", left.len() - TOLD));
    }
    if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
}

fn outcome(fate: &FateReport, paint: Paint) -> String {
    let code = fate.code.as_deref().unwrap_or_default();
    let message = fate.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    match fate.result {
        "landed" => paint.good("made"),
        "not-converged" => {
            let attributes = fate.attributes.join(", ");
            let shown = instead(&fate.left);
            format!(
                "{} the target shows something else in {attributes}{shown}; tried again later",
                paint.warn("not converged:")
            )
        }
        "superseded" => paint.warn("superseded: the record moved since it was planned; due in the next pass"),
        "failed" => format!("{} {code}{message}", paint.bad("failed:")),
        "not-tried" => format!("{} {code}", paint.warn("not tried:")),
        "in-doubt" => format!("{} {code}{message}; read back before the next write", paint.bad("in doubt:")),
        "deferred" => format!("{}{}", paint.warn("deferred"), paint.warn(&message)),
        "held" => format!("{} {code}", paint.warn("held:")),
        "not-approved" => paint.warn("not made: it is not in the approved plan"),
        _ => paint.warn("not made: interrupted"),
    }
}
