//! The clock of a test: it moves only with tokio's paused time.

use jiff::{SignedDuration, Timestamp};
use reconcile::clock::Clock;
use tokio::time::Instant;

/// Counts from a fixed morning.
pub struct PausedClock(Instant);

impl PausedClock {
    /// Stands at the beginning.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let morning: Timestamp = "2026-09-01T06:00:00Z".parse().unwrap();
        morning + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
}
