//! Pure. When a desk has to be looked at again. The delivery queue is the clock: it outlives the notifier.

use std::time::Duration;

use model::delivery::OpenIncident;
use model::ids::{AlertId, ChannelId, DeliveryId};
use model::time::EventTime;
use serde::{Deserialize, Serialize};

use super::outcome::WakeUp;

/// How long a message without an outcome is waited for: longer than any delivery is attempted.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(2 * 24 * 3_600);

/// No monitor of a storm went down before this. The alert of one may have come late, behind others that
/// failed, and joined the storm although the monitor went down long before that began.
pub(crate) fn storm_goes_back_to(storm: &OpenIncident) -> EventTime {
    storm.since - LOST_AFTER
}

/// The time that a desk has asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timer {
    at: Option<EventTime>,
    /// The number of wake-ups so far, which makes each id another one.
    count: u64,
}

impl Timer {
    /// Asks for `wanted`, unless something as early is on its way. What was asked for before comes too, and
    /// does nothing.
    pub(super) fn set(
        &mut self,
        channel: ChannelId,
        wanted: Option<EventTime>,
        now: EventTime,
    ) -> Option<WakeUp> {
        if self.at.is_some_and(|at| at <= now) {
            self.at = None;
        }
        let wanted = wanted?.max(now);
        if self.at.is_some_and(|at| at <= wanted) {
            return None;
        }
        self.at = Some(wanted);
        self.count += 1;
        Some(self.wake_up(channel, wanted))
    }

    /// The last wake-up that was asked for, in case it was lost.
    pub(super) fn pending(&self, channel: ChannelId) -> Option<WakeUp> {
        self.at.map(|at| self.wake_up(channel, at))
    }

    fn wake_up(&self, channel: ChannelId, at: EventTime) -> WakeUp {
        let id = AlertId::of_channel(channel, &format!("wake/{}/{}", self.count, at.as_micros()));
        WakeUp { id: DeliveryId::derive(id, channel), due_at: at }
    }
}
