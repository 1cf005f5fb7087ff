//! What ends a pass.

use reconcile_state::SchemaError;
use reconcile_state::store::StoreError;

use crate::sources::SourceError;

/// Why a pass could not be carried through. A target that fails ends only its own pipeline and is no
/// such error.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// A source could not be read at all.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A kind is declared wrongly: a fault of the program.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A step was torn down before it ended.
    #[error("a step of the pass ended before it was done; run again, and report this if it comes back")]
    Torn,
}

impl PassError {
    /// Stable code for logs, reports and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code,
            Self::Store(StoreError::Locked { .. }) => "STORE_LOCKED",
            Self::Store(_) => "STORE_FAILED",
            Self::Schema(_) | Self::Torn => "INTERNAL_ERROR",
        }
    }
}
