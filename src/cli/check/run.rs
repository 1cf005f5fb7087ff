//! The command.

use std::path::Path;

use futures::future::{BoxFuture, join_all};

use super::system::System;
use super::{configuration, show, store, system};
use crate::cli::args::{CheckArgs, Format};
use crate::cli::exit::{Exit, Failure};
use crate::cli::io::Io;
use crate::cli::{open, scope};
use crate::config::{Config, ConfigError, Pipeline};
use crate::model::{Check, Level};
use crate::sources::{Directory, Vault};
use crate::targets::Registry;
use crate::targets::port::Target;

const CONFIGURATION: &str = "configuration";

/// Looks, and shows what was found.
pub(in crate::cli) async fn run(
    asked: &CheckArgs,
    path: &Path,
    registry: &Registry,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let config = match Config::load(path, registry) {
        Ok(config) => config,
        Err(error) => {
            let wrong = error.each().map(|one| wrong("file", &one.to_string()));
            return end(&[System::new(CONFIGURATION, wrong.collect())], asked.format, true, io);
        }
    };
    let chosen = scope::pipelines(&asked.pipeline, &config, registry)?;
    let mut settings = configuration::look(&config, &chosen, registry, io.environment);
    let opened = open_all(&config, &chosen, registry, io);
    settings.extend(opened.wrong.iter().cloned());
    if opened.wrong.is_empty() {
        settings.push(Check::good("secrets", "every one that is referred to is there"));
    }
    let names: Vec<&'static str> = chosen.iter().map(|pipeline| pipeline.name).collect();
    let (kept, remembered) = store::look(&config.store, &names);
    let mut asking: Vec<BoxFuture<'_, System>> = Vec::new();
    if let Some(directory) = &opened.directory {
        asking.push(Box::pin(system::directory(directory.as_ref())));
    }
    if let Some(vault) = &opened.vault {
        asking.push(Box::pin(system::vault(vault.as_ref())));
    }
    for Target { observer, .. } in &opened.targets {
        asking.push(Box::pin(system::target(observer, remembered.get(observer.name))));
    }
    let mut found = vec![System::new(CONFIGURATION, settings), System::new("store", kept)];
    found.extend(join_all(asking).await);
    if let Some(vault) = &opened.vault {
        system::survey(vault.as_ref(), &opened.targets, io.clock.now(), &mut found).await;
    }
    end(&found, asked.format, !opened.wrong.is_empty(), io)
}

/// Sources and targets, as far as the configuration lets them be opened.
#[derive(Default)]
struct Opened {
    directory: Option<Box<dyn Directory>>,
    vault: Option<Box<dyn Vault>>,
    targets: Vec<Target>,
    wrong: Vec<Check>,
}

fn open_all(config: &Config, chosen: &[&Pipeline], registry: &Registry, io: &Io<'_>) -> Opened {
    let mut opened = Opened::default();
    match open::directory(config, io) {
        Ok(directory) => opened.directory = Some(Box::new(directory)),
        Err(error) => opened.tell("portal_ldap", &error),
    }
    match open::vault(config, io) {
        Ok(vault) => opened.vault = Some(vault),
        Err(error) => opened.tell("metavault", &error),
    }
    for pipeline in chosen {
        match config.open(pipeline, registry, io.environment) {
            Ok(target) => opened.targets.push(target),
            Err(error) => opened.tell(pipeline.name, &error),
        }
    }
    opened
}

impl Opened {
    /// Each fault once, also where two need the same section.
    fn tell(&mut self, what: &str, error: &ConfigError) {
        let found = error.to_string();
        if !self.wrong.iter().any(|check| check.found == found) {
            self.wrong.push(wrong(what, &found));
        }
    }
}

fn wrong(what: &str, found: &str) -> Check {
    let fix = "mend it there and check again; `reconcile init --config FILE` writes an example that explains every key";
    Check::problem(what, found, fix)
}

fn end(found: &[System], format: Format, misconfigured: bool, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match format {
        Format::Text => show::text(found, io.out)?,
        Format::Json => show::json(found, io.out)?,
    }
    io.out.flush()?;
    Ok(match show::count(found, Level::Problem) {
        _ if misconfigured => Exit::Config,
        0 => Exit::Done,
        _ => Exit::Error,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;
    use reconcile_state::store::StoreDir;
    use serde_json::Value;

    use super::*;
    use crate::cli::args::{Args, Command};
    use crate::cli::sample::World;
    use crate::config::toy::Toy;
    use crate::engine::IDENTITY;
    use crate::targets::port::Identity;

    const SECRETS: [(&str, &str); 2] = [("PORTAL", "p"), ("TOY", "t")];

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.toml");
        let text = "[store]\npath = \"store\"\n[institution]\nnumber = \"185\"\nname = \"T\"\n\
            mail_domain = \"u.example\"\n[portal_ldap]\nurl = \"ldaps://127.0.0.1:1\"\nbind_dn = \"cn=r\"\n\
            password = \"env:PORTAL\"\n[metavault]\nurl = \"sqlite:///nonexistent/mv.db\"\n\
            [toy]\nurl = \"https://toy.example\"\ntoken = \"env:TOY\"\n";
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    async fn check(config: &Path, line: &str, secrets: &[(&'static str, &'static str)]) -> (Exit, World) {
        let mut world = World { environment: secrets.to_vec(), ..World::default() };
        let args = Args::try_parse_from(["reconcile", "check"].into_iter().chain(line.split_whitespace())).unwrap();
        let Some(Command::Check(asked)) = args.command else { panic!("{line}") };
        let registry = Registry::empty().with(Toy);
        let exit = world.with(async |io: &mut Io<'_>| run(&asked, config, &registry, io).await).await;
        (exit.unwrap(), world)
    }

    async fn findings(config: &Path, secrets: &[(&'static str, &'static str)]) -> (Exit, Value) {
        let (exit, world) = check(config, "--format json", secrets).await;
        (exit, serde_json::from_str(&world.out()).unwrap())
    }

    /// Level and text of a finding.
    fn found<'v>(findings: &'v Value, system: &str, what: &str) -> (&'v str, &'v str) {
        let system = findings["systems"].as_array().unwrap().iter().find(|one| one["system"] == system).unwrap();
        let check = system["checks"].as_array().unwrap().iter().find(|check| check["what"] == what).unwrap();
        (check["level"].as_str().unwrap(), check["found"].as_str().unwrap())
    }

    #[tokio::test]
    async fn every_system_has_its_findings_and_no_store_is_made() {
        let (dir, config) = place();
        let (exit, all) = findings(&config, &SECRETS).await;
        assert_eq!((exit, all["problems"].as_u64()), (Exit::Error, Some(2)), "{all:#}");
        assert_eq!(found(&all, "configuration", "pipelines"), ("good", "toy"));
        assert_eq!(found(&all, "configuration", "secrets").0, "good");
        assert!(found(&all, "store", "place").1.ends_with("will be made at the first run"));
        let (level, text) = found(&all, "portal_ldap", "connection");
        assert!(level == "problem" && text.contains("no connection"), "{text}");
        let (level, text) = found(&all, "metavault", "connection");
        assert!(level == "problem" && text.contains("METAVAULT_CONNECTION_FAILED"), "{text}");
        assert_eq!(found(&all, "toy", "connection"), ("good", "Toy"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the configuration is there");
        let (_, world) = check(&config, "", &SECRETS).await;
        assert!(world.out().contains("    fix: look at `url` in [portal_ldap]"), "{}", world.out());
        assert!(world.out().ends_with("\n2 problems.\n") && world.err().is_empty());
    }

    #[tokio::test]
    async fn a_wrong_configuration_is_a_finding_and_the_rest_is_looked_at() {
        let (_dir, config) = place();
        let (exit, all) = findings(&config, &[("PORTAL", "p")]).await;
        assert_eq!(exit, Exit::Config);
        let (level, text) = found(&all, "configuration", "toy");
        assert!(level == "problem" && text.contains("environment variable TOY is not set"), "{text}");
        assert_eq!(found(&all, "portal_ldap", "connection").0, "problem");
        std::fs::write(&config, "[stoer]\n").unwrap();
        let (exit, all) = findings(&config, &SECRETS).await;
        assert_eq!((exit, found(&all, "configuration", "file").0), (Exit::Config, "problem"));
        let (exit, world) = check(Path::new("/nonexistent/r.toml"), "", &SECRETS).await;
        assert_eq!(exit, Exit::Config);
        assert!(world.out().contains("reconcile init"), "{}", world.out());
    }

    #[tokio::test]
    async fn another_target_than_the_remembered_one_is_a_problem() {
        let (dir, config) = place();
        let before = |id: &str| Identity { id: id.into(), title: "Former".into(), warnings: Vec::new() };
        for (id, level) in [("other", "problem"), ("toy", "good")] {
            let store = StoreDir::open(dir.path().join("store"), [7; 32]).unwrap();
            store.pipeline("toy").unwrap().set_meta(IDENTITY, &before(id)).unwrap();
            drop(store);
            let (_, all) = findings(&config, &SECRETS).await;
            assert_eq!(found(&all, "toy", "identity").0, level, "{all:#}");
        }
    }
}
