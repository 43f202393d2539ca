//! The rows of the log that say which log it is, and how far its partitions reach.

use rusqlite::{Connection, OptionalExtension, params};

use crate::database::{from_sql, to_sql};
use model::ids::{Offset, Revision};
use model::time::EventTime;
use model::wire::{self, frame::Frame};

const OFFSET_BITS: u32 = 48;

/// The key of an entry.
pub(super) const fn key(partition: u16, offset: Offset) -> u64 {
    ((partition as u64) << OFFSET_BITS) | offset.0
}

/// The offset in a key.
pub(super) const fn offset(key: u64) -> Offset {
    Offset(key & ((1 << OFFSET_BITS) - 1))
}

/// The extent of a partition by its rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StoredExtent {
    pub(super) expired: Offset,
    pub(super) last: Offset,
    pub(super) logged_at: Option<EventTime>,
    pub(super) top_sealed_at: Option<EventTime>,
}

/// The log's incarnation and number of partitions; chosen when the log is new.
pub(super) fn identity(conn: &Connection, partitions: u16) -> rusqlite::Result<(String, u16)> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = conn.query_row("SELECT incarnation, partitions FROM log", [], read).optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    let incarnation = uuid::Uuid::new_v4().to_string();
    conn.execute("INSERT INTO log VALUES (?1, ?2)", params![incarnation, partitions])?;
    Ok((incarnation, partitions))
}

/// Reads where a partition stands.
///
/// The next offset is the one after the greatest stored one. A crash may have lost ticks with later offsets,
/// which are then given again. No reader notices: its state names an offset only after `sync` stored the
/// entries up to it.
pub(super) fn stored(conn: &Connection, partition: u16) -> rusqlite::Result<StoredExtent> {
    let remembered = conn
        .query_row("SELECT expired, top_sealed_at FROM partitions WHERE partition = ?1", [partition], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
        })
        .optional()?;
    let (expired, top_expired) = remembered.unwrap_or_default();
    let range = behind(partition, Offset::START);
    let newest = "SELECT key, logged_at, top_sealed_at FROM entries WHERE key BETWEEN ?1 AND ?2
                  ORDER BY key DESC LIMIT 1";
    let last = conn
        .query_row(newest, range, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let expired = Offset(from_sql(expired));
    let last_offset = last.map_or(expired, |(key, ..)| offset(from_sql(key)).max(expired));
    Ok(StoredExtent {
        expired,
        last: last_offset,
        logged_at: last.map(|(_, logged_at, _)| EventTime::from_micros(logged_at)),
        top_sealed_at: last.map(|(.., top)| top).max(top_expired).map(EventTime::from_micros),
    })
}

/// Which log it is, and how far a partition reaches.
pub(crate) struct Extent {
    pub(crate) incarnation: String,
    pub(crate) last: Offset,
}

/// `None` if the log is not yet any.
pub(crate) fn extent(conn: &Connection, partition: u16) -> rusqlite::Result<Option<Extent>> {
    let incarnation = conn.query_row("SELECT incarnation FROM log", [], |row| row.get(0)).optional()?;
    let Some(incarnation) = incarnation else { return Ok(None) };
    let StoredExtent { last, .. } = stored(conn, partition)?;
    Ok(Some(Extent { incarnation, last }))
}

/// The revisions of the definitions in the entries after `after`, `most` of which are read. An entry that
/// cannot be read has none.
pub(crate) fn definitions(
    conn: &Connection,
    partition: u16,
    after: Offset,
    most: u32,
) -> rusqlite::Result<Vec<Revision>> {
    let [begin, end] = behind(partition, after.next());
    let sql = "SELECT frame FROM entries WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3";
    let mut query = conn.prepare(sql)?;
    let mut rows = query.query(params![begin, end, most])?;
    let mut revisions = Vec::new();
    while let Some(row) = rows.next()? {
        let frame = wire::decode::<Frame>(row.get_ref(0)?.as_blob()?);
        revisions.extend(frame.iter().flat_map(|frame| &frame.definitions).map(|change| change.revision));
    }
    Ok(revisions)
}

/// The first and the last key of a partition's entries, beginning at `first`.
fn behind(partition: u16, first: Offset) -> [i64; 2] {
    [to_sql(key(partition, first)), to_sql(key(partition, Offset(u64::MAX >> 16)))]
}
