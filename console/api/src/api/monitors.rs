//! Monitors.

mod list;
mod view;

use std::sync::Arc;

use api::limits::DEFAULT_OVERLAP_SECS;
use api::monitors::{MonitorChange, MonitorCreate, MonitorView, TokenRotation};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::ids::MonitorId;
use model::monitor::{Definition, Monitor};
use model::schedule::MAX_TIMEOUT_SECS;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::list::Filter;
use crate::auth::Caller;
use crate::paging::{Page, Paging};
use crate::problem::Problem;
use crate::request::{IfMatch, JsonBody, NoFields, OptionalJsonBody, Path, Query, monitor_id};
use management::app::App;
use management::draft::fields::Fields;
use management::draft::monitor::MonitorDraft;
use management::records::Stored;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rotate_token))
}

async fn answer(app: &App, caller: &Caller, held: Stored<Monitor>) -> Result<Response, Problem> {
    let etag = format!("\"{}\"", held.revision);
    let situations = view::situations(app, &[&held]).await?;
    let shown = view::show(app, caller, std::iter::once(held).zip(situations).collect()).await?;
    let view: Option<MonitorView> = shown.into_iter().next();
    Ok(([(header::ETAG, etag)], Json(view)).into_response())
}

/// Makes a monitor. Its token works at once.
#[utoipa::path(
    post, path = "/monitors", tag = "monitors", operation_id = "createMonitor", request_body = MonitorCreate,
    responses(
        (status = 201, description = "The new monitor", body = MonitorView),
        (status = 409, description = "The token is taken; or with `unique_name` the name is, which `errors` then says", body = api::problem::Problem),
    )
)]
async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let held = app.create_monitor(MonitorDraft::read(body)).await?;
    let location = format!("/api/v1/monitors/{}", held.value.id);
    let headers = [(header::LOCATION, location), (header::ETAG, format!("\"{}\"", held.revision))];
    let view = view::show_new(&app, &caller, held);
    Ok((StatusCode::CREATED, headers, Json(view)).into_response())
}

/// Lists monitors in the order of their creation.
///
/// With a filter, one request looks at 20,000 monitors at most. So a page may be short, even empty, although
/// there is a next one.
#[utoipa::path(
    get, path = "/monitors", tag = "monitors", operation_id = "listMonitors",
    params(
        ("state" = Option<String>, Query, description = "Monitors in this state"),
        ("tag" = Option<String>, Query, description = "Monitors with exactly this tag"),
        ("q" = Option<String>, Query, description = "A part of the name, the description, a tag or the id, in any case"),
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
    ),
    responses((status = 200, description = "A page of monitors", body = Page<MonitorView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Query,
    paging: Paging,
) -> Result<Json<Page<MonitorView>>, Problem> {
    let filter = Filter::read(&query)?;
    let after = paging.after_id()?.map(MonitorId::from_uuid);
    let Page { items, next_cursor } = list::find(&app, &filter, after, paging.limit).await?;
    let items = view::show(&app, &caller, items).await?;
    Ok(Json(Page { items, next_cursor }))
}

/// Shows a monitor.
#[utoipa::path(
    get, path = "/monitors/{id}", tag = "monitors", operation_id = "showMonitor",
    params(("id" = String, Path, description = "The monitor's id")),
    responses((status = 200, description = "The monitor", body = MonitorView))
)]
async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let held = app.load_monitor(monitor_id(&id)?).await?;
    answer(&app, &caller, held).await
}

/// Changes a monitor. Only the given fields change; null resets a field to its default.
///
/// Giving `cron` ends a `timeout`, and the other way round. A grace that was never given follows
/// the new schedule.
#[utoipa::path(
    patch, path = "/monitors/{id}", tag = "monitors", operation_id = "changeMonitor", request_body = MonitorChange,
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the change is meant for, in double quotes"),
    ),
    responses(
        (status = 200, description = "The changed monitor", body = MonitorView),
        (status = 412, description = "The resource has another revision", body = api::problem::Problem),
        (status = 503, description = "Try again. If the problem says so, the change is recorded and takes effect later", body = api::problem::Problem),
    )
)]
async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let id = monitor_id(&id)?;
    let held = app.edit_monitor(id, &precondition, MonitorDraft::read(body)).await?;
    answer(&app, &caller, held).await
}

/// Deletes a monitor with its history.
///
/// Monitors that depended on it then depend on nothing, and send alerts of their own again.
#[utoipa::path(
    delete, path = "/monitors/{id}", tag = "monitors", operation_id = "deleteMonitor",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the deletion is meant for, in double quotes"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 412, description = "The resource has another revision", body = api::problem::Problem),
    )
)]
async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode, Problem> {
    app.delete_monitor(monitor_id(&id)?, &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a monitor. Lubdub does not watch it until it is resumed, but still records its heartbeats.
#[utoipa::path(
    post, path = "/monitors/{id}/pause", tag = "monitors", operation_id = "pauseMonitor",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the change is meant for, in double quotes"),
    ),
    responses((status = 200, description = "The monitor, paused", body = MonitorView))
)]
async fn pause(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    _: NoFields,
) -> Result<Response, Problem> {
    let held = app.change_monitor(monitor_id(&id)?, &precondition, |old| Ok(set_paused(old, true))).await?;
    answer(&app, &caller, held).await
}

/// Resumes a monitor. If the monitor was ever heard, it counts as heard now.
#[utoipa::path(
    post, path = "/monitors/{id}/resume", tag = "monitors", operation_id = "resumeMonitor",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the change is meant for, in double quotes"),
    ),
    responses((status = 200, description = "The monitor, watched again", body = MonitorView))
)]
async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    _: NoFields,
) -> Result<Response, Problem> {
    let held = app.change_monitor(monitor_id(&id)?, &precondition, |old| Ok(set_paused(old, false))).await?;
    answer(&app, &caller, held).await
}

fn set_paused(old: &Monitor, paused: bool) -> Monitor {
    Monitor { definition: Definition { paused, ..old.definition.clone() }, ..old.clone() }
}

/// Gives a monitor a new token.
///
/// The old token, and those of earlier rotations, end after `overlap` at the latest. At most five of them
/// work at a time.
#[utoipa::path(
    post, path = "/monitors/{id}/rotate-token", tag = "monitors", operation_id = "rotateToken",
    request_body = Option<TokenRotation>,
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the change is meant for, in double quotes"),
    ),
    responses((status = 200, description = "The monitor with its new token", body = MonitorView))
)]
async fn rotate_token(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Response, Problem> {
    let id = monitor_id(&id)?;
    let mut fields = Fields::new(body);
    let overlap = fields.seconds("overlap", 0..=MAX_TIMEOUT_SECS).set();
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(Problem::refused(errors));
    }
    let held = app.rotate_token(id, &precondition, overlap.unwrap_or(DEFAULT_OVERLAP_SECS)).await?;
    answer(&app, &caller, held).await
}
