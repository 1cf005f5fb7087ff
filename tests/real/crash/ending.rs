//! What a pass leaves behind: at the site, in the directory, in memory and in the journal. Ids are told apart by what
//! they are of, since which batch comes first is chance.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::sim::ldap::Entry;
use reconcile::targets::moodle::sim::SitePlan;
use reconcile_state::journal::{After, Entry as JournalEntry, Intent, Landing, Outcome};
use reconcile_state::store::{Scope, Side, Store};
use reconcile_state::{Claim, Key, Origin};

use super::remembered::{Remembered, stores};
use super::scenes::ENROL;
use super::stage::Stage;
use crate::rig::{AUTH, CREATE, UPDATE};

/// The file of what the sources said.
pub const SOURCES: &str = "sources";
/// Whoever was deleted.
const NOBODY: &str = "nobody";
const TARGET_IDS: &str = "idautoPersonAppRoles7";
const USERNAMES: [&str; 2] = ["idautoPersonSystem1ID", "idautoPersonSAMAccountName"];
pub const KINDS: [(&str, &str); 3] = [("moodle", "account"), ("moodle", "enrolments"), ("portal", "marks")];

/// A write that a server has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    pub what: String,
    records: Vec<BTreeMap<String, String>>,
    /// What was done to an entry, in order of its text.
    modified: Vec<(String, String)>,
}

impl Write {
    pub fn new(what: &str, fields: &[(String, String)]) -> Self {
        let mut records: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        let mut modified = if is_entry(what) { fields.to_vec() } else { Vec::new() };
        modified.sort();
        for (name, value) in fields {
            // `users[0][username]`
            if let Some((record, field)) = name.split_once("][") {
                records.entry(record).or_default().insert(field.trim_end_matches(']').to_owned(), value.clone());
            }
        }
        Self { what: what.to_owned(), records: records.into_values().collect(), modified }
    }
}

/// Whether a write is called by an entry's name, not by a function's.
pub fn is_entry(what: &str) -> bool {
    what.contains('=')
}

/// Everything that is to be the same whether a pass was cut off or not.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// Accounts by user name.
    accounts: BTreeMap<String, String>,
    /// Who is in which course, how and as what: the service account is in none.
    seats: BTreeMap<(String, String), String>,
    /// Entries of the directory by name.
    entries: BTreeMap<String, String>,
    /// Claims by pipeline, kind and key.
    claims: BTreeMap<String, Claim>,
    /// What was done at the servers, record by record, in order of its text: done twice, it stands twice.
    effects: Vec<String>,
    /// What else is remembered.
    remembered: Remembered,
    /// Welcome messages to people.
    mails: u64,
}

impl Ending {
    /// Looks at everything, and holds the journal against it.
    pub fn of(stage: &Stage, since: i64, told: &str) -> Self {
        let names = Names::of(stage);
        let aside = tempfile::tempdir().unwrap();
        let stores = stores(stage, aside.path());
        let accounts = stage.world().users().into_iter().filter(|user| !user.deleted).map(|user| {
            let name = user.username.clone();
            let rest = (user.email, user.firstname, user.lastname, user.idnumber, user.department, user.institution);
            (name, format!("{rest:?} {} {}", user.auth, user.suspended))
        });
        let seats = stage.world().members().into_iter().map(|((course, user), member)| {
            ((names.course(course), names.user(user)), format!("{:?} {:?}", member.methods, member.roles))
        });
        let snapshot = stage.directory.snapshot();
        let entries = snapshot.entries().map(|entry| (entry.dn().to_owned(), names.entry(entry)));
        let mut effects: Vec<String> = stage.done().iter().flat_map(|write| names.effects(write)).collect();
        effects.sort();
        let ending = Self {
            accounts: accounts.collect(),
            seats: seats.collect(),
            entries: entries.collect(),
            claims: claims(&stores, &names),
            effects,
            remembered: Remembered::of(stage, (&stores, aside.path()), since, told),
            mails: stage.world().mail().sent - names.trials(&stage.done()),
        };
        truthful(stage, &stores, &names, since, told);
        ending
    }

    /// The same, where only what changed is looked at in the end.
    pub fn by_changes(mut self) -> Self {
        self.remembered.narrow();
        self
    }

    /// The same, where the pass that was cut off wrote an approved plan.
    pub fn approved(mut self) -> Self {
        self.remembered.approved();
        self
    }

    /// Holds it against how it should be, and says what differs.
    #[track_caller]
    pub fn is(&self, right: &Self, told: &str) {
        differ(&self.accounts, &right.accounts, told, "account");
        differ(&self.seats, &right.seats, told, "seat");
        differ(&self.entries, &right.entries, told, "entry");
        differ(&self.claims, &right.claims, told, "claim");
        let count = |effects: &[String]| {
            effects.iter().fold(BTreeMap::<String, u32>::new(), |mut all, one| {
                *all.entry(one.clone()).or_default() += 1;
                all
            })
        };
        differ(&count(&self.effects), &count(&right.effects), told, "effect");
        assert_eq!(self.mails, right.mails, "{told}: mails");
        self.remembered.is(&right.remembered, told);
    }
}

#[track_caller]
pub fn differ<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    is: &BTreeMap<K, V>,
    right: &BTreeMap<K, V>,
    told: &str,
    what: &str,
) {
    let keys: BTreeSet<&K> = is.keys().chain(right.keys()).collect();
    let wrong: Vec<_> = keys.into_iter().filter(|key| is.get(key) != right.get(key)).collect();
    let show = |key: &&K| format!("{what} {key:?}\n    is    {:?}\n    right {:?}\n", is.get(key), right.get(key));
    assert!(wrong.is_empty(), "{told}\n{}", wrong.iter().map(show).collect::<String>());
}

/// What ids are of.
struct Names {
    users: BTreeMap<u64, String>,
    courses: BTreeMap<u64, String>,
    /// Keys by user name.
    keys: BTreeMap<String, Key>,
}

impl Names {
    fn of(stage: &Stage) -> Self {
        // A deleted account has no name of its own any more.
        let users = stage.world().users().into_iter().map(|user| {
            let name = if user.deleted { NOBODY.to_owned() } else { user.username };
            (user.id, name)
        });
        let courses = stage.world().courses().into_iter().map(|course| (course.id, course.idnumber));
        let mut keys = BTreeMap::new();
        for entry in stage.directory.snapshot().entries() {
            let Some(key) = entry.text("idautoID") else { continue };
            let name = USERNAMES.iter().find_map(|name| entry.text(name));
            keys.extend(name.map(|name| (name.to_lowercase(), Key::new(key.to_lowercase()))));
        }
        Self { users: users.collect(), courses: courses.collect(), keys }
    }

    fn user(&self, id: u64) -> String {
        self.users.get(&id).cloned().unwrap_or_else(|| format!("user {id}"))
    }

    fn course(&self, id: u64) -> String {
        self.courses.get(&id).cloned().unwrap_or_else(|| format!("course {id}"))
    }

    /// A target's id, as whose it is.
    fn target_id(&self, value: &str) -> String {
        let id = value.strip_prefix("moodle:").and_then(|id| id.parse().ok());
        id.map_or_else(|| value.to_owned(), |id| format!("moodle:{}", self.user(id)))
    }

    fn entry(&self, entry: &Entry) -> String {
        let mut lines = Vec::new();
        for (name, _) in entry.attributes() {
            let mut values: Vec<String> = entry.texts(name).into_iter().map(str::to_owned).collect();
            if name.eq_ignore_ascii_case(TARGET_IDS) {
                for value in &mut values {
                    *value = self.target_id(value);
                }
            }
            values.sort();
            lines.push(format!("{name}={values:?}"));
        }
        lines.sort();
        lines.join(" ")
    }

    fn effects(&self, write: &Write) -> Vec<String> {
        if write.records.is_empty() {
            let values = write.modified.iter().map(|(done, value)| format!(" {done}={}", self.target_id(value)));
            return vec![format!("modify {}{}", write.what.to_lowercase(), values.collect::<String>())];
        }
        let texts = write.records.iter().filter(|record| !self.is_trial(record)).map(|record| {
            let fields = record.iter().map(|(field, value)| match (field.as_str(), value.parse()) {
                ("id" | "userid", Ok(id)) => format!("{field}={}", self.user(id)),
                ("courseid" | "instanceid", Ok(id)) => format!("{field}={}", self.course(id)),
                _ => format!("{field}={value}"),
            });
            format!("{} {}", write.what, fields.collect::<Vec<_>>().join(" "))
        });
        texts.collect()
    }

    /// Whose record of which kind a write is about, with whether it makes it.
    fn about(&self, write: &Write) -> Vec<(&'static str, &'static str, Key, bool)> {
        if write.records.is_empty() {
            let key = write.what.to_lowercase().trim_start_matches("idautoid=").split(',').next().map(Key::new);
            return key.map(|key| ("portal", "marks", key, false)).into_iter().collect();
        }
        let kind = if [CREATE, UPDATE].contains(&write.what.as_str()) { "account" } else { "enrolments" };
        let of = |record: &BTreeMap<String, String>| {
            let id = record.get("id").or_else(|| record.get("userid")).and_then(|id| id.parse().ok());
            let name = record.get("username").cloned().or_else(|| Some(self.user(id?)))?;
            Some(("moodle", kind, self.keys.get(&name.to_lowercase())?.clone(), write.what == CREATE))
        };
        let records = || write.records.iter().filter(|record| !self.is_trial(record));
        let about: Vec<_> = records().filter_map(of).collect();
        assert_eq!(about.len(), records().count(), "a write about nobody we know: {write:?}");
        about
    }

    /// Whether the service account tries the id of a role: that is about nobody, and done again where it was cut off.
    fn is_trial(&self, record: &BTreeMap<String, String>) -> bool {
        let user = record.get("userid").and_then(|id| id.parse().ok());
        user.is_some_and(|id| self.user(id) == SitePlan::default().service_username)
    }

    /// How often it was mailed for that.
    fn trials(&self, done: &[Write]) -> u64 {
        let enrolled = done.iter().filter(|write| write.what == ENROL).flat_map(|write| &write.records);
        enrolled.filter(|record| self.is_trial(record)).count() as u64
    }
}

fn claims(stores: &BTreeMap<&'static str, Store>, names: &Names) -> BTreeMap<String, Claim> {
    let mut all = BTreeMap::new();
    for (pipeline, kind) in KINDS {
        for (key, mut claim) in stores[pipeline].claims(kind).unwrap() {
            // A report shows no ids: whether one is known yet depends on how often the record was looked at.
            let id = claim.remote.id.take().and_then(|id| id.parse().ok()).map(|id| names.user(id));
            let handle = claim.remote.handle.get_or_insert_with(|| id.clone().unwrap_or_default());
            let is_right = id.is_none_or(|id| id == *handle || id == NOBODY);
            assert!(is_right, "{pipeline} {kind} {key} is claimed as somebody else's");
            claim.beside.taken.iter_mut().for_each(|taken| taken.at = 0);
            if kind == "enrolments" {
                // A part is neither made nor met by itself.
                claim.origin = Origin::Adopted;
            }
            all.insert(format!("{pipeline} {kind} {key}"), claim);
        }
    }
    all
}

/// Pipeline, kind, key.
type Record<'r> = (&'r str, String, Key);

/// Holds the journal against what the servers did since, and what the target shows now.
fn truthful(stage: &Stage, stores: &BTreeMap<&'static str, Store>, names: &Names, since: i64, told: &str) {
    let mut intents: BTreeMap<Record<'_>, Vec<(u64, Intent)>> = BTreeMap::new();
    let mut outcomes: BTreeMap<(&str, u64), Vec<Outcome>> = BTreeMap::new();
    for (&pipeline, store) in stores.iter().filter(|(name, _)| **name != SOURCES) {
        assert_eq!(store.open_intents().unwrap(), [], "{told}: in doubt at the end");
        for (number, entry) in store.journal(1, usize::MAX).unwrap() {
            match entry {
                JournalEntry::Intent(intent) => {
                    let of = (pipeline, intent.kind.clone(), intent.key.clone());
                    intents.entry(of).or_default().push((number, intent));
                }
                JournalEntry::Outcome(outcome) => {
                    outcomes.entry((pipeline, outcome.intent)).or_default().push(outcome);
                }
                JournalEntry::Note(_) => {}
            }
        }
    }
    for ((pipeline, kind, key), intents) in &intents {
        for (number, intent) in intents {
            let outcomes = outcomes.get(&(*pipeline, *number)).map_or(&[][..], Vec::as_slice);
            let settled = outcomes.iter().any(Outcome::settles);
            assert!(settled, "{told}: intent {number} of {pipeline} has no end: {intent:?} {outcomes:?}");
        }
        // What was last seen after a write is what the target shows; before the start others were at it too.
        let last = intents.iter().flat_map(|(number, _)| &outcomes[&(*pipeline, *number)]).max_by_key(|one| one.at);
        if let Some(Outcome { at, landing: Landing::Landed, after: After::Present { digest, .. }, .. }) = last
            && *at >= since
        {
            let scope = Scope::new(kind, Side::Observed);
            assert_eq!(
                stores[pipeline].digest_of(scope, key).unwrap(),
                Some(*digest),
                "{told}: {pipeline} {kind} {key}"
            );
        }
    }
    let mut done: BTreeMap<(Record<'_>, bool), usize> = BTreeMap::new();
    for (pipeline, kind, key, makes) in stage.done().iter().flat_map(|write| names.about(write)) {
        *done.entry(((pipeline, kind.to_owned(), key), makes)).or_default() += 1;
    }
    for (of, intents) in &intents {
        for makes in [true, false] {
            let mine = intents.iter().filter(|(_, one)| one.at >= since && makes == (one.action == "create"));
            let landed = |number: &u64| outcomes[&(of.0, *number)].iter().any(|one| one.landing == Landing::Landed);
            let landed = mine.filter(|(number, _)| landed(number)).count();
            let done = done.get(&(of.clone(), makes)).copied().unwrap_or(0);
            assert!(
                landed <= done,
                "{told}: {of:?} landed {landed} times by the journal, and {done} times it was done"
            );
        }
    }
    let mut made: BTreeMap<Key, u32> = BTreeMap::new();
    for (pipeline, kind, key, makes) in stage.done().iter().flat_map(|write| names.about(write)) {
        let mine = intents.get(&(pipeline, kind.to_owned(), key.clone())).map_or(&[][..], Vec::as_slice);
        let known = |(number, intent): &&(u64, Intent)| {
            let landed = |one: &Outcome| match &one.landing {
                Landing::Landed => true,
                // Read back later, or what did land of a whole that was refused.
                Landing::Unknown { .. } | Landing::Partial { .. } => matches!(one.after, After::Present { .. }),
                Landing::Failed { .. } => false,
            };
            let landed = |one: &Outcome| one.at >= since && landed(one);
            makes == (intent.action == "create") && outcomes[&(pipeline, *number)].iter().any(landed)
        };
        let known = mine.iter().filter(known).count();
        assert!(known > 0, "{told}: a write to {pipeline} {kind} {key} that the journal does not know: {mine:?}");
        if makes {
            assert_eq!(known, 1, "{told}: the journal knows of {known} creations of {key}");
            *made.entry(key).or_default() += 1;
        }
    }
    assert!(made.values().all(|times| *times == 1), "{told}: made twice: {made:?}");
    // Whoever is closed or unknown to the directory is not looked for.
    let twice: BTreeSet<String> =
        stage.world().users().into_iter().filter(|u| u.auth == AUTH).map(|u| u.email).collect();
    let all = stage.world().users().into_iter().filter(|user| user.auth == AUTH).count();
    assert_eq!(twice.len(), all, "{told}: an address stands twice");
}
