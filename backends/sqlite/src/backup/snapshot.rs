//! All databases as they were at one moment, beside a process that writes to them.
//!
//! Each connection has a read transaction: it sees its database as it was when the transaction began, for as
//! long as it is open. The transactions begin one after the other. If nothing was written to the first two
//! until the last had begun, then all three show what was so when it began. Otherwise they are begun anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error::BackupError;
use crate::database::{Schema, from_sql};
use crate::error::OpenError;
use crate::registry::count_monitors;
use crate::{history, log, state_db};
use model::ids::{Offset, PartitionId};

/// So often a moment is looked for, and the pause between two looks. A look takes some 100 µs, and there is a
/// pause in the writing after each fsync.
const LOOKS: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(2);

/// Pages that are copied at once, before a look whether to stop.
const STEP_PAGES: i32 = 4_096;

/// A database of the moment.
pub(super) struct Database {
    pub(super) schema: &'static Schema,
    conn: Connection,
}

/// The databases of one moment: state, history and log.
pub(super) struct Snapshot([Database; 3]);

impl Snapshot {
    pub(super) fn take(dir: &Path) -> Result<Self, BackupError> {
        let databases =
            [open(&state_db::SCHEMA, dir)?, open(&history::SCHEMA, dir)?, open(&log::SCHEMA, dir)?];
        let watches = [open(&state_db::SCHEMA, dir)?, open(&history::SCHEMA, dir)?];
        for _ in 0..LOOKS {
            let before = versions(&watches, dir)?;
            run(&databases, dir, "BEGIN; SELECT count(*) FROM sqlite_schema")?;
            if versions(&watches, dir)? == before {
                return Ok(Self(databases));
            }
            run(&databases, dir, "ROLLBACK")?;
            std::thread::sleep(PAUSE);
        }
        Err(BackupError::Busy(dir.to_owned()))
    }

    pub(super) const fn databases(&self) -> &[Database] {
        &self.0
    }

    /// The log's incarnation, and the number of monitors.
    pub(super) fn identity(&self) -> rusqlite::Result<(String, u64)> {
        let [state, _, log] = &self.0;
        let incarnation = log.conn.query_row("SELECT incarnation FROM log", [], |row| row.get(0))?;
        Ok((incarnation, count_monitors(&state.conn)?))
    }

    /// Up to which offset the state of each partition follows from the log.
    pub(super) fn applied(&self) -> rusqlite::Result<BTreeMap<PartitionId, Offset>> {
        let mut query = self.0[0].conn.prepare("SELECT partition, applied FROM partitions")?;
        let rows =
            query.query_map([], |row| Ok((PartitionId(row.get(0)?), Offset(from_sql(row.get(1)?)))))?;
        rows.collect()
    }
}

impl Database {
    /// Bytes of its pages.
    pub(super) fn bytes(&self) -> rusqlite::Result<u64> {
        let pragma = |name| self.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(from_sql(pragma("page_count")?).saturating_mul(from_sql(pragma("page_size")?)))
    }

    /// Copies it to a new file, unless `stop` says that it is not wanted any more.
    pub(super) fn copy(&self, to: &Path, stop: impl Fn() -> bool) -> Result<(), BackupError> {
        let failed = BackupError::copy(to.to_owned());
        let mut copy = Connection::open(to).map_err(&failed)?;
        // It is not yet anything that has to outlive a loss of power.
        copy.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;").map_err(&failed)?;
        let backup = Backup::new(&self.conn, &mut copy).map_err(&failed)?;
        // Within the read transaction nothing is locked or busy, and no step begins anew.
        while backup.step(STEP_PAGES).map_err(&failed)? != StepResult::Done {
            if stop() {
                return Err(BackupError::Stopped);
            }
        }
        drop(backup);
        copy.close().map_err(|(_, error)| failed(error))
    }
}

fn open(schema: &'static Schema, dir: &Path) -> Result<Database, BackupError> {
    let file = schema.path(dir);
    let conn = schema.open_reader(dir).map_err(|source| OpenError::of(file.clone(), source))?;
    schema.identify(&conn, &file)?;
    Ok(Database { schema, conn })
}

fn run(databases: &[Database], dir: &Path, sql: &str) -> Result<(), BackupError> {
    databases.iter().try_for_each(|database| {
        let failed = BackupError::copy(database.schema.path(dir));
        database.conn.execute_batch(sql).map_err(failed)
    })
}

/// Numbers that change when another connection writes.
fn versions(watches: &[Database], dir: &Path) -> Result<Vec<i64>, BackupError> {
    let version = |database: &Database| {
        let failed = BackupError::copy(database.schema.path(dir));
        database.conn.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(failed)
    };
    watches.iter().map(version).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{SqliteBackend, SqliteOptions};
    use ports::clock::SystemClock;

    /// A pipeline in small: each number goes into the log, then the history, then the state.
    fn write_on(dir: &Path, stop: &AtomicBool) {
        let conns = [&log::SCHEMA, &history::SCHEMA, &state_db::SCHEMA].map(|schema| {
            let conn = Connection::open(schema.path(dir)).expect("open");
            conn.busy_timeout(crate::database::BUSY).expect("set");
            // As fast as it can be.
            conn.execute_batch("PRAGMA synchronous = OFF").expect("set");
            conn
        });
        while !stop.load(Ordering::Relaxed) {
            for conn in &conns {
                conn.execute("UPDATE pipeline SET n = n + 1", []).expect("write");
            }
        }
    }

    /// Ends the pipeline also when the test fails.
    struct AtTheEnd<'a>(&'a AtomicBool);

    impl Drop for AtTheEnd<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn every_snapshot_is_of_one_moment_beside_a_pipeline_that_never_rests() {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path();
        let backend =
            SqliteBackend::open(SqliteOptions::new(dir), Arc::new(SystemClock::new())).expect("open");
        backend.close().await.expect("close");
        for schema in [&state_db::SCHEMA, &history::SCHEMA, &log::SCHEMA] {
            let conn = Connection::open(schema.path(dir)).expect("open");
            conn.execute_batch(
                "CREATE TABLE pipeline (n INTEGER NOT NULL); INSERT INTO pipeline VALUES (0);",
            )
            .expect("make");
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| write_on(dir, &stop));
            let _end = AtTheEnd(&stop);
            let mut newest = 0;
            for _ in 0..200 {
                let snapshot = Snapshot::take(dir).expect("a moment");
                let [state, history, log] = &snapshot.0;
                let number = |database: &Database| {
                    let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                    database.conn.query_row("SELECT n FROM pipeline", [], read).expect("read")
                };
                let (state, history, log) = (number(state), number(history), number(log));
                assert!(state <= history && history <= log && log <= state + 1, "{state} {history} {log}");
                newest = state;
            }
            assert!(newest > 0, "it was written to meanwhile");
        });
    }
}
