//! Logs: to standard error, more with each `-v`. Our own crates alone: a library's debug output may hold
//! what we never log.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::engine::Progress;
use crate::model::pass::Event;

/// Starts logging; once in a process. Each line is written aside of what `progress` draws.
pub(super) fn start(verbose: u8, colour: bool, progress: &Arc<dyn Progress>) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::new(format!("off,reconcile={level},reconcile_state={level}"));
    let progress = Arc::clone(progress);
    let to = move || Aside(Arc::clone(&progress));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(to);
    // Somebody who embeds the command line may log already.
    let _ = logs.try_init();
}

/// Standard error, beside what is drawn there.
struct Aside(Arc<dyn Progress>);

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = Ok(0);
        self.0.aside(&mut || written = io::stderr().write_all(bytes).map(|()| bytes.len()));
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Logs what the operator is told at once; for those whose report is read by a program. Events hold no personal values.
pub(super) fn event(event: &Event) {
    let key = event.key.as_ref().map(reconcile_state::Key::as_str);
    let pipeline = event.pipeline.unwrap_or_default();
    tracing::warn!(code = event.code, pipeline, step = event.step, key, "{}", event.message);
}
