//! API keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::ids::KeyId;
use model::key::{ApiKey, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::Time;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{JsonBody, Path};
use management::app::App;
use management::draft;

/// An API key; the key itself is known to its owner only.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyView {
    #[schema(format = Uuid)]
    id: String,
    /// 1 to 100 characters.
    name: String,
    #[schema(value_type = KeyScope)]
    scope: &'static str,
    created_at: Time,
    /// The key itself: in the answer to its creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// What a key allows.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
pub(crate) enum KeyScope {
    Admin,
    Read,
}

/// A new API key.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
pub(crate) struct KeyCreate {
    /// 1 to 100 characters.
    name: String,
    /// `admin` may do everything, `read` may read and sees no secrets.
    scope: KeyScope,
}

impl KeyView {
    fn new(key: &ApiKey, shown: Option<String>) -> Self {
        let scope = match key.scope {
            Scope::Admin => "admin",
            Scope::Read => "read",
        };
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            scope,
            created_at: Time(key.created_at),
            key: shown,
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, delete))
}

/// Makes an API key, which is shown in this answer only.
#[utoipa::path(
    post, path = "/keys", tag = "keys", operation_id = "createKey", request_body = KeyCreate,
    responses((status = 201, description = "The new key", body = KeyView))
)]
async fn create(State(app): State<Arc<App>>, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let draft = draft::key::read(body).map_err(Problem::refused)?;
    let (key, secret) = app.create_key(draft).await?;
    let location = [(header::LOCATION, format!("/api/v1/keys/{}", key.id))];
    let view = KeyView::new(&key, Some(secret.expose().to_owned()));
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

/// Lists API keys in the order of their creation.
#[utoipa::path(
    get, path = "/keys", tag = "keys", operation_id = "listKeys",
    params(
        ("limit" = Option<u32>, Query, description = "Entries on a page, 1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of keys", body = Page<KeyView>))
)]
async fn list(State(app): State<Arc<App>>, paging: Paging) -> Result<Json<Page<KeyView>>, Problem> {
    let after = paging.after_id()?.map(KeyId::from_uuid);
    let page = paging.page(app.directory.keys(after, paging.limit + 1), |last| Cursor::Id(last.id.as_uuid()));
    Ok(Json(page.map(|key| KeyView::new(&key, None))))
}

/// Shows an API key.
#[utoipa::path(
    get, path = "/keys/{id}", tag = "keys", operation_id = "showKey",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 200, description = "The key", body = KeyView))
)]
async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<KeyView>, Problem> {
    let stored = app.keys().load(key_id(&id)?).await?;
    Ok(Json(KeyView::new(&stored.value, None)))
}

/// Deletes an API key: it stops working at once. The last admin key cannot be deleted.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "keys", operation_id = "deleteKey",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It is the last admin key", body = Problem),
    )
)]
async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    app.delete_key(key_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn key_id(text: &str) -> Result<KeyId, Problem> {
    text.parse().map_err(|_| Problem::not_found("key"))
}
