//! What the parts of a queue tell each other of a message: as it was read, claimed, or written.

use async_nats::HeaderMap;
use bytes::Bytes;
use ports::queue::{MessageId, Outcome};

use super::row::Row;

/// A row as it was read from the server.
#[derive(Debug, Clone)]
pub(super) struct FoundRow {
    pub(super) sequence: u64,
    pub(super) row: Row,
    pub(super) body: Bytes,
}

/// The result of writing an outcome.
#[derive(Debug, Clone)]
pub(super) enum Landed {
    /// Our row was written.
    Ours { sequence: u64, outcome: Outcome },
    /// Another row is there.
    Theirs(FoundRow),
    /// The row is gone.
    Gone,
}

/// A claimed message.
#[derive(Debug, Clone)]
pub(super) struct ClaimedRow {
    pub(super) id: MessageId,
    pub(super) sequence: u64,
    /// `None`: the body must be read.
    pub(super) body: Option<Bytes>,
}

/// The row of an outcome.
#[derive(Debug, Clone)]
pub(super) struct NewRow {
    pub(super) replaces: u64,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Whether an outcome can be written.
#[derive(Debug)]
pub(super) enum Settling {
    /// The message is not claimed here.
    NotClaimed,
    /// Another call writes its outcome.
    Busy,
    /// The outcome is written already, by a call that failed for another message.
    Landed,
    /// The row must be written.
    Begun(NewRow),
}
