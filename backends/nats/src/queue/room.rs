//! The limits of a queue.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How often the rows of the stream are counted while messages are enqueued. What other nodes enqueue in
/// between is not seen.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The limits of a queue.
pub(super) struct QueueRoom {
    /// Most unfinished messages in the shards that this node knows.
    pub(super) messages: usize,
    /// Most rows of the stream.
    rows: usize,
    free: Mutex<FreeRows>,
}

/// How many more rows may be written.
#[derive(Default)]
struct FreeRows {
    counted_at: Option<Instant>,
    rows: usize,
}

impl QueueRoom {
    pub(super) fn new(messages: usize, rows_per_message: usize) -> Self {
        Self { messages, rows: messages.saturating_mul(rows_per_message), free: Mutex::default() }
    }

    /// Takes room for this many rows, if the last count leaves it.
    pub(super) fn take(&self, rows: usize) -> bool {
        let mut free = self.free.lock();
        let known = free.counted_at.is_some_and(|at| at.elapsed() < COUNT_EVERY) && free.rows >= rows;
        if known {
            free.rows -= rows;
        }
        known
    }

    /// Notes a new count of the stream's rows.
    pub(super) fn counted(&self, rows: usize) {
        let free = FreeRows { counted_at: Some(Instant::now()), rows: self.rows.saturating_sub(rows) };
        *self.free.lock() = free;
    }
}
