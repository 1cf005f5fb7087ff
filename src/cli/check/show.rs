//! The findings as text, and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::system::System;
use crate::model::Level;

/// Writes a line for each finding, under its system, with what to do about it on a line of its own.
///
/// # Errors
/// Where `out` refuses.
pub fn text(found: &[System], out: &mut dyn Write) -> io::Result<()> {
    let checks = || found.iter().flat_map(|system| &system.checks);
    let wide = checks().map(|check| check.what.chars().count()).max().unwrap_or(0);
    for System { system, checks } in found {
        writeln!(out, "{system}")?;
        for check in checks {
            writeln!(out, "  {:7}  {:wide$}  {}", word(check.level), check.what, check.found)?;
            if let Some(fix) = &check.fix {
                writeln!(out, "  {:7}  {:wide$}    fix: {fix}", "", "")?;
            }
        }
    }
    writeln!(out)?;
    match (count(found, Level::Problem), count(found, Level::Warning)) {
        (0, 0) => writeln!(out, "Nothing is wrong."),
        (0, warnings) => writeln!(out, "Nothing is wrong; {}.", several(warnings, "warning")),
        (problems, 0) => writeln!(out, "{}.", several(problems, "problem")),
        (problems, warnings) => writeln!(out, "{}, {}.", several(problems, "problem"), several(warnings, "warning")),
    }
}

/// Writes one object: `{ "version": 1, "problems": 0, "warnings": 1, "systems": [ { "system", "checks": [ { "what",
/// "level": "good" | "warning" | "problem", "found", "fix" } ] } ] }`.
///
/// # Errors
/// Where `out` refuses.
pub fn json(found: &[System], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Findings<'f> {
        version: u8,
        problems: usize,
        warnings: usize,
        systems: &'f [System],
    }
    let (problems, warnings) = (count(found, Level::Problem), count(found, Level::Warning));
    let findings = Findings { version: 1, problems, warnings, systems: found };
    serde_json::to_writer_pretty(&mut *out, &findings).map_err(io::Error::from)?;
    writeln!(out)
}

/// How many of a level.
pub fn count(found: &[System], level: Level) -> usize {
    found.iter().map(|system| system.count(level)).sum()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Good => "ok",
        Level::Warning => "warning",
        Level::Problem => "problem",
    }
}

fn several(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Check;

    #[test]
    fn a_finding_is_a_line_and_its_fix_another() {
        let found = [
            System::new("store", vec![Check::good("place", "/var/store")]),
            System::new("moodle", vec![Check::problem("connection", "refused", "look at `url`")]),
        ];
        let mut out = Vec::new();
        text(&found, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "store\n  ok       place       /var/store\nmoodle\n  problem  connection  refused\n\
             \x20                        fix: look at `url`\n\n1 problem.\n"
        );
        let mut out = Vec::new();
        json(&found, &mut out).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((found["problems"].as_u64(), found["warnings"].as_u64()), (Some(1), Some(0)));
        assert_eq!(found["systems"][1]["checks"][0]["level"], "problem");
        assert!(found["systems"][0]["checks"][0]["fix"].is_null());
    }
}
