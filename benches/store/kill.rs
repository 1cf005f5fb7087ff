//! Opening after a kill: a child of this process writes to the store and is killed with SIGKILL while it does, as
//! often as not in the middle of a commit; then the store is opened. What the child was told to be durable must be
//! there.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reconcile_state::Record;
use reconcile_state::journal::Entry;

use crate::{measure::Since, open, people, settle};

const WRITER: &str = "--write-until-killed";
const KILLS: u32 = 12;

/// The store that this process is to write to until it is killed.
pub fn told_to_write() -> Option<String> {
    let mut args = std::env::args().skip_while(|arg| arg != WRITER);
    args.nth(1)
}

/// Settles record after record, in groups of one to fifty, and says which are durable.
pub fn write_until_killed(dir: &Path) -> Result<(), Box<dyn Error>> {
    let (store, schema) = (open(dir)?, people::schema());
    let mut out = std::io::stdout();
    for at in 0_u32.. {
        let people: Vec<Record> = (0..=at % 50).map(|n| people::person((at * 50 + n) * 7919 % 100_000, at)).collect();
        let (last, _) = settle::settle(&store, &schema, &people)?;
        writeln!(out, "{last}")?;
        out.flush()?;
    }
    Ok(())
}

/// The slowest of several openings, in milliseconds by the clock.
pub fn reopen(dir: &Path) -> Result<f64, Box<dyn Error>> {
    let mut took = Vec::new();
    for kill in 0..KILLS {
        // Up to as many outcomes as are ever left to be folded.
        let durable = write_and_kill(dir, Duration::from_millis(u64::from(kill * 170)))?;
        let since = Since::now();
        let store = open(dir)?;
        took.push(since.wall_ms());
        if !store.journal_entries([durable])?.into_values().any(|entry| matches!(entry, Entry::Intent(_)))
            || store.open_intents()?.iter().any(|open| open.number == durable)
        {
            return Err(format!("what was durable is lost: {durable}").into());
        }
    }
    took.sort_by(f64::total_cmp);
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("open after a kill      median {median:.1} ms, slowest of {KILLS} {worst:.1} ms");
    Ok(worst)
}

/// The number of the last intent whose outcome was said to be durable.
fn write_and_kill(dir: &Path, after: Duration) -> Result<u64, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(WRITER).arg(dir).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("the writer has no output")?;
    let mut lines = BufReader::new(out).lines();
    let mut last = lines.next().ok_or("the writer wrote nothing")??;
    // It goes on writing all the while, so that the kill meets it anywhere.
    let begun = Instant::now();
    while begun.elapsed() < after
        && let Some(line) = lines.next()
    {
        last = line?;
    }
    child.kill()?;
    child.wait()?;
    for line in lines {
        last = line?;
    }
    Ok(last.trim().parse()?)
}
