//! Tests a channel by one real delivery, and shows its result.

use std::sync::Arc;

use api::channels::TestResult;
use axum::Json;
use axum::extract::State;
use model::delivery::{Delivery, DeliveryState};

use crate::problem::Problem;
use crate::request::{NoFields, Path};
use management::app::App;

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
    let id = id.parse().map_err(|_| Problem::not_found("channel"))?;
    let delivery = app.test_channel(id).await?;
    Ok(Json(delivery.map_or_else(unanswered, result)))
}

fn unanswered() -> TestResult {
    let detail = "no attempt came to an end within 20 s; is a notifier running?";
    TestResult {
        delivered: false,
        status: None,
        detail: Some(detail.to_owned()),
        request: None,
        answer: None,
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
