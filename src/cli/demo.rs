//! `reconcile demo` (feature `sim`): the real commands against a generated campus, its directory,
//! MetaVault in SQLite, and the simulator of every target that has one. Nothing to install, nothing left
//! behind.

use std::ffi::OsString;

use clap::Parser;

use super::args::Args;
use super::exit::{Exit, Failure};
use super::io::{Io, Terminal};
use crate::sim::campus::{CampusPlan, Standing, attribute};
use crate::sim::stage::Stage;
use crate::targets::Registry;

const PEOPLE: usize = 2_000;
const SEED: u64 = 7;
const PLAN: &str = "plan.json";

/// Plays it, with `command` to run a command line as it was typed.
pub(super) async fn run<C>(registry: &Registry, io: &mut Io<'_>, command: C) -> Result<Exit, Failure>
where
    C: AsyncFn(&Args, &Registry, &mut Io<'_>) -> Result<Exit, Failure>,
{
    let place = tempfile::tempdir()?;
    io.interrupt.passes_with_us(place.path());
    let stage = Stage::set_in(place, registry, &CampusPlan::new(SEED, PEOPLE), io.clock.now()).await?;
    let mut demo = Demo { stage: &stage, registry, command };
    scene(
        io,
        "A generated campus",
        &format!(
            "{PEOPLE} invented people in an LDAP directory, their details in a MetaVault (SQLite), and targets in which\n\
             hardly anybody has an account yet. All of it runs inside this process."
        ),
    )?;
    scene(io, "0. Is everything there?", "Connections, rights, tables, functions: each finding with its fix.")?;
    demo.command(io, &["check"], Exit::Done).await?;
    scene(
        io,
        "1. What would be done?",
        "Planning only reads, and the plan is kept, so that exactly it can be approved. The guard judges every plan before\n\
         anything is written; to a first load it says no until somebody has approved it. `orphan-rows` counts rows of\n\
         MetaVault that belong to no person in it, `not-in-directory` people whom the directory does not have: both\n\
         are left out. Accounts come first, then the enrolments in courses that exist, then the marks in the directory\n\
         that say who has been given what. Exit code 2 means that the plan holds changes that have not been made.",
    )?;
    demo.command(io, &["--plan", "--out", PLAN], Exit::Changes).await?;
    scene(io, "2. The first load", "Nothing is remembered yet, so the guard wants a plan that somebody read.")?;
    demo.command(io, &["--approve", PLAN, "--why", "first load of the demo"], Exit::Done).await?;
    scene(
        io,
        "3. And again?",
        "Nothing is left to write. What stands open is said: people whom only a person can tell apart (conflicts), and\n\
         marks that somebody else set long ago, which are listed and left.",
    )?;
    demo.command(io, &["--plan"], Exit::Done).await?;
    scene(
        io,
        "Why is somebody as they are?",
        "From memory, without asking anybody: what should be, by which rule, what was seen, and what comes next.",
    )?;
    let somebody = format!("username={}", somebody(&stage));
    demo.command(io, &["explain", &somebody], Exit::Done).await?;
    let done: Vec<String> = stage.sites.iter().flat_map(|site| site.tamper()).collect();
    scene(io, "4. Somebody changes things behind our back", &done.join("\n"))?;
    demo.command(io, &["--plan"], Exit::Changes).await?;
    scene(io, "5. Repair", "The same pass, this time acting.")?;
    demo.command(io, &["--yes"], Exit::Done).await?;
    demo.command(io, &["--plan"], Exit::Done).await?;
    scene(io, "6. What was done?", "The journal holds who, when, what and what came of it; no names and no values.")?;
    demo.command(io, &["journal", "--limit", "6"], Exit::Done).await?;
    Ok(Exit::Done)
}

/// The user name of a student without oddities.
fn somebody(stage: &Stage) -> String {
    let people = stage.campus.people.iter().filter(|person| person.oddity.is_none() && person.kind.studies());
    let mut named = people.filter(|person| person.standing == Standing::Active);
    named.find_map(|person| person.text(attribute::USERNAME)).unwrap_or_default().to_owned()
}

fn scene(io: &mut Io<'_>, title: &str, text: &str) -> std::io::Result<()> {
    writeln!(io.out, "=== {title} ===\n{text}\n")
}

struct Demo<'d, C> {
    stage: &'d Stage,
    registry: &'d Registry,
    command: C,
}

impl<C: AsyncFn(&Args, &Registry, &mut Io<'_>) -> Result<Exit, Failure>> Demo<'_, C> {
    /// Runs one command as it would be typed, and checks that it ends as this play says.
    async fn command(&mut self, io: &mut Io<'_>, line: &[&str], expected: Exit) -> Result<(), Failure> {
        writeln!(io.out, "$ reconcile {}\n", line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))?;
        let file = |word: &&str| -> OsString {
            if *word == PLAN { self.stage.place().join(word).into() } else { OsString::from(word) }
        };
        let mut args: Vec<OsString> = vec!["reconcile".into(), "--config".into(), self.stage.configuration().into()];
        args.extend(line.iter().map(file));
        let (stage, outer) = (self.stage, io.environment);
        let environment = move |name: &str| stage.secret(name).or_else(|| outer(name));
        let mut inner = Io {
            out: &mut *io.out,
            err: &mut *io.err,
            input: &mut *io.input,
            terminal: Terminal { input: false, ..io.terminal },
            environment: &environment,
            account: io.account.clone(),
            clock: std::sync::Arc::clone(&io.clock),
            random: io.random,
            interrupt: io.interrupt.clone(),
            progress: std::sync::Arc::clone(&io.progress),
            points: std::sync::Arc::clone(&io.points),
        };
        let args = Args::try_parse_from(args).map_err(|error| Failure::usage(error.to_string()))?;
        let exit = Box::pin((self.command)(&args, self.registry, &mut inner)).await?;
        writeln!(io.out, "\n(exit code {})\n", exit as u8)?;
        if exit == expected {
            Ok(())
        } else if exit == Exit::Interrupted {
            Err(Failure { exit, message: "the demo was interrupted".to_owned() })
        } else {
            let message = format!("the demo expected exit code {} here", expected as u8);
            Err(Failure { exit: Exit::Error, message })
        }
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}
