//! The embedded backend: every port in one directory, by SQLite.
//!
//! Three databases, so that work for one port does not delay another: `log.db` (the heartbeat log),
//! `state.db` (registry, states, leases, outbox, queues, ledger) and `history.db` (heartbeats, flips,
//! deliveries). Each has one [writer] thread with group commit, in WAL mode with `synchronous = FULL`: an
//! acknowledged write is on the disk. [readers] have connections of their own. Checkpoints are files in a
//! folder beside the databases.

mod applied;
mod backup;
mod checkpoints;
mod database;
mod deliveries;
mod delivery_state;
mod directory;
mod error;
mod forgetting;
mod history;
mod ledger;
mod log;
mod options;
mod pages;
mod prune;
mod queue;
mod readers;
mod registry;
mod room;
mod state;
mod state_db;
mod state_rows;
mod tasks;
mod together;
mod traces;
mod trim;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use applied::Applied;
use directory::DataDir;
use history::HistoryDb;
use log::OpenedLog;
use model::time::EventTime;
use options::LogOptions;
use ports::BackendError;
use ports::clock::Clock;
use ports::queue::QueueName;
use state_db::StateDb;

pub use backup::{BackupError, Manifest, Part, back_up, check, restore};
pub use checkpoints::FileCheckpoints;
pub use deliveries::SqliteDeliveries;
pub use error::OpenError;
pub use history::SqliteHistory;
pub use ledger::SqliteLedger;
pub use log::SqliteHeartbeatLog;
pub use options::SqliteOptions;
pub use queue::SqliteQueue;
pub use registry::SqliteRegistry;
pub use state::SqliteStateStore;

/// The adapters of an open data directory.
///
/// The directory is held until [`close`](Self::close) has returned, or the backend and all its adapters are
/// dropped.
pub struct SqliteBackend {
    log: Arc<SqliteHeartbeatLog>,
    state_db: StateDb,
    history_db: HistoryDb,
    checkpoints: Arc<FileCheckpoints>,
    is_new: bool,
}

impl SqliteBackend {
    /// Whether Lubdub has data in a directory.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(state_db::SCHEMA.file).exists()
    }

    /// Opens a data directory; makes it if there is none. Blocks while it reads the stored data.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: SqliteOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(options, |_| clock)
    }

    /// Like [`open`](Self::open), for a clock that must not start before the newest time in the log.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(
        options: SqliteOptions,
        clock: impl FnOnce(Option<EventTime>) -> Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let dir = options.dir.clone();
        let databases = [log::SCHEMA.file, state_db::SCHEMA.file, history::SCHEMA.file];
        let held = Arc::new(DataDir::take(&dir, &databases, options.write_back_every)?);
        let is_new = !traces::installation(&dir, options.accept_torn)?;
        if !is_new {
            together::check(&dir, options.accept_torn)?;
            if options.accept_torn {
                together::accept(&dir)?;
            }
        }
        let max_bytes = options.log_bytes.unwrap_or_else(|| room::default_limit(&dir));
        let log_options = LogOptions {
            dir: dir.clone(),
            partitions: options.partitions.max(1),
            retention: options.retention,
            expire_every: options.expire_every.max(Duration::from_millis(1)),
            max_bytes,
            max_pages: options.max_log_pages,
        };
        let opened = OpenedLog::open(log_options)?;
        let clock = clock(opened.newest_time());
        let no_thread = |source| OpenError::NotWritable { dir: dir.clone(), source };
        let applied = Arc::new(Applied::new(options.partitions.max(1)));
        let state_db = StateDb::open(&options, Arc::clone(&clock), Arc::clone(&applied), Arc::clone(&held))?;
        let history_db = HistoryDb::open(&options, max_bytes, Arc::clone(&clock), Arc::clone(&held))?;
        let checkpoints = Arc::new(FileCheckpoints::new(&dir, Arc::clone(&held)));
        let log = opened.start(clock, applied, held).map_err(no_thread)?;
        Ok(Self { log: Arc::new(log), state_db, history_db, checkpoints, is_new })
    }

    /// Whether this opening made the installation: there was none in the directory.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// The heartbeat log.
    pub fn log(&self) -> Arc<SqliteHeartbeatLog> {
        Arc::clone(&self.log)
    }

    /// The registry.
    pub fn registry(&self) -> Arc<SqliteRegistry> {
        Arc::clone(&self.state_db.registry)
    }

    /// The state store, for owners and readers of partitions.
    pub fn state(&self) -> Arc<SqliteStateStore> {
        Arc::clone(&self.state_db.state)
    }

    /// One of the queues.
    pub fn queue(&self, name: QueueName) -> Arc<SqliteQueue> {
        match name {
            QueueName::Alerts => Arc::clone(&self.state_db.alerts),
            QueueName::Deliveries => Arc::clone(&self.state_db.deliveries),
        }
    }

    /// The notifier's ledger.
    pub fn ledger(&self) -> Arc<SqliteLedger> {
        Arc::clone(&self.state_db.ledger)
    }

    /// Heartbeats and flips.
    pub fn history(&self) -> Arc<SqliteHistory> {
        Arc::clone(&self.history_db.history)
    }

    /// Checkpoints of partitions.
    pub fn checkpoints(&self) -> Arc<FileCheckpoints> {
        Arc::clone(&self.checkpoints)
    }

    /// Deliveries.
    pub fn deliveries(&self) -> Arc<SqliteDeliveries> {
        Arc::clone(&self.history_db.deliveries)
    }

    /// Finishes waiting writes, closes the databases and releases the directory. Later calls to the adapters
    /// answer that the database is closed.
    ///
    /// # Errors
    /// If a waiting write failed; everything acknowledged before is on the disk.
    pub async fn close(self) -> Result<(), BackendError> {
        self.checkpoints.close().await;
        let (history, state, log) =
            tokio::join!(self.history_db.close(), self.state_db.close(), self.log.close());
        history.and(state).and(log).map_err(Into::into)
    }
}
