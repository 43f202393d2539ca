//! Pure. Deliveries as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// One alert to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// Never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// Id of the flip that it tells of, of several the newest; null where it speaks of no monitor or of many.
    #[schema(format = Uuid)]
    pub flip: Option<String>,
    /// Id of the monitor; null where it speaks of none or of many.
    #[schema(format = Uuid)]
    pub monitor: Option<String>,
    /// What the monitor was called then.
    pub monitor_name: Option<String>,
    /// Id of the channel.
    #[schema(format = Uuid)]
    pub channel: String,
    /// The event: `monitor.down`, `monitor.up`, `monitor.reminder`, `monitor.was_down` (over before it could be told),
    /// `monitor.flapping`, `digest`, `storm`, `repost`, `channel.failing` or `channel.test`.
    #[serde(rename = "type")]
    pub event: String,
    /// Of a digest how many flips it tells of, of a storm or a repost how many monitors; else null.
    pub count: Option<usize>,
    /// How it stands.
    pub state: DeliveryStateName,
    /// While folded: id of the delivery that tells of it.
    #[schema(format = Uuid)]
    pub folded_into: Option<String>,
    /// Why it was folded or suppressed.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Time,
    /// While pending: not before this.
    pub next_attempt_at: Option<Time>,
    /// The newest attempts, at most 50, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// How a delivery stands: `folded` = another delivery tells of it, `suppressed` = nobody is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStateName {
    /// It will be tried.
    Pending,
    /// The receiver accepted it.
    Delivered,
    /// It was given up.
    Dead,
    /// Another delivery tells of it.
    Folded,
    /// Nobody is told of it.
    Suppressed,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    /// When it began.
    pub at: Time,
    /// How long it took, milliseconds.
    pub ms: u64,
    /// The HTTP status, or the SMTP code, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong; null = accepted.
    pub error: Option<String>,
    /// The beginning of the answer.
    pub answer: Option<String>,
    /// Of a test: what was sent, secrets as `***`. Lists leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
