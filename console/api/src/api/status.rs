//! How Lubdub itself stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::ids::PartitionId;
use model::time::Interval;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::Time;
use crate::problem::Problem;
use management::app::App;

/// Gaps that are shown of each partition.
const GAPS_SHOWN: usize = 100;

/// How Lubdub stands.
#[derive(Debug, Serialize, ToSchema)]
struct Status {
    /// The version of this program.
    version: &'static str,
    /// The console's time.
    now: Time,
    /// How many monitors there are.
    monitors: usize,
    /// How many channels there are.
    channels: usize,
    partitions: Vec<PartitionStatus>,
}

/// How a partition stands, as of its last commit.
#[derive(Debug, Serialize, ToSchema)]
struct PartitionStatus {
    partition: u16,
    /// Offset of the last log entry that was applied.
    applied: u64,
    /// Event time up to which the partition is complete; null before the first frame.
    watermark: Option<Time>,
    /// All deaf time that is remembered, seconds.
    deaf_seconds: u64,
    /// The newest 100 gaps, newest first.
    gaps: Vec<GapStatus>,
}

/// A span of time for which nobody vouches that Lubdub was listening. Time did not run against monitors in it.
#[derive(Debug, Serialize, ToSchema)]
struct GapStatus {
    from: Time,
    to: Time,
    /// Its length.
    seconds: f64,
}

impl From<&Interval> for GapStatus {
    fn from(gap: &Interval) -> Self {
        Self { from: Time(gap.start), to: Time(gap.end), seconds: gap.length().as_secs_f64() }
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows how far each partition is, and when Lubdub was deaf.
#[utoipa::path(
    get, path = "/status", tag = "status", operation_id = "showStatus",
    responses((status = 200, description = "How Lubdub stands", body = Status))
)]
async fn show(State(app): State<Arc<App>>) -> Result<Json<Status>, Problem> {
    let mut partitions = Vec::new();
    for partition in 0..app.log.partitions() {
        let head = app.states.head(PartitionId(partition)).await?;
        let gaps = head.gaps.as_slice();
        partitions.push(PartitionStatus {
            partition,
            applied: head.applied.0,
            watermark: head.watermark.map(Time),
            deaf_seconds: gaps.iter().map(|gap| gap.length()).sum::<std::time::Duration>().as_secs(),
            gaps: gaps.iter().rev().take(GAPS_SHOWN).map(GapStatus::from).collect(),
        });
    }
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        now: Time(app.clock.now()),
        monitors: app.directory.monitor_count(),
        channels: app.directory.channel_count(),
        partitions,
    }))
}
