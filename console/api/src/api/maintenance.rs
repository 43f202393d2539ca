//! Maintenance windows.

mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::ids::{MonitorId, Revision, WindowId};
use model::maintenance::MaintenanceWindow;
use model::wire;
use ports::registry::{Expected, Record, RecordKey, RecordKind, RegistryError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{WindowChange, WindowView};
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{IfMatch, JsonBody, Path};
use management::app::App;
use management::draft::maintenance::WindowDraft;
use management::monitors::WRITE_TRIES;

/// Most windows that there can be: the notifier looks at all of them for each alert.
const MAX_WINDOWS: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, change, delete))
}

fn record_key(id: &str) -> Result<RecordKey, Problem> {
    let id: WindowId = id.parse().map_err(|_| Problem::not_found("maintenance window"))?;
    Ok(RecordKey::new(RecordKind::Maintenance, id))
}

async fn record(app: &App, key: &RecordKey) -> Result<Record, Problem> {
    app.registry.get(key).await?.ok_or_else(|| Problem::not_found("maintenance window"))
}

fn answer(app: &App, revision: Revision, window: &MaintenanceWindow) -> Response {
    let etag = [(header::ETAG, format!("\"{revision}\""))];
    (etag, Json(view::show(app, revision, window))).into_response()
}

/// Says which of the named monitors do not exist.
async fn check_monitors(app: &App, draft: &mut WindowDraft) -> Result<(), Problem> {
    let named = draft.named_monitors().iter().copied();
    let unknown: Vec<MonitorId> = named.filter(|id| !app.directory.monitor_exists(*id)).collect();
    for monitor in unknown {
        // Another console may have made it a moment ago.
        if app.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?.is_none() {
            draft.refuse_monitor(monitor);
        }
    }
    Ok(())
}

/// Makes a maintenance window: a time in which nobody is told of its monitors.
///
/// It is either once, with `from` and `to`, or repeated, with `cron` and `duration`. What a monitor does meanwhile is recorded.
/// If it is still down at the window's end, its alert is sent then. There can be 1,000 windows.
#[utoipa::path(
    post, path = "/maintenance-windows", tag = "maintenance", operation_id = "createMaintenanceWindow",
    request_body = WindowChange,
    responses(
        (status = 201, description = "The new window", body = WindowView),
        (status = 409, description = "There are 1,000 already", body = Problem),
    )
)]
async fn create(State(app): State<Arc<App>>, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let mut draft = WindowDraft::read(body);
    check_monitors(&app, &mut draft).await?;
    let now = app.clock.now();
    let new = draft.into_new(now).map_err(Problem::refused)?;
    if app.registry.list(RecordKind::Maintenance, None, MAX_WINDOWS).await?.len() >= MAX_WINDOWS {
        let detail = format!(
            "there are {MAX_WINDOWS} maintenance windows, and no more are allowed; delete one that is past"
        );
        return Err(Problem::conflict(detail));
    }
    let window = MaintenanceWindow {
        id: WindowId::from_uuid(app.ids.next(app.clock.as_ref())),
        name: new.name,
        monitors: new.monitors,
        tags: new.tags,
        span: new.span,
        created_at: now,
    };
    let key = RecordKey::new(RecordKind::Maintenance, window.id);
    let revision = app.registry.put(&key, Expected::Absent, wire::encode(&window)).await?;
    let location = [(header::LOCATION, format!("/api/v1/maintenance-windows/{}", window.id))];
    Ok((StatusCode::CREATED, location, answer(&app, revision, &window)).into_response())
}

/// Lists maintenance windows in the order of their creation.
#[utoipa::path(
    get, path = "/maintenance-windows", tag = "maintenance", operation_id = "listMaintenanceWindows",
    params(
        ("limit" = Option<u32>, Query, description = "Entries on a page, 1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of windows", body = Page<WindowView>))
)]
async fn list(State(app): State<Arc<App>>, paging: Paging) -> Result<Json<Page<WindowView>>, Problem> {
    let after = paging.after_id()?.map(|id| WindowId::from_uuid(id).to_string());
    let records = app.registry.list(RecordKind::Maintenance, after.as_deref(), paging.limit + 1).await?;
    let windows: Vec<(Revision, MaintenanceWindow)> = records
        .iter()
        .map(|record| Ok((record.revision, wire::decode(&record.value)?)))
        .collect::<Result<_, Problem>>()?;
    let page = paging.page(windows, |(_, last)| Cursor::Id(last.id.as_uuid()));
    Ok(Json(page.map(|(revision, window)| view::show(&app, revision, &window))))
}

/// Shows a maintenance window.
#[utoipa::path(
    get, path = "/maintenance-windows/{id}", tag = "maintenance", operation_id = "showMaintenanceWindow",
    params(("id" = String, Path, description = "The window's id")),
    responses((status = 200, description = "The window", body = WindowView))
)]
async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let record = record(&app, &record_key(&id)?).await?;
    Ok(answer(&app, record.revision, &wire::decode(&record.value)?))
}

/// Changes a maintenance window: only the fields that are given, null back to the default.
///
/// Giving `from` and `to` ends a `cron`, and the other way round. A window that is active ends early with a `to` that is past.
#[utoipa::path(
    patch, path = "/maintenance-windows/{id}", tag = "maintenance", operation_id = "changeMaintenanceWindow",
    request_body = WindowChange,
    params(
        ("id" = String, Path, description = "The window's id"),
        ("If-Match" = Option<String>, Header, description = "The revision in double quotes that the change is meant for"),
    ),
    responses(
        (status = 200, description = "The changed window", body = WindowView),
        (status = 412, description = "It is at another revision", body = Problem),
    )
)]
async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let key = record_key(&id)?;
    let mut draft = WindowDraft::read(body);
    check_monitors(&app, &mut draft).await?;
    for _ in 0..WRITE_TRIES {
        let record = record(&app, &key).await?;
        precondition.check(record.revision)?;
        let old: MaintenanceWindow = wire::decode(&record.value)?;
        let window = draft.clone().onto(&old).map_err(Problem::refused)?;
        if window == old {
            return Ok(answer(&app, record.revision, &old));
        }
        match app.registry.put(&key, Expected::At(record.revision), wire::encode(&window)).await {
            Ok(revision) => return Ok(answer(&app, revision, &window)),
            Err(RegistryError::Conflict) => {}
            Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("others change it all the time; try again"))
}

/// Deletes a maintenance window. One that is active ends with it.
#[utoipa::path(
    delete, path = "/maintenance-windows/{id}", tag = "maintenance", operation_id = "deleteMaintenanceWindow",
    params(
        ("id" = String, Path, description = "The window's id"),
        ("If-Match" = Option<String>, Header, description = "The revision in double quotes that the deletion is meant for"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 412, description = "It is at another revision", body = Problem),
    )
)]
async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode, Problem> {
    let key = record_key(&id)?;
    for _ in 0..WRITE_TRIES {
        let record = record(&app, &key).await?;
        precondition.check(record.revision)?;
        match app.registry.delete(&key, record.revision).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            Err(RegistryError::Conflict) => {}
            Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("others change it all the time; try again"))
}
