//! Find: whom a key or a name means, out of memory.

use reconcile_state::store::{Scope, Side};
use reconcile_state::{AttributeId, Key};

use super::Explainer;
use crate::engine::collect::DIRECTORY_SCOPE;
use crate::engine::error::PassError;
use crate::model::person::directory;
use crate::model::scope::KeyField;

/// Who is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// By this field.
    Field(KeyField, String),
    /// By a UH-ID or by either user name.
    Bare(String),
}

impl Asked {
    /// What it may mean, as keys of a scope.
    pub fn keys(&self) -> Vec<(KeyField, String)> {
        match self {
            Self::Field(field, value) => vec![(*field, value.clone())],
            Self::Bare(value) => [KeyField::IdautoId, KeyField::Username, KeyField::UhUsername]
                .map(|field| (field, value.clone()))
                .into(),
        }
    }
}

impl Explainer {
    /// Everybody who is meant, in key order.
    ///
    /// # Errors
    /// [`PassError::Store`]
    pub fn find(&self, asked: &Asked) -> Result<Vec<Key>, PassError> {
        let mut hits = Vec::new();
        for (field, value) in asked.keys() {
            match field {
                KeyField::IdautoId => hits.extend(self.by_key(&Key::new(value.trim().to_lowercase()))?),
                KeyField::Username => self.by_name(directory::USERNAME, &value, &mut hits)?,
                KeyField::UhUsername => self.by_name(directory::UH_USERNAME, &value, &mut hits)?,
            }
        }
        hits.sort();
        hits.dedup();
        Ok(hits)
    }

    fn by_name(&self, id: AttributeId, value: &str, hits: &mut Vec<Key>) -> Result<(), PassError> {
        let schema = directory::schema()?;
        hits.extend(self.sources.find(DIRECTORY_SCOPE, &schema, id, value)?.into_iter().map(|record| record.key));
        Ok(())
    }

    /// Whoever is gone from the sources is still known by what is remembered.
    fn by_key(&self, key: &Key) -> Result<Option<Key>, PassError> {
        if self.sources.body(DIRECTORY_SCOPE, key)?.is_some() {
            return Ok(Some(key.clone()));
        }
        for one in self.pipelines.values() {
            let Some(store) = &one.explaining.store else { continue };
            for schema in one.explaining.observer.project.kinds() {
                let known = store.claim_of(schema.kind, key)?.is_some()
                    || one.open.iter().any(|open| open.intent.key == *key)
                    || store.digest_of(Scope::new(schema.kind, Side::Observed), key)?.is_some();
                if known {
                    return Ok(Some(key.clone()));
                }
            }
        }
        Ok(None)
    }
}
