//! What both toys are made of: records under numbers, requests that are counted, and faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reconcile::engine::Stop;
use reconcile::model::stop::stopped;
use reconcile::model::{
    Action, Anchor, Batch, Change, ChangeId, Effect, ErrorKind, Outcome, Ready, Reason, TargetError,
};
use reconcile::targets::port::{Ask, End, Identity, Page, Reader, Seen, Writer};
use reconcile_state::edit::perform;
use reconcile_state::{AttributeId, Edit, Key, Record, Remote, Value};
use tokio::time::Instant;

/// What is wrong with a listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Listing {
    /// Nothing.
    #[default]
    Whole,
    /// Half of it comes; the target's count tells.
    Half,
    /// Half of it comes, and the end is never marked.
    NoEnd,
    /// Every record comes twice.
    Twice,
    /// The target counts one more than it shows.
    OneMore,
    /// It breaks off after the first page.
    Broken,
}

/// What became of a write whose answer is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It landed.
    LostAndLanded,
    /// It did not.
    Lost,
    /// It will.
    LandsAfter(Duration),
}

/// A write that landed, whatever was answered.
#[derive(Clone, Debug)]
pub struct Landed {
    /// The change.
    pub change: ChangeId,
    /// What of it landed.
    pub edits: Vec<Edit>,
}

/// What somebody else does at the target while a write is on its way.
pub type Meddle = Box<dyn FnOnce(&mut Shelf) + Send>;

/// The records of a toy, and its moods.
#[allow(clippy::struct_excessive_bools, reason = "each is a mood of its own")]
#[derive(Default)]
pub struct Shelf {
    /// Records by kind and number.
    pub rows: BTreeMap<(&'static str, u64), Record>,
    /// Which toy this is.
    pub identity: String,
    /// The identity cannot be read.
    pub away: bool,
    /// Write requests so far.
    pub requests: u64,
    /// Records written so far.
    pub writes: u64,
    /// Read requests so far.
    pub reads: u64,
    /// How the next listings come.
    pub listing: Listing,
    /// Whether the target counts its records.
    pub counts: bool,
    /// Records in a page.
    pub page: usize,
    /// Numbers of records that are there and never shown.
    pub vanished: BTreeSet<u64>,
    /// Numbers of records that can never be ours.
    pub admins: BTreeSet<u64>,
    /// Single look-ups fail, from this many reads on.
    pub blind_after: Option<u64>,
    /// Single look-ups answer for nobody.
    pub mute: bool,
    /// A batch with one of these is refused as a whole.
    pub bad: BTreeSet<Key>,
    /// Of a batch with one of these nothing is done, and nothing is heard.
    pub poison: BTreeSet<Key>,
    /// Changes of these are refused, alone.
    pub refused: BTreeSet<Key>,
    /// Each change of a batch takes a request of its own.
    pub one_by_one: bool,
    /// The next batch is refused, and may be sent again.
    pub later_once: bool,
    /// Writes wait for so long, as for a pace, before they are sent.
    pub held: Duration,
    /// Answers to writes are lost.
    pub answer: Option<Answer>,
    /// Of the next change of these only so many edits land.
    pub cut: BTreeMap<Key, usize>,
    /// What did not land of those is told edit by edit, of which each did nothing.
    pub piecemeal: bool,
    /// New records are not shown for so long.
    pub shy: Option<Duration>,
    /// No two records of a kind may have one value of these.
    pub unique: BTreeSet<AttributeId>,
    /// Accepted and not kept.
    pub drops: BTreeSet<AttributeId>,
    /// Kept in another spelling.
    pub rewrites: BTreeSet<AttributeId>,
    /// The order in which records come.
    pub order: Option<u64>,
    /// What listings show instead of what is there.
    pub stale: Option<BTreeMap<(&'static str, u64), Record>>,
    /// What landed, in order.
    pub landed: Vec<Landed>,
    /// Runs as the next write arrives.
    pub meddle: Option<Meddle>,
    /// Asks the pass to stop once so many requests have arrived.
    pub stop: Option<(u64, Stop)>,
    last: u64,
    shown_from: BTreeMap<u64, Instant>,
    late: Vec<(Instant, Ready)>,
}

impl Shelf {
    /// Puts a record there by hand; gives its number.
    pub fn put(&mut self, kind: &'static str, record: Record) -> u64 {
        self.last += 1;
        self.rows.insert((kind, self.last), record);
        self.last
    }

    /// The numbers of the records in which an attribute has this text.
    pub fn with(&self, kind: &str, id: AttributeId, text: &str) -> Vec<u64> {
        let holds = |((k, _), record): &(&(&'static str, u64), &Record)| *k == kind && record.text(id) == Some(text);
        self.rows.iter().filter(holds).map(|((_, number), _)| *number).collect()
    }

    /// The only such record.
    pub fn only(&mut self, kind: &'static str, id: AttributeId, text: &str) -> &mut Record {
        let found = self.with(kind, id, text);
        assert_eq!(found.len(), 1, "{kind} with {id:?} {text}");
        self.rows.get_mut(&(kind, found[0])).unwrap()
    }

    fn settle(&mut self) {
        let now = Instant::now();
        let (due, late): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        for (_, ready) in due {
            let _ = self.land(&ready, &ready.change.edits.clone());
        }
    }

    fn is_shown(&self, number: u64) -> bool {
        !self.vanished.contains(&number) && self.shown_from.get(&number).is_none_or(|from| *from <= Instant::now())
    }

    /// Does edits, whatever was expected; gives the record's number.
    fn land(&mut self, ready: &Ready, edits: &[Edit]) -> Result<u64, TargetError> {
        let Ready { change, references } = ready;
        let edits = edits.iter().map(|edit| resolve(edit, references)).collect::<Result<Vec<Edit>, TargetError>>()?;
        let own = change.remote.as_ref().and_then(|remote| remote.id.as_deref()?.parse::<u64>().ok());
        let taken = |edit: &Edit| match edit {
            Edit::Set { attribute, to: Value::Text(text), .. } if self.unique.contains(attribute) => {
                self.with(change.kind, *attribute, text).iter().any(|number| Some(*number) != own)
            }
            _ => false,
        };
        if edits.iter().any(taken) {
            return Err(TargetError::new(ErrorKind::Conflict, "TOY_TAKEN", "another record has this value"));
        }
        let number = match (&change.remote, change.action) {
            (_, Action::Create) => {
                let number = self.put(change.kind, Record::new("".into()));
                if let Some(shy) = self.shy {
                    self.shown_from.insert(number, Instant::now() + shy);
                }
                number
            }
            (Some(Remote { id: Some(id), .. }), _) => id.parse().unwrap(),
            _ => return Err(TargetError::new(ErrorKind::NotFound, "TOY_NO_ID", "a change without an id")),
        };
        let Some(record) = self.rows.get_mut(&(change.kind, number)) else {
            return Err(TargetError::new(ErrorKind::NotFound, "TOY_NOT_FOUND", "no such record"));
        };
        let kept: Vec<Edit> = edits
            .into_iter()
            .filter(|edit| edit.attribute().is_none_or(|id| !self.drops.contains(&id)))
            .map(|edit| match edit {
                Edit::Set { attribute, from, to: Value::Text(text) } if self.rewrites.contains(&attribute) => {
                    Edit::Set { attribute, from, to: Value::Text(format!("{}@toy", text.to_uppercase())) }
                }
                other => other,
            })
            .collect();
        perform(record, &kept);
        self.writes += 1;
        self.landed.push(Landed { change: change.id, edits: kept });
        Ok(number)
    }

    fn answer(&mut self, ready: &Ready) -> Outcome {
        let change = &ready.change;
        if self.refused.contains(&change.key) {
            return Outcome::failed(change, rejected());
        }
        let some = self.cut.remove(&change.key).unwrap_or(change.edits.len());
        let (now, never) = change.edits.split_at(some.min(change.edits.len()));
        let (now, never) = (now.to_vec(), never.to_vec());
        match self.land(ready, &now) {
            Err(error) => Outcome::failed(change, error),
            Ok(number) => {
                let cut = TargetError::new(ErrorKind::Unavailable, "TOY_CUT", "a later step failed").later(None);
                let cut = if self.piecemeal { cut } else { cut.effect(Effect::Partial) };
                let remote = Remote { id: Some(number.to_string()), handle: None };
                Outcome {
                    error: (!never.is_empty() && !self.piecemeal).then(|| cut.clone()),
                    failed: never.into_iter().map(|edit| (edit, cut.clone())).collect(),
                    landed: now,
                    ..Outcome::landed(change, Some(remote))
                }
            }
        }
    }
}

fn resolve(edit: &Edit, references: &BTreeMap<AttributeId, String>) -> Result<Edit, TargetError> {
    match edit {
        Edit::Set { attribute, from, to: Value::Reference(_) } => {
            let missing = || TargetError::new(ErrorKind::Rejected, "TOY_NO_REFERENCE", "no id for a reference");
            let id = references.get(attribute).ok_or_else(missing)?;
            Ok(Edit::Set { attribute: *attribute, from: from.clone(), to: Value::Text(id.clone()) })
        }
        other => Ok(other.clone()),
    }
}

fn rejected() -> TargetError {
    TargetError::new(ErrorKind::Rejected, "TOY_REJECTED", "told to refuse")
}

fn unreachable() -> TargetError {
    TargetError::new(ErrorKind::Connect, "TOY_CONNECTION_FAILED", "told to be away").later(None)
}

/// By what a record may be recognised.
pub type Marks = fn(&'static str, &Record) -> Vec<(&'static str, String)>;

/// A shelf that can be shared, read and written.
#[derive(Clone)]
pub struct Toy {
    shelf: Arc<Mutex<Shelf>>,
    marks: Marks,
    batch: usize,
}

impl Toy {
    /// An empty one.
    pub fn new(identity: &str, marks: Marks, batch: usize) -> Self {
        let shelf = Shelf { identity: identity.to_owned(), counts: true, page: 3, ..Shelf::default() };
        Self { shelf: Arc::new(Mutex::new(shelf)), marks, batch }
    }

    /// The shelf, to look at or to meddle with.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// All records as they are now.
    pub fn rows(&self) -> BTreeMap<(&'static str, u64), Record> {
        let mut shelf = self.shelf();
        shelf.settle();
        shelf.rows.clone()
    }

    fn seen(&self, shelf: &Shelf, kind: &'static str, rows: &BTreeMap<(&'static str, u64), Record>) -> Vec<Seen> {
        let mine = rows.iter().filter(|((k, number), _)| *k == kind && shelf.is_shown(*number));
        let mut seen: Vec<Seen> = mine
            .map(|((_, number), record)| Seen {
                remote: Remote { id: Some(number.to_string()), handle: None },
                record: record.clone(),
                matches: (self.marks)(kind, record),
                foreign: shelf.admins.contains(number).then_some(Reason("admin")),
                kept: BTreeSet::new(),
            })
            .collect();
        if let Some(seed) = shelf.order {
            fastrand::Rng::with_seed(seed).shuffle(&mut seen);
        }
        seen
    }

    fn list(&self, kind: &'static str) -> Vec<Result<Page, TargetError>> {
        let shelf = self.shelf();
        let mut seen = self.seen(&shelf, kind, shelf.stale.as_ref().unwrap_or(&shelf.rows));
        let count = seen.len() as u64;
        match shelf.listing {
            Listing::Half | Listing::NoEnd => seen.truncate(seen.len() / 2),
            Listing::Twice => seen = seen.iter().cloned().chain(seen.iter().cloned()).collect(),
            Listing::Whole | Listing::OneMore | Listing::Broken => {}
        }
        let total = if shelf.listing == Listing::OneMore { count + 1 } else { count };
        let end = Some(End { total: shelf.counts.then_some(total) });
        let pages = seen.chunks(shelf.page).map(|some| Ok(Page { seen: some.to_vec(), ..Page::default() }));
        let mut pages: Vec<_> = pages.collect();
        match shelf.listing {
            Listing::NoEnd => {}
            Listing::Broken => {
                pages.truncate(1);
                pages.push(Err(unreachable()));
            }
            _ => pages.push(Ok(Page { end, ..Page::default() })),
        }
        pages
    }

    fn find(&self, kind: &'static str, anchors: &[Anchor]) -> Result<Page, TargetError> {
        let shelf = self.shelf();
        if shelf.blind_after.is_some_and(|reads| shelf.reads > reads) {
            return Err(unreachable());
        }
        let means = |anchor: &Anchor, one: &Seen| {
            anchor.remembered.as_ref().is_some_and(|remote| remote.is(&one.remote))
                || anchor.matches.iter().any(|m| one.matches.contains(&(m.field, m.value.clone())))
        };
        let mut seen = self.seen(&shelf, kind, &shelf.rows);
        seen.retain(|one| anchors.iter().any(|anchor| means(anchor, one)));
        let covered = if shelf.mute { Vec::new() } else { anchors.iter().map(|anchor| anchor.key.clone()).collect() };
        Ok(Page { seen, covered, ..Page::default() })
    }
}

impl Reader for Toy {
    async fn identity(&self) -> Result<Identity, TargetError> {
        let shelf = self.shelf();
        if shelf.away {
            return Err(unreachable());
        }
        Ok(Identity { id: shelf.identity.clone(), title: "a toy".to_owned(), warnings: Vec::new() })
    }

    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        {
            let mut shelf = self.shelf();
            shelf.reads += 1;
            shelf.settle();
        }
        let pages = match ask {
            Ask::All => self.list(kind),
            Ask::These(anchors) => vec![self.find(kind, &anchors)],
            Ask::Parts(_) => panic!("the toys have no parts"),
        };
        stream::iter(pages).boxed()
    }
}

impl Writer for Toy {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        ready.chunks(self.batch).map(|some| Batch { request: "toy", changes: some.to_vec() }).collect()
    }

    async fn write(&self, batch: &Batch) -> Vec<Outcome> {
        let held = self.shelf().held;
        // The network takes its time both ways, and others write meanwhile.
        tokio::time::sleep(held + Duration::from_millis(20)).await;
        let outcomes = self.take(batch);
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcomes
    }

    async fn write_until(&self, batch: &Batch, stop: &Stop) -> Vec<Outcome> {
        if !self.shelf().one_by_one {
            return Writer::write(self, batch).await;
        }
        let mut outcomes = Vec::new();
        for ready in &batch.changes {
            let one = Batch { request: batch.request, changes: vec![ready.clone()] };
            if stop.is_requested() {
                outcomes.push(Outcome::failed(&ready.change, stopped()));
            } else {
                outcomes.extend(Writer::write(self, &one).await);
            }
        }
        outcomes
    }
}

impl Toy {
    fn take(&self, batch: &Batch) -> Vec<Outcome> {
        let mut shelf = self.shelf();
        shelf.settle();
        shelf.requests += 1;
        let ids: BTreeSet<ChangeId> = batch.changes.iter().map(|ready| ready.change.id).collect();
        assert!(batch.changes.iter().all(|ready| ready.change.requires.iter().all(|id| !ids.contains(id))));
        if let Some((after, stop)) = &shelf.stop
            && shelf.requests >= *after
        {
            stop.request();
        }
        if let Some(meddle) = shelf.meddle.take() {
            meddle(&mut shelf);
        }
        let whole = |error: &TargetError| {
            let failed = |change: &Change| Outcome::failed(change, error.clone());
            batch.changes.iter().map(|ready| failed(&ready.change)).collect::<Vec<_>>()
        };
        if std::mem::take(&mut shelf.later_once) {
            return whole(&rejected().later(Some(Duration::from_secs(1))));
        }
        if batch.changes.iter().any(|ready| shelf.bad.contains(&ready.change.key)) {
            return whole(&rejected());
        }
        let lost = TargetError::new(ErrorKind::Connect, "TOY_TIMEOUT", "no answer").later(None).effect(Effect::Unknown);
        if batch.changes.iter().any(|ready| shelf.poison.contains(&ready.change.key)) {
            return whole(&lost);
        }
        if let Some(answer) = shelf.answer {
            for ready in &batch.changes {
                match answer {
                    Answer::LostAndLanded => drop(shelf.answer(ready)),
                    Answer::Lost => {}
                    Answer::LandsAfter(delay) => shelf.late.push((Instant::now() + delay, ready.clone())),
                }
            }
            return whole(&lost);
        }
        batch.changes.iter().map(|ready| shelf.answer(ready)).collect()
    }
}
