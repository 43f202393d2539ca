//! A data directory with many monitors.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::ids::{Offset, PartitionId};
use model::monitor::Monitor;
use model::monitor_state::{PartitionHead, StateChange};
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::state_store::{Commit, Leases, MAX_COMMIT_MONITORS, States};

use crate::monitors::{Seed, Seeded, monitor, register, register_channels, state};

/// Makes webhook channels in `dir`, where there may be something already. They gather or do not.
pub(crate) async fn channels(dir: &Path, urls: &[String], digest: bool) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let backend =
        SqliteBackend::open(SqliteOptions::new(dir), clock).context("make channels in a data directory")?;
    register_channels(backend.registry().as_ref(), urls, digest).await?;
    backend.close().await.map_err(|error| anyhow::anyhow!("close the data directory: {error}"))
}

/// Makes them in `dir`, which is new, and answers them in the order of their ids.
pub(crate) async fn seed(dir: &Path, seed: Seed) -> anyhow::Result<Vec<Seeded>> {
    let clock = Arc::new(SystemClock::new());
    let backend = SqliteBackend::open(SqliteOptions::new(dir), Arc::clone(&clock) as Arc<dyn Clock>)
        .context("make a data directory")?;
    let partition = PartitionId(0);
    let states = backend.state();
    let lease = states.acquire(partition, "bench").await?;
    let incarnation = backend.log().extent(partition).await?.incarnation;
    let head = PartitionHead { incarnation, ..PartitionHead::default() };
    let mut seeded = Vec::with_capacity(seed.monitors);
    let mut number = 0;
    while seeded.len() < seed.monitors {
        let many = MAX_COMMIT_MONITORS.min(seed.monitors - seeded.len());
        let mut monitors: Vec<Monitor> =
            (0..many).map(|nth| monitor(seeded.len() + nth, seed, clock.now())).collect();
        monitors.sort_unstable_by_key(|monitor| monitor.id);
        let revisions = register(backend.registry(), &monitors).await?;
        let changes = monitors.iter().zip(revisions).map(|(monitor, revision)| StateChange {
            monitor: monitor.id,
            state: Some(state(monitor, revision, seed.heard)),
        });
        let states_of_batch = changes.collect();
        number += 1;
        let commit = Commit {
            follows: Offset::START,
            number,
            head: head.clone(),
            states: states_of_batch,
            outbox: Vec::new(),
        };
        states.commit(&lease, &commit).await?;
        seeded.extend(monitors.into_iter().map(Seeded::from));
    }
    states.release(&lease).await?;
    drop(states);
    backend.close().await.map_err(|error| anyhow::anyhow!("close the data directory: {error}"))?;
    Ok(seeded)
}
