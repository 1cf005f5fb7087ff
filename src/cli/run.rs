//! From a command line to an exit code.

use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use super::args::{Args, Command};
#[cfg(feature = "sim")]
use super::demo;
use super::exit::{Exit, Failure};
use super::io::Io;
use super::one_pass::one_pass;
use super::{check, conflicts, explain, forget, init, journal, logs};
use crate::config::Config;
use crate::targets::Registry;

/// Runs a command with these targets. `args` begins with the program's name.
pub async fn run(args: impl IntoIterator<Item = OsString>, registry: &Registry, io: &mut Io<'_>) -> Exit {
    let exit = match Args::try_parse_from(args) {
        Ok(args) => command(&args, registry, io).await,
        Err(error) => said(&error, io),
    };
    exit.unwrap_or_else(|failure| {
        // There is nobody to tell when this fails too.
        for line in failure.message.lines() {
            let _ = writeln!(io.err, "error: {line}");
        }
        failure.exit
    })
}

async fn command(args: &Args, registry: &Registry, io: &mut Io<'_>) -> Result<Exit, Failure> {
    args.check(io.terminal.input && io.terminal.error)?;
    logs::start(args.verbose, io.colour_of_logs(), &io.progress);
    match &args.command {
        #[cfg(feature = "sim")]
        Some(Command::Demo) => Box::pin(demo::run(registry, io, command)).await,
        Some(Command::Explain(explain)) => {
            let config = Config::load(&args.config, registry)?;
            explain::run(explain, &config, args.verbose > 0, registry, io).await
        }
        Some(Command::Conflicts(one)) => conflicts::run(one, &Config::load(&args.config, registry)?, registry, io),
        Some(Command::Forget(one)) => forget::run(one, &Config::load(&args.config, registry)?, io),
        Some(Command::Init) => init::run(&args.config, registry, io),
        Some(Command::Check(asked)) => check::run(asked, &args.config, registry, io).await,
        Some(Command::Journal(asked)) => journal::run(asked, &args.config, registry, io),
        None => one_pass(args, registry, io).await,
    }
}

/// What clap says: help and version are results, everything else is a usage error.
fn said(error: &clap::Error, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let (to, exit): (&mut dyn std::io::Write, Exit) =
        if error.use_stderr() { (io.err, Exit::Usage) } else { (io.out, Exit::Done) };
    write!(to, "{}", error.render())?;
    let holds = |kind, text: &str| error.get(kind).is_some_and(|value| value.to_string().contains(text));
    let asks = holds(ContextKind::InvalidArg, "--key") && holds(ContextKind::Usage, "explain");
    if error.kind() == ErrorKind::UnknownArgument && asks {
        writeln!(to, "\nWhoever is asked about is named without an option: `reconcile explain username=kari`.")?;
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample::World;
    use crate::config::toy::Toy;

    async fn run(world: &mut World, line: &[&str]) -> Exit {
        let registry = Registry::empty().with(Toy);
        let args: Vec<OsString> = std::iter::once("reconcile").chain(line.iter().copied()).map(Into::into).collect();
        world.with(async |io: &mut Io<'_>| super::run(args, &registry, io).await).await
    }

    const COMPLETE: &str = "[store]\npath = \"store\"\n[institution]\nnumber = \"185\"\nname = \"T\"\nmail_domain = \"u.example\"\n\
        [portal_ldap]\nurl = \"ldaps://portal.example\"\nbind_dn = \"cn=r\"\npassword = \"env:PORTAL\"\n\
        [metavault]\nurl = \"sqlite:///nonexistent/mv.db\"\n[toy]\nurl = \"https://toy.example\"\ntoken = \"env:TOY\"\n";

    #[tokio::test]
    async fn help_teaches_and_usage_errors_have_their_code() {
        let mut world = World::default();
        assert_eq!(run(&mut world, &["--help"]).await, Exit::Done);
        for word in ["Acting:", "Scope:", "Output:", "Examples:", "Exit codes:", "--approve"] {
            assert!(world.out().contains(word), "{word}\n{}", world.out());
        }
        for line in [&["--no-such"][..], &["--plan", "--yes"], &["--plan", "--keys-from", "/nonexistent"], &[]] {
            let mut world = World::default();
            assert_eq!(run(&mut world, line).await, Exit::Usage, "{line:?}");
            assert!(!world.err.is_empty() && world.out.is_empty());
        }
        let mut world = World::default();
        assert_eq!(run(&mut world, &["explain", "--key", "kari"]).await, Exit::Usage);
        assert!(world.err().contains("`reconcile explain username=kari`"), "{}", world.err());
        let mut world = World::default();
        assert_eq!(run(&mut world, &["init", "--key", "kari"]).await, Exit::Usage);
        assert!(!world.err().contains("username=kari"), "{}", world.err());
    }

    #[tokio::test]
    async fn a_fresh_configuration_is_written_once_and_asks_to_be_filled_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.toml");
        let path = path.to_str().unwrap();
        let mut world = World::default();
        assert_eq!(run(&mut world, &["init", "--config", path]).await, Exit::Done);
        let (check, plan) = (format!("reconcile --config {path} check"), format!("reconcile --config {path} --plan"));
        assert!(world.out().find(&check).unwrap() < world.out().find(&plan).unwrap(), "{}", world.out());
        let mut world = World::default();
        assert_eq!(run(&mut world, &["init", "--config", path]).await, Exit::Config);
        let mut world = World::default();
        assert_eq!(run(&mut world, &["--plan", "--config", path]).await, Exit::Config);
        assert!(world.err().contains("is empty; fill it in"), "{}", world.err());
    }

    #[tokio::test]
    async fn a_configuration_error_has_its_code_and_makes_no_store() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.toml");
        let cases = [
            (
                COMPLETE.to_owned(),
                vec![("TOY", "t")],
                "[portal_ldap] `password`: environment variable PORTAL is not set",
            ),
            (COMPLETE.to_owned(), vec![("PORTAL", "p")], "[toy] `token`: environment variable TOY is not set"),
            (
                COMPLETE.replace("env:PORTAL", "hunter2"),
                vec![("TOY", "t")],
                "[portal_ldap] `password`: a secret is given as",
            ),
            (
                COMPLETE.replace("bind_dn", "bind"),
                vec![("TOY", "t")],
                "[portal_ldap] has no key `bind`; did you mean `bind_dn`?",
            ),
            (COMPLETE.replace("sqlite:", "odd:"), vec![("TOY", "t"), ("PORTAL", "p")], "sqlite:///absolute/path"),
        ];
        for (text, environment, message) in cases {
            std::fs::write(&path, text).unwrap();
            let mut world = World { environment, ..World::default() };
            assert_eq!(
                run(&mut world, &["--plan", "--config", path.to_str().unwrap()]).await,
                Exit::Config,
                "{message}"
            );
            assert!(world.err().contains(message), "{}", world.err());
            assert!(!world.err().contains("hunter2"));
            assert!(!dir.path().join("store").exists());
        }
        std::fs::write(&path, COMPLETE.replace("sqlite:", "odd:")).unwrap();
        let mut world = World::default();
        assert_eq!(run(&mut world, &["--plan", "--config", path.to_str().unwrap()]).await, Exit::Config);
        let told: Vec<_> =
            world.err().lines().map(|line| line.split("r.toml").nth(1).unwrap()[..4].to_owned()).collect();
        assert_eq!(told, [":10:", ":12:", ":15:"], "all at once, each with its line: {}", world.err());
        assert!(world.err().lines().all(|line| line.starts_with("error: /")), "{}", world.err());
        let mut world = World::default();
        assert_eq!(run(&mut world, &["--plan", "--config", "/nonexistent/r.toml"]).await, Exit::Config);
        assert!(world.err().contains("reconcile init"));
    }

    #[tokio::test]
    async fn a_pipeline_that_is_not_there_is_a_usage_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.toml");
        std::fs::write(&path, COMPLETE).unwrap();
        let mut world = World::default();
        let line = ["--plan", "--pipeline", "toi", "--config", path.to_str().unwrap()];
        assert_eq!(run(&mut world, &line).await, Exit::Usage);
        assert!(world.err().contains("there is no pipeline toi; enabled in"), "{}", world.err());
    }

    #[tokio::test]
    async fn a_store_that_is_held_has_a_code_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.toml");
        std::fs::write(&path, COMPLETE).unwrap();
        let _held = reconcile_state::store::StoreDir::open(dir.path().join("store"), [1; 32]).unwrap();
        let mut world = World { environment: vec![("TOY", "t"), ("PORTAL", "p")], ..World::default() };
        assert_eq!(run(&mut world, &["--plan", "--config", path.to_str().unwrap()]).await, Exit::Locked);
    }
}
