//! `reconcile demo` (feature `sim`): the real commands against a generated campus, its directory,
//! MetaVault in SQLite, and the simulator of every target that has one. Nothing to install, nothing left
//! behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use super::exit::{Exit, Failure};
use super::io::{Io, Terminal};
use crate::sim::campus::{Campus, CampusPlan};
use crate::sim::ldap::{Directory, DirectoryPlan};
use crate::sim::metavault::create_sqlite;
use crate::targets::Registry;
use crate::targets::port::Simulation;

const PEOPLE: usize = 2_000;
const SEED: u64 = 7;
const PLAN: &str = "plan.json";
const PASSWORD: &str = "DEMO_PORTAL_PASSWORD";

/// Plays it.
pub(super) async fn run(registry: &Registry, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let place = tempfile::tempdir()?;
    let campus = Campus::generate(&CampusPlan::new(SEED, PEOPLE));
    create_sqlite(&place.path().join("metavault.db"), &campus).await.map_err(|error| failure(&error))?;
    let directory = Directory::start(DirectoryPlan::portal(io.clock.now()).with(campus.ldap_entries())).await?;
    let mut sites: Vec<Box<dyn Simulation>> = Vec::new();
    for target in registry.iter() {
        sites.extend(target.simulate().await?);
    }
    let mut secrets: BTreeMap<String, String> = sites.iter().flat_map(|site| site.secrets()).collect();
    secrets.insert(PASSWORD.to_owned(), "portalpw".to_owned());
    std::fs::write(place.path().join("reconcile.toml"), configuration(place.path(), &directory, &sites))?;

    let mut demo = Demo { place: place.path(), registry, secrets };
    scene(
        io,
        "A generated campus",
        &format!(
            "{} invented people in an LDAP directory, their details in a MetaVault (SQLite), and a Moodle in which\n\
             nobody has an account yet but two that are managed by hand. All of it runs inside this process.",
            campus.people.len()
        ),
    )?;
    scene(io, "1. What would be done?", "Planning only reads. The plan is kept, so that exactly it can be approved.")?;
    demo.command(io, &["--plan", "--out", PLAN], Exit::Changes).await?;
    scene(io, "2. The first load", "Nothing is remembered yet, so the guard wants a plan that somebody read.")?;
    demo.command(io, &["--approve", PLAN, "--why", "first load of the demo"], Exit::Done).await?;
    scene(io, "3. And again?", "Everything is as wanted: the next plan is empty.")?;
    demo.command(io, &["--plan"], Exit::Done).await?;
    let done: Vec<String> = sites.iter().flat_map(|site| site.tamper()).collect();
    scene(io, "4. Somebody changes things behind our back", &done.join("\n"))?;
    demo.command(io, &["--plan"], Exit::Changes).await?;
    scene(io, "5. Repair", "The same pass, this time acting.")?;
    demo.command(io, &["--yes"], Exit::Done).await?;
    demo.command(io, &["--plan"], Exit::Done).await?;
    directory.shutdown().await;
    Ok(Exit::Done)
}

fn failure(error: &dyn std::fmt::Display) -> Failure {
    Failure { exit: Exit::Error, message: error.to_string() }
}

fn configuration(place: &Path, directory: &Directory, sites: &[Box<dyn Simulation>]) -> String {
    let place = place.display();
    let mut text = format!(
        "[store]\npath = \"{place}/store\"\n\n\
         [institution]\nnumber = \"185\"\nname = \"Demo University\"\nmail_domain = \"uni.example\"\n\n\
         [portal_ldap]\nurl = \"{}\"\nbind_dn = \"cn=portal,dc=meta\"\npassword = \"env:{PASSWORD}\"\n\n\
         [metavault]\nurl = \"sqlite://{place}/metavault.db\"\n\n",
        directory.url()
    );
    for site in sites {
        let _ = writeln!(text, "{}", site.section());
    }
    text
}

fn scene(io: &mut Io<'_>, title: &str, text: &str) -> std::io::Result<()> {
    writeln!(io.out, "=== {title} ===\n{text}\n")
}

struct Demo<'d> {
    place: &'d Path,
    registry: &'d Registry,
    secrets: BTreeMap<String, String>,
}

impl Demo<'_> {
    /// Runs one command as it would be typed, and checks that it ends as this play says.
    async fn command(&mut self, io: &mut Io<'_>, line: &[&str], expected: Exit) -> Result<(), Failure> {
        writeln!(io.out, "$ reconcile {}\n", line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))?;
        let file = |word: &&str| -> OsString {
            if *word == PLAN { self.place.join(word).into() } else { OsString::from(word) }
        };
        let mut args: Vec<OsString> =
            vec!["reconcile".into(), "--config".into(), self.place.join("reconcile.toml").into()];
        args.extend(line.iter().map(file));
        let secrets = &self.secrets;
        let outer = io.environment;
        let environment = move |name: &str| secrets.get(name).cloned().or_else(|| outer(name));
        let mut inner = Io {
            out: &mut *io.out,
            err: &mut *io.err,
            input: &mut *io.input,
            terminal: Terminal { input: false, ..io.terminal },
            environment: &environment,
            clock: std::sync::Arc::clone(&io.clock),
            random: io.random,
            interrupt: io.interrupt.clone(),
            progress: io.progress,
        };
        let exit = Box::pin(super::run(args, self.registry, &mut inner)).await;
        writeln!(io.out, "\n(exit code {})\n", exit as u8)?;
        if exit == expected {
            Ok(())
        } else {
            let message = format!("the demo expected exit code {} here", expected as u8);
            Err(Failure { exit: Exit::Error, message })
        }
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}
