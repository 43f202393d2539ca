//! The state store in SQLite.
//!
//! The sorted set of wake-ups is in memory, built from the states when a partition is taken: an index on the
//! time would cost more than half of the commits' speed (15k/s instead of 40k/s), and one process owns the
//! directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use hashbrown::HashMap;
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::applied::Applied;
use super::database::{behind, limit as sql_limit, optional, to_sql};
use super::error::StoreError;
use super::readers::Readers;
use super::state_rows::{Committed, EncodedCommit, acquire, armed, holder, reset};
use super::tasks::TaskWriter;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use model::time::EventTime;
use model::wire::decode;
use ports::state_store::{Commit, Holder, Lease, Leases, Outbox, StateError, StateReader, States};

/// Most monitors in a commit. Every changed page is written whole: a thousand random monitors of 100,000 cost
/// a page each, ten thousand a third of a page.
const COMMIT_MONITORS: usize = 20_000;

/// A [`StateStore`](ports::state_store::StateStore) and [`StateReader`] in SQLite.
pub struct SqliteStateStore {
    writer: Arc<TaskWriter>,
    readers: Readers,
    held: Arc<Mutex<HashMap<PartitionId, OwnedPartition>>>,
    applied: Arc<Applied>,
}

/// A partition under a lease, with its wake-ups.
struct OwnedPartition {
    token: String,
    wake_ups: BTreeSet<(EventTime, MonitorId)>,
    armed: HashMap<MonitorId, EventTime>,
}

impl OwnedPartition {
    fn new(token: String, entries: Vec<(EventTime, MonitorId)>) -> Self {
        let armed = entries.iter().map(|(at, monitor)| (*monitor, *at)).collect();
        Self { token, wake_ups: entries.into_iter().collect(), armed }
    }

    fn arm(&mut self, monitor: MonitorId, at: Option<EventTime>) {
        let before = match at {
            Some(at) => self.armed.insert(monitor, at),
            None => self.armed.remove(&monitor),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.wake_ups.remove(&(before, monitor));
        }
        if let Some(at) = at {
            self.wake_ups.insert((at, monitor));
        }
    }
}

fn unavailable(error: StoreError) -> StateError {
    StateError::Unavailable(error.into())
}

impl SqliteStateStore {
    pub(super) fn new(writer: Arc<TaskWriter>, readers: Readers, applied: Arc<Applied>) -> Self {
        Self { writer, readers, held: Arc::default(), applied }
    }

    /// Refuses a lease that is not in force.
    fn check(&self, lease: &Lease) -> Result<(), StateError> {
        let held = self.held.lock();
        let in_force = held.get(&lease.partition).is_some_and(|held| held.token == lease.token);
        if in_force { Ok(()) } else { Err(StateError::Fenced) }
    }

    /// Takes a partition that has no holder, or whose holder may be passed over.
    async fn take(
        &self,
        partition: PartitionId,
        owner: &str,
        passed_over: impl Fn(&Holder) -> bool + Send + 'static,
    ) -> Result<Lease, StateError> {
        let (owner, random) = (owner.to_owned(), Uuid::new_v4().simple().to_string());
        let held = Arc::clone(&self.held);
        // The former holder is fenced from here on. If two take the partition at once, the last writer has
        // it.
        let fence = move |acquired: &Result<Lease, Holder>| {
            if let Ok(lease) = acquired {
                held.lock().insert(partition, OwnedPartition::new(lease.token.clone(), Vec::new()));
            }
        };
        let work = move |conn: &Connection| acquire(conn, partition, &owner, &random, &passed_over);
        let acquired = self.writer.write(work, fence).await.map_err(unavailable)?;
        let lease = acquired.map_err(|Holder { owner, token }| StateError::Held { owner, token })?;
        // Only the new holder commits from now on, so the entries read here stay true.
        let token = lease.token.clone();
        let build = move |conn: &Connection| Ok(OwnedPartition::new(token, armed(conn, partition)?));
        let built = self.read(build).await?;
        if let Some(held) = self.held.lock().get_mut(&partition).filter(|held| held.token == lease.token) {
            *held = built;
        }
        Ok(lease)
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StateError> {
        self.readers.read(query).await.map_err(unavailable)
    }
}

fn read_head(conn: &Connection, partition: PartitionId) -> Result<PartitionHead, StoreError> {
    let sql = "SELECT head FROM partitions WHERE partition = ?1";
    let head = optional::<Option<Vec<u8>>>(conn, sql, [partition.0])?.flatten();
    Ok(head.map(|head| decode(&head)).transpose()?.unwrap_or_default())
}

fn read_states(
    conn: &Connection,
    partition: PartitionId,
    after: Option<MonitorId>,
    limit: usize,
) -> Result<Vec<(MonitorId, MonitorState)>, StoreError> {
    let sql =
        "SELECT monitor, state FROM states WHERE partition = ?1 AND monitor > ?2 ORDER BY monitor LIMIT ?3";
    let mut query = conn.prepare_cached(sql)?;
    let after = behind(after.map(MonitorId::as_uuid));
    let mut rows = query.query(params![partition.0, after, sql_limit(limit)])?;
    let mut states = Vec::new();
    while let Some(row) = rows.next()? {
        let monitor = MonitorId::from_uuid(row.get(0)?);
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        states.push((monitor, decode(bytes)?));
    }
    Ok(states)
}

#[async_trait]
impl Leases for SqliteStateStore {
    async fn acquire(&self, partition: PartitionId, owner: &str) -> Result<Lease, StateError> {
        let same = owner.to_owned();
        self.take(partition, owner, move |holder| holder.owner == same).await
    }

    async fn take_over(&self, partition: PartitionId, token: &str, owner: &str) -> Result<Lease, StateError> {
        let dead = token.to_owned();
        self.take(partition, owner, move |holder| holder.token == dead).await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<Holder>, StateError> {
        self.read(move |conn| Ok(holder(conn, partition)?)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        let (lease, held) = (lease.clone(), Arc::clone(&self.held));
        let released = lease.clone();
        let work = move |conn: &Connection| {
            let sql = "UPDATE partitions SET owner = NULL, token = NULL WHERE partition = ?1 AND token = ?2";
            conn.execute(sql, params![lease.partition.0, lease.token])
        };
        let forget = move |count: &usize| {
            if *count > 0 {
                held.lock().remove(&released.partition);
            }
        };
        self.writer.write(work, forget).await.map_err(unavailable)?;
        Ok(())
    }
}

#[async_trait]
impl States for SqliteStateStore {
    fn max_commit_monitors(&self) -> usize {
        COMMIT_MONITORS
    }

    async fn load_head(&self, lease: &Lease) -> Result<PartitionHead, StateError> {
        self.check(lease)?;
        self.head(lease.partition).await
    }

    async fn load_states(
        &self,
        lease: &Lease,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Result<Vec<(MonitorId, MonitorState)>, StateError> {
        self.check(lease)?;
        let partition = lease.partition;
        self.read(move |conn| read_states(conn, partition, after, limit)).await
    }

    async fn due(&self, lease: &Lease, up_to: EventTime, limit: usize) -> Result<Vec<MonitorId>, StateError> {
        self.check(lease)?;
        let held = self.held.lock();
        let Some(held) = held.get(&lease.partition) else { return Err(StateError::Fenced) };
        let due = held.wake_ups.iter().take_while(|(at, _)| *at < up_to);
        Ok(due.take(limit).map(|(_, monitor)| *monitor).collect())
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StateError> {
        self.check(lease)?;
        let (found, most) = (commit.states.len(), self.max_commit_monitors());
        if found > most {
            return Err(StateError::TooLarge { found, most });
        }
        let encoded = EncodedCommit::new(lease, commit);
        let entries: Vec<(MonitorId, Option<EventTime>)> = commit
            .states
            .iter()
            .map(|change| (change.monitor, change.state.as_ref().and_then(|state| state.armed_at)))
            .collect();
        let (held, lease) = (Arc::clone(&self.held), lease.clone());
        let (applied, applied_to) = (Arc::clone(&self.applied), commit.head.applied);
        let arm = move |committed: &Committed| {
            if matches!(committed, Committed::Done) {
                applied.set(lease.partition, applied_to);
            }
            let mut held = held.lock();
            if matches!(committed, Committed::Done)
                && let Some(held) = held.get_mut(&lease.partition).filter(|held| held.token == lease.token)
            {
                entries.into_iter().for_each(|(monitor, at)| held.arm(monitor, at));
            }
        };
        let committed = self.writer.write(move |conn| encoded.write(conn), arm).await.map_err(unavailable)?;
        match committed {
            Committed::Done | Committed::Repeated => Ok(()),
            Committed::Fenced => Err(StateError::Fenced),
            Committed::OutOfOrder(found) => Err(StateError::OutOfOrder { found }),
        }
    }

    async fn reset(&self, lease: &Lease) -> Result<(), StateError> {
        self.check(lease)?;
        let (lease, held) = (lease.clone(), Arc::clone(&self.held));
        let reset_lease = lease.clone();
        let applied = Arc::clone(&self.applied);
        let disarm = move |in_force: &bool| {
            if *in_force {
                applied.set(lease.partition, Offset::START);
            }
            if *in_force && let Some(held) = held.lock().get_mut(&lease.partition) {
                *held = OwnedPartition::new(lease.token, Vec::new());
            }
        };
        let in_force =
            self.writer.write(move |conn| reset(conn, &reset_lease), disarm).await.map_err(unavailable)?;
        if in_force { Ok(()) } else { Err(StateError::Fenced) }
    }
}

#[async_trait]
impl Outbox for SqliteStateStore {
    async fn outbox(&self, lease: &Lease, limit: usize) -> Result<Vec<OutboxAlert>, StateError> {
        self.check(lease)?;
        let partition = lease.partition.0;
        let sql = "SELECT alert FROM outbox WHERE partition = ?1 ORDER BY number LIMIT ?2";
        self.read(move |conn| {
            let mut query = conn.prepare_cached(sql)?;
            let mut rows = query.query(params![partition, sql_limit(limit)])?;
            let mut alerts = Vec::new();
            while let Some(row) = rows.next()? {
                alerts.push(decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
            }
            Ok(alerts)
        })
        .await
    }

    async fn trim_outbox(&self, lease: &Lease, through: u64) -> Result<(), StateError> {
        self.check(lease)?;
        let lease = lease.clone();
        let work = move |conn: &Connection| {
            let sql = "SELECT token FROM partitions WHERE partition = ?1";
            let token: Option<Option<String>> = optional(conn, sql, [lease.partition.0])?;
            if token.flatten().as_ref() != Some(&lease.token) {
                return Ok(false);
            }
            let sql = "DELETE FROM outbox WHERE partition = ?1 AND number <= ?2";
            conn.prepare_cached(sql)?.execute(params![lease.partition.0, to_sql(through)])?;
            Ok(true)
        };
        let in_force = self.writer.write(work, |_| ()).await.map_err(unavailable)?;
        if in_force { Ok(()) } else { Err(StateError::Fenced) }
    }
}

#[async_trait]
impl StateReader for SqliteStateStore {
    async fn states(
        &self,
        partition: PartitionId,
        monitors: &[MonitorId],
    ) -> Result<Vec<Option<MonitorState>>, StateError> {
        let monitors = monitors.to_vec();
        let sql = "SELECT state FROM states WHERE partition = ?1 AND monitor = ?2";
        self.read(move |conn| {
            let state = |monitor: MonitorId| {
                let bytes = optional::<Vec<u8>>(conn, sql, params![partition.0, monitor.as_uuid()])?;
                Ok(bytes.map(|bytes| decode(&bytes)).transpose()?)
            };
            monitors.into_iter().map(state).collect()
        })
        .await
    }

    async fn head(&self, partition: PartitionId) -> Result<PartitionHead, StateError> {
        self.read(move |conn| read_head(conn, partition)).await
    }
}
