//! Channels.

mod test;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use common::model::channel::{Channel, ChannelKind, ChannelState, Secret};
use common::model::ids::{ChannelId, Revision};
use common::ports::registry::{Expected, RecordKey, RecordKind, RegistryError};
use common::wire;
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::Time;
use crate::app::App;
use crate::auth::Caller;
use crate::draft::channel::{ChannelDraft, MASK};
use crate::mint;
use crate::monitors::WRITE_TRIES;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::reach;
use crate::request::{JsonBody, Path, Precondition};

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub(crate) struct ChannelView {
    /// Never changes.
    #[schema(format = Uuid)]
    id: String,
    /// 1 to 100 characters.
    name: String,
    #[schema(value_type = ChannelKindName)]
    kind: &'static str,
    /// Where to. Read keys see its host only: the rest may be a secret.
    url: String,
    /// Headers of one's own. Their values are secrets and shown as `***`.
    headers: BTreeMap<String, &'static str>,
    /// Whether monitors that name no channels use it.
    default: bool,
    #[schema(value_type = ChannelStateName)]
    state: &'static str,
    /// Why it does not work.
    state_detail: Option<String>,
    created_at: Time,
    /// Grows with every change; also the ETag.
    revision: u64,
    /// The Standard Webhooks key, only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The kinds of channel.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
enum ChannelKindName {
    Webhook,
}

/// Whether a channel works.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
enum ChannelStateName {
    Ok,
    Failing,
    Disabled,
}

/// A new channel.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
struct ChannelCreate {
    /// 1 to 100 characters.
    name: String,
    kind: ChannelKindName,
    /// An http or https URL of at most 2,000 characters.
    url: String,
    /// `whsec_` and 24 to 64 bytes in base64; made if not given.
    secret: Option<String>,
    /// At most 20 headers, not those that the transport or the signature sets.
    headers: Option<BTreeMap<String, String>>,
    /// Whether monitors that name no channels use it; the first channel is unless it says otherwise.
    default: Option<bool>,
}

/// A change of a channel.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
struct ChannelChange {
    name: Option<String>,
    /// Cannot be changed, but repeated.
    kind: Option<ChannelKindName>,
    url: Option<String>,
    /// null makes a new one, which the answer shows.
    secret: Option<String>,
    /// All of them; the value `***` keeps the stored one.
    headers: Option<BTreeMap<String, String>>,
    default: Option<bool>,
    /// `ok` enables the channel again.
    state: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(test::test))
}

fn view(caller: &Caller, revision: Revision, channel: &Channel, secret: Option<&Secret>) -> ChannelView {
    let ChannelKind::Webhook { url, headers, .. } = &channel.kind;
    let state = match channel.state {
        ChannelState::Ok | ChannelState::Failing | ChannelState::Disabled => channel.state.as_str(),
    };
    ChannelView {
        id: channel.id.to_string(),
        name: channel.name.clone(),
        kind: "webhook",
        url: if caller.is_admin() { url.expose().to_owned() } else { host_only(url.expose()) },
        headers: headers.keys().map(|name| (name.clone(), MASK)).collect(),
        default: channel.default,
        state,
        state_detail: channel.state_detail.clone(),
        created_at: Time(channel.created_at),
        revision: revision.0,
        secret: secret.map(|secret| secret.expose().to_owned()),
    }
}

fn host_only(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return MASK.to_owned() };
    format!("{}/{MASK}", url.origin().ascii_serialization())
}

fn answer(view: ChannelView) -> Response {
    let etag = [(header::ETAG, format!("\"{}\"", view.revision))];
    (etag, Json(view)).into_response()
}

fn record_key(id: &str) -> Result<RecordKey, Problem> {
    let id: ChannelId = id.parse().map_err(|_| Problem::not_found("channel"))?;
    Ok(RecordKey::new(RecordKind::Channel, id))
}

async fn load(app: &App, key: &RecordKey) -> Result<(Revision, Channel), Problem> {
    let record = app.registry.get(key).await?.ok_or_else(|| Problem::not_found("channel"))?;
    Ok((record.revision, wire::decode(&record.value)?))
}

async fn read_draft(app: &App, JsonBody(body): JsonBody) -> ChannelDraft {
    let mut draft = ChannelDraft::read(body);
    let refusal = match draft.url() {
        Some(url) => reach::refusal(&app.guard, url).await,
        None => None,
    };
    if let Some(refusal) = refusal {
        draft.refuse_url(refusal);
    }
    draft
}

/// Makes a channel. The first one is default unless it says otherwise.
#[utoipa::path(
    post, path = "/channels", tag = "channels", operation_id = "createChannel", request_body = ChannelCreate,
    responses((status = 201, description = "The new channel, with its secret", body = ChannelView))
)]
async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let new = read_draft(&app, body).await.into_new().map_err(Problem::refused)?;
    let is_first = app.registry.list(RecordKind::Channel, None, 1).await?.is_empty();
    let secret = new.secret.unwrap_or_else(mint::webhook_secret);
    let channel = Channel {
        id: ChannelId::from_uuid(app.ids.next(app.clock.as_ref())),
        name: new.name,
        kind: ChannelKind::Webhook {
            url: Secret::new(new.url.into()),
            secret: secret.clone(),
            headers: new.headers,
        },
        default: new.default.unwrap_or(is_first),
        state: ChannelState::Ok,
        state_detail: None,
        created_at: app.clock.now(),
    };
    let key = RecordKey::new(RecordKind::Channel, channel.id);
    let revision = app.registry.put(&key, Expected::Absent, wire::encode(&channel)).await?;
    let location = [(header::LOCATION, format!("/api/v1/channels/{}", channel.id))];
    let view = view(&caller, revision, &channel, Some(&secret));
    Ok((StatusCode::CREATED, location, answer(view)).into_response())
}

/// Lists channels in the order of their creation.
#[utoipa::path(
    get, path = "/channels", tag = "channels", operation_id = "listChannels",
    params(
        ("limit" = Option<u32>, Query, description = "Entries on a page, 1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
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
    Ok(Json(page.map(|(revision, channel)| view(&caller, revision, &channel, None))))
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
    let (revision, channel) = load(&app, &record_key(&id)?).await?;
    Ok(answer(view(&caller, revision, &channel, None)))
}

/// Changes a channel: only the fields that are given. `state: "ok"` enables it again.
#[utoipa::path(
    patch, path = "/channels/{id}", tag = "channels", operation_id = "changeChannel", request_body = ChannelChange,
    params(
        ("id" = String, Path, description = "The channel's id"),
        ("If-Match" = Option<String>, Header, description = "The revision in double quotes that the change is meant for"),
    ),
    responses(
        (status = 200, description = "The changed channel", body = ChannelView),
        (status = 412, description = "It is at another revision", body = Problem),
    )
)]
async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    precondition: Precondition,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = record_key(&id)?;
    let draft = read_draft(&app, body).await;
    let fresh = mint::webhook_secret();
    for _ in 0..WRITE_TRIES {
        let (revision, old) = load(&app, &key).await?;
        precondition.check(revision)?;
        let changed = draft.clone().onto(&old).map_err(Problem::refused)?;
        let mut channel = changed.channel;
        if changed.renew_secret {
            let ChannelKind::Webhook { secret, .. } = &mut channel.kind;
            *secret = fresh.clone();
        }
        if channel == old {
            return Ok(answer(view(&caller, revision, &old, None)));
        }
        match app.registry.put(&key, Expected::At(revision), wire::encode(&channel)).await {
            Ok(revision) => {
                let shown = changed.renew_secret.then_some(&fresh);
                return Ok(answer(view(&caller, revision, &channel, shown)));
            }
            Err(RegistryError::Conflict) => {}
            Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("others change it all the time; try again"))
}

/// Deletes a channel. Monitors that used it lose it.
#[utoipa::path(
    delete, path = "/channels/{id}", tag = "channels", operation_id = "deleteChannel",
    params(
        ("id" = String, Path, description = "The channel's id"),
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
    precondition: Precondition,
) -> Result<StatusCode, Problem> {
    let key = record_key(&id)?;
    for _ in 0..WRITE_TRIES {
        let record = app.registry.get(&key).await?.ok_or_else(|| Problem::not_found("channel"))?;
        precondition.check(record.revision)?;
        match app.registry.delete(&key, record.revision).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            Err(RegistryError::Conflict) => {}
            Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("others change it all the time; try again"))
}
