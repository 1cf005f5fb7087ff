//! The world around a pass: people who can be edited, a clock that stands still, and a desk.

mod changes;
mod clock;
mod desk;
mod people;
mod school;

pub use changes::{Changes, by_record, would_do};
pub use desk::{Desk, DiesAt, Pass, wait};

/// Runs what a property test does in a runtime of its own, whose time stands still. With one thread for the store the
/// same work is done in the same order every time.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).max_blocking_threads(1);
    runtime.build().unwrap().block_on(work)
}

pub use people::{Fault, MARKED_IN, People, key};
pub use school::{ID, SECOND, SECOND_ID, School};
