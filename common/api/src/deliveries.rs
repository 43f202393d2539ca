//! Pure. Deliveries as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// One alert to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The id. It never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// Id of the flip that the delivery is about, the newest of several; null if it is about no monitor or
    /// several.
    #[schema(format = Uuid)]
    pub flip: Option<String>,
    /// Id of the monitor; null if the delivery is about none or several.
    #[schema(format = Uuid)]
    pub monitor: Option<String>,
    /// The monitor's name at that time.
    pub monitor_name: Option<String>,
    /// Id of the channel.
    #[schema(format = Uuid)]
    pub channel: String,
    /// The event: `monitor.down`, `monitor.up`, `monitor.reminder`, `monitor.was_down` (over before the
    /// channel could be told), `monitor.flapping`, `digest`, `storm`, `repost`, `channel.failing` or
    /// `channel.test`.
    #[serde(rename = "type")]
    pub event: String,
    /// If the event is `channel.failing`: the name of the channel that fails, at that time; otherwise null.
    pub failing_channel: Option<String>,
    /// The number of flips in a digest, or of monitors in a storm or repost; otherwise null.
    pub count: Option<usize>,
    /// The state.
    pub state: DeliveryStateName,
    /// If folded: id of the delivery that carries the change.
    #[schema(format = Uuid)]
    pub folded_into: Option<String>,
    /// Why the delivery was folded or suppressed.
    pub note: Option<String>,
    /// The time of its creation. If the alert was held back and is told later: when that was decided.
    pub created_at: Time,
    /// If pending: the earliest time of the next attempt.
    pub next_attempt_at: Option<Time>,
    /// The newest attempts, at most 50, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// The state of a delivery: `folded` = another delivery carries the change, `suppressed` = no message is
/// sent. Neither is final while a maintenance window or a parent holds the alert back, as the note says: if
/// the monitor is still down afterwards, the delivery is sent. Nor is it for a channel that was disabled, or
/// had too many deliveries, and hears later of what is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStateName {
    /// The delivery will be tried.
    Pending,
    /// The receiver accepted the delivery.
    Delivered,
    /// The delivery was given up.
    Dead,
    /// Another delivery carries the change, or will.
    Folded,
    /// No message is sent, or none yet.
    Suppressed,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    /// When it began.
    pub at: Time,
    /// The duration, in milliseconds.
    pub ms: u64,
    /// The HTTP status, or the SMTP code, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong; null = accepted. Read keys see the status only.
    pub error: Option<String>,
    /// The beginning of the answer. Null for read keys.
    pub answer: Option<String>,
    /// For a test: what was sent, secrets as `***`. Lists leave it out, and read keys do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
