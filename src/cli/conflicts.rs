//! `reconcile conflicts`: what the last passes found that only a person can decide.

use reconcile_state::store::StoreView;

use super::args::{ConflictsArgs, Format};
use super::exit::{Exit, Failure};
use super::io::Io;
use super::pass::failed;
use super::{open, scope, view};
use crate::config::Config;
use crate::engine::recall;
use crate::report::explain::{ConflictReport, ConflictsReport};
use crate::report::text::conflicts;
use crate::targets::Registry;

/// Lists them.
pub(super) fn run(
    args: &ConflictsArgs,
    config: &Config,
    registry: &Registry,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let chosen = scope::pipelines(&args.pipeline, config, registry)?;
    let refuse = |error| open::refuse(&error);
    let nothing = || Failure::error("no pass has read anything yet; run `reconcile --plan` first");
    let view = StoreView::open(&config.store).map_err(refuse)?.ok_or_else(nothing)?;
    let mut found = ConflictsReport::default();
    for pipeline in chosen {
        let means = "Which conflicts it has is not known";
        let (store, lost) = view::pipeline(&view, pipeline.name, means).map_err(refuse)?;
        found.stopped.extend(lost);
        let Some(store) = store else { continue };
        let left = recall(&store).map_err(|error| failed(&error))?;
        found.conflicts.extend(left.conflicts.iter().map(|known| ConflictReport::of(pipeline.name, known)));
    }
    match args.format {
        Format::Text => conflicts::write(&found, io.colour(), io.out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *io.out, &found).map_err(std::io::Error::from)?;
            writeln!(io.out)?;
        }
    }
    io.out.flush()?;
    Ok(if found.stopped.is_empty() { Exit::Done } else { Exit::Error })
}
