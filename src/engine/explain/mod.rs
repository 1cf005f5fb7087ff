//! Explain: why one person's records are as they are, and what the next pass would do, out of memory alone.
//!
//! What a record calls for is worked out by the same projection and the same decision as in a pass (`project`,
//! `diff`), from single records of the store. Nothing is read elsewhere and nothing is written; what only a pass
//! over many can know, such as conflicts, is taken from what the last one remembered (`conflicts`).

mod find;
mod live;
mod look;
mod outlook;
mod recent;
mod refer;
mod value;
mod weigh;

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconcile_state::Key;
use reconcile_state::store::{OpenIntent, Store};

pub use self::find::Asked;
use self::recent::recent;
pub use self::value::{
    Called, Confirmed, Doubt, Explained, KindExplained, LastApplied, Next, NextChange, PipelineExplained, Said, Sight,
};
use self::weigh::{Weighed, protected};
use super::collect::{DIRECTORY_SCOPE, VAULT_SCOPE};
use super::conflicts::{LeftOpen, recall, sources_read};
use super::error::PassError;
use super::memory::LOADING;
use super::project::stay_away;
use crate::config::PipelineSettings;
use crate::model::Person;
use crate::policy::{is_disabled, selected_username};
use crate::targets::port::Observer;

/// One pipeline to explain; of its observer the read half is not used.
#[derive(Clone)]
pub struct Explaining {
    /// What should be.
    pub observer: Observer,
    /// What the engine is told.
    pub settings: PipelineSettings,
    /// Its file; `None` where no pass has made it yet.
    pub store: Option<Store>,
}

/// A pipeline with what is kept of it beside single records.
struct One {
    explaining: Explaining,
    left: LeftOpen,
    open: Vec<OpenIntent>,
}

/// Explains single people.
pub struct Explainer {
    sources: Store,
    pipelines: BTreeMap<&'static str, One>,
    order: Vec<&'static str>,
    at: Timestamp,
}

impl Explainer {
    /// Over the sources' file and all configured pipelines: a record may refer to those of any.
    ///
    /// # Errors
    /// [`PassError::Store`]; so for all that follow.
    pub fn new(sources: Store, pipelines: Vec<Explaining>, at: Timestamp) -> Result<Self, PassError> {
        let order = pipelines.iter().map(|one| one.observer.name).collect();
        let mut known = BTreeMap::new();
        for explaining in pipelines {
            let (left, open) = match &explaining.store {
                Some(store) => (recall(store)?, store.open_intents()?),
                None => (LeftOpen::default(), Vec::new()),
            };
            known.insert(explaining.observer.name, One { explaining, left, open });
        }
        Ok(Self { sources, pipelines: known, order, at })
    }

    /// Explains a person in these pipelines, or in all where none is named.
    pub fn explain(&self, key: &Key, pipelines: &[String]) -> Result<Explained, PassError> {
        let person = self.person(key)?;
        let mut weighed = self.weigh(key, person.as_ref())?;
        self.refer(key, &mut weighed)?;
        let mut explained = Vec::new();
        for name in &self.order {
            if let Some(kinds) = weighed.remove(name)
                && (pipelines.is_empty() || pipelines.iter().any(|one| one == name))
            {
                explained.push(self.pipeline(name, key, kinds, person.as_ref())?);
            }
        }
        Ok(Explained { key: key.clone(), at: self.at, live: false, said: self.said(person)?, pipelines: explained })
    }

    fn pipeline(
        &self,
        name: &'static str,
        key: &Key,
        kinds: Vec<Weighed>,
        person: Option<&Person>,
    ) -> Result<PipelineExplained, PassError> {
        let one = &self.pipelines[name];
        let mut explained = PipelineExplained {
            name,
            follows: one.explaining.observer.terms.follows,
            whole: one.left.whole.clone(),
            last: one.left.last.clone(),
            first_load: true,
            protected: protected(one, key, person),
            stopped: None,
            refused: Vec::new(),
            kinds: Vec::with_capacity(kinds.len()),
        };
        let mut told = BTreeMap::new();
        if let Some(store) = &one.explaining.store {
            let mut claimed = false;
            for schema in one.explaining.observer.project.kinds() {
                claimed |= store.has_claims(schema.kind)?;
            }
            explained.first_load = !claimed || store.meta(LOADING)?.unwrap_or(false);
            let written = |one: &&Weighed| one.claim.is_some() || one.applied.is_some();
            let written: Vec<&str> = kinds.iter().filter(written).map(|one| one.schema.kind).collect();
            if !written.is_empty() {
                told = recent(store, &written, key)?;
            }
        }
        for weighed in kinds {
            let recent = told.remove(weighed.schema.kind).unwrap_or_default();
            let read_at = match &one.explaining.store {
                Some(store) => store.meta(&format!("read {}", weighed.schema.kind))?,
                None => None,
            };
            let when = recent.landed;
            let newer = |confirmed: &Confirmed| read_at.is_none_or(|read_at: i64| confirmed.at > read_at);
            let remote = weighed.record();
            explained.kinds.push(KindExplained {
                remote,
                applied: weighed.applied.map(|applied| LastApplied { when, ..applied }),
                confirmed: recent.confirmed.filter(newer),
                read_at,
                schema: weighed.schema,
                called: weighed.called,
                because: weighed.because,
                seen: weighed.seen,
                drift: weighed.drift,
                next: weighed.next,
                waiting: weighed.waiting,
                kept: weighed.kept,
                unsure: weighed.unsure,
            });
        }
        Ok(explained)
    }

    fn person(&self, key: &Key) -> Result<Option<Person>, PassError> {
        let Some(directory) = self.sources.body(DIRECTORY_SCOPE, key)? else { return Ok(None) };
        Ok(Some(Person { directory, vault: self.sources.body(VAULT_SCOPE, key)? }))
    }

    fn said(&self, person: Option<Person>) -> Result<Said, PassError> {
        let read = sources_read(&self.sources)?;
        let Some(person) = person else { return Ok(Said { read, ..Said::default() }) };
        Ok(Said {
            username: selected_username(&person).map(str::to_owned),
            disabled: is_disabled(&person),
            away: stay_away(&person, false),
            directory: Some(person.directory),
            vault: person.vault,
            read,
        })
    }
}
