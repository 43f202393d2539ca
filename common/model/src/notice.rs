//! Notices: an alert as it is, or a message that the notifier makes of several.

use serde::{Deserialize, Serialize};

use super::flip::{Alert, Flip};
use super::ids::{AlertId, ChannelId, MonitorId};
use super::time::EventTime;
use super::trace::TraceContext;

/// The content of one message to a channel.
#[expect(
    clippy::large_enum_variant,
    reason = "most notices are alerts, and patterns do not see through a box"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// An alert as it is.
    Alert(Alert),
    /// An incident that was over before the channel could be told of it.
    WasDown(Box<WasDown>),
    /// Many flips in one message.
    Digest(Box<Digest>),
    /// More monitors went down at once than a pager gets incidents for.
    Storm(Box<Storm>),
    /// A monitor goes up and down all the time.
    Flapping(Box<Flapping>),
    /// The monitors that are still down, for receivers that would forget them.
    Repost(Box<Repost>),
    /// Another channel does not work.
    ChannelFailing(Box<ChannelFailing>),
}

/// The name and tags of a monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorLabel {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Monitors that depend on it and whose alerts this one tells.
    pub dependents: Dependents,
}

/// Monitors whose own alerts are held back while the one that they depend on is down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependents {
    /// How many are down.
    pub down: u32,
    /// The first [`MAX_NAMES`] of them by name.
    pub names: Vec<String>,
}

/// How many monitors a message that speaks of many names in each of its lists.
pub const MAX_NAMES: usize = 20;

/// An incident that was over before the channel could be told of it.
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
    /// When the desk made the digest.
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
    /// The first [`MAX_NAMES`] of them by name.
    pub first: Vec<Brief>,
}

/// A monitor in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// The monitor.
    pub monitor: MonitorId,
    /// Its name.
    pub name: String,
    /// Since when it is, or was, down; of a flapping monitor, the time of its newest flip.
    pub since: Option<EventTime>,
    /// When the monitor came back, if it is up.
    pub until: Option<EventTime>,
    /// The message of its newest flip.
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
    /// The monitors that are down.
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
    /// Whether the monitor is quiet again.
    pub over: bool,
}

/// The monitors that are still down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repost {
    /// A function of (channel, running number).
    pub id: AlertId,
    /// When the repost was due.
    pub at: EventTime,
    /// Holds the monitors whose id leaves this remainder …
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
    /// The channel.
    pub channel: ChannelId,
    /// The name.
    pub name: String,
    /// Since when.
    pub since: EventTime,
    /// Whether the channel is disabled.
    pub disabled: bool,
    /// The error of the channel.
    pub detail: String,
}

impl From<Alert> for Notice {
    fn from(alert: Alert) -> Self {
        Self::Alert(alert)
    }
}

impl Notice {
    /// The notice's stable id: of an alert, the alert's.
    pub const fn id(&self) -> AlertId {
        match self {
            Self::Alert(alert) => alert.id(),
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
            Self::Alert(alert) => alert.trace(),
            Self::WasDown(_)
            | Self::Digest(_)
            | Self::Storm(_)
            | Self::Flapping(_)
            | Self::Repost(_)
            | Self::ChannelFailing(_) => None,
        }
    }

    /// Whether the notice is a test of its channel.
    pub const fn is_test(&self) -> bool {
        matches!(self, Self::Alert(Alert::Test { .. }))
    }

    /// The monitor that it is about; `None` for a notice about no monitor or about many.
    pub fn monitor(&self) -> Option<MonitorId> {
        self.flip().map(|flip| flip.monitor)
    }

    /// The newest flip that it carries, if it is about one monitor.
    pub const fn flip(&self) -> Option<&Flip> {
        match self {
            Self::Alert(alert) => alert.flip(),
            Self::WasDown(was) => Some(&was.up),
            Self::Flapping(flapping) => Some(&flapping.flip),
            Self::Digest(_) | Self::Storm(_) | Self::Repost(_) | Self::ChannelFailing(_) => None,
        }
    }

    /// When it happened, in event time.
    pub const fn at(&self) -> EventTime {
        match self {
            Self::Alert(alert) => alert.at(),
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
            Self::Alert(alert) => alert.event_type(),
            Self::WasDown(_) => "monitor.was_down",
            Self::Digest(_) => "digest",
            Self::Storm(_) => "storm",
            Self::Flapping(_) => "monitor.flapping",
            Self::Repost(_) => "repost",
            Self::ChannelFailing(_) => "channel.failing",
        }
    }
}
