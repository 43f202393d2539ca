//! A desk with everything around it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use doubles::samples;
use model::delivery::{DeliveryMessage, DeliveryTask, IncidentSubject, OpenIncident, Wake};
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::{MonitorLabel, Notice};
use model::time::EventTime;
use model::wire;
use uuid::Uuid;

use super::super::chat::Chat;
use super::super::machine::{Desk, Note, Question};
use super::super::outcome::{
    Admission, Effects, Emit, FoundDown, IncidentNews, IncidentStanding, MonitorNow, WakeUp, closing_delivery,
};
use super::super::pager::{Pager, PagerRules};
use super::super::rows::Row;
use super::super::state::chat::ChatHead;
use super::super::state::pager::PagerHead;
use super::super::timing::storm_goes_back_to;

/// The time at which a play begins.
pub(super) const START: EventTime = EventTime::from_secs(1_000_000);

/// A failed attempt is made again after this.
const RETRY: Duration = Duration::from_secs(20);

/// How often an incident that is open is looked after.
const LOOK_AFTER: Duration = Duration::from_secs(300);

/// How long a monitor has been up before it is taken for up although no recovery came.
const SETTLED: Duration = Duration::from_secs(300);

pub(super) struct Play {
    pub(super) desk: Desk,
    pub(super) now: EventTime,
    /// Whether the receiver accepts.
    pub(super) works: bool,
    /// The messages that the channel accepted.
    pub(super) got: Vec<(EventTime, DeliveryId, Notice)>,
    /// The queue, by due time and place.
    queue: BTreeMap<(EventTime, u64), DeliveryMessage>,
    /// The queue takes an id once.
    known: HashSet<DeliveryId>,
    places: u64,
    /// For a pager, the alerts of a monitor wait for each other: the first of each is in the queue, the
    /// others are here.
    chains: HashMap<MonitorId, VecDeque<DeliveryTask>>,
    pub(super) folded: HashMap<DeliveryId, DeliveryId>,
    /// Folded deliveries, which ask again if the queue does not know what they are folded into.
    parked: Vec<(DeliveryTask, DeliveryId)>,
    pub(super) dropped: HashSet<DeliveryId>,
    /// Deliveries of flips that came.
    pub(super) came: Vec<(DeliveryId, Flip)>,
    sequences: HashMap<MonitorId, u64>,
    went_down: HashMap<MonitorId, EventTime>,
}

pub(super) fn channel() -> ChannelId {
    ChannelId::from_uuid(Uuid::from_u128(77))
}

pub(super) fn monitor(number: u128) -> MonitorId {
    // The nil id is the head's.
    MonitorId::from_uuid(Uuid::from_u128(number + 1))
}

pub(super) fn label(number: u128) -> MonitorLabel {
    MonitorLabel { name: format!("m{number:05}"), ..MonitorLabel::default() }
}

impl Play {
    pub(super) fn chat() -> Self {
        Self::new(Desk::Chat(Chat::new(channel(), ChatHead::default(), HashMap::new())))
    }

    pub(super) fn pager(rules: PagerRules) -> Self {
        Self::new(Desk::Pager(Pager::new(channel(), rules, PagerHead::default(), HashMap::new())))
    }

    fn new(desk: Desk) -> Self {
        Self {
            desk,
            now: START,
            works: true,
            got: vec![],
            queue: BTreeMap::new(),
            known: HashSet::new(),
            places: 0,
            chains: HashMap::new(),
            folded: HashMap::new(),
            parked: vec![],
            dropped: HashSet::new(),
            came: vec![],
            sequences: HashMap::new(),
            went_down: HashMap::new(),
        }
    }

    /// A monitor changes to the other state, and the desk hears of it.
    pub(super) fn flip(&mut self, number: u128) -> DeliveryId {
        let id = monitor(number);
        // Each flip of a monitor is later than the one before.
        self.now = self.now.next();
        let sequence = self.sequences.entry(id).or_default();
        *sequence += 1;
        let is_down = *sequence % 2 == 1;
        let (from, to) = if is_down { (State::Up, State::Down) } else { (State::Down, State::Up) };
        let since = if is_down { None } else { self.went_down.get(&id).copied() };
        if is_down {
            self.went_down.insert(id, self.now);
        }
        let flip = Flip {
            id: AlertId::derive(id, self.now, to.as_str()),
            sequence: *sequence,
            from,
            to,
            reason: if is_down { Reason::Missed } else { Reason::Recovered },
            deadline: None,
            down_for: since.map(|since| self.now.since(since)),
            silent_for: None,
            ..samples::flip(id, self.now)
        };
        let delivery = DeliveryId::derive(flip.id, channel());
        self.came.push((delivery, flip.clone()));
        self.enqueue(delivery, Alert::Flip(flip).into(), Some(label(number)), self.now);
        self.settle();
        delivery
    }

    pub(super) fn remind(&mut self, number: u128, count: u32) -> DeliveryId {
        let found = self.came.iter().rev().find(|(_, flip)| flip.monitor == monitor(number));
        let down = found.map(|(_, flip)| flip.clone()).unwrap();
        let id = AlertId::derive(down.monitor, self.now, "reminder");
        let delivery = DeliveryId::derive(id, channel());
        let alert = Alert::Reminder { id, number: count, at: self.now, down };
        self.enqueue(delivery, alert.into(), Some(label(number)), self.now);
        self.settle();
        delivery
    }

    fn enqueue(&mut self, id: DeliveryId, notice: Notice, monitor: Option<MonitorLabel>, due: EventTime) {
        if self.known.insert(id) {
            let task = DeliveryTask {
                id,
                notice,
                channel: channel(),
                created_at: self.now,
                monitor,
                redriven: false,
                attempts: 0,
                sent_to: vec![],
                at_desk: false,
                folded_into: None,
            };
            match task.notice.monitor().filter(|_| matches!(self.desk, Desk::Pager(_))) {
                Some(monitor) => {
                    let chain = self.chains.entry(monitor).or_default();
                    chain.push_back(task.clone());
                    if chain.len() == 1 {
                        self.put(due, task.into());
                    }
                }
                None => self.put(due, task.into()),
            }
        }
    }

    /// A delivery is done: the next one of its monitor moves up. One that was folded before is in no row.
    fn done(&mut self, task: &DeliveryTask) {
        let Some(chain) = task.notice.monitor().and_then(|monitor| self.chains.get_mut(&monitor)) else {
            return;
        };
        if chain.pop_front_if(|first| first.id == task.id).is_none() {
            return;
        }
        if let Some(next) = chain.front().cloned() {
            self.put(self.now, next.into());
        }
    }

    fn put(&mut self, due: EventTime, message: DeliveryMessage) {
        self.places += 1;
        self.queue.insert((due, self.places), message);
    }

    fn ask(&mut self, question: &Question) -> Admission {
        let mut effects = Effects::default();
        let admission = self.desk.admit(question, self.now, &mut effects);
        self.desk.set_wake(self.now, &mut effects);
        self.follow(effects);
        admission
    }

    fn note(&mut self, note: Note) {
        let mut effects = Effects::default();
        self.desk.note(note, self.now, &mut effects);
        self.desk.set_wake(self.now, &mut effects);
        self.follow(effects);
    }

    fn follow(&mut self, effects: Effects) {
        for (id, into) in effects.refolded {
            self.folded.insert(id, into);
        }
        for Emit { id, notice, monitor, due_at, .. } in effects.emits {
            self.enqueue(id, notice, monitor, due_at);
        }
        for open in effects.opened {
            let id = DeliveryId::derive(open.incident.followed_by("open"), channel());
            // One that the desk does not know well comes at once, whether or not there was another one.
            if open.forgotten_at.is_some() {
                self.put(self.now, DeliveryMessage::Incident(Box::new(open)));
            } else if self.known.insert(id) {
                self.put(self.now + LOOK_AFTER, DeliveryMessage::Incident(Box::new(open)));
            }
        }
        for WakeUp { id, due_at } in effects.wakes {
            if self.known.insert(id) {
                self.put(due_at, DeliveryMessage::Wake(Wake { channel: channel() }));
            }
        }
    }

    /// The desk is asked about an incident that the queue holds as open.
    fn look_after(&mut self, open: OpenIncident) {
        let again = match self.incident(&open, &IncidentNews::Asked) {
            IncidentStanding::Open(known) => *known,
            IncidentStanding::Later => open,
            IncidentStanding::Over => return,
            IncidentStanding::Forgotten => {
                if self.known.contains(&closing_delivery(channel(), open.incident)) {
                    self.incident(&open, &IncidentNews::Closed);
                    return;
                }
                match &open.of {
                    IncidentSubject::Flapping { flip, .. } => {
                        let stands = match self.newest(flip.monitor) {
                            newest if newest.to == State::Down => MonitorNow::Down(Box::new(newest)),
                            newest => MonitorNow::NotDown { state: newest.to, since: newest.at },
                        };
                        self.incident(&open, &IncidentNews::Stands(Box::new(stands)));
                        return;
                    }
                    IncidentSubject::Storm { .. } => {
                        let oldest = storm_goes_back_to(&open);
                        let monitors: HashSet<MonitorId> =
                            self.came.iter().map(|(_, flip)| flip.monitor).collect();
                        let newest = monitors.into_iter().map(|monitor| self.newest(monitor));
                        let down = newest.filter(|flip| flip.to == State::Down && flip.at >= oldest);
                        let found = down.map(|down| FoundDown { down, monitor: MonitorLabel::default() });
                        let found = found.collect();
                        self.incident(&open, &IncidentNews::Found(found));
                        self.incident(&open, &IncidentNews::FoundAll);
                        open
                    }
                }
            }
        };
        self.put(self.now + LOOK_AFTER, DeliveryMessage::Incident(Box::new(again)));
    }

    /// Monitors that the desk takes for down, and that are not.
    fn review(&mut self) {
        let down = self.desk.to_review(self.now).into_iter();
        let newest = down.filter_map(|(monitor, _)| {
            let mut flips = self.came.iter().rev().map(|(_, flip)| flip);
            flips.find(|flip| flip.monitor == monitor).cloned()
        });
        let ended = newest.filter(|flip| flip.to != State::Down && flip.at + SETTLED <= self.now);
        let ended: Vec<_> = ended.map(|flip| (flip.monitor, flip.at)).collect();
        let mut effects = Effects::default();
        self.desk.ended(&ended, self.now, &mut effects);
        self.follow(effects);
    }

    fn incident(&mut self, open: &OpenIncident, news: &IncidentNews) -> IncidentStanding {
        let mut effects = Effects::default();
        let standing = self.desk.incident(open, news, self.now, &mut effects);
        self.desk.set_wake(self.now, &mut effects);
        self.follow(effects);
        standing
    }

    /// The newest flip of a monitor that has flipped.
    fn newest(&self, monitor: MonitorId) -> Flip {
        self.came.iter().rev().find(|(_, flip)| flip.monitor == monitor).unwrap().1.clone()
    }

    /// Everything that is due happens.
    pub(super) fn settle(&mut self) {
        while let Some((&(due, place), _)) =
            self.queue.first_key_value().filter(|((due, _), _)| *due <= self.now)
        {
            let Some(message) = self.queue.remove(&(due, place)) else { break };
            let mut task = match message {
                DeliveryMessage::Task(task) => *task,
                DeliveryMessage::Wake(_) => {
                    self.review();
                    self.note(Note::Wake);
                    continue;
                }
                DeliveryMessage::Incident(open) => {
                    self.look_after(*open);
                    continue;
                }
            };
            match self.ask(&Question { task: task.clone(), redriven: false }) {
                Admission::Send(notice) if self.works => {
                    self.got.push((self.now, task.id, *notice));
                    self.note(Note::Finished(task.id));
                    self.done(&task);
                }
                Admission::Send(_) => {
                    task.attempts += 1;
                    task.folded_into = None;
                    self.note(Note::Failed(task.id, None));
                    self.put(self.now + RETRY, task.into());
                }
                Admission::Folded(into) | Admission::TakenOver(into) => {
                    self.folded.insert(task.id, into);
                    self.parked.push((DeliveryTask { folded_into: Some(into), ..task.clone() }, into));
                    self.done(&task);
                }
                Admission::Dropped(_) => {
                    self.dropped.insert(task.id);
                    self.note(Note::Finished(task.id));
                    self.done(&task);
                }
                Admission::Later(wait) => self.put(self.now + wait, task.into()),
            }
        }
    }

    /// Time passes, and what falls due in it happens then.
    pub(super) fn pass(&mut self, secs: u64) {
        let until = self.now + Duration::from_secs(secs);
        while let Some((&(due, _), _)) = self.queue.first_key_value().filter(|((due, _), _)| *due <= until) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = until;
    }

    /// Monitors are down no more, and no alert said so.
    pub(super) fn end(&mut self, numbers: &[u128]) {
        let ended: Vec<_> = numbers.iter().map(|number| (monitor(*number), self.now)).collect();
        let mut effects = Effects::default();
        self.desk.ended(&ended, self.now, &mut effects);
        self.desk.set_wake(self.now, &mut effects);
        self.follow(effects);
        self.settle();
    }

    /// Deliveries that failed are never tried again; what the desk asked for still comes.
    pub(super) fn forget_retries(&mut self) {
        self.queue.retain(|_, message| match message {
            DeliveryMessage::Task(task) => task.attempts == 0,
            DeliveryMessage::Wake(_) | DeliveryMessage::Incident(_) => true,
        });
    }

    /// The receiver asked to be left alone when it refused a delivery.
    pub(super) fn leave_alone(&mut self, id: DeliveryId, secs: u64) {
        let until = self.now + Duration::from_secs(secs);
        self.note(Note::Failed(id, Some(until)));
    }

    /// The desk is lost, and read again from what is in the ledger.
    pub(super) fn reload(&mut self) {
        let rows: Vec<(Uuid, Row)> = self
            .desk
            .all_rows()
            .into_iter()
            .map(|(key, row)| (key, wire::decode(&wire::encode(&row)).unwrap()))
            .collect();
        let (mut chats, mut pagers) = (HashMap::new(), HashMap::new());
        let (mut chat_head, mut pager_head) = (ChatHead::default(), PagerHead::default());
        for (key, row) in rows {
            let monitor = MonitorId::from_uuid(key);
            match row {
                Row::ChatHead(head) => chat_head = *head,
                Row::Chat(entry) => drop(chats.insert(monitor, *entry)),
                Row::PagerHead(head) => pager_head = *head,
                Row::Pager(entry) => drop(pagers.insert(monitor, *entry)),
            }
        }
        self.desk = match &self.desk {
            Desk::Chat(_) => Desk::Chat(Chat::new(channel(), chat_head, chats)),
            Desk::Pager(pager) => Desk::Pager(Pager::new(channel(), pager.rules, pager_head, pagers)),
        };
        let unfinished = self.desk.unfinished(self.now);
        self.follow(unfinished);
        self.settle();
    }

    /// The ledger is lost, and so is what the notifier had in memory.
    pub(super) fn lose(&mut self) {
        self.lose_quietly();
        self.ask_again();
    }

    /// The same, before what is folded asks again.
    pub(super) fn lose_quietly(&mut self) {
        self.desk = match &self.desk {
            Desk::Chat(_) => Desk::Chat(Chat::new(channel(), ChatHead::new(self.now), HashMap::new())),
            Desk::Pager(pager) => {
                Desk::Pager(Pager::new(channel(), pager.rules, PagerHead::new(self.now), HashMap::new()))
            }
        };
    }

    /// The desk is lost, and the ledger is what it was when this desk was in it.
    pub(super) fn set_back(&mut self, older: Desk) {
        self.desk = older;
        self.desk.doubt();
        self.desk.resume(self.now, 1);
        self.reload();
        self.ask_again();
    }

    /// What is folded into a message that never came into the queue asks again.
    pub(super) fn ask_again(&mut self) {
        for (task, into) in std::mem::take(&mut self.parked) {
            if !self.known.contains(&into) {
                self.put(self.now, task.into());
            }
        }
        self.settle();
    }

    /// The types of what was accepted.
    pub(super) fn types(&self) -> Vec<&'static str> {
        self.got.iter().map(|(_, _, notice)| notice.event_type()).collect()
    }

    /// The notices that were accepted since the last call.
    pub(super) fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.got).into_iter().map(|(_, _, notice)| notice).collect()
    }

    /// The message that told a delivery, through all the deliveries that it was folded into.
    pub(super) fn teller(&self, delivery: DeliveryId) -> Option<&Notice> {
        let mut id = delivery;
        for _ in 0..10_000 {
            if let Some((_, _, notice)) = self.got.iter().find(|(_, got, _)| *got == id) {
                return Some(notice);
            }
            id = *self.folded.get(&id)?;
        }
        None
    }
}

/// Whether a message opens its incident, or keeps it open.
pub(super) fn triggers(notice: &Notice) -> bool {
    match (notice, notice.flip()) {
        (Notice::Storm(storm), _) => !storm.over,
        (Notice::Flapping(flapping), _) => !flapping.over,
        (Notice::Alert(Alert::Reminder { .. }), _) => true,
        (_, flip) => flip.is_some_and(|flip| flip.to == State::Down),
    }
}
