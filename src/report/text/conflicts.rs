//! Remembered conflicts as text.

use std::io::{self, Write};

use super::explain::{candidates, moment};
use super::paint::Paint;
use crate::report::explain::ConflictsReport;

/// Writes conflicts, each with what to do about it.
///
/// # Errors
/// Where `out` refuses.
pub fn write(report: &ConflictsReport, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(colour);
    for stopped in &report.stopped {
        let name = stopped.pipeline.unwrap_or_default();
        writeln!(out, "{name}  {} {}: {}", paint.bad("stopped:"), stopped.code, stopped.message)?;
    }
    for one in &report.conflicts {
        let sign = paint.bad("!");
        writeln!(out, "{sign} {} {} {}: {}", one.pipeline, one.kind, one.key, paint.title(&one.code))?;
        candidates(one, "    ", out)?;
        writeln!(out, "    {}", paint.faint(&format!("found by {}", moment(&one.found))))?;
        writeln!(out, "    to do: {}", one.advice)?;
    }
    match report.conflicts.len() {
        0 if !report.stopped.is_empty() => writeln!(out, "No conflicts in the others."),
        0 => writeln!(out, "No conflicts."),
        1 => writeln!(out, "1 conflict: nothing is written for this record until it is resolved."),
        count => writeln!(out, "{count} conflicts: nothing is written for these records until they are resolved."),
    }
}
