//! The options with which the data directory and its log are opened.

use std::path::PathBuf;
use std::time::Duration;

/// Longer than any log is kept, and more than is kept of any monitor.
const LONGEST_RETENTION: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
const MOST_OF_A_MONITOR: usize = 1_000_000_000;

/// The settings of a data directory.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The data directory; made if it is missing.
    pub dir: PathBuf,
    /// Whether databases of different moments are opened all the same, also when that of the log or of the
    /// history is missing. What they do not know is gone.
    pub accept_torn: bool,
    /// Partitions of the heartbeat log, at least 1; fixed when the log is created.
    pub partitions: u16,
    /// How long the heartbeat log keeps its entries.
    pub retention: Duration,
    /// How often expired entries are removed.
    pub expire_every: Duration,
    /// How often the write-ahead logs are written back, so that they stay short, and the database files hold
    /// all but the newest writes.
    pub write_back_every: Duration,
    /// Heartbeats kept of each monitor, and flips, at least 1.
    pub history_per_monitor: usize,
    /// Most unfinished messages of each queue.
    pub queue_capacity: usize,
    /// Most bytes of the heartbeat log, and as many of the history; `None` = a tenth of the disk, at most
    /// 8 GiB. The oldest entries go first.
    pub log_bytes: Option<u64>,
    /// Most pages of the log's database, 4 KiB each, to simulate a full disk in tests; `None` = no bound.
    pub max_log_pages: Option<u32>,
}

impl SqliteOptions {
    /// The defaults: one partition, 90 days of log, 1,000 heartbeats a monitor, a million messages a queue.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            accept_torn: false,
            partitions: 1,
            retention: Duration::from_secs(90 * 24 * 3_600),
            expire_every: Duration::from_secs(60),
            write_back_every: Duration::from_secs(60),
            history_per_monitor: 1_000,
            queue_capacity: 1_000_000,
            log_bytes: None,
            max_log_pages: None,
        }
    }

    /// For a look into a directory whose settings are not known: nothing is dropped for its age or size.
    pub fn keeping_all(dir: impl Into<PathBuf>) -> Self {
        Self {
            retention: LONGEST_RETENTION,
            history_per_monitor: MOST_OF_A_MONITOR,
            log_bytes: Some(u64::MAX),
            ..Self::new(dir)
        }
    }
}

/// The settings of a log.
pub(super) struct LogOptions {
    pub(super) dir: PathBuf,
    pub(super) partitions: u16,
    pub(super) retention: Duration,
    pub(super) expire_every: Duration,
    pub(super) max_bytes: u64,
    pub(super) max_pages: Option<u32>,
}
