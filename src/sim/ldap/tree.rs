//! The entries, in the order they came, with what the server itself keeps of each: id, UUID, CSN, times.
//! No network and no faults here; writes by protocol are next door in `modify`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::dn::{fold_dn, parent, within};
use super::entry::Entry;
use super::filter::Values;
use super::schema::{AttributeType, Schema};

/// An entry as kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub id: u64,
    pub folded: String,
    pub entry: Entry,
    pub csn: String,
    created: String,
    modified: String,
}

impl Stored {
    /// `entryUUID`: stable for the life of the entry.
    pub fn uuid(&self) -> String {
        format!("00000000-0000-103f-8000-{:012x}", self.id)
    }

    /// An operational attribute.
    pub fn operational(&self, name: &str) -> Option<String> {
        match name {
            "entryCSN" => Some(self.csn.clone()),
            "entryUUID" => Some(self.uuid()),
            "createTimestamp" => Some(self.created.clone()),
            "modifyTimestamp" => Some(self.modified.clone()),
            _ => None,
        }
    }
}

impl Values for Stored {
    fn values(&self, kind: &AttributeType) -> Vec<Vec<u8>> {
        if kind.operational {
            self.operational(&kind.name).map(String::into_bytes).into_iter().collect()
        } else {
            self.entry.values(&kind.name).to_vec()
        }
    }
}

/// All entries. Time is its own: one millisecond passes with every write.
#[derive(Debug)]
pub struct Tree {
    pub schema: Schema,
    now: Timestamp,
    next_id: u64,
    entries: BTreeMap<u64, Arc<Stored>>,
    by_dn: HashMap<String, u64>,
    by_uhid: HashMap<String, u64>,
}

impl Tree {
    pub fn new(schema: Schema, now: Timestamp) -> Self {
        let (entries, by_dn, by_uhid) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { schema, now, next_id: 1, entries, by_dn, by_uhid }
    }

    /// Entries with a greater id, in order of ids.
    pub fn after(&self, id: u64) -> impl Iterator<Item = &Arc<Stored>> {
        self.entries.range(id + 1..).map(|(_, stored)| stored)
    }

    /// The entry of a folded name.
    pub fn at(&self, folded: &str) -> Option<&Arc<Stored>> {
        self.entries.get(self.by_dn.get(folded)?)
    }

    /// The entry of a UH-ID, or of a name in any case.
    pub fn find(&self, key: &str) -> Option<&Arc<Stored>> {
        match self.by_uhid.get(&key.to_lowercase()) {
            Some(id) => self.entries.get(id),
            None => self.at(&fold_dn(key)),
        }
    }

    /// Whether anything lies under a folded name.
    pub fn has_children(&self, folded: &str) -> bool {
        self.by_dn.keys().any(|dn| dn != folded && within(dn, folded))
    }

    /// The longest folded name above or at this one that exists; what slapd reports with rc 32.
    pub fn nearest(&self, folded: &str) -> String {
        let mut at = Some(folded);
        while let Some(dn) = at {
            if let Some(found) = self.at(dn) {
                return found.entry.dn().to_owned();
            }
            at = parent(dn);
        }
        String::new()
    }

    /// Whether the entry has none above it.
    pub fn is_suffix(&self, folded: &str) -> bool {
        parent(folded).is_none_or(|above| self.at(above).is_none())
    }

    /// Puts an entry in, or over the one of the same name, which keeps its id.
    pub fn put(&mut self, entry: Entry) {
        let folded = fold_dn(entry.dn());
        let time = self.tick();
        let csn = format!("{}.{:06}Z#000000#000#000000", time.strftime("%Y%m%d%H%M%S"), time.subsec_microsecond());
        let modified = time.strftime("%Y%m%d%H%M%SZ").to_string();
        let (id, created) = if let Some(old) = self.at(&folded).cloned() {
            self.forget_uhid(&old);
            (old.id, old.created.clone())
        } else {
            self.next_id += 1;
            (self.next_id - 1, modified.clone())
        };
        if let Some(uhid) = entry.text("idautoID") {
            self.by_uhid.insert(uhid.to_lowercase(), id);
        }
        self.by_dn.insert(folded.clone(), id);
        self.entries.insert(id, Arc::new(Stored { id, folded, entry, csn, created, modified }));
    }

    /// Takes an entry out by folded name.
    pub fn take(&mut self, folded: &str) -> Option<Arc<Stored>> {
        let id = self.by_dn.remove(folded)?;
        self.tick();
        let stored = self.entries.remove(&id)?;
        self.forget_uhid(&stored);
        Some(stored)
    }

    fn forget_uhid(&mut self, stored: &Stored) {
        if let Some(uhid) = stored.entry.text("idautoID") {
            self.by_uhid.remove(&uhid.to_lowercase());
        }
    }

    /// Everything, cheaply: entries are shared until changed.
    pub fn all(&self) -> Vec<Arc<Stored>> {
        self.entries.values().cloned().collect()
    }

    /// Makes these all there are; time goes on.
    pub fn restore(&mut self, entries: &[Arc<Stored>]) {
        self.by_dn = entries.iter().map(|stored| (stored.folded.clone(), stored.id)).collect();
        let uhid = |stored: &Arc<Stored>| Some((stored.entry.text("idautoID")?.to_lowercase(), stored.id));
        self.by_uhid = entries.iter().filter_map(uhid).collect();
        self.entries = entries.iter().map(|stored| (stored.id, Arc::clone(stored))).collect();
    }

    fn tick(&mut self) -> Timestamp {
        self.now = self.now.checked_add(SignedDuration::from_millis(1)).unwrap_or(self.now);
        self.now
    }
}
