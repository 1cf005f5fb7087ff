//! What a projection looks up, loaded as it is asked for: a projection is run again until nothing is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use reconcile_state::{Claim, Key};

use super::Explainer;
use crate::engine::error::PassError;
use crate::model::{Outlook, Semester};
use crate::targets::port::Lookup;

/// Under which name the sources' file keeps the semesters.
const SEMESTERS: &str = "semesters";

/// A projection that asks for more every time is not one.
const ROUNDS: usize = 16;

type Place = (String, String, Key);

/// Claims that were asked for, and those that were not there yet.
#[derive(Default)]
struct Looked {
    claims: BTreeMap<Place, Option<Claim>>,
    missing: Mutex<BTreeSet<Place>>,
    semesters: Vec<Semester>,
    outlooks: Vec<Outlook>,
}

impl Lookup for Looked {
    fn claim(&self, pipeline: &str, kind: &str, key: &Key) -> Option<&Claim> {
        let place = (pipeline.to_owned(), kind.to_owned(), key.clone());
        let known = self.claims.get(&place);
        if known.is_none() {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
        }
        known?.as_ref()
    }

    fn adopt(&self) -> bool {
        false
    }

    fn semesters(&self) -> &[Semester] {
        &self.semesters
    }

    fn outlooks(&self, _key: &Key) -> &[Outlook] {
        &self.outlooks
    }
}

impl Explainer {
    /// Runs a projection with what it looks up.
    pub(super) fn looked_up<T>(
        &self,
        outlooks: &[Outlook],
        project: impl Fn(&dyn Lookup) -> T,
    ) -> Result<T, PassError> {
        let semesters = self.sources.meta(SEMESTERS)?.unwrap_or_default();
        let mut look = Looked { semesters, outlooks: outlooks.to_vec(), ..Looked::default() };
        let mut projected = project(&look);
        for _ in 0..ROUNDS {
            let missing = std::mem::take(look.missing.get_mut().unwrap_or_else(PoisonError::into_inner));
            if missing.is_empty() {
                break;
            }
            for (pipeline, kind, key) in missing {
                let store = self.pipelines.get(pipeline.as_str()).and_then(|one| one.explaining.store.as_ref());
                let claim = store.map(|store| store.claim_of(&kind, &key)).transpose()?.flatten();
                look.claims.insert((pipeline, kind, key), claim);
            }
            projected = project(&look);
        }
        Ok(projected)
    }
}
