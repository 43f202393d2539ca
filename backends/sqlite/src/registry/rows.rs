//! How records are stored.

use bytes::Bytes;
use rusqlite::Row;

use crate::database::from_sql;
use model::ids::Revision;
use ports::registry::{Record, RecordKey, RecordKind};

/// How a kind is stored; it must never change.
pub(super) const fn kind_number(kind: RecordKind) -> i64 {
    match kind {
        RecordKind::Monitor => 0,
        RecordKind::Channel => 1,
        RecordKind::Key => 2,
        RecordKind::Token => 3,
        RecordKind::Maintenance => 4,
        RecordKind::Rebuild => 5,
        RecordKind::Turn => 6,
    }
}

/// A record from a row of id, revision, value.
pub(super) fn record(kind: RecordKind, row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        key: RecordKey { kind, id: row.get(0)? },
        revision: Revision(from_sql(row.get(1)?)),
        value: Bytes::from(row.get::<_, Vec<u8>>(2)?),
    })
}
