//! Reads a partition across restarts of the server, and notices when the stream is not the same log any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::stream::{check_position, log_error, look, stored_at};
use crate::connection::Nats;
use crate::follow::{Followed, Follower, Start};
use model::chain::Chain;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::decode;
use ports::BackendError;
use ports::heartbeat_log::{LogEntry, LogError, LogReader};

/// Pause before another attempt to read on.
const PAUSE: Duration = Duration::from_millis(150);

pub(super) struct NatsLogReader {
    cursor: LogCursor,
    follower: Option<Follower>,
    /// An attempt to read on. A task, so that a caller that asks briefly, again and again, does not stop it
    /// each time.
    attempt: JoinSet<Attempt>,
    /// Since when the stream cannot be read.
    trouble: Option<Instant>,
}

/// The outer error is for the caller, the inner one passes.
type Attempt = Result<Result<Follower, BackendError>, LogError>;

/// A position in a stream.
#[derive(Clone)]
struct LogCursor {
    nats: Nats,
    partition: PartitionId,
    /// Incarnation of the stream that was opened.
    incarnation: String,
    /// Offset of the last entry that was handed out.
    position: Offset,
    /// When the last entry was stored; `None` before the first.
    stored_at: Option<EventTime>,
}

impl LogCursor {
    /// Follows the entries after the cursor, if the stream is still the same.
    async fn follow(self) -> Attempt {
        let begun = begin(&self.nats, self.partition, self.position).await;
        let extent = match look(&self.nats, self.partition).await {
            Ok(extent) => extent,
            Err(error) if error.is_transient() => return Ok(Err(error.into())),
            Err(error) => return Err(log_error(error)),
        };
        if extent.incarnation != self.incarnation {
            return Err(LogError::Unavailable("the log was made anew".into()));
        }
        check_position(&extent, self.position)?;
        match self.changed().await {
            Ok(false) => Ok(begun),
            // The greatest offset at which the log can have ended when it lost its newest entries; the
            // present entry was appended since.
            Ok(true) => Err(LogError::Ahead { last: Offset(self.position.0.saturating_sub(1)) }),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Whether another entry has taken the place of the last one that was read.
    async fn changed(&self) -> Result<bool, BackendError> {
        let Some(known) = self.stored_at else { return Ok(false) };
        let found = stored_at(&self.nats, self.partition, self.position).await?;
        Ok(found.is_some_and(|found| found != known))
    }

    /// Moves to the message's entry; `None` for one that was handed out already.
    fn entry(&mut self, message: Followed) -> Result<Option<LogEntry>, LogError> {
        let offset = Offset(message.sequence);
        if offset <= self.position {
            return Ok(None);
        }
        if offset != self.position.next() {
            return Err(LogError::Expired { first: offset });
        }
        self.position = offset;
        self.stored_at = Some(message.stored_at);
        let frame = decode(&message.payload).map(Arc::new);
        Ok(Some(LogEntry { offset, logged_at: message.stored_at, frame }))
    }
}

impl NatsLogReader {
    pub(super) async fn open(nats: Nats, partition: PartitionId, after: Offset) -> Result<Self, LogError> {
        // Follow first, then look: what the look says was true when the following began, or has ended it.
        let begun = begin(&nats, partition, after).await;
        let extent = look(&nats, partition).await.map_err(log_error)?;
        check_position(&extent, after)?;
        let follower = Some(begun.map_err(LogError::Unavailable)?);
        let incarnation = extent.incarnation;
        let cursor = LogCursor { nats, partition, incarnation, position: after, stored_at: None };
        Ok(Self { cursor, follower, attempt: JoinSet::new(), trouble: None })
    }

    /// Begins to follow again. Waits while the stream cannot be reached.
    async fn resume(&mut self) -> Result<(), LogError> {
        while self.follower.is_none() {
            if self.attempt.is_empty() {
                self.attempt.spawn(self.cursor.clone().follow());
            }
            let Some(ended) = self.attempt.join_next().await else { continue };
            match ended.map_err(|panicked| LogError::Unavailable(panicked.into()))?? {
                Ok(follower) => self.follower = Some(follower),
                Err(error) => {
                    self.troubled(&error);
                    let cursor = self.cursor.clone();
                    self.attempt.spawn(async move {
                        tokio::time::sleep(PAUSE).await;
                        cursor.follow().await
                    });
                }
            }
        }
        if let Some(since) = self.trouble.take() {
            let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(partition.id = %self.cursor.partition, millis, "the heartbeat log can be read again");
        }
        Ok(())
    }

    fn troubled(&mut self, error: &BackendError) {
        if self.trouble.is_none() {
            tracing::warn!(partition.id = %self.cursor.partition, error = %Chain(error.as_ref()), "the heartbeat log cannot be read for now");
            self.trouble = Some(Instant::now());
        }
    }

    fn lost(&mut self, error: &BackendError) {
        self.troubled(error);
        self.follower = None;
    }

    /// Collects entries that have already arrived, after a first message.
    fn gather(&mut self, first: Followed, limit: usize) -> Result<Vec<LogEntry>, LogError> {
        let mut entries = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match self.cursor.entry(message) {
                Ok(entry) => entries.extend(entry),
                Err(error) if entries.is_empty() => return Err(error),
                Err(_) => {
                    // The entries come first; the next call meets the error again.
                    self.follower = None;
                    break;
                }
            }
            if entries.len() >= limit {
                break;
            }
            next = match self.follower.as_mut().map_or(Ok(None), Follower::try_next) {
                Ok(next) => next,
                Err(error) => {
                    self.lost(&error);
                    break;
                }
            };
        }
        Ok(entries)
    }
}

async fn begin(nats: &Nats, partition: PartitionId, after: Offset) -> Result<Follower, BackendError> {
    let stream = nats.names.heartbeats_stream(partition);
    Follower::begin(nats, &stream, Vec::new(), Start::At(after.next().0), false).await
}

#[async_trait]
impl LogReader for NatsLogReader {
    async fn next(&mut self, limit: usize) -> Result<Vec<LogEntry>, LogError> {
        loop {
            let Some(follower) = &mut self.follower else {
                self.resume().await?;
                continue;
            };
            match follower.next().await {
                Ok(Some(first)) => {
                    // Nothing is awaited from here on: received entries are handed out.
                    let entries = self.gather(first, limit.max(1))?;
                    if !entries.is_empty() {
                        return Ok(entries);
                    }
                }
                Ok(None) => {}
                Err(error) => self.lost(&error),
            }
        }
    }
}
