//! Logs: to standard error, more with each `-v`. Our own crates alone: a library's debug output may hold
//! what we never log.

use tracing_subscriber::EnvFilter;

use crate::model::pass::Event;

/// Starts logging; once in a process.
pub(super) fn start(verbose: u8, colour: bool) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::new(format!("off,reconcile={level},reconcile_state={level}"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    // Somebody who embeds the command line may log already.
    let _ = logs.try_init();
}

/// Logs what the operator is told at once; for those whose report is read by a program. Events hold no personal values.
pub(super) fn event(event: &Event) {
    let key = event.key.as_ref().map(reconcile_state::Key::as_str);
    let pipeline = event.pipeline.unwrap_or_default();
    tracing::warn!(code = event.code, pipeline, step = event.step, key, "{}", event.message);
}
