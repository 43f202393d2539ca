//! What is left of an installation in a data directory, so that a lost part of it is noticed.
//!
//! A directory whose databases were not copied along, or only without their write-ahead logs, must not become
//! a new and empty Lubdub: all push URLs would be unknown, and the admin key would be another one.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::database::Schema;
use super::directory::CHECKPOINTS;
use super::error::OpenError;
use super::{history, log, state_db};

/// The databases of an installation.
static SCHEMAS: [&Schema; 3] = [&log::SCHEMA, &state_db::SCHEMA, &history::SCHEMA];

/// Tables that only an installation that ran has rows in, by the database.
static WRITTEN: [(&Schema, &str); 3] =
    [(&log::SCHEMA, "entries"), (&state_db::SCHEMA, "records"), (&history::SCHEMA, "heartbeats")];

/// Files that only an installation that ran leaves behind.
const LEFT_BY_A_START: [&str; 2] = ["admin.key", "starts"];

/// Whether an installation is in the directory: `false` for one that is to be made. `is_accepted`: its log or
/// its history may be missing.
///
/// # Errors
/// [`OpenError::Incomplete`] if there are traces of one, and a database of it is missing or empty.
pub(super) fn installation(dir: &Path, is_accepted: bool) -> Result<bool, OpenError> {
    let missing: Vec<&Schema> = SCHEMAS.into_iter().filter(|schema| !is_made(&schema.path(dir))).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    match trace(dir) {
        None => Ok(false),
        Some(_) if is_accepted && is_made(&state_db::SCHEMA.path(dir)) => Ok(true),
        Some(found) => Err(OpenError::Incomplete {
            dir: dir.to_owned(),
            missing: missing.iter().map(|schema| schema.file).collect::<Vec<_>>().join(", "),
            found,
        }),
    }
}

/// Whether the file holds a database with tables. What cannot be read is left to the one who opens it.
fn is_made(file: &Path) -> bool {
    if !file.exists() {
        return false;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let tables = Connection::open_with_flags(file, flags).and_then(|conn| {
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
    });
    tables.map_or(true, |tables| tables > 0)
}

/// Whether the table of the file has a row.
fn has_rows(file: &Path, table: &str) -> bool {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    conn.and_then(|conn| conn.query_row(&sql, [], |row| row.get(0))).unwrap_or(false)
}

/// A file that says that an installation was here.
fn trace(dir: &Path) -> Option<PathBuf> {
    let left = LEFT_BY_A_START
        .into_iter()
        .find(|name| fs::metadata(dir.join(name)).is_ok_and(|file| file.len() > 0));
    if let Some(name) = left {
        return Some(name.into());
    }
    let checkpoint =
        fs::read_dir(dir.join(CHECKPOINTS)).ok().and_then(|mut entries| entries.next()).is_some();
    if checkpoint {
        return Some(CHECKPOINTS.into());
    }
    if let Some((schema, _)) = WRITTEN.into_iter().find(|(schema, table)| has_rows(&schema.path(dir), table))
    {
        return Some(schema.file.into());
    }
    SCHEMAS.into_iter().map(|schema| schema.path(dir)).find_map(|file| {
        let mut wal = file.clone().into_os_string();
        wal.push("-wal");
        let orphan = !file.exists() && Path::new(&wal).exists();
        orphan.then(|| Path::new(&wal).file_name().map(PathBuf::from)).flatten()
    })
}
