//! Whole passes over real loopback sockets. Directory, MetaVault in SQLite and every simulated target run in this
//! process; each pass is a process of its own, as an operator starts it, and its processor time and peak memory are
//! its own alone.
//!
//! `cargo bench --features sim --bench pass [-- PEOPLE] [--steps]`; without a number 10 000 and 100 000 people. With
//! `--steps` a pass tells how much memory it holds as it goes from step to step.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod alone;
#[path = "../common/measure.rs"]
mod measure;

use std::error::Error;
use std::ffi::OsString;

use reconcile::cli::Exit;
use reconcile::clock::{Clock, SystemClock};
use reconcile::sim::campus::CampusPlan;
use reconcile::sim::stage::Stage;
use reconcile::targets::Registry;

use self::alone::Took;

/// As the program has it.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nothing to do, whatever the command.
const NOTHING: [&str; 3] = ["plan, nothing to do", "plan, nothing to do, again", "apply, nothing to do"];

fn main() -> Result<(), Box<dyn Error>> {
    if alone::told_to_pass() {
        return alone::pass();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let counts: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let mut results = Vec::new();
    for people in if counts.is_empty() { vec![10_000, 100_000] } else { counts } {
        let registry = Registry::builtin();
        let stage = runtime.block_on(Stage::set(&registry, &CampusPlan::new(7, people), SystemClock.now()))?;
        let took = passes(&stage, people)?;
        let named = |what: &str| format!("pass_{what}_{}k", people / 1000);
        for (what, name) in [("first_plan", "first plan"), ("first_load", "first load"), ("changed", "plan --changed")]
        {
            let took = took.iter().filter(|(one, _)| *one == name);
            results.extend(took.map(|(_, took)| (named(what), took.wall_s, "s")));
        }
        let nothing = || took.iter().filter(|(name, _)| NOTHING.contains(name)).map(|(_, took)| took);
        let least = |f: fn(&Took) -> f64| nothing().map(f).fold(f64::INFINITY, f64::min);
        results.push((named("noop"), least(|took| took.wall_s), "s"));
        results.push((named("noop_cpu"), least(|took| took.cpu_s), "s"));
        results.push((named("noop_peak"), nothing().map(|took| took.peak_mib).fold(0.0, f64::max), "MiB"));
    }
    results.iter().for_each(|(name, value, unit)| measure::result(name, *value, unit));
    Ok(())
}

fn passes(stage: &Stage, people: usize) -> Result<Vec<(&'static str, Took)>, Box<dyn Error>> {
    let plan = stage.place().join("plan.json").into_os_string();
    println!("{people} people, {} cores", std::thread::available_parallelism()?);
    println!("{:<28} {:>8} {:>8} {:>12} {:>9} {:>5}", "pass", "wall s", "cpu s", "us a person", "peak MiB", "exit");
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let with_plan = |these: &[&str]| words(these).into_iter().chain([plan.clone()]).collect::<Vec<_>>();
    let mut all = Vec::new();
    for (name, args, expected) in [
        ("first plan", with_plan(&["--plan", "--out"]), Exit::Changes),
        ("first load", with_plan(&["--approve"]), Exit::Done),
        (NOTHING[0], words(&["--plan"]), Exit::Done),
        (NOTHING[1], words(&["--plan"]), Exit::Done),
        (NOTHING[2], words(&["--yes"]), Exit::Done),
        ("plan --changed", words(&["--plan", "--changed"]), Exit::Done),
    ] {
        let took = alone::start(stage, &args)?;
        println!(
            "{name:<28} {:>8.2} {:>8.2} {:>12.1} {:>9.0} {:>5}",
            took.wall_s,
            took.cpu_s,
            took.wall_s * 1e6 / people as f64,
            took.peak_mib,
            took.exit
        );
        if took.exit != expected as u8 {
            return Err(format!("{name}: exit code {}", took.exit).into());
        }
        all.push((name, took));
    }
    Ok(all)
}
