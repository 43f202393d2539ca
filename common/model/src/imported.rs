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
    /// Whose. One that was ever heard here, or is paused, takes no history.
    pub monitor: MonitorId,
    /// When it was imported, by the console's clock: no deadline of what is imported is counted from before
    /// it.
    pub at: EventTime,
    /// In the order of their log.
    pub events: Vec<PastEvent>,
}

/// Something that happened to a monitor before it came here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PastEvent {
    /// It was heard.
    Heard {
        /// The heartbeat; it is named by its time here too.
        heartbeat: Heartbeat,
        /// Up to when silence had been stated before it was read, where something hangs on that: a heartbeat
        /// may come late and count all the same, or come in time and be read too late. `None`: up to its own
        /// time.
        settled: Option<EventTime>,
    },
    /// Another definition was in force from then on.
    Defined {
        /// When.
        at: EventTime,
        /// Which of its definitions there; one that is not newer than the newest known does nothing.
        revision: Revision,
        /// Which.
        definition: Definition,
        /// As of a heartbeat.
        settled: Option<EventTime>,
    },
    /// Its Lubdub was deaf. It comes before whatever was settled after its beginning.
    Deaf(Interval),
    /// The end: nothing else is known of it until then, and it is in the state that follows from all of this.
    Until(EventTime),
}
