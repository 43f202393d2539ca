//! Pure. The decisions of a desk, and what follows from them.

use std::time::Duration;

use model::delivery::OpenIncident;
use model::flip::{Flip, State};
use model::ids::{AlertId, ChannelId, DeliveryId};
use model::notice::{MonitorLabel, Notice};
use model::time::EventTime;
use ports::queue::OrderKey;

/// The decision about an alert that came to the desk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Admission {
    /// The alert goes out with this content.
    Send(Box<Notice>),
    /// This delivery carries the alert, or will: the desk may not have made it yet.
    Folded(DeliveryId),
    /// This delivery, which is in the queue, holds the content of the one that asks.
    TakenOver(DeliveryId),
    /// The alert is of no use any more, for this reason.
    Dropped(DropReason),
    /// The alert must come again after this time.
    Later(Duration),
}

/// Why an alert is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The incident of a reminder is over.
    Over,
    /// No monitor is down that a repost would name.
    NothingDown,
    /// The content of the alert was told before.
    NothingToSay,
    /// The monitor was up again before the failure could be told.
    UpAgain,
    /// The channel has become one that gets no reposts.
    NotReposted,
}

impl DropReason {
    /// For the delivery's note.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Over => "what it reminds of is over",
            Self::NothingDown => "nothing is down any more",
            Self::NothingToSay => "there is nothing to say",
            Self::UpAgain => "the monitor was up again before this could be told",
            Self::NotReposted => "this channel is not told again",
        }
    }
}

/// A message that the desk made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Emit {
    pub(crate) id: DeliveryId,
    pub(crate) notice: Notice,
    pub(crate) monitor: Option<MonitorLabel>,
    /// Messages with equal keys go out one after the other.
    pub(crate) order_key: OrderKey,
    /// Not before.
    pub(crate) due_at: EventTime,
}

/// A time at which the desk has to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakeUp {
    /// Another one for each moment.
    pub(crate) id: DeliveryId,
    pub(crate) due_at: EventTime,
}

/// The effects of what the desk did.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Effects {
    /// Messages for the delivery queue. Enqueueing them again does no harm.
    pub(crate) emits: Vec<Emit>,
    /// Moments to be put there as well, at which the desk is asked again.
    pub(crate) wakes: Vec<WakeUp>,
    /// Deliveries that another one tells of than was said before.
    pub(crate) refolded: Vec<(DeliveryId, DeliveryId)>,
    /// Incidents that the delivery queue is to hold as long as they are open.
    pub(crate) opened: Vec<OpenIncident>,
}

/// How a desk stands to an incident that the delivery queue holds as open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IncidentStanding {
    /// The desk knows it, and will close it. The queue is to hold this from now on.
    Open(Box<OpenIncident>),
    /// The desk does not know it, or not all of it, unless it is closed.
    Forgotten,
    /// The desk does not know it, and can take it on only when the storm that it knows is over.
    Later,
    /// There is nothing more to do.
    Over,
}

/// A monitor that is down although the desk may not know it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundDown {
    pub(crate) down: Flip,
    pub(crate) monitor: MonitorLabel,
}

/// What a desk hears of an incident that it, or the one before it, opened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IncidentNews {
    /// How does it stand?
    Asked,
    /// Some of the monitors are down that may belong to this storm.
    Found(Vec<FoundDown>),
    /// All of them were told.
    FoundAll,
    /// The monitor that flapped stands so now.
    Stands(Box<MonitorNow>),
    /// A message that closes it is in the queue, or was sent.
    Closed,
}

/// How a monitor stands now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MonitorNow {
    Down(Box<Flip>),
    /// It is up, paused or gone, since then.
    NotDown {
        state: State,
        since: EventTime,
    },
}

/// The delivery that closes an incident which the desk of a channel opened for many flips. Its id is known
/// beforehand, so that the queue shows whether the incident was closed.
pub(crate) fn closing_delivery(channel: ChannelId, incident: AlertId) -> DeliveryId {
    DeliveryId::derive(closing_alert(incident), channel)
}

pub(super) fn closing_alert(incident: AlertId) -> AlertId {
    incident.followed_by("closed")
}

/// The delivery of a message that the desk of a channel made.
pub(super) fn own_delivery(channel: ChannelId, number: u64) -> DeliveryId {
    DeliveryId::derive(own_alert(channel, number), channel)
}

pub(super) fn own_alert(channel: ChannelId, number: u64) -> AlertId {
    AlertId::of_channel(channel, &format!("message/{number}"))
}

/// Longest message of a flip that a desk keeps, in characters.
const KEPT_MESSAGE: usize = 200;

/// A flip as a desk keeps it.
pub(super) fn lean(flip: &Flip) -> Flip {
    let message = flip.message.as_ref().map(|message| message.chars().take(KEPT_MESSAGE).collect());
    Flip { message, trace: None, ..flip.clone() }
}
