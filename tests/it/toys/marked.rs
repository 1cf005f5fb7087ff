//! Toy D: marks of who is in at the others, kept in the directory beside the people. Others write there too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use reconcile::model::{
    Action, Batch, Call, Desired, Effect, ErrorKind, Mark, Match, Outcome, Outlook, Prospect, Ready, Reason,
    TargetError,
};
use reconcile::targets::port::{
    Ask, Definition, End, Identity, Lookup, Observer, OpenError, Page, Project, Reader, Seen, Subject, Surroundings,
    Target, Terms, Writer,
};
use reconcile_state::{Attribute, AttributeId, Edit, Key, Ownership, Record, Remote, Schema, Texts, Value};

use super::listed::COUNTERS;
use super::shelf::{Answer, Landed};
use crate::world::{MARKED_IN, People};

/// The pipeline.
pub const NAME: &str = "toy-marks";
/// Its kind.
pub const KIND: &str = "marks";
/// The marks.
pub const MARKS: AttributeId = AttributeId(1);
/// Beside the ids that their pipelines number.
const BY_KEY: &str = "key";
const PAGE: usize = 3;

/// Holds a write against the truth as it arrives.
pub type Witness = Box<dyn Fn(&Key, &Edit) + Send>;

/// The moods of the directory as it is written.
#[derive(Default)]
pub struct Moods {
    /// It cannot be reached.
    pub away: bool,
    /// The account may not read the marks.
    pub hidden: bool,
    /// Changes of these are refused.
    pub refused: BTreeSet<Key>,
    /// Answers are lost.
    pub answer: Option<Answer>,
    /// Sees every edit that lands, before it does.
    pub witness: Option<Witness>,
    /// Edits so far.
    pub writes: u64,
    /// What landed, in order.
    pub landed: Vec<Landed>,
    late: Vec<(tokio::time::Instant, Ready)>,
}

/// The toy and its line in the registry.
#[derive(Clone)]
pub struct Marked {
    people: Arc<People>,
    systems: Vec<(&'static str, Mark)>,
    moods: Arc<Mutex<Moods>>,
}

fn unreachable() -> TargetError {
    TargetError::new(ErrorKind::Connect, "TOY_NO_DIRECTORY", "told to be away").later(None)
}

/// Whether none of the edits was made already.
fn is_new(now: &Record, edits: &[Edit]) -> bool {
    let holds = |id: AttributeId, element: &str| now.elements(id).any(|one| one == element);
    edits.iter().all(|edit| match edit {
        Edit::Add { attribute, element } => !holds(*attribute, element),
        Edit::Remove { attribute, element } => holds(*attribute, element),
        _ => true,
    })
}

impl Marked {
    /// Beside these people, the marks of these pipelines.
    pub fn new(people: Arc<People>, marked: &[(&'static str, Mark)]) -> Self {
        Self { people, systems: marked.to_vec(), moods: Arc::default() }
    }

    /// How it fares.
    pub fn moods(&self) -> MutexGuard<'_, Moods> {
        self.moods.lock().unwrap()
    }

    fn seen(&self, key: &Key) -> Option<Seen> {
        let mut record = self.people.marks(key)?;
        if self.moods().hidden {
            record.set(MARKS, Value::Set(Texts::default()));
        }
        let id = key.to_string();
        let remote = Remote { id: Some(id.clone()), handle: None };
        Some(Seen { remote, record, matches: vec![(BY_KEY, id)], foreign: None, kept: BTreeSet::new() })
    }

    /// Does what is due by now.
    pub fn settle(&self) {
        let now = tokio::time::Instant::now();
        let mut moods = self.moods();
        let (due, late): (Vec<_>, Vec<_>) = std::mem::take(&mut moods.late).into_iter().partition(|(at, _)| *at <= now);
        moods.late = late;
        for (_, ready) in due {
            // Whatever has become true or been written meanwhile.
            let witness = moods.witness.take();
            if self.people.marks(&ready.change.key).is_some_and(|now| is_new(&now, &ready.change.edits)) {
                let _ = self.land(&mut moods, &ready);
            }
            moods.witness = witness;
        }
    }

    fn land(&self, moods: &mut Moods, ready: &Ready) -> Result<(), TargetError> {
        let key = &ready.change.key;
        let now = self.people.marks(key);
        let now = now.ok_or_else(|| TargetError::new(ErrorKind::NotFound, "TOY_NOBODY", "no such entry"))?;
        assert_eq!(ready.change.action, Action::Update, "an entry is neither made nor closed");
        let holds = |id: AttributeId, element: &str| now.elements(id).any(|one| one == element);
        let mut edits = Vec::new();
        for edit in &ready.change.edits {
            match edit {
                Edit::Add { attribute, element } => assert!(!holds(*attribute, element), "{element} is there already"),
                Edit::Remove { attribute, element } => assert!(holds(*attribute, element), "{element} is not there"),
                Edit::Set { .. } | Edit::Clear { .. } => {}
                Edit::Standing { .. } => panic!("an entry has no standing"),
            }
            edits.push(match edit {
                Edit::Set { attribute, from, to: Value::Reference(_) } => {
                    let missing = || TargetError::new(ErrorKind::Rejected, "TOY_NO_ID", "a reference without an id");
                    let id = ready.references.get(attribute).ok_or_else(missing)?;
                    Edit::Set { attribute: *attribute, from: from.clone(), to: Value::Text(id.clone()) }
                }
                other => other.clone(),
            });
        }
        for edit in &edits {
            moods.witness.iter().for_each(|witness| witness(key, edit));
        }
        moods.writes += edits.len() as u64;
        self.people.mark(key, &edits);
        moods.landed.push(Landed { change: ready.change.id, edits });
        Ok(())
    }

    fn take(&self, ready: &Ready) -> Outcome {
        let mut moods = self.moods();
        let change = &ready.change;
        if moods.refused.contains(&change.key) {
            return Outcome::failed(change, TargetError::new(ErrorKind::Rejected, "TOY_NO_MARK", "told to refuse"));
        }
        if let Some(answer) = moods.answer {
            match answer {
                Answer::LostAndLanded => drop(self.land(&mut moods, ready)),
                Answer::Lost => {}
                Answer::LandsAfter(delay) => moods.late.push((tokio::time::Instant::now() + delay, ready.clone())),
            }
            return Outcome::failed(change, unreachable().effect(Effect::Unknown));
        }
        match self.land(&mut moods, ready) {
            Ok(()) => Outcome::landed(change, None),
            Err(error) => Outcome::failed(change, error),
        }
    }
}

impl Reader for Marked {
    async fn identity(&self) -> Result<Identity, TargetError> {
        if self.moods().away {
            return Err(unreachable());
        }
        Ok(Identity { id: "marks-1".to_owned(), title: "a toy".to_owned(), warnings: Vec::new() })
    }

    fn observe(&self, _kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        self.settle();
        let pages = match ask {
            Ask::All => {
                let seen: Vec<Seen> = self.people.keys().iter().filter_map(|key| self.seen(key)).collect();
                let mut pages: Vec<Page> =
                    seen.chunks(PAGE).map(|some| Page { seen: some.to_vec(), ..Page::default() }).collect();
                pages.push(Page { end: Some(End { total: None }), ..Page::default() });
                pages
            }
            Ask::These(anchors) => {
                let seen = anchors.iter().filter_map(|anchor| self.seen(&anchor.key)).collect();
                vec![Page { seen, covered: anchors.into_iter().map(|anchor| anchor.key).collect(), ..Page::default() }]
            }
            Ask::Parts(_) => panic!("marks are no parts"),
        };
        stream::iter(pages.into_iter().map(Ok)).boxed()
    }
}

impl Writer for Marked {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        ready.into_iter().map(|one| Batch { request: "mark", changes: vec![one] }).collect()
    }

    async fn write(&self, batch: &Batch) -> Vec<Outcome> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let outcomes = batch.changes.iter().map(|ready| self.take(ready)).collect();
        tokio::time::sleep(Duration::from_millis(10)).await;
        outcomes
    }
}

struct Policy {
    kinds: Vec<Schema>,
    systems: Vec<(&'static str, Mark)>,
}

impl Policy {
    fn record(key: &Key, clear: &[&Outlook]) -> Record {
        let open = clear.iter().filter(|outlook| outlook.prospect == Prospect::In);
        let mut record = Record::new(key.clone())
            .with(MARKS, Value::Set(open.map(|outlook| outlook.mark.entitlement.to_owned()).collect()));
        for outlook in clear.iter().filter(|outlook| outlook.prospect != Prospect::Absent) {
            record.set(AttributeId(outlook.mark.number), Value::Reference(key.clone()));
        }
        record
    }
}

impl Project for Policy {
    fn kinds(&self) -> &[Schema] {
        &self.kinds
    }

    fn desired(&self, subject: Subject<'_>, look: &dyn Lookup, _at: Timestamp) -> Vec<Desired> {
        let Subject::Person(person) = subject;
        let key = person.key();
        let outlooks = look.outlooks(key).iter();
        let clear: Vec<&Outlook> = outlooks.filter(|outlook| outlook.prospect != Prospect::Unclear).collect();
        let call = if clear.is_empty() {
            Call::Untouched(Reason("no-opinion"))
        } else {
            Call::Active(Self::record(key, &clear))
        };
        let silent = self.systems.iter().filter(|(name, _)| clear.iter().all(|outlook| outlook.pipeline != *name));
        vec![Desired {
            kind: KIND,
            key: key.clone(),
            call,
            matches: vec![Match { field: BY_KEY, value: key.to_string(), only_unique: false }],
            scopes: Some(clear.iter().map(|outlook| outlook.mark.entitlement.to_owned()).collect()),
            unasked: silent.map(|(_, mark)| AttributeId(mark.number)).collect(),
            left_out: BTreeMap::new(),
            valid_until: None,
        }]
    }

    fn scope_of<'e>(&self, _kind: &str, _attribute: AttributeId, element: &'e str) -> Option<&'e str> {
        self.systems.iter().any(|(_, mark)| mark.entitlement == element).then_some(element)
    }

    fn tables(&self, _kind: &str) -> Option<&[&'static str]> {
        Some(&[])
    }
}

impl Definition for Marked {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configuration(&self) -> &'static str {
        "[toy-marks]\n"
    }

    fn open(&self, _section: toml::Table, _around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let marks = Attribute::set(MARKS.0, "marks").owned(Ownership::ClaimedSet);
        let ids = self.systems.iter().map(|&(name, mark)| Attribute::reference(mark.number, name, name, mark.kind));
        let all: Vec<Attribute> = std::iter::once(marks).chain(ids).collect();
        let kinds = vec![Schema::new(NAME, KIND, 9, all).unwrap()];
        let (birthright, requested) = MARKED_IN;
        let observer = Observer {
            name: NAME,
            project: Arc::new(Policy { kinds, systems: self.systems.clone() }),
            reader: Arc::new(self.clone()),
            terms: Terms {
                settle_after: Duration::from_secs(30),
                reread_after: Duration::from_mins(5),
                concurrency: 1,
                listable: true,
                chunk: 5,
                known: None,
                counters: COUNTERS,
                mark: None,
                marked_in: Some((birthright.to_owned(), requested.to_owned())),
                follows: true,
            },
        };
        Ok(Target { observer, writer: Arc::new(self.clone()) })
    }
}
