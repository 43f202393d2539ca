//! The state store in Redis.
//!
//! A partition has these keys, under one hash tag: `meta` (lease, head, numbers, progress of a reset),
//! `h:<b>` and `c:<b>` (hashes with the hot and the cold parts of the monitors of a bucket), `due:<k>`
//! (sorted sets of wake-ups), `outbox` (a sorted set of alerts by number). Every write is one script that
//! compares the token first.

use std::sync::Arc;

use ::redis::{FromRedisValue, Script, ScriptInvocation, Value, pipe};
use async_trait::async_trait;
use hashbrown::HashMap;
use parking_lot::Mutex;
use uuid::Uuid;

use super::commit::{PackedCommit, pack};
use super::connection::Link;
use super::due::{Front, first_share, merge};
use super::keys::{BUCKETS, DUE_SETS, Keys, MonitorPlace};
use super::load::{fenced, load};
use super::memo::Memo;
use super::{cold, hot};
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use model::time::EventTime;
use model::wire;
use ports::BackendError;
use ports::state_store::{Commit, Holder, Lease, Leases, Outbox, StateError, StateReader, States};

/// Most monitors that one read asks for.
const READ_MONITORS: usize = 500;

/// Buckets that one script forgets; full ones take some milliseconds.
const RESET_BUCKETS: u32 = 512;

/// A [`StateStore`](ports::state_store::StateStore) and [`StateReader`] in Redis.
pub struct RedisStateStore {
    writes: Link,
    reads: Link,
    keys: Keys,
    scripts: Scripts,
    memos: Mutex<HashMap<PartitionId, LeaseMemo>>,
}

struct LeaseMemo {
    token: String,
    memo: Arc<Mutex<Memo>>,
}

struct Scripts {
    acquire: Script,
    release: Script,
    commit: Script,
    trim: Script,
    reset: Script,
}

/// The argument of `acquire.lua` in place of a dead holder's token.
const NO_DEAD_HOLDER: &str = "acquire";

impl RedisStateStore {
    pub(super) fn new(writes: Link, reads: Link, keys: Keys) -> Self {
        let scripts = Scripts {
            acquire: Script::new(include_str!("acquire.lua")),
            release: Script::new(include_str!("release.lua")),
            commit: Script::new(include_str!("commit.lua")),
            trim: Script::new(include_str!("trim.lua")),
            reset: Script::new(include_str!("reset.lua")),
        };
        Self { writes, reads, keys, scripts, memos: Mutex::default() }
    }

    async fn take(&self, partition: PartitionId, owner: &str, dead: &str) -> Result<Lease, StateError> {
        let mut script = self.scripts.acquire.key(self.keys.partition(partition).meta);
        script.arg(owner).arg(Uuid::new_v4().simple().to_string()).arg(BUCKETS).arg(dead);
        let answer: Vec<String> = self.run(&script).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["taken", token] => {
                let token = (*token).to_owned();
                self.remember(partition, &token, Memo::default());
                Ok(Lease { partition, token })
            }
            ["held", owner, token] => {
                Err(StateError::Held { owner: (*owner).to_owned(), token: (*token).to_owned() })
            }
            ["buckets", found] => Err(StateError::Unavailable(
                format!("partition {partition} is kept in {found} buckets, and this program knows {BUCKETS}")
                    .into(),
            )),
            other => Err(StateError::Unavailable(format!("Redis answered {other:?}").into())),
        }
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StateError> {
        self.writes.run(script).await.map_err(StateError::Unavailable)
    }

    /// Runs a script that answers whether the lease is in force.
    async fn run_fenced(&self, script: &ScriptInvocation<'_>) -> Result<(), StateError> {
        let in_force: bool = self.run(script).await?;
        if in_force { Ok(()) } else { Err(StateError::Fenced) }
    }

    fn remember(&self, partition: PartitionId, token: &str, memo: Memo) {
        let remembered = LeaseMemo { token: token.to_owned(), memo: Arc::new(Mutex::new(memo)) };
        self.memos.lock().insert(partition, remembered);
    }

    /// The memo of this lease; an empty one for a lease that this process did not take.
    fn memo(&self, lease: &Lease) -> Arc<Mutex<Memo>> {
        let memos = self.memos.lock();
        let remembered = memos.get(&lease.partition).filter(|remembered| remembered.token == lease.token);
        remembered.map(|remembered| Arc::clone(&remembered.memo)).unwrap_or_default()
    }

    async fn read_states(
        &self,
        partition: PartitionId,
        monitors: &[MonitorId],
    ) -> Result<Vec<Option<MonitorState>>, BackendError> {
        let keys = self.keys.partition(partition);
        let mut pipeline = pipe();
        // In one transaction, so that hot and cold parts are of one commit.
        pipeline.atomic();
        for monitor in monitors {
            let (id, bucket) = (monitor.as_uuid(), MonitorPlace::of(*monitor).bucket);
            pipeline.hget(keys.hot(bucket), id.as_bytes()).hget(keys.cold(bucket), id.as_bytes());
        }
        let parts: Vec<Option<Vec<u8>>> = self.reads.pipe(&pipeline).await?;
        let state = |parts: &[Option<Vec<u8>>]| {
            let [Some(hot), cold] = parts else { return Ok(None) };
            let mut state = hot::decode(hot)?;
            if let Some(cold) = cold {
                cold::decode(cold, &mut state)?;
            }
            Ok(Some(state))
        };
        parts.chunks(2).map(state).collect()
    }
}

fn unreadable(error: impl Into<BackendError>) -> StateError {
    StateError::Unavailable(error.into())
}

fn read_head(head: Option<Value>) -> Result<PartitionHead, StateError> {
    let bytes = Option::<Vec<u8>>::from_redis_value(head.unwrap_or(Value::Nil)).map_err(unreadable)?;
    Ok(bytes.map(|bytes| wire::decode(&bytes)).transpose().map_err(unreadable)?.unwrap_or_default())
}

#[async_trait]
impl Leases for RedisStateStore {
    async fn acquire(&self, partition: PartitionId, owner: &str) -> Result<Lease, StateError> {
        self.take(partition, owner, NO_DEAD_HOLDER).await
    }

    async fn take_over(&self, partition: PartitionId, token: &str, owner: &str) -> Result<Lease, StateError> {
        self.take(partition, owner, token).await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<Holder>, StateError> {
        let mut command = ::redis::cmd("HMGET");
        command.arg(self.keys.partition(partition).meta).arg("owner").arg("token");
        let stored: (Option<String>, Option<String>) =
            self.writes.ask(&command).await.map_err(StateError::Unavailable)?;
        let (Some(owner), Some(token)) = stored else { return Ok(None) };
        Ok(Some(Holder { owner, token }))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        let mut script = self.scripts.release.key(self.keys.partition(lease.partition).meta);
        let _: i64 = self.run(script.arg(&lease.token)).await?;
        let mut memos = self.memos.lock();
        if memos.get(&lease.partition).is_some_and(|remembered| remembered.token == lease.token) {
            memos.remove(&lease.partition);
        }
        Ok(())
    }
}

#[async_trait]
impl States for RedisStateStore {
    async fn load_head(&self, lease: &Lease) -> Result<PartitionHead, StateError> {
        let keys = self.keys.partition(lease.partition);
        let mut pipeline = pipe();
        pipeline.hget(&keys.meta, "head").hget(&keys.meta, "reset");
        let mut answers = fenced(&self.writes, &keys, &lease.token, pipeline).await?;
        let reset = answers.pop().unwrap_or(Value::Nil);
        // The remains of an unfinished reset are no state to continue from.
        if reset == Value::Nil { read_head(answers.pop()) } else { Ok(PartitionHead::default()) }
    }

    async fn load_states(
        &self,
        lease: &Lease,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Result<Vec<(MonitorId, MonitorState)>, StateError> {
        let keys = self.keys.partition(lease.partition);
        let memo = self.memo(lease);
        if memo.lock().has_page(after) {
            fenced(&self.writes, &keys, &lease.token, pipe()).await?;
        } else {
            let loaded = load(&self.writes, &keys, &lease.token, after).await?;
            *memo.lock() = loaded;
        }
        Ok(memo.lock().page(after, limit).unwrap_or_default())
    }

    async fn due(&self, lease: &Lease, up_to: EventTime, limit: usize) -> Result<Vec<MonitorId>, StateError> {
        let keys = self.keys.partition(lease.partition);
        let before = format!("({}", up_to.as_micros());
        let mut share = first_share(limit);
        loop {
            let count = isize::try_from(share).unwrap_or(isize::MAX);
            let mut pipeline = pipe();
            for set in 0..DUE_SETS {
                pipeline.zrangebyscore_limit_withscores(keys.due(set), "-inf", &before, 0, count);
            }
            let fronts = fenced(&self.writes, &keys, &lease.token, pipeline).await?;
            let front = |front: Value| -> Result<Front, StateError> {
                let entries = Vec::<([u8; 16], f64)>::from_redis_value(front).map_err(unreadable)?;
                Ok(entries.into_iter().map(|(id, at)| (Uuid::from_bytes(id), at)).collect())
            };
            let fronts: Vec<Front> = fronts.into_iter().map(front).collect::<Result<_, _>>()?;
            if let Some(due) = merge(&fronts, share, limit) {
                return Ok(due);
            }
            share = share.saturating_mul(4).min(limit);
        }
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StateError> {
        let (found, most) = (commit.states.len(), self.max_commit_monitors());
        if found > most {
            return Err(StateError::TooLarge { found, most });
        }
        let keys = self.keys.partition(lease.partition);
        let memo = self.memo(lease);
        let PackedCommit { set, removed, armed, disarmed, stored } = pack(commit, &keys, &mut memo.lock());
        let head = wire::encode(&commit.head);
        let mut script = self.scripts.commit.key(&keys.meta);
        script
            .arg(&lease.token)
            .arg(commit.number)
            .arg(commit.follows.0)
            .arg(commit.head.applied.0)
            .arg(&head[..]);
        script.arg(set).arg(removed).arg(armed).arg(disarmed);
        let answer: String = self.run(&script).await?;
        match answer.as_str() {
            "done" => {
                let mut memo = memo.lock();
                stored.into_iter().for_each(|(monitor, stored)| memo.put(monitor, stored));
                Ok(())
            }
            "fenced" => Err(StateError::Fenced),
            offset => Err(StateError::OutOfOrder { found: Offset(offset.parse().map_err(unreadable)?) }),
        }
    }

    async fn reset(&self, lease: &Lease) -> Result<(), StateError> {
        let keys = self.keys.partition(lease.partition);
        let memo = self.memo(lease);
        memo.lock().forget();
        // Without its head the partition looks empty to the next owner, who resets it again if this reset is
        // interrupted or a part of it is lost.
        for first in (0..BUCKETS).step_by(RESET_BUCKETS as usize) {
            let last = first + RESET_BUCKETS - 1;
            let mut script = self.scripts.reset.key(&keys.meta);
            script.key(&keys.outbox).arg(&lease.token).arg(&keys.base).arg(first).arg(last);
            let answer: String = self.run(script.arg(DUE_SETS).arg(BUCKETS)).await?;
            match answer.as_str() {
                "done" => {}
                "fenced" => return Err(StateError::Fenced),
                other => {
                    let lost = format!("Redis answered {other:?} to the reset from bucket {first} on");
                    return Err(StateError::Unavailable(lost.into()));
                }
            }
        }
        memo.lock().cleared();
        Ok(())
    }
}

#[async_trait]
impl Outbox for RedisStateStore {
    async fn outbox(&self, lease: &Lease, limit: usize) -> Result<Vec<OutboxAlert>, StateError> {
        let keys = self.keys.partition(lease.partition);
        let Some(last) = limit.checked_sub(1) else { return Ok(Vec::new()) };
        let mut pipeline = pipe();
        pipeline.zrange(&keys.outbox, 0, isize::try_from(last).unwrap_or(isize::MAX));
        let alerts = fenced(&self.writes, &keys, &lease.token, pipeline).await?.pop().unwrap_or(Value::Nil);
        let alerts = Vec::<Vec<u8>>::from_redis_value(alerts).map_err(unreadable)?;
        alerts.iter().map(|alert| wire::decode(alert).map_err(unreadable)).collect()
    }

    async fn trim_outbox(&self, lease: &Lease, through: u64) -> Result<(), StateError> {
        let keys = self.keys.partition(lease.partition);
        let mut script = self.scripts.trim.key(&keys.meta);
        self.run_fenced(script.key(&keys.outbox).arg(&lease.token).arg(through)).await
    }
}

#[async_trait]
impl StateReader for RedisStateStore {
    async fn states(
        &self,
        partition: PartitionId,
        monitors: &[MonitorId],
    ) -> Result<Vec<Option<MonitorState>>, StateError> {
        let mut states = Vec::with_capacity(monitors.len());
        for monitors in monitors.chunks(READ_MONITORS) {
            states.extend(self.read_states(partition, monitors).await.map_err(StateError::Unavailable)?);
        }
        Ok(states)
    }

    async fn head(&self, partition: PartitionId) -> Result<PartitionHead, StateError> {
        let meta = self.keys.partition(partition).meta;
        let mut command = ::redis::cmd("HGET");
        command.arg(meta).arg("head");
        read_head(Some(self.reads.ask(&command).await.map_err(StateError::Unavailable)?))
    }
}
