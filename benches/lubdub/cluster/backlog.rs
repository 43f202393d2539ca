//! The time that heartbeats take that came while no scheduler ran.

use std::time::Duration;

use servers::{NatsServer, RedisServer};

use super::past::{Past, committed};
use super::seed::seed;
use super::site::{PARTITIONS, Site};
use crate::monitors::Seed;
use crate::report::{Report, count, rate, seconds};
use crate::sections::Size;

/// The lag of the watermark below which a scheduler is not behind.
const NEAR: f64 = 5.0;

const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(100_000, 5_000);
    let heartbeats = size.pick(1_000_000, 50_000);
    let mut nats = NatsServer::start();
    let redis = RedisServer::start();
    let site = Site::new(nats.url(), &redis);
    let (log, store) = (site.nats().await?, site.redis().await?);
    let [seeded] = seed(&log, &store, [Seed { monitors, timeout: 86_400, heard: true, channels: 0 }]).await?;
    let ends = Past::default().write(&log, &seeded, heartbeats).await?;
    nats.restart_with("sync_interval: always");
    // Its ticks bring the watermark on.
    let ingest = site.role("ingest", &[]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let starting = site.start("scheduler", &[])?;
    let began = starting.began;
    let scheduler = starting.ready().await?;
    committed(&store, &ends, PATIENCE).await?;
    let committed_after = began.elapsed();
    loop {
        let lags = scheduler.values("lubdub_scheduler_watermark_lag_seconds").await?;
        if lags.len() == usize::from(PARTITIONS) && lags.iter().all(|lag| *lag < NEAR) {
            break;
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "the watermark stays behind: {lags:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let near_after = began.elapsed();
    let title = format!("A backlog of {} heartbeats, with history", count(heartbeats as f64));
    let columns =
        ["monitors", "scheduler ready after", "all committed after", "lag < 5 s after", "heartbeats/s"];
    let mut report = Report::new(title, &columns);
    report.row([
        count(monitors as f64),
        seconds(scheduler.started_in),
        seconds(committed_after),
        seconds(near_after),
        count(rate(heartbeats, committed_after)),
    ]);
    report.print();
    ingest.stop()?;
    scheduler.stop()
}
