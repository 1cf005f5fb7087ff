//! How a running pass is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{ErrorKind, TargetError};

/// The code of what was not sent because somebody asked to stop.
pub const STOPPED: &str = "STOPPED";

/// The error of what was not sent because somebody asked to stop.
pub fn stopped() -> TargetError {
    TargetError::new(ErrorKind::Unavailable, STOPPED, "somebody asked to stop before it was sent; it is due again")
        .later(None)
}

/// Asks a pass to stop: no new write starts, running ones settle.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
