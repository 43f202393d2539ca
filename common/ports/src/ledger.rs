//! What a notifier must remember of channels and monitors beyond the queues.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::error::BackendError;

/// Why the ledger could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The scope is not at the version that the write was to follow: somebody else wrote, the store was set back, or an earlier
    /// try of the same write went through and its answer was lost. Nothing was written; what there is must be loaded anew.
    #[error("write to the ledger: it is at version {found}")]
    Conflict {
        /// The version that the scope is at; 0 = there is nothing.
        found: u64,
    },
    /// Not now; the same call may go through later.
    #[error("reach the ledger")]
    Unavailable(#[source] BackendError),
}

impl LedgerError {
    /// Whether the same call can go through later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Conflict { .. } => false,
            Self::Unavailable(_) => true,
        }
    }
}

/// All rows of a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerPage {
    /// Grows with every write; 0 = nothing was ever written, or it was all removed.
    pub version: u64,
    /// In no order.
    pub rows: Vec<(Uuid, Bytes)>,
}

/// Rows by scope (a channel, a monitor), each scope with a version.
///
/// A write is atomic and durable, and refused unless it names the version that it follows. A scope whose last row is removed is
/// forgotten: its version is 0 again. A scope that was forgotten and is written again does not come to a version that it had
/// before, so whoever still believes in one is refused.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Everything of a scope.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError>;

    /// Puts rows (`Some`) and removes them (`None`), in this order, all or none, and answers the new version.
    ///
    /// # Errors
    /// `Conflict`. `Unavailable`: it may have been written, and then the same call again is answered with a `Conflict`.
    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError>;
}
