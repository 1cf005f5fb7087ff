//! A pass in a process of its own: this program again, told to run one command of the real one.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use reconcile::cli::{Interrupt, Io, Terminal, run};
use reconcile::clock::SystemClock;
use reconcile::engine::{Progress, Silent, Step};
use reconcile::sim::stage::Stage;
use reconcile::targets::Registry;

use crate::measure;

const PASS: &str = "--as-a-pass";
const STEPS: &str = "--steps";

/// What a pass took.
pub struct Took {
    /// By the clock, from the process's start to its end.
    pub wall_s: f64,
    /// Processor time of all its threads.
    pub cpu_s: f64,
    /// The most memory it held at once, its own program included.
    pub peak_mib: f64,
    /// The exit code it would have ended with.
    pub exit: u8,
}

/// Whether this process is to be a pass.
pub fn told_to_pass() -> bool {
    std::env::args().nth(1).is_some_and(|first| first == PASS)
}

/// Runs the command that follows, and says what it took.
pub fn pass() -> Result<(), Box<dyn Error>> {
    let steps = std::env::args().nth(2).is_some_and(|word| word == STEPS);
    let command = std::env::args_os().skip(if steps { 3 } else { 2 });
    let progress: Arc<dyn Progress> = if steps { Arc::new(Memory(Mutex::default())) } else { Arc::new(Silent) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut input = io::empty();
    let mut io = Io {
        out: &mut io::sink(),
        err: &mut io::stderr(),
        input: &mut input,
        terminal: Terminal::default(),
        environment: &|name| std::env::var(name).ok(),
        account: "bench".to_owned(),
        clock: Arc::new(SystemClock),
        random: &|| [7; 32],
        interrupt: Interrupt::default(),
        progress,
        points: Arc::new(reconcile::engine::Unstopped),
    };
    let exit = runtime.block_on(run(command, &Registry::builtin(), &mut io));
    let peak = measure::figure("/proc/self/status", "VmHWM:");
    println!("{} {} {}", exit as u8, measure::process_cpu().as_secs_f64(), peak);
    Ok(())
}

/// Starts a pass and waits for its end.
pub fn start(stage: &Stage, args: &[OsString]) -> Result<Took, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(PASS).args(std::env::args().find(|arg| arg == STEPS));
    command.args(["reconcile", "--config"]).arg(stage.configuration()).args(args);
    command.envs(secrets(stage)?).stdout(Stdio::piped());
    let started = Instant::now();
    let ended = command.spawn()?.wait_with_output()?;
    let wall_s = started.elapsed().as_secs_f64();
    let said = String::from_utf8(ended.stdout)?;
    let said: Vec<&str> = said.split_whitespace().collect();
    let [exit, cpu, peak] = said[..] else { return Err(format!("{args:?}: {}", ended.status).into()) };
    let peak_mib = peak.parse::<f64>()? / 1024.0;
    Ok(Took { wall_s, cpu_s: cpu.parse()?, peak_mib, exit: exit.parse()? })
}

fn secrets(stage: &Stage) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let text = std::fs::read_to_string(stage.configuration())?;
    let named = text.split('"').filter_map(|word| word.strip_prefix("env:"));
    Ok(named.filter_map(|name| Some((name.to_owned(), stage.secret(name)?))).collect())
}

/// Tells of each step how much memory is held when it begins and when it ends.
struct Memory(Mutex<Option<(Option<&'static str>, Step)>>);

impl Progress for Memory {
    fn tell(&self, pipeline: Option<&'static str>, step: Step, done: u64, total: Option<u64>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != Some((pipeline, step)) || total == Some(done) {
            *last = Some((pipeline, step));
            let mib = |name| measure::figure("/proc/self/status", name) >> 10;
            eprintln!(
                "  {:<10} {step:<24?} {done:>8}  holds {:>5} MiB, peak {:>5}",
                pipeline.unwrap_or(""),
                mib("VmRSS:"),
                mib("VmHWM:")
            );
        }
    }
}
