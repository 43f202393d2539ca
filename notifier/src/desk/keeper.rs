//! Keeps the desks of all channels: reads them from the ledger, writes what they decide, and carries it out.
//!
//! It works in this order: the ledger, the desk's own records and messages, the answer. A notifier that dies
//! in between leaves the asking message unsettled in the queue. The message asks again, the desk is read
//! anew, and the rest is carried out then. Requests that come while the ledger is being written are served
//! together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::channel::{Channel, ChannelClass, ChannelKind};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask, OpenIncident, Wake};
use model::flip::State;
use model::ids::{ChannelId, DeliveryId, MonitorId, PartitionId};
use model::time::EventTime;
use model::wire::{self, WireError};
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::history::{DeliveryHistory, HistoryError};
use ports::ledger::{Ledger, LedgerError};
use ports::queue::{MessageId, Queue, QueueError, QueueMessage, Standing};
use ports::registry::{RecordKey, RecordKind, Registry, RegistryError};
use ports::state_store::{StateError, StateReader};
use sending::presets::{self, Preset};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::chat::Chat;
use super::machine::{Desk, Note, Question};
use super::outcome::{Admission, Effects, Emit, IncidentNews, IncidentStanding, WakeUp};
use super::pager::{Pager, PagerRules};
use super::rows::{self, Row};
use super::state::chat::ChatHead;
use super::state::pager::PagerHead;

/// Desks that are kept in memory although nothing waits in them.
const KEPT: usize = 1_024;

/// States that are asked for at once.
const REVIEWED: usize = 500;

/// How long a monitor has been up before it is taken for up although no recovery came.
const SETTLED: Duration = Duration::from_secs(5 * 60);

/// The wait before an incident is first looked after.
const LOOK_AFTER: Duration = Duration::from_secs(35);

/// The part of time in which an incident that the desk does not know well is held once more, in
/// microseconds.
const HELD_AGAIN_MICROS: i64 = 60_000_000;

/// How often a write is tried again when another notifier wrote to the ledger meanwhile.
const TRIES: usize = 5;

/// Why a desk could not be asked. It can be later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("use the ledger")]
    Ledger(#[from] LedgerError),
    #[error("read the ledger")]
    Unreadable(#[from] WireError),
    #[error("look at the states of monitors")]
    States(#[from] StateError),
    #[error("look a monitor up")]
    Registry(#[from] RegistryError),
    #[error("use the delivery history")]
    History(#[from] HistoryError),
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
    #[error("wait for the desk: the task that worked on it was stopped")]
    Stopped,
}

/// The kind of desk that a channel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A channel that people read.
    Chat,
    /// A channel that pages people.
    Pager(PagerRules),
}

impl Manner {
    /// The kind of desk for a channel; `None`: the channel is told each flip by itself.
    pub(crate) fn of(channel: &Channel) -> Option<Self> {
        match presets::class_of(&channel.kind) {
            ChannelClass::Webhook => None,
            ChannelClass::Chat => Some(Self::Chat),
            ChannelClass::Pager => Some(Self::Pager(pager_rules(channel))),
        }
    }
}

fn pager_rules(channel: &Channel) -> PagerRules {
    let preset = match &channel.kind {
        ChannelKind::Preset(preset) => presets::find(&preset.preset),
        ChannelKind::Webhook(_) | ChannelKind::Email(_) => None,
    };
    PagerRules {
        storm_limit: preset.and_then(Preset::storm_limit).and_then(|limit| usize::try_from(limit).ok()),
        repost_every: preset
            .and_then(|preset| preset.repost_every)
            .map(|secs| Duration::from_secs(secs.into())),
    }
}

/// The desks of all channels.
pub(crate) struct Keeper {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) deliveries: Arc<dyn Queue>,
    pub(crate) history: Arc<dyn DeliveryHistory>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) states: Arc<dyn StateReader>,
    pub(crate) partitions: u16,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) slots: Mutex<HashMap<ChannelId, Arc<DeskSlot>>>,
}

/// The place of a channel's desk.
#[derive(Default)]
pub(crate) struct DeskSlot {
    waiting: Mutex<WaitingCalls>,
    /// The desk; `None`: it must be read from the ledger.
    open: tokio::sync::Mutex<Option<OpenDesk>>,
}

/// The requests that wait for the desk, with the senders for the answers.
#[derive(Default)]
struct WaitingCalls {
    questions: Vec<(Question, oneshot::Sender<Admission>)>,
    notes: Vec<(Vec<Note>, oneshot::Sender<()>)>,
    incidents: Vec<((OpenIncident, IncidentNews), oneshot::Sender<IncidentStanding>)>,
}

struct OpenDesk {
    version: u64,
    desk: Desk,
    /// Rows of the desk that the channel had before it changed its kind.
    obsolete: Vec<Uuid>,
}

impl Keeper {
    /// Asks the desk of a channel whether a delivery goes out.
    pub(crate) async fn ask(
        &self,
        channel: ChannelId,
        manner: Manner,
        question: Question,
    ) -> Result<Admission, DeskError> {
        let slot = self.slot(channel);
        let (answer, answered) = oneshot::channel();
        slot.waiting.lock().questions.push((question, answer));
        self.attend(channel, manner, &slot).await?;
        answered.await.map_err(|_| DeskError::Stopped)
    }

    /// Tells the desk of a channel what happened.
    pub(crate) async fn note(
        &self,
        channel: ChannelId,
        manner: Manner,
        notes: Vec<Note>,
    ) -> Result<(), DeskError> {
        let slot = self.slot(channel);
        let (heard, is_heard) = oneshot::channel();
        slot.waiting.lock().notes.push((notes, heard));
        self.attend(channel, manner, &slot).await?;
        is_heard.await.map_err(|_| DeskError::Stopped)
    }

    /// Tells the desk of a channel about an incident that the queue holds as open; how it stands then.
    pub(crate) async fn incident(
        &self,
        open: OpenIncident,
        manner: Manner,
        news: IncidentNews,
    ) -> Result<IncidentStanding, DeskError> {
        let channel = open.channel;
        let slot = self.slot(channel);
        let (answer, answered) = oneshot::channel();
        slot.waiting.lock().incidents.push(((open, news), answer));
        self.attend(channel, manner, &slot).await?;
        answered.await.map_err(|_| DeskError::Stopped)
    }

    fn slot(&self, channel: ChannelId) -> Arc<DeskSlot> {
        Arc::clone(self.slots.lock().entry(channel).or_default())
    }

    /// Serves the requests that wait for the desk of a channel, unless another call took them along.
    async fn attend(&self, channel: ChannelId, manner: Manner, slot: &DeskSlot) -> Result<(), DeskError> {
        let mut open = slot.open.lock().await;
        let mut batch = std::mem::take(&mut *slot.waiting.lock());
        if batch.questions.is_empty() && batch.notes.is_empty() && batch.incidents.is_empty() {
            return Ok(());
        }
        // Requests that came together are served in the order of their events.
        batch.questions.sort_by_key(|(question, _)| question.sequence());
        // The desk is taken out meanwhile, so that it is read again if this call is stopped.
        let taken = open.take();
        let (done, admissions, standings) = self.serve(channel, manner, taken, &batch).await?;
        // A caller that was cancelled does not listen.
        for ((_, answer), admission) in batch.questions.into_iter().zip(admissions) {
            let _ = answer.send(admission);
        }
        for (_, heard) in batch.notes {
            let _ = heard.send(());
        }
        for ((_, answer), standing) in batch.incidents.into_iter().zip(standings) {
            let _ = answer.send(standing);
        }
        let idle = done.desk.is_idle();
        *open = Some(done);
        if idle && self.slots.lock().len() > KEPT {
            self.slots.lock().remove(&channel);
        }
        Ok(())
    }

    async fn serve(
        &self,
        channel: ChannelId,
        manner: Manner,
        mut taken: Option<OpenDesk>,
        batch: &WaitingCalls,
    ) -> Result<(OpenDesk, Vec<Admission>, Vec<IncidentStanding>), DeskError> {
        let notes = || batch.notes.iter().flat_map(|(notes, _)| notes);
        let mut conflict = DeskError::Stopped;
        for _ in 0..TRIES {
            let now = self.clock.now();
            let mut effects = Effects::default();
            let mut open = match taken.take() {
                Some(open) => open,
                None => {
                    let mut open = self.load(channel, manner).await?;
                    // What may have been lost on its way to the queue comes first: then the queue knows it.
                    self.carry_out(channel, open.desk.unfinished(now)).await?;
                    let settled = self.settled(channel, &open.desk).await?;
                    open.desk.settled(&settled, now, &mut effects);
                    open.desk.resume(now, rand::random());
                    open
                }
            };
            if notes().any(|note| matches!(note, Note::Wake)) {
                let ended = self.ended(&open.desk.to_review(now), now).await?;
                open.desk.ended(&ended, now, &mut effects);
            }
            let questions = batch.questions.iter();
            let admissions =
                questions.map(|(question, _)| open.desk.admit(question, now, &mut effects)).collect();
            notes().for_each(|note| open.desk.note(*note, now, &mut effects));
            let incidents = batch.incidents.iter();
            let standings = incidents
                .map(|((incident, news), _)| open.desk.incident(incident, news, now, &mut effects))
                .collect();
            open.desk.set_wake(now, &mut effects);
            match self.write(channel, &mut open).await {
                Ok(()) => {
                    self.carry_out(channel, effects).await?;
                    return Ok((open, admissions, standings));
                }
                Err(error @ LedgerError::Conflict { .. }) => conflict = error.into(),
                Err(error @ LedgerError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Err(conflict)
    }

    /// The deliveries that a desk waits for, and that are settled in the queue.
    async fn settled(&self, channel: ChannelId, desk: &Desk) -> Result<HashSet<DeliveryId>, DeskError> {
        let open = desk.open();
        let ids: Vec<MessageId> = open.iter().copied().map(MessageId::from).collect();
        let standing = self.deliveries.standing(channel.into(), &ids).await?;
        let settled = open.into_iter().zip(standing).filter(|(_, how)| *how == Some(Standing::Settled));
        Ok(settled.map(|(id, _)| id).collect())
    }

    /// The monitors among these that have not been down for some time (up, paused or gone), with the time
    /// since when.
    async fn ended(
        &self,
        down: &[(MonitorId, EventTime)],
        now: EventTime,
    ) -> Result<Vec<(MonitorId, EventTime)>, DeskError> {
        let mut by_partition: HashMap<PartitionId, Vec<MonitorId>> = HashMap::new();
        for (monitor, _) in down {
            by_partition.entry(monitor.partition(self.partitions)).or_default().push(*monitor);
        }
        let mut ended = Vec::new();
        for (partition, monitors) in by_partition {
            for some in monitors.chunks(REVIEWED) {
                let states = self.states.states(partition, some).await?;
                for (monitor, state) in some.iter().zip(states) {
                    let since = match state {
                        Some(state) if state.state == State::Down => continue,
                        Some(state) => state.since,
                        // The states may be lost; the registry is not.
                        None if self.is_there(*monitor).await? => continue,
                        None => EventTime::EPOCH,
                    };
                    // Its recovery may be on its way.
                    if since + SETTLED <= now {
                        ended.push((*monitor, since));
                    }
                }
            }
        }
        Ok(ended)
    }

    async fn is_there(&self, monitor: MonitorId) -> Result<bool, DeskError> {
        Ok(self.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?.is_some())
    }

    async fn load(&self, channel: ChannelId, manner: Manner) -> Result<OpenDesk, DeskError> {
        let page = self.ledger.load(channel.as_uuid()).await?;
        let followed = self.deliveries.followed(channel.into());
        self.deliveries.follows(channel.into(), page.version);
        let (mut chat_head, mut pager_head) = (None, None);
        let (mut chats, mut pagers) = (HashMap::new(), HashMap::new());
        let mut keys: Vec<Uuid> = Vec::with_capacity(page.rows.len());
        for (key, bytes) in &page.rows {
            keys.push(*key);
            let (monitor, row): (MonitorId, Row) = rows::read(*key, bytes)?;
            match row {
                Row::ChatHead(head) => chat_head = Some(*head),
                Row::PagerHead(head) => pager_head = Some(*head),
                Row::Chat(entry) => drop(chats.insert(monitor, *entry)),
                Row::Pager(entry) => drop(pagers.insert(monitor, *entry)),
            }
        }
        let rules = match manner {
            Manner::Chat => PagerRules { storm_limit: None, repost_every: None },
            Manner::Pager(rules) => rules,
        };
        let chat = |head, entries| Desk::Chat(Chat::new(channel, head, entries));
        let pager = |head, entries| Desk::Pager(Pager::new(channel, rules, head, entries));
        let fresh = match manner {
            Manner::Chat => chat(ChatHead::new(self.clock.now()), HashMap::new()),
            Manner::Pager(_) => pager(PagerHead::new(self.clock.now()), HashMap::new()),
        };
        let found = match (chat_head, pager_head) {
            // What rests on a desk that is older than the queue is not known. Without a desk the deliveries
            // in the queue ask anew.
            (Some(_), _) if page.version < followed => {
                tracing::warn!(channel.id = %channel, "the ledger was set back; what a channel was told is forgotten");
                return Ok(OpenDesk { version: page.version, desk: fresh, obsolete: keys });
            }
            (Some(head), _) => chat(head, chats),
            (None, Some(head)) => {
                let mut desk = pager(head, pagers);
                if page.version < followed {
                    tracing::warn!(channel.id = %channel, "the ledger was set back; a pager's storm is looked into");
                    desk.doubt();
                }
                desk
            }
            (None, None) => return Ok(OpenDesk { version: page.version, desk: fresh, obsolete: keys }),
        };
        let fits = std::mem::discriminant(&found) == std::mem::discriminant(&fresh);
        // A channel that has changed its kind is served in the old manner until nothing waits there.
        Ok(if fits || !found.is_idle() {
            OpenDesk { version: page.version, desk: found, obsolete: Vec::new() }
        } else {
            OpenDesk { version: page.version, desk: fresh, obsolete: keys }
        })
    }

    async fn write(&self, channel: ChannelId, open: &mut OpenDesk) -> Result<(), LedgerError> {
        let mut changes = open.desk.take_changes();
        let removed = std::mem::take(&mut open.obsolete);
        let gone = removed.into_iter().filter(|key| changes.iter().all(|(changed, _)| changed != key));
        let gone: Vec<_> = gone.map(|key| (key, None)).collect();
        changes.extend(gone);
        let rows = changes.into_iter().map(rows::change).collect();
        let written = self.ledger.write(channel.as_uuid(), open.version, rows).await;
        open.version = match written {
            // Versions only grow: the store was set back, or lost the desk, which has not been written since
            // and is here still.
            Err(LedgerError::Conflict { found }) if found < open.version => {
                tracing::warn!(channel.id = %channel, "the ledger lost what a channel was told; writing it anew");
                self.write_anew(channel, &open.desk).await?
            }
            written => written?,
        };
        self.deliveries.follows(channel.into(), open.version);
        Ok(())
    }

    /// Replaces the content of the ledger by a whole desk.
    async fn write_anew(&self, channel: ChannelId, desk: &Desk) -> Result<u64, LedgerError> {
        let page = self.ledger.load(channel.as_uuid()).await?;
        let rows = desk.all_rows();
        let kept: HashSet<Uuid> = rows.iter().map(|(key, _)| *key).collect();
        let gone = page.rows.into_iter().filter(|(key, _)| !kept.contains(key)).map(|(key, _)| (key, None));
        let rows = rows.into_iter().map(|(key, row)| rows::change((key, Some(row))));
        self.ledger.write(channel.as_uuid(), page.version, rows.chain(gone).collect()).await
    }

    /// Records first, messages second. All of it can be done again. A message of the desk's own gets its
    /// record with its first attempt: one that never came into the queue must not look as if it waited there.
    async fn carry_out(&self, channel: ChannelId, effects: Effects) -> Result<(), DeskError> {
        let now = self.clock.now();
        let mut records: Vec<Delivery> = Vec::new();
        for (id, into) in effects.refolded {
            let Some(record) = self.history.get(id).await? else { continue };
            if record.state == DeliveryState::Folded {
                records.push(Delivery { folded_into: Some(into), ..record });
            }
        }
        let mut messages = Vec::with_capacity(effects.emits.len() + effects.wakes.len());
        // Before what opens them.
        messages.extend(effects.opened.into_iter().map(|open| to_hold(open, now)));
        for Emit { id, notice, monitor, order_key, due_at } in effects.emits {
            let task = DeliveryTask {
                id,
                notice,
                channel,
                created_at: now,
                monitor,
                redriven: false,
                attempts: 0,
                sent_to: Vec::new(),
                at_desk: false,
                folded_into: None,
            };
            messages.push(QueueMessage {
                id: id.into(),
                lane: channel.into(),
                order_key,
                due_at,
                origin: None,
                body: wire::encode(&DeliveryMessage::from(task)),
            });
        }
        messages.extend(effects.wakes.into_iter().map(|WakeUp { id, due_at }| QueueMessage {
            id: id.into(),
            lane: channel.into(),
            order_key: id.into(),
            due_at,
            origin: None,
            body: wire::encode(&DeliveryMessage::Wake(Wake { channel })),
        }));
        if !records.is_empty() {
            self.history.put(records).await?;
        }
        if !messages.is_empty() {
            self.deliveries.enqueue(messages).await?;
        }
        Ok(())
    }

    /// A channel is gone, so its desk is removed.
    pub(crate) async fn forget(&self, channel: ChannelId) -> Result<(), DeskError> {
        self.slots.lock().remove(&channel);
        let page = self.ledger.load(channel.as_uuid()).await?;
        if page.version > 0 {
            let rows = page.rows.into_iter().map(|(key, _)| (key, None)).collect();
            self.ledger.write(channel.as_uuid(), page.version, rows).await?;
        }
        Ok(())
    }
}

/// The message by which the queue holds an incident that is open.
fn to_hold(open: OpenIncident, now: EventTime) -> QueueMessage {
    // The queue may have dealt with the message of one that the desk does not know well, so it gets another
    // one; a desk that is read again and again gets no more than these.
    let again = open.forgotten_at.map(|at| format!("open/{}", at.as_micros() / HELD_AGAIN_MICROS));
    let alert = open.incident.followed_by(again.as_deref().unwrap_or("open"));
    let id = DeliveryId::derive(alert, open.channel);
    QueueMessage {
        id: id.into(),
        lane: open.channel.into(),
        order_key: id.into(),
        due_at: if again.is_some() { now } else { now + LOOK_AFTER },
        origin: None,
        body: wire::encode(&DeliveryMessage::Incident(Box::new(open))),
    }
}

/// The delivery that an admission puts in another's place.
pub(crate) fn folded(record: Delivery, into: DeliveryId) -> Delivery {
    Delivery { state: DeliveryState::Folded, folded_into: Some(into), next_attempt_at: None, ..record }
}
