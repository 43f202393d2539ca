//! Tests a channel by one real delivery, and waits for its result.

use std::sync::Arc;
use std::time::Duration;

use api::channels::TestResult;
use axum::Json;
use axum::extract::State;
use model::delivery::{Delivery, DeliveryState};
use model::flip::Alert;
use model::ids::{AlertId, ChannelId, DeliveryId};
use model::wire;
use ports::queue::QueueMessage;
use uuid::Uuid;

use crate::problem::Problem;
use crate::request::{NoFields, Path};
use management::app::App;

/// An attempt may take 15 s.
const WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Sends a test to a channel, also to a disabled one, and waits for the answer, at most 20 s.
#[utoipa::path(
    post, path = "/channels/{id}/test", tag = "channels", operation_id = "testChannel",
    params(("id" = String, Path, description = "The channel's id")),
    responses((status = 200, description = "The result", body = TestResult))
)]
pub(super) async fn test(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    _: NoFields,
) -> Result<Json<TestResult>, Problem> {
    let channel = app.channels().load(id.parse().map_err(|_| Problem::not_found("channel"))?).await?.value.id;
    let alert = enqueue(&app, channel).await?;
    let delivery = DeliveryId::derive(alert, channel);
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(WAIT, settled(&app, delivery)) => outcome,
        () = app.stopping.cancelled() => return Err(Problem::unavailable("the server is stopping")),
    };
    let result = match outcome {
        Ok(delivery) => result(delivery?),
        Err(_) => {
            let detail = "no attempt came to an end within 20 s; is a notifier running?";
            TestResult {
                delivered: false,
                status: None,
                detail: Some(detail.to_owned()),
                request: None,
                answer: None,
            }
        }
    };
    Ok(Json(result))
}

async fn enqueue(app: &App, channel: ChannelId) -> Result<AlertId, Problem> {
    let id = AlertId::from_uuid(Uuid::new_v4());
    let at = app.clock.now();
    let message = QueueMessage {
        id: id.into(),
        lane: channel.into(),
        order_key: id.into(),
        due_at: at,
        origin: None,
        body: wire::encode(&Alert::Test { id, channel, at }),
    };
    app.alert_queue.enqueue(vec![message]).await?;
    Ok(id)
}

async fn settled(app: &App, id: DeliveryId) -> Result<Delivery, Problem> {
    loop {
        match app.deliveries.get(id).await? {
            Some(delivery) if delivery.state != DeliveryState::Pending => return Ok(delivery),
            Some(_) | None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

fn result(delivery: Delivery) -> TestResult {
    let delivered = delivery.state == DeliveryState::Delivered;
    let Some(last) = delivery.attempts.into_iter().next_back() else {
        return TestResult { delivered, status: None, detail: delivery.note, request: None, answer: None };
    };
    let detail = last.error.or_else(|| last.answer.clone());
    TestResult { delivered, status: last.status, detail, request: last.request, answer: last.answer }
}
