//! A monitor's heartbeats.

use std::sync::Arc;

use api::heartbeats::{HeartbeatStatus, HeartbeatView};
use api::time::Time;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::heartbeat::HeartbeatKind;
use model::ids::{HeartbeatId, MonitorId};
use model::time::EventTime;
use ports::history::HeartbeatEntry;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{Path, monitor_id};
use management::app::App;

/// The view of a heartbeat.
pub(super) fn view(entry: HeartbeatEntry) -> HeartbeatView {
    let HeartbeatEntry { heartbeat, has_output } = entry;
    HeartbeatView {
        id: HeartbeatId(heartbeat.received_at).to_string(),
        at: Time(heartbeat.received_at),
        status: match heartbeat.kind {
            HeartbeatKind::Up => HeartbeatStatus::Up,
            HeartbeatKind::Down => HeartbeatStatus::Down,
        },
        msg: heartbeat.message,
        value: heartbeat.value,
        has_output,
        source: heartbeat.source,
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(output))
}

/// Lists a monitor's heartbeats, newest first.
///
/// Lubdub keeps the newest 1,000 of each monitor, unless the operator sets another number.
#[utoipa::path(
    get, path = "/monitors/{id}/heartbeats", tag = "monitors", operation_id = "listHeartbeats",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
    ),
    responses((status = 200, description = "A page of heartbeats", body = Page<HeartbeatView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    paging: Paging,
) -> Result<Json<Page<HeartbeatView>>, Problem> {
    let id = monitor_id(&id)?;
    let before = paging.before_time()?.map(EventTime::from_micros);
    app.require_monitor(id).await?;
    let found = app.ports.history.heartbeats(id, before, paging.limit + 1).await?;
    let page = paging.page(found, |last| Cursor::Time(last.heartbeat.received_at.as_micros()));
    Ok(Json(caller.sees(page.map(view))))
}

/// Shows a heartbeat's output: the last 10,000 bytes of the pushed body, as they came.
#[utoipa::path(
    get, path = "/monitors/{id}/heartbeats/{heartbeat}/output", tag = "monitors", operation_id = "showHeartbeatOutput",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("heartbeat" = String, Path, description = "The heartbeat's id"),
    ),
    responses((status = 200, description = "The output", content_type = "application/octet-stream", body = Vec<u8>))
)]
async fn output(
    State(app): State<Arc<App>>,
    Path((id, heartbeat)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id: MonitorId = monitor_id(&id)?;
    app.require_monitor(id).await?;
    let HeartbeatId(at) = heartbeat.parse().map_err(|_| Problem::not_found("heartbeat"))?;
    let output = app.ports.history.output(id, at).await?.ok_or_else(|| Problem::not_found("output"))?;
    let mut response = output.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"output\""));
    Ok(response)
}
