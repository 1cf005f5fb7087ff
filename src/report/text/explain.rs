//! One person, explained, as text.

use std::io::{self, Write};

use jiff::{RoundMode, SignedDuration, SignedDurationRound, Timestamp, Unit};
use reconcile_state::Drift;

use crate::engine::{CLAIMS_LOST, CLAIMS_RESTORED};

use super::change::{cause, edits, value};
use super::paint::Paint;
use super::pipeline::{label, remote};
use crate::report::explain::{
    AppliedReport, BecauseReport, ConflictReport, ExplainReport, KindReport, Moment, NamedValue, NextReport,
    PipelineReport,
};

/// How much is shown, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether escape codes for colour may be written.
    pub colour: bool,
    /// Whether all is shown that the sources said and the target shows.
    pub verbose: bool,
}

/// Writes an explanation.
///
/// # Errors
/// Where `out` refuses.
pub fn write(report: &ExplainReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    let name = report.username.as_ref().map(|name| format!("  {}", value_of(name))).unwrap_or_default();
    writeln!(out, "{}{name}", paint.title(report.key.as_str()))?;
    person(report, style, out)?;
    for pipeline in &report.pipelines {
        writeln!(out)?;
        self::pipeline(report, pipeline, style, out)?;
    }
    Ok(())
}

/// A name as it is shown: it must not repaint the terminal.
fn value_of(name: &str) -> String {
    if name.chars().any(char::is_control) { format!("{name:?}") } else { name.to_owned() }
}

fn person(report: &ExplainReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    let vault = if report.vault.is_some() { "in MetaVault" } else { "not in MetaVault, so nothing is taken away" };
    match report.standing {
        "gone" => writeln!(out, "  gone: Portal LDAP does not have the person")?,
        standing => writeln!(out, "  {standing} in Portal LDAP, {vault}")?,
    }
    if let Some(away) = report.away {
        writeln!(out, "  {} {away}: only that the person is disabled would be believed", paint.warn("left alone:"))?;
    }
    match (report.live, &report.everybody_read, &report.last_read) {
        (true, ..) => writeln!(out, "  read just now")?,
        (_, Some(everybody), Some(last)) if everybody != last => writeln!(
            out,
            "  everybody was last read {}; some people later, {}",
            when(everybody, report.at),
            when(last, report.at)
        )?,
        (_, Some(everybody), _) => writeln!(out, "  everybody was last read {}", when(everybody, report.at))?,
        (_, None, Some(last)) => {
            writeln!(out, "  everybody was never read; some people {}", when(last, report.at))?;
        }
        _ => writeln!(out, "  nobody knows any more when that was read")?,
    }
    if style.verbose {
        for (source, said) in [("Portal LDAP", &report.directory), ("MetaVault", &report.vault)] {
            if let Some(said) = said {
                writeln!(out, "  {source}:")?;
                values("    ", said, out)?;
            }
        }
    }
    Ok(())
}

fn pipeline(report: &ExplainReport, one: &PipelineReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    let looked = match (&one.whole, &one.last) {
        (Some(whole), Some(last)) if whole != last => {
            format!("last pass over everybody {}; over some people {}", when(whole, report.at), when(last, report.at))
        }
        (Some(whole), _) => format!("last pass over everybody {}", when(whole, report.at)),
        (None, Some(last)) => format!("last pass {}, none over everybody yet", when(last, report.at)),
        (None, None) if is_lost(one) => "nobody knows any more when a pass was".to_owned(),
        (None, None) => "no pass yet".to_owned(),
    };
    writeln!(out, "{}  {}", paint.title(one.name), paint.faint(&looked))?;
    if let Some(stopped) = &one.stopped {
        let what = if is_lost(one) { "stopped:" } else { "could not be read:" };
        writeln!(out, "  {} {}: {}", paint.bad(what), stopped.code, stopped.message)?;
    }
    if let Some(protected) = one.protected {
        writeln!(out, "  {} configuration says so: changes are planned and never written", paint.warn(protected.0))?;
    }
    if one.first_load {
        writeln!(out, "  its first load is still to come, or not through: the plan is to be approved first")?;
    }
    for rule in &one.refused {
        writeln!(out, "  {} {rule}", paint.bad("the guard refuses this alone:"))?;
    }
    one.kinds.iter().try_for_each(|kind| self::kind(report, one, kind, style, out))
}

/// Whether what is shown of a pipeline rests on no memory, because that was lost.
fn is_lost(pipeline: &PipelineReport) -> bool {
    pipeline.stopped.as_ref().is_some_and(|stopped| [CLAIMS_LOST, CLAIMS_RESTORED].contains(&stopped.code.as_str()))
}

fn kind(
    report: &ExplainReport,
    pipeline: &PipelineReport,
    one: &KindReport,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paint = Paint(style.colour);
    let class = one.drift.map_or("not weighed", label);
    writeln!(out, "  {}: {class}", paint.title(one.kind))?;
    let called = match (one.called, one.reason) {
        ("disabled", Some(reason)) => format!("to be closed where it is there: {reason}"),
        ("untouched", Some(reason)) => format!("nothing: {reason}"),
        ("gone", _) => "nothing: the person is gone from the sources".to_owned(),
        _ => "to be there and open".to_owned(),
    };
    writeln!(out, "    called for   {called}")?;
    desired(one, style, out)?;
    if let Some(applied) = &one.applied {
        writeln!(out, "    last applied {}", self::applied(applied, report.at))?;
    }
    writeln!(out, "    seen         {}", seen(one, report))?;
    let differs = |seen: &&NamedValue| style.verbose || !one.desired.contains(seen);
    let shown: Vec<NamedValue> = one.seen.iter().filter(differs).cloned().collect();
    if !shown.is_empty() {
        let what = if style.verbose { "it shows" } else { "it shows, other than called for" };
        writeln!(out, "      {}", paint.faint(what))?;
        values("        ", &shown, out)?;
    }
    next(pipeline, one, paint, out)?;
    if !one.waiting.is_empty() {
        writeln!(out, "    waits        until its other end (a course, another record) is there")?;
        edits("        ", &one.waiting, out)?;
    }
    if !one.kept.is_empty() {
        writeln!(out, "    kept         not-in-mv: MetaVault does not have the person, so nothing is taken away")?;
        edits("        ", &one.kept, out)?;
    }
    if !one.unsure.is_empty() {
        writeln!(out, "    unsure       memory was lost, and nobody knows what this program did: left as it is")?;
        edits("        ", &one.unsure, out)?;
    }
    let missing: Vec<&BecauseReport> = one.because.iter().filter(|because| !because.wanted).collect();
    if !missing.is_empty() {
        writeln!(out, "    not called for")?;
        for because in missing {
            let element = because.element.as_ref().map(|element| format!(" {}", value(element))).unwrap_or_default();
            writeln!(out, "        {}{element}  {}", because.attribute, paint.faint(&because.rule))?;
        }
    }
    Ok(())
}

/// What is called for, each value with its rule where one is told.
fn desired(one: &KindReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.colour);
    let width = one.desired.iter().map(|named| named.attribute.chars().count()).max().unwrap_or(0);
    for named in &one.desired {
        let rules = one.because.iter().filter(|because| because.wanted && because.attribute == named.attribute);
        let (whole, each): (Vec<_>, Vec<_>) = rules.partition(|because| because.element.is_none());
        let rule = whole.first().map(|because| format!("  {}", paint.faint(&because.rule))).unwrap_or_default();
        writeln!(out, "        {:width$}  {}{rule}", named.attribute, value(&named.value))?;
        for because in each {
            let element = because.element.as_ref().map(value).unwrap_or_default();
            writeln!(out, "          {element}  {}", paint.faint(&because.rule))?;
        }
    }
    Ok(())
}

fn applied(applied: &AppliedReport, at: Timestamp) -> String {
    let when = applied.when.as_ref().map_or_else(|| "linked, or longer ago".to_owned(), |told| self::when(told, at));
    let wanted = if applied.as_wanted { "the same is called for now" } else { "something else is called for now" };
    let seen = match applied.as_seen {
        Some(true) => "; the target still shows what it showed then",
        Some(false) => "; the target shows something else than then",
        None => "",
    };
    format!("{when}; {wanted}{seen}")
}

fn seen(one: &KindReport, report: &ExplainReport) -> String {
    let record = one.remote.as_ref().map(|known| format!(" record {}", value_of(&remote(known)))).unwrap_or_default();
    let what = match (one.observed, one.standing) {
        ("present", Some(standing)) => format!("{standing}{record}"),
        ("absent", _) => "not there".to_owned(),
        ("ambiguous", _) => "something that may be somebody else's".to_owned(),
        ("no-whole", _) => {
            let whole = one.part_of.unwrap_or_default();
            format!("not there: it is part of the {whole}, which was not seen")
        }
        _ => "not known".to_owned(),
    };
    let read = match (report.live, one.read_at) {
        (true, _) => "read just now".to_owned(),
        (_, Some(read_at)) => format!("all were last read {}", ago(read_at, report.at)),
        (_, None) => "never read whole".to_owned(),
    };
    let later = one.confirmed.as_ref().filter(|_| !report.live);
    let later = later.map(|told| format!("; this one was read back {}", when(told, report.at))).unwrap_or_default();
    format!("{what}; {read}{later}")
}

fn next(pipeline: &PipelineReport, one: &KindReport, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    match &one.next {
        NextReport::Nothing if is_lost(pipeline) => {
            writeln!(out, "    next pass    {}", paint.bad("not known: what was remembered is not there, see above"))
        }
        NextReport::Nothing => writeln!(out, "    next pass    {}", nothing(one)),
        NextReport::Forget => {
            writeln!(out, "    next pass    forgets what was last applied: it is not there, and rightly so")
        }
        NextReport::Change { action, edits: all, cause: moved, reason, held } => {
            let why = cause(one.drift.unwrap_or(Drift::Behind), *moved, *reason);
            let sign = paint.sign(*action);
            writeln!(out, "    next pass    {sign} {action}  {}", paint.faint(&format!("({why})")))?;
            edits("        ", all, out)?;
            if let Some(held) = held.or(pipeline.protected) {
                writeln!(out, "        {} {held}", paint.warn("held:"))?;
            }
            Ok(())
        }
        NextReport::Link { differences } if differences.is_empty() => {
            writeln!(out, "    next pass    links it as it is; writes nothing")
        }
        NextReport::Link { differences } => {
            writeln!(out, "    next pass    = links it; what differs is listed, not written")?;
            edits("        ", differences, out)
        }
        NextReport::List { differences, until } => {
            match until {
                Some(until) => writeln!(
                    out,
                    "    next pass    = nothing before {until:.0}: an accepted write did not show, and is tried again then"
                )?,
                None => writeln!(out, "    next pass    = lists what differs, writes nothing")?,
            }
            edits("        ", differences, out)
        }
        NextReport::InDoubt { action, sent, since, until } => {
            let since = since.map_or_else(|| "its process ended first".to_owned(), |at| format!("since {at:.0}"));
            let until = until.map(|at| format!("; not before {at:.0}")).unwrap_or_default();
            let sent = moment(sent);
            writeln!(out, "    next pass    {}", paint.warn("? reads an earlier write back first"))?;
            writeln!(out, "        {action} of {sent}, in doubt ({since}){until}")
        }
        NextReport::Conflict(conflict) => {
            writeln!(out, "    next pass    {} {}", paint.bad("! nothing: conflict"), conflict.code)?;
            candidates(conflict, "        ", out)?;
            writeln!(out, "        found by {}", moment(&conflict.found))?;
            writeln!(out, "        to do: {}", conflict.advice)
        }
    }
}

/// Records and people in the way, a line each.
pub(super) fn candidates(conflict: &ConflictReport, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    for candidate in &conflict.candidates {
        let by = candidate.by.join(" and ");
        writeln!(out, "{indent}record {}, found by {by}", value_of(&remote(&candidate.remote)))?;
    }
    for rival in &conflict.rivals {
        writeln!(out, "{indent}the same {} is held by or called for of {}", rival.attribute, rival.key)?;
    }
    Ok(())
}

/// Why nothing is done.
fn nothing(one: &KindReport) -> String {
    let why = match (one.called, one.observed, one.drift) {
        ("gone", _, None) => "nothing: nothing is remembered of the person here",
        (_, "no-whole", _) => "comes with the record it is part of",
        (_, _, Some(Drift::InSync)) => "nothing: in sync",
        (_, _, Some(Drift::Untouched)) => "nothing: the record is left alone",
        (_, _, Some(Drift::Unobserved)) => "looks for it first: nobody knows whether it is there",
        (_, _, Some(Drift::NotThere)) => "nothing: it is rightly not there",
        (_, _, Some(Drift::Forgotten)) => "nothing: the person is gone and the record is closed, or not there",
        (_, _, Some(Drift::Foreign)) => "nothing: the record was never ours",
        (_, _, Some(Drift::Drifted | Drift::Diverged)) if one.waiting.is_empty() => {
            "nothing: `drift` is set to leave what others changed"
        }
        _ if !one.waiting.is_empty() => "nothing but what waits",
        _ => "nothing",
    };
    why.to_owned()
}

fn values(indent: &str, values: &[NamedValue], out: &mut dyn Write) -> io::Result<()> {
    let width = values.iter().map(|named| named.attribute.chars().count()).max().unwrap_or(0);
    values.iter().try_for_each(|named| writeln!(out, "{indent}{:width$}  {}", named.attribute, value(&named.value)))
}

/// A pass and its time, without how long ago.
pub(super) fn moment(told: &Moment) -> String {
    let at = told.at.map_or_else(|| "an unknown time".to_owned(), |at| format!("{at:.0}"));
    format!("run {} at {at}", told.run)
}

fn when(told: &Moment, now: Timestamp) -> String {
    match told.at {
        Some(at) => format!("{} (run {})", ago(at, now), told.run),
        None => format!("by run {}", told.run),
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let since = now.duration_since(at);
    let unit = if since < SignedDuration::from_mins(2) { Unit::Second } else { Unit::Minute };
    let rounded = since.round(SignedDurationRound::new().smallest(unit).mode(RoundMode::Trunc)).unwrap_or(since);
    if since.is_negative() { format!("{at:.0}") } else { format!("{at:.0}, {rounded:#} ago") }
}
