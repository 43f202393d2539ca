//! A monitor's heartbeats.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use model::heartbeat::HeartbeatKind;
use model::ids::{HeartbeatId, MonitorId};
use model::time::EventTime;
use ports::history::HeartbeatEntry;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::Time;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{Path, monitor_id};
use management::app::App;

/// One accepted push.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Heartbeat)]
pub(crate) struct HeartbeatView {
    /// Names it within its monitor.
    id: String,
    /// When it was received.
    at: Time,
    /// `up` or `down`.
    #[schema(value_type = HeartbeatStatus)]
    status: &'static str,
    /// What it said.
    msg: Option<String>,
    /// The number that it carried.
    value: Option<f64>,
    /// Whether it has an output.
    has_output: bool,
    /// The client's address.
    #[schema(value_type = Option<String>)]
    source: Option<IpAddr>,
}

/// What a heartbeat says.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
pub(crate) enum HeartbeatStatus {
    Up,
    Down,
}

impl From<HeartbeatEntry> for HeartbeatView {
    fn from(entry: HeartbeatEntry) -> Self {
        let HeartbeatEntry { heartbeat, has_output } = entry;
        let status = match heartbeat.kind {
            HeartbeatKind::Up | HeartbeatKind::Down => heartbeat.kind.as_str(),
        };
        Self {
            id: HeartbeatId(heartbeat.received_at).to_string(),
            at: Time(heartbeat.received_at),
            status,
            msg: heartbeat.message,
            value: heartbeat.value,
            has_output,
            source: heartbeat.source,
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(output))
}

/// Lists a monitor's heartbeats, newest first.
///
/// The newest 1,000 of each monitor are kept, unless the operator says otherwise.
#[utoipa::path(
    get, path = "/monitors/{id}/heartbeats", tag = "monitors", operation_id = "listHeartbeats",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("limit" = Option<u32>, Query, description = "Entries on a page, 1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of heartbeats", body = Page<HeartbeatView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    paging: Paging,
) -> Result<Json<Page<HeartbeatView>>, Problem> {
    let id = monitor_id(&id)?;
    let before = paging.before_time()?.map(EventTime::from_micros);
    app.require_monitor(id).await?;
    let found = app.history.heartbeats(id, before, paging.limit + 1).await?;
    let page = paging.page(found, |last| Cursor::Time(last.heartbeat.received_at.as_micros()));
    Ok(Json(page.map(HeartbeatView::from)))
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
    let output = app.history.output(id, at).await?.ok_or_else(|| Problem::not_found("output"))?;
    let mut response = output.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"output\""));
    Ok(response)
}
