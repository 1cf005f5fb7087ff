//! Remembered conflicts as text.

use std::io::{self, Write};

use super::explain::{candidates, moment};
use super::paint::Paint;
use crate::report::explain::ConflictReport;

/// Writes conflicts, each with what to do about it.
///
/// # Errors
/// Where `out` refuses.
pub fn write(conflicts: &[ConflictReport], colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(colour);
    for one in conflicts {
        let sign = paint.bad("!");
        writeln!(out, "{sign} {} {} {}: {}", one.pipeline, one.kind, one.key, paint.title(&one.code))?;
        candidates(one, "    ", out)?;
        writeln!(out, "    {}", paint.faint(&format!("found by {}", moment(&one.found))))?;
        writeln!(out, "    to do: {}", one.advice)?;
    }
    match conflicts.len() {
        0 => writeln!(out, "No conflicts."),
        1 => writeln!(out, "1 conflict: nothing is written for this record until it is resolved."),
        count => writeln!(out, "{count} conflicts: nothing is written for these records until they are resolved."),
    }
}
