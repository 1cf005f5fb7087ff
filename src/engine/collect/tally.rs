//! Figures of a reading: how many records, and how many of them carry each attribute.

use std::collections::BTreeMap;

use reconcile_state::trust::SourceFigures;
use reconcile_state::{Record, Schema};

use crate::model::person::FINDINGS;

/// Counts records as they come.
pub(super) struct Tally {
    names: Vec<&'static str>,
    ids: Vec<reconcile_state::AttributeId>,
    carriers: Vec<u64>,
    count: u64,
}

impl Tally {
    /// Nothing counted yet; every attribute of the schema is one whose loss would be noticed.
    pub(super) fn new(schema: &Schema) -> Self {
        let counted = || schema.attributes().iter().filter(|attribute| attribute.name != FINDINGS);
        Self {
            names: counted().map(|attribute| attribute.name).collect(),
            ids: counted().map(|attribute| attribute.id).collect(),
            carriers: vec![0; counted().count()],
            count: 0,
        }
    }

    pub(super) fn count(&mut self, record: &Record) {
        self.count += 1;
        for (carriers, id) in self.carriers.iter_mut().zip(&self.ids) {
            *carriers += u64::from(record.get(*id).is_some());
        }
    }

    pub(super) fn figures(&self) -> SourceFigures {
        let carriers: BTreeMap<String, u64> =
            self.names.iter().zip(&self.carriers).map(|(name, count)| ((*name).to_owned(), *count)).collect();
        SourceFigures { count: self.count, carriers }
    }
}
