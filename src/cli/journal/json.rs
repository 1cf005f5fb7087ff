//! An entry as one JSON object in a line: the export for an audit. Each stands alone: an outcome repeats what its
//! intent says.

use std::io::{self, Write};

use jiff::Timestamp;
use reconcile_state::journal::{After, Entry, Intent, Landing};
use serde::Serialize;
use serde_json::json;

use super::shown::Shown;
use crate::model::pass::Event;

/// One line. Fields are added without notice; none is renamed, removed or given another meaning.
#[derive(Serialize, Default)]
struct Line<'s> {
    at: Option<String>,
    pipeline: &'s str,
    number: u64,
    entry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'s str>,
    who: Option<&'s str>,
    #[serde(flatten)]
    about: Option<About<'s>>,
    /// Of an outcome, the number of its intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'s str>,
    /// Whether it is known what came of the write.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<bool>,
    /// What the target held afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_doubt_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'s str>,
}

/// What a write is about.
#[derive(Serialize)]
struct About<'s> {
    kind: &'s str,
    key: &'s str,
    action: &'s str,
    attributes: &'s [String],
    change: String,
}

/// Writes a line for a pipeline of which there is no journal any more.
///
/// # Errors
/// Where `out` refuses.
pub fn stopped(event: &Event, out: &mut dyn Write) -> io::Result<()> {
    let line = json!({
        "entry": "stopped", "pipeline": event.pipeline, "code": event.code, "message": event.message,
    });
    writeln!(out, "{line}")
}

/// Writes a line for each entry.
///
/// # Errors
/// Where `out` refuses.
pub fn write(shown: &[Shown<'_>], out: &mut dyn Write) -> io::Result<()> {
    for one in shown {
        serde_json::to_writer(&mut *out, &line(one)).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn line<'s>(shown: &'s Shown<'_>) -> Line<'s> {
    let base = Line { pipeline: shown.pipeline, number: shown.number, who: shown.who, ..Line::default() };
    match &shown.entry {
        Entry::Intent(intent) => Line {
            at: time(intent.at),
            entry: "intent",
            run: Some(&intent.run),
            about: Some(of(intent)),
            in_doubt_since: shown.unknown_since.and_then(time),
            ..base
        },
        Entry::Outcome(outcome) => {
            let intent = if let Some(Entry::Intent(intent)) = &shown.other { Some(intent) } else { None };
            let (result, code) = landing(&outcome.landing);
            Line {
                at: time(outcome.at),
                entry: "outcome",
                run: intent.map(|intent| intent.run.as_str()),
                about: intent.map(of),
                intent: Some(outcome.intent),
                result: Some(result),
                code,
                settled: Some(outcome.settles()),
                held: Some(match outcome.after {
                    After::Unread => "unread",
                    After::Absent => "absent",
                    After::Present { .. } => "present",
                }),
                ..base
            }
        }
        Entry::Note(note) => Line {
            at: time(note.at),
            entry: "note",
            run: Some(&note.run),
            who: Some(&note.who),
            what: Some(&note.what),
            ..base
        },
    }
}

fn of(intent: &Intent) -> About<'_> {
    About {
        kind: &intent.kind,
        key: intent.key.as_str(),
        action: &intent.action,
        attributes: &intent.attributes,
        change: intent.change.to_string(),
    }
}

/// Of one length, so that sorting the text sorts the times.
fn time(at: i64) -> Option<String> {
    Timestamp::from_millisecond(at).ok().map(|at| format!("{at:.3}"))
}

fn landing(landing: &Landing) -> (&'static str, Option<&str>) {
    match landing {
        Landing::Landed => ("landed", None),
        Landing::Failed { code } => ("failed", Some(code)),
        Landing::Partial { code } => ("partial", Some(code)),
        Landing::Unknown { code } => ("unknown", Some(code)),
    }
}
