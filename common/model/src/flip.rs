//! Changes of state, and the alerts made of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{AlertId, ChannelId, MonitorId};
use super::time::EventTime;
use super::trace::TraceContext;

/// The state of a monitor. `late` is a view of `Up`, not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Never heard.
    New,
    /// Heard in time.
    Up,
    /// Silent past its deadline, or it said so.
    Down,
    /// Not watched.
    Paused,
}

impl State {
    /// `new`, `up`, `down` or `paused`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Down => "down",
            Self::Paused => "paused",
        }
    }
}

/// Why a state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The first heartbeat.
    First,
    /// No heartbeat by the deadline.
    Missed,
    /// A heartbeat said down.
    Reported,
    /// Heard again.
    Recovered,
    /// Paused by its owner.
    Paused,
    /// Resumed by its owner.
    Resumed,
    /// A changed schedule put it right.
    Changed,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::First,
        Self::Missed,
        Self::Reported,
        Self::Recovered,
        Self::Paused,
        Self::Resumed,
        Self::Changed,
    ];

    /// The reason in one lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Missed => "missed",
            Self::Reported => "reported",
            Self::Recovered => "recovered",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Changed => "changed",
        }
    }
}

/// A change of a monitor's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// A function of (monitor, time, new state).
    pub id: AlertId,
    /// The monitor that changed.
    pub monitor: MonitorId,
    /// Per monitor, from 1.
    pub sequence: u64,
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// When, in event time; later than every earlier flip of the monitor.
    pub at: EventTime,
    /// The message of the heartbeat that caused the flip, in the client's words.
    pub message: Option<String>,
    /// The value of the heartbeat that caused it.
    pub value: Option<f64>,
    /// The newest heartbeat that was known.
    pub last_heartbeat_at: Option<EventTime>,
    /// The deadline that was missed, for a flip to down by silence.
    pub deadline: Option<EventTime>,
    /// How long Lubdub itself was deaf between the last heartbeat and the deadline.
    pub deaf: Duration,
    /// How long it was down, for a flip from down to up.
    pub down_for: Option<Duration>,
    /// The trace of the heartbeat that caused it.
    pub trace: Option<TraceContext>,
    /// How long nothing had been heard at the missed deadline, for a flip to down by silence.
    pub silent_for: Option<Duration>,
}

impl Flip {
    /// Whether people are told: a flip to down from any state but paused, and one from down to up.
    pub const fn pages(&self) -> bool {
        matches!(
            (self.from, self.to),
            (State::New | State::Up | State::Down, State::Down) | (State::Down, State::Up)
        )
    }
}

/// Something that people hear of, as the alert queue holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Alert {
    /// A flip that pages.
    Flip(Flip),
    /// A monitor is still down.
    Reminder {
        /// A function of (monitor, time).
        id: AlertId,
        /// The number of the reminder within the incident, from 1.
        number: u32,
        /// When the reminder was due.
        at: EventTime,
        /// The flip that began the incident.
        down: Flip,
    },
    /// A test of one channel.
    Test {
        /// Made for this test.
        id: AlertId,
        /// The channel.
        channel: ChannelId,
        /// The time of the request.
        at: EventTime,
    },
}

impl Alert {
    /// The alert's stable id.
    pub const fn id(&self) -> AlertId {
        match self {
            Self::Flip(flip) => flip.id,
            Self::Reminder { id, .. } | Self::Test { id, .. } => *id,
        }
    }

    /// The trace of the heartbeat that caused it.
    pub const fn trace(&self) -> Option<TraceContext> {
        match self {
            Self::Flip(flip) => flip.trace,
            Self::Reminder { .. } | Self::Test { .. } => None,
        }
    }

    /// The monitor that it is about; a test has none.
    pub fn monitor(&self) -> Option<MonitorId> {
        self.flip().map(|flip| flip.monitor)
    }

    /// The flip that it carries; a test has none.
    pub const fn flip(&self) -> Option<&Flip> {
        match self {
            Self::Flip(flip) | Self::Reminder { down: flip, .. } => Some(flip),
            Self::Test { .. } => None,
        }
    }

    /// When it happened, in event time.
    pub const fn at(&self) -> EventTime {
        match self {
            Self::Flip(flip) => flip.at,
            Self::Reminder { at, .. } | Self::Test { at, .. } => *at,
        }
    }

    /// The event type that receivers see.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Flip(flip) => match flip.to {
                State::Down => "monitor.down",
                State::Up | State::New | State::Paused => "monitor.up",
            },
            Self::Reminder { .. } => "monitor.reminder",
            Self::Test { .. } => "channel.test",
        }
    }
}
