//! A monitor's history from another installation, on its way into the log of this one.

use serde::{Deserialize, Serialize};

use super::heartbeat::Heartbeat;
use super::ids::{MonitorId, Revision};
use super::monitor::Definition;
use super::time::{EventTime, Interval};

/// A part of a monitor's history. Its parts come in the order of the log that they are from; a repeated one
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The monitor. One that was ever heard here, or is paused, takes no history.
    pub monitor: MonitorId,
    /// The time of the import, by the console's clock. No deadline of the imported history is counted from
    /// before it.
    pub at: EventTime,
    /// The events, in the order of their log.
    pub events: Vec<PastEvent>,
}

/// Something that happened to a monitor before it came here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PastEvent {
    /// The monitor was heard.
    Heard {
        /// The heartbeat; it is named by its time here too.
        heartbeat: Heartbeat,
        /// The time up to which silence had been settled before the heartbeat was read, if the outcome
        /// depends on that: a heartbeat may come late and still count, or come in time and be read too late.
        /// `None`: up to its own time.
        settled: Option<EventTime>,
    },
    /// Another definition was in force from then on.
    Defined {
        /// When.
        at: EventTime,
        /// The revision in the other installation. A definition that is not newer than the newest known has
        /// no effect.
        revision: Revision,
        /// The definition.
        definition: Definition,
        /// As for a heartbeat.
        settled: Option<EventTime>,
    },
    /// The history itself came from elsewhere: here it moved into the installation that tells of it. The
    /// monitor took over the resulting state, with a definition of its own, and no deadline was counted from
    /// before `at`. One whose revision is not newer than the newest known has no effect.
    Moved {
        /// Up to when the history before is known.
        until: EventTime,
        /// The arrival.
        at: EventTime,
        /// As for a definition.
        revision: Revision,
        /// The definition from then on.
        definition: Definition,
    },
    /// The other installation was deaf. The event comes before all events that were settled after the gap
    /// began.
    Deaf(Interval),
    /// The end: nothing else is known of it until then, and it is in the state that follows from all of this.
    Until(EventTime),
}
