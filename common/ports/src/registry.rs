//! The registry: monitors, channels, keys and token claims, as their owners configured them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
use model::ids::{MonitorId, PartitionId, Revision};

/// Longest record id, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// The kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// [`model::monitor::Monitor`] by its id.
    Monitor,
    /// [`model::channel::Channel`] by its id.
    Channel,
    /// [`model::key::ApiKey`] by its id.
    Key,
    /// A claim on a push token, by the hex SHA-256 of the token; the value is the monitor's id and, after
    /// a blank, when it was claimed (microseconds), as text.
    Token,
    /// [`model::maintenance::MaintenanceWindow`] by its id.
    Maintenance,
    /// [`model::rebuild::Rebuild`] by its partition's number.
    Rebuild,
    /// Whose turn it is: see [`crate::turns`]. The value is text.
    Turn,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Monitor, Self::Channel, Self::Key, Self::Token, Self::Maintenance, Self::Rebuild, Self::Turn];

    /// The kind in one word, as it stands in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Channel => "channel",
            Self::Key => "key",
            Self::Token => "token",
            Self::Maintenance => "maintenance",
            Self::Rebuild => "rebuild",
            Self::Turn => "turn",
        }
    }
}

/// Identifies a record. The id consists of `A–Z a–z 0–9 _ -`, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The record's kind.
    pub kind: RecordKind,
    /// The record's id within its kind.
    pub id: String,
}

impl RecordKey {
    /// A key from a value that is displayed as its id.
    pub fn new(kind: RecordKind, id: impl ToString) -> Self {
        Self { kind, id: id.to_string() }
    }
}

/// A record with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The record's key.
    pub key: RecordKey,
    /// The revision of the record's last change. It grows with every change of a record of its kind, and is
    /// greater than all that a lost registry of the same installation gave.
    pub revision: Revision,
    /// The encoded record: see [`model::wire`].
    pub value: Bytes,
}

/// The state of a record that a writer expects before it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The key has no record.
    Absent,
    /// The record is at this revision.
    At(Revision),
}

/// Why a call to the registry failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The record is not as expected; nothing was written.
    #[error("write to the registry: the record was changed meanwhile")]
    Conflict,
    /// The registry cannot be reached now; the same call may succeed later.
    #[error("reach the registry")]
    Unavailable(#[source] BackendError),
}

impl RegistryError {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Conflict => false,
            Self::Unavailable(_) => true,
        }
    }
}

/// The registry: a small set of records with compare-and-set.
#[async_trait]
pub trait Registry: Send + Sync {
    /// A record, or `None`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError>;

    /// Writes a record and answers its new revision, which is greater than every earlier one.
    ///
    /// # Errors
    /// `Conflict`, `Unavailable`.
    async fn put(&self, key: &RecordKey, expected: Expected, value: Bytes)
    -> Result<Revision, RegistryError>;

    /// Removes a record that is at `expected`.
    ///
    /// # Errors
    /// `Conflict` (also when there is none), `Unavailable`.
    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError>;

    /// Records of a kind with an id greater than `after`, in the order of their ids' bytes, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError>;

    /// Every monitor of partition `partition` of `count` with its revision, in no order.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError>;

    /// Whether there is a record of this kind, or one was deleted within the last day. There is neither in a
    /// registry that was lost and made anew. A registry that lies in one store with what follows from it
    /// cannot be lost alone, and is always known.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn is_known(&self, _kind: RecordKind) -> Result<bool, RegistryError> {
        Ok(true)
    }

    /// Tells `observer` of every record of these kinds as it is now, then [`RegistryObserver::current`], then
    /// of every change as it happens, and `current` again at least every second while it is known that
    /// nothing is missing.
    ///
    /// A record that changes often may be told in its latest form only. In one process a change has been told
    /// before its `put` or `delete` returns. The watch ends when the returned guard is dropped.
    ///
    /// # Errors
    /// `Unavailable` if the watch could not begin; later troubles are overcome inside, and until then
    /// `current` is not called.
    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError>;
}

/// Hears of changes in the registry. The calls come one at a time, in order, and must not block.
pub trait RegistryObserver: Send + Sync {
    /// A record is new or has changed.
    fn put(&self, record: &Record);
    /// A record was deleted.
    fn deleted(&self, key: &RecordKey);
    /// The observer has heard everything up to this moment.
    fn current(&self);
}

/// Ends a watch when dropped.
pub struct WatchGuard(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl WatchGuard {
    /// Wraps the value whose drop ends the watch.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}
