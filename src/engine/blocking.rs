//! Store work, on threads of its own: a transaction blocks, and the network must not wait for it.

use super::error::PassError;

/// Runs store work beside the network's.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PassError> + Send + 'static,
) -> Result<T, PassError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PassError::Torn)?
}
