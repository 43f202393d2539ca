//! Whether there is room for more messages.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::row::shard_of;
use super::state::Shared;
use ports::queue::{QueueError, QueueMessage};

/// The rows of the stream are counted so often while messages are enqueued. What others enqueue meanwhile is not seen.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The limits of a queue.
pub(super) struct Room {
    /// Most unfinished messages, where they are known.
    messages: usize,
    /// Most rows.
    rows: usize,
    free: Mutex<Free>,
}

/// How many rows more there may be.
#[derive(Default)]
struct Free {
    counted_at: Option<Instant>,
    rows: usize,
}

impl Room {
    pub(super) fn new(messages: usize, rows_per_message: usize) -> Self {
        Self { messages, rows: messages.saturating_mul(rows_per_message), free: Mutex::default() }
    }

    /// Takes room for so many rows, if it is known that there is.
    fn take(&self, rows: usize) -> bool {
        let mut free = self.free.lock();
        let known = free.counted_at.is_some_and(|at| at.elapsed() < COUNT_EVERY) && free.rows >= rows;
        if known {
            free.rows -= rows;
        }
        known
    }

    fn counted(&self, rows: usize) {
        let free = Free { counted_at: Some(Instant::now()), rows: self.rows.saturating_sub(rows) };
        *self.free.lock() = free;
    }
}

impl Shared {
    /// Takes room for messages: of the unfinished ones, as far as their shards are held here, and of rows.
    pub(super) async fn take_room(&self, messages: &[QueueMessage]) -> Result<(), QueueError> {
        let new = {
            let state = self.state.lock();
            let is_known = |message: &&QueueMessage| {
                let held = state.held.get(&shard_of(&message.lane));
                held.is_some_and(|held| held.shard.contains(&message.id))
            };
            let new = messages.len() - messages.iter().filter(is_known).count();
            let unfinished: usize = state.held.values().map(|held| held.shard.len()).sum();
            if new > 0 && !state.held.is_empty() && unfinished + new > self.room.messages {
                return Err(QueueError::Full);
            }
            new
        };
        if new == 0 || self.room.take(new) {
            return Ok(());
        }
        let unavailable = |error| QueueError::Unavailable(error);
        let info = self
            .table
            .nats
            .stream_info(&self.table.stream)
            .await
            .map_err(|error| unavailable(error.into()))?;
        let info = info.ok_or_else(|| unavailable("its stream is gone".into()))?;
        self.room.counted(usize::try_from(info.state.messages).unwrap_or(usize::MAX));
        if self.room.take(new) { Ok(()) } else { Err(QueueError::Full) }
    }
}
