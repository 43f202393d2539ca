//! Whether there is room for more messages.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The rows of the stream are counted so often while messages are enqueued. What others enqueue meanwhile is not seen.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The limits of a queue.
pub(super) struct Room {
    /// Most unfinished messages, where they are known.
    pub(super) messages: usize,
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
    pub(super) fn take(&self, rows: usize) -> bool {
        let mut free = self.free.lock();
        let known = free.counted_at.is_some_and(|at| at.elapsed() < COUNT_EVERY) && free.rows >= rows;
        if known {
            free.rows -= rows;
        }
        known
    }

    /// The stream has this many rows now.
    pub(super) fn counted(&self, rows: usize) {
        let free = Free { counted_at: Some(Instant::now()), rows: self.rows.saturating_sub(rows) };
        *self.free.lock() = free;
    }
}
