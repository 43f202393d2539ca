//! A monitor's changes of state.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::flip::Flip;
use model::time::EventTime;
use sending::words;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{Path, monitor_id};
use api::time::Time;
use management::app::App;

/// A change of a monitor's state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flip)]
pub(crate) struct FlipView {
    /// Stable, and equal in every alert about it.
    #[schema(format = Uuid)]
    id: String,
    /// Per monitor, from 1.
    sequence: u64,
    /// State before.
    #[schema(value_type = FlipState)]
    from: &'static str,
    /// State after.
    #[schema(value_type = FlipState)]
    to: &'static str,
    /// Why.
    #[schema(value_type = FlipReason)]
    reason: &'static str,
    /// When, in event time.
    at: Time,
    /// What the heartbeat said, or what was missing.
    message: Option<String>,
    /// How long Lubdub itself was deaf before it, seconds.
    deaf_seconds: u64,
}

/// The states that a monitor comes into.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
pub(crate) enum FlipState {
    New,
    Up,
    Down,
    Paused,
}

/// Why a state changes.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
pub(crate) enum FlipReason {
    First,
    Missed,
    Reported,
    Recovered,
    Paused,
    Resumed,
    Changed,
}

impl From<Flip> for FlipView {
    fn from(flip: Flip) -> Self {
        Self {
            message: words::flip_text(&flip).map(Cow::into_owned),
            id: flip.id.to_string(),
            sequence: flip.sequence,
            from: flip.from.as_str(),
            to: flip.to.as_str(),
            reason: flip.reason.as_str(),
            at: Time(flip.at),
            deaf_seconds: flip.deaf.as_secs(),
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists a monitor's flips, newest first.
#[utoipa::path(
    get, path = "/monitors/{id}/flips", tag = "monitors", operation_id = "listFlips",
    params(
        ("id" = String, Path, description = "The monitor's id"),
        ("limit" = Option<u32>, Query, description = "Entries on a page, 1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of flips", body = Page<FlipView>))
)]
async fn list(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    paging: Paging,
) -> Result<Json<Page<FlipView>>, Problem> {
    let id = monitor_id(&id)?;
    let before = paging.before_time()?.map(EventTime::from_micros);
    app.require_monitor(id).await?;
    let found = app.history.flips(id, before, paging.limit + 1).await?;
    let page = paging.page(found, |last| Cursor::Time(last.at.as_micros()));
    Ok(Json(page.map(FlipView::from)))
}
