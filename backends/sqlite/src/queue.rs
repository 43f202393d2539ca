//! The queues in SQLite.
//!
//! Messages are rows. The [`QueueIndex`] in memory knows which of them can be claimed; it is built when the
//! database is opened. Claims are in memory alone: one process owns the directory, and all claims end with
//! it.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{behind, from_sql, limit as sql_limit, optional, to_sql};
use super::error::StoreError;
use super::readers::Readers;
use super::tasks::TaskWriter;
use model::ids::PartitionId;
use model::time::EventTime;
use ports::clock::Clock;
use ports::queue::{
    Backlog, Claim, DeadLetters, LaneId, LaneLoad, MessageId, OrderKey, Outcome, Queue, QueueError,
    QueueMessage, QueueName, Standing, SurplusClaims, SurplusWalk,
};
use ports::queue_changes::Changes;
use ports::queue_index::{Entry, QueueIndex};

/// The stored states of a message; they must never change. Statements contain them as literals, since the
/// partial indexes are on literals.
pub(super) const UNFINISHED: i64 = 0;
pub(super) const DEAD: i64 = 1;
pub(super) const COMPLETED: i64 = 2;

/// A [`Queue`] in SQLite.
pub struct SqliteQueue {
    queue: i64,
    capacity: usize,
    shared: Arc<QueueCore>,
    writer: Arc<TaskWriter>,
    readers: Readers,
    clock: Arc<dyn Clock>,
}

struct QueueCore {
    index: Mutex<QueueIndex>,
    changes: Changes,
}

/// How a queue's name is stored; it must never change.
pub(super) const fn queue_number(name: QueueName) -> i64 {
    match name {
        QueueName::Alerts => 0,
        QueueName::Deliveries => 1,
    }
}

/// Reads the unfinished messages of a queue.
pub(super) fn load(conn: &Connection, name: QueueName) -> rusqlite::Result<QueueIndex> {
    let mut query = conn.prepare(&format!(
        "SELECT id, seq, lane, order_key, due_at FROM messages
         WHERE queue = ?1 AND state = {UNFINISHED} ORDER BY seq"
    ))?;
    let mut rows = query.query([queue_number(name)])?;
    let mut index = QueueIndex::default();
    while let Some(row) = rows.next()? {
        let id = MessageId::from_uuid(row.get(0)?);
        let (lane, order_key) = (LaneId::from_uuid(row.get(2)?), OrderKey::from_uuid(row.get(3)?));
        let due_at = EventTime::from_micros(row.get(4)?);
        index.add(id, Entry::new(from_sql(row.get(1)?), lane, order_key, due_at));
    }
    Ok(index)
}

fn add_unfinished(conn: &Connection, queue: i64, count: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE queues SET unfinished = unfinished + ?2 WHERE queue = ?1";
    conn.prepare_cached(sql)?.execute([queue, count])?;
    Ok(())
}

/// Writes the new messages and answers their places; `None` if the queue has no room for them.
fn insert(
    conn: &Connection,
    queue: i64,
    messages: &[QueueMessage],
    capacity: usize,
) -> rusqlite::Result<Option<Vec<(MessageId, Entry)>>> {
    let mut known = conn.prepare_cached("SELECT 1 FROM messages WHERE queue = ?1 AND id = ?2")?;
    let mut new: HashMap<MessageId, &QueueMessage> = HashMap::new();
    let mut order = Vec::new();
    for message in messages {
        if !new.contains_key(&message.id) && !known.exists(params![queue, message.id.as_uuid()])? {
            new.insert(message.id, message);
            order.push(message);
        }
    }
    let sql = "SELECT unfinished FROM queues WHERE queue = ?1";
    let unfinished: i64 = conn.prepare_cached(sql)?.query_row([queue], |row| row.get(0))?;
    if !order.is_empty() && unfinished + sql_limit(order.len()) > sql_limit(capacity) {
        return Ok(None);
    }
    let mut insert = conn.prepare_cached(&format!(
        "INSERT INTO messages (queue, id, lane, order_key, due_at, state, body)
         VALUES (?1, ?2, ?3, ?4, ?5, {UNFINISHED}, ?6)"
    ))?;
    let mut entries = Vec::with_capacity(order.len());
    for message in order {
        let QueueMessage { id, lane, order_key, due_at, body, .. } = message;
        let due = due_at.as_micros();
        insert.execute(params![queue, id.as_uuid(), lane.as_uuid(), order_key.as_uuid(), due, &body[..]])?;
        let place = from_sql(conn.last_insert_rowid());
        entries.push((*id, Entry::new(place, *lane, *order_key, *due_at)));
    }
    if !entries.is_empty() {
        add_unfinished(conn, queue, sql_limit(entries.len()))?;
    }
    let sql = "INSERT INTO origins VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET number = max(number, excluded.number)";
    for (partition, number) in messages.iter().filter_map(|message| message.origin) {
        conn.prepare_cached(sql)?.execute(params![queue, partition.0, to_sql(number)])?;
    }
    Ok(Some(entries))
}

fn write_outcome(
    conn: &Connection,
    queue: i64,
    id: &MessageId,
    outcome: &Outcome,
    now: EventTime,
) -> rusqlite::Result<()> {
    let finished = match outcome {
        Outcome::Complete => {
            let sql = format!(
                "UPDATE messages SET state = {COMPLETED}, body = NULL, done_at = ?3
                 WHERE queue = ?1 AND id = ?2 AND state = {UNFINISHED}"
            );
            conn.prepare_cached(&sql)?.execute(params![queue, id.as_uuid(), now.as_micros()])?
        }
        Outcome::Bury => {
            let sql = format!(
                "UPDATE messages SET state = {DEAD}, done_at = ?3
                 WHERE queue = ?1 AND id = ?2 AND state = {UNFINISHED}"
            );
            conn.prepare_cached(&sql)?.execute(params![queue, id.as_uuid(), now.as_micros()])?
        }
        Outcome::Withdraw => {
            let sql = format!("DELETE FROM messages WHERE queue = ?1 AND id = ?2 AND state = {UNFINISHED}");
            conn.prepare_cached(&sql)?.execute(params![queue, id.as_uuid()])?
        }
        Outcome::Retry { due_at, body } => {
            let sql = format!(
                "UPDATE messages SET due_at = ?3, body = ?4
                 WHERE queue = ?1 AND id = ?2 AND state = {UNFINISHED}"
            );
            conn.prepare_cached(&sql)?.execute(params![
                queue,
                id.as_uuid(),
                due_at.as_micros(),
                &body[..]
            ])?;
            0
        }
        Outcome::Park { due_at, body } => {
            let sql = format!(
                "UPDATE messages SET due_at = ?3, body = ?4, order_key = id
                 WHERE queue = ?1 AND id = ?2 AND state = {UNFINISHED}"
            );
            let due = due_at.as_micros();
            conn.prepare_cached(&sql)?.execute(params![queue, id.as_uuid(), due, &body[..]])?;
            0
        }
    };
    if finished > 0 { add_unfinished(conn, queue, -sql_limit(finished)) } else { Ok(()) }
}

/// Makes a dead letter a message again, behind all others.
fn revive_row(
    conn: &Connection,
    queue: i64,
    id: &MessageId,
    due_at: EventTime,
    body: &[u8],
) -> rusqlite::Result<Option<Entry>> {
    let sql = format!("SELECT lane, order_key FROM messages WHERE queue = ?1 AND id = ?2 AND state = {DEAD}");
    let found = conn
        .prepare_cached(&sql)?
        .query_row(params![queue, id.as_uuid()], |row| {
            Ok((LaneId::from_uuid(row.get(0)?), OrderKey::from_uuid(row.get(1)?)))
        })
        .optional()?;
    let Some((lane, order_key)) = found else { return Ok(None) };
    let sql = format!(
        "UPDATE messages SET seq = (SELECT max(seq) + 1 FROM messages), state = {UNFINISHED}, due_at = ?3,
             body = ?4, done_at = NULL WHERE queue = ?1 AND id = ?2"
    );
    conn.prepare_cached(&sql)?.execute(params![queue, id.as_uuid(), due_at.as_micros(), body])?;
    let sql = "SELECT seq FROM messages WHERE queue = ?1 AND id = ?2";
    let place: i64 = conn.prepare_cached(sql)?.query_row(params![queue, id.as_uuid()], |row| row.get(0))?;
    add_unfinished(conn, queue, 1)?;
    Ok(Some(Entry::new(from_sql(place), lane, order_key, due_at)))
}

fn unavailable(error: StoreError) -> QueueError {
    QueueError::Unavailable(error.into())
}

impl SqliteQueue {
    pub(super) fn new(
        name: QueueName,
        index: QueueIndex,
        capacity: usize,
        writer: Arc<TaskWriter>,
        readers: Readers,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shared = Arc::new(QueueCore { index: Mutex::new(index), changes: Changes::new() });
        Self { queue: queue_number(name), capacity, shared, writer, readers, clock }
    }

    /// The bodies of messages that the index has claimed.
    async fn read(&self, lane: LaneId, claimed: Vec<(MessageId, u64)>) -> Result<Vec<Claim>, QueueError> {
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let mut unread = UnreadClaims { shared: Arc::clone(&self.shared), claimed: claimed.clone() };
        let read = self.readers.read(move |conn| {
            let mut query = conn.prepare_cached("SELECT body FROM messages WHERE seq = ?1")?;
            let mut claims = Vec::with_capacity(claimed.len());
            for (id, place) in claimed {
                let body: Vec<u8> = query.query_row([to_sql(place)], |row| row.get(0))?;
                claims.push(Claim { id, lane, body: Bytes::from(body) });
            }
            Ok(claims)
        });
        let claims = read.await.map_err(unavailable)?;
        unread.claimed.clear();
        Ok(claims)
    }
}

/// Claims whose bodies are not read yet; they return to the queue if reading fails or the caller is
/// cancelled.
struct UnreadClaims {
    shared: Arc<QueueCore>,
    claimed: Vec<(MessageId, u64)>,
}

impl Drop for UnreadClaims {
    fn drop(&mut self) {
        if !self.claimed.is_empty() {
            let mut index = self.shared.index.lock();
            self.claimed.iter().for_each(|(id, _)| index.unclaim(*id));
            drop(index);
            self.shared.changes.announce();
        }
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        let (queue, capacity, shared) = (self.queue, self.capacity, Arc::clone(&self.shared));
        let work = move |conn: &Connection| insert(conn, queue, &messages, capacity);
        let add = move |inserted: &Option<Vec<(MessageId, Entry)>>| {
            let mut index = shared.index.lock();
            inserted.iter().flatten().for_each(|(id, entry)| index.add(*id, *entry));
            drop(index);
            shared.changes.announce();
        };
        let inserted = self.writer.write(work, add).await.map_err(unavailable)?;
        inserted.map(|_| ()).ok_or(QueueError::Full)
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        let queue = self.queue;
        let sql = "SELECT number FROM origins WHERE queue = ?1 AND partition = ?2";
        let read =
            self.readers.read(move |conn| Ok(optional::<i64>(conn, sql, params![queue, partition.0])?));
        Ok(read.await.map_err(unavailable)?.map_or(0, from_sql))
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        Ok(self.shared.index.lock().lanes(now))
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        let claimed = self.shared.index.lock().claim(lane, now, limit);
        self.read(lane, claimed).await
    }

    async fn backlog(&self, now: EventTime) -> Result<Backlog, QueueError> {
        Ok(self.shared.index.lock().backlog(now))
    }

    async fn crowded(&self) -> Result<Vec<LaneLoad>, QueueError> {
        let index = self.shared.index.lock();
        Ok(index.crowded(self.capacity, index.len()))
    }

    async fn claim_surplus(
        &self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> Result<SurplusClaims, QueueError> {
        let (claimed, next) = self.shared.index.lock().claim_surplus(lane, walk, limit);
        Ok(SurplusClaims { claims: self.read(lane, claimed).await?, next })
    }

    async fn give_back(&self, ids: &[MessageId]) {
        let mut index = self.shared.index.lock();
        ids.iter().for_each(|id| index.unclaim(*id));
        drop(index);
        self.shared.changes.announce();
    }

    async fn settle(&self, mut outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        {
            let index = self.shared.index.lock();
            outcomes.retain(|(id, _)| index.is_claimed(id));
        }
        let (queue, now, shared) = (self.queue, self.clock.now(), Arc::clone(&self.shared));
        let outcomes = Arc::new(outcomes);
        let settled = Arc::clone(&outcomes);
        let work = move |conn: &Connection| {
            outcomes.iter().try_for_each(|(id, outcome)| write_outcome(conn, queue, id, outcome, now))
        };
        let settle = move |_: &()| {
            let mut index = shared.index.lock();
            for (id, outcome) in settled.iter() {
                match outcome {
                    Outcome::Complete | Outcome::Bury | Outcome::Withdraw => drop(index.finish(*id)),
                    Outcome::Retry { due_at, .. } => index.retry(*id, *due_at),
                    Outcome::Park { due_at, .. } => index.park(*id, *due_at),
                }
            }
            drop(index);
            shared.changes.announce();
        };
        self.writer.write(work, settle).await.map_err(unavailable)
    }

    async fn standing(&self, _lane: LaneId, ids: &[MessageId]) -> Result<Vec<Option<Standing>>, QueueError> {
        let (queue, ids) = (self.queue, ids.to_vec());
        let read = self.readers.read(move |conn| {
            let mut query = conn.prepare_cached("SELECT state FROM messages WHERE queue = ?1 AND id = ?2")?;
            let mut standings = Vec::with_capacity(ids.len());
            for id in ids {
                let state: Option<i64> =
                    query.query_row(params![queue, id.as_uuid()], |row| row.get(0)).optional()?;
                let standing = |state| if state == UNFINISHED { Standing::Open } else { Standing::Settled };
                standings.push(state.map(standing));
            }
            Ok(standings)
        });
        read.await.map_err(unavailable)
    }

    /// The ledger is in the same file.
    fn follows(&self, _lane: LaneId, _version: u64) {}

    fn followed(&self, _lane: LaneId) -> u64 {
        0
    }

    async fn changed(&self) {
        self.shared.changes.wait().await;
    }
}

#[async_trait]
impl DeadLetters for SqliteQueue {
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        let (queue, shared) = (self.queue, Arc::clone(&self.shared));
        let work = move |conn: &Connection| revive_row(conn, queue, &id, due_at, &body);
        let add = move |revived: &Option<Entry>| {
            if let Some(entry) = revived {
                shared.index.lock().add(id, *entry);
                shared.changes.announce();
            }
        };
        let revived = self.writer.write(work, add).await.map_err(unavailable)?;
        Ok(revived.is_some())
    }

    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError> {
        let queue = self.queue;
        let read = self.readers.read(move |conn| {
            let mut query = conn.prepare_cached(&format!(
                "SELECT id, lane, body FROM messages INDEXED BY dead_ids
                 WHERE queue = ?1 AND state = {DEAD} AND id > ?2 ORDER BY id LIMIT ?3"
            ))?;
            let letters = query.query_map(
                params![queue, behind(after.map(MessageId::as_uuid)), sql_limit(limit)],
                |row| {
                    let (id, lane) = (MessageId::from_uuid(row.get(0)?), LaneId::from_uuid(row.get(1)?));
                    Ok(Claim { id, lane, body: Bytes::from(row.get::<_, Vec<u8>>(2)?) })
                },
            )?;
            Ok(letters.collect::<rusqlite::Result<Vec<Claim>>>()?)
        });
        read.await.map_err(unavailable)
    }
}
