//! The process around a command: its streams, its environment, its signals, its clock. Nothing is
//! decided here.

use std::io::{self, BufReader, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use super::io::{Interrupt, Io, Terminal};
use super::{operator, panics, progress, seal};
use crate::clock::SystemClock;
use crate::engine::{Points, Progress, Unstopped};
use crate::targets::Registry;

/// Runs the program with these targets.
pub fn main(registry: &Registry) -> ExitCode {
    main_told(registry, Arc::new(Unstopped))
}

/// The same, where somebody is told of points.
pub fn main_told(registry: &Registry, points: Arc<dyn Points>) -> ExitCode {
    panics::tell_places_only();
    // Asks the one above for whatever it does not keep out.
    reconcile_state::store::silence_caught_panics();
    let fail = |what: &str, error: &dyn std::fmt::Display| {
        // There is nobody to tell when this fails too.
        let _ = writeln!(io::stderr(), "error: {what}: {error}");
        ExitCode::from(Exit::Error as u8)
    };
    if let Err(error) = seal::memory() {
        return fail("memory cannot be kept from others", &error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail("no runtime", &error),
    };
    let mut seed = [0; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        return fail("no random numbers", &error);
    }
    let terminal = Terminal {
        input: io::stdin().is_terminal(),
        output: io::stdout().is_terminal(),
        error: io::stderr().is_terminal(),
    };
    let progress = progress::of(terminal, std::env::var("TERM").ok().as_deref());
    let interrupt = Interrupt::default();
    if let Err(error) = runtime.block_on(async { listen(interrupt.clone(), Arc::clone(&progress)) }) {
        return fail("signals", &error);
    }
    let draws = std::cell::Cell::new(0_u64);
    let mut io = Io {
        out: &mut Unheard(io::stdout()),
        err: &mut io::stderr(),
        input: &mut BufReader::new(io::stdin()),
        terminal,
        environment: &|name| std::env::var(name).ok(),
        account: operator::account(),
        clock: Arc::new(SystemClock),
        // Each draw is another: what is shown of one says nothing of the next.
        random: &|| {
            draws.set(draws.get() + 1);
            *blake3::keyed_hash(&seed, &u64::to_be_bytes(draws.get())).as_bytes()
        },
        interrupt,
        progress,
        points,
    };
    let exit = runtime.block_on(super::run(std::env::args_os(), registry, &mut io));
    ExitCode::from(exit as u8)
}

/// A stream whose reader may go away (`| head`) without that being anybody's failure: the command goes on and ends
/// with the code it earned.
struct Unheard<W>(W);

impl<W: Write> Write for Unheard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// The first SIGINT or SIGTERM asks a writing pass to stop; any other ends the process at once.
fn listen(interrupt: Interrupt, progress: Arc<dyn Progress>) -> io::Result<()> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
            if !interrupt.is_writing() || interrupt.stop.is_requested() {
                interrupt.clear_away();
                progress.end();
                if interrupt.is_writing() {
                    let _ = writeln!(
                        io::stderr(),
                        "Stopped at once: what was being written is read back by the next pass."
                    );
                }
                std::process::exit(Exit::Interrupted as i32);
            }
            interrupt.stop.request();
            progress.aside(&mut || {
                let _ = writeln!(io::stderr(), "\nStopping: no new write starts; once more stops at once.");
            });
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_went_away_is_no_failure() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut out = Unheard(writer);
        assert!(out.write_all(b"a plan").is_ok() && out.flush().is_ok());
    }
}
