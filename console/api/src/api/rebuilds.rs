//! Rebuilds: partitions' states computed again from their logs. The console requests them; the schedulers
//! that own the partitions carry them out.

mod view;

use std::sync::Arc;

use api::rebuilds::{RebuildCreate, RebuildView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::ids::PartitionId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::view;
use crate::auth::Caller;
use crate::paging::Page;
use crate::problem::Problem;
use crate::request::{JsonBody, Path};
use management::app::App;
use management::draft;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show))
}

/// Computes the state of one partition, or of all, again from the log.
///
/// With `verify` the scheduler compares the result with the live state, monitor by monitor, and changes
/// nothing. Without it the result replaces the live state under another lease; alerts are neither repeated
/// nor lost. The live partition goes on meanwhile, and stands still only for the comparison. `GET` shows the
/// report.
#[utoipa::path(
    post, path = "/replay/rebuilds", tag = "replay", operation_id = "createRebuilds", request_body = RebuildCreate,
    responses(
        (status = 202, description = "The requested rebuilds", body = Page<RebuildView>),
        (status = 409, description = "A rebuild is under way", body = api::problem::Problem),
    )
)]
async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let draft = draft::rebuild::read(body, app.ports.log.partitions()).map_err(Problem::refused)?;
    let rebuilds = app.request_rebuilds(&draft, caller.name()).await?;
    let items = rebuilds.iter().map(view).collect();
    Ok((StatusCode::ACCEPTED, Json(Page { items, next_cursor: None })).into_response())
}

/// Lists the newest rebuild of each partition that was ever rebuilt.
#[utoipa::path(
    get, path = "/replay/rebuilds", tag = "replay", operation_id = "listRebuilds",
    responses((status = 200, description = "One rebuild for each partition, on one page", body = Page<RebuildView>))
)]
async fn list(State(app): State<Arc<App>>) -> Result<Json<Page<RebuildView>>, Problem> {
    let rebuilds = app.rebuilds();
    let mut items = Vec::new();
    for partition in (0..app.ports.log.partitions()).map(PartitionId) {
        items.extend(rebuilds.find(partition).await?.map(|stored| view(&stored.value)));
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
    let stored = app.rebuilds().find(partition).await?.ok_or_else(nothing)?;
    Ok(Json(view(&stored.value)))
}
