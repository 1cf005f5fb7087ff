//! One pass as a command line asks for it: configuration, sources, targets and store opened, then run.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::io::Io;
use super::pass::Request;
use super::{open, output, pass, plan_file, rebuild, scope};
use crate::config::Config;
use crate::targets::Registry;

/// Runs it.
pub(super) async fn one_pass(args: &Args, registry: &Registry, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let approve = args.pass.approve.as_deref().map(plan_file::read).transpose()?;
    let (mut asked, list) = match &approve {
        Some(file) => (file.approval.asked.clone(), None),
        None => scope::asked(&args.pass, io)?,
    };
    if approve.is_some() {
        asked.allow.extend(args.pass.allow.iter().cloned());
    }
    let config = Config::load(&args.config, registry)?;
    let chosen = scope::pipelines(&asked.pipelines, &config, registry)?;
    if args.pass.rebuild_claims {
        // What marks and ids say is evidence for the others: all are looked at.
        let all = scope::pipelines(&[], &config, registry)?;
        let only = asked.pipelines.iter().cloned().collect();
        return rebuild::run(&open::open(&config, &all, registry, io)?, &only, args, io).await;
    }
    output::check(&args.pass, &config.store)?;
    let opened = open::open(&config, &chosen, registry, io)?;
    let (verbose, words) = (args.verbose > 0, scope::words(args));
    let request = Request { asked, list, approve, args: &args.pass, verbose, words };
    pass::run(&opened, request, io).await
}
