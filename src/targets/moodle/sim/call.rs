//! One web service call, as the functions see it.

use jiff::Timestamp;

/// What a function is told besides its parameters.
pub(super) struct Call {
    /// The site's time.
    pub(super) now: Timestamp,
    /// When the call arrived, in ticks.
    pub(super) since: u64,
    /// This call's own tick: the stamp of what it writes.
    pub(super) own: u64,
    /// The calling user.
    pub(super) caller: u64,
    /// Whether names leave unescaped.
    pub(super) raw: bool,
}

impl Call {
    /// Whether a row with this stamp is visible: committed before the call arrived, or its own.
    pub(super) fn sees(&self, stamp: u64) -> bool {
        stamp <= self.since || stamp == self.own
    }

    /// The site's time in Unix seconds.
    pub(super) fn second(&self) -> i64 {
        self.now.as_second()
    }
}
