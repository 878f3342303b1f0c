//! Work that blocks on the disk, kept off the runtime's threads.

use crate::error::SpoolError;

/// Runs `work` on the blocking pool.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    // The pool refuses work only while the runtime shuts down; a panic in `work` is a defect of ours that must not affect
    // the session that asked.
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(SpoolError::Closed))
}
