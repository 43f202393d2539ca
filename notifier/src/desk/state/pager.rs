//! Pure. The state of a pager's desk: of its channel, and of each monitor. The ledger keeps it.

use std::collections::BTreeMap;

use model::flip::Flip;
use model::ids::{AlertId, DeliveryId};
use model::notice::{MonitorLabel, Notice};
use model::time::EventTime;
use serde::{Deserialize, Serialize};

use super::super::flaps::Flaps;
use super::super::timing::Timer;

/// The state of a channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PagerHead {
    pub(in crate::desk) number: u64,
    /// When the newest monitors went down, no more than it takes to know whether they are too many.
    pub(in crate::desk) recent: Vec<EventTime>,
    pub(in crate::desk) storm: Option<OpenStorm>,
    /// Messages of the desk's own that are not finished.
    pub(in crate::desk) outbox: BTreeMap<DeliveryId, (Notice, Option<MonitorLabel>)>,
    /// When to tell again.
    pub(in crate::desk) repost_at: Option<EventTime>,
    /// Whether what was told again does not get through.
    pub(in crate::desk) stuck: bool,
    pub(in crate::desk) clean_at: Option<EventTime>,
    pub(in crate::desk) timer: Timer,
}

/// A storm that is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::desk) struct OpenStorm {
    pub(in crate::desk) incident: AlertId,
    /// The message that opens it, which tells of all its members.
    pub(in crate::desk) opens: u64,
    pub(in crate::desk) since: EventTime,
    pub(in crate::desk) members: u32,
    /// When the storm is reported next, if anything has changed.
    pub(in crate::desk) tell_at: Option<EventTime>,
    pub(in crate::desk) announced: bool,
    /// Whether it may have monitors that the desk does not know: the ledger was lost, or set back. It cannot
    /// end then.
    pub(in crate::desk) doubted: bool,
}

/// The state of a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PagerEntry {
    pub(in crate::desk) label: MonitorLabel,
    /// The number of the newest flip that came here.
    pub(in crate::desk) sequence: u64,
    pub(in crate::desk) down: Option<Flip>,
    /// The message of the storm that it belongs, or belonged, to.
    pub(in crate::desk) in_storm: Option<DeliveryId>,
    /// Whether it went down before the desk was read from the ledger, or was found down when that was lost.
    /// It may have an incident of its own, besides the storm's.
    pub(in crate::desk) found: bool,
    pub(in crate::desk) flaps: Flaps,
    /// While it flaps: the delivery that said so.
    pub(in crate::desk) flapping_by: Option<DeliveryId>,
}

impl PagerHead {
    /// The head of a desk that is made at `now`, numbered from the time on like that of a chat.
    pub(in crate::desk) fn new(now: EventTime) -> Self {
        Self { number: u64::try_from(now.as_micros()).unwrap_or_default(), ..Self::default() }
    }
}

impl PagerEntry {
    pub(in crate::desk) const fn new(label: MonitorLabel) -> Self {
        Self {
            label,
            sequence: 0,
            down: None,
            in_storm: None,
            found: false,
            flaps: Flaps { times: Vec::new(), flapping: None },
            flapping_by: None,
        }
    }

    pub(in crate::desk) fn is_over(&self, now: EventTime) -> bool {
        let silent = self.down.is_none() && self.in_storm.is_none() && self.flapping_by.is_none();
        silent && self.flaps.flapping.is_none() && self.flaps.is_quiet(now)
    }
}
