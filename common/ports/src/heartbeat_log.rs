//! The heartbeat log: the truth that everything else follows from.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::BackendError;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::WireError;
use model::wire::frame::Frame;

/// Why a call to the log failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot be reached now; the same call may succeed later. After an append it is unknown whether
    /// the frame was recorded.
    #[error("reach the heartbeat log")]
    Unavailable(#[source] BackendError),
    /// The log has no room. Nothing was recorded.
    #[error("append to the heartbeat log: no room is left")]
    Full(#[source] BackendError),
    /// The entry after the given offset is gone: the log begins at `first`.
    #[error("read the heartbeat log: it begins at offset {first} only")]
    Expired {
        /// Offset of the first entry that is left.
        first: Offset,
    },
    /// The log ends before the given offset: it is not the log that the reader knew.
    #[error("read the heartbeat log: it ends at offset {last}, before the one asked for")]
    Ahead {
        /// Offset of the last entry.
        last: Offset,
    },
}

impl LogError {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// The entry's place. Offsets grow; some may be missing (folded ticks).
    pub offset: Offset,
    /// When the entry was recorded, by the log's clock.
    pub logged_at: EventTime,
    /// The frame, or why it cannot be read: readers get damaged entries, skip and count them.
    pub frame: Result<Arc<Frame>, WireError>,
}

/// The name and the extent of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogExtent {
    /// A random word, made with the log. Another word means another log.
    pub incarnation: String,
    /// Offset of the first entry that is left; `last.next()` when there is none.
    pub first: Offset,
    /// Offset of the last entry; [`Offset::START`] when there never was one.
    pub last: Offset,
}

/// The room that a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRoom {
    /// Everything can be appended.
    Enough,
    /// Room runs short: what people can do without, the outputs of jobs, is to be left out.
    Short,
}

/// The heartbeat log.
///
/// - An acknowledged append is durable (P1). Only a tick ([`Frame::is_tick`]) may be lost in a crash, and
///   only as long as nothing after it was acknowledged and [`HeartbeatLog::sync`] was not asked for it.
/// - Order within a partition is total; every reader sees the same entries in the same order.
/// - Offsets never go back, and none is given twice, not even after a crash lost a tick that a `sync`
///   covered.
/// - Runs of ticks may be stored folded; the entry stands at the last one's offset and says the same
///   ([`Listening::Folded`]).
///
/// [`Listening::Folded`]: model::wire::frame::Listening::Folded
#[async_trait]
pub trait HeartbeatLog: Send + Sync {
    /// How many partitions there are; fixed when the log was made.
    fn partitions(&self) -> u16;

    /// The room that the log has. An answer may be a second old.
    fn room(&self) -> LogRoom {
        LogRoom::Enough
    }

    /// Appends a frame; answers its offset.
    ///
    /// # Errors
    /// `Unavailable`, `Full`.
    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError>;

    /// When an entry was recorded, by the log's clock; `None` if it is gone or folded.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError>;

    /// Returns once every entry up to `through` is durable, ticks included. A state is committed after the
    /// sync of the entries that it was computed from.
    ///
    /// # Errors
    /// `Unavailable`, `Full`.
    async fn sync(&self, partition: PartitionId, through: Offset) -> Result<(), LogError>;

    /// The name and the extent of a log.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn extent(&self, partition: PartitionId) -> Result<LogExtent, LogError>;

    /// Opens a reader whose first entry is the one after `after`.
    ///
    /// # Errors
    /// `Expired` if entries after `after` are gone, `Ahead` if the log ends before `after`, `Unavailable`.
    async fn open(&self, partition: PartitionId, after: Offset) -> Result<Box<dyn LogReader>, LogError>;
}

/// Reads a partition in order.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// The next entries, at least one and at most `limit`; waits until there is one. Cancelling it loses
    /// nothing.
    ///
    /// # Errors
    /// As [`HeartbeatLog::open`]; then the reader must be opened anew.
    async fn next(&mut self, limit: usize) -> Result<Vec<LogEntry>, LogError>;
}
