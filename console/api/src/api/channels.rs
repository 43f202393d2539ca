//! Channels.

mod test;
mod view;

use std::sync::Arc;

use api::channels::{ChannelChange, ChannelCreate, ChannelView};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::channel::ChannelKind;
use model::ids::ChannelId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::view;
use crate::auth::Caller;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{IfMatch, JsonBody, Path};
use management::app::App;
use management::draft::channel::ChannelDraft;
use management::records::Stored;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(test::test))
}

fn answer(view: ChannelView) -> Response {
    let etag = [(header::ETAG, format!("\"{}\"", view.revision))];
    (etag, Json(view)).into_response()
}

fn channel_id(text: &str) -> Result<ChannelId, Problem> {
    text.parse().map_err(|_| Problem::not_found("channel"))
}

/// Makes a channel. It is a default channel unless the request says otherwise.
#[utoipa::path(
    post, path = "/channels", tag = "channels", operation_id = "createChannel", request_body = ChannelCreate,
    responses(
        (status = 201, description = "The new channel; for a webhook with its secret", body = ChannelView),
        (status = 409, description = "With `unique_name`: another channel has the name, which `errors` then says", body = api::problem::Problem),
    )
)]
async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let Stored { revision, value: channel } = app.create_channel(ChannelDraft::read(body)).await?;
    let location = [(header::LOCATION, format!("/api/v1/channels/{}", channel.id))];
    let secret = match &channel.kind {
        ChannelKind::Webhook(webhook) => Some(&webhook.secret),
        ChannelKind::Email(_) | ChannelKind::Preset(_) => None,
    };
    let view = view(app.sends_mail, &caller, revision, &channel, secret, channel.created_at);
    Ok((StatusCode::CREATED, location, answer(view)).into_response())
}

/// Lists channels in the order of their creation.
#[utoipa::path(
    get, path = "/channels", tag = "channels", operation_id = "listChannels",
    params(
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
    ),
    responses((status = 200, description = "A page of channels", body = Page<ChannelView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    paging: Paging,
) -> Result<Json<Page<ChannelView>>, Problem> {
    let after = paging.after_id()?.map(ChannelId::from_uuid);
    let found = app.directory.channels(after, paging.limit + 1);
    let page = paging.page(found, |(_, last)| Cursor::Id(last.id.as_uuid()));
    let now = app.ports.clock.now();
    Ok(Json(page.map(|(revision, channel)| view(app.sends_mail, &caller, revision, &channel, None, now))))
}

/// Shows a channel.
#[utoipa::path(
    get, path = "/channels/{id}", tag = "channels", operation_id = "showChannel",
    params(("id" = String, Path, description = "The channel's id")),
    responses((status = 200, description = "The channel", body = ChannelView))
)]
async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let Stored { revision, value: channel } = app.channels().load(channel_id(&id)?).await?;
    Ok(answer(view(app.sends_mail, &caller, revision, &channel, None, app.ports.clock.now())))
}

/// Changes a channel.
///
/// Only the given fields change; null resets a field to its default. `state: "ok"` enables the channel again.
///
/// `secret` rotates a webhook's secret. The previous secret still signs beside the new one for
/// `secret_overlap` seconds, so that receivers can be changed meanwhile.
#[utoipa::path(
    patch, path = "/channels/{id}", tag = "channels", operation_id = "changeChannel", request_body = ChannelChange,
    params(
        ("id" = String, Path, description = "The channel's id"),
        ("If-Match" = Option<String>, Header, description = "The revision that the change is meant for, in double quotes"),
    ),
    responses(
        (status = 200, description = "The changed channel", body = ChannelView),
        (status = 412, description = "The resource has another revision", body = api::problem::Problem),
    )
)]
async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(precondition): IfMatch,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let draft = ChannelDraft::read(body);
    let (stored, made_secret) = app.change_channel(channel_id(&id)?, &precondition, draft).await?;
    let Stored { revision, value: channel } = stored;
    Ok(answer(view(app.sends_mail, &caller, revision, &channel, made_secret.as_ref(), app.ports.clock.now())))
}

/// Deletes a channel. Monitors that used it lose it.
#[utoipa::path(
    delete, path = "/channels/{id}", tag = "channels", operation_id = "deleteChannel",
    params(
        ("id" = String, Path, description = "The channel's id"),
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
    app.channels().delete(channel_id(&id)?, &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}
