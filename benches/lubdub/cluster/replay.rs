//! The past in JetStream, replayed with other settings.

use model::ids::{MonitorId, PartitionId};
use model::monitor::Monitor;
use ports::clock::{Clock, SystemClock};
use servers::{NatsServer, RedisServer};

use super::site::Site;
use crate::monitors::{Seed, monitor, register};
use crate::sections::Size;
use crate::what_if::{Past, TIMEOUT, Tried, ask, report};

/// Heartbeats in a frame.
const TOGETHER: usize = 100;

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 1_000);
    let heartbeats = size.pick(10_000_000, 100_000);
    let nats = NatsServer::start();
    let redis = RedisServer::start();
    let site = Site::new(nats.url(), &redis);
    let backend = site.nats().await?;
    let wanted = Seed { monitors, timeout: TIMEOUT, heard: false, channels: 0 };
    let now = SystemClock::new().now();
    // In the registry only: the log is to begin with the past.
    let seeded: Vec<Monitor> = (0..monitors).map(|nth| monitor(nth, wanted, now)).collect();
    register(backend.registry(), &seeded).await?;
    let log = backend.log();
    let partitions = ports::heartbeat_log::HeartbeatLog::partitions(log.as_ref());
    let (mut written, mut span) = (0, std::time::Duration::ZERO);
    for partition in (0..partitions).map(PartitionId) {
        let of_it: Vec<MonitorId> = seeded
            .iter()
            .map(|seeded| seeded.id)
            .filter(|id| id.partition(partitions) == partition)
            .collect();
        let heartbeats = heartbeats / monitors * of_it.len() / TOGETHER * TOGETHER;
        let past = Past { partition, monitors: of_it, heartbeats, together: TOGETHER, at_once: 1 };
        past.write(log.as_ref()).await?;
        written += heartbeats;
        span = span.max(past.span());
    }
    let console = site.role("console", &[]).await?;
    let mut report = report("JetStream, 4 partitions");
    for tried in [Tried::Longer, Tried::Shorter] {
        ask(tried, &console, monitors, written, TOGETHER, span, &mut report).await?;
    }
    console.stop()?;
    report.print();
    Ok(())
}
