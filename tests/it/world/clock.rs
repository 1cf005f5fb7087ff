//! The clock of a test: it moves with tokio's paused time, and may be set wrong.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use reconcile::clock::Clock;
use tokio::time::Instant;

/// Counts from a fixed morning.
pub struct PausedClock {
    begun: Instant,
    off: AtomicI64,
}

impl PausedClock {
    /// Stands at the beginning.
    pub fn new() -> Self {
        Self { begun: Instant::now(), off: AtomicI64::new(0) }
    }

    /// So many seconds ahead of what is right, or behind.
    pub fn set_off(&self, seconds: i64) {
        self.off.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let morning: Timestamp = "2026-09-01T06:00:00Z".parse().unwrap();
        let off = SignedDuration::from_secs(self.off.load(Ordering::Relaxed));
        morning + SignedDuration::try_from(self.begun.elapsed()).unwrap() + off
    }
}
