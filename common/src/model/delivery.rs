//! One alert to one channel.

use serde::{Deserialize, Serialize};

use super::flip::Alert;
use super::ids::{ChannelId, DeliveryId};
use super::time::EventTime;

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waiting for an attempt.
    Pending,
    /// Accepted by the receiver.
    Delivered,
    /// Given up: a dead letter, until somebody redrives it.
    Dead,
}

impl DeliveryState {
    /// `pending`, `delivered` or `dead`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// One try to carry a delivery to its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: EventTime,
    /// How long it took, milliseconds.
    pub ms: u64,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong; `None` = accepted.
    pub error: Option<String>,
    /// The beginning of the answer's body, at most 2 kB.
    pub answer: Option<String>,
}

/// One alert to one channel, with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// A function of (alert, channel).
    pub id: DeliveryId,
    /// What is told.
    pub alert: Alert,
    /// Whom.
    pub channel: ChannelId,
    /// How it stands.
    pub state: DeliveryState,
    /// When the alert was fanned out.
    pub created_at: EventTime,
    /// While pending: not before this.
    pub next_attempt_at: Option<EventTime>,
    /// The newest attempts, at most 50, oldest first.
    pub attempts: Vec<Attempt>,
}
