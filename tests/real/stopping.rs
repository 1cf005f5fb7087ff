//! The program, told by its environment where to end itself: SIGKILL at a point of a pass, as if the machine had taken
//! it away. `RECONCILE_STOP_AT` names pipeline, point and which time it is reached (`moodle/intended/2`). At the one that
//! `RECONCILE_FULL_AT` names the disk is full: no file may grow beyond a few KiB from there. `RECONCILE_POINTS` names a
//! file to which every point that is reached is written. The shipped program knows none of them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, raise};
use reconcile::engine::{Point, Points};
use reconcile::targets::Registry;

/// More than is said, and less than any file of a store.
const FULL: u64 = 64 * 1024;

struct Stopping {
    at: Option<String>,
    full: Option<String>,
    reached: Mutex<(BTreeMap<String, u64>, Option<File>)>,
}

impl Points for Stopping {
    fn reached(&self, pipeline: Option<&'static str>, point: Point) {
        // Held to the end: nobody passes a point while another one is dying at it.
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, file) = &mut *reached;
        let name = format!("{}/{}", pipeline.unwrap_or("-"), point.name());
        let nth = times.entry(name.clone()).or_default();
        *nth += 1;
        let here = format!("{name}/{nth}");
        if let Some(file) = file {
            // What is not written fails the test that reads it.
            let _ = writeln!(file, "{here}");
        }
        if self.full.as_ref() == Some(&here) {
            // Where it cannot be set the pass goes on, and the test that waits for it fails.
            let _ = setrlimit(Resource::RLIMIT_FSIZE, FULL, FULL);
        }
        if self.at.as_ref() == Some(&here) {
            let _ = raise(Signal::SIGKILL);
        }
    }
}

fn main() -> ExitCode {
    let open = |path| OpenOptions::new().append(true).create(true).open(path).ok();
    let file = std::env::var_os("RECONCILE_POINTS").and_then(open);
    let at = std::env::var("RECONCILE_STOP_AT").ok();
    let full = std::env::var("RECONCILE_FULL_AT").ok();
    let stopping = Stopping { at, full, reached: Mutex::new((BTreeMap::new(), file)) };
    reconcile::cli::process::main_told(&Registry::builtin(), Arc::new(stopping))
}
