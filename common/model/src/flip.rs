//! Changes of state, and the alerts made of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::MonitorLabel;
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
    /// Whose.
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
    /// What the heartbeat that caused it said, in the client's words.
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
    #[serde(default)]
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

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Alert {
    /// A flip that pages.
    Flip(Flip),
    /// A monitor is still down.
    Reminder {
        /// A function of (monitor, time).
        id: AlertId,
        /// Which reminder of the incident, from 1.
        number: u32,
        /// When it was due.
        at: EventTime,
        /// The flip that began the incident.
        down: Flip,
    },
    /// Somebody tests one channel.
    Test {
        /// Made for this test.
        id: AlertId,
        /// The channel.
        channel: ChannelId,
        /// When it was asked for.
        at: EventTime,
    },
    /// An incident that was over before anybody could be told of it.
    WasDown(Box<WasDown>),
    /// Many flips in one message.
    Digest(Box<Digest>),
    /// More monitors went down at once than a pager can be told of one by one.
    Storm(Box<Storm>),
    /// A monitor goes up and down all the time.
    Flapping(Box<Flapping>),
    /// What is down still is, for receivers that would forget it.
    Repost(Box<Repost>),
    /// Another channel does not work.
    ChannelFailing(Box<ChannelFailing>),
    /// Nobody is told anything: the notifier is to look at a channel again.
    Wake {
        /// Made for this look.
        id: AlertId,
        /// When it is due.
        at: EventTime,
    },
}

/// An incident that was over before anybody could be told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WasDown {
    /// A function of the flip to down.
    pub id: AlertId,
    /// The flip that began it.
    pub down: Flip,
    /// The flip that ended it.
    pub up: Flip,
    /// How many flips there were, these two included.
    pub flips: u32,
}

/// Most flips that a digest carries in full.
pub const MAX_DIGEST_FLIPS: usize = 100;

/// Many flips in one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// A function of (channel, running number).
    pub id: AlertId,
    /// When the first of them was gathered.
    pub from: EventTime,
    /// When they were put together.
    pub to: EventTime,
    /// How many flips it tells of.
    pub count: u32,
    /// Monitors that are down and were not when the channel was last told.
    pub down: Group,
    /// Monitors that are up again, those included that went down and came back meanwhile.
    pub up: Group,
    /// Monitors that were down when the channel was last told, and still are.
    pub still_down: Group,
    /// Monitors that go up and down all the time.
    pub flapping: Group,
    /// The newest flip of each of the first [`MAX_DIGEST_FLIPS`] monitors that it tells of.
    pub flips: Vec<LabelledFlip>,
}

/// A flip with what its monitor is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledFlip {
    /// The flip.
    pub flip: Flip,
    /// Its monitor.
    pub monitor: MonitorLabel,
}

/// Monitors in a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How many.
    pub count: u32,
    /// The first [`super::delivery::MAX_NAMES`] of them by name.
    pub first: Vec<Brief>,
}

/// A monitor in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// Which one.
    pub monitor: MonitorId,
    /// Its name.
    pub name: String,
    /// Since when it is, or was, down.
    pub since: Option<EventTime>,
    /// When it came back.
    pub until: Option<EventTime>,
    /// What its newest flip said.
    pub message: Option<String>,
    /// How many flips the digest tells of it.
    pub flips: u32,
}

/// A storm on a pager: one incident for many monitors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// A function of (incident, whether it is over, running number).
    pub id: AlertId,
    /// The same for all messages of the storm.
    pub incident: AlertId,
    /// When it began.
    pub since: EventTime,
    /// When this was said.
    pub at: EventTime,
    /// Whether all of its monitors are up.
    pub over: bool,
    /// How many monitors it has had.
    pub members: u32,
    /// Those that are down.
    pub down: Group,
}

/// A monitor that goes up and down all the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flapping {
    /// A function of (newest flip, whether it is over).
    pub id: AlertId,
    /// The alert that names the incident, from the first of these messages to the last.
    pub incident: AlertId,
    /// The newest flip.
    pub flip: Flip,
    /// How many flips there were since the channel was last told.
    pub flips: u32,
    /// Whether it is quiet again.
    pub over: bool,
}

/// What is down still is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repost {
    /// A function of (channel, running number).
    pub id: AlertId,
    /// When it was due.
    pub at: EventTime,
    /// Of those monitors whose id leaves this remainder …
    pub part: u32,
    /// … when it is divided by this number, from 1: so that no message is too long.
    pub parts: u32,
    /// Flips to down, at most [`MAX_DIGEST_FLIPS`].
    pub down: Vec<LabelledFlip>,
}

/// A channel does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFailing {
    /// A function of (channel, since when).
    pub id: AlertId,
    /// Which one.
    pub channel: ChannelId,
    /// What it is called.
    pub name: String,
    /// Since when.
    pub since: EventTime,
    /// Whether it gets nothing any more.
    pub disabled: bool,
    /// What went wrong.
    pub detail: String,
}

impl Alert {
    /// The alert's stable id.
    pub const fn id(&self) -> AlertId {
        match self {
            Self::Flip(flip) => flip.id,
            Self::Reminder { id, .. } | Self::Test { id, .. } | Self::Wake { id, .. } => *id,
            Self::WasDown(was) => was.id,
            Self::Digest(digest) => digest.id,
            Self::Storm(storm) => storm.id,
            Self::Flapping(flapping) => flapping.id,
            Self::Repost(repost) => repost.id,
            Self::ChannelFailing(failing) => failing.id,
        }
    }

    /// The trace of the heartbeat that caused it.
    pub const fn trace(&self) -> Option<TraceContext> {
        match self {
            Self::Flip(flip) => flip.trace,
            Self::Reminder { .. }
            | Self::Test { .. }
            | Self::WasDown(_)
            | Self::Digest(_)
            | Self::Storm(_)
            | Self::Flapping(_)
            | Self::Repost(_)
            | Self::ChannelFailing(_)
            | Self::Wake { .. } => None,
        }
    }

    /// The monitor it speaks of, if it is one.
    pub fn monitor(&self) -> Option<MonitorId> {
        self.flip().map(|flip| flip.monitor)
    }

    /// The newest flip that it carries, if it speaks of one monitor.
    pub const fn flip(&self) -> Option<&Flip> {
        match self {
            Self::Flip(flip) | Self::Reminder { down: flip, .. } => Some(flip),
            Self::WasDown(was) => Some(&was.up),
            Self::Flapping(flapping) => Some(&flapping.flip),
            Self::Test { .. }
            | Self::Digest(_)
            | Self::Storm(_)
            | Self::Repost(_)
            | Self::ChannelFailing(_)
            | Self::Wake { .. } => None,
        }
    }

    /// When it happened.
    pub const fn at(&self) -> EventTime {
        match self {
            Self::Flip(flip) => flip.at,
            Self::Reminder { at, .. } | Self::Test { at, .. } | Self::Wake { at, .. } => *at,
            Self::WasDown(was) => was.up.at,
            Self::Digest(digest) => digest.to,
            Self::Storm(storm) => storm.at,
            Self::Flapping(flapping) => flapping.flip.at,
            Self::Repost(repost) => repost.at,
            Self::ChannelFailing(failing) => failing.since,
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
            Self::WasDown(_) => "monitor.was_down",
            Self::Digest(_) => "digest",
            Self::Storm(_) => "storm",
            Self::Flapping(_) => "monitor.flapping",
            Self::Repost(_) => "repost",
            Self::ChannelFailing(_) => "channel.failing",
            Self::Wake { .. } => "wake",
        }
    }
}
