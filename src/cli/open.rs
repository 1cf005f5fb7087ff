//! From a configuration to what a pass runs on: sources, targets and store. Nothing is connected yet; the
//! store's lock is taken last, so that a wrong configuration never waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use reconcile_state::store::{StoreDir, StoreError};

use super::exit::{Exit, Failure};
use super::io::Io;
use super::pass::Steps;
use crate::config::{Config, ConfigError, Faults, Pipeline, PipelineSettings, Retention};
use crate::engine::{self, Applied, ApprovedPlan, Order, PassError, Planner, Stop};
use crate::model::pass::Planned;
use crate::sources::Vault;
use crate::sources::metavault::{self, MetaVaultConfig};
use crate::sources::portal_ldap::{PortalLdap, PortalLdapConfig};
use crate::targets::Registry;
use crate::targets::port::AnyWriter;

/// What a pass runs on: readers for planning, and writers apart from them.
pub(super) struct Opened {
    planner: Planner,
    writers: BTreeMap<&'static str, Arc<dyn AnyWriter>>,
    retention: Retention,
}

/// Opens the directory.
pub(super) fn directory(config: &Config, io: &Io<'_>) -> Result<PortalLdap, ConfigError> {
    let portal: PortalLdapConfig = config.section("portal_ldap")?;
    let password = portal.password.resolve(io.environment);
    let password = password.map_err(|error| config.refuse("portal_ldap", "password", &error.to_string()))?;
    PortalLdap::new(&portal, password).map_err(|error| config.refuse("portal_ldap", error.field, &error.message))
}

/// Opens MetaVault.
pub(super) fn vault(config: &Config, io: &Io<'_>) -> Result<Box<dyn Vault>, ConfigError> {
    let section: MetaVaultConfig = config.section("metavault")?;
    let opened = metavault::open(&section, io.environment);
    opened.map_err(|error| config.refuse("metavault", error.field, &error.message))
}

/// Opens sources, the chosen pipelines' targets and the store.
pub(super) fn open(config: &Config, chosen: &[&Pipeline], registry: &Registry, io: &Io<'_>) -> Result<Opened, Failure> {
    let mut faults = Faults::default();
    let sources = (faults.keep(directory(config, io)), faults.keep(vault(config, io)));
    let (mut observers, mut writers) = (Vec::new(), BTreeMap::new());
    for pipeline in chosen {
        let Some(target) = faults.keep(config.open(pipeline, registry, io.environment)) else { continue };
        observers.push((target.observer, pipeline.settings.clone()));
        writers.insert(pipeline.name, target.writer);
    }
    faults.end()?;
    let (Some(directory), Some(vault)) = sources else { return Err(Failure::error("a source is missing")) };
    let store = StoreDir::open(&config.store, (io.random)()).map_err(|error| refuse(&error))?;
    if let Some(mode) = store.tightened() {
        let path = store.path().display();
        tracing::warn!(
            code = "STORE_CLOSED",
            "{path}: others could enter the store's directory (mode {mode:o}); it is 700 now"
        );
    }
    let planner = Planner {
        directory: Arc::new(directory),
        vault: Arc::from(vault),
        observers,
        shrink: config.guard.shrink,
        store: Arc::new(store),
        clock: Arc::clone(&io.clock),
        progress: Arc::clone(&io.progress),
        points: Arc::clone(&io.points),
    };
    Ok(Opened { planner, writers, retention: config.retention })
}

/// What the store refuses, with the code of one that is held.
pub(super) fn refuse(error: &StoreError) -> Failure {
    let exit = if matches!(error, StoreError::Locked { .. }) { Exit::Locked } else { Exit::Error };
    Failure { exit, message: error.to_string() }
}

impl Opened {
    /// The read halves.
    pub fn planner(&self) -> &Planner {
        &self.planner
    }
}

impl Steps for Opened {
    async fn plan(&self, order: &Order) -> Result<Planned, PassError> {
        engine::plan(&self.planner, order).await
    }

    fn settings(&self) -> BTreeMap<&'static str, PipelineSettings> {
        self.planner.settings()
    }

    async fn apply(&self, approved: &ApprovedPlan, stop: &Stop) -> Result<Applied, PassError> {
        let mut applied = engine::apply(&self.planner, &self.writers, approved, stop).await?;
        if !stop.is_requested() {
            applied.events.extend(engine::retain(&self.planner, approved, self.retention).await);
        }
        Ok(applied)
    }

    fn store(&self) -> &StoreDir {
        &self.planner.store
    }
}
