//! The directory as tests and the demo hold it: start, address, direct edits, counters, faults, stop.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::dn::fold_dn;
use super::entry::Entry;
use super::schema::Schema;
use super::served::{DirectoryPlan, Served};
use super::session::serve;
use super::tree::{Stored, Tree};
use crate::sim::faults::Faults;
use crate::sim::watch::Watch;

/// A running directory; dropping it ends it and all its connections.
pub struct Directory {
    address: SocketAddr,
    served: Arc<Served>,
    listening: JoinHandle<()>,
}

/// A whole state, times and CSNs included: two are equal only if nothing was written between them, not even
/// the same values again.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(Vec<Arc<Stored>>);

impl Snapshot {
    /// The entries, in the order they were added.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().map(|stored| &stored.entry)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamps = self.0.iter().map(|stored| (stored.entry.dn(), &stored.csn));
        f.debug_map().entries(stamps).finish()
    }
}

impl Directory {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(mut plan: DirectoryPlan) -> io::Result<Self> {
        let mut tree = Tree::new(Schema::portal(), plan.now);
        for entry in std::mem::take(&mut plan.entries) {
            tree.put(entry);
        }
        let served = Arc::new(Served::new(plan, tree));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let listening = tokio::spawn(listen(listener, Arc::clone(&served)));
        Ok(Self { address, served, listening })
    }

    /// `ldap://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// The knobs of what goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.served.faults
    }

    /// Where the writes over the protocol are watched.
    pub fn watch(&self) -> &Watch {
        &self.served.watch
    }

    /// Writes done over the protocol since the start; direct edits are not counted.
    pub fn writes(&self) -> u64 {
        self.served.writes.load(Ordering::Relaxed)
    }

    /// Whether a write is still to be done that a fault holds, whether anybody waits for it or not.
    pub fn is_holding(&self) -> bool {
        self.served.held.load(Ordering::SeqCst) > 0
    }

    /// The entry of a UH-ID or name.
    pub fn get(&self, key: &str) -> Option<Entry> {
        self.served.tree().find(key).map(|stored| stored.entry.clone())
    }

    /// `entryCSN` of a UH-ID or name.
    pub fn csn(&self, key: &str) -> Option<String> {
        self.served.tree().find(key).map(|stored| stored.csn.clone())
    }

    /// Edits the entry of a UH-ID or name behind the protocol's back, with a new `entryCSN`; says whether it
    /// was there. The schema is not asked.
    pub fn modify(&self, key: &str, edit: impl FnOnce(&mut Entry)) -> bool {
        let mut tree = self.served.tree();
        let Some(mut entry) = tree.find(key).map(|stored| stored.entry.clone()) else { return false };
        edit(&mut entry);
        tree.put(entry);
        true
    }

    /// Puts an entry in, or over the one of the same name.
    pub fn insert(&self, entry: Entry) {
        self.served.tree().put(entry);
    }

    /// Takes out the entry of a UH-ID or name.
    pub fn remove(&self, key: &str) -> Option<Entry> {
        let mut tree = self.served.tree();
        let folded = tree.find(key).map_or_else(|| fold_dn(key), |stored| stored.folded.clone());
        tree.take(&folded).map(|stored| stored.entry.clone())
    }

    /// The whole state, for "nothing was written".
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.served.tree().all())
    }

    /// Makes it again what it was.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.served.tree().restore(&snapshot.0);
    }

    /// Ends the directory and waits until its port and connections are closed.
    pub async fn shutdown(mut self) {
        self.listening.abort();
        // Ended by the abort: the error says just that.
        let _ = (&mut self.listening).await;
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn listen(listener: TcpListener, served: Arc<Served>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                // Small answers must not wait for the client's acknowledgement.
                let _ = stream.set_nodelay(true);
                sessions.spawn(serve(stream, Arc::clone(&served)));
            }
            // A session that broke off has lost its client: there is nobody to tell.
            Some(_) = sessions.join_next() => {}
        }
    }
}
