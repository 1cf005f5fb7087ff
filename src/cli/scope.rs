//! From arguments to what is asked for: people, pipelines, and the words for a command that asks the same.

use std::path::Path;

use super::args::{Args, PassArgs};
use super::exit::Failure;
use super::io::Io;
use super::keys::{self, List};
use super::plan_file::Asked;
use crate::config::{Config, Pipeline};
use crate::model::scope::{Pick, Scope};
use crate::plain::in_words;
use crate::targets::Registry;

/// What the arguments ask for, with the list of `--keys-from` where one is read.
pub(super) fn asked(args: &PassArgs, io: &mut Io<'_>) -> Result<(Asked, Option<List>), Failure> {
    let list = args.keys_from.as_deref().map(|path| listed(path, io)).transpose()?;
    let pick = match &list {
        Some(list) => Pick::Keys(list.keys.clone()),
        None if args.changed => Pick::Changed,
        None if args.pending => Pick::Pending,
        None if args.key.is_empty() => Pick::Everything,
        None => Pick::Keys(args.key.clone()),
    };
    let (allow, pipelines) = (args.allow.clone(), args.pipeline.clone());
    Ok((Asked { scope: Scope { pick, limit: args.limit }, adopt: args.adopt, allow, pipelines }, list))
}

fn listed(path: &Path, io: &mut Io<'_>) -> Result<List, Failure> {
    let refuse = |what: String| Failure::usage(format!("--keys-from {}: {what}", path.display()));
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        io.input.read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|content| text = content)
    };
    read.map_err(|error| refuse(in_words(&error)))?;
    keys::parse(&text).map_err(refuse)
}

/// The pipelines with these names, in the order of the configuration; all that are enabled where none is named.
pub(super) fn pipelines<'c>(
    names: &[String],
    config: &'c Config,
    registry: &Registry,
) -> Result<Vec<&'c Pipeline>, Failure> {
    for name in names {
        if config.pipelines.iter().any(|pipeline| pipeline.name == name) {
            continue;
        }
        let enabled: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name).collect();
        let file = config.path.display();
        return Err(Failure::usage(match registry.get(name) {
            _ if config.disabled.iter().any(|disabled| disabled == name) => {
                format!("pipeline {name} has `enabled = false` in {file}")
            }
            Some(_) => format!("pipeline {name} has no section in {file}; `reconcile init` shows one"),
            None => format!("there is no pipeline {name}; enabled in {file}: {}", enabled.join(", ")),
        }));
    }
    Ok(config.pipelines.iter().filter(|one| names.is_empty() || names.iter().any(|name| name == one.name)).collect())
}

/// The command as it was given, without what it was to do; and, apart, what it was to be done to.
pub(super) fn words(args: &Args) -> (String, String) {
    let mut command = vec!["reconcile".to_owned()];
    if args.config != Path::new("reconcile.toml") {
        command.push(format!("--config {}", quoted(&args.config.to_string_lossy())));
    }
    let pass = &args.pass;
    let keys = pass.key.iter().map(|(field, value)| format!(" --key {}", quoted(&format!("{field}={value}"))));
    let list = pass.keys_from.iter().map(|path| format!(" --keys-from {}", quoted(&path.to_string_lossy())));
    let changed = pass.changed.then(|| " --changed".to_owned());
    let pending = pass.pending.then(|| " --pending".to_owned());
    let limit = pass.limit.map(|limit| format!(" --limit {limit}"));
    let adopt = pass.adopt.then(|| " --adopt".to_owned());
    (command.join(" "), keys.chain(list).chain(changed).chain(pending).chain(limit).chain(adopt).collect())
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scope_is_asked_for_and_told_again_in_the_same_words() {
        use clap::Parser;
        for (line, pick, words) in [
            ("--plan", Pick::Everything, ""),
            ("--plan --changed", Pick::Changed, " --changed"),
            ("--yes --pending --limit 3", Pick::Pending, " --pending --limit 3"),
        ] {
            let args = Args::try_parse_from(format!("reconcile {line}").split(' ')).unwrap();
            let mut world = crate::cli::sample::World::default();
            let asked = world.with(async |io: &mut Io<'_>| super::asked(&args.pass, io)).await.unwrap();
            assert_eq!((asked.0.scope.pick, asked.1), (pick, None), "{line}");
            assert_eq!(super::words(&args), ("reconcile".to_owned(), words.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        assert_eq!(quoted("a/b=c"), "a/b=c");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("o'hara; rm"), r"'o'\''hara; rm'");
        assert_eq!(quoted(""), "''");
    }
}
