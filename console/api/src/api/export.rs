//! Exports: the history of monitors, for another installation.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use model::time::EventTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::Query;
use management::app::App;
use management::export::{Export, Request};
use management::selection::Selection;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(export))
}

/// Exports heartbeats, with the definitions and the deaf time that they are judged by.
///
/// Each line is a JSON object: first a `monitor` for each monitor; then the newest `heartbeat` of each from
/// before the beginning, with `before`; then, in the order of the log, `heartbeat`, `monitor` where a
/// definition changed, and `gap`; last a `summary`, without which the export is not whole. Times have
/// microseconds. Ignore empty lines. An export holds no outputs, and tokens for admin keys only. There are 4
/// exports at a time: 2 of one key, and one is kept for admin keys.
#[utoipa::path(
    get, path = "/replay/export", tag = "replay", operation_id = "exportHistory",
    params(
        ("since" = String, Query, description = "RFC 3339: the beginning"),
        ("until" = Option<String>, Query, description = "RFC 3339: the end; now if not given"),
        ("monitor" = Option<Vec<String>>, Query, description = "A monitor's id; may be repeated; every monitor if not given"),
        ("tag" = Option<String>, Query, description = "Monitors with exactly this tag"),
    ),
    responses((status = 200, description = "The export", content_type = "application/x-ndjson", body = String))
)]
async fn export(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response, Problem> {
    let allowed = "must be an RFC 3339 time such as 2026-11-22T10:00:00Z";
    let Some(since) = query.parsed("since", allowed, EventTime::parse_rfc3339)? else {
        return Err(Problem::bad_parameter("since", allowed));
    };
    let until = query.parsed("until", allowed, EventTime::parse_rfc3339)?;
    if until.is_some_and(|until| until <= since) {
        return Err(Problem::bad_parameter("until", "must be after since"));
    }
    let slot =
        app.limits.exports.take(caller.worker()).map_err(|reason| Problem::no_slot(reason, "exports"))?;
    let selection = Selection::read(&app, query.all("monitor"), query.get("tag")).await?;
    let request = Request { since, until, selection, with_tokens: caller.is_admin() };
    let export = Export::open(Arc::clone(&app), request, slot).await?;
    let lines = futures_util::stream::try_unfold(export, |mut export| async move {
        Ok::<_, management::export::ExportError>(export.next().await?.map(|bytes| (bytes, export)))
    });
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((content_type, Body::from_stream(lines)).into_response())
}
