//! Rebuilds: partitions' states computed again from their logs. The console asks; the schedulers that own the partitions do it.

mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::ids::{PartitionId, RebuildId};
use model::rebuild::{Rebuild, RebuildState};
use model::wire;
use ports::registry::{Expected, RecordKey, RecordKind, RegistryError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{RebuildCreate, RebuildView};
use crate::auth::Caller;
use crate::paging::Page;
use crate::problem::Problem;
use crate::request::{JsonBody, Path};
use management::app::App;
use management::draft;

/// One that has not moved for so long is nobody's, and another may be asked for.
const STANDS_STILL: Duration = Duration::from_secs(60);

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show))
}

/// Computes the state of one partition, or of all, again from the log.
///
/// With `verify` it is compared with the live state, monitor by monitor, and nothing is changed. Without, it takes the live state's
/// place under another lease: alerts are neither repeated nor lost. The live partition goes on meanwhile; only for the
/// comparison it stands still. What came of it is shown by `GET`.
#[utoipa::path(
    post, path = "/replay/rebuilds", tag = "replay", operation_id = "createRebuilds", request_body = RebuildCreate,
    responses(
        (status = 202, description = "They are asked for", body = Page<RebuildView>),
        (status = 409, description = "One is under way", body = Problem),
    )
)]
async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let count = app.log.partitions();
    let draft = draft::rebuild::read(body, count).map_err(Problem::refused)?;
    let partitions: Vec<PartitionId> = match draft.partition {
        Some(one) => vec![one],
        None => (0..count).map(PartitionId).collect(),
    };
    let now = app.clock.now();
    // All or none, as far as is known beforehand.
    let mut asked = Vec::new();
    for partition in partitions {
        let key = RecordKey::new(RecordKind::Rebuild, partition);
        let expected = match app.registry.get(&key).await? {
            None => Expected::Absent,
            Some(record) => {
                let found: Rebuild = wire::decode(&record.value)?;
                if !found.state.is_over() && now.since(found.updated_at) < STANDS_STILL {
                    return Err(under_way(partition));
                }
                Expected::At(record.revision)
            }
        };
        let rebuild = Rebuild {
            id: RebuildId::from_uuid(app.ids.next(app.clock.as_ref())),
            partition,
            verify: draft.verify,
            history: draft.history,
            from: draft.from,
            requested_at: now,
            requested_by: caller.name().to_owned(),
            updated_at: now,
            state: RebuildState::Waiting,
        };
        asked.push((key, expected, rebuild));
    }
    let mut items = Vec::new();
    for (key, expected, rebuild) in asked {
        match app.registry.put(&key, expected, wire::encode(&rebuild)).await {
            Ok(_) => items.push(RebuildView::new(&rebuild)),
            Err(RegistryError::Conflict) => return Err(under_way(rebuild.partition)),
            Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
        }
    }
    tracing::info!(partitions = items.len(), verify = draft.verify, by = caller.name(), "asked for rebuilds");
    Ok((StatusCode::ACCEPTED, Json(Page { items, next_cursor: None })).into_response())
}

fn under_way(partition: PartitionId) -> Problem {
    Problem::conflict(format!("a rebuild of partition {partition} is under way; wait until it is over"))
}

/// Lists the newest rebuild of each partition that was ever rebuilt.
#[utoipa::path(
    get, path = "/replay/rebuilds", tag = "replay", operation_id = "listRebuilds",
    responses((status = 200, description = "One for each partition, on one page", body = Page<RebuildView>))
)]
async fn list(State(app): State<Arc<App>>) -> Result<Json<Page<RebuildView>>, Problem> {
    let mut items = Vec::new();
    for partition in (0..app.log.partitions()).map(PartitionId) {
        items.extend(found(&app, partition).await?.map(|rebuild| RebuildView::new(&rebuild)));
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Shows the newest rebuild of a partition, with its report.
#[utoipa::path(
    get, path = "/replay/rebuilds/{partition}", tag = "replay", operation_id = "showRebuild",
    params(("partition" = String, Path, description = "The partition's number")),
    responses((status = 200, description = "The rebuild", body = RebuildView))
)]
async fn show(
    State(app): State<Arc<App>>,
    Path(partition): Path<String>,
) -> Result<Json<RebuildView>, Problem> {
    let nothing =
        || Problem::not_found("rebuild: the partition was never rebuilt, or there is none of that number");
    let partition = PartitionId(partition.parse().map_err(|_| nothing())?);
    let rebuild = found(&app, partition).await?.ok_or_else(nothing)?;
    Ok(Json(RebuildView::new(&rebuild)))
}

async fn found(app: &App, partition: PartitionId) -> Result<Option<Rebuild>, Problem> {
    let record = app.registry.get(&RecordKey::new(RecordKind::Rebuild, partition)).await?;
    Ok(record.map(|record| wire::decode(&record.value)).transpose()?)
}
