//! The guard's verdict as text, in full: an operator decides on it.

use std::io::{self, Write};

use super::paint::Paint;
use super::{Style, changes};
use crate::report::value::PipelineReport;

/// Writes why a pipeline may not act, or which rules were allowed this once, and how to go on.
pub(super) fn write(pipeline: &PipelineReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let (paint, verdict) = (Paint(style.colour), &pipeline.verdict);
    for trip in &verdict.allowed {
        // What is allowed asks for nothing any more.
        let said = trip.message.split("; read the plan").next().unwrap_or_default();
        writeln!(out, "  {} {}: {said}", paint.warn("allowed:"), trip.rule)?;
    }
    if verdict.passes() {
        return Ok(());
    }
    let all = changes(pipeline.changes.len() as u64);
    if pipeline.awaits_approval() {
        writeln!(out, "  {} {all} of {} wait for somebody to approve the plan.", paint.warn("Guard:"), pipeline.name)?;
    } else {
        writeln!(out, "  {} nothing of {} is written ({all} held).", paint.bad("Guard refuses:"), pipeline.name)?;
    }
    for trip in &verdict.trips {
        writeln!(out, "    {}: {}", paint.title(trip.rule), trip.message)?;
        if !trip.may_allow {
            writeln!(out, "      This rule cannot be allowed; remove its cause.")?;
        }
    }
    if verdict.trips.iter().any(|trip| !trip.may_allow) {
        return Ok(());
    }
    // Approving a plan is all that a first load needs; a limit must be named, and so must those that were
    // allowed this time.
    let rules = verdict.allowed.iter().chain(&verdict.trips).map(|trip| trip.rule);
    let allow: Vec<&str> = rules.filter(|rule| *rule != "first-load").flat_map(|rule| [" --allow ", rule]).collect();
    let allow = allow.concat();
    let file = style.saved.clone().unwrap_or_else(|| format!("{}-plan.json", pipeline.name));
    if style.saved.is_some() {
        writeln!(out, "    If this is right, approve the saved plan within 24 hours:")?;
    } else {
        writeln!(out, "    If this is right, save the plan, read it, and approve it within 24 hours:")?;
        writeln!(out, "      {}", style.plan_command(pipeline.name, &file))?;
    }
    writeln!(out, "      {} --approve {file}{allow} --why \"...\"", style.command)
}
