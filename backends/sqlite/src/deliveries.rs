//! The delivery history in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::database::{limit as sql_limit, optional};
use super::delivery_state::state_number;
use super::error::StoreError;
use super::prune::Pruner;
use super::readers::Readers;
use super::tasks::TaskWriter;
use model::delivery::{Delivery, DeliveryState};
use model::ids::DeliveryId;
use model::time::EventTime;
use model::wire::{decode, encode};
use ports::history::{DeliveryFilter, DeliveryHistory, HistoryError};

/// A [`DeliveryHistory`] in SQLite.
pub struct SqliteDeliveries {
    writer: Arc<TaskWriter>,
    readers: Readers,
    pruner: Arc<Mutex<Pruner>>,
}

impl SqliteDeliveries {
    pub(super) fn new(writer: Arc<TaskWriter>, readers: Readers, pruner: Arc<Mutex<Pruner>>) -> Self {
        Self { writer, readers, pruner }
    }
}

fn put_row(conn: &Connection, delivery: &Delivery) -> rusqlite::Result<()> {
    let (id, state, encoded) = (delivery.id.as_uuid(), state_number(delivery.state), encode(delivery));
    let monitor = delivery.notice.monitor().map(|monitor| monitor.as_uuid());
    let (created_at, channel) = (delivery.created_at.as_micros(), delivery.channel.as_uuid());
    // An attempt changes only these columns, so three of the four indexes need no write.
    let updated = conn
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, delivery = ?3
             WHERE id = ?1 AND created_at = ?4 AND monitor IS ?5 AND channel = ?6",
        )?
        .execute(params![id, state, &encoded[..], created_at, monitor, channel])?;
    if updated == 0 {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO deliveries (id, created_at, monitor, channel, state, delivery)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![id, created_at, monitor, channel, state, &encoded[..]])?;
    }
    Ok(())
}

fn list_rows(
    conn: &Connection,
    filter: DeliveryFilter,
    before: Option<(EventTime, DeliveryId)>,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let mut sql = String::from("SELECT delivery FROM deliveries WHERE 1");
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(monitor) = filter.monitor {
        and("monitor = ?", monitor.as_uuid().into());
    }
    if let Some(channel) = filter.channel {
        and("channel = ?", channel.as_uuid().into());
    }
    if let Some(state) = filter.state {
        and("state = ?", state_number(state).into());
    }
    if let Some((at, id)) = before {
        and("(created_at, id) < (?, ", at.as_micros().into());
        sql.push_str("?)");
        values.push(id.as_uuid().into());
    }
    sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT ?");
    values.push(sql_limit(limit).into());
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(values))?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
    }
    Ok(deliveries)
}

fn failed(error: StoreError) -> HistoryError {
    HistoryError(error.into())
}

#[async_trait]
impl DeliveryHistory for SqliteDeliveries {
    async fn put(&self, deliveries: Vec<Delivery>) -> Result<(), HistoryError> {
        let pruner = Arc::clone(&self.pruner);
        let finished = deliveries.iter().filter(|delivery| delivery.state.is_over()).count();
        let work = move |conn: &Connection| {
            deliveries.iter().try_for_each(|delivery| put_row(conn, delivery))?;
            pruner.lock().finished(conn, finished)
        };
        self.writer.write(work, |_| ()).await.map_err(failed)
    }

    async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>, HistoryError> {
        let read = self.readers.read(move |conn| {
            let sql = "SELECT delivery FROM deliveries WHERE id = ?1";
            let bytes = optional::<Vec<u8>>(conn, sql, [id.as_uuid()])?;
            Ok(bytes.map(|bytes| decode(&bytes)).transpose()?)
        });
        read.await.map_err(failed)
    }

    async fn oldest_pending(&self) -> Result<Option<EventTime>, HistoryError> {
        let read = self.readers.read(move |conn| {
            let sql = "SELECT min(created_at) FROM deliveries WHERE state = ?1";
            let oldest = optional::<Option<i64>>(conn, sql, [state_number(DeliveryState::Pending)])?;
            Ok(oldest.flatten().map(EventTime::from_micros))
        });
        read.await.map_err(failed)
    }

    async fn list(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, HistoryError> {
        self.readers.read(move |conn| list_rows(conn, filter, before, limit)).await.map_err(failed)
    }
}
