//! `reconcile explain`: why one person's records are as they are.

use std::collections::BTreeSet;

use reconcile_state::Key;
use reconcile_state::store::StoreDir;

use super::args::{ExplainArgs, Format};
use super::exit::{Exit, Failure};
use super::io::Io;
use super::pass::{Steps, failed, run_id};
use super::{open, scope, view};
use crate::config::{Config, Pipeline};
use crate::engine::{Consent, Explained, Explainer, Explaining, Order, PassError, judge};
use crate::model::pass::Event;
use crate::model::scope::{KeyField, Pick, Scope};
use crate::report::explain::ExplainReport;
use crate::report::text::explain::{self, Style};
use crate::targets::Registry;
use crate::targets::port::Observer;

/// Explains somebody.
pub(super) async fn run(
    args: &ExplainArgs,
    config: &Config,
    verbose: bool,
    registry: &Registry,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    // Whoever names a pipeline that is not there is told so before anybody is looked for.
    scope::pipelines(&args.pipeline, config, registry)?;
    let explained =
        if args.live { now(args, config, registry, io).await? } else { remembered(args, config, registry, io)? };
    let report = ExplainReport::of(&explained);
    match args.format {
        Format::Text => explain::write(&report, Style { colour: io.colour(), verbose }, io.out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *io.out, &report).map_err(std::io::Error::from)?;
            writeln!(io.out)?;
        }
    }
    io.out.flush()?;
    let unread = report.pipelines.iter().any(|pipeline| pipeline.stopped.is_some());
    Ok(if unread { Exit::Error } else { Exit::Done })
}

/// Out of the store alone.
fn remembered(args: &ExplainArgs, config: &Config, registry: &Registry, io: &mut Io<'_>) -> Result<Explained, Failure> {
    let nothing = || Failure::error("no pass has read anything yet; run `reconcile --plan` first");
    let view = view::open(&config.store, (io.random)())?.ok_or_else(nothing)?;
    let refuse = |error| open::refuse(&error);
    let sources = view.sources().map_err(refuse)?.ok_or_else(nothing)?;
    let (mut pipelines, mut lost) = (Vec::with_capacity(config.pipelines.len()), Vec::new());
    for (pipeline, observer) in observers(config, registry, io)? {
        let means = "Here stands what the sources call for; of its records nothing is known";
        let (store, told) = view::pipeline(&view, pipeline.name, means).map_err(refuse)?;
        lost.extend(told);
        pipelines.push(Explaining { observer, settings: pipeline.settings.clone(), store });
    }
    let explainer = Explainer::new(sources, pipelines, io.clock.now()).map_err(|error| failed(&error))?;
    let gone = |event: &Event| {
        let name = event.pipeline.unwrap_or_default();
        format!("\n{name} has lost its file ({}): whom it alone knew nobody knows here", event.code)
    };
    let unknown = "nobody is known by that; a person must have been read by a pass once, or add --live".to_owned();
    let unknown = unknown + &lost.iter().map(gone).collect::<String>();
    let key = one(explainer.find(&args.who).map_err(|error| failed(&error))?, &unknown, io)?;
    let explained = explainer.explain(&key, &args.pipeline).map_err(|error| failed(&error))?;
    Ok(lost.into_iter().fold(explained, Explained::stopped))
}

fn observers<'c>(
    config: &'c Config,
    registry: &Registry,
    io: &Io<'_>,
) -> Result<Vec<(&'c Pipeline, Observer)>, Failure> {
    let mut observers = Vec::with_capacity(config.pipelines.len());
    for pipeline in &config.pipelines {
        observers.push((pipeline, config.open(pipeline, registry, io.environment)?.observer));
    }
    Ok(observers)
}

/// By a plan for this person.
async fn now(args: &ExplainArgs, config: &Config, registry: &Registry, io: &mut Io<'_>) -> Result<Explained, Failure> {
    let chosen = scope::pipelines(&args.pipeline, config, registry)?;
    let opened = open::open(config, &chosen, registry, io)?;
    let order = |keys, io: &Io<'_>| {
        let scope = Scope { pick: Pick::Keys(keys), limit: None };
        Order { scope, adopt: false, allow: BTreeSet::new(), run: run_id(io), at: io.clock.now() }
    };
    let mut planned = opened.plan(&order(args.who.keys(), io)).await.map_err(|error| failed(&error))?;
    let explainer = beside(opened.store(), observers(config, registry, io)?, io).map_err(|error| failed(&error))?;
    let unknown = "nobody is known by that, neither to Portal LDAP nor to memory";
    let key = one(explainer.find(&args.who).map_err(|error| failed(&error))?, unknown, io)?;
    if !planned.people.contains(&key) {
        // The directory calls nobody so any more: whoever was called so is read by key.
        let keys = vec![(KeyField::IdautoId, key.to_string())];
        planned = opened.plan(&order(keys, io)).await.map_err(|error| failed(&error))?;
    }
    let judged = judge(planned, &opened.settings(), Consent::default());
    let explainer = beside(opened.store(), observers(config, registry, io)?, io).map_err(|error| failed(&error))?;
    let explained = explainer.explain(&key, &args.pipeline).map_err(|error| failed(&error))?;
    Ok(explained.planned(&judged))
}

/// Over the store that the plan was made with. A pipeline that was never in a pass is not begun by being asked for.
fn beside(store: &StoreDir, observers: Vec<(&Pipeline, Observer)>, io: &Io<'_>) -> Result<Explainer, PassError> {
    let mut pipelines = Vec::with_capacity(observers.len());
    for (pipeline, observer) in observers {
        let there = store.path().join(format!("{}.redb", pipeline.name)).exists();
        let file = there.then(|| store.pipeline(pipeline.name)).transpose()?;
        pipelines.push(Explaining { observer, settings: pipeline.settings.clone(), store: file });
    }
    Explainer::new(store.sources()?, pipelines, io.clock.now())
}

/// The one who is meant. Several are listed.
fn one(mut keys: Vec<Key>, unknown: &str, io: &mut Io<'_>) -> Result<Key, Failure> {
    match (keys.len(), keys.pop()) {
        (1, Some(key)) => Ok(key),
        (_, None) => Err(Failure::error(unknown)),
        (count, Some(last)) => {
            keys.push(last);
            for key in keys {
                // Keys alone: names are for results, and this is an error.
                writeln!(io.err, "  {key}")?;
            }
            Err(Failure::usage(format!("{count} people are meant; say which by UH-ID")))
        }
    }
}
