//! How an ingest starts with a million monitors.

use std::time::Duration;

use servers::NatsServer;

use super::seed::registered;
use super::site::Site;
use crate::monitors::Seed;
use crate::report::{Report, count, seconds};
use crate::sections::Size;

/// After its start it comes to rest.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(1_000_000, 20_000);
    let nats = NatsServer::start();
    let site = Site::without_redis(nats.url(), 1);
    let columns = ["monitors", "ready after", "peak memory", "a monitor", "memory after 3 s", "a monitor"];
    let mut report = Report::new("Ingest: from the start of the process to ready", &columns);
    let mut empty = (0, 0);
    for monitors in [0, monitors] {
        registered(&site.nats().await?, Seed { monitors, timeout: 86_400, heard: false, channels: 0 })
            .await?;
        let ingest = site.role("ingest", &[]).await?;
        tokio::time::sleep(SETTLE).await;
        let peak = ingest.server.number("status", "VmHWM:")? * 1_024;
        let resident = ingest.server.resident()?;
        if monitors == 0 {
            empty = (peak, resident);
        }
        let each = |bytes: u64, empty: u64| {
            format!("{:.0} B", bytes.saturating_sub(empty) as f64 / monitors.max(1) as f64)
        };
        report.row([
            count(monitors as f64),
            seconds(ingest.started_in),
            format!("{:.1} MB", peak as f64 / 1e6),
            each(peak, empty.0),
            format!("{:.1} MB", resident as f64 / 1e6),
            each(resident, empty.1),
        ]);
        ingest.stop()?;
    }
    report.print();
    Ok(())
}
