//! The desk at which passes are run: two sources, two toys, a store, a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::config::{
    FirstMeeting, GuardSettings, Institution, Limit, OnDrift, OnSurplus, PipelineSettings, Protected, Windows,
};
use reconcile::engine::{self, ApprovedPlan, Consent, Judged, Order, Planner, Point, Points, Rebuilt, Stop};
use reconcile::model::pass::{Fate, Planned};
use reconcile::model::{KeyField, Pick, Scope};
use reconcile::targets::Registry;
use reconcile::targets::port::{AnyWriter, Definition, Observer, Surroundings, Target};
use reconcile_state::store::StoreDir;
use reconcile_state::trust::ShrinkLimit;
use reconcile_state::{Edit, Intent, Key, Schema};
use tempfile::TempDir;

use super::clock::PausedClock;
use super::people::People;
use crate::toys::{Asked, Listed, Toy, asked, listed};

/// Settings under which the guard lets everything through.
pub fn settings() -> PipelineSettings {
    let any = Limit { number: None, percent: None };
    PipelineSettings {
        first_meeting: FirstMeeting::Report,
        drift: OnDrift::Enforce,
        surplus: OnSurplus::Report,
        guard: GuardSettings {
            floor: 0,
            creates: any,
            lost: any,
            updates: any,
            disables: any,
            renames: any,
            moves: any,
            additions: any,
            lost_elements: any,
            removals: any,
            removals_people: any,
            removals_within: any,
            within_floor: 30,
            one_attribute: any,
            collapse: any,
            disabled_reserve: 0,
            first_load: true,
            windows: Windows { day: 1, week: 3 },
            shrink: ShrinkLimit { percent: 5, floor: 2 },
            protected: Protected::default(),
        },
    }
}

/// Everything a pass needs.
pub struct Desk {
    /// Both sources.
    pub people: Arc<People>,
    /// Toy A.
    pub listed: Listed,
    /// Toy B.
    pub asked: Asked,
    /// Memory.
    pub store: Arc<StoreDir>,
    /// The time.
    pub clock: Arc<PausedClock>,
    /// Settings of all pipelines.
    pub settings: PipelineSettings,
    /// Settings of single ones, instead.
    pub special: BTreeMap<&'static str, PipelineSettings>,
    /// The scope of the next passes.
    pub scope: Scope,
    /// Whether the next passes only link.
    pub adopt: bool,
    /// Doubts and rules that are accepted.
    pub allow: BTreeSet<String>,
    /// Who is told of the places that a pass comes to.
    pub points: Arc<dyn Points>,
    /// Pipelines in scope.
    pub pipelines: Vec<&'static str>,
    runs: AtomicU32,
    registry: Registry,
    place: TempDir,
}

/// What a thread does dies where a pass comes to this place, in this pipeline.
pub struct DiesAt(pub Option<&'static str>, pub Point);

impl Points for DiesAt {
    fn reached(&self, pipeline: Option<&'static str>, point: Point) {
        assert!((pipeline, point) != (self.0, self.1), "killed at {}", point.name());
    }
}

/// What a pass did, in few words.
pub struct Pass {
    /// What was planned.
    pub planned: Planned,
    /// The guard's verdicts and what passed.
    pub judged: Judged,
    /// `pipeline/kind/key action: fate`, in order.
    pub told: Vec<String>,
    /// The fates, in the plan's order.
    pub fates: Vec<Fate>,
}

impl Desk {
    /// Nobody in the sources, nothing at the targets, nothing remembered.
    pub fn new() -> Self {
        // In memory where the machine has such a place: a commit waits for the disk elsewhere.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let store = Arc::new(StoreDir::open(place.path().join("store"), [7; 32]).unwrap());
        let (listed, asked) = (Listed::new(), Asked::new());
        Self {
            registry: Registry::builtin().with(listed.clone()).with(asked.clone()),
            people: Arc::new(People::default()),
            listed,
            asked,
            store,
            clock: Arc::new(PausedClock::new()),
            settings: settings(),
            special: BTreeMap::new(),
            scope: Scope::default(),
            adopt: false,
            allow: BTreeSet::new(),
            points: Arc::new(engine::Unstopped),
            pipelines: vec![listed::NAME, asked::NAME],
            runs: AtomicU32::new(0),
            place,
        }
    }

    /// Puts another target into reach.
    pub fn add(&mut self, target: impl Definition + 'static) {
        self.pipelines.push(target.name());
        self.registry = self.registry.clone().with(target);
    }

    /// The same with these people, carried through once.
    pub async fn with(people: impl IntoIterator<Item = u32>) -> Self {
        let desk = Self::new();
        desk.people.hire_all(people);
        let first = desk.pass().await;
        assert!(first.fates.iter().all(|fate| *fate == Fate::Landed), "{:#?}", first.told);
        desk
    }

    /// Loses a file of the store between two runs of the program.
    pub fn lose(&mut self, file: &str) {
        self.restart_after(|place| std::fs::remove_file(place.join(file)).unwrap());
    }

    /// Ends the program and starts it again.
    pub fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// The same, and something happens meanwhile.
    pub fn restart_after(&mut self, meanwhile: impl FnOnce(&Path)) {
        let place = self.store.path().to_owned();
        // The store's lock goes with its last owner: another stands in until it is opened again.
        let aside = TempDir::new_in(self.place.path()).unwrap();
        self.store = Arc::new(StoreDir::open(aside.path().join("store"), [7; 32]).unwrap());
        meanwhile(&place);
        self.store = Arc::new(StoreDir::open(place, [7; 32]).unwrap());
    }

    /// Loses the whole store between two runs of the program.
    pub fn lose_everything(&mut self) {
        let place = self.store.path().to_owned();
        let aside = TempDir::new().unwrap();
        self.store = Arc::new(StoreDir::open(aside.path(), [7; 32]).unwrap());
        std::fs::remove_dir_all(&place).unwrap();
        self.store = Arc::new(StoreDir::open(place, [7; 32]).unwrap());
    }

    /// Derives claims from evidence, and remembers none.
    pub async fn derive(&self, only: &[&str]) -> Rebuilt {
        let only = only.iter().map(|&name| name.to_owned()).collect();
        engine::rebuild(&self.planner(), &self.order(), &only).await.unwrap()
    }

    /// Derives claims from evidence and remembers them.
    pub async fn rebuild(&self) -> Rebuilt {
        let rebuilt = self.derive(&[]).await;
        engine::keep_rebuilt(&self.planner(), &rebuilt, "operator", Some("a test")).await.unwrap();
        wait(Duration::from_secs(1)).await;
        rebuilt
    }

    fn targets(&self) -> Vec<Target> {
        let institution =
            Institution { number: "999".into(), name: "The Toy College".into(), mail_domain: "toy.example".into() };
        let around = Surroundings::new(&institution, &|_| None);
        let open = |name: &&str| self.registry.get(name).unwrap().open(toml::Table::new(), &around).unwrap();
        self.pipelines.iter().map(open).collect()
    }

    /// The read halves.
    pub fn planner(&self) -> Planner {
        Planner {
            directory: self.people.clone(),
            vault: self.people.clone(),
            observers: self.targets().into_iter().map(|target| self.observed(target)).collect(),
            shrink: self.settings.guard.shrink,
            store: self.store.clone(),
            clock: self.clock.clone(),
            progress: Arc::new(engine::Silent),
            points: self.points.clone(),
        }
    }

    /// The write halves.
    pub fn writers(&self) -> BTreeMap<&'static str, Arc<dyn AnyWriter>> {
        self.targets().into_iter().map(|target| (target.observer.name, target.writer)).collect()
    }

    fn observed(&self, Target { observer, .. }: Target) -> (Observer, PipelineSettings) {
        let settings = self.special.get(observer.name).unwrap_or(&self.settings).clone();
        (observer, settings)
    }

    /// What the next pass is to be about.
    pub fn order(&self) -> Order {
        Order {
            scope: self.scope.clone(),
            adopt: self.adopt,
            allow: self.allow.clone(),
            run: format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed)),
            at: self.clock.now(),
        }
    }

    /// Plans.
    pub async fn plan(&self) -> Planned {
        self.try_plan().await.unwrap()
    }

    /// Plans, or tells why not.
    pub async fn try_plan(&self) -> Result<Planned, engine::PassError> {
        engine::plan(&self.planner(), &self.order()).await
    }

    /// Plans until the program dies at a place, and starts it again.
    pub async fn die_planning(&mut self, at: Point) {
        let points = std::mem::replace(&mut self.points, Arc::new(DiesAt(None, at)));
        assert!(self.try_plan().await.is_err(), "{} is not reached", at.name());
        // What else was under way is over before the store is opened again.
        wait(Duration::from_secs(1)).await;
        self.points = points;
        self.restart();
    }

    /// Judges a plan.
    pub fn judge(&self, planned: Planned) -> Judged {
        let consent = Consent { allow: self.allow.clone(), who: "operator".into(), ..Consent::default() };
        engine::judge(planned, &self.planner().settings(), consent)
    }

    /// Applies a plan.
    pub async fn apply(&self, approved: &ApprovedPlan, stop: &Stop) -> Vec<(String, Fate)> {
        let applied = engine::apply(&self.planner(), &self.writers(), approved, stop).await.unwrap();
        assert!(applied.events.is_empty(), "{:?}", applied.events);
        let targets = self.targets();
        let kinds = targets.iter().flat_map(|target| target.observer.project.kinds()).collect::<Vec<_>>();
        let tell = |done: &reconcile::model::pass::Done| {
            let change = &done.change;
            let schema = kinds.iter().find(|schema| (schema.pipeline, schema.kind) == (change.pipeline, change.kind));
            let word = word(&done.fate, schema.expect("a kind that is declared"));
            format!("{}/{}/{} {}: {word}", change.pipeline, change.kind, change.key, change.action)
        };
        applied.done.iter().map(|done| (tell(done), done.fate.clone())).collect()
    }

    /// One whole pass.
    pub async fn pass(&self) -> Pass {
        self.pass_until(&Stop::default()).await
    }

    /// One pass that somebody may interrupt.
    pub async fn pass_until(&self, stop: &Stop) -> Pass {
        let planned = self.plan().await;
        self.carry_out(planned, stop).await
    }

    /// One pass that is torn down after a while, as by a power cut.
    pub async fn torn_pass(&self, after: Duration) {
        let judged = self.judge(self.plan().await);
        let _ = tokio::time::timeout(after, self.apply(&judged.approved, &Stop::default())).await;
        wait(Duration::from_secs(1)).await;
    }

    /// The rest of a pass.
    pub async fn carry_out(&self, planned: Planned, stop: &Stop) -> Pass {
        let judged = self.judge(planned.clone());
        let done = self.apply(&judged.approved, stop).await;
        // Two passes never begin in the same moment.
        wait(Duration::from_secs(1)).await;
        let (told, fates) = done.into_iter().unzip();
        Pass { planned, judged, told, fates }
    }

    /// The scope of these people by key.
    pub fn only(people: impl IntoIterator<Item = u32>) -> Scope {
        let keys = people.into_iter().map(|n| (KeyField::IdautoId, super::key(n).to_string()));
        Scope { pick: Pick::Keys(keys.collect()), limit: None }
    }

    /// Writes at both toys so far.
    pub fn writes(&self) -> u64 {
        [&*self.listed, &*self.asked].into_iter().map(|toy: &Toy| toy.shelf().writes).sum()
    }

    /// Intents without an outcome.
    pub fn open_intents(&self, pipeline: &str) -> Vec<Intent> {
        let open = self.store.pipeline(pipeline).unwrap().open_intents().unwrap();
        open.into_iter().map(|open| open.intent).collect()
    }

    /// Keys that are claimed.
    pub fn claimed(&self, pipeline: &str, kind: &str) -> Vec<Key> {
        self.store.pipeline(pipeline).unwrap().claims(kind).unwrap().into_keys().collect()
    }
}

/// Lets time pass.
pub async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn word(fate: &Fate, schema: &Schema) -> String {
    match fate {
        Fate::Landed => "landed".into(),
        Fate::NotConverged(left) => {
            let name = |edit: &Edit| Some(schema.attribute(edit.attribute()?)?.name);
            let names: BTreeSet<&str> = left.iter().map(|edit| name(edit).unwrap_or("standing")).collect();
            format!("not converged {}", names.into_iter().collect::<Vec<_>>().join(" "))
        }
        Fate::Superseded => "superseded".into(),
        Fate::Failed(error) => format!("failed {}", error.code),
        Fate::NotTried(error) => format!("not tried {}", error.code),
        Fate::InDoubt(error) => format!("in doubt {}", error.code),
        Fate::Deferred(_) => "deferred".into(),
        Fate::Held(reason) => format!("held {reason}"),
        Fate::NotApproved => "not approved".into(),
        Fate::Interrupted => "interrupted".into(),
    }
}

impl Pass {
    /// Planned changes.
    pub fn changes(&self) -> usize {
        self.planned.plan.changes.len()
    }

    /// The lines of a pipeline, without its name.
    pub fn of<'p>(&'p self, pipeline: &str) -> Vec<&'p str> {
        let mine = |line: &'p String| line.strip_prefix(pipeline).and_then(|rest| rest.strip_prefix('/'));
        self.told.iter().filter_map(mine).collect()
    }

    /// The fate of a person's change in a pipeline and kind; the last, of several.
    pub fn fate(&self, pipeline: &str, kind: &str, n: u32) -> Option<&str> {
        let begins = format!("{pipeline}/{kind}/{} ", super::key(n));
        self.told.iter().rev().find_map(|line| line.strip_prefix(begins.as_str()))
    }

    /// Codes of the doubts about a pipeline's reading.
    pub fn doubts(&self, pipeline: &str) -> Vec<&str> {
        let mine = self.planned.pipelines.iter().filter(|summary| summary.name == pipeline);
        mine.flat_map(|summary| &summary.trust.doubts).map(|doubt| doubt.code.as_str()).collect()
    }

    /// Codes of the doubts about the sources.
    pub fn source_doubts(&self) -> Vec<&str> {
        let all = self.planned.sources.iter().flat_map(|source| &source.trust.doubts);
        all.map(|doubt| doubt.code.as_str()).collect()
    }
}
