//! Pure. The desk of one channel: that of a chat or of a pager.

use std::collections::{BTreeSet, HashSet};

use model::delivery::{DeliveryTask, OpenIncident};
use model::ids::{DeliveryId, MonitorId};
use model::time::EventTime;
use uuid::Uuid;

use super::chat::Chat;
use super::outcome::{Admission, Effects, IncidentNews, IncidentStanding};
use super::pager::Pager;
use super::rows::{HEAD, Row};

/// The desk of a channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Desk {
    Chat(Chat),
    Pager(Pager),
}

/// Whether a delivery may go out.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) task: DeliveryTask,
    /// Whether the owner asked for it to be sent again.
    pub(crate) redriven: bool,
}

/// The events that a desk hears.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note {
    /// A delivery was accepted, or given up.
    Finished(DeliveryId),
    /// An attempt failed, and there will be more; the receiver asked to be left alone until then.
    Failed(DeliveryId, Option<EventTime>),
    /// The time has come that the desk asked for.
    Wake,
}

impl Question {
    /// The number of the flip that the delivery tells of; a delivery without a flip comes after all flips.
    pub(super) fn sequence(&self) -> u64 {
        self.task.notice.flip().map_or(u64::MAX, |flip| flip.sequence)
    }
}

impl Desk {
    /// Whether, and in what words, a delivery goes out.
    pub(super) fn admit(&mut self, question: &Question, now: EventTime, effects: &mut Effects) -> Admission {
        let Question { task, redriven } = question;
        match self {
            Self::Chat(chat) => chat.admit(task, *redriven, now, effects),
            Self::Pager(pager) => pager.admit(task, *redriven, now, effects),
        }
    }

    pub(super) fn note(&mut self, note: Note, now: EventTime, effects: &mut Effects) {
        match (self, note) {
            (Self::Chat(chat), Note::Finished(id)) => chat.finished(id, now, effects),
            (Self::Chat(chat), Note::Failed(id, until)) => chat.failed(id, until),
            (Self::Chat(chat), Note::Wake) => chat.wake(now, effects),
            (Self::Pager(pager), Note::Finished(id)) => pager.finished(id, now),
            (Self::Pager(pager), Note::Failed(id, _)) => pager.failed(id),
            (Self::Pager(pager), Note::Wake) => pager.wake(now, effects),
        }
    }

    /// Asks to be looked at again in time. The caller does this when everything was served.
    pub(super) fn set_wake(&mut self, now: EventTime, effects: &mut Effects) {
        let (channel, wanted, timer) = match self {
            Self::Chat(chat) => (chat.channel, chat.next_wake(), &mut chat.head.timer),
            Self::Pager(pager) => (pager.channel, pager.next_wake(), &mut pager.head.timer),
        };
        effects.wakes.extend(timer.set(channel, wanted, now));
        self.changed().insert(HEAD);
    }

    /// The monitors that the channel takes for down, if it is time to look whether they are.
    pub(super) fn to_review(&self, now: EventTime) -> Vec<(MonitorId, EventTime)> {
        match self {
            Self::Chat(chat) if chat.reviews(now) => chat.down(),
            Self::Pager(pager) if pager.reviews(now) => pager.down(),
            Self::Chat(_) | Self::Pager(_) => Vec::new(),
        }
    }

    /// The ledger was set back since the desk decided what the queue holds.
    pub(super) fn doubt(&mut self) {
        match self {
            Self::Chat(_) => {}
            Self::Pager(pager) => pager.doubt(),
        }
    }

    /// These are down no more, since when, and no alert says so: they are paused or gone, or belong to the
    /// channel no longer.
    pub(super) fn ended(
        &mut self,
        monitors: &[(MonitorId, EventTime)],
        now: EventTime,
        effects: &mut Effects,
    ) {
        match self {
            Self::Chat(chat) => chat.ended(monitors),
            Self::Pager(pager) => pager.ended(monitors, now, effects),
        }
    }

    /// Messages that were sent and have no outcome yet. They may have been lost before they came into the
    /// queue, and so may the records of the deliveries that they carry.
    pub(super) fn unfinished(&mut self, now: EventTime) -> Effects {
        match self {
            Self::Chat(chat) => Effects {
                emits: chat.unfinished(now),
                wakes: chat.head.timer.pending(chat.channel).into_iter().collect(),
                refolded: chat.refolded(),
                opened: Vec::new(),
            },
            Self::Pager(pager) => Effects {
                emits: pager.unfinished(),
                wakes: pager.head.timer.pending(pager.channel).into_iter().collect(),
                refolded: Vec::new(),
                opened: pager.opened(now),
            },
        }
    }

    /// How the desk stands to an incident that the queue holds as open, after this news of it.
    pub(super) fn incident(
        &mut self,
        open: &OpenIncident,
        news: &IncidentNews,
        now: EventTime,
        effects: &mut Effects,
    ) -> IncidentStanding {
        match self {
            // The channel was a pager once.
            Self::Chat(_) => IncidentStanding::Over,
            Self::Pager(pager) => pager.incident(open, news, now, effects),
        }
    }

    /// The ledger was read at `now`. It may be older than what the desk did, and a number that was given
    /// before names a message that the queue has had, or that alerts wait for: the numbers go on from the
    /// time and `skipped`, which is random. The time alone is not enough: the clock may be that of another
    /// node, or stand still.
    pub(super) fn resume(&mut self, now: EventTime, skipped: u32) {
        let number = match self {
            Self::Chat(chat) => &mut chat.head.number,
            Self::Pager(pager) => {
                pager.read_at = Some(now);
                &mut pager.head.number
            }
        };
        let from = (*number).max(u64::try_from(now.as_micros()).unwrap_or_default());
        *number = from.saturating_add(skipped.into());
    }

    /// The deliveries that the desk waits for, or has gathered.
    pub(super) fn open(&self) -> Vec<DeliveryId> {
        match self {
            Self::Chat(chat) => chat.open(),
            Self::Pager(pager) => pager.head.outbox.keys().copied().collect(),
        }
    }

    /// Of those, these are settled in the queue, though nobody told the desk.
    pub(super) fn settled(&mut self, ids: &HashSet<DeliveryId>, now: EventTime, effects: &mut Effects) {
        match self {
            Self::Chat(chat) => chat.settled(ids, now, effects),
            Self::Pager(pager) => pager.settled(ids, now),
        }
    }

    pub(super) const fn changed(&mut self) -> &mut BTreeSet<Uuid> {
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
    pub(super) fn take_changes(&mut self) -> Vec<(Uuid, Option<Row>)> {
        std::mem::take(self.changed()).into_iter().map(|key| (key, self.row(key))).collect()
    }

    /// All rows.
    pub(super) fn all_rows(&self) -> Vec<(Uuid, Row)> {
        let keys = match self {
            Self::Chat(chat) => chat.keys(),
            Self::Pager(pager) => pager.keys(),
        };
        keys.into_iter().chain([HEAD]).filter_map(|key| Some((key, self.row(key)?))).collect()
    }

    /// Whether nothing waits in it.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.is_idle(),
            Self::Pager(pager) => pager.is_idle(),
        }
    }
}
