//! The books: what the journal says was written, against what landed.

use std::collections::BTreeMap;

use reconcile_state::journal::{Entry, Landing};
use reconcile_state::store::StoreDir;
use reconcile_state::{Digest, Key};

use crate::college::College;
use crate::event::At;
use crate::toys::Landed;

/// What the journal says of a write.
struct Line {
    run: String,
    key: Key,
    change: Digest,
    outcome: Option<Landing>,
}

/// How often a change was intended, and what came of it.
#[derive(Default, Debug)]
struct Count {
    intended: usize,
    failed: usize,
    landed: usize,
    /// In the world.
    carried_out: usize,
}

/// One target's journal, as far as it was read.
#[derive(Default)]
struct Book {
    next: u64,
    lines: BTreeMap<u64, Line>,
}

/// All journals.
#[derive(Default)]
pub struct Books(BTreeMap<At, Book>);

/// What a target did, in order.
pub fn landed(college: &College, at: At) -> Vec<Landed> {
    match at {
        At::Marks => college.school.marked.moods().landed.clone(),
        At::Seated => {
            let seats = college.school.seated.hall().landed.clone();
            college.school.seated.shelf().landed.iter().cloned().chain(seats).collect()
        }
        At::Second => {
            let seats = college.school.second.hall().landed.clone();
            college.school.second.shelf().landed.iter().cloned().chain(seats).collect()
        }
        At::Listed | At::Asked => college.toy(at).map(|toy| toy.shelf().landed.clone()).unwrap_or_default(),
    }
}

impl Books {
    /// Reads on in all journals.
    fn read(&mut self, store: &StoreDir, targets: &[At], wrong: &mut Vec<String>) {
        for at in targets {
            let book = self.0.entry(*at).or_default();
            let entries = store.pipeline(at.pipeline()).unwrap().journal(book.next, usize::MAX).unwrap();
            for (number, entry) in entries {
                book.next = number + 1;
                match entry {
                    Entry::Note(_) => {}
                    Entry::Intent(intent) => {
                        let (run, key, change) = (intent.run, intent.key, intent.change);
                        book.lines.insert(number, Line { run, key, change, outcome: None });
                    }
                    Entry::Outcome(outcome) => match book.lines.get_mut(&outcome.intent) {
                        Some(line) => match (&line.outcome, outcome.landing) {
                            (Some(Landing::Landed | Landing::Failed { .. }), more)
                                if !matches!((&line.outcome, &more), (Some(Landing::Landed), Landing::Landed)) =>
                            {
                                // A part is accepted first and read back at the end of its wave.
                                let later = matches!(more, Landing::Partial { .. } | Landing::Unknown { .. });
                                if !later || matches!(line.outcome, Some(Landing::Failed { .. })) {
                                    wrong.push(format!("{at:?}: {} of {} is settled twice", outcome.intent, line.key));
                                }
                            }
                            (_, more) => line.outcome = Some(more),
                        },
                        None => wrong.push(format!("{at:?}: an outcome of {} without an intent", outcome.intent)),
                    },
                }
            }
        }
    }

    /// Reads on, and tells where journals and world differ. `whole` names a run that came to its end: of all it
    /// intended something came. `calm`: nothing went wrong in it, so nothing of it is in doubt.
    pub fn check(&mut self, college: &College, whole: Option<&str>, calm: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let targets = college.setting.kind.targets();
        self.read(&college.school.store, targets, &mut wrong);
        for at in targets {
            let mut counts: BTreeMap<Digest, Count> = BTreeMap::new();
            let book = &self.0[at];
            for line in book.lines.values() {
                let count = counts.entry(line.change).or_default();
                count.intended += 1;
                count.failed += usize::from(matches!(line.outcome, Some(Landing::Failed { .. })));
                count.landed += usize::from(matches!(line.outcome, Some(Landing::Landed)));
                if whole != Some(&line.run) {
                    continue;
                }
                if line.outcome.is_none() {
                    wrong.push(format!("{at:?}: nothing is known of what was intended for {}", line.key));
                }
                if let (true, Some(Landing::Unknown { code })) = (calm, &line.outcome) {
                    wrong.push(format!("{at:?}: {} is in doubt ({code}) although no answer was lost", line.key));
                }
            }
            for landed in landed(college, *at) {
                counts.entry(landed.change).or_default().carried_out += 1;
            }
            for (change, count) in counts {
                if count.carried_out > count.intended - count.failed.min(count.intended) {
                    wrong
                        .push(format!("{at:?}: {change} was carried out more often than the journal knows: {count:?}"));
                }
                if count.landed > count.carried_out {
                    wrong.push(format!("{at:?}: {change} landed by the journal and not at the target: {count:?}"));
                }
            }
        }
        wrong
    }

    /// How much was intended so far.
    pub fn intents(college: &College) -> usize {
        let entries = |at: &At| {
            let store = college.school.store.pipeline(at.pipeline()).unwrap();
            let entries = store.journal(0, usize::MAX).unwrap();
            entries.iter().filter(|(_, entry)| matches!(entry, Entry::Intent(_))).count()
        };
        college.setting.kind.targets().iter().map(entries).sum()
    }

    /// Everything that was journalled, in words.
    pub fn told(college: &College) -> Vec<String> {
        let journal = |at: &At| {
            let store = college.school.store.pipeline(at.pipeline()).unwrap();
            format!("{:?}", store.journal(0, usize::MAX).unwrap())
        };
        college.setting.kind.targets().iter().map(journal).collect()
    }
}
