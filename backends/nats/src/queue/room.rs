//! The limits of a queue.

use std::time::Duration;

use parking_lot::Mutex;
use ports::queue::Outcome;
use ports::queue_room::{KeptFor, ROWS_PER_MESSAGE};
use tokio::time::Instant;

/// How often the rows of the stream are counted while messages are enqueued or settled. What other nodes
/// enqueue in between is not seen.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The part of the rows after which they are counted in any case.
const COUNTED_PARTS: usize = 64;

/// How long the row of a message that was withdrawn is kept: nobody looks for it.
const WITHDRAWN_FOR: Duration = Duration::from_secs(1);

/// The limits of a queue.
pub(super) struct QueueRoom {
    /// Most unfinished messages in the shards that this node knows.
    pub(super) messages: usize,
    /// Most rows of the stream.
    rows: usize,
    count: Mutex<RowCount>,
}

/// How many rows there are: those of the last count, and those that this node has enqueued since.
#[derive(Default)]
struct RowCount {
    counted_at: Option<Instant>,
    rows: usize,
    /// Messages that this node has settled since.
    settled: usize,
}

impl QueueRoom {
    pub(super) fn new(messages: usize) -> Self {
        Self { messages, rows: messages.saturating_mul(ROWS_PER_MESSAGE), count: Mutex::default() }
    }

    /// Takes room for this many rows, if the last count leaves it.
    pub(super) fn take(&self, rows: usize) -> bool {
        let mut count = self.count.lock();
        let left = self.rows.saturating_sub(count.rows);
        let known = count.counted_at.is_some_and(|at| at.elapsed() < COUNT_EVERY) && left >= rows;
        if known {
            count.rows += rows;
        }
        known
    }

    /// Notes that this many messages are settled; answers whether it is time to count the rows again. In a
    /// small queue many are enqueued, by other nodes too, before [`COUNT_EVERY`] is over.
    pub(super) fn settles(&self, messages: usize) -> bool {
        let mut count = self.count.lock();
        count.settled += messages;
        let many = count.settled >= self.rows / COUNTED_PARTS;
        many || count.counted_at.is_none_or(|at| at.elapsed() >= COUNT_EVERY)
    }

    /// Notes a new count of the stream's rows.
    pub(super) fn counted(&self, rows: usize) {
        *self.count.lock() = RowCount { counted_at: Some(Instant::now()), rows, settled: 0 };
    }

    /// How long the row of an outcome is kept; `None`: until it is replaced. What is finished leaves room for
    /// what is not.
    pub(super) fn kept(&self, outcome: &Outcome) -> Option<Duration> {
        let kept = KeptFor::with(self.count.lock().rows, self.rows);
        match outcome {
            Outcome::Complete => Some(kept.completed),
            Outcome::Bury => Some(kept.dead),
            Outcome::Withdraw => Some(WITHDRAWN_FOR),
            Outcome::Retry { .. } | Outcome::Park { .. } => None,
        }
    }
}
