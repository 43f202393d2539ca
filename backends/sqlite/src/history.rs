//! `history.db`: heartbeats and flips by monitor, and deliveries.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::database::{Schema, in_transaction, limit as sql_limit, optional};
use super::deliveries::SqliteDeliveries;
use super::directory::DataDir;
use super::error::{OpenError, StoreError};
use super::options::SqliteOptions;
use super::pages::give_back;
use super::prune::{Pruner, remove_step};
use super::readers::Readers;
use super::tasks::{TaskHandler, TaskWriter};
use super::trim::Trim;
use super::writer::Writer;
use model::flip::Flip;
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::MonitorId;
use model::time::EventTime;
use model::wire::{decode, encode};
use ports::clock::Clock;
use ports::history::{HeartbeatEntry, History, HistoryBatch, HistoryError};

/// - `heartbeats.kind`: 0 = up, 1 = down. `source`: the 4 or 16 bytes of the address.
/// - `removals`: deleted monitors whose rows are removed step by step; readers see nothing of them any more.
/// - `deliveries.state`: 0 = pending, 1 = delivered, 2 = dead, 3 = folded, 4 = suppressed.
pub(super) static SCHEMA: Schema = Schema {
    file: "history.db",
    application_id: 0x4c55_4248,
    create: "CREATE TABLE heartbeats (monitor BLOB NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL, message TEXT,
                 value REAL, source BLOB, has_output INTEGER NOT NULL, PRIMARY KEY (monitor, at)) WITHOUT ROWID;
             CREATE TABLE outputs (monitor BLOB NOT NULL, at INTEGER NOT NULL, output BLOB NOT NULL,
                 PRIMARY KEY (monitor, at)) WITHOUT ROWID;
             CREATE INDEX outputs_by_time ON outputs (at);
             CREATE TABLE flips (monitor BLOB NOT NULL, at INTEGER NOT NULL, flip BLOB NOT NULL,
                 PRIMARY KEY (monitor, at)) WITHOUT ROWID;
             CREATE TABLE removals (monitor BLOB PRIMARY KEY) WITHOUT ROWID;
             CREATE TABLE deliveries (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL,
                 monitor BLOB, channel BLOB NOT NULL, state INTEGER NOT NULL, delivery BLOB NOT NULL);
             CREATE INDEX deliveries_by_time ON deliveries (created_at, id);
             CREATE INDEX deliveries_by_monitor ON deliveries (monitor, created_at, id);
             CREATE INDEX deliveries_by_channel ON deliveries (channel, created_at, id);
             CREATE INDEX deliveries_by_state ON deliveries (state, created_at, id);",
    cache_kib: 16_384,
    checkpoint_pages: 8_000,
};

/// Deleted monitors whose rows a batch removes in its own transaction. The rows of the others are removed
/// later, so that deleting many monitors does not hold up the writer.
const REMOVED_AT_ONCE: usize = 4;

/// Pause between two steps that give room back to the disk.
const GIVE_BACK_EVERY: Duration = Duration::from_millis(100);

/// The open `history.db` with its adapters.
pub(super) struct HistoryDb {
    writer: Arc<TaskWriter>,
    readers: Readers,
    pub(super) history: Arc<SqliteHistory>,
    pub(super) deliveries: Arc<SqliteDeliveries>,
}

impl HistoryDb {
    pub(super) fn open(
        options: &SqliteOptions,
        max_bytes: u64,
        clock: Arc<dyn Clock>,
        dir: Arc<DataDir>,
    ) -> Result<Self, OpenError> {
        let conn = SCHEMA.open(&options.dir, None)?;
        let pruner = Arc::new(Mutex::new(Pruner::new(options.history_per_monitor)));
        let sweeper = Arc::clone(&pruner);
        let mut trim = Trim::new(max_bytes, options.history_per_monitor, Arc::clone(&dir));
        let maintenance = move |conn: &Connection| {
            // First, because what else is tidied up may need room.
            let trimmed = in_transaction(conn, |conn| trim.step(conn))?;
            let pause = sweeper.lock().maintain(conn, clock.now())?;
            let more_to_give_back = give_back(conn)?;
            Ok(trimmed.pause(if more_to_give_back { pause.min(GIVE_BACK_EVERY) } else { pause }))
        };
        let writer = Writer::start("lubdub-history", conn, TaskHandler::new(Box::new(maintenance)), dir)
            .map_err(|source| OpenError::NotWritable { dir: options.dir.clone(), source })?;
        let writer = Arc::new(writer);
        let readers = Readers::new(&SCHEMA, options.dir.clone());
        Ok(Self {
            history: Arc::new(SqliteHistory {
                writer: Arc::clone(&writer),
                readers: readers.clone(),
                pruner: Arc::clone(&pruner),
            }),
            deliveries: Arc::new(SqliteDeliveries::new(Arc::clone(&writer), readers.clone(), pruner)),
            writer,
            readers,
        })
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.close().await
    }
}

/// A [`History`] in SQLite.
pub struct SqliteHistory {
    writer: Arc<TaskWriter>,
    readers: Readers,
    pruner: Arc<Mutex<Pruner>>,
}

impl SqliteHistory {
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        self.readers.read(query).await.map_err(|error| HistoryError(error.into()))
    }
}

/// How a kind is stored; it must never change.
const fn kind_number(kind: HeartbeatKind) -> i64 {
    match kind {
        HeartbeatKind::Up => 0,
        HeartbeatKind::Down => 1,
    }
}

const fn kind_of(number: i64) -> HeartbeatKind {
    if number == kind_number(HeartbeatKind::Up) { HeartbeatKind::Up } else { HeartbeatKind::Down }
}

fn insert_heartbeat(conn: &Connection, heartbeat: &Heartbeat) -> rusqlite::Result<bool> {
    let Heartbeat { monitor, received_at, kind, message, value, source, output, trace: _ } = heartbeat;
    let kind = kind_number(*kind);
    let source = source.map(|source| match source {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    });
    let (monitor, at) = (monitor.as_uuid(), received_at.as_micros());
    let inserted = conn
        .prepare_cached("INSERT OR IGNORE INTO heartbeats VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![monitor, at, kind, message, value, source, output.is_some()])?;
    if inserted > 0
        && let Some(output) = output
    {
        let sql = "INSERT OR REPLACE INTO outputs VALUES (?1, ?2, ?3)";
        conn.prepare_cached(sql)?.execute(params![monitor, at, &output[..]])?;
    }
    Ok(inserted > 0)
}

fn write_batch(conn: &Connection, batch: &HistoryBatch, pruner: &mut Pruner) -> rusqlite::Result<()> {
    for heartbeat in &batch.heartbeats {
        if insert_heartbeat(conn, heartbeat)? {
            pruner.added_heartbeat(conn, heartbeat.monitor)?;
        }
    }
    for flip in &batch.flips {
        let sql = "INSERT OR IGNORE INTO flips VALUES (?1, ?2, ?3)";
        let row = params![flip.monitor.as_uuid(), flip.at.as_micros(), &encode(flip)[..]];
        if conn.prepare_cached(sql)?.execute(row)? > 0 {
            pruner.added_flip(conn, flip.monitor)?;
        }
    }
    for (index, monitor) in batch.removed.iter().enumerate() {
        if index >= REMOVED_AT_ONCE || !remove_step(conn, monitor.as_uuid())? {
            let sql = "INSERT OR IGNORE INTO removals VALUES (?1)";
            conn.prepare_cached(sql)?.execute([monitor.as_uuid()])?;
        }
    }
    Ok(())
}

const COLUMNS: &str = "at, kind, message, value, source, has_output";

fn entry(monitor: MonitorId, row: &Row<'_>) -> rusqlite::Result<HeartbeatEntry> {
    let source: Option<Vec<u8>> = row.get(4)?;
    let address = |bytes: Vec<u8>| match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(octets) => Some(IpAddr::from(octets)),
        Err(_) => <[u8; 16]>::try_from(&bytes[..]).ok().map(IpAddr::from),
    };
    let heartbeat = Heartbeat {
        monitor,
        received_at: EventTime::from_micros(row.get(0)?),
        kind: kind_of(row.get(1)?),
        message: row.get(2)?,
        value: row.get(3)?,
        source: source.and_then(address),
        output: None,
        trace: None,
    };
    Ok(HeartbeatEntry { heartbeat, has_output: row.get(5)? })
}

fn is_removed(conn: &Connection, monitor: Uuid) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM removals WHERE monitor = ?1")?.exists([monitor])
}

#[async_trait]
impl History for SqliteHistory {
    async fn append(&self, mut batch: HistoryBatch) -> Result<(), HistoryError> {
        // Sorted like the table, so that each page is visited once. Stable: the first of equal heartbeats
        // stays.
        batch.heartbeats.sort_by_key(|heartbeat| (heartbeat.monitor, heartbeat.received_at));
        let pruner = Arc::clone(&self.pruner);
        let work = move |conn: &Connection| write_batch(conn, &batch, &mut pruner.lock());
        self.writer.write(work, |_| ()).await.map_err(|error| HistoryError(error.into()))
    }

    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        let before = before.map_or(i64::MAX, EventTime::as_micros);
        self.read(move |conn| {
            let id = monitor.as_uuid();
            if is_removed(conn, id)? {
                return Ok(Vec::new());
            }
            let sql = format!(
                "SELECT {COLUMNS} FROM heartbeats WHERE monitor = ?1 AND at < ?2 ORDER BY at DESC LIMIT ?3"
            );
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map(params![id, before, sql_limit(limit)], |row| entry(monitor, row))?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
        .await
    }

    async fn newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        let monitors = monitors.to_vec();
        let sql = format!("SELECT {COLUMNS} FROM heartbeats WHERE monitor = ?1 ORDER BY at DESC LIMIT 1");
        self.read(move |conn| {
            let mut query = conn.prepare_cached(&sql)?;
            let mut newest = |monitor: MonitorId| {
                let id = monitor.as_uuid();
                if is_removed(conn, id)? {
                    return Ok(None);
                }
                Ok(query.query_row([id], |row| entry(monitor, row)).optional()?)
            };
            monitors.into_iter().map(&mut newest).collect()
        })
        .await
    }

    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError> {
        self.read(move |conn| {
            let id = monitor.as_uuid();
            if is_removed(conn, id)? {
                return Ok(None);
            }
            let sql = "SELECT output FROM outputs WHERE monitor = ?1 AND at = ?2";
            Ok(optional::<Vec<u8>>(conn, sql, params![id, at.as_micros()])?.map(Bytes::from))
        })
        .await
    }

    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError> {
        let before = before.map_or(i64::MAX, EventTime::as_micros);
        self.read(move |conn| {
            let id = monitor.as_uuid();
            if is_removed(conn, id)? {
                return Ok(Vec::new());
            }
            let sql = "SELECT flip FROM flips WHERE monitor = ?1 AND at < ?2 ORDER BY at DESC LIMIT ?3";
            let mut query = conn.prepare_cached(sql)?;
            let mut rows = query.query(params![id, before, sql_limit(limit)])?;
            let mut flips = Vec::new();
            while let Some(row) = rows.next()? {
                flips.push(decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
            }
            Ok(flips)
        })
        .await
    }
}
