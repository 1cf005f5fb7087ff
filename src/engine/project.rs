//! Project: what each pipeline calls for, person by person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use reconcile_state::store::Store;
use reconcile_state::{Digest, Key, Record, Standing};

use super::bounds::cut;
use super::collect::{DIRECTORY_SCOPE, VAULT_SCOPE};
use super::error::PassError;
use super::look::Look;
use super::memory::Memories;
use super::progress::{Progress, Step};
use crate::config::Protected;
use crate::model::person::{directory, vault};
use crate::model::{Bounds, Call, Desired, Match, Outlook, Person, Reason};
use crate::policy::is_disabled;
use crate::targets::port::{Lookup, Project, Subject};

/// Left alone: a reading that proves nothing did not show the person.
pub const NOT_READ: Reason = Reason("not-read");
/// Left alone: something of the person could not be read as it should.
pub const MALFORMED: Reason = Reason("malformed-attribute");
/// Held: the configuration protects the person.
pub const PROTECTED: Reason = Reason("protected");

/// What is called for, for one record.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is called for.
    pub call: Call,
    /// Digest of the record called for; of nothing where there is none.
    pub digest: Digest,
    /// How the record is recognised.
    pub matches: Vec<Match>,
    /// Whether what the sources say of the person is not what was carried through.
    pub moved: bool,
    /// Whether MetaVault has the person: of whom it has not, nothing is taken away.
    pub in_vault: bool,
    /// Whether something by which the record may be recognised was left out because nobody knows who else
    /// bears it: then not finding it proves nothing.
    pub unclear: bool,
    /// Why nothing may be written whatever is called for.
    pub protected: Option<Reason>,
    /// What of the record is in question.
    pub bounds: Bounds,
    /// What of the sources gives nothing because no setting knows it, as [`Desired`] has it.
    pub left_out: BTreeMap<String, u64>,
    /// How the person will stand elsewhere, where something must land for it first.
    pub outlooks: Vec<Outlook>,
    /// When a date will change the answer although nothing else does.
    pub valid_until: Option<Timestamp>,
}

impl Row {
    /// Forgets how the record is recognised and what it is to hold, once it has been weighed.
    pub fn lighten(&mut self) {
        if let Call::Active(record) | Call::Disabled(record, _) = &mut self.call {
            *record = Record::new(record.key.clone()).standing(record.standing);
        }
        self.matches = Vec::new();
        self.left_out = BTreeMap::new();
        self.outlooks = Vec::new();
    }
}

/// One pipeline's rows: by kind, in key order.
pub type Rows = BTreeMap<&'static str, BTreeMap<Key, Row>>;

/// So many people are projected between two words about it.
const TOLD: usize = 500;

/// What projecting works with.
pub struct Projector {
    /// The sources file.
    pub store: Store,
    /// Pipelines in scope, each with its protected records.
    pub pipelines: Vec<(&'static str, Arc<dyn Project>, Protected)>,
    /// Their memories.
    pub memories: Arc<Memories>,
    /// What else projections may look into.
    pub look: Arc<Look>,
    /// Who is told.
    pub progress: Arc<dyn Progress>,
    /// The pass's time.
    pub at: Timestamp,
}

impl Projector {
    /// Projects these people onto every pipeline. People who are not in the sources file are left out.
    ///
    /// # Errors
    /// [`PassError::Store`]
    pub fn project(
        &self,
        keys: &[Key],
        unread: &BTreeSet<Key>,
        known: Option<&BTreeSet<Key>>,
    ) -> Result<BTreeMap<&'static str, Rows>, PassError> {
        let said = (self.store.digests(DIRECTORY_SCOPE)?, self.store.digests(VAULT_SCOPE)?);
        let mut pairs: BTreeMap<(&'static str, &'static str), Vec<(Key, Row)>> = BTreeMap::new();
        let mut scopes = None;
        for (at, key) in keys.iter().enumerate() {
            if at % TOLD == 0 {
                self.progress.tell(None, Step::Project, at as u64, Some(keys.len() as u64));
            }
            let Some(directory) = self.store.body(DIRECTORY_SCOPE, key)? else { continue };
            let person = Person { directory, vault: self.store.body(VAULT_SCOPE, key)? };
            let away = stay_away(&person, unread.contains(key));
            let in_vault = person.vault.is_some();
            let disabled = away != Some(NOT_READ) && is_disabled(&person);
            let outlooks = self.look.outlooks(key).iter().filter(|outlook| !outlook.after.is_empty());
            let outlooks: Vec<Outlook> = outlooks.cloned().collect();
            for (name, project, protected) in &self.pipelines {
                let memory = self.memories.pipelines.get(name);
                let moved = memory.is_none_or(|memory| memory.processed.moved(key, &said.0, &said.1));
                let protected = is_protected(&person, protected).then_some(PROTECTED);
                for desired in project.desired(Subject::Person(&person), self.look.as_ref(), self.at) {
                    // Disabled is read positively; nothing else is believed of a person read in part.
                    let (kind, key) = (desired.kind, desired.key.clone());
                    let row = self.row(project.as_ref(), desired, away.filter(|_| !disabled), &mut scopes);
                    let rows = pairs.entry((name, kind)).or_insert_with(|| Vec::with_capacity(keys.len()));
                    rows.push((key, Row { moved, in_vault, protected, outlooks: outlooks.clone(), ..row }));
                }
            }
        }
        self.progress.tell(None, Step::Project, keys.len() as u64, Some(keys.len() as u64));
        // Of pairs in order a map is made without the room that single insertions leave in it.
        let mut projected: BTreeMap<&'static str, Rows> = BTreeMap::new();
        for ((name, kind), rows) in pairs {
            projected.entry(name).or_default().insert(kind, rows.into_iter().collect());
        }
        projected.values_mut().flat_map(BTreeMap::values_mut).for_each(drop_shared);
        self.drop_borne_elsewhere(&mut projected, known)?;
        Ok(projected)
    }

    /// What counts only where one person bears it does not count either where somebody bears it who is not
    /// in scope. Everybody is looked at for that, and only while somebody in scope is not remembered yet;
    /// where nobody knows who everybody is, it does not count at all.
    fn drop_borne_elsewhere(
        &self,
        projected: &mut BTreeMap<&'static str, Rows>,
        known: Option<&BTreeSet<Key>>,
    ) -> Result<(), PassError> {
        for (name, project, _) in &self.pipelines {
            let Some(rows) = projected.get_mut(name) else { continue };
            let mut borne: BTreeMap<(&'static str, &'static str, String), bool> = BTreeMap::new();
            let mut here: BTreeSet<Key> = BTreeSet::new();
            for (kind, rows) in rows.iter() {
                here.extend(rows.keys().cloned());
                let unclaimed = rows.iter().filter(|(key, _)| self.memories.claim(name, kind, key).is_none());
                let unique = unclaimed.flat_map(|(_, row)| &row.matches).filter(|one| one.only_unique);
                borne.extend(unique.map(|one| ((*kind, one.field, one.value.clone()), known.is_none())));
            }
            if borne.is_empty() {
                continue;
            }
            for key in known.into_iter().flat_map(|known| known.difference(&here)) {
                let Some(directory) = self.store.body(DIRECTORY_SCOPE, key)? else { continue };
                let person = Person { directory, vault: self.store.body(VAULT_SCOPE, key)? };
                for desired in project.desired(Subject::Person(&person), self.look.as_ref(), self.at) {
                    for one in desired.matches {
                        if let Some(elsewhere) = borne.get_mut(&(desired.kind, one.field, one.value)) {
                            *elsewhere = true;
                        }
                    }
                }
            }
            for (kind, rows) in rows.iter_mut() {
                for row in rows.values_mut() {
                    let elsewhere = |one: &Match| borne.get(&(*kind, one.field, one.value.clone())) == Some(&true);
                    row.unclear = known.is_none() && row.matches.iter().any(|one| one.only_unique && elsewhere(one));
                    row.matches.retain(|one| !one.only_unique || !elsewhere(one));
                }
            }
        }
        Ok(())
    }

    /// `last` are the scopes of the row before: nearly everybody's are the same.
    fn row(
        &self,
        project: &dyn Project,
        desired: Desired,
        away: Option<Reason>,
        last: &mut Option<Arc<BTreeSet<String>>>,
    ) -> Row {
        let mut call = away.map_or(desired.call, Call::Untouched);
        let schema = project.kinds().iter().find(|schema| schema.kind == desired.kind);
        let scopes = desired.scopes.map(|scopes| match last {
            Some(last) if **last == scopes => Arc::clone(last),
            last => Arc::clone(last.insert(Arc::new(scopes))),
        });
        let bounds = Bounds { scopes, unasked: desired.unasked, ..Bounds::default() };
        if let (Call::Active(record) | Call::Disabled(record, _), Some(schema)) = (&mut call, schema) {
            cut(&bounds, project, schema, record);
        }
        let digest = match (&call, schema) {
            (Call::Active(record) | Call::Disabled(record, _), Some(schema)) => {
                self.store.digester().record(schema, record)
            }
            _ => Digest([0; 16]),
        };
        Row {
            call,
            digest,
            matches: desired.matches,
            moved: false,
            protected: None,
            in_vault: true,
            unclear: false,
            bounds,
            left_out: desired.left_out,
            outlooks: Vec::new(),
            valid_until: desired.valid_until,
        }
    }
}

/// What counts only where one person bears it does not count where two do.
fn drop_shared(rows: &mut BTreeMap<Key, Row>) {
    let mut borne: HashMap<(&'static str, String), u32> = HashMap::new();
    for one in rows.values().flat_map(|row| &row.matches).filter(|one| one.only_unique) {
        *borne.entry((one.field, one.value.clone())).or_default() += 1;
    }
    borne.retain(|_, bearers| *bearers > 1);
    for row in rows.values_mut() {
        row.matches.retain(|one| !one.only_unique || !borne.contains_key(&(one.field, one.value.clone())));
    }
}

/// Why nothing is done for a person whatever is called for.
pub fn stay_away(person: &Person, unread: bool) -> Option<Reason> {
    if unread {
        return Some(NOT_READ);
    }
    let in_vault = person.vault.as_ref().is_some_and(|record| record.get(vault::FINDINGS).is_some());
    (in_vault || person.directory.get(directory::FINDINGS).is_some()).then_some(MALFORMED)
}

fn named(names: &[String], value: &str) -> bool {
    names.iter().any(|name| name.trim().eq_ignore_ascii_case(value))
}

/// Whether configuration protects a key, also that of somebody of whom no source says anything any more.
pub fn is_protected_key(key: &Key, protected: &Protected) -> bool {
    named(&protected.keys, key.as_str())
}

/// Whether configuration protects a person.
pub fn is_protected(person: &Person, protected: &Protected) -> bool {
    let usernames = [directory::UH_USERNAME, directory::USERNAME].into_iter().filter_map(|id| person.text(id));
    is_protected_key(person.key(), protected)
        || usernames.into_iter().any(|name| named(&protected.usernames, name.trim()))
        || person.directory.elements(directory::USERNAMES).any(|name| named(&protected.usernames, name))
        || person.directory.elements(directory::BUSINESS_ROLES).any(|role| named(&protected.roles, role))
}

/// The records that are to be open.
pub fn active(rows: &BTreeMap<Key, Row>) -> u64 {
    let open = |row: &&Row| matches!(&row.call, Call::Active(record) if record.standing == Standing::Active);
    rows.values().filter(open).count() as u64
}

#[cfg(test)]
mod tests {
    use reconcile_state::AttributeId;

    use super::*;

    #[test]
    fn a_row_that_was_weighed_holds_no_body_however_large_it_was() {
        let record = (0..50).fold(Record::new("k".into()), |record, id| record.with(AttributeId(id), "x".repeat(1000)));
        let one = Match { field: "username", value: "kari".repeat(100), only_unique: true };
        let bounds = Bounds { unasked: [AttributeId(60)].into(), ..Bounds::default() };
        for call in [Call::Active(record.clone()), Call::Disabled(record.standing(Standing::Disabled), PROTECTED)] {
            let mut row = Row {
                call,
                digest: Digest([7; 16]),
                matches: vec![one.clone()],
                moved: true,
                in_vault: true,
                unclear: true,
                protected: Some(PROTECTED),
                bounds: bounds.clone(),
                left_out: [("words".to_owned(), 1)].into(),
                outlooks: Vec::new(),
                valid_until: None,
            };
            row.lighten();
            let (Call::Active(record) | Call::Disabled(record, _)) = &row.call else { panic!("{row:?}") };
            assert!(record.attributes().is_empty() && row.matches.is_empty() && row.left_out.is_empty());
            // What the rest of the pass goes by.
            let closed = matches!(row.call, Call::Disabled(..));
            assert_eq!((record.key.as_str(), record.standing == Standing::Disabled), ("k", closed));
            assert_eq!((row.digest, &row.bounds, row.protected), (Digest([7; 16]), &bounds, Some(PROTECTED)));
            assert!(row.moved && row.in_vault && row.unclear);
        }
    }
}
