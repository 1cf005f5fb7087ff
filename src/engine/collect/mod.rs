//! Collect: the sources are read into the sources file, judged, and the people in scope picked.
//!
//! A reading always counts for what it shows. What it does not show counts as gone only where it was
//! whole and trusted; a scope of single keys proves nobody gone.

mod directory;
mod tally;
mod vault;
mod witness;

pub(super) use self::directory::remember_echoes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join;
use reconcile_state::store::{Scope, Side, Store, Summary};
use reconcile_state::trust::{ATTRIBUTE_SHRUNK, Doubt, ShrinkLimit, SourceFigures, Trust, judge_source};
use reconcile_state::{Key, Schema};

use self::tally::Tally;
use super::blocking::blocking;
use super::error::PassError;
use super::point::{Point, Points};
use super::processed::Processed;
use super::progress::Progress;
use crate::model::Semester;
use crate::model::pass::{Event, ScopeSummary, SourceSummary};
use crate::model::person::vault::{PERSON_TABLE, TABLES, table_of};
use crate::model::scope::{Pick, Scope as People};
use crate::sources::port::{Directory, Finding, Vault};

/// The directory's name in reports.
pub const DIRECTORY: &str = "Portal LDAP";
/// The vault's name in reports.
pub const VAULT: &str = "MetaVault";

pub(super) const DIRECTORY_SCOPE: Scope<'_> = Scope { kind: "directory", side: Side::Source };
pub(super) const VAULT_SCOPE: Scope<'_> = Scope { kind: "vault", side: Side::Source };

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    /// One for each source.
    pub sources: Vec<SourceSummary>,
    /// Who is in scope, in words.
    pub scope: ScopeSummary,
    /// Who is in scope, in key order.
    pub keys: Vec<Key>,
    /// Known people whom a reading that proves nothing did not show.
    pub unread: BTreeSet<Key>,
    /// Everybody the directory has, as far as is known.
    pub known: BTreeSet<Key>,
    /// Whether that is everybody, with all that may identify them: the directory was read whole, now or before, and no
    /// values are missing from either source.
    pub everybody: bool,
    /// Whether values of people are missing from the directory. That is doubted of everything, and holds more than the
    /// doubt that not everybody is known; what is doubted of a table of MetaVault holds only what is made of it.
    pub lacks_values: bool,
    /// Whether people who are not known are proved to be gone.
    pub proves_gone: bool,
    /// Figures to hold the next readings against, once this pass has acted.
    pub figures: BTreeMap<&'static str, SourceFigures>,
    /// What the operator is told at once.
    pub events: Vec<Event>,
    /// The semesters there are, in the order of their ids.
    pub semesters: Arc<Vec<Semester>>,
}

/// What collecting works with.
pub struct Collector<'c> {
    /// Portal LDAP.
    pub directory: &'c dyn Directory,
    /// MetaVault.
    pub vault: &'c dyn Vault,
    /// The sources file.
    pub store: Store,
    /// How much a source may shrink.
    pub shrink: ShrinkLimit,
    /// Doubts that the operator accepts.
    pub allow: &'c BTreeSet<String>,
    /// Who is told.
    pub progress: &'c dyn Progress,
    /// Who is told of points.
    pub points: &'c Arc<dyn Points>,
    /// What each pipeline in scope last carried through.
    pub processed: &'c [Arc<Processed>],
    /// The pass's time, in Unix milliseconds.
    pub at: i64,
    /// People of whom a write is in doubt.
    pub unfinished: &'c BTreeSet<Key>,
    /// Entitlements that are marked, and the directory attributes that hold the marks.
    pub marks: (Vec<&'static str>, Option<(String, String)>),
}

impl Collector<'_> {
    fn tell(&self) -> impl Fn(Point) + Send + use<> {
        let points = Arc::clone(self.points);
        move |point| points.reached(None, point)
    }
}

/// One source, read and judged.
struct Part {
    name: &'static str,
    summary: Summary,
    trust: Trust,
    figures: SourceFigures,
    /// Keys this reading showed.
    shown: BTreeSet<Key>,
    /// Keys the store holds now.
    known: BTreeSet<Key>,
    findings: BTreeMap<String, u64>,
    events: Vec<Event>,
    semesters: Vec<Semester>,
}

/// Reads the sources as far as the scope asks.
///
/// # Errors
/// [`PassError::Source`] where a source gives nothing at all; [`PassError::Store`].
pub async fn collect(collector: &Collector<'_>, people: &People) -> Result<Collected, PassError> {
    let mut unknown = Vec::new();
    let (part, mut mv) = match &people.pick {
        Pick::Everything => try_join(directory::read_all(collector), vault::read(collector, None)).await?,
        Pick::Changed | Pick::Pending => {
            try_join(directory::read_changed(collector), vault::read(collector, None)).await?
        }
        Pick::Keys(keys) => {
            let part = directory::read_named(collector, keys, &mut unknown).await?;
            let shown: Vec<Key> = part.shown.iter().cloned().collect();
            let mv = vault::read(collector, Some(&shown)).await?;
            (part, mv)
        }
    };
    let mut keys = match &people.pick {
        Pick::Everything => part.known.iter().cloned().collect(),
        Pick::Changed => changed(collector, &part.known).await?,
        Pick::Pending => pending(collector, &part.known).await?,
        Pick::Keys(_) => part.shown.iter().cloned().collect::<Vec<Key>>(),
    };
    keys.truncate(people.limit.unwrap_or(usize::MAX));
    let whole = !matches!(people.pick, Pick::Keys(_));
    let unread = match people.pick {
        Pick::Everything | Pick::Changed | Pick::Pending => part.known.difference(&part.shown).cloned().collect(),
        Pick::Keys(_) => BTreeSet::new(),
    };
    let strangers = mv.shown.difference(&part.known).count() as u64;
    if strangers > 0 {
        mv.findings.insert("not-in-directory".to_owned(), strangers);
    }
    let events = part.events.iter().chain(&mv.events).cloned().collect();
    let directory_lacks = lacks_values(&[&part.trust]);
    let figures = [&part, &mv].map(|part| (part.name, part.figures.clone())).into();
    Ok(Collected {
        scope: ScopeSummary { what: people.to_string(), people: keys.len() as u64, unknown_keys: unknown },
        keys,
        unread,
        proves_gone: whole && people.limit.is_none() && part.trust.is_trusted(),
        lacks_values: directory_lacks,
        everybody: !lacks_values(&[&part.trust, &mv.trust])
            && ((whole && part.trust.is_trusted())
                || collector.store.meta::<SourceFigures>(&figures_name(DIRECTORY))?.is_some()
                || collector.store.root(DIRECTORY_SCOPE)?.is_some_and(|root| root.whole)),
        known: part.known.clone(),
        semesters: Arc::new(std::mem::take(&mut mv.semesters)),
        figures,
        events,
        sources: [part, mv].map(summarise).into(),
    })
}

/// Whether values of people are missing from a source: then nobody knows who alone bears one. Of MetaVault's tables
/// only that of the people themselves identifies anybody.
fn lacks_values(trusts: &[&Trust]) -> bool {
    let other_table = |of: &str| of != PERSON_TABLE && TABLES.contains(&of);
    let mut missing = trusts.iter().flat_map(|trust| &trust.doubts).filter(|doubt| doubt.code == ATTRIBUTE_SHRUNK);
    missing.any(|doubt| !doubt.of.as_deref().is_some_and(other_table))
}

fn summarise(part: Part) -> SourceSummary {
    SourceSummary {
        name: part.name,
        people: part.known.len() as u64,
        new: part.summary.new,
        changed: part.summary.changed,
        gone: part.summary.gone.len() as u64,
        trust: part.trust,
        findings: part.findings,
    }
}

/// People of whom a pipeline has not carried through what the sources say now, or what a date has made of it since.
async fn changed(collector: &Collector<'_>, known: &BTreeSet<Key>) -> Result<Vec<Key>, PassError> {
    let store = collector.store.clone();
    let (directory, vault) =
        blocking(move || Ok((store.digests(DIRECTORY_SCOPE)?, store.digests(VAULT_SCOPE)?))).await?;
    let (processed, at) = (collector.processed.to_vec(), collector.at);
    let overtaken = blocking(move || {
        let of = |processed: &Arc<Processed>| processed.overtaken(at);
        processed.iter().map(of).collect::<Result<Vec<BTreeSet<Key>>, PassError>>()
    })
    .await?;
    let moved = |key: &Key| collector.processed.iter().any(|processed| processed.moved(key, &directory, &vault));
    let is_overtaken = |key: &Key| overtaken.iter().any(|keys| keys.contains(key));
    let due = |key: &&Key| collector.unfinished.contains(*key) || moved(key) || is_overtaken(key);
    Ok(known.iter().filter(due).cloned().collect())
}

/// People who are entitled and not marked, and those whose last change did not go through.
async fn pending(collector: &Collector<'_>, known: &BTreeSet<Key>) -> Result<Vec<Key>, PassError> {
    let unmarked: BTreeSet<Key> = match &collector.marks {
        (entitlements, Some((birthright, requested))) if !entitlements.is_empty() => {
            collector.directory.unmarked(entitlements, (birthright, requested)).await?.into_iter().collect()
        }
        _ => BTreeSet::new(),
    };
    let left = |key: &Key| collector.processed.iter().any(|processed| processed.left(key));
    let due = |key: &&Key| unmarked.contains(*key) || collector.unfinished.contains(*key) || left(key);
    Ok(known.iter().filter(due).cloned().collect())
}

/// Judges a source by those of its attributes and tables that were counted; what the operator accepts by
/// name is told and not doubted.
fn judge(
    collector: &Collector<'_>,
    (name, is_counted): (&'static str, &dyn Fn(&str) -> bool),
    complete: bool,
    figures: &SourceFigures,
    events: &mut Vec<Event>,
) -> Result<Trust, PassError> {
    let mut last: Option<SourceFigures> = collector.store.meta(&figures_name(name))?;
    last.iter_mut().for_each(|last| last.carriers.retain(|name, _| is_counted(name)));
    let trust = judge_source(name, complete, figures, last.as_ref(), collector.shrink);
    let mut trust = accept(collector, trust, events);
    for doubt in trust.doubts.iter_mut().filter(|_| name == VAULT) {
        let table = doubt.of.as_deref().map(|of| table_of(of.trim_start_matches(vault::TABLE)).to_owned());
        doubt.of = table;
    }
    Ok(trust)
}

/// What the operator accepts by name is told and not doubted.
fn accept(collector: &Collector<'_>, mut trust: Trust, events: &mut Vec<Event>) -> Trust {
    let shrunk = |code: &str| matches!(code, "source-shrunk" | "attribute-shrunk");
    let (accepted, doubts) = std::mem::take(&mut trust.doubts)
        .into_iter()
        .partition(|d| shrunk(&d.code) && collector.allow.contains(&d.code));
    trust.doubts = doubts;
    let accepted: Vec<Doubt> = accepted;
    events.extend(accepted.into_iter().map(|doubt| Event {
        code: doubt.code,
        pipeline: None,
        step: "collect",
        key: None,
        message: format!("accepted by --allow: {}", doubt.message),
    }));
    trust
}

/// Under which name a source's trusted figures are remembered.
pub(super) fn figures_name(source: &str) -> String {
    format!("figures {source}")
}

fn findings_of(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|finding| format!("{}:{}", finding.code, finding.attribute)).collect()
}

/// Keys and figures of what the store holds of a source.
async fn hold(
    store: &Store,
    scope: Scope<'static>,
    schema: Schema,
) -> Result<(BTreeSet<Key>, SourceFigures), PassError> {
    let store = store.clone();
    blocking(move || {
        let mut tally = Tally::new(&schema);
        let mut keys = BTreeSet::new();
        store.for_each_body(scope, |record| {
            tally.count(&record);
            keys.insert(record.key.clone());
        })?;
        Ok((keys, tally.figures()))
    })
    .await
}
