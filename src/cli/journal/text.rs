//! The journal for people: a write in a line.

use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use reconcile_state::journal::{After, Entry, Landing, Outcome};

use super::shown::Shown;

/// So many attributes are named.
const NAMED: usize = 6;

/// Writes the lines, aligned.
///
/// # Errors
/// Where `out` refuses.
pub fn write(shown: &[Shown<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING).add_rows(shown.iter().map(row));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    // What is said of a plan stands in no column: those of writes would push it far to the right.
    for (line, shown) in table.trim_fmt().lines().zip(shown) {
        match &shown.entry {
            Entry::Note(note) => writeln!(out, "{}  {}, by {}", line.trim_end(), note.what, note.who)?,
            _ => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

/// Time, run, pipeline, what, key, attributes, outcome.
fn row(shown: &Shown<'_>) -> [String; 7] {
    let (at, run, what, key, attributes, outcome) = match &shown.entry {
        Entry::Intent(intent) => {
            let what = format!("{} {}", intent.action, intent.kind);
            let outcome = match &shown.other {
                Some(Entry::Outcome(outcome)) => came_of(outcome),
                _ => shown.unknown_since.map_or_else(
                    || "no outcome yet: on its way, or cut off".to_owned(),
                    |since| format!("in doubt since {}", time(since)),
                ),
            };
            (intent.at, intent.run.clone(), what, intent.key.to_string(), named(&intent.attributes), outcome)
        }
        Entry::Note(note) => {
            (note.at, note.run.clone(), "plan".to_owned(), String::new(), String::new(), String::new())
        }
        Entry::Outcome(outcome) => {
            let what = format!("outcome of {}", outcome.intent);
            (outcome.at, String::new(), what, String::new(), String::new(), came_of(outcome))
        }
    };
    [time(at), run, shown.pipeline.to_owned(), what, key, attributes, outcome]
}

fn named(attributes: &[String]) -> String {
    let mut named: Vec<&str> = attributes.iter().map(String::as_str).collect();
    named.dedup();
    let more = named.len().saturating_sub(NAMED);
    let text = named.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn came_of(outcome: &Outcome) -> String {
    match (&outcome.landing, outcome.after) {
        (Landing::Landed, _) => "done".to_owned(),
        (Landing::Failed { code }, _) => format!("failed: {code}"),
        (Landing::Partial { code } | Landing::Unknown { code }, After::Unread) => format!("in doubt: {code}"),
        (Landing::Partial { code }, _) => format!("in part: {code}"),
        (Landing::Unknown { .. }, After::Present { .. }) => "read back: it is there".to_owned(),
        (Landing::Unknown { .. }, After::Absent) => "read back: it is not there".to_owned(),
    }
}

fn time(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use reconcile_state::Digest;
    use reconcile_state::journal::{Intent, Note};
    use reconcile_state::store::{Observed, OutcomeRecord, Store, StoreDir};

    use super::*;

    pub fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::open(dir.path().join("store"), [7; 32]).unwrap().pipeline("toy").unwrap();
        (dir, store)
    }

    pub fn note(store: &Store, run: &str, at: i64) {
        let (what, who) = ("plan p with 2 changes".to_owned(), "night".to_owned());
        store.record_note(Note { run: run.to_owned(), at, what, who }).unwrap();
    }

    fn one(run: &str, key: &str, at: i64) -> Intent {
        Intent {
            run: run.to_owned(),
            at,
            kind: "account".into(),
            key: key.into(),
            change: Digest([9; 16]),
            action: "create".into(),
            attributes: vec!["mail".into(), "name".into()],
            settle_after_ms: 1,
            matches: Vec::new(),
        }
    }

    pub fn intent(store: &Store, run: &str, key: &str, at: i64) -> u64 {
        store.record_intents(&[one(run, key, at)]).unwrap()[0]
    }

    pub fn intents(store: &Store, run: &str, from: i64, count: i64) {
        let all: Vec<Intent> = (from..from + count).map(|n| one(run, &format!("k{n}"), n)).collect();
        store.record_intents(&all).unwrap();
    }

    pub fn landed(store: &Store, intent: u64, at: i64) {
        let landing = Landing::Landed;
        let outcome = OutcomeRecord { intent, at, landing, applied: None, observed: Observed::Unread, claim: None };
        store.record_outcomes(&[outcome]).unwrap();
    }

    #[test]
    fn a_plan_is_said_beside_its_run_however_wide_the_lines_of_writes_are() {
        let note = Note { run: "r".into(), at: 0, what: "plan p with 2 changes".into(), who: "night".into() };
        let wide = Intent { attributes: vec!["a".repeat(130)], ..one("r", "k", 0) };
        let shown = [Entry::Note(note), Entry::Intent(wide)].map(|entry| Shown {
            pipeline: "toy",
            number: 1,
            entry,
            other: None,
            who: None,
            unknown_since: None,
        });
        let mut out = Vec::new();
        write(&shown, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "1970-01-01 00:00:00  r  toy  plan  plan p with 2 changes, by night");
        assert!(lines[1].starts_with("1970-01-01 00:00:00  r  toy  create account  k  aaa"), "{}", lines[1]);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn what_came_of_a_write_is_said_in_words() {
        let code = || "TIMEOUT".to_owned();
        let there = After::Present { digest: Digest([1; 16]), standing: reconcile_state::Standing::Active };
        for (landing, after, words) in [
            (Landing::Landed, After::Unread, "done"),
            (Landing::Failed { code: code() }, After::Unread, "failed: TIMEOUT"),
            (Landing::Partial { code: code() }, After::Unread, "in doubt: TIMEOUT"),
            (Landing::Partial { code: code() }, there, "in part: TIMEOUT"),
            (Landing::Unknown { code: code() }, After::Unread, "in doubt: TIMEOUT"),
            (Landing::Unknown { code: code() }, there, "read back: it is there"),
            (Landing::Unknown { code: code() }, After::Absent, "read back: it is not there"),
        ] {
            assert_eq!(came_of(&Outcome { intent: 1, at: 0, landing, applied: None, after }), words);
        }
        let many: Vec<String> = (0..9).map(|n| format!("a{n}")).collect();
        assert_eq!(named(&many), "a0, a1, a2, a3, a4, a5 and 3 more");
        assert_eq!(named(&[]), "");
    }
}
