//! The command line as clap reads it. What clap cannot say about combinations stands in [`Args::check`].

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::exit::Failure;
use super::help;
use super::journal::{Most, Since};
use crate::config::suggest;
use crate::engine::{ATTRIBUTE_VANISHED, Asked, RULE_CODES};
use crate::model::scope::KeyField;

/// Doubts of a reading that an operator may accept, like a rule of the guard.
const DOUBTS: [&str; 3] = ["source-shrunk", "attribute-shrunk", ATTRIBUTE_VANISHED];

/// Keeps target systems in agreement with what the directory says.
///
/// One pass: reads the sources (Portal LDAP, MetaVault) and the targets, compares, shows a plan, has the
/// guard judge it, and applies what was consented to.
#[derive(Parser, Clone, PartialEq, Debug)]
#[command(name = "reconcile", version, after_help = help::PASS, max_term_width = 110, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub pass: PassArgs,
    /// Configuration file
    #[arg(long, global = true, value_name = "PATH", default_value = "reconcile.toml")]
    pub config: PathBuf,
    /// Show more: all changes and what is going on; -vv and -vvv for finding faults
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Subcommand, Clone, PartialEq, Debug)]
pub(super) enum Command {
    /// Write a commented configuration with every default
    Init,
    /// Look at everything a pass needs, and say what is wrong and how to mend it; nothing is written
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Show what was written to the targets, when, by whom, and what came of it
    #[command(after_help = help::JOURNAL)]
    Journal(JournalArgs),
    /// Show why one person's records are as they are, and what the next pass would do; reads the store alone
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// List the conflicts that the last passes found, and what to do about each
    #[command(after_help = help::CONFLICTS)]
    Conflicts(ConflictsArgs),
    /// Take out of the store all that is kept of somebody who has left; refused as long as it is needed
    #[command(after_help = help::FORGET)]
    Forget(ForgetArgs),
    /// Show all of it on a generated campus with simulated targets; nothing to install, nothing left behind
    #[cfg(feature = "sim")]
    Demo,
}

/// `check`.
#[derive(clap::Args, Clone, PartialEq, Debug)]
pub(super) struct CheckArgs {
    /// Only this pipeline, with the sources and the store; repeatable
    #[arg(long, value_name = "NAME")]
    pub pipeline: Vec<String>,
    /// Form of what is written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `explain`.
#[derive(clap::Args, Clone, PartialEq, Debug)]
pub(super) struct ExplainArgs {
    /// Who: a UH-ID, a user name, or FIELD=VALUE as for --key
    #[arg(value_name = "KEY", value_parser = parse_who)]
    pub who: Asked,
    /// Only this pipeline; repeatable
    #[arg(long, value_name = "NAME")]
    pub pipeline: Vec<String>,
    /// Read sources and targets now, for this person alone; still writes to none
    #[arg(long)]
    pub live: bool,
    /// Form of what is written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `conflicts`.
#[derive(clap::Args, Clone, PartialEq, Debug)]
pub(super) struct ConflictsArgs {
    /// Only this pipeline; repeatable
    #[arg(long, value_name = "NAME")]
    pub pipeline: Vec<String>,
    /// Form of what is written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `forget`.
#[derive(clap::Args, Clone, PartialEq, Debug)]
pub(super) struct ForgetArgs {
    /// Who: the UH-ID, in any case
    #[arg(value_name = "KEY", value_parser = parse_who)]
    pub who: Asked,
    /// Show what is kept and take nothing out
    #[arg(long, conflicts_with_all = ["yes", "why"])]
    pub plan: bool,
    /// Forget without a question
    #[arg(long)]
    pub yes: bool,
    /// Why: kept in the journal, so name nobody in it
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Form of what is written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `journal`.
#[derive(clap::Args, Clone, PartialEq, Debug)]
pub(super) struct JournalArgs {
    /// Only this pipeline; repeatable
    #[arg(long, value_name = "NAME")]
    pub pipeline: Vec<String>,
    /// Only this person or record: a key as the journal shows it, or FIELD=VALUE as in `reconcile --help`
    #[arg(long, value_name = "KEY", value_parser = parse_key_or_field)]
    pub key: Option<(KeyField, String)>,
    /// Only this run
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Only what happened since: a date or a time in UTC, or how long ago, such as 2h or 3d
    #[arg(long, value_name = "WHEN", value_parser = Since::parse)]
    pub since: Option<Since>,
    /// The last so many, 50 if nothing is said; `all` for every one, as with --open
    #[arg(long, value_name = "N", value_parser = Most::parse)]
    pub limit: Option<Most>,
    /// Only writes of which it is not known what came of them
    #[arg(long)]
    pub open: bool,
    /// Form of what is written to standard output; json is one object in a line, for each entry
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// The pass.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line are booleans")]
#[derive(clap::Args, Clone, PartialEq, Debug, Default)]
pub(super) struct PassArgs {
    /// Show what would be done and write nothing
    #[arg(long, help_heading = "Acting", conflicts_with_all = ["yes", "why"])]
    pub plan: bool,
    /// Apply without a question
    #[arg(long, help_heading = "Acting")]
    pub yes: bool,
    /// Link people to accounts that exist already and write nothing at the target
    #[arg(long, help_heading = "Acting")]
    pub adopt: bool,
    /// Derive lost claims from evidence (ids in the directory, records at the targets); writes to the store alone
    #[arg(
        long, help_heading = "Acting",
        conflicts_with_all = ["adopt", "approve", "key", "keys_from", "changed", "pending", "limit", "out", "report_dir"]
    )]
    pub rebuild_claims: bool,
    /// Apply the changes of a saved plan that are still called for; once, within 24 hours
    #[arg(
        long, value_name = "FILE", help_heading = "Acting",
        conflicts_with_all = ["plan", "yes", "adopt", "pipeline", "key", "keys_from", "changed", "pending", "limit"]
    )]
    pub approve: Option<PathBuf>,
    /// Let this rule of the guard trip, or accept this doubt about a source, this once; repeatable, listed below
    #[arg(long, value_name = "RULE", help_heading = "Acting", value_parser = parse_rule)]
    pub allow: Vec<String>,
    /// Why: kept in the journal
    #[arg(long, value_name = "TEXT", help_heading = "Acting")]
    pub why: Option<String>,

    /// Only this pipeline; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Scope")]
    pub pipeline: Vec<String>,
    /// Only this person; FIELD is username, uh-username or idautoID (uhid), explained below; repeatable
    #[arg(long, value_name = "FIELD=VALUE", help_heading = "Scope", value_parser = parse_key)]
    pub key: Vec<(KeyField, String)>,
    /// Only the people in FILE (- is standard input): one UH-ID or FIELD=VALUE in a line, # starts a comment
    #[arg(long, value_name = "FILE", help_heading = "Scope", conflicts_with_all = ["key", "changed", "pending"])]
    pub keys_from: Option<PathBuf>,
    /// Only people of whom the sources say something else than last time
    #[arg(long, help_heading = "Scope", conflicts_with = "key")]
    pub changed: bool,
    /// Only people who are entitled and not marked, or whose last change failed, was deferred, is in doubt or waits
    /// for another try
    #[arg(long, help_heading = "Scope", conflicts_with_all = ["key", "changed"])]
    pub pending: bool,
    /// Only the first N people of the scope, in the order of their keys
    #[arg(long, value_name = "N", help_heading = "Scope", value_parser = parse_limit)]
    pub limit: Option<usize>,

    /// With --plan: save the plan for --approve, in a new file or over an older saved plan
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Form of what is written to standard output
    #[arg(long, value_name = "FORMAT", help_heading = "Output", default_value = "text")]
    pub format: Format,
    /// Keep each pipeline's report in this directory as <pipeline>-<yyyyMMdd>-<run>.json
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub report_dir: Option<PathBuf>,
}

/// Form of the output.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one object.
    Json,
}

impl Args {
    /// Refuses what each option allows and all together do not.
    pub fn check(&self, terminal: bool) -> Result<(), Failure> {
        let pass = &self.pass;
        if let Some(Command::Forget(one)) = &self.command
            && !one.plan
            && !one.yes
            && (!terminal || one.format == Format::Json)
        {
            return Err(Failure::usage("nobody can be asked here: say --plan to see what is kept, --yes to forget"));
        }
        if self.command.is_some() {
            let alone = *pass == PassArgs::default();
            return if alone { Ok(()) } else { Err(Failure::usage("options of a pass do not go with a subcommand")) };
        }
        // clap waives a requirement that conflicts with what is given.
        if pass.out.is_some() && !pass.plan {
            return Err(Failure::usage("--out saves a plan and writes nothing else: add --plan"));
        }
        let consents = pass.yes || pass.approve.is_some();
        if !pass.plan && !consents && !terminal {
            return Err(Failure::usage(
                "nobody can be asked here, so nothing would be written: say --plan to see what would be done, \
                 --yes to do it, or --approve FILE to do what was read before",
            ));
        }
        if !pass.plan && !consents && pass.format == Format::Json {
            return Err(Failure::usage("--format json asks no question: add --plan, --yes or --approve FILE"));
        }
        if pass.keys_from.as_deref().is_some_and(|path| path.as_os_str() == "-") && !pass.plan && !pass.yes {
            return Err(Failure::usage("--keys-from - takes standard input from the question: add --plan or --yes"));
        }
        Ok(())
    }
}

/// `FIELD=VALUE`.
pub(crate) fn parse_key(text: &str) -> Result<(KeyField, String), String> {
    const FIELDS: &str = "FIELD=VALUE, where FIELD is username, uh-username or idautoID (uhid)";
    let bare = || {
        let field = if text.len() == 36 && text.contains('-') { "uhid" } else { "username" };
        format!("a key is {FIELDS}; did you mean {field}={}?", text.trim())
    };
    let (field, value) = text.split_once('=').ok_or_else(bare)?;
    let field = KeyField::named(field.trim()).ok_or_else(|| format!("a key is {FIELDS}"))?;
    match value.trim() {
        "" => Err("the value is empty".to_owned()),
        value => Ok((field, value.to_owned())),
    }
}

/// `FIELD=VALUE`, or the key itself.
fn parse_key_or_field(text: &str) -> Result<(KeyField, String), String> {
    match text.trim() {
        "" => Err("the key is empty".to_owned()),
        pair if pair.contains('=') => parse_key(pair),
        key => Ok((KeyField::IdautoId, key.to_owned())),
    }
}

fn parse_who(text: &str) -> Result<Asked, String> {
    match text.trim() {
        "" => Err("nobody is named".to_owned()),
        text if text.contains('=') => parse_key(text).map(|(field, value)| Asked::Field(field, value)),
        text => Ok(Asked::Bare(text.to_owned())),
    }
}

fn parse_rule(text: &str) -> Result<String, String> {
    let known: Vec<&str> = RULE_CODES.iter().chain(&DOUBTS).copied().collect();
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("there is no such rule{}", suggest(text, &known)))
}

fn parse_limit(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "a whole number above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn only_rules_and_doubts_can_be_allowed_and_help_lists_them() {
        for code in RULE_CODES.iter().chain(&DOUBTS) {
            assert_eq!(parse_rule(code).as_deref(), Ok(*code));
            assert!(help::PASS.contains(code), "{code}");
        }
        let refused = parse_rule("disable").unwrap_err();
        assert!(
            refused.starts_with("there is no such rule; did you mean `disables`? Known are `first-load`"),
            "{refused}"
        );
        assert!(parse_rule("").is_err());
        let line = ["reconcile", "--plan", "--allow", "everything"];
        assert!(Args::try_parse_from(line).is_err());
    }

    #[test]
    fn a_bare_name_for_a_key_is_answered_with_what_was_meant() {
        assert!(parse_key("kari").unwrap_err().ends_with("did you mean username=kari?"));
        let id = "0b7c4e1a-0000-4000-8000-000000000001";
        assert!(parse_key(id).unwrap_err().ends_with(&format!("did you mean uhid={id}?")));
        assert!(!parse_key("mail=x").unwrap_err().contains("did you mean"));
    }

    #[test]
    fn combinations_that_make_no_sense_are_refused() {
        let parse = |line: &str, terminal| {
            let args = Args::try_parse_from(line.split(' ')).map_err(|e| e.kind().to_string())?;
            args.check(terminal).map_err(|failure| failure.message).map(|()| args)
        };
        for line in [
            "reconcile --plan --yes",
            "reconcile --plan --key username=a --changed",
            "reconcile --plan --key username=a --keys-from f",
            "reconcile --plan --changed --keys-from f",
            "reconcile --plan --pending --changed",
            "reconcile --plan --pending --key username=a",
            "reconcile --plan --pending --keys-from f",
            "reconcile --approve f --pending",
            "reconcile --yes --out f",
            "reconcile --approve f --yes",
            "reconcile --approve f --limit 3",
            "reconcile --approve f --pipeline moodle",
            "reconcile --plan --key mail=a",
            "reconcile --plan --key username=",
            "reconcile --plan --limit 0",
            "reconcile --plan --why x",
            "reconcile --plan init",
            "reconcile --plan check",
            "reconcile check --plan",
            "reconcile --pipeline a journal",
            "reconcile journal --limit 0",
            "reconcile journal --since yesterday",
            "reconcile journal --key mail=a",
            "reconcile explain",
            "reconcile explain mail=a",
            "reconcile --plan explain kari",
            "reconcile conflicts --live",
            "reconcile forget",
            "reconcile forget mail=a --yes",
            "reconcile forget a --plan --yes",
            "reconcile forget a --format json",
            "reconcile --format json",
            "reconcile --keys-from -",
            "reconcile --rebuild-claims --key username=a",
            "reconcile --rebuild-claims --adopt",
            "reconcile --plan --rebuild-claims --out f",
            "reconcile --no-such-option",
        ] {
            assert!(parse(line, true).is_err(), "accepted: {line}");
        }
        for line in [
            "reconcile",
            "reconcile --plan --format json",
            "reconcile --approve f --allow disables --allow lost --why x",
            "reconcile --yes --keys-from - --limit 3 --pipeline a --pipeline b",
            "reconcile init --config x.toml",
            "reconcile --config x.toml init",
            "reconcile explain kari --live --pipeline a --format json -v",
            "reconcile explain username=kari",
            "reconcile conflicts --pipeline a",
            "reconcile --plan --key username=a --key uhid=b -vv",
            "reconcile --yes --pending --limit 3",
            "reconcile check --format json --pipeline a",
            "reconcile --plan --rebuild-claims --pipeline a --format json",
            "reconcile --yes --rebuild-claims --allow source-shrunk --why x",
            "reconcile journal --key username=a --since 2h --limit all --open",
            "reconcile journal --key 185:INF1000:1:2026:HØST --run r",
        ] {
            assert!(parse(line, true).is_ok(), "refused: {line}: {:?}", parse(line, true));
        }
        let refused = parse("reconcile", false).unwrap_err();
        assert!(refused.contains("--yes"), "{refused}");
        assert!(parse("reconcile --yes", false).is_ok() && parse("reconcile --plan", false).is_ok());
    }
}
