//! What the data directory and its log are opened with.

use std::path::PathBuf;
use std::time::Duration;

/// With what a data directory is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Where the data lies; made if need be.
    pub dir: PathBuf,
    /// Partitions of the heartbeat log, at least 1; fixed when the log is made.
    pub partitions: u16,
    /// How long the heartbeat log keeps its entries.
    pub retention: Duration,
    /// How often it is looked for entries that are older.
    pub expire_every: Duration,
    /// Heartbeats, and flips, that are kept of each monitor, at least 1.
    pub history_per_monitor: usize,
    /// Unfinished messages that each queue takes.
    pub queue_capacity: usize,
    /// Bound of the log's database in pages of 4 KiB, to stand for a full disk in tests; `None` = the disk.
    pub max_log_pages: Option<u32>,
}

impl SqliteOptions {
    /// The defaults: one partition, 7 days of log, 1,000 heartbeats a monitor, a million messages a queue.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            partitions: 1,
            retention: Duration::from_secs(7 * 24 * 3_600),
            expire_every: Duration::from_secs(60),
            history_per_monitor: 1_000,
            queue_capacity: 1_000_000,
            max_log_pages: None,
        }
    }
}

/// What a log is opened with.
pub(super) struct LogOptions {
    pub(super) dir: PathBuf,
    pub(super) partitions: u16,
    pub(super) retention: Duration,
    pub(super) expire_every: Duration,
    pub(super) max_pages: Option<u32>,
}
