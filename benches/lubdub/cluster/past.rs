//! A heartbeat log that was written while no scheduler read it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use backend_nats::NatsBackend;
use backend_redis::RedisBackend;
use model::ids::{MonitorId, Offset, PartitionId};
use model::time::EventTime;
use model::wire::frame::Listening;
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::state_store::StateReader;
use tokio::task::JoinSet;

use crate::frames::{FRAME, frame, heartbeat};
use crate::monitors::Seeded;

/// Event time between two frames.
const APART: Duration = Duration::from_millis(20);

/// The author of the log, so that further entries go on where it ended.
#[derive(Default)]
pub(crate) struct Past {
    frames: usize,
    sealed_at: Option<EventTime>,
}

/// The offsets of the last entries, by partition.
pub(crate) type Ends = Vec<Offset>;

impl Past {
    /// Appends about this many heartbeats of random monitors, with times that end about now.
    pub(crate) async fn write(
        &mut self,
        nats: &NatsBackend,
        seeded: &[Seeded],
        heartbeats: usize,
    ) -> anyhow::Result<Ends> {
        let partitions = usize::from(nats.partitions());
        let frames = (heartbeats / FRAME / partitions).max(1);
        let now = SystemClock::new().now();
        let wanted = now - APART * u32::try_from(frames)?;
        let begin = self.sealed_at.map_or(wanted, |sealed_at| sealed_at.max(wanted));
        let mut ids = vec![Vec::new(); partitions];
        for one in seeded {
            let PartitionId(partition) = one.id.partition(nats.partitions());
            ids.get_mut(usize::from(partition)).context("a partition")?.push(one.id);
        }
        let mut writing = JoinSet::new();
        for (partition, ids) in (0..nats.partitions()).map(PartitionId).zip(ids) {
            let log = nats.log();
            let (first, since) = (self.frames + 1, self.sealed_at);
            writing.spawn(async move {
                let last = write(log.as_ref(), partition, &ids, Part { first, since, begin, frames }).await?;
                anyhow::Ok((partition, last))
            });
        }
        let mut ends = vec![Offset::START; partitions];
        while let Some(written) = writing.join_next().await {
            let (PartitionId(partition), last) = written??;
            ends[usize::from(partition)] = last;
        }
        self.frames += frames;
        self.sealed_at = Some(begin + APART * u32::try_from(frames)?);
        Ok(ends)
    }
}

/// The entries that are written to one partition.
struct Part {
    first: usize,
    since: Option<EventTime>,
    begin: EventTime,
    frames: usize,
}

async fn write(
    log: &dyn HeartbeatLog,
    partition: PartitionId,
    ids: &[MonitorId],
    part: Part,
) -> anyhow::Result<Offset> {
    anyhow::ensure!(!ids.is_empty(), "partition {partition} has no monitor");
    let (mut listening, mut sealed_at) = (part.since.map_or(Listening::First, Listening::Since), part.begin);
    let mut last = Offset::START;
    for number in part.first..part.first + part.frames {
        sealed_at = sealed_at + APART;
        let heard = (0..FRAME as u64).map(|nth| {
            let monitor = ids[rand::random_range(0..ids.len())];
            heartbeat(monitor, sealed_at - Duration::from_micros(FRAME as u64 - nth))
        });
        let frame = frame(number, sealed_at, listening, heard.collect());
        last = log.append(partition, Arc::new(frame)).await?;
        listening = Listening::Since(sealed_at);
    }
    Ok(last)
}

/// Waits until everything up to `ends` is committed.
pub(crate) async fn committed(redis: &RedisBackend, ends: &Ends, within: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let states = redis.state();
    for (partition, end) in (0..).map(PartitionId).zip(ends) {
        while states.head(partition).await?.applied < *end {
            anyhow::ensure!(
                began.elapsed() < within,
                "partition {partition} is not applied after {within:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}
