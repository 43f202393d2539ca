//! Whole partitions, read at once.

use ::redis::{FromRedisValue, Pipeline, Value, pipe};
use futures_util::{StreamExt, TryStreamExt, stream};
use hashbrown::HashMap;
use uuid::Uuid;

use super::connection::Link;
use super::keys::{BUCKETS, PartitionKeys};
use super::memo::{Memo, StoredParts};
use super::{cold, hot};
use model::ids::MonitorId;
use model::monitor_state::MonitorState;
use ports::BackendError;
use ports::state_store::StateError;

/// Buckets in one pipeline, and pipelines under way at the same time.
const BUCKETS_AT_ONCE: u32 = 32;
const AT_THE_SAME_TIME: usize = 2;

type Hash = Vec<([u8; 16], Vec<u8>)>;

/// A state, and its stored cold part.
type Read = (MonitorId, MonitorState, Vec<u8>);

/// Reads a whole partition, to be handed out in pages of the monitors after `after`.
pub(super) async fn load(
    link: &Link,
    keys: &PartitionKeys,
    token: &str,
    after: Option<MonitorId>,
) -> Result<Memo, StateError> {
    let parts =
        (0..BUCKETS).step_by(BUCKETS_AT_ONCE as usize).map(|first| read_buckets(link, keys, token, first));
    let mut memo = Memo::default();
    let mut states = Vec::new();
    let mut parts = stream::iter(parts).buffer_unordered(AT_THE_SAME_TIME);
    while let Some(part) = parts.try_next().await? {
        for (monitor, state, cold) in part {
            let stored = StoredParts { cold: memo.hash(&cold), armed_at: state.armed_at };
            memo.put(monitor, Some(stored));
            if after.is_none_or(|after| monitor > after) {
                states.push((monitor, state));
            }
        }
    }
    states.sort_unstable_by_key(|(monitor, _)| *monitor);
    memo.loaded(after, states);
    Ok(memo)
}

async fn read_buckets(
    link: &Link,
    keys: &PartitionKeys,
    token: &str,
    first: u32,
) -> Result<Vec<Read>, StateError> {
    let mut pipeline = pipe();
    for bucket in first..first + BUCKETS_AT_ONCE {
        pipeline.hgetall(keys.hot(bucket)).hgetall(keys.cold(bucket));
    }
    let answers = fenced(link, keys, token, pipeline).await?;
    let mut hashes = answers.into_iter();
    let mut read = Vec::new();
    while let (Some(hot), Some(cold)) = (hashes.next(), hashes.next()) {
        read_bucket(hot, cold, &mut read).map_err(StateError::Unavailable)?;
    }
    Ok(read)
}

fn read_bucket(hot: Value, cold: Value, into: &mut Vec<Read>) -> Result<(), BackendError> {
    let (hot, cold) = (Hash::from_redis_value(hot)?, Hash::from_redis_value(cold)?);
    let mut cold: HashMap<[u8; 16], Vec<u8>> = cold.into_iter().collect();
    for (id, bytes) in hot {
        let mut state = hot::decode(&bytes)?;
        let cold = cold.remove(&id).unwrap_or_default();
        if !cold.is_empty() {
            cold::decode(&cold, &mut state)?;
        }
        into.push((MonitorId::from_uuid(Uuid::from_bytes(id)), state, cold));
    }
    Ok(())
}

/// Reads under a lease. The token is read last: only the holder writes, and no token comes twice, so if the
/// lease is in force then, it was before.
pub(super) async fn fenced(
    link: &Link,
    keys: &PartitionKeys,
    token: &str,
    mut pipeline: Pipeline,
) -> Result<Vec<Value>, StateError> {
    pipeline.hget(&keys.meta, "token");
    let mut answers: Vec<Value> = link.pipe(&pipeline).await.map_err(StateError::Unavailable)?;
    let found = answers.pop().map(Option::<String>::from_redis_value).transpose();
    let found = found.map_err(|error| StateError::Unavailable(error.into()))?.flatten();
    if found.as_deref() == Some(token) { Ok(answers) } else { Err(StateError::Fenced) }
}
