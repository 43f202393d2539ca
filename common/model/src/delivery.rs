//! One alert to one channel.
//!
//! The notifier makes a [`Delivery`] of an alert and a channel, keeps it in the delivery history for people
//! to see, and puts a [`DeliveryTask`] into the delivery queue: everything that carrying it needs. Two things
//! come from elsewhere:
//!
//! - **Redrive** of a dead delivery: write [`Delivery::redriven`] to the delivery history, *then* call
//!   `Queue::revive(id, now, wire::encode(&DeliveryMessage::from(DeliveryTask::again(&delivery))))` on the
//!   delivery queue. In this order an attempt that is made at once is not overwritten. If `revive` answers
//!   `false` (it is not a dead letter of the queue: a test, or its channel is gone, or it is being carried
//!   just now), write the delivery back as it was. A console that dies in between leaves it pending; the
//!   notifier writes it back a minute or two later. A dead letter whose record the history lost gets a new
//!   one, which says so where the attempts stood.
//! - **Test** of a channel: enqueue `Alert::Test` with a random (version 4) id into the alert queue: message
//!   id and order key = the alert's id, lane = the channel's id, due now, no origin. Then look for
//!   `DeliveryId::derive(alert, channel)` in the delivery history until its state is not pending: there is
//!   exactly one attempt, which takes 15 s at most, even if the channel is disabled; its status, error and
//!   answer are the outcome.

use serde::{Deserialize, Serialize};

use super::flip::Flip;
use super::ids::{AlertId, ChannelId, DeliveryId};
use super::notice::{MonitorLabel, Notice};
use super::time::EventTime;

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waiting for an attempt.
    Pending,
    /// Accepted by the receiver.
    Delivered,
    /// Given up: a dead letter, until a user redrives it.
    Dead,
    /// Another delivery tells of it: see [`Delivery::folded_into`].
    Folded,
    /// No message tells of it: see [`Delivery::note`].
    Suppressed,
}

impl DeliveryState {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Delivered, Self::Dead, Self::Folded, Self::Suppressed];

    /// Whether no attempt will be made, by itself or on request. A folded delivery may still wait for the one
    /// that tells of it.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Delivered | Self::Folded | Self::Suppressed => true,
            Self::Pending | Self::Dead => false,
        }
    }

    /// `pending`, `delivered`, `dead`, `folded` or `suppressed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Folded => "folded",
            Self::Suppressed => "suppressed",
        }
    }
}

/// One attempt to carry a delivery to its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: EventTime,
    /// How long it took, milliseconds.
    pub ms: u64,
    /// The HTTP status, or the SMTP code, if there was an answer.
    pub status: Option<u16>,
    /// The error; `None` = accepted.
    pub error: Option<String>,
    /// The beginning of the answer's body, at most 2 kB.
    pub answer: Option<String>,
    /// The request of a test, secrets masked, at most 16 kB.
    pub request: Option<String>,
}

/// One alert to one channel, with its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// A function of (alert, channel).
    pub id: DeliveryId,
    /// The notice that the delivery carries.
    pub notice: Notice,
    /// The channel that is told.
    pub channel: ChannelId,
    /// The state.
    pub state: DeliveryState,
    /// When the alert was fanned out.
    pub created_at: EventTime,
    /// While pending: not before this.
    pub next_attempt_at: Option<EventTime>,
    /// The newest attempts, at most [`MAX_ATTEMPTS_KEPT`], oldest first.
    pub attempts: Vec<Attempt>,
    /// The monitor as it was called when the alert was fanned out; what speaks of no monitor, or of many, has
    /// none.
    pub monitor: Option<MonitorLabel>,
    /// While folded: the delivery that tells of it.
    pub folded_into: Option<DeliveryId>,
    /// Why the delivery was suppressed, folded, or given up before an attempt, for people.
    pub note: Option<String>,
}

/// How many attempts of a delivery are kept.
pub const MAX_ATTEMPTS_KEPT: usize = 50;

/// A message of the delivery queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DeliveryMessage {
    /// A delivery to be carried.
    Task(Box<DeliveryTask>),
    /// A moment that the desk of a channel asked for.
    Wake(Wake),
    /// An incident that the desk of a channel opened for many flips, and has to close.
    Incident(Box<OpenIncident>),
}

impl DeliveryMessage {
    /// The channel that it is about.
    pub const fn channel(&self) -> ChannelId {
        match self {
            Self::Task(task) => task.channel,
            Self::Wake(wake) => wake.channel,
            Self::Incident(open) => open.channel,
        }
    }
}

impl From<DeliveryTask> for DeliveryMessage {
    fn from(task: DeliveryTask) -> Self {
        Self::Task(Box::new(task))
    }
}

/// The notifier is to look at the desk of a channel again when this message is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// The channel whose desk it is.
    pub channel: ChannelId,
}

/// An incident on a pager that stands for many flips. The message stays in the delivery queue as long as the
/// incident is open, so that the incident is closed even if the ledger is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// The channel whose desk opened it.
    pub channel: ChannelId,
    /// Names it on the pager.
    pub incident: AlertId,
    /// When its desk opened it.
    pub since: EventTime,
    /// What it stands for.
    pub of: IncidentSubject,
    /// When its desk was first found not to know it, or not to know all of it; `None` = the desk knows it.
    pub forgotten_at: Option<EventTime>,
}

/// What an incident of a desk stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum IncidentSubject {
    /// Many monitors that went down at about the same time.
    Storm {
        /// The number of the message that opens it.
        opens: u64,
        /// How many monitors it has had.
        members: u32,
    },
    /// A monitor that goes up and down all the time.
    Flapping {
        /// The flip that it was announced with.
        flip: Box<Flip>,
        /// The monitor as it was called then.
        monitor: MonitorLabel,
    },
}

/// A delivery without its attempts, which is all that carrying it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryTask {
    /// The delivery's id, and the queue message's.
    pub id: DeliveryId,
    /// The notice that the delivery carries.
    pub notice: Notice,
    /// The channel that is told.
    pub channel: ChannelId,
    /// When the alert was fanned out.
    pub created_at: EventTime,
    /// The monitor as it was called then; a test has none.
    pub monitor: Option<MonitorLabel>,
    /// Whether somebody asked for it to be sent again.
    pub redriven: bool,
    /// Attempts made since it was enqueued or redriven.
    pub attempts: u32,
    /// The recipients that have it already, for a channel with several.
    pub sent_to: Vec<String>,
    /// Whether the desk of its channel let it go out, and waits to hear of it.
    pub at_desk: bool,
    /// The delivery that is to tell of it in its place: it waits until that one is settled.
    pub folded_into: Option<DeliveryId>,
}

impl DeliveryTask {
    /// The task of carrying a delivery from the start.
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id,
            notice: delivery.notice.clone(),
            channel: delivery.channel,
            created_at: delivery.created_at,
            monitor: delivery.monitor.clone(),
            redriven: false,
            attempts: 0,
            sent_to: Vec::new(),
            at_desk: false,
            folded_into: None,
        }
    }

    /// The task of carrying a delivery again, because somebody asks for it.
    pub fn again(delivery: &Delivery) -> Self {
        Self { redriven: true, ..Self::of(delivery) }
    }

    /// The delivery before its first attempt.
    pub fn pending(&self, next_attempt_at: EventTime) -> Delivery {
        Delivery {
            id: self.id,
            notice: self.notice.clone(),
            channel: self.channel,
            state: DeliveryState::Pending,
            created_at: self.created_at,
            next_attempt_at: Some(next_attempt_at),
            attempts: Vec::new(),
            monitor: self.monitor.clone(),
            folded_into: None,
            note: None,
        }
    }
}

impl Delivery {
    /// A dead delivery that is tried again at `at`. It keeps its attempts.
    #[must_use]
    pub fn redriven(&self, at: EventTime) -> Self {
        Self { state: DeliveryState::Pending, next_attempt_at: Some(at), ..self.clone() }
    }

    /// Adds an attempt, and forgets the oldest when there are too many.
    pub fn record(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
        let surplus = self.attempts.len().saturating_sub(MAX_ATTEMPTS_KEPT);
        self.attempts.drain(..surplus);
    }
}
