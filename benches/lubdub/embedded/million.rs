//! The cost of a million monitors while nothing happens.

use std::time::Duration;

use super::seed::seed;
use super::up::{self, directory};
use crate::aims::{Figure, measured};
use crate::installation::Installation;
use crate::monitors::Seed;
use crate::report::{Report, count, seconds};
use crate::sections::Size;
use crate::server::Server;

/// A year, seconds: no monitor falls silent meanwhile.
const TIMEOUT: u32 = 31_536_000;

/// From readiness to the beginning of the idle time.
const SETTLE: Duration = Duration::from_secs(10);

/// The cost of one installation.
struct Cost {
    monitors: usize,
    started_in: Duration,
    resident: u64,
    processor: Duration,
    written: u64,
}

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(1_000_000, 20_000);
    let idle = size.pick(Duration::from_secs(60), Duration::from_secs(5));
    let (full_dir, empty_dir) = (directory()?, directory()?);
    seed(full_dir.path(), Seed { monitors, timeout: TIMEOUT, heard: true, channels: 0 }).await?;
    let full = up::start(full_dir.path(), &[]).await?;
    let empty = up::start(empty_dir.path(), &[]).await?;
    // Both at once: together they use little of one processor.
    tokio::time::sleep(SETTLE).await;
    let before = [&full, &empty].map(|one| Ok((one.server.processor_time()?, written(&one.server)?)));
    let [full_before, empty_before]: [anyhow::Result<(Duration, u64)>; 2] = before;
    let (full_before, empty_before) = (full_before?, empty_before?);
    tokio::time::sleep(idle).await;
    let costs = [cost(&empty, 0, empty_before)?, cost(&full, monitors, full_before)?];
    print(&costs, idle);
    full.stop()?;
    empty.stop()
}

/// Bytes that it caused to be written to the disk.
fn written(server: &Server) -> anyhow::Result<u64> {
    server.number("io", "write_bytes:")
}

fn cost(one: &Installation, monitors: usize, before: (Duration, u64)) -> anyhow::Result<Cost> {
    Ok(Cost {
        monitors,
        started_in: one.started_in,
        resident: one.server.resident()?,
        processor: one.server.processor_time()?.saturating_sub(before.0),
        written: written(&one.server)?.saturating_sub(before.1),
    })
}

fn print(costs: &[Cost; 2], idle: Duration) {
    let days = idle.as_secs_f64() / 86_400.0;
    let mut report = Report::new(
        format!("Idle for {} s", idle.as_secs()),
        &["monitors", "ready after", "resident", "a monitor", "processor/s", "processor/day", "written/day"],
    );
    for cost in costs {
        let beyond_empty = cost.resident.saturating_sub(costs[0].resident);
        let each = if cost.monitors == 0 { 0.0 } else { beyond_empty as f64 / cost.monitors as f64 };
        if cost.monitors > 0 {
            measured(Figure::MonitorMemory, each);
        }
        report.row([
            count(cost.monitors as f64),
            seconds(cost.started_in),
            format!("{:.1} MB", cost.resident as f64 / 1e6),
            format!("{each:.0} B"),
            format!("{:.2} ms", cost.processor.as_secs_f64() * 1_000.0 / idle.as_secs_f64()),
            format!("{:.0} s", cost.processor.as_secs_f64() / days),
            format!("{:.1} MB", cost.written as f64 / days / 1e6),
        ]);
    }
    report.print();
}
