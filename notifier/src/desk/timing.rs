//! When a desk is to be looked at again. The delivery queue is the clock: it outlives whoever waits.

use model::flip::Alert;
use model::ids::{AlertId, ChannelId, DeliveryId};
use model::time::EventTime;
use serde::{Deserialize, Serialize};

use super::Emit;

/// The time that a desk has asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timer {
    at: Option<EventTime>,
    /// How often it has asked: each time under another id.
    count: u64,
}

impl Timer {
    /// Asks for `wanted`, unless something as early is on its way. What was asked for before comes too, and does nothing.
    pub(super) fn set(
        &mut self,
        channel: ChannelId,
        wanted: Option<EventTime>,
        now: EventTime,
    ) -> Option<Emit> {
        if self.at.is_some_and(|at| at <= now) {
            self.at = None;
        }
        let wanted = wanted?.max(now);
        if self.at.is_some_and(|at| at <= wanted) {
            return None;
        }
        self.at = Some(wanted);
        self.count += 1;
        Some(self.emit(channel, wanted))
    }

    /// What was asked for last, should it have been lost.
    pub(super) fn pending(&self, channel: ChannelId) -> Option<Emit> {
        self.at.map(|at| self.emit(channel, at))
    }

    fn emit(&self, channel: ChannelId, at: EventTime) -> Emit {
        let id = AlertId::of_channel(channel, &format!("wake/{}/{}", self.count, at.as_micros()));
        Emit {
            id: DeliveryId::derive(id, channel),
            alert: Alert::Wake { id, at },
            monitor: None,
            order_key: id.into(),
            due_at: at,
        }
    }
}
