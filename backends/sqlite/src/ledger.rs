//! The ledger in SQLite: rows by scope in `state.db`, and each scope's version.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::database::{from_sql, optional};
use super::error::StoreError;
use super::readers::Readers;
use super::tasks::TaskWriter;
use ports::ledger::{Ledger, LedgerError, LedgerPage};

/// Creates missing tables. `counters` has the newest version of all scopes, so that no version comes twice.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS ledger_scopes (scope BLOB PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ledger_rows (scope BLOB NOT NULL, key BLOB NOT NULL, row BLOB NOT NULL,
        PRIMARY KEY (scope, key)) WITHOUT ROWID;
    INSERT OR IGNORE INTO counters VALUES ('ledger', 0);";

/// A [`Ledger`] in SQLite.
pub struct SqliteLedger {
    writer: Arc<TaskWriter>,
    readers: Readers,
}

/// A row to put, or to remove.
type Change = (Uuid, Option<Bytes>);

impl SqliteLedger {
    pub(super) fn new(writer: Arc<TaskWriter>, readers: Readers) -> Self {
        Self { writer, readers }
    }
}

fn version(conn: &Connection, scope: Uuid) -> rusqlite::Result<u64> {
    let sql = "SELECT version FROM ledger_scopes WHERE scope = ?1";
    Ok(optional::<i64>(conn, sql, [scope])?.map_or(0, from_sql))
}

/// Writes changes. Answers the scope's new version, or the found one if it is not `expected`.
fn write_changes(
    conn: &Connection,
    scope: Uuid,
    expected: u64,
    changes: &[Change],
) -> rusqlite::Result<Result<u64, u64>> {
    let found = version(conn, scope)?;
    if found != expected {
        return Ok(Err(found));
    }
    let mut put = conn.prepare_cached("INSERT OR REPLACE INTO ledger_rows VALUES (?1, ?2, ?3)")?;
    let mut remove = conn.prepare_cached("DELETE FROM ledger_rows WHERE scope = ?1 AND key = ?2")?;
    for (key, row) in changes {
        match row {
            Some(row) => put.execute(params![scope, key, &row[..]])?,
            None => remove.execute(params![scope, key])?,
        };
    }
    let any = "SELECT 1 FROM ledger_rows WHERE scope = ?1 LIMIT 1";
    if optional::<i64>(conn, any, [scope])?.is_none() {
        conn.prepare_cached("DELETE FROM ledger_scopes WHERE scope = ?1")?.execute([scope])?;
        return Ok(Ok(0));
    }
    conn.prepare_cached("UPDATE counters SET value = value + 1 WHERE name = 'ledger'")?.execute([])?;
    let newest = "SELECT value FROM counters WHERE name = 'ledger'";
    let version: i64 = conn.prepare_cached(newest)?.query_row([], |row| row.get(0))?;
    conn.prepare_cached("INSERT OR REPLACE INTO ledger_scopes VALUES (?1, ?2)")?
        .execute(params![scope, version])?;
    Ok(Ok(from_sql(version)))
}

fn read_page(conn: &Connection, scope: Uuid) -> Result<LedgerPage, StoreError> {
    let version = version(conn, scope)?;
    let mut query = conn.prepare_cached("SELECT key, row FROM ledger_rows WHERE scope = ?1")?;
    let rows = query.query_map([scope], |row| Ok((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?))))?;
    Ok(LedgerPage { version, rows: rows.collect::<rusqlite::Result<_>>()? })
}

fn unavailable(error: StoreError) -> LedgerError {
    LedgerError::Unavailable(error.into())
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        self.readers.read(move |conn| read_page(conn, scope)).await.map_err(unavailable)
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        let work = move |conn: &Connection| write_changes(conn, scope, expected, &changes);
        let written = self.writer.write(work, |_| ()).await.map_err(unavailable)?;
        written.map_err(|found| LedgerError::Conflict { found })
    }
}
