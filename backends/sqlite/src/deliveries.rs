//! The delivery history in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::database::optional;
use super::delivery_state::state_number;
use super::error::StoreError;
use super::prune::Pruner;
use super::readers::Readers;
use super::tasks::TaskWriter;
use model::chain::Chain;
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
    sql.push_str(" ORDER BY created_at DESC, id DESC");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(values))?;
    let mut deliveries = Vec::new();
    while deliveries.len() < limit
        && let Some(row) = rows.next()?
    {
        deliveries.extend(readable(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?));
    }
    Ok(deliveries)
}

/// A record that cannot be read hides no other: it is logged, and counts as lost.
fn readable(bytes: &[u8]) -> Option<Delivery> {
    match decode(bytes) {
        Ok(delivery) => Some(delivery),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "failed to read the record of a delivery; it is left out");
            None
        }
    }
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
            Ok(bytes.and_then(|bytes| readable(&bytes)))
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

#[cfg(test)]
mod tests {
    use doubles::samples;
    use model::ids::{ChannelId, MonitorId};
    use uuid::Uuid;

    use super::super::history::SCHEMA;
    use super::*;

    #[test]
    fn one_record_that_cannot_be_read_hides_no_other() {
        let conn = Connection::open_in_memory().expect("open");
        conn.execute_batch(SCHEMA.create).expect("create");
        let flip = samples::flip(MonitorId::from_uuid(Uuid::from_u128(1)), EventTime::from_secs(1_000));
        for number in 1..=3 {
            let delivery = Delivery {
                id: DeliveryId::from_uuid(Uuid::from_u128(number)),
                notice: model::flip::Alert::Flip(flip.clone()).into(),
                channel: ChannelId::from_uuid(Uuid::from_u128(7)),
                state: DeliveryState::Pending,
                created_at: EventTime::from_secs(2_000),
                next_attempt_at: None,
                attempts: Vec::new(),
                monitor: None,
                folded_into: None,
                note: None,
            };
            put_row(&conn, &delivery).expect("put");
        }
        let sql = "UPDATE deliveries SET delivery = x'03c0' WHERE id = ?1";
        conn.execute(sql, [Uuid::from_u128(2)]).expect("damage");
        let list = |limit| {
            let found = list_rows(&conn, DeliveryFilter::default(), None, limit).expect("list");
            found.into_iter().map(|one| one.id.as_uuid().as_u128()).collect::<Vec<_>>()
        };
        assert_eq!((list(10), list(2)), (vec![3, 1], vec![3, 1]), "a page is full all the same");
    }
}
