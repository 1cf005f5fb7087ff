//! `reconcile forget`: what is kept of somebody who has left; shown, and with consent taken out.

use reconcile_state::Key;
use reconcile_state::journal::Note;
use reconcile_state::store::{Held, StoreDir, StoreView};
use serde_json::json;

use super::args::{ForgetArgs, Format};
use super::ask::ask;
use super::exit::{Exit, Failure};
use super::io::Io;
use super::operator::who;
use super::pass::{failed, run_id};
use super::{open, person};
use crate::codes;
use crate::config::Config;
use crate::engine::{Asked, Kept, forget, kept};
use crate::model::scope::KeyField;
use crate::sources::uhid;

/// Shows, asks, forgets.
pub(super) fn run(args: &ForgetArgs, config: &Config, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let refuse = |error| open::refuse(&error);
    let Some(view) = StoreView::open(&config.store).map_err(refuse)? else {
        writeln!(io.err, "There is no store at {} yet: nothing is kept of anybody.", config.store.display())?;
        return Ok(Exit::Done);
    };
    let key = meant(&view, &args.who)?;
    drop(view);
    let store = StoreDir::open(&config.store, (io.random)()).map_err(refuse)?;
    let kept = kept(&store, &key).map_err(|error| failed(&error))?;
    if args.format == Format::Text {
        text(&kept, io)?;
        io.out.flush()?;
    }
    let exit = if !kept.refusals.is_empty() {
        Exit::Refused
    } else if args.plan {
        if kept.is_nothing() { Exit::Done } else { Exit::Changes }
    } else if args.yes || ask("Forget this person?", io)? {
        let what = format!("forgot 1 person{}", args.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default());
        let note = Note { run: run_id(io), at: io.clock.now().as_millisecond(), what, who: who(io) };
        forget(&store, &kept, &note).map_err(|error| failed(&error))?;
        if args.format == Format::Text {
            writeln!(io.out, "\nForgotten. Saved plans, reports, logs and backups are yours to look through.")?;
        }
        Exit::Done
    } else {
        writeln!(io.err, "Nothing has been forgotten.")?;
        Exit::Changes
    };
    if args.format == Format::Json {
        let forgotten = exit == Exit::Done && !args.plan;
        serde_json::to_writer_pretty(&mut *io.out, &shown(&kept, forgotten)).map_err(std::io::Error::from)?;
        writeln!(io.out)?;
    }
    io.out.flush()?;
    Ok(exit)
}

/// Whoever has left is known by the UH-ID alone; a name is somebody's whom the directory showed last.
fn meant(view: &StoreView, asked: &Asked) -> Result<Key, Failure> {
    let names = match asked {
        Asked::Field(KeyField::IdautoId, value) | Asked::Bare(value) if uhid::key(value.trim()).is_some() => {
            return Ok(uhid::key(value.trim()).unwrap_or_else(|| Key::new(value.as_str())));
        }
        Asked::Field(KeyField::IdautoId, _) => return Err(Failure::usage("that is no UH-ID")),
        Asked::Field(field, value) => vec![(*field, value)],
        Asked::Bare(value) => vec![(KeyField::Username, value), (KeyField::UhUsername, value)],
    };
    let mut found: Vec<Key> = Vec::new();
    for (field, value) in names {
        found.extend(person::keys(view, field, value).into_iter().flatten());
    }
    found.sort();
    found.dedup();
    match (found.pop(), found.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(_), false) => Err(Failure::usage("several people are meant; name one by UH-ID")),
        (None, _) => {
            Err(Failure::error("the directory showed nobody of this name; whoever has left is named by the UH-ID"))
        }
    }
}

fn text(kept: &Kept, io: &mut Io<'_>) -> Result<(), Failure> {
    writeln!(io.out, "{}", kept.key)?;
    for (name, held) in &kept.files {
        writeln!(io.out, "  {name}: {}", words(held).join(", "))?;
    }
    for name in &kept.told {
        writeln!(io.out, "  {name}: told of in what passes left open")?;
    }
    if kept.copied > 0 {
        writeln!(io.out, "  copies of claims: {}", counted(kept.copied, "line", "lines"))?;
    }
    if kept.is_nothing() {
        writeln!(io.out, "  nothing is kept, but for what stands in unused parts of files; these are written anew")?;
    }
    for refusal in &kept.refusals {
        let what = if refusal.what.is_empty() { String::new() } else { format!(" ({})", refusal.what.join(", ")) };
        writeln!(io.out, "  ! not forgotten: {}: {}{what}", refusal.code, refusal.of)?;
        writeln!(io.out, "      {}", codes::meaning(refusal.code))?;
    }
    Ok(())
}

fn words(held: &Held) -> Vec<String> {
    let mut words: Vec<String> = held.records.iter().cloned().collect();
    words.extend(held.applied.iter().map(|kind| format!("{kind}/last applied")));
    words.extend(held.claims.iter().map(|kind| format!("{kind}/claim")));
    if held.entries > 0 {
        words.push(counted(held.entries, "entry of the journal", "entries of the journal"));
    }
    if held.in_doubt > 0 {
        words.push(counted(held.in_doubt, "write in doubt", "writes in doubt"));
    }
    words
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn shown(kept: &Kept, forgotten: bool) -> serde_json::Value {
    let file = |(name, held): (&String, &Held)| {
        json!({
            "name": name, "records": held.records, "applied": held.applied, "claims": held.claims,
            "journal": held.entries, "in_doubt": held.in_doubt,
        })
    };
    let refusals = kept.refusals.iter().map(|one| json!({ "code": one.code, "of": one.of, "what": one.what }));
    json!({
        "version": 1, "key": kept.key, "forgotten": forgotten,
        "files": kept.files.iter().map(file).collect::<Vec<_>>(), "left_open": kept.told, "copies": kept.copied,
        "refused": refusals.collect::<Vec<_>>(),
    })
}
