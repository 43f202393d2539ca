//! The statements of the state store.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{from_sql, to_sql};
use model::ids::{MonitorId, Offset, PartitionId};
use model::time::EventTime;
use model::wire::encode;
use ports::state_store::{Commit, Holder, Lease};

/// A commit in its stored form.
pub(super) struct EncodedCommit {
    lease: Lease,
    follows: Offset,
    number: u64,
    applied: Offset,
    head: Bytes,
    states: Vec<(MonitorId, Option<EncodedState>)>,
    outbox: Vec<(u64, Bytes)>,
}

struct EncodedState {
    armed_at: Option<EventTime>,
    bytes: Bytes,
}

/// The result of a commit.
pub(super) enum Committed {
    Done,
    Repeated,
    Fenced,
    OutOfOrder(Offset),
}

impl EncodedCommit {
    pub(super) fn new(lease: &Lease, commit: &Commit) -> Self {
        let encoded = |state| EncodedState { armed_at: None, bytes: encode(state) };
        let mut states: Vec<_> = commit
            .states
            .iter()
            .map(|change| {
                let state = change.state.as_ref();
                let armed_at = state.and_then(|state| state.armed_at);
                (change.monitor, state.map(|state| EncodedState { armed_at, ..encoded(state) }))
            })
            .collect();
        // Sorted like the table, so that each page is visited once. Stable: the last change of a monitor
        // wins.
        states.sort_by_key(|(monitor, _)| *monitor);
        let outbox = commit.outbox.iter().map(|alert| (alert.number, encode(alert))).collect();
        Self {
            lease: lease.clone(),
            follows: commit.follows,
            number: commit.number,
            applied: commit.head.applied,
            head: encode(&commit.head),
            states,
            outbox,
        }
    }

    pub(super) fn write(&self, conn: &Connection) -> rusqlite::Result<Committed> {
        let partition = self.lease.partition.0;
        let sql = "SELECT token, committed, applied FROM partitions WHERE partition = ?1";
        let found = conn
            .prepare_cached(sql)?
            .query_row([partition], |row| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((token, committed, applied)) = found else { return Ok(Committed::Fenced) };
        let (committed, applied) = (from_sql(committed), Offset(from_sql(applied)));
        if token.as_ref() != Some(&self.lease.token) {
            return Ok(Committed::Fenced);
        }
        if self.number <= committed {
            return Ok(Committed::Repeated);
        }
        if applied != self.follows {
            return Ok(Committed::OutOfOrder(applied));
        }
        let mut update = conn.prepare_cached(
            "UPDATE partitions SET committed = ?2, applied = ?3, head = ?4 WHERE partition = ?1",
        )?;
        update.execute(params![partition, to_sql(self.number), to_sql(self.applied.0), &self.head[..]])?;
        let mut upsert = conn.prepare_cached("INSERT OR REPLACE INTO states VALUES (?1, ?2, ?3, ?4)")?;
        let mut delete = conn.prepare_cached("DELETE FROM states WHERE partition = ?1 AND monitor = ?2")?;
        for (monitor, state) in &self.states {
            let monitor = monitor.as_uuid();
            match state {
                Some(state) => {
                    let armed_at = state.armed_at.map(EventTime::as_micros);
                    upsert.execute(params![partition, monitor, armed_at, &state.bytes[..]])?;
                }
                None => drop(delete.execute(params![partition, monitor])?),
            }
        }
        let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO outbox VALUES (?1, ?2, ?3)")?;
        for (number, alert) in &self.outbox {
            insert.execute(params![partition, to_sql(*number), &alert[..]])?;
        }
        Ok(Committed::Done)
    }
}

/// The holder of a partition.
pub(super) fn holder(conn: &Connection, partition: PartitionId) -> rusqlite::Result<Option<Holder>> {
    let sql = "SELECT owner, token FROM partitions WHERE partition = ?1 AND owner IS NOT NULL";
    let mut query = conn.prepare_cached(sql)?;
    query.query_row([partition.0], |row| Ok(Holder { owner: row.get(0)?, token: row.get(1)? })).optional()
}

/// Takes a partition for `owner`, unless its holder may not be passed over.
pub(super) fn acquire(
    conn: &Connection,
    partition: PartitionId,
    owner: &str,
    random: &str,
    passed_over: &dyn Fn(&Holder) -> bool,
) -> rusqlite::Result<Result<Lease, Holder>> {
    let partition_number = partition.0;
    if let Some(holder) = holder(conn, partition)?
        && !passed_over(&holder)
    {
        return Ok(Err(holder));
    }
    conn.execute(
        "INSERT OR IGNORE INTO partitions VALUES (?1, 0, NULL, NULL, 0, 0, NULL)",
        [partition_number],
    )?;
    let sql = "SELECT counter FROM partitions WHERE partition = ?1";
    let counter: i64 = conn.query_row(sql, [partition_number], |row| row.get(0))?;
    let token = format!("{}-{random}", counter + 1);
    conn.execute(
        "UPDATE partitions SET counter = ?2, owner = ?3, token = ?4, committed = 0 WHERE partition = ?1",
        params![partition_number, counter + 1, owner, token],
    )?;
    Ok(Ok(Lease { partition, token }))
}

/// Forgets the partition's states, head and outbox; `false` if the lease is not in force.
pub(super) fn reset(conn: &Connection, lease: &Lease) -> rusqlite::Result<bool> {
    let sql = "UPDATE partitions SET applied = 0, head = NULL WHERE partition = ?1 AND token = ?2";
    if conn.execute(sql, params![lease.partition.0, lease.token])? == 0 {
        return Ok(false);
    }
    conn.execute("DELETE FROM states WHERE partition = ?1", [lease.partition.0])?;
    conn.execute("DELETE FROM outbox WHERE partition = ?1", [lease.partition.0])?;
    Ok(true)
}

/// Every monitor that has an entry in the sorted set.
pub(super) fn armed(
    conn: &Connection,
    partition: PartitionId,
) -> rusqlite::Result<Vec<(EventTime, MonitorId)>> {
    let sql = "SELECT armed_at, monitor FROM states WHERE partition = ?1 AND armed_at IS NOT NULL";
    let mut query = conn.prepare(sql)?;
    let rows = query.query_map([partition.0], |row| {
        Ok((EventTime::from_micros(row.get(0)?), MonitorId::from_uuid(row.get(1)?)))
    })?;
    rows.collect()
}
