//! The registry in SQLite.

mod rows;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{from_sql, limit as sql_limit, optional, to_sql};
use super::error::StoreError;
use super::readers::Readers;
use super::tasks::TaskWriter;
use model::ids::{MonitorId, PartitionId, Revision};
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};
use rows::{kind_number, record};
use watch::{Change, Watchers};

/// A [`Registry`] in SQLite.
pub struct SqliteRegistry {
    writer: Arc<TaskWriter>,
    readers: Readers,
    watchers: Arc<Watchers>,
}

impl SqliteRegistry {
    pub(super) fn new(writer: Arc<TaskWriter>, readers: Readers) -> Self {
        Self { writer, readers, watchers: Arc::default() }
    }
}

/// How many monitors there are.
pub(super) fn count_monitors(conn: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM records WHERE kind = ?1";
    let monitors = conn.query_row(sql, [kind_number(RecordKind::Monitor)], |row| row.get(0))?;
    Ok(from_sql(monitors))
}

fn revision_of(conn: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Revision>> {
    let sql = "SELECT revision FROM records WHERE kind = ?1 AND id = ?2";
    let revision = optional::<i64>(conn, sql, params![kind_number(key.kind), key.id])?;
    Ok(revision.map(|revision| Revision(from_sql(revision))))
}

fn next_revision(conn: &Connection) -> rusqlite::Result<Revision> {
    let sql = "UPDATE counters SET value = value + 1 WHERE name = 'revision' RETURNING value";
    // Read to the end, so that the statement is completed.
    let mut update = conn.prepare_cached(sql)?;
    let mut rows = update.query([])?;
    let value = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get(0)?;
    rows.next()?;
    Ok(Revision(from_sql(value)))
}

fn write_error(error: StoreError) -> RegistryError {
    RegistryError::Unavailable(error.into())
}

#[async_trait]
impl Registry for SqliteRegistry {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        let key = key.clone();
        let sql = "SELECT id, revision, value FROM records WHERE kind = ?1 AND id = ?2";
        let read = self.readers.read(move |conn| {
            let params = params![kind_number(key.kind), key.id];
            Ok(conn.prepare_cached(sql)?.query_row(params, |row| record(key.kind, row)).optional()?)
        });
        read.await.map_err(write_error)
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        let as_expected = match expected {
            Expected::Absent => None,
            Expected::At(revision) => Some(revision),
        };
        let (key, told_key) = (key.clone(), key.clone());
        let (told_value, watchers) = (value.clone(), Arc::clone(&self.watchers));
        let work = move |conn: &Connection| {
            if revision_of(conn, &key)? != as_expected {
                return Ok(None);
            }
            let revision = next_revision(conn)?;
            let sql = "INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4)";
            let row = params![kind_number(key.kind), key.id, to_sql(revision.0), &value[..]];
            conn.prepare_cached(sql)?.execute(row)?;
            Ok(Some(revision))
        };
        let tell = move |revision: &Option<Revision>| {
            if let Some(revision) = *revision {
                watchers.tell(&Change::Put(Record { key: told_key, revision, value: told_value }));
            }
        };
        let written = self.writer.write(work, tell).await.map_err(write_error)?;
        written.ok_or(RegistryError::Conflict)
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        let (key, told_key) = (key.clone(), key.clone());
        let watchers = Arc::clone(&self.watchers);
        let work = move |conn: &Connection| {
            if revision_of(conn, &key)? != Some(expected) {
                return Ok(None);
            }
            let sql = "DELETE FROM records WHERE kind = ?1 AND id = ?2";
            conn.prepare_cached(sql)?.execute(params![kind_number(key.kind), key.id])?;
            next_revision(conn).map(Some)
        };
        let tell = move |revision: &Option<Revision>| {
            if let Some(revision) = *revision {
                watchers.tell(&Change::Deleted(told_key, revision));
            }
        };
        let written = self.writer.write(work, tell).await.map_err(write_error)?;
        written.map(|_| ()).ok_or(RegistryError::Conflict)
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        let after = after.unwrap_or_default().to_owned();
        let sql = "SELECT id, revision, value FROM records WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let read = self.readers.read(move |conn| {
            let mut query = conn.prepare_cached(sql)?;
            let params = params![kind_number(kind), after, sql_limit(limit)];
            let rows = query.query_map(params, |row| record(kind, row))?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        });
        read.await.map_err(write_error)
    }

    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        let read = self.readers.read(move |conn| {
            let mut query = conn.prepare_cached("SELECT id, revision FROM records WHERE kind = ?1")?;
            let mut rows = query.query(params![kind_number(RecordKind::Monitor)])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let id = row.get_ref(0)?.as_str().ok().and_then(|id| id.parse::<MonitorId>().ok());
                let monitor = id.filter(|id| id.partition(count) == partition);
                if let Some(monitor) = monitor {
                    found.push((monitor, Revision(from_sql(row.get(1)?))));
                }
            }
            Ok(found)
        });
        read.await.map_err(write_error)
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        let watching = self.watchers.begin(kinds, observer);
        let watcher = Arc::clone(watching.watcher());
        self.readers.read(move |conn| Ok(watcher.load(conn)?)).await.map_err(write_error)?;
        Ok(WatchGuard::new(watching.go_on()))
    }
}
