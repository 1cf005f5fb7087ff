//! Whole passes over real loopback sockets: directory, MetaVault in SQLite and every simulated target run
//! in this process, so their time is in the figures too.
//!
//! `cargo bench --features sim --bench pass [-- PEOPLE]`, 20 000 people by default.

#![allow(clippy::print_stdout)]

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Instant;

use reconcile::cli::{Exit, Interrupt, Io, Terminal, run};
use reconcile::clock::{Clock, SystemClock};
use reconcile::sim::campus::CampusPlan;
use reconcile::sim::stage::Stage;
use reconcile::targets::Registry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let people = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(passes(people))
}

async fn passes(people: usize) -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builtin();
    let stage = Stage::set(&registry, &CampusPlan::new(7, people), SystemClock.now()).await?;
    let plan = stage.place().join("plan.json").into_os_string();
    println!("{people} people, {} cores", std::thread::available_parallelism()?);
    println!("{:<44} {:>8} {:>12} {:>6}", "pass", "wall s", "us a person", "exit");
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let mut save = words(&["--plan", "--out"]);
    save.push(plan.clone());
    let mut approve = words(&["--approve"]);
    approve.push(plan);
    let none = words(&["--plan"]);
    let changed = words(&["--plan", "--changed"]);
    for (name, args, expected) in [
        ("first plan", save, Exit::Changes),
        ("first load: plan, look, write, read back", approve, Exit::Done),
        ("plan, nothing to do", none.clone(), Exit::Done),
        ("plan, nothing to do, again", none, Exit::Done),
        ("plan --changed, nothing changed", changed, Exit::Done),
    ] {
        let started = Instant::now();
        let exit = command(&stage, &registry, args).await;
        let wall = started.elapsed().as_secs_f64();
        println!("{name:<44} {wall:>8.2} {:>12.1} {:>6}", wall * 1e6 / people as f64, exit as u8);
        if exit != expected {
            return Err(format!("{name}: exit code {}", exit as u8).into());
        }
    }
    Ok(())
}

async fn command(stage: &Stage, registry: &Registry, args: Vec<OsString>) -> Exit {
    let (mut out, mut err, mut input) = (Vec::new(), std::io::stderr(), std::io::empty());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        terminal: Terminal::default(),
        environment: &|name| stage.secret(name),
        account: "bench".to_owned(),
        clock: Arc::new(SystemClock),
        random: &|| [7; 32],
        interrupt: Interrupt::default(),
        progress: Arc::new(reconcile::engine::Silent),
        points: Arc::new(reconcile::engine::Unstopped),
    };
    let head = ["reconcile".into(), "--config".into(), stage.configuration().into_os_string()];
    run(head.into_iter().chain(args), registry, &mut io).await
}
