//! The scheduler's knowledge about a monitor, and about its partition.

use serde::{Deserialize, Serialize};

use super::deadline::{Deadline, deadline};
use super::flip::{Flip, State};
use super::gaps::Gaps;
use super::ids::{MonitorId, Offset, Revision};
use super::monitor::Definition;
use super::time::{EventTime, Interval};

/// A monitor's state: a function of its partition's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorState {
    /// Revision of the definition that is in force.
    pub revision: Revision,
    /// `None`: heartbeats came before the definition did.
    pub definition: Option<Definition>,
    /// New, up, down or paused.
    pub state: State,
    /// When the monitor came into this state.
    pub since: EventTime,
    /// Number of its last flip; 0 = none yet.
    pub sequence: u64,
    /// The newest heartbeat.
    pub heard_at: Option<EventTime>,
    /// The time that its deadline is counted from: the newest heartbeat, or its resumption if that is later.
    pub counted_from: Option<EventTime>,
    /// While down: what happened.
    pub incident: Option<Box<Incident>>,
    /// Its entry in the partition's sorted set: never later than its next wake-up; `None` = no wake-up.
    pub armed_at: Option<EventTime>,
    /// Its history from elsewhere, while that is not complete and the monitor itself was never heard.
    pub imported: Option<Box<Past>>,
}

/// A history that is not complete yet: the state as of its last event, of which the monitor itself shows
/// nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The state at that time. The definition is the one that was in force then.
    pub state: MonitorState,
    /// Deaf time that still matters.
    pub gaps: Gaps,
    /// The revision of the definition, in the other installation.
    pub revision: Revision,
}

/// From a down flip to the next up flip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The flip that began it.
    pub down: Flip,
    /// How many reminders went out.
    pub reminders: u32,
    /// When the last of them was due; the time of the flip before the first.
    pub reminded_at: EventTime,
}

impl MonitorState {
    /// The deadline as far as the gaps are known; `None` unless it is up.
    pub fn deadline(&self, gaps: &Gaps) -> Option<Deadline> {
        match self.state {
            State::Up => deadline(self.definition.as_ref()?, self.counted_from?, gaps),
            State::New | State::Down | State::Paused => None,
        }
    }
}

/// The state of a partition besides its monitors' states.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartitionHead {
    /// The log that the offset belongs to; empty = none yet.
    pub incarnation: String,
    /// The last entry that was applied.
    pub applied: Offset,
    /// When that entry was recorded, by the log's clock. This tells the entry from another one at the same
    /// offset.
    pub applied_at: Option<EventTime>,
    /// W: event time up to which the partition is complete; `None` before the first frame.
    pub watermark: Option<EventTime>,
    /// The vouched time beyond the watermark: sorted, disjoint.
    pub vouched: Vec<Interval>,
    /// Deaf time before the watermark.
    pub gaps: Gaps,
    /// The watermark up to which every silent monitor has been settled.
    pub settled: Option<EventTime>,
    /// Running number of the last alert; 0 = none yet.
    pub last_number: u64,
}

/// An alert in the outbox: committed with the state, published after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxAlert {
    /// Running number in its partition, from 1.
    pub number: u64,
    /// The alert.
    pub alert: super::flip::Alert,
}

/// A monitor's state, or its removal, in a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// The monitor.
    pub monitor: MonitorId,
    /// `None` = the monitor is gone.
    pub state: Option<MonitorState>,
}
