//! The ledger: what a notifier must remember of channels and monitors beyond the queues.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::error::BackendError;

/// Why a call to the ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The scope is not at the version that the write named: another node wrote, the store was set back, or
    /// an earlier try of the same write succeeded and its answer was lost. Nothing was written; the scope
    /// must be loaded anew.
    #[error("write to the ledger: it is at version {found}")]
    Conflict {
        /// The scope's version; 0 = it has no rows.
        found: u64,
    },
    /// The ledger cannot be reached now; the same call may succeed later.
    #[error("reach the ledger")]
    Unavailable(#[source] BackendError),
}

impl LedgerError {
    /// Whether the same call can succeed later.
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
    /// Grows with every write; 0 = nothing was ever written, or all rows were removed.
    pub version: u64,
    /// The rows by key, in no order.
    pub rows: Vec<(Uuid, Bytes)>,
}

/// Rows by scope (a channel, a monitor), each scope with a version.
///
/// A write is atomic and durable, and refused unless it names the version that it follows. A scope whose last
/// row is removed is forgotten: its version is 0 again. A scope that is written again never gets a version
/// that it had before, so a node that still believes in an old version is refused.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// All rows of a scope.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError>;

    /// Puts rows (`Some`) and removes them (`None`), in this order, all or none, and answers the new version.
    ///
    /// # Errors
    /// `Conflict`. `Unavailable`: the rows may have been written, and then the same call again is answered
    /// with a `Conflict`.
    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError>;
}
