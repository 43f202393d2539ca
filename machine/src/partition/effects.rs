//! Effects: the outcome of applying a log.

use model::flip::{Alert, Flip};
use model::heartbeat::Heartbeat;
use model::ids::MonitorId;
use model::monitor_state::{OutboxAlert, PartitionHead};

/// The outcome of applying or settling, in order. The caller commits it together with the changed states.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Effects {
    /// Every flip, silent ones too: for the history.
    pub flips: Vec<Flip>,
    /// The alerts, for the outbox.
    pub alerts: Vec<OutboxAlert>,
    /// Monitors that were deleted: for the history.
    pub removed: Vec<MonitorId>,
    /// Heartbeats of imported histories: for the history.
    pub imported: Vec<Heartbeat>,
    /// Parts of imported histories whose monitors took none.
    pub refused_imports: u64,
}

impl Effects {
    /// Numbers an alert and puts it into the outbox.
    pub(super) fn tell(&mut self, head: &mut PartitionHead, alert: Alert) {
        head.last_number += 1;
        self.alerts.push(OutboxAlert { number: head.last_number, alert });
    }

    /// Whether nothing came of it.
    pub const fn is_empty(&self) -> bool {
        self.flips.is_empty()
            && self.alerts.is_empty()
            && self.removed.is_empty()
            && self.imported.is_empty()
            && self.refused_imports == 0
    }
}
