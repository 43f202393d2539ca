//! The past in SQLite, replayed with other settings.

use std::sync::Arc;

use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::ids::PartitionId;
use ports::clock::SystemClock;

use super::child;
use super::seed::seed;
use super::up::directory;
use crate::monitors::Seed;
use crate::sections::Size;
use crate::what_if::{Past, TIMEOUT, Tried, ask, report};

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 1_000);
    let mut report = report("SQLite");
    // A busy installation, and one in which pushes come one by one.
    for (heartbeats, together) in [(size.pick(10_000_000, 100_000), 100), (size.pick(2_000_000, 50_000), 4)] {
        let dir = directory()?;
        let wanted = Seed { monitors, timeout: TIMEOUT, heard: false, channels: 0 };
        let seeded = seed(dir.path(), wanted).await?;
        let past = Past {
            partition: PartitionId(0),
            monitors: seeded.iter().map(|seeded| seeded.id).collect(),
            heartbeats,
            together,
            at_once: 40,
        };
        let backend = SqliteBackend::open(SqliteOptions::new(dir.path()), Arc::new(SystemClock::new()))?;
        let log = backend.log();
        past.write(log.as_ref()).await?;
        drop(log);
        backend.close().await.map_err(|error| anyhow::anyhow!("close the data directory: {error}"))?;
        let console = child::start_console(dir.path()).await?;
        for tried in [Tried::Longer, Tried::Shorter] {
            ask(tried, &console, monitors, heartbeats, together, past.span(), &mut report).await?;
        }
        console.stop()?;
    }
    report.print();
    Ok(())
}
