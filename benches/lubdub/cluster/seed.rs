//! A cluster with many monitors.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use backend_nats::NatsBackend;
use backend_redis::RedisBackend;
use model::ids::{Offset, PartitionId, Revision};
use model::monitor::Monitor;
use model::monitor_state::{PartitionHead, StateChange};
use model::wire::frame::Listening;
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::state_store::{Commit, Lease, Leases, States};

use crate::frames::frame;
use crate::monitors::{Seed, Seeded, monitor, register, state};

/// Monitors made at once: a request to NATS waits for 2 s at most.
const AT_ONCE: usize = 1_000;

/// How long ago the monitors were made, and heard if they were.
const AGO: Duration = Duration::from_secs(3_600);

/// Makes monitors that only the registry knows.
pub(crate) async fn registered(nats: &NatsBackend, seed: Seed) -> anyhow::Result<Vec<Seeded>> {
    let mut seeded = Vec::with_capacity(seed.monitors);
    while seeded.len() < seed.monitors {
        let (monitors, _) = next(nats, seed, seeded.len()).await?;
        seeded.extend(monitors.into_iter().map(Seeded::from));
    }
    Ok(seeded)
}

/// Makes monitors of each kind, with their states. No scheduler may run.
pub(crate) async fn seed<const N: usize>(
    nats: &NatsBackend,
    redis: &RedisBackend,
    seeds: [Seed; N],
) -> anyhow::Result<[Vec<Seeded>; N]> {
    let mut writers = Vec::new();
    for partition in (0..nats.partitions()).map(PartitionId) {
        writers.push(Writer::begin(nats, redis, partition).await?);
    }
    let mut all = seeds.map(|seed| Vec::with_capacity(seed.monitors));
    for (seed, seeded) in seeds.into_iter().zip(&mut all) {
        while seeded.len() < seed.monitors {
            let (monitors, revisions) = next(nats, seed, seeded.len()).await?;
            for (monitor, revision) in monitors.into_iter().zip(revisions) {
                let PartitionId(partition) = monitor.id.partition(nats.partitions());
                let writer = writers.get_mut(usize::from(partition)).context("a partition")?;
                let state = Some(state(&monitor, revision, seed.heard));
                writer.states.push(StateChange { monitor: monitor.id, state });
                seeded.push(Seeded::from(monitor));
            }
            for writer in &mut writers {
                writer.commit(redis).await?;
            }
        }
    }
    for writer in writers {
        redis.state().release(&writer.lease).await?;
    }
    Ok(all)
}

/// The next monitors, in the order of their ids, and their revisions.
async fn next(nats: &NatsBackend, seed: Seed, made: usize) -> anyhow::Result<(Vec<Monitor>, Vec<Revision>)> {
    let now = SystemClock::new().now() - AGO;
    let many = AT_ONCE.min(seed.monitors - made);
    let mut monitors: Vec<Monitor> = (0..many).map(|nth| monitor(made + nth, seed, now)).collect();
    monitors.sort_unstable_by_key(|monitor| monitor.id);
    let revisions = register(nats.registry(), &monitors).await.context("write to the registry")?;
    Ok((monitors, revisions))
}

/// Commits the states of one partition, as its owner would.
struct Writer {
    lease: Lease,
    number: u64,
    applied: Offset,
    head: PartitionHead,
    states: Vec<StateChange>,
}

impl Writer {
    async fn begin(nats: &NatsBackend, redis: &RedisBackend, partition: PartitionId) -> anyhow::Result<Self> {
        let log = nats.log();
        // With nothing applied, a scheduler begins anew.
        let tick = frame(1, SystemClock::new().now() - AGO, Listening::First, Vec::new());
        let first = log.append(partition, Arc::new(tick)).await?;
        let incarnation = log.extent(partition).await?.incarnation;
        let lease = redis.state().acquire(partition, "bench").await?;
        let head = PartitionHead { incarnation, applied: first, ..PartitionHead::default() };
        Ok(Self { lease, number: 0, applied: Offset::START, head, states: Vec::new() })
    }

    async fn commit(&mut self, redis: &RedisBackend) -> anyhow::Result<()> {
        self.number += 1;
        let commit = Commit {
            follows: self.applied,
            number: self.number,
            head: self.head.clone(),
            states: std::mem::take(&mut self.states),
            outbox: Vec::new(),
        };
        redis.state().commit(&self.lease, &commit).await?;
        self.applied = self.head.applied;
        Ok(())
    }
}
