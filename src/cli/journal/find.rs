//! Which entries are meant. Walks back from the journal's end, so that a long journal costs nothing where the last
//! few are wanted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reconcile_state::Key;
use reconcile_state::journal::{Entry, Intent, Note};
use reconcile_state::store::{Store, StoreError};

/// So many entries are read at a time.
const CHUNK: usize = 2048;
/// And so many where only the notes among them are.
const PASSED_OVER: usize = 65_536;

/// Entries are in the order of their commits, and their times nearly so: this much older than what is looked for,
/// and the rest is older as well. Milliseconds.
const SLACK: i64 = 60 * 60 * 1000;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Records; `None` for all, and for what is of no record.
    pub keys: Option<BTreeSet<Key>>,
    /// A run.
    pub run: Option<String>,
    /// Unix milliseconds.
    pub since: Option<i64>,
    /// The last so many.
    pub most: usize,
    /// Only intents without a settling outcome.
    pub open: bool,
    /// Whether a write is one thing, found by its intent, and not two.
    pub joined: bool,
}

/// An entry that is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Found {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Its number.
    pub number: u64,
    /// Of a joined write, the number of its last outcome.
    pub outcome: Option<u64>,
}

/// What is found in one pipeline's journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Journal {
    /// The entries, newest first.
    pub found: Vec<Found>,
    /// Since when open intents are known to be in doubt, in Unix milliseconds.
    pub unknown_since: BTreeMap<u64, Option<i64>>,
    /// Who let a run write; `None` where the journal does not say.
    pub who: BTreeMap<String, Option<String>>,
}

impl Wanted {
    fn run(&self, run: &str) -> bool {
        self.run.as_deref().is_none_or(|wanted| wanted == run)
    }

    fn at(&self, at: i64) -> bool {
        self.since.is_none_or(|since| at >= since)
    }

    fn intent(&self, intent: &Intent) -> bool {
        self.run(&intent.run) && self.keys.as_ref().is_none_or(|keys| keys.contains(&intent.key))
    }
}

/// Finds them.
///
/// # Errors
/// Where the store refuses.
pub fn find(store: &Store, wanted: &Wanted) -> Result<Journal, StoreError> {
    let mut journal = Journal::default();
    if wanted.open {
        open(store, wanted, &mut journal)?;
    }
    let (mut through, mut before) = (wanted.open, None);
    let mut outcomes = HashMap::new();
    while !through {
        let chunk = store.journal_back(before, CHUNK)?;
        let Some((first, _)) = chunk.last() else { break };
        before = Some(*first);
        let intents = if wanted.joined { BTreeMap::new() } else { intents(store, &chunk)? };
        for (number, entry) in &chunk {
            through = through || take(*number, entry, wanted, &intents, &mut outcomes, &mut journal);
            if let Entry::Note(note) = entry {
                said(note, &mut journal);
            }
        }
    }
    // What a run writes stands after what it says of itself, and may be very much.
    while journal.who.values().any(Option::is_none) {
        let (notes, first) = store.notes_back(before, PASSED_OVER)?;
        notes.iter().for_each(|note| said(note, &mut journal));
        if first.is_none() {
            break;
        }
        before = first;
    }
    Ok(journal)
}

/// Takes note of who let a run write, where its name is wanted.
fn said(note: &Note, journal: &mut Journal) {
    if let Some(who) = journal.who.get_mut(&note.run) {
        who.get_or_insert_with(|| note.who.clone());
    }
}

fn open(store: &Store, wanted: &Wanted, journal: &mut Journal) -> Result<(), StoreError> {
    let open = store.open_intents()?.into_iter().rev();
    for one in open.filter(|one| wanted.intent(&one.intent) && wanted.at(one.intent.at)).take(wanted.most) {
        journal.who.insert(one.intent.run, None);
        journal.unknown_since.insert(one.number, one.unknown_since);
        journal.found.push(Found { at: one.intent.at, number: one.number, outcome: None });
    }
    Ok(())
}

/// The intents of a chunk's outcomes.
fn intents(store: &Store, chunk: &[(u64, Entry)]) -> Result<BTreeMap<u64, Entry>, StoreError> {
    let of = |(_, entry): &(u64, Entry)| match entry {
        Entry::Outcome(outcome) => Some(outcome.intent),
        Entry::Intent(_) | Entry::Note(_) => None,
    };
    store.journal_entries(chunk.iter().filter_map(of))
}

/// Takes an entry where it is meant; says whether that was the last one that may be.
fn take(
    number: u64,
    entry: &Entry,
    wanted: &Wanted,
    intents: &BTreeMap<u64, Entry>,
    outcomes: &mut HashMap<u64, u64>,
    journal: &mut Journal,
) -> bool {
    let (at, run) = match entry {
        Entry::Outcome(outcome) if wanted.joined => {
            // Walking back, the first that is met is the last one there was.
            outcomes.entry(outcome.intent).or_insert(number);
            (outcome.at, None)
        }
        Entry::Outcome(outcome) => {
            let run = match intents.get(&outcome.intent) {
                Some(Entry::Intent(intent)) if wanted.intent(intent) => Some(intent.run.clone()),
                _ => None,
            };
            (outcome.at, run)
        }
        Entry::Intent(intent) => (intent.at, wanted.intent(intent).then(|| intent.run.clone())),
        Entry::Note(note) => (note.at, (wanted.keys.is_none() && wanted.run(&note.run)).then(|| note.run.clone())),
    };
    let outcome = outcomes.remove(&number);
    if let Some(run) = run.filter(|_| wanted.at(at)) {
        journal.who.entry(run).or_default();
        journal.found.push(Found { at, number, outcome });
    }
    // A run tells of itself before it writes.
    let began = matches!(entry, Entry::Note(note) if wanted.run.as_ref() == Some(&note.run));
    let passed = wanted.since.is_some_and(|since| at < since.saturating_sub(SLACK));
    journal.found.len() >= wanted.most || began || passed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::journal::text::tests::{intent, landed, note, store};

    fn wanted() -> Wanted {
        Wanted { keys: None, run: None, since: None, most: usize::MAX, open: false, joined: true }
    }

    fn numbers(journal: &Journal) -> Vec<u64> {
        journal.found.iter().map(|found| found.number).collect()
    }

    #[test]
    fn a_write_is_found_with_its_last_outcome_and_who_let_it() {
        let (_dir, store) = store();
        note(&store, "r1", 1);
        let first = intent(&store, "r1", "a", 2);
        landed(&store, first, 3);
        landed(&store, first, 4);
        let second = intent(&store, "r1", "b", 5);
        let journal = find(&store, &wanted()).unwrap();
        assert_eq!(numbers(&journal), [second, first, 1]);
        assert_eq!(journal.found[1].outcome, Some(4), "the last one counts");
        assert_eq!(journal.found[0].outcome, None);
        assert_eq!(journal.who, [("r1".to_owned(), Some("night".to_owned()))].into());
        let all = find(&store, &Wanted { joined: false, ..wanted() }).unwrap();
        assert_eq!(numbers(&all), [5, 4, 3, 2, 1]);
        let open = find(&store, &Wanted { open: true, ..wanted() }).unwrap();
        assert_eq!((numbers(&open), open.unknown_since), (vec![second], [(second, None)].into()));
        assert_eq!(open.who["r1"].as_deref(), Some("night"));
    }

    #[test]
    fn filters_hold_for_a_write_and_for_both_of_its_entries() {
        let (_dir, store) = store();
        for (run, key, at) in [("r1", "a", 10), ("r2", "b", 20 + 2 * SLACK), ("r3", "a", 30 + 2 * SLACK)] {
            note(&store, run, at);
            let number = intent(&store, run, key, at);
            landed(&store, number, at + 1);
        }
        let of = |wanted: Wanted| numbers(&find(&store, &wanted).unwrap());
        let keys = Some([Key::new("a")].into());
        assert_eq!(of(Wanted { keys: keys.clone(), ..wanted() }), [8, 2]);
        assert_eq!(of(Wanted { keys, joined: false, ..wanted() }), [9, 8, 3, 2]);
        assert_eq!(of(Wanted { run: Some("r2".into()), ..wanted() }), [5, 4]);
        assert_eq!(of(Wanted { run: Some("r2".into()), joined: false, ..wanted() }), [6, 5, 4]);
        assert_eq!(of(Wanted { since: Some(20 + 2 * SLACK), ..wanted() }), [8, 7, 5, 4]);
        assert_eq!(of(Wanted { most: 2, ..wanted() }), [8, 7]);
        assert_eq!(of(Wanted { most: 2, joined: false, ..wanted() }), [9, 8]);
        assert_eq!(of(Wanted { run: Some("r9".into()), ..wanted() }), [] as [u64; 0]);
    }

    #[test]
    fn the_end_of_a_long_journal_is_found_without_its_beginning() {
        let (_dir, store) = store();
        note(&store, "r1", 1);
        for n in 0..3 {
            crate::cli::journal::text::tests::intents(&store, "r1", n * 3_000, 3_000);
        }
        note(&store, "r2", 9_001);
        let last = intent(&store, "r2", "last", 9_002);
        let journal = find(&store, &Wanted { most: 1, ..wanted() }).unwrap();
        assert_eq!(numbers(&journal), [last]);
        let journal = find(&store, &Wanted { most: 5_000, ..wanted() }).unwrap();
        assert_eq!(journal.found.len(), 5_000);
        assert_eq!(journal.who["r1"].as_deref(), Some("night"), "also where its note is far back");
        let keys = Some([Key::new("k42")].into());
        assert_eq!(find(&store, &Wanted { keys, ..wanted() }).unwrap().found.len(), 1);
    }
}
