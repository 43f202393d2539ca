//! What a channel is told, and when: digests, storms, flapping, order.
//!
//! A channel that people read, or that pages them, has a desk. Every alert for it passes there before its first attempt and
//! before each further one: the desk lets it go out, or folds it into another message. What the desk knows is in the ledger
//! before anything follows from it, so whoever takes the channel over goes on where the last one stopped.
//!
//! - `chat`, `pager` (pure): the rules, one machine for each class of channel.
//! - `gather` (pure): what a chat is still to be told of a monitor. `digest` (pure): many of them in one message.
//! - `flaps` (pure): when a monitor flaps. `timing` (pure): when a desk is to be looked at again.
//! - `rows`: what of it is in the ledger. `keeper`: the desks of all channels, with what is around them.

mod chat;
mod digest;
mod flaps;
mod gather;
pub(crate) mod keeper;
mod pager;
mod rows;
#[cfg(test)]
mod tests;
mod timing;

use std::collections::BTreeSet;
use std::time::Duration;

use model::delivery::DeliveryTask;
use model::flip::Flip;
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::{MonitorLabel, Notice};
use model::time::EventTime;
use ports::queue::OrderKey;
use uuid::Uuid;

use chat::Chat;
use pager::Pager;
use rows::{HEAD, Row};

/// What becomes of an alert that came to the desk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Admission {
    /// It goes out, saying this.
    Send(Box<Notice>),
    /// This delivery tells of it.
    Folded(DeliveryId),
    /// It is of no use any more, for this reason.
    Dropped(&'static str),
    /// It is to come again.
    Later(Duration),
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

/// A moment at which a desk wants to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakeUp {
    /// Another one for each moment.
    pub(crate) id: DeliveryId,
    pub(crate) due_at: EventTime,
}

/// What follows from what the desk did.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Effects {
    /// To be put into the delivery queue. Putting them there again does no harm.
    pub(crate) emits: Vec<Emit>,
    /// Moments to be put there as well, at which the desk is asked again.
    pub(crate) wakes: Vec<WakeUp>,
    /// Deliveries that another one tells of than was said before.
    pub(crate) refolded: Vec<(DeliveryId, DeliveryId)>,
}

/// The desk of a channel.
#[derive(Debug, Clone, PartialEq)]
enum Desk {
    Chat(Chat),
    Pager(Pager),
}

/// What is asked of a desk.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// May this go out? `redriven`: somebody asked for it to be sent again.
    Admit { task: Box<DeliveryTask>, redriven: bool },
    /// It was accepted, or given up.
    Finished(DeliveryId),
    /// An attempt failed, and there will be more; the receiver asked to be left alone until then.
    Failed(DeliveryId, Option<EventTime>),
    /// The time has come that the desk asked for.
    Wake,
}

impl Request {
    /// Of a flip its number, and what comes after all flips.
    fn sequence(&self) -> u64 {
        let Self::Admit { task, .. } = self else { return u64::MAX };
        task.notice.flip().map_or(u64::MAX, |flip| flip.sequence)
    }
}

impl Desk {
    fn serve(&mut self, request: &Request, now: EventTime, effects: &mut Effects) -> Admission {
        match self {
            Self::Chat(chat) => match request {
                Request::Admit { task, redriven } => return chat.admit(task, *redriven, now, effects),
                Request::Finished(id) => chat.finished(*id, now, effects),
                Request::Failed(id, until) => chat.failed(*id, *until),
                Request::Wake => chat.wake(now, effects),
            },
            Self::Pager(pager) => match request {
                Request::Admit { task, redriven } => return pager.admit(task, *redriven, now, effects),
                Request::Finished(id) => pager.finished(*id, now),
                Request::Failed(id, _) => pager.failed(*id),
                Request::Wake => pager.wake(now, effects),
            },
        }
        Admission::Dropped("it was looked at")
    }

    /// Asks to be looked at again in time. To be called when everything was served.
    fn set_wake(&mut self, now: EventTime, effects: &mut Effects) {
        let (channel, wanted, timer) = match self {
            Self::Chat(chat) => (chat.channel, chat.next_wake(), &mut chat.head.timer),
            Self::Pager(pager) => (pager.channel, pager.next_wake(), &mut pager.head.timer),
        };
        effects.wakes.extend(timer.set(channel, wanted, now));
        self.changed().insert(HEAD);
    }

    /// The monitors that the channel takes for down, if it is time to look whether they are.
    fn to_review(&self, now: EventTime) -> Vec<(MonitorId, EventTime)> {
        match self {
            Self::Chat(chat) if chat.reviews(now) => chat.down(),
            Self::Pager(pager) if pager.reviews(now) => pager.down(),
            Self::Chat(_) | Self::Pager(_) => Vec::new(),
        }
    }

    /// These are down no more, since when, and no alert says so: they are paused or gone, or belong to the channel no longer.
    fn ended(&mut self, monitors: &[(MonitorId, EventTime)], now: EventTime, effects: &mut Effects) {
        match self {
            Self::Chat(chat) => chat.ended(monitors),
            Self::Pager(pager) => pager.ended(monitors, now, effects),
        }
    }

    /// What was sent and not yet heard of: it may have been lost before it came into the queue, and so may what it tells of
    /// besides before that was written down.
    fn unfinished(&mut self, now: EventTime) -> Effects {
        match self {
            Self::Chat(chat) => Effects {
                emits: chat.unfinished(now),
                wakes: chat.head.timer.pending(chat.channel).into_iter().collect(),
                refolded: chat.refolded(),
            },
            Self::Pager(pager) => Effects {
                emits: pager.unfinished(),
                wakes: pager.head.timer.pending(pager.channel).into_iter().collect(),
                refolded: Vec::new(),
            },
        }
    }

    const fn changed(&mut self) -> &mut BTreeSet<Uuid> {
        match self {
            Self::Chat(chat) => &mut chat.changed,
            Self::Pager(pager) => &mut pager.changed,
        }
    }

    fn row(&self, key: Uuid) -> Option<Row> {
        match self {
            Self::Chat(chat) => chat.row(key),
            Self::Pager(pager) => pager.row(key),
        }
    }

    /// Rows that changed since the last call.
    fn take_changes(&mut self) -> Vec<(Uuid, Option<Row>)> {
        std::mem::take(self.changed()).into_iter().map(|key| (key, self.row(key))).collect()
    }

    /// All rows.
    fn all_rows(&self) -> Vec<(Uuid, Row)> {
        let keys = match self {
            Self::Chat(chat) => chat.keys(),
            Self::Pager(pager) => pager.keys(),
        };
        keys.into_iter().chain([HEAD]).filter_map(|key| Some((key, self.row(key)?))).collect()
    }

    /// Whether nothing waits in it.
    fn is_idle(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.is_idle(),
            Self::Pager(pager) => pager.is_idle(),
        }
    }
}

/// The delivery of a message that the desk of a channel made.
fn own_delivery(channel: ChannelId, number: u64) -> DeliveryId {
    DeliveryId::derive(own_alert(channel, number), channel)
}

fn own_alert(channel: ChannelId, number: u64) -> AlertId {
    AlertId::of_channel(channel, &format!("message/{number}"))
}

/// Longest message of a flip that a desk keeps, in characters.
const KEPT_MESSAGE: usize = 200;

/// A flip as a desk keeps it.
fn lean(flip: &Flip) -> Flip {
    let message = flip.message.as_ref().map(|message| message.chars().take(KEPT_MESSAGE).collect());
    Flip { message, trace: None, ..flip.clone() }
}
