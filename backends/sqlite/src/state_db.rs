//! `state.db`: registry, states, leases, outbox, queues and the ledger.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::applied::Applied;
use super::database::{Schema, from_sql};
use super::directory::DataDir;
use super::error::{OpenError, StoreError};
use super::forgetting::forget;
use super::ledger::{self, SqliteLedger};
use super::options::SqliteOptions;
use super::pages::give_back;
use super::queue::{self, SqliteQueue};
use super::readers::Readers;
use super::registry::SqliteRegistry;
use super::state::SqliteStateStore;
use super::tasks::{TaskHandler, TaskWriter};
use super::writer::Writer;
use model::ids::{Offset, PartitionId};
use ports::clock::Clock;
use ports::queue::QueueName;

/// - `counters`: `revision` (of the registry; it begins at the time of day, so that it is above those of an
///   earlier database, which stand in the log), `ledger` (see [`ledger::TABLES`]).
/// - `states.armed_at`: the entry in the sorted set, which is in memory. Without an index: see
///   [`super::state`].
/// - `messages.state`: 0 = unfinished, 1 = dead, 2 = completed (its body is gone, its id is remembered).
///   `seq` is its place.
/// - `queues.unfinished`: how many messages are in state 0.
pub(super) static SCHEMA: Schema = Schema {
    file: "state.db",
    application_id: 0x4c55_4253,
    create: "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
             INSERT INTO counters VALUES ('revision', CAST(unixepoch('subsec') * 1000000 AS INTEGER));
             CREATE TABLE records (kind INTEGER NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL,
                 value BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
             CREATE TABLE partitions (partition INTEGER PRIMARY KEY, counter INTEGER NOT NULL, owner TEXT, token TEXT,
                 committed INTEGER NOT NULL, applied INTEGER NOT NULL, head BLOB);
             CREATE TABLE states (partition INTEGER NOT NULL, monitor BLOB NOT NULL, armed_at INTEGER,
                 state BLOB NOT NULL, PRIMARY KEY (partition, monitor)) WITHOUT ROWID;
             CREATE TABLE outbox (partition INTEGER NOT NULL, number INTEGER NOT NULL, alert BLOB NOT NULL,
                 PRIMARY KEY (partition, number)) WITHOUT ROWID;
             CREATE TABLE queues (queue INTEGER PRIMARY KEY, unfinished INTEGER NOT NULL);
             INSERT INTO queues VALUES (0, 0), (1, 0);
             CREATE TABLE origins (queue INTEGER NOT NULL, partition INTEGER NOT NULL, number INTEGER NOT NULL,
                 PRIMARY KEY (queue, partition)) WITHOUT ROWID;
             CREATE TABLE messages (seq INTEGER PRIMARY KEY, queue INTEGER NOT NULL, id BLOB NOT NULL, lane BLOB NOT NULL,
                 order_key BLOB NOT NULL, due_at INTEGER NOT NULL, state INTEGER NOT NULL, body BLOB, done_at INTEGER);
             CREATE UNIQUE INDEX message_ids ON messages (queue, id);
             CREATE INDEX dead_messages ON messages (queue, done_at) WHERE state = 1;
             CREATE INDEX completed_messages ON messages (done_at) WHERE state = 2;",
    cache_kib: 32_768,
    // A commit touches a page for nearly every state: a page that is touched again before it is written back
    // counts once.
    checkpoint_pages: 16_000,
};

/// How often old finished messages are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

fn load_applied(conn: &Connection, applied: &Applied) -> rusqlite::Result<()> {
    let mut query = conn.prepare("SELECT partition, applied FROM partitions")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        applied.set(PartitionId(row.get(0)?), Offset(from_sql(row.get(1)?)));
    }
    Ok(())
}

/// The open `state.db` with its adapters.
pub(super) struct StateDb {
    writer: Arc<TaskWriter>,
    readers: Readers,
    pub(super) registry: Arc<SqliteRegistry>,
    pub(super) state: Arc<SqliteStateStore>,
    pub(super) alerts: Arc<SqliteQueue>,
    pub(super) deliveries: Arc<SqliteQueue>,
    pub(super) ledger: Arc<SqliteLedger>,
}

impl StateDb {
    pub(super) fn open(
        options: &SqliteOptions,
        clock: Arc<dyn Clock>,
        applied: Arc<Applied>,
        dir: Arc<DataDir>,
    ) -> Result<Self, OpenError> {
        let conn = SCHEMA.open(&options.dir, None)?;
        let failed = |source| OpenError::of(SCHEMA.path(&options.dir), source);
        // The holders of stored leases died with the former process.
        conn.execute("UPDATE partitions SET owner = NULL, token = NULL", []).map_err(failed)?;
        load_applied(&conn, &applied).map_err(failed)?;
        // Not in the schema: databases of the first versions lack this index, and those versions ignore it.
        let dead = queue::DEAD;
        let sql = format!("CREATE INDEX IF NOT EXISTS dead_ids ON messages (queue, id) WHERE state = {dead}");
        conn.execute(&sql, []).map_err(failed)?;
        conn.execute_batch(ledger::TABLES).map_err(failed)?;
        let load = |name| queue::load(&conn, name).map_err(failed);
        let indexes = (load(QueueName::Alerts)?, load(QueueName::Deliveries)?);
        let (capacity, forget_clock) = (options.queue_capacity, Arc::clone(&clock));
        let maintenance = move |conn: &Connection| {
            let more = forget(conn, forget_clock.now(), capacity)?;
            let more = give_back(conn)? || more;
            Ok(if more { Duration::from_millis(100) } else { FORGET_EVERY })
        };
        let handler = TaskHandler::new(Box::new(maintenance));
        let writer = Writer::start("lubdub-state", conn, handler, dir)
            .map_err(|source| OpenError::NotWritable { dir: options.dir.clone(), source })?;
        let writer = Arc::new(writer);
        let readers = Readers::new(&SCHEMA, options.dir.clone());
        let queue = |name, index| {
            let (writer, readers) = (Arc::clone(&writer), readers.clone());
            Arc::new(SqliteQueue::new(name, index, capacity, writer, readers, Arc::clone(&clock)))
        };
        Ok(Self {
            registry: Arc::new(SqliteRegistry::new(Arc::clone(&writer), readers.clone())),
            state: Arc::new(SqliteStateStore::new(Arc::clone(&writer), readers.clone(), applied)),
            alerts: queue(QueueName::Alerts, indexes.0),
            deliveries: queue(QueueName::Deliveries, indexes.1),
            ledger: Arc::new(SqliteLedger::new(Arc::clone(&writer), readers.clone())),
            writer,
            readers,
        })
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.close().await
    }
}
