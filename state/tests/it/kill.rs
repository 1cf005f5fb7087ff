//! A process that writes is killed: what it was told is durable is there, and the next start has nothing to mend by
//! hand.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reconcile_state::journal::Entry;
use reconcile_state::store::OutcomeRecord;
use reconcile_state::store::{Observed, Store};

use crate::campus::{OBSERVED, digest, key_digest, open, person};
use crate::journal::intent;

const WRITER: &str = "STATE_TEST_WRITER";
const KILLS: u64 = 8;

/// Writes for ever, and says what is durable: an entry's number, and whose outcome it is or none.
fn write(store: &Store) {
    let mut said = std::io::stdout();
    for n in 0.. {
        let numbers = store.record_intents(&[intent(n), intent(n + 1)]).unwrap();
        writeln!(said, "durable {} -", numbers[1]).unwrap();
        let seen = person(n, 1);
        let outcome = OutcomeRecord {
            intent: numbers[0],
            at: 1,
            landing: reconcile_state::journal::Landing::Landed,
            applied: None,
            observed: Observed::Present(digest(&seen), seen),
            claim: None,
        };
        store.record_outcomes(&[outcome]).unwrap();
        writeln!(said, "durable {} {n}", numbers[1] + 1).unwrap();
        if n % 7 == 0 {
            store.fold().unwrap();
        }
    }
}

/// The same test again as another process, which writes; killed once it has said so many lines.
fn killed_after(dir: &Path, lines: u64) -> (u64, Option<u32>) {
    let this = std::env::current_exe().unwrap();
    let name = "kill::a_killed_writer_loses_nothing_that_was_acknowledged";
    let mut writer = Command::new(this)
        .args(["--exact", name, "--nocapture"])
        .env(WRITER, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let said = BufReader::new(writer.stdout.take().unwrap()).lines();
    let (mut last, mut whose) = (0, None);
    let durable = said.map_while(Result::ok).filter_map(|line| {
        let (number, whose) = line.strip_prefix("durable ")?.split_once(' ')?;
        Some((number.parse::<u64>().unwrap(), whose.parse::<u32>().ok()))
    });
    let mut heard = 0;
    for (number, of) in durable {
        (last, whose) = (number, of.or(whose));
        heard += 1;
        if heard == lines {
            // What is still in the pipe was said before it died.
            writer.kill().unwrap();
        }
    }
    writer.wait().unwrap();
    assert!(heard >= lines, "the writer ended by itself");
    (last, whose)
}

#[test]
fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    if let Some(dir) = std::env::var_os(WRITER) {
        write(&open(Path::new(&dir)).pipeline("test").unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for kill in 0..KILLS {
        let (last, whose) = killed_after(dir.path(), 3 + kill * 17 % 50);
        let since = Instant::now();
        let store = open(dir.path()).pipeline("test").unwrap();
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        let journal = store.journal(1, usize::MAX).unwrap();
        assert!(journal.len() as u64 >= last && last > before, "{last} was durable, {} are there", journal.len());
        assert!(journal.iter().enumerate().all(|(at, (number, _))| *number == at as u64 + 1));
        let open = store.open_intents().unwrap().len();
        let intents = journal.iter().filter(|(_, entry)| matches!(entry, Entry::Intent(_))).count();
        assert_eq!(open, intents - (journal.len() - intents));
        if let Some(n) = whose {
            assert_eq!(store.digests(OBSERVED).unwrap().get(&key_digest(n)), Some(digest(&person(n, 1))), "it folds");
        }
        before = journal.len() as u64;
    }
}
