//! Whether the databases of a data directory are whole, and of one moment.
//!
//! Files that were copied while their Lubdub ran, or without their write-ahead logs, may be torn, and each
//! may be of another moment. What can be told of that in a bounded time is refused. A history of another
//! moment cannot be told: nothing follows from it. Neither can a state that is older than the log: a log that
//! is bounded goes on without what was not applied in time, and the scheduler sees to that.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::database::{Schema, from_sql};
use super::error::OpenError;
use super::log::{Extent, definitions, extent};
use super::{history, log, state_db};
use model::ids::{Offset, Revision};
use model::monitor_state::PartitionHead;
use model::wire;

/// A database of up to this many bytes is read whole at the start. From a cold and slow disk that takes two
/// seconds; 10 GB would take minutes.
const READ_WHOLE: u64 = 64 << 20;

/// Where the admin key is kept.
const ADMIN_KEY: &str = "admin.key";

/// Most entries that are looked through for what the registry should know, in each partition. Usually those
/// of a second are not applied.
const LOOKED_THROUGH: u32 = 10_000;

/// Checks an installation before anything is written to it. `is_accepted`: databases of different moments are
/// no reason to refuse it.
///
/// # Errors
/// [`OpenError`].
pub(super) fn check(dir: &Path, is_accepted: bool) -> Result<(), OpenError> {
    if is_accepted {
        // Log or history may be missing.
        let schemas = [&state_db::SCHEMA, &log::SCHEMA, &history::SCHEMA];
        return schemas
            .into_iter()
            .filter(|schema| schema.path(dir).exists())
            .try_for_each(|schema| whole(schema, dir).map(drop));
    }
    let (state, log) = (whole(&state_db::SCHEMA, dir)?, whole(&log::SCHEMA, dir)?);
    whole(&history::SCHEMA, dir)?;
    let of_state = |source| OpenError::of(state_db::SCHEMA.path(dir), source);
    let of_log = |source| OpenError::of(log::SCHEMA.path(dir), source);
    let torn = |why: String| Err(OpenError::Torn { dir: dir.to_owned(), why });
    let records: bool =
        state.query_row("SELECT EXISTS (SELECT 1 FROM records)", [], |row| row.get(0)).map_err(of_state)?;
    // The key is kept when it is in the registry.
    if !records && fs::metadata(dir.join(ADMIN_KEY)).is_ok_and(|key| key.len() > 0) {
        return torn(format!("there is an {ADMIN_KEY}, and state.db knows no key"));
    }
    let newest = newest_revision(&state).map_err(of_state)?;
    for (partition, applied, head) in partitions(&state).map_err(of_state)? {
        let Some(Extent { incarnation, last }) = extent(&log, partition).map_err(of_log)? else {
            return torn("state.db knows a heartbeat log, and log.db is empty".to_owned());
        };
        let head = head.and_then(|head| wire::decode::<PartitionHead>(&head).ok()).unwrap_or_default();
        if !head.incarnation.is_empty() && head.incarnation != incarnation {
            return torn("state.db was computed from another heartbeat log than log.db".to_owned());
        }
        if applied > last {
            return torn(format!(
                "state.db knows the heartbeat log up to {applied}, and log.db ends at {last}"
            ));
        }
        let known = |revision: &Revision| *revision <= newest;
        let unapplied = definitions(&log, partition, applied, LOOKED_THROUGH).map_err(of_log)?;
        if !unapplied.iter().all(known) {
            return torn("log.db holds changes of monitors that state.db does not know".to_owned());
        }
    }
    Ok(())
}

/// After torn databases were accepted: what is written from now on is newer than all that the log may know.
pub(super) fn accept(dir: &Path) -> Result<(), OpenError> {
    let conn = state_db::SCHEMA.open(dir, None)?;
    let sql = "UPDATE counters SET value = max(value, CAST(unixepoch('subsec') * 1000000 AS INTEGER))
               WHERE name = 'revision'";
    conn.execute(sql, []).map(drop).map_err(|source| OpenError::of(state_db::SCHEMA.path(dir), source))
}

/// A reader of the database. If that is small, no page of it is torn. SQLite itself refuses one that is cut
/// off.
fn whole(schema: &Schema, dir: &Path) -> Result<Connection, OpenError> {
    let file = schema.path(dir);
    let failed = |source| OpenError::of(file.clone(), source);
    let conn = schema.open_reader(dir).map_err(failed)?;
    schema.identify(&conn, &file)?;
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    if from_sql(pragma("page_count")?).saturating_mul(from_sql(pragma("page_size")?)) <= READ_WHOLE {
        let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if found != "ok" {
            let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(OpenError::Broken { file, found });
        }
    }
    Ok(conn)
}

/// The newest revision that the registry gave.
fn newest_revision(state: &Connection) -> rusqlite::Result<Revision> {
    let sql = "SELECT value FROM counters WHERE name = 'revision'";
    let value = state.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(Revision(from_sql(value.unwrap_or_default())))
}

type StoredPartition = (u16, Offset, Option<Vec<u8>>);

fn partitions(state: &Connection) -> rusqlite::Result<Vec<StoredPartition>> {
    let mut query = state.prepare("SELECT partition, applied, head FROM partitions")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, Offset(from_sql(row.get(1)?)), row.get(2)?)))?;
    rows.collect()
}
