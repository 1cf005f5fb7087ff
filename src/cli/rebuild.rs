//! `--rebuild-claims`: what evidence says of claims that were lost; shown, and with consent remembered. No target is
//! written to.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Claim, Key, Remote};
use serde_json::json;

use super::args::{Args, Format};
use super::ask::ask;
use super::exit::{Exit, Failure};
use super::io::Io;
use super::open::Opened;
use super::operator::who;
use super::pass::{failed, run_id};
use crate::codes;
use crate::engine::{KindRebuilt, Order, PipelineRebuilt, Rebuilt, keep_rebuilt, rebuild};
use crate::model::scope::Scope;

/// So many keys are listed without `-v`.
const LISTED: usize = 5;

/// Derives, shows, and remembers with consent.
pub(super) async fn run(
    opened: &Opened,
    only: &BTreeSet<String>,
    args: &Args,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let at = io.clock.now();
    let allow = args.pass.allow.iter().cloned().collect();
    let order = Order { scope: Scope::default(), adopt: false, allow, run: run_id(io), at };
    let rebuilt = rebuild(opened.planner(), &order, only).await;
    io.progress.end();
    let rebuilt = rebuilt.map_err(|error| failed(&error))?;
    match args.pass.format {
        Format::Text => text(&rebuilt, if args.verbose > 0 { usize::MAX } else { LISTED }, io)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *io.out, &shown(&rebuilt)).map_err(std::io::Error::from)?;
            writeln!(io.out)?;
        }
    }
    io.out.flush()?;
    let due = rebuilt.pipelines.iter().any(PipelineRebuilt::is_due);
    if args.pass.plan || !due {
        return Ok(exit(&rebuilt, due));
    }
    let count = rebuilt.pipelines.iter().map(derived).sum::<usize>();
    if !args.pass.yes && !ask(&format!("Remember {count} claims?"), io)? {
        writeln!(io.err, "Nothing has been remembered.")?;
        return Ok(exit(&rebuilt, due));
    }
    keep_rebuilt(opened.planner(), &rebuilt, &who(io), args.pass.why.as_deref())
        .await
        .map_err(|error| failed(&error))?;
    if args.pass.format == Format::Text {
        writeln!(io.out, "\n{count} claims are remembered. Run a plan next, and read it.")?;
    }
    Ok(exit(&rebuilt, false))
}

fn derived(pipeline: &PipelineRebuilt) -> usize {
    pipeline.kinds.iter().map(|kind| kind.derived.len()).sum()
}

fn exit(rebuilt: &Rebuilt, left: bool) -> Exit {
    if rebuilt.pipelines.iter().any(|pipeline| pipeline.stopped.is_some()) {
        Exit::Error
    } else if rebuilt.sources.iter().any(|source| !source.trust.is_trusted()) {
        Exit::Untrusted
    } else if left {
        Exit::Changes
    } else {
        Exit::Done
    }
}

fn text(rebuilt: &Rebuilt, most: usize, io: &mut Io<'_>) -> Result<(), Failure> {
    writeln!(io.out, "Claims as evidence tells them. Nothing is written to any target.")?;
    for doubt in rebuilt.sources.iter().flat_map(|source| &source.trust.doubts) {
        writeln!(io.out, "  doubted: {}: {}", doubt.code, doubt.message)?;
    }
    for pipeline in &rebuilt.pipelines {
        let title = pipeline.target.as_ref().map(|target| format!("  {}", target.title)).unwrap_or_default();
        writeln!(io.out, "\n{}{title}", pipeline.name)?;
        if let Some(lost) = &pipeline.lost {
            writeln!(io.out, "  lost: {lost}")?;
        }
        if let Some(stopped) = &pipeline.stopped {
            writeln!(io.out, "  stopped: {}: {}; nothing is derived here", stopped.code, stopped.message)?;
        }
        if !pipeline.settled.is_empty() {
            writeln!(io.out, "  {} contradicted before, and no more", pipeline.settled.len())?;
        }
        pipeline.kinds.iter().try_for_each(|kind| one(kind, most, io))?;
    }
    Ok(())
}

fn one(kind: &KindRebuilt, most: usize, io: &mut Io<'_>) -> Result<(), Failure> {
    let (derived, contradicted) = (kind.derived.len(), kind.contradicted.len());
    writeln!(io.out, "  {}: {derived} derived, {} remembered already", kind.kind, kind.known)?;
    if contradicted > 0 {
        writeln!(io.out, "    ! {contradicted} contradicted, and left alone until the evidence agrees:")?;
    }
    for (key, found) in kind.contradicted.iter().take(most) {
        let others = if found.found.is_empty() { "none".to_owned() } else { found.found.join(", ") };
        writeln!(io.out, "      {key}: {}; the directory names {}, found was {others}", found.code, found.id)?;
    }
    rest(contradicted, most, io)?;
    for (why, keys) in &kind.unknown {
        writeln!(io.out, "    ? {} {why}: {}", keys.len(), codes::meaning(why.0))?;
        for key in keys.iter().take(most) {
            writeln!(io.out, "      {key}")?;
        }
        rest(keys.len(), most, io)?;
    }
    Ok(())
}

fn rest(all: usize, most: usize, io: &mut Io<'_>) -> Result<(), Failure> {
    match all.saturating_sub(most) {
        0 => Ok(()),
        more => Ok(writeln!(io.out, "      ... and {more} more (-v shows all)")?),
    }
}

/// As JSON: of claims nothing but the ids, a handle may be a user name.
fn shown(rebuilt: &Rebuilt) -> serde_json::Value {
    let ids = |claims: &BTreeMap<Key, Claim>| -> BTreeMap<Key, Option<String>> {
        let id = |Remote { id, .. }: &Remote| id.clone();
        claims.iter().map(|(key, claim)| (key.clone(), id(&claim.remote))).collect()
    };
    let kind = |kind: &KindRebuilt| {
        json!({
            "kind": kind.kind, "known": kind.known, "derived": ids(&kind.derived), "contradicted": kind.contradicted,
            "unknown": kind.unknown.iter().map(|(why, keys)| (why.0, keys)).collect::<BTreeMap<_, _>>(),
        })
    };
    let pipeline = |pipeline: &PipelineRebuilt| {
        json!({
            "name": pipeline.name, "target": pipeline.target, "lost": pipeline.lost, "stopped": pipeline.stopped,
            "settled": pipeline.settled,
            "kinds": pipeline.kinds.iter().map(kind).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": 1, "run": rebuilt.run, "sources": rebuilt.sources,
        "pipelines": rebuilt.pipelines.iter().map(pipeline).collect::<Vec<_>>(),
    })
}
