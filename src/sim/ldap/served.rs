//! What a directory starts with, and what its sessions share.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::entry::Entry;
use super::tree::Tree;
use crate::sim::faults::Faults;
use crate::sim::watch::Watch;

/// What a directory starts with.
#[derive(Clone)]
pub struct DirectoryPlan {
    /// The only account that may read or write.
    pub bind_dn: String,
    /// Its password.
    pub password: String,
    /// Entries, each after the one above it.
    pub entries: Vec<Entry>,
    /// Entries a search returns at most, over all its pages; then rc 4.
    pub size_limit: Option<usize>,
    /// What the directory's own clock shows at the start; every write moves it by a millisecond.
    pub now: Timestamp,
}

impl DirectoryPlan {
    /// Portal LDAP with its containers and service account, without people, unlimited.
    pub fn portal(now: Timestamp) -> Self {
        let unit = |name: &str| {
            Entry::new(format!("ou={name},dc=meta")).with("objectClass", ["organizationalUnit"]).with("ou", [name])
        };
        let top = Entry::new("dc=meta")
            .with("objectClass", ["dcObject", "organization"])
            .with("dc", ["meta"])
            .with("o", ["meta"]);
        Self {
            bind_dn: "cn=portal,dc=meta".to_owned(),
            password: "portalpw".to_owned(),
            entries: vec![top, unit("Accounts"), unit("Groups")],
            size_limit: None,
            now,
        }
    }

    /// The same with more entries.
    #[must_use]
    pub fn with(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.entries.extend(entries);
        self
    }
}

impl fmt::Debug for DirectoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("DirectoryPlan");
        shown.field("bind_dn", &self.bind_dn).field("entries", &self.entries.len());
        shown.field("size_limit", &self.size_limit).finish_non_exhaustive()
    }
}

/// What the sessions share.
pub struct Served {
    pub plan: DirectoryPlan,
    pub faults: Faults,
    pub writes: AtomicU64,
    /// Writes that are held and not done yet.
    pub held: AtomicU64,
    pub watch: Watch,
    tree: Mutex<Tree>,
}

impl Served {
    pub fn new(plan: DirectoryPlan, tree: Tree) -> Self {
        let (faults, watch) = (Faults::default(), Watch::default());
        Self { plan, faults, writes: AtomicU64::new(0), held: AtomicU64::new(0), watch, tree: Mutex::new(tree) }
    }

    pub fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
