//! What planning is given, and what it is to be about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use reconcile_state::store::StoreDir;
use reconcile_state::trust::ShrinkLimit;

use super::point::{Point, Points};
use super::progress::Progress;
use crate::clock::Clock;
use crate::config::PipelineSettings;
use crate::model::scope::Scope;
use crate::sources::port::{Directory, Vault};
use crate::targets::port::{Identity, Observer};

/// The read halves of everything: all that planning is given.
#[derive(Clone)]
pub struct Planner {
    /// Portal LDAP.
    pub directory: Arc<dyn Directory>,
    /// MetaVault.
    pub vault: Arc<dyn Vault>,
    /// Targets in scope with their settings, in the order of the registry.
    pub observers: Vec<(Observer, PipelineSettings)>,
    /// How much a source may shrink before its absences are doubted.
    pub shrink: ShrinkLimit,
    /// Memory.
    pub store: Arc<StoreDir>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told how far a pass is.
    pub progress: Arc<dyn Progress>,
    /// Who is told of points.
    pub points: Arc<dyn Points>,
}

impl Planner {
    /// Tells of points: of one pipeline, or of none.
    pub(super) fn tell(&self, pipeline: Option<&'static str>) -> impl Fn(Point) + Clone + Send + Sync + use<> {
        let points = Arc::clone(&self.points);
        move |point| points.reached(pipeline, point)
    }

    /// The settings by pipeline, as the guard takes them.
    pub fn settings(&self) -> BTreeMap<&'static str, PipelineSettings> {
        self.observers.iter().map(|(observer, settings)| (observer.name, settings.clone())).collect()
    }
}

/// What a pass is to be about.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which people.
    pub scope: Scope,
    /// Whether to link to existing records and change nothing.
    pub adopt: bool,
    /// Doubts of sources that the operator accepts.
    pub allow: BTreeSet<String>,
    /// Names the run.
    pub run: String,
    /// The pass's time.
    pub at: Timestamp,
}

/// One open pipeline of a pass.
pub(super) struct Open<'p> {
    pub(super) observer: &'p Observer,
    pub(super) settings: &'p PipelineSettings,
    pub(super) identity: Identity,
    /// It is another target than before, and the operator said that this is right.
    pub(super) anew: bool,
}
