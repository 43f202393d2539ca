//! API keys.

use std::sync::Arc;

use api::keys::{KeyCreate, KeyScope, KeyView};
use api::time::Time;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::ids::KeyId;
use model::key::{ApiKey, Scope};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{JsonBody, Path};
use management::app::App;
use management::draft;

fn view(key: &ApiKey, shown: Option<String>) -> KeyView {
    let scope = match key.scope {
        Scope::Admin => KeyScope::Admin,
        Scope::Read => KeyScope::Read,
    };
    KeyView {
        id: key.id.to_string(),
        name: key.name.clone(),
        scope,
        created_at: Time(key.created_at),
        key: shown,
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, delete))
}

/// Makes an API key. Only this answer shows the key.
#[utoipa::path(
    post, path = "/keys", tag = "keys", operation_id = "createKey", request_body = KeyCreate,
    responses(
        (status = 201, description = "The new key", body = KeyView),
        (status = 409, description = "With `unique_name`: another key has the name, which `errors` then says", body = api::problem::Problem),
    )
)]
async fn create(State(app): State<Arc<App>>, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let draft = draft::key::read(body).map_err(Problem::refused)?;
    let (key, secret) = app.create_key(draft).await?;
    let location = [(header::LOCATION, format!("/api/v1/keys/{}", key.id))];
    let shown = view(&key, Some(secret.expose().to_owned()));
    Ok((StatusCode::CREATED, location, Json(shown)).into_response())
}

/// Lists API keys in the order of their creation, for admin keys.
#[utoipa::path(
    get, path = "/keys", tag = "keys", operation_id = "listKeys",
    params(
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
    ),
    responses((status = 200, description = "A page of keys", body = Page<KeyView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    paging: Paging,
) -> Result<Json<Page<KeyView>>, Problem> {
    caller.require_admin()?;
    let after = paging.after_id()?.map(KeyId::from_uuid);
    let page = paging.page(app.directory.keys(after, paging.limit + 1), |last| Cursor::Id(last.id.as_uuid()));
    Ok(Json(page.map(|key| view(&key, None))))
}

/// Shows an API key, for admin keys.
#[utoipa::path(
    get, path = "/keys/{id}", tag = "keys", operation_id = "showKey",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 200, description = "The key", body = KeyView))
)]
async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, Problem> {
    caller.require_admin()?;
    let stored = app.keys().load(key_id(&id)?).await?;
    Ok(Json(view(&stored.value, None)))
}

/// Deletes an API key. The key stops working at once. The last admin key cannot be deleted.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "keys", operation_id = "deleteKey",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "The key is the last admin key, or was changed meanwhile", body = api::problem::Problem),
    )
)]
async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    app.delete_key(key_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn key_id(text: &str) -> Result<KeyId, Problem> {
    text.parse().map_err(|_| Problem::not_found("key"))
}
