//! A monitor's changes of state.

use std::borrow::Cow;
use std::sync::Arc;

use api::flips::{FlipReason, FlipState, FlipView};
use api::time::Time;
use axum::Json;
use axum::extract::State;
use model::flip::{self, Flip, Reason};
use model::time::EventTime;
use sending::words;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::paging::{Cursor, Page, Paging};
use crate::problem::Problem;
use crate::request::{Path, monitor_id};
use management::app::App;

fn view(flip: Flip) -> FlipView {
    FlipView {
        message: words::flip_text(&flip).map(Cow::into_owned),
        id: flip.id.to_string(),
        sequence: flip.sequence,
        from: state(flip.from),
        to: state(flip.to),
        reason: reason(flip.reason),
        at: Time(flip.at),
        deaf_seconds: flip.deaf.as_secs(),
    }
}

const fn state(state: flip::State) -> FlipState {
    match state {
        flip::State::New => FlipState::New,
        flip::State::Up => FlipState::Up,
        flip::State::Down => FlipState::Down,
        flip::State::Paused => FlipState::Paused,
    }
}

const fn reason(reason: Reason) -> FlipReason {
    match reason {
        Reason::First => FlipReason::First,
        Reason::Missed => FlipReason::Missed,
        Reason::Reported => FlipReason::Reported,
        Reason::Recovered => FlipReason::Recovered,
        Reason::Paused => FlipReason::Paused,
        Reason::Resumed => FlipReason::Resumed,
        Reason::Changed => FlipReason::Changed,
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
        ("limit" = Option<u32>, Query, description = "Most entries on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page"),
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
    let found = app.ports.history.flips(id, before, paging.limit + 1).await?;
    let page = paging.page(found, |last| Cursor::Time(last.at.as_micros()));
    Ok(Json(page.map(view)))
}
