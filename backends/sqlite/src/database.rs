//! A database file: its settings, its schema, its version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::Uuid;

use super::error::OpenError;
use super::room::wal_pages;

/// The kind of a database file.
pub(super) struct Schema {
    /// Name of the file in the data directory.
    pub(super) file: &'static str,
    /// SQLite's application id, which tells our files from those of other programs.
    pub(super) application_id: i32,
    /// Statements that create the newest version.
    pub(super) create: &'static str,
    /// Page cache of the writing connection, KiB.
    pub(super) cache_kib: i64,
    /// Length at which the write-ahead log is written back, pages of 4 KiB.
    pub(super) checkpoint_pages: i64,
}

/// Version of every schema and of what it stores, in `user_version`.
pub(super) const VERSION: i64 = 5;

/// Page cache of a reading connection, KiB.
const READER_CACHE_KIB: i64 = 4_096;

/// How long a connection waits for another one's lock.
pub(super) const BUSY: Duration = Duration::from_secs(5);

impl Schema {
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.file)
    }

    /// Opens the database for writing; creates it if there is none. Beyond `max_pages` it is full.
    pub(super) fn open(&self, dir: &Path, max_pages: Option<u32>) -> Result<Connection, OpenError> {
        let file = self.path(dir);
        let failed = |source| OpenError::of(file.clone(), source);
        let conn = Connection::open(&file).map_err(failed)?;
        self.identify(&conn, &file)?;
        self.prepare(&conn, wal_pages(dir, self.checkpoint_pages), max_pages).map_err(failed)?;
        Ok(conn)
    }

    /// Refuses a foreign database, or one of another version, before anything is written to it.
    pub(super) fn identify(&self, conn: &Connection, file: &Path) -> Result<(), OpenError> {
        let failed = |source| OpenError::of(file.to_owned(), source);
        let tables: i64 =
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
        let application_id: i32 =
            conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
        let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let is_new = tables == 0 && application_id == 0 && found == 0;
        if !is_new && application_id != self.application_id {
            let dir = file.parent().map(PathBuf::from).unwrap_or_default();
            return Err(OpenError::Foreign { dir, found: self.file.into() });
        }
        if found > VERSION {
            return Err(OpenError::Newer { file: file.to_owned(), found, known: VERSION });
        }
        if !is_new && found < VERSION {
            return Err(OpenError::Older { file: file.to_owned(), found, known: VERSION });
        }
        Ok(())
    }

    fn prepare(&self, conn: &Connection, wal_pages: i64, max_pages: Option<u32>) -> rusqlite::Result<()> {
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(64);
        // FULL: a commit is on the disk when it returns. `fullfsync` says the same on macOS and nothing
        // elsewhere. `auto_vacuum` comes first, because it can only be set in an empty file.
        conn.execute_batch(&format!(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = 1;
             PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = 8388608;",
            self.cache_kib, wal_pages
        ))?;
        if let Some(pages) = max_pages {
            conn.pragma_update(None, "max_page_count", pages)?;
        }
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            let (id, create) = (self.application_id, self.create);
            in_transaction(conn, |conn| {
                conn.execute_batch(create)?;
                conn.execute_batch(&format!("PRAGMA application_id = {id}; PRAGMA user_version = {VERSION};"))
            })?;
            // The file itself says whose it is, also to those who look at it without its write-ahead log.
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Opens a connection for reading only.
    pub(super) fn open_reader(&self, dir: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(self.path(dir), flags)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(32);
        conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Ok(conn)
    }
}

/// Runs `work` in a write transaction: all of its writes stand, or none.
pub(super) fn in_transaction<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work(conn).and_then(|outcome| conn.prepare_cached("COMMIT")?.execute([]).map(|_| outcome));
    if done.is_err() && !conn.is_autocommit() {
        // The caller needs the first error; a transaction that cannot be rolled back fails the next BEGIN.
        conn.execute_batch("ROLLBACK").ok();
    }
    done
}

/// A single value, or `None` when there is no row.
pub(super) fn optional<T: rusqlite::types::FromSql>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()
}

/// A number as SQLite stores it: signed. The numbers of this backend never reach 2^63.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that [`to_sql`] stored.
pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The blob that ids after `after` are compared with: every id is greater than an empty blob.
pub(super) fn behind(after: Option<Uuid>) -> Vec<u8> {
    after.map_or_else(Vec::new, |after| after.as_bytes().to_vec())
}

/// A limit as SQLite takes it.
pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
