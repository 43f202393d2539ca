//! Maintenance windows.

mod view;

use std::sync::Arc;

use api::maintenance::{WindowChange, WindowCreate, WindowView};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::ids::WindowId;
use model::maintenance::MaintenanceWindow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{IfMatch, JsonBody, Path};
use management::app::App;
use management::draft::maintenance::WindowDraft;
use management::records::Stored;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, change, delete))
}

fn window_id(text: &str) -> Result<WindowId, Problem> {
    text.parse().map_err(|_| Problem::not_found("maintenance window"))
}

/// The answer to a creation or a change.
async fn changed(app: &App, stored: &Stored<MaintenanceWindow>) -> Response {
    let unused = app.unused_tags(&stored.value.tags).await;
    let warning =
        |tag: &String| format!("no monitor has the tag '{tag}' now: the window is for those that get it");
    let warnings = unused.iter().map(warning).collect();
    let view = WindowView { warnings, ..view::show(app, stored.revision, &stored.value) };
    ([(header::ETAG, format!("\"{}\"", stored.revision))], Json(view)).into_response()
}

fn answer(app: &App, Stored { revision, value: window }: &Stored<MaintenanceWindow>) -> Response {
    let etag = [(header::ETAG, format!("\"{revision}\""))];
    (etag, Json(view::show(app, *revision, window))).into_response()
}

/// Makes a maintenance window: a time in which no channel is alerted about the window's monitors.
///
/// A window occurs either once, with `from` and `to`, or repeatedly, with `cron` and `duration`. Lubdub
/// records what the monitors do meanwhile. If a monitor is still down at the window's end, its alert is sent
/// then. There can be 1,000 windows.
#[utoipa::path(
    post, path = "/maintenance-windows", tag = "maintenance", operation_id = "createMaintenanceWindow",
    request_body = WindowCreate,
    responses(
        (status = 201, description = "The new window", body = WindowView),
        (status = 409, description = "There are 1,000 windows already; or with `unique_name` another one has the name, which `errors` then says", body = api::problem::Problem),
    )
)]
async fn create(State(app): State<Arc<App>>, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let stored = app.create_window(WindowDraft::read(body)).await?;
    let location = [(header::LOCATION, format!("/api/v1/maintenance-windows/{}", stored.value.id))];
    Ok((StatusCode::CREATED, location, changed(&app, &stored).await).into_response())
}

/// Lists maintenance windows in the order of their creation.
#[utoipa::path(
    get, path = "/maintenance-windows", tag = "maintenance", operation_id = "listMaintenanceWindows",
    params(
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
    ),
    responses((status = 200, description = "A page of windows", body = Page<WindowView>))
)]
async fn list(State(app): State<Arc<App>>, paging: Paging) -> Result<Json<Page<WindowView>>, Problem> {
    let after = paging.after_id()?.map(WindowId::from_uuid);
    let windows = app.windows().list(after, paging.limit + 1).await?;
    let page = paging.page(windows, |last| Cursor::Id(last.value.id.as_uuid()));
    Ok(Json(page.map(|stored| view::show(&app, stored.revision, &stored.value))))
}

/// Shows a maintenance window.
#[utoipa::path(
    get, path = "/maintenance-windows/{id}", tag = "maintenance", operation_id = "showMaintenanceWindow",
    params(("id" = String, Path, description = "The window's id")),
    responses((status = 200, description = "The window", body = WindowView))
)]
async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(answer(&app, &app.windows().load(window_id(&id)?).await?))
}

/// Changes a maintenance window. Only the given fields change; null resets a field to its default.
///
/// Giving `from` and `to` ends a `cron`, and the other way round. A `to` in the past ends an active window
/// early.
#[utoipa::path(
    patch, path = "/maintenance-windows/{id}", tag = "maintenance", operation_id = "changeMaintenanceWindow",
    request_body = WindowChange,
    params(
        ("id" = String, Path, description = "The window's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the change is meant for, in double quotes"),
    ),
    responses(
        (status = 200, description = "The changed window", body = WindowView),
        (status = 412, description = "The resource has another revision", body = api::problem::Problem),
    )
)]
async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let stored = app.change_window(window_id(&id)?, &precondition, WindowDraft::read(body)).await?;
    Ok(changed(&app, &stored).await)
}

/// Deletes a maintenance window. An active window ends at once.
#[utoipa::path(
    delete, path = "/maintenance-windows/{id}", tag = "maintenance", operation_id = "deleteMaintenanceWindow",
    params(
        ("id" = String, Path, description = "The window's id"),
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
    app.windows().delete(window_id(&id)?, &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}
