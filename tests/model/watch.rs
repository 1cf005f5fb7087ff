//! What stands between the engine and the targets: every request is held against what was approved and against the
//! journal as it arrives, and a pass can be stopped or torn there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::FutureExt;
use futures::future::BoxFuture;
use reconcile::engine::Stop;
use reconcile::model::{Batch, Change, ChangeId, Outcome, Ready};
use reconcile::targets::port::{AnyWriter, Echo};
use reconcile_state::Key;
use reconcile_state::store::StoreDir;
use tokio::sync::Notify;

/// Where a pass ends before its end.
#[derive(Clone, Debug)]
pub enum Halt {
    /// Somebody asks it to stop as the nth request arrives.
    Stop(u32, Stop),
    /// The process dies as the nth request arrives, or once it was carried out.
    Die(u32, bool),
}

/// What a pass may write.
#[derive(Default)]
pub struct Allowed {
    /// The run.
    pub run: String,
    /// The changes.
    pub changes: BTreeMap<ChangeId, Change>,
    /// Records that must not be written whatever was approved, and why.
    pub barred: BTreeMap<(&'static str, &'static str, Key), &'static str>,
}

#[derive(Default)]
struct Inner {
    allowed: Allowed,
    halt: Option<Halt>,
    requests: u32,
    complaints: Vec<String>,
    writing: BTreeSet<(&'static str, &'static str, Key)>,
}

/// Sees every request.
#[derive(Clone, Default)]
pub struct Watch {
    inner: Arc<Mutex<Inner>>,
    torn: Arc<Notify>,
}

impl Watch {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A pass begins that may write this.
    pub fn begin(&self, allowed: Allowed, halt: Option<Halt>) {
        let mut inner = self.inner();
        let complaints = std::mem::take(&mut inner.complaints);
        *inner = Inner { allowed, halt, complaints, ..Inner::default() };
    }

    /// Returns when the pass is to be torn.
    pub async fn is_torn(&self) {
        self.torn.notified().await;
    }

    /// What was wrong since this was last asked.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().complaints)
    }

    /// The same write half, watched.
    pub fn over(
        &self,
        writers: BTreeMap<&'static str, Arc<dyn AnyWriter>>,
        store: &Arc<StoreDir>,
    ) -> BTreeMap<&'static str, Arc<dyn AnyWriter>> {
        let watched = |(name, writer)| {
            let watched = Watched { name, writer, watch: self.clone(), store: Arc::clone(store) };
            (name, Arc::new(watched) as Arc<dyn AnyWriter>)
        };
        writers.into_iter().map(watched).collect()
    }

    /// Whether the process dies now.
    fn arrives(&self, watched: &Watched, batch: &Batch) -> Option<bool> {
        let open = watched.store.pipeline(watched.name).unwrap().open_intents().unwrap();
        let mut inner = self.inner();
        let mut wrong = Vec::new();
        for Ready { change, .. } in &batch.changes {
            let at = (watched.name, change.kind, change.key.clone());
            match inner.allowed.changes.get(&change.id) {
                None => wrong.push(format!("{at:?} is written and was not approved: {:?}", change.edits)),
                Some(approved) if approved.edits != change.edits || approved.action != change.action => {
                    wrong.push(format!("{at:?} is written otherwise than approved: {:?}", change.edits));
                }
                Some(_) => {}
            }
            if let Some(why) = inner.allowed.barred.get(&at) {
                wrong.push(format!("{at:?} is written although {why}: {:?}", change.edits));
            }
            let of_key = |kind: &str, key: &Key| change.kind == kind && change.key == *key;
            let mine: Vec<_> = open.iter().filter(|open| of_key(&open.intent.kind, &open.intent.key)).collect();
            let fresh = |one: &&&reconcile_state::store::OpenIntent| {
                one.intent.change == change.id && one.intent.run == inner.allowed.run && one.unknown_since.is_none()
            };
            let intents = mine.iter().filter(fresh).count();
            if intents != 1 {
                wrong.push(format!("{at:?} is written with {intents} intents in the journal"));
            }
            if mine.len() > 1 {
                wrong.push(format!("{at:?} is written while it is in doubt"));
            }
            if !inner.writing.insert(at.clone()) {
                wrong.push(format!("{at:?} is written by two requests at once"));
            }
        }
        inner.complaints.extend(wrong);
        let nth = inner.requests;
        inner.requests += 1;
        match &inner.halt {
            Some(Halt::Stop(at, stop)) if *at <= nth => {
                stop.request();
                None
            }
            Some(Halt::Die(at, after)) if *at == nth => Some(*after),
            _ => None,
        }
    }

    fn answered(&self, watched: &Watched, batch: &Batch) {
        let mut inner = self.inner();
        for Ready { change, .. } in &batch.changes {
            inner.writing.remove(&(watched.name, change.kind, change.key.clone()));
        }
    }

    /// Nothing goes on from here.
    async fn die(&self) {
        self.torn.notify_one();
        std::future::pending::<()>().await;
    }
}

struct Watched {
    name: &'static str,
    writer: Arc<dyn AnyWriter>,
    watch: Watch,
    store: Arc<StoreDir>,
}

impl AnyWriter for Watched {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        self.writer.batches(ready)
    }

    fn write<'w>(&'w self, batch: &'w Batch) -> BoxFuture<'w, Vec<Outcome>> {
        async move {
            let dies = self.watch.arrives(self, batch);
            if dies == Some(false) {
                self.watch.die().await;
            }
            let outcomes = self.writer.write(batch).await;
            if dies == Some(true) {
                self.watch.die().await;
            }
            self.watch.answered(self, batch);
            outcomes
        }
        .boxed()
    }

    fn echoes(&self) -> Vec<Echo> {
        self.writer.echoes()
    }
}
