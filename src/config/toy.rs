//! A target for tests of configuration and command line: it opens, and nothing can be asked of it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use reconcile_state::Schema;
use serde::Deserialize;

use crate::model::{Batch, Desired, Outcome, Ready, TargetError};
use crate::targets::port::{
    Ask, Counters, Definition, Identity, Lookup, Observer, OpenError, Page, Project, Reader, Subject, Surroundings,
    Target, Terms, Writer,
};

/// The seeds' counters of a plain target.
pub(crate) const COUNTERS: Counters = Counters {
    unchanged: "totalUnchanged",
    add: "totalAdd",
    update: "totalUpdate",
    rename: Some("totalRename"),
    moved: None,
    disable: "totalDisable",
    enable: "totalEnable",
    parts: None,
};

pub(crate) struct Toy;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    url: String,
    token: String,
    #[serde(default, rename = "timeout")]
    _timeout: u64,
}

impl Definition for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn configuration(&self) -> &'static str {
        "[toy]\nurl = \"\"\ntoken = \"env:TOY_TOKEN\"\n"
    }

    fn open(&self, section: toml::Table, around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let section: Section = section.try_into()?;
        let refuse = |field: &str, message: String| Err(OpenError::Value { field: field.into(), message });
        if section.url.is_empty() {
            return refuse("url", "is empty".into());
        }
        let Some(name) = section.token.strip_prefix("env:") else {
            return refuse("token", "a secret is given as `env:NAME`".into());
        };
        if (around.environment)(name).is_none() {
            return refuse("token", format!("environment variable {name} is not set"));
        }
        let terms = Terms {
            settle_after: Duration::ZERO,
            reread_after: Duration::MAX,
            concurrency: 1,
            listable: true,
            chunk: 1,
            known: None,
            counters: COUNTERS,
            mark: None,
            marked_in: None,
            follows: false,
        };
        let observer = Observer { name: "toy", project: Arc::new(Nothing), reader: Arc::new(Nothing), terms };
        Ok(Target { observer, writer: Arc::new(Nothing) })
    }
}

struct Nothing;

impl Project for Nothing {
    fn kinds(&self) -> &[Schema] {
        &[]
    }

    fn desired(&self, _: Subject<'_>, _: &dyn Lookup, _: Timestamp) -> Vec<Desired> {
        Vec::new()
    }
}

impl Reader for Nothing {
    async fn identity(&self) -> Result<Identity, TargetError> {
        Ok(Identity { id: "toy".into(), title: "Toy".into(), warnings: Vec::new() })
    }

    fn observe(&self, _: &'static str, _: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        futures::stream::empty().boxed()
    }
}

impl Writer for Nothing {
    fn batches(&self, _: Vec<Ready>) -> Vec<Batch> {
        Vec::new()
    }

    async fn write(&self, _: &Batch) -> Vec<Outcome> {
        Vec::new()
    }
}
