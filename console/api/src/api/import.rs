//! Imports: heartbeats from another installation.

use std::sync::Arc;

use api::export::Micros;
use api::import::ImportDone;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::request::{Lines, Query};
use management::app::App;
use management::import::lines::{self, Judgement, MAX_LINES, Refused};
use management::import::mode::Mode;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(import))
}

/// Imports heartbeats: at most 8 MiB and 10,000 lines of JSON at a time.
///
/// For an empty body the answer is the server's time.
///
/// The server checks all lines first; if one is invalid, it refuses all. 200 means that all are in the log.
/// After any other answer, or none, sending the same again is safe. An import is not rate-limited.
///
/// With `mode=live` lines are `{"type": "heartbeat", "monitor", "at", "status", "msg", "value"}`, and count
/// as pushes that were received at `at`. `at` may be 60 s old, with `again=true` a day, or a second ahead;
/// the server waits until then. No two heartbeats of a monitor may have the same microsecond. A heartbeat
/// that is not newer than the newest changes nothing.
///
/// With `mode=history` lines are the past of monitors that were never heard here, in the order of the log
/// that they are from: heartbeats as above, with `settled` where the outcome depends on the time up to which
/// silence had been settled before; `{"type": "monitor", "id", "at", "revision", "settled", …definition}`
/// where another definition came into force (with `"moved": true` where the history moved from one
/// installation to another, which knew it up to `settled`); `{"type": "gap", "monitor", "from", "to"}` for
/// deaf time; and `{"type": "until", "monitor", "at"}`, which completes the history. The monitor then takes
/// over the resulting state. Its flips cause no alerts, and no deadline is counted from before now.
#[utoipa::path(
    post, path = "/import", tag = "replay", operation_id = "importHistory",
    request_body(content = String, content_type = "application/x-ndjson", description = "Lines"),
    params(
        ("mode" = String, Query, description = "live or history"),
        ("again" = Option<bool>, Query, description = "true = the same lines were sent before, with an unknown outcome"),
    ),
    responses(
        (status = 200, description = "All lines are recorded", body = ImportDone),
        (status = 409, description = "Monitors that take no history, as errors of the fields `monitors.ID`", body = api::problem::Problem),
        (status = 413, description = "The body is too large, or has too many lines", body = api::problem::Problem),
        (status = 422, description = "Lines that are refused, as errors of the fields `line NUMBER.FIELD`", body = api::problem::Problem),
        (status = 503, description = "Perhaps not all lines are recorded: send the same again", body = api::problem::Problem),
    )
)]
async fn import(
    State(app): State<Arc<App>>,
    query: Query,
    Lines(body): Lines,
) -> Result<Json<ImportDone>, Problem> {
    let allowed = "must be live or history";
    let Some(mode) = query.parsed("mode", allowed, Mode::parse)? else {
        return Err(Problem::bad_parameter("mode", allowed));
    };
    let again = query.parsed("again", "must be true or false", |text| text.parse().ok())?.unwrap_or(false);
    let _permit = Arc::clone(&app.limits.imports)
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("as many imports as this console takes at a time are running"))?;
    let judgement = Judgement { mode, again, now: app.ports.clock.now() };
    let read = tokio::task::spawn_blocking(move || lines::read(&body, judgement)).await;
    let items = match read {
        Ok(Ok(items)) => items,
        Ok(Err(Refused::Lines(errors))) => return Err(Problem::refused(errors)),
        Ok(Err(Refused::TooMany)) => {
            let detail = format!("a body may have {MAX_LINES} lines");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Err(_) => return Err(Problem::unavailable("the server is stopping; send the same again")),
    };
    let given = items.len();
    let ignored = app.import(mode, items, again).await?;
    Ok(Json(ImportDone { accepted: given - ignored, ignored, now: Micros(app.ports.clock.now()) }))
}
