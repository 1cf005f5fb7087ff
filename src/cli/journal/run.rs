//! The command.

use std::collections::BTreeMap;
use std::path::Path;

use reconcile_state::journal::Entry;
use reconcile_state::store::{Store, StoreError};

use super::find::{Found, Journal, Wanted, find};
use super::shown::Shown;
use super::when::Most;
use super::{json, text};
use crate::cli::args::{Format, JournalArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::io::Io;
use crate::cli::open::refuse;
use crate::cli::{person, view};
use crate::config::Config;
use crate::model::pass::Event;
use crate::targets::Registry;

/// So many are shown where nothing is said.
const SHOWN: usize = 50;

/// So many entries are read and shown at a time.
const CHUNK: usize = 500;

/// A pipeline's journal with what was found in it.
struct Searched {
    pipeline: &'static str,
    store: Store,
    journal: Journal,
}

/// Shows the journal.
pub(in crate::cli) fn run(
    asked: &JournalArgs,
    config: &Path,
    registry: &Registry,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let now = io.clock.now();
    let since = asked.since.map(|since| since.millisecond(now));
    if since.is_some_and(|since| since > now.as_millisecond()) {
        let text = format!("--since lies in the future: it is {now:.0} now, and what names no time zone is UTC");
        return Err(Failure::usage(text));
    }
    let config = Config::load(config, registry)?;
    let names = names(&asked.pipeline, registry)?;
    // Whoever takes a pipeline out of the configuration may take its file away.
    let is_missed = |name: &str| !asked.pipeline.is_empty() || config.pipelines.iter().any(|one| one.name == name);
    let Some(view) = view::open(&config.store, (io.random)())? else {
        writeln!(io.err, "There is no store at {} yet: nothing has been written.", config.store.display())?;
        return Ok(Exit::Done);
    };
    let keys = asked.key.as_ref().map(|(field, value)| person::keys(&view, *field, value)).transpose()?;
    let wanted = Wanted {
        keys,
        run: asked.run.clone(),
        since,
        most: asked.limit.map_or(if asked.open { usize::MAX } else { SHOWN }, |Most(most)| most),
        open: asked.open,
        joined: asked.format == Format::Text,
    };
    let (mut searched, mut stopped) = (Vec::new(), Vec::new());
    for pipeline in names {
        let means = "Its journal was in the same file: what was written there is told by a backup of it alone";
        let search = || -> Result<(Option<Searched>, Option<Event>), StoreError> {
            let (store, lost) = view::pipeline(&view, pipeline, means)?;
            let Some(store) = store else { return Ok((None, lost)) };
            let journal = find(&store, &wanted)?;
            Ok((Some(Searched { pipeline, store, journal }), None))
        };
        let (found, lost) = search().map_err(|error| refuse(&error))?;
        searched.extend(found);
        stopped.extend(lost.filter(|_| is_missed(pipeline)));
    }
    for event in &stopped {
        match asked.format {
            Format::Text => {
                writeln!(io.err, "{}: {}: {}", event.pipeline.unwrap_or_default(), event.code, event.message)?;
            }
            Format::Json => json::stopped(event, io.out)?,
        }
    }
    let all = merge(&searched, wanted.most);
    if all.is_empty() {
        writeln!(io.err, "The journal holds nothing of this.")?;
    }
    for chunk in all.chunks(CHUNK) {
        let shown = read(chunk, &searched, wanted.joined).map_err(|error| refuse(&error))?;
        match asked.format {
            Format::Text => text::write(&shown, io.out)?,
            Format::Json => json::write(&shown, io.out)?,
        }
    }
    io.out.flush()?;
    Ok(if stopped.is_empty() { Exit::Done } else { Exit::Error })
}

/// The pipelines whose journals are read: also of one that is not configured any more.
fn names(asked: &[String], registry: &Registry) -> Result<Vec<&'static str>, Failure> {
    let known: Vec<&'static str> = registry.iter().map(crate::targets::port::Definition::name).collect();
    match asked.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Failure::usage(format!("there is no pipeline {name}; there are: {}", known.join(", ")))),
        None => Ok(known.into_iter().filter(|name| asked.is_empty() || asked.iter().any(|one| one == name)).collect()),
    }
}

/// The last so many of all pipelines together, oldest first.
fn merge(searched: &[Searched], most: usize) -> Vec<(Found, usize)> {
    let of = |(place, one): (usize, &Searched)| one.journal.found.iter().map(move |found| (*found, place)).collect();
    let mut all: Vec<(Found, usize)> = searched.iter().enumerate().flat_map(|one| -> Vec<_> { of(one) }).collect();
    // Within a pipeline the numbers decide; clocks may step back.
    all.sort_by_key(|(found, place)| (found.at, *place, found.number));
    all.drain(..all.len().saturating_sub(most));
    all
}

fn read<'s>(chunk: &[(Found, usize)], searched: &'s [Searched], joined: bool) -> Result<Vec<Shown<'s>>, StoreError> {
    let mut entries: BTreeMap<usize, BTreeMap<u64, Entry>> = BTreeMap::new();
    for (place, one) in searched.iter().enumerate() {
        let mine = chunk.iter().filter(|(_, own)| *own == place);
        let mut read =
            one.store.journal_entries(mine.flat_map(|(found, _)| found.outcome.into_iter().chain([found.number])))?;
        if !joined {
            let of = |entry: &Entry| if let Entry::Outcome(outcome) = entry { Some(outcome.intent) } else { None };
            let intents: Vec<u64> = read.values().filter_map(of).filter(|number| !read.contains_key(number)).collect();
            read.extend(one.store.journal_entries(intents)?);
        }
        entries.insert(place, read);
    }
    let show = |(found, place): &(Found, usize)| {
        let (one, entries) = (searched.get(*place)?, entries.get(place)?);
        let entry = entries.get(&found.number)?.clone();
        let other = match &entry {
            Entry::Outcome(outcome) => entries.get(&outcome.intent),
            Entry::Intent(_) | Entry::Note(_) => found.outcome.and_then(|number| entries.get(&number)),
        };
        let run = match (&entry, other) {
            (Entry::Intent(intent), _) | (Entry::Outcome(_), Some(Entry::Intent(intent))) => Some(&intent.run),
            (Entry::Note(note), _) => Some(&note.run),
            (Entry::Outcome(_), _) => None,
        };
        Some(Shown {
            pipeline: one.pipeline,
            number: found.number,
            who: run.and_then(|run| one.journal.who.get(run)?.as_deref()),
            unknown_since: one.journal.unknown_since.get(&found.number).copied().flatten(),
            other: other.cloned(),
            entry,
        })
    };
    Ok(chunk.iter().filter_map(show).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;
    use crate::cli::args::Args;
    use crate::cli::journal::text::tests::{intent, landed, note};
    use crate::cli::sample::World;
    use crate::config::toy::Toy;
    use clap::Parser;
    use reconcile_state::journal::Landing;
    use reconcile_state::store::{Observed, OutcomeRecord, StoreDir};

    const CONFIG: &str = "[store]\npath = \"store\"\n[institution]\nnumber = \"185\"\nname = \"T\"\n\
        mail_domain = \"u.example\"\n[portal_ldap]\n[metavault]\n[toy]\n";

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("r.toml");
        std::fs::write(&config, CONFIG).unwrap();
        (dir, config)
    }

    async fn journal(config: &Path, line: &str) -> (Result<Exit, Failure>, World) {
        let mut world = World { seconds: 1_000_000, ..World::default() };
        let words = ["reconcile", "journal"].into_iter().chain(line.split_whitespace());
        let args = Args::try_parse_from(words).unwrap();
        let Some(crate::cli::args::Command::Journal(asked)) = args.command else { panic!("{line}") };
        let registry = Registry::empty().with(Toy);
        let exit = world.with(async |io: &mut Io<'_>| run(&asked, config, &registry, io)).await;
        (exit, world)
    }

    #[tokio::test]
    async fn without_a_store_there_is_nothing_and_none_is_made() {
        let (dir, config) = place();
        let (exit, world) = journal(&config, "").await;
        assert_eq!((exit, world.out()), (Ok(Exit::Done), String::new()));
        assert!(world.err().contains("nothing has been written"), "{}", world.err());
        assert!(!dir.path().join("store").exists());
        for line in ["--pipeline toi", "--since 1970-01-13"] {
            let (exit, _) = journal(&config, line).await;
            assert_eq!(exit.unwrap_err().exit, Exit::Usage, "{line}");
        }
    }

    #[tokio::test]
    async fn a_pass_that_holds_the_store_has_its_code() {
        let (dir, config) = place();
        let held = StoreDir::open(dir.path().join("store"), [7; 32]).unwrap();
        assert_eq!(journal(&config, "").await.0.unwrap_err().exit, Exit::Locked);
        drop(held);
        assert_eq!(journal(&config, "").await.0, Ok(Exit::Done));
    }

    #[tokio::test]
    async fn writes_are_lines_of_text_and_entries_are_objects_that_stand_alone() {
        let (dir, config) = place();
        let store = StoreDir::open(dir.path().join("store"), [7; 32]).unwrap().pipeline("toy").unwrap();
        note(&store, "r1", 999_000_000);
        let first = intent(&store, "r1", "a", 999_000_000);
        landed(&store, first, 999_001_000);
        let second = intent(&store, "r1", "b", 999_999_000);
        let doubt = OutcomeRecord {
            intent: second,
            at: 999_999_500,
            landing: Landing::Unknown { code: "TIMEOUT".into() },
            applied: None,
            observed: Observed::Unread,
            claim: None,
        };
        store.record_outcomes(&[doubt]).unwrap();
        drop(store);

        let (exit, world) = journal(&config, "").await;
        assert_eq!(exit, Ok(Exit::Done));
        assert_eq!(
            world.out(),
            "1970-01-12 13:30:00  r1  toy  plan  plan p with 2 changes, by night\n\
             1970-01-12 13:30:00  r1  toy  create account  a  mail, name  done\n\
             1970-01-12 13:46:39  r1  toy  create account  b  mail, name  in doubt: TIMEOUT\n"
        );
        let (_, world) = journal(&config, "--since 60s").await;
        assert_eq!((world.out().lines().count(), world.out().contains("  b  ")), (1, true), "{}", world.out());
        let (_, world) = journal(&config, "--key a --limit 1").await;
        assert_eq!((world.out().lines().count(), world.out().contains("done")), (1, true), "{}", world.out());
        let (_, world) = journal(&config, "--open").await;
        assert_eq!((world.out().lines().count(), world.out().contains("in doubt since 1970-01-12")), (1, true));
        let (exit, world) = journal(&config, "--run r9").await;
        assert_eq!((exit, world.out()), (Ok(Exit::Done), String::new()));

        let (_, world) = journal(&config, "--format json").await;
        let lines: Vec<Value> = world.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 5);
        for line in &lines {
            assert_eq!((line["run"].as_str(), line["who"].as_str()), (Some("r1"), Some("night")), "{line}");
            assert_eq!(line["pipeline"], "toy");
        }
        let outcome = lines.iter().find(|line| line["result"] == "landed").unwrap();
        assert_eq!(
            outcome,
            &serde_json::json!({
                "at": "1970-01-12T13:30:01.000Z", "pipeline": "toy", "number": 3, "entry": "outcome", "run": "r1",
                "who": "night", "kind": "account", "key": "a", "action": "create", "attributes": ["mail", "name"],
                "change": "09090909090909090909090909090909", "intent": 2, "result": "landed", "settled": true,
                "held": "unread",
            })
        );
        let (_, world) = journal(&config, "--format json --open").await;
        let open: Value = serde_json::from_str(&world.out()).unwrap();
        assert_eq!(
            (open["entry"].as_str(), open["in_doubt_since"].as_str()),
            (Some("intent"), Some("1970-01-12T13:46:39.500Z"))
        );
    }

    #[tokio::test]
    async fn what_a_killed_pass_left_is_read_as_well() {
        let (dir, config) = place();
        let (from, to) = (dir.path().join("held"), dir.path().join("store"));
        let held = StoreDir::open(&from, [7; 32]).unwrap();
        let store = held.pipeline("toy").unwrap();
        intent(&store, "r1", "a", 5);
        std::fs::create_dir(&to).unwrap();
        for name in ["lock", "format", "digest.key", "toy.redb"] {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
        let (exit, world) = journal(&config, "--open").await;
        assert_eq!((exit, world.out().lines().count()), (Ok(Exit::Done), 1), "{}", world.err());
        assert!(world.out().contains("no outcome yet"), "{}", world.out());
    }

    #[tokio::test]
    async fn a_user_name_finds_the_person_whom_the_store_knows() {
        use crate::model::person::directory::schema;
        let (dir, config) = place();
        let all = StoreDir::open(dir.path().join("store"), [7; 32]).unwrap();
        let store = all.pipeline("toy").unwrap();
        intent(&store, "r1", "a", 5);
        intent(&store, "r1", "b", 6);
        let schema = schema().unwrap();
        let person = |key: &str, name: &str| {
            reconcile_state::Record::new(key.into()).with(crate::model::person::directory::USERNAME, name)
        };
        let scope = reconcile_state::store::Scope { kind: schema.kind, side: reconcile_state::store::Side::Source };
        all.sources().unwrap().put(scope, &schema, &[person("a", "Invented1"), person("b", "invented2")]).unwrap();
        drop((store, all));
        let (exit, world) = journal(&config, "--key username=invented1").await;
        assert_eq!((exit, world.out().lines().count(), world.out().contains("  a  ")), (Ok(Exit::Done), 1, true));
        let (exit, _) = journal(&config, "--key uh-username=invented1").await;
        let failure = exit.unwrap_err();
        assert!(failure.exit == Exit::Error && !failure.message.contains("invented1"), "{failure}");
    }
}
