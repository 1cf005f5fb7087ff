//! The store of commands that only read.

use std::path::Path;

use reconcile_state::store::{Store, StoreDir, StoreError, StoreView};

use super::exit::Failure;
use super::open::refuse;
use crate::engine::{CLAIMS_LOST, CLAIMS_RESTORED};
use crate::model::pass::Event;
use crate::plain::in_words;

/// A pipeline's file, where there is one, and what is told where there was one: `means` says what its loss makes of what
/// is shown.
pub(super) fn pipeline(
    view: &StoreView,
    name: &'static str,
    means: &str,
) -> Result<(Option<Store>, Option<Event>), StoreError> {
    let store = view.pipeline(name)?;
    if store.is_some() {
        return Ok((store, None));
    }
    let (copy, lost) = (view.claims_copy(name), view.lost_claims(name)?);
    let (code, found) = match lost {
        Some(error) => (CLAIMS_LOST, error.to_string()),
        None if copy.exists() => (CLAIMS_RESTORED, to_be_restored(&copy)),
        None => return Ok((None, None)),
    };
    let message = format!("{found}. {means}");
    let told = Event { code: code.to_owned(), pipeline: Some(name), step: "open", key: None, message };
    Ok((None, Some(told)))
}

fn to_be_restored(copy: &Path) -> String {
    let copy = copy.display();
    format!(
        "the pipeline's file is not there, and the next pass restores its claims from {copy}; run a plan and read it"
    )
}

/// The store at `path`, to be read; `None` where no pass has made one. What a killed pass left half-way is
/// brought up to date first, as the next pass would: `fresh_key` is what a store is opened with.
pub(super) fn open(path: &Path, fresh_key: [u8; 32]) -> Result<Option<StoreView>, Failure> {
    let Some(view) = StoreView::open(path).map_err(|error| refuse(&error))? else { return Ok(None) };
    let torn = torn(&view)?;
    if torn.is_empty() {
        return Ok(Some(view));
    }
    drop(view);
    let mend = || {
        let store = StoreDir::open(path, fresh_key)?;
        torn.iter().try_for_each(|name| if name == SOURCES { store.sources() } else { store.pipeline(name) }.map(drop))
    };
    mend().and_then(|()| StoreView::open(path)).map_err(|error| refuse(&error))
}

const SOURCES: &str = "sources";

/// The files that were left half-way. Whatever else is wrong with a file is told to who wants to read it.
fn torn(view: &StoreView) -> Result<Vec<String>, Failure> {
    let unreadable = |error: &std::io::Error| Failure::error(format!("{}: {}", view.path().display(), in_words(error)));
    let mut torn = Vec::new();
    for entry in view.path().read_dir().map_err(|error| unreadable(&error))? {
        let name = entry.map_err(|error| unreadable(&error))?.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".redb")) else { continue };
        let looked = if name == SOURCES { view.sources() } else { view.pipeline(name) };
        if matches!(
            looked.and_then(|store| store.map_or(Ok(()), |store| store.fold())),
            Err(StoreError::ReadOnly { .. })
        ) {
            torn.push(name.to_owned());
        }
    }
    Ok(torn)
}
