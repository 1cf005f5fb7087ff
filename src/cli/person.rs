//! Who is meant by a key that an operator gives, by what the store last read. No source is asked.

use std::collections::BTreeSet;

use reconcile_state::Key;
use reconcile_state::store::{Scope, Side, StoreView};

use super::exit::Failure;
use super::open::refuse;
use crate::model::person::directory;
use crate::model::scope::KeyField;
use crate::sources::uhid;

/// The keys of whoever has this value. A UH-ID is taken at its word, and so is the key of any other record.
///
/// # Errors
/// Where the store holds nobody with this user name; it is not repeated.
pub(super) fn keys(view: &StoreView, field: KeyField, value: &str) -> Result<BTreeSet<Key>, Failure> {
    let attribute = match field {
        KeyField::IdautoId => return Ok([uhid::key(value).unwrap_or_else(|| Key::new(value))].into()),
        KeyField::Username => directory::USERNAME,
        KeyField::UhUsername => directory::UH_USERNAME,
    };
    let wanted = value.to_lowercase();
    let mut keys = BTreeSet::new();
    if let Some(sources) = view.sources().map_err(|error| refuse(&error))? {
        let schema = directory::schema().map_err(|error| Failure::error(error.to_string()))?;
        let look = |person: reconcile_state::Record| {
            if person.text(attribute).is_some_and(|name| name.to_lowercase() == wanted) {
                keys.insert(person.key);
            }
        };
        sources.for_each_body(Scope { kind: schema.kind, side: Side::Source }, look).map_err(|error| refuse(&error))?;
    }
    if keys.is_empty() {
        return Err(Failure::error(format!(
            "nobody in the store has this {field}; the UH-ID finds also who is gone from the sources, or was never read"
        )));
    }
    Ok(keys)
}
