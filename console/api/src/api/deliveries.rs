//! Deliveries: alerts on their way to channels, and dead letters.

use std::sync::Arc;

use api::deliveries::{AttemptView, DeliveryStateName, DeliveryView};
use api::time::Time;
use axum::extract::State;
use axum::{Extension, Json};
use model::delivery::{Attempt, Delivery, DeliveryState};
use model::ids::DeliveryId;
use model::notice::Notice;
use model::time::EventTime;
use ports::history::DeliveryFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{NoFields, Path, Query};
use management::app::App;

fn attempt_view(attempt: Attempt) -> AttemptView {
    let Attempt { at, ms, status, error, answer, request } = attempt;
    AttemptView { at: Time(at), ms, status, error, answer, request }
}

fn view(delivery: Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id.to_string(),
        flip: delivery.notice.flip().map(|flip| flip.id.to_string()),
        monitor: delivery.notice.monitor().map(|monitor| monitor.to_string()),
        monitor_name: delivery.monitor.map(|monitor| monitor.name),
        channel: delivery.channel.to_string(),
        event: delivery.notice.event_type().to_owned(),
        failing_channel: failing_channel(&delivery.notice),
        count: count(&delivery.notice),
        folded_into: delivery.folded_into.map(|id| id.to_string()),
        note: delivery.note,
        state: match delivery.state {
            DeliveryState::Pending => DeliveryStateName::Pending,
            DeliveryState::Delivered => DeliveryStateName::Delivered,
            DeliveryState::Dead => DeliveryStateName::Dead,
            DeliveryState::Folded => DeliveryStateName::Folded,
            DeliveryState::Suppressed => DeliveryStateName::Suppressed,
        },
        created_at: Time(delivery.created_at),
        next_attempt_at: delivery.next_attempt_at.map(Time),
        attempts: delivery.attempts.into_iter().map(attempt_view).collect(),
    }
}

/// A delivery as lists show it, without requests, which are long.
fn in_list(delivery: Delivery) -> DeliveryView {
    let mut view = view(delivery);
    view.attempts.iter_mut().for_each(|attempt| attempt.request = None);
    view
}

fn failing_channel(notice: &Notice) -> Option<String> {
    match notice {
        Notice::ChannelFailing(failing) => Some(failing.name.clone()),
        Notice::Alert(_)
        | Notice::WasDown(_)
        | Notice::Digest(_)
        | Notice::Storm(_)
        | Notice::Flapping(_)
        | Notice::Repost(_) => None,
    }
}

fn count(notice: &Notice) -> Option<usize> {
    match notice {
        Notice::Digest(digest) => Some(digest.count as usize),
        Notice::Storm(storm) => Some(storm.members as usize),
        Notice::Repost(repost) => Some(repost.down.len()),
        Notice::Alert(_) | Notice::WasDown(_) | Notice::Flapping(_) | Notice::ChannelFailing(_) => None,
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(redrive))
}

fn filter(query: &Query) -> Result<DeliveryFilter, Problem> {
    Ok(DeliveryFilter {
        monitor: query.parsed("monitor", "must be a monitor's id", |text| text.parse().ok())?,
        channel: query.parsed("channel", "must be a channel's id", |text| text.parse().ok())?,
        state: query.parsed(
            "state",
            "must be one of pending, delivered, dead, folded, suppressed",
            |text| DeliveryState::ALL.into_iter().find(|state| state.as_str() == text),
        )?,
    })
}

/// Lists deliveries, newest first.
///
/// Lubdub keeps the newest 10,000 finished deliveries, and every other one for 30 days.
#[utoipa::path(
    get, path = "/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    params(
        ("monitor" = Option<String>, Query, description = "Only deliveries about this monitor"),
        ("channel" = Option<String>, Query, description = "Only deliveries to this channel"),
        ("state" = Option<String>, Query, description = "Only deliveries in this state"),
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
    ),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Query,
    paging: Paging,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let filter = filter(&query)?;
    let before = paging.before_time_and_id()?;
    let before = before.map(|(at, id)| (EventTime::from_micros(at), DeliveryId::from_uuid(id)));
    let found = app.ports.deliveries.list(filter, before, paging.limit + 1).await?;
    let page = paging.page(found, |last| Cursor::TimeAndId(last.created_at.as_micros(), last.id.as_uuid()));
    Ok(Json(caller.sees(page.map(in_list))))
}

/// Shows a delivery.
#[utoipa::path(
    get, path = "/deliveries/{id}", tag = "deliveries", operation_id = "showDelivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DeliveryView))
)]
async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<DeliveryView>, Problem> {
    Ok(Json(caller.sees(view(app.delivery(delivery_id(&id)?).await?))))
}

/// Sends a dead letter again, from the first attempt on.
#[utoipa::path(
    post, path = "/deliveries/{id}/redrive", tag = "deliveries", operation_id = "redriveDelivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses(
        (status = 200, description = "The delivery, pending", body = DeliveryView),
        (status = 409, description = "The delivery is not dead, or can never be delivered", body = api::problem::Problem),
    )
)]
async fn redrive(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    _: NoFields,
) -> Result<Json<DeliveryView>, Problem> {
    Ok(Json(caller.sees(view(app.redrive(delivery_id(&id)?).await?))))
}

fn delivery_id(text: &str) -> Result<DeliveryId, Problem> {
    text.parse().map_err(|_| Problem::not_found("delivery"))
}
