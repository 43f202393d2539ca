//! Tails: what happens, as it happens.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use model::validation::FieldError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::Query;
use management::app::App;
use management::selection::Selection;
use management::tail::{MAX_MONITORS, Tail, Wanted};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(tail))
}

/// Shows heartbeats and flips from now on, until the client leaves.
///
/// Each line is a JSON object: `{"type": "heartbeat", "monitor", "at", "status", "msg", "value"}`, `{"type":
/// "flip", "monitor", "at", "sequence", "from", "to", "reason", "message", "deaf_seconds"}`, and
/// `{"type": "note", "partition", "message"}` when something was missed. Ignore empty lines. A tail has at
/// most 100,000 monitors, and there are 8 tails at
/// a time: 4 of one key, and 2 are kept for admin keys.
#[utoipa::path(
    get, path = "/tail", tag = "replay", operation_id = "tail",
    params(
        ("monitor" = Option<Vec<String>>, Query, description = "A monitor's id; may be repeated; every monitor if not given"),
        ("tag" = Option<String>, Query, description = "Monitors with exactly this tag"),
        ("flips" = Option<bool>, Query, description = "true = flips only"),
    ),
    responses((status = 200, description = "Lines", content_type = "application/x-ndjson", body = String))
)]
async fn tail(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response, Problem> {
    let flips_only =
        query.parsed("flips", "must be true or false", |text| text.parse().ok())?.unwrap_or(false);
    let slot = app.limits.tails.take(caller.worker()).map_err(|reason| Problem::no_slot(reason, "tails"))?;
    let selection = Selection::read(&app, query.all("monitor"), query.get("tag")).await?;
    if selection.count() > MAX_MONITORS {
        let message = format!("there are {}: choose {MAX_MONITORS} at most, or a tag", selection.count());
        return Err(Problem::refused(vec![FieldError::new("monitor", message)]));
    }
    let wanted = Wanted { selection, flips_only };
    let tail = Tail::open(Arc::clone(&app), wanted, slot).await?;
    let lines = futures_util::stream::unfold(tail, |mut tail| async move {
        Some((Ok::<_, std::convert::Infallible>(tail.next().await?), tail))
    });
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((content_type, Body::from_stream(lines)).into_response())
}
