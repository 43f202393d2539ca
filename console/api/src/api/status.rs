//! The status of Lubdub itself.

use std::sync::Arc;

use api::status::{GapStatus, PartitionStatus, Status};
use api::time::Time;
use axum::Json;
use axum::extract::State;
use model::ids::PartitionId;
use model::time::Interval;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use management::app::App;

/// The number of gaps shown for each partition.
const GAPS_SHOWN: usize = 100;

fn gap(gap: &Interval) -> GapStatus {
    GapStatus { from: Time(gap.start), to: Time(gap.end), seconds: gap.length().as_secs_f64() }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows how far each partition has come, and when Lubdub was deaf.
#[utoipa::path(
    get, path = "/status", tag = "status", operation_id = "showStatus",
    responses((status = 200, description = "The status", body = Status))
)]
async fn show(State(app): State<Arc<App>>) -> Result<Json<Status>, Problem> {
    let mut partitions = Vec::new();
    for partition in 0..app.ports.log.partitions() {
        let head = app.ports.states.head(PartitionId(partition)).await?;
        let gaps = head.gaps.as_slice();
        partitions.push(PartitionStatus {
            partition,
            applied: head.applied.0,
            watermark: head.watermark.map(Time),
            deaf_seconds: gaps.iter().map(|gap| gap.length()).sum::<std::time::Duration>().as_secs(),
            gaps: gaps.iter().rev().take(GAPS_SHOWN).map(gap).collect(),
        });
    }
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: Time(app.ports.clock.now()),
        monitors: app.directory.monitor_count(),
        channels: app.directory.channel_count(),
        partitions,
    }))
}
