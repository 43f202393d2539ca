//! Pure. The desk of a channel that people read.
//!
//! - Up to [`SINGLES`] messages in any [`WINDOW`] go out one by one and at once. The next one begins a storm:
//!   further messages are gathered and go out as a digest at the end of each window, until a window has fewer
//!   than [`SINGLES`].
//! - While a message does not get through, all later alerts are gathered too, so that a receiver that was
//!   away is not flooded when it is back, and never sees an older state after a newer one. They go out at
//!   most once in [`PROBE`], in one message that takes over the content of the failing ones, under an id of
//!   its own, because one of them may have arrived.
//! - So an incident that was over before it could be told is told as "was down".
//! - A monitor that flaps is announced once, and then summed up every quarter of an hour until it is quiet.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, State};
use model::ids::{ChannelId, DeliveryId, MonitorId};
use model::notice::{self, MonitorLabel, Notice};
use model::time::EventTime;
use uuid::Uuid;

use super::digest;
use super::flaps::WITHIN;
use super::gather::{Reminder, UntoldChanges, gathered};
use super::outcome::{Admission, DropReason, Effects, Emit, lean, own_alert, own_delivery};
use super::rows::{HEAD, Row};
use super::state::chat::{ChatEntry, ChatHead, OutstandingMessage, StormWindow};
use super::timing::LOST_AFTER;
use crate::message::incident_of;

/// The most messages that go out one by one within [`WINDOW`].
pub(super) const SINGLES: usize = 5;

/// The time in which messages are counted, and that a digest gathers.
pub(super) const WINDOW: Duration = Duration::from_secs(30);

/// How often new messages are tried while none gets through, independent of the schedule of the failed ones.
pub(super) const PROBE: Duration = Duration::from_secs(60);

/// Messages that were taken over by others and whose deliveries may still come.
const ADOPTED: usize = 64;

/// The desk of a chat.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chat {
    pub(super) channel: ChannelId,
    pub(super) head: ChatHead,
    pub(super) monitors: HashMap<MonitorId, ChatEntry>,
    pub(super) changed: BTreeSet<Uuid>,
}

impl Chat {
    pub(super) fn new(channel: ChannelId, head: ChatHead, monitors: HashMap<MonitorId, ChatEntry>) -> Self {
        Self { channel, head, monitors, changed: BTreeSet::new() }
    }

    /// Whether, and in what words, an alert goes out.
    pub(super) fn admit(
        &mut self,
        task: &DeliveryTask,
        redriven: bool,
        now: EventTime,
        effects: &mut Effects,
    ) -> Admission {
        let label = task.monitor.clone().unwrap_or_default();
        if let Some((_, by)) = self.head.adopted.iter().find(|(id, _)| *id == task.id) {
            return Admission::TakenOver(*by);
        }
        let entry = task.notice.monitor().and_then(|monitor| self.monitors.get(&monitor));
        if let Some(by) = entry.and_then(|entry| entry.waits_for(task.id, self.channel))
            && by != task.id
            && !redriven
        {
            return Admission::Folded(by);
        }
        match &task.notice {
            _ if self.head.outstanding.contains_key(&task.id) => self.again(task, now, effects),
            Notice::Alert(Alert::Flip(flip)) => self.flip(task.id, flip, label, redriven, now),
            Notice::Alert(Alert::Reminder { id, number, at, down }) => {
                let reminder = Reminder { id: *id, number: *number, at: *at };
                self.reminder(task.id, reminder, down, label, now)
            }
            Notice::Digest(digest) if !redriven => self.forgotten_digest(task.id, digest, now),
            Notice::WasDown(_) | Notice::Flapping(_) if !redriven => self.forgotten(task, now),
            Notice::WasDown(_) | Notice::Digest(_) | Notice::Flapping(_) => {
                Admission::Send(Box::new(task.notice.clone()))
            }
            Notice::Repost(_) => Admission::Dropped(DropReason::NotReposted),
            Notice::Alert(Alert::Test { .. }) | Notice::Storm(_) | Notice::ChannelFailing(_) => {
                Admission::Send(Box::new(task.notice.clone()))
            }
        }
    }

    fn flip(
        &mut self,
        id: DeliveryId,
        flip: &Flip,
        label: MonitorLabel,
        redriven: bool,
        now: EventTime,
    ) -> Admission {
        let alone = self.may_go_alone(now);
        let (channel, number) = (self.channel, self.head.number);
        let entry = self.entry(flip.monitor, label);
        if flip.sequence < entry.sequence
            && let Some(untold) = entry.untold.as_mut().filter(|_| !redriven)
            && untold.take_earlier(id, &lean(flip), number)
        {
            // The reminder was overtaken by a later one, which waits.
            return Admission::Folded(own_delivery(channel, number));
        }
        if flip.sequence <= entry.sequence {
            return match entry.says_of(id, channel) {
                Some(by) if !redriven && by != id => Admission::Folded(by),
                // The owner wants it again, or the desk has forgotten it.
                Some(_) | None => Admission::Send(Box::new(Alert::Flip(flip.clone()).into())),
            };
        }
        entry.sequence = flip.sequence;
        let kept = lean(flip);
        entry.flaps.note(&kept, incident_of(flip), now);
        let begins = entry.flaps.flapping.as_ref().is_some_and(|flapping| !flapping.announced);
        let mut untold = UntoldChanges::flip(&kept);
        let undisturbed = entry.carrier.is_none() && entry.untold.is_none();
        if alone && undisturbed && (begins || entry.flaps.flapping.is_none()) {
            entry.untold = Some(untold);
            entry.load(id, None, now);
            let said = self.say_one(flip.monitor, Some(&Alert::Flip(flip.clone()).into()));
            self.goes_out(id, Some(flip.monitor), None, now);
            return said.map_or(Admission::Dropped(DropReason::NothingToSay), Admission::Send);
        }
        untold.ids.push((id, number));
        entry.untold = gathered(entry.untold.take(), untold);
        self.gathers(1, now);
        Admission::Folded(own_delivery(self.channel, number))
    }

    fn reminder(
        &mut self,
        id: DeliveryId,
        reminder: Reminder,
        down: &Flip,
        label: MonitorLabel,
        now: EventTime,
    ) -> Admission {
        let alone = self.may_go_alone(now);
        let number = self.head.number;
        let entry = self.entry(down.monitor, label);
        if down.sequence < entry.sequence {
            return Admission::Dropped(DropReason::Over);
        }
        entry.sequence = down.sequence;
        let untold = UntoldChanges { reminder: Some(reminder), ..UntoldChanges::still(&lean(down)) };
        let undisturbed = entry.carrier.is_none() && entry.untold.is_none();
        if alone && undisturbed && entry.flaps.flapping.is_none() {
            entry.untold = Some(untold);
            entry.load(id, None, now);
            let said = self.say_one(down.monitor, None);
            self.goes_out(id, Some(down.monitor), None, now);
            return said.map_or(Admission::Dropped(DropReason::NothingToSay), Admission::Send);
        }
        let untold = UntoldChanges { ids: vec![(id, number)], ..untold };
        entry.untold = gathered(entry.untold.take(), untold);
        self.gathers(0, now);
        Admission::Folded(own_delivery(self.channel, number))
    }

    /// A further attempt: it says what it said, unless something has happened since to what it tells of.
    fn again(&mut self, task: &DeliveryTask, now: EventTime, effects: &mut Effects) -> Admission {
        let overtaken = |entry: &ChatEntry| entry.carrier == Some(task.id) && entry.untold.is_some();
        if self.monitors.values().any(overtaken) {
            if let Some(outstanding) = self.head.outstanding.get_mut(&task.id) {
                outstanding.failed = true;
            }
            if self.head.outstanding.values().all(|outstanding| outstanding.failed) {
                self.send_gathered(now, effects);
                return match self.head.adopted.iter().find(|(id, _)| *id == task.id) {
                    Some((_, by)) => Admission::TakenOver(*by),
                    None => Admission::Send(Box::new(task.notice.clone())),
                };
            }
        }
        let Some(outstanding) = self.head.outstanding.get_mut(&task.id) else {
            return Admission::Send(Box::new(task.notice.clone()));
        };
        outstanding.failed = false;
        let said = match outstanding.monitor.filter(|_| outstanding.own.is_none()) {
            Some(monitor) => self.say_one(monitor, Some(&task.notice)),
            None => None,
        };
        Admission::Send(said.unwrap_or_else(|| Box::new(task.notice.clone())))
    }

    /// A message was accepted or given up: its content counts as told.
    pub(super) fn finished(&mut self, id: DeliveryId, now: EventTime, effects: &mut Effects) {
        let Some(outstanding) = self.head.outstanding.remove(&id) else { return };
        let told = |entry: &ChatEntry| entry.carrier == Some(id);
        let monitors: Vec<MonitorId> = match outstanding.monitor {
            Some(monitor) => vec![monitor],
            None => self.monitors.iter().filter(|(_, e)| told(e)).map(|(id, _)| *id).collect(),
        };
        for monitor in monitors {
            if let Some(entry) = self.monitors.get_mut(&monitor).filter(|entry| told(entry)) {
                entry.unload();
                self.changed.insert(monitor.as_uuid());
            }
        }
        self.head.clean_at.get_or_insert(now + WITHIN);
        self.flush(false, now, effects);
    }

    /// An attempt failed; it waits for the next one.
    pub(super) fn failed(&mut self, id: DeliveryId, until: Option<EventTime>) {
        if let Some(outstanding) = self.head.outstanding.get_mut(&id) {
            outstanding.failed = true;
            self.head.alone_until = self.head.alone_until.max(until);
        }
    }

    /// When what is gathered may go out beside what failed.
    fn probe_at(&self) -> Option<EventTime> {
        self.head.last_out.map(|at| (at + PROBE).max(self.head.alone_until.unwrap_or(at)))
    }

    /// A moment has come that [`Self::next_wake`] named.
    pub(super) fn wake(&mut self, now: EventTime, effects: &mut Effects) {
        let ended = self.head.storm.filter(|window| window.until <= now);
        if let Some(window) = ended {
            let goes_on = window.flips as usize >= SINGLES;
            self.head.storm = goes_on.then_some(StormWindow { until: now + WINDOW, flips: 0 });
        }
        if self.head.clean_at.is_some_and(|at| at <= now) {
            let old = |outstanding: &OutstandingMessage| outstanding.sent_at + LOST_AFTER <= now;
            let lost = self.head.outstanding.iter().filter(|(_, one)| old(one)).map(|(id, _)| *id);
            for id in lost.collect::<Vec<_>>() {
                self.finished(id, now, effects);
            }
            let over = |entry: &ChatEntry| entry.is_over(now);
            let gone: Vec<MonitorId> =
                self.monitors.iter().filter(|(_, entry)| over(entry)).map(|(id, _)| *id).collect();
            for monitor in gone {
                self.monitors.remove(&monitor);
                self.changed.insert(monitor.as_uuid());
            }
            let more = !self.head.outstanding.is_empty() || !self.monitors.is_empty();
            self.head.clean_at = more.then_some(now + WITHIN);
        }
        self.flush(ended.is_some(), now, effects);
    }

    /// Sends what is gathered, if its time has come. `window_ended`: a storm's window did.
    fn flush(&mut self, window_ended: bool, now: EventTime, effects: &mut Effects) {
        let outstanding = &self.head.outstanding;
        let probe_at = self.probe_at().filter(|_| !outstanding.is_empty());
        let busy = outstanding.values().any(|outstanding| !outstanding.failed);
        if busy || probe_at.is_some_and(|at| at > now) || (self.head.storm.is_some() && !window_ended) {
            return;
        }
        if !self.monitors.values().any(|entry| entry.is_ripe(now)) {
            return;
        }
        if !window_ended && self.recent(now) >= SINGLES {
            return self.gathers(0, now);
        }
        self.send_gathered(now, effects);
    }

    /// Puts what is gathered into one message, and with it what messages that wait for another attempt were
    /// to tell.
    fn send_gathered(&mut self, now: EventTime, effects: &mut Effects) {
        let (number, from) = (self.head.number, self.head.gathered_from.take().unwrap_or(now));
        self.head.number += 1;
        let id = own_delivery(self.channel, number);
        let adopted = std::mem::take(&mut self.head.outstanding);
        self.head.adopted.extend(adopted.keys().map(|old| (*old, id)));
        let surplus = self.head.adopted.len().saturating_sub(ADOPTED);
        self.head.adopted.drain(..surplus);
        let mut told = Vec::new();
        for (monitor, entry) in &mut self.monitors {
            let takes_over = entry.carrier.is_some_and(|carrier| adopted.contains_key(&carrier));
            if takes_over || entry.is_ripe(now) {
                let refolded = entry.load(id, Some(number), now);
                effects.refolded.extend(refolded.into_iter().map(|one| (one, id)));
                self.changed.insert(monitor.as_uuid());
                told.push(*monitor);
            }
        }
        let single = if let [monitor] = told.as_slice() { Some(*monitor) } else { None };
        self.goes_out(id, single, Some(number), now);
        if let Some(outstanding) = self.head.outstanding.get_mut(&id) {
            outstanding.from = from;
        }
        effects.emits.extend(self.emit(id, now));
    }

    /// A message of the desk's own, as the queue takes it.
    fn emit(&self, id: DeliveryId, now: EventTime) -> Option<Emit> {
        let outstanding = self.head.outstanding.get(&id)?;
        let number = outstanding.own?;
        let (notice, monitor) = match outstanding.monitor {
            Some(monitor) => {
                let label = self.monitors.get(&monitor).map(|entry| entry.label.clone());
                (*self.say_one(monitor, None)?, label)
            }
            None => (self.say_all(id, number, outstanding.from, now), None),
        };
        Some(Emit { id, notice, monitor, order_key: id.into(), due_at: now })
    }

    /// The content of the message that carries a monitor; `original` if it holds nothing else.
    fn say_one(&self, monitor: MonitorId, original: Option<&Notice>) -> Option<Box<Notice>> {
        let entry = self.monitors.get(&monitor)?;
        let carried = entry.carried.as_ref()?;
        if let Some((flapping, over)) = &carried.flapping {
            let name = format!("flapping/{over}");
            return Some(Box::new(Notice::Flapping(Box::new(notice::Flapping {
                id: flapping.last.id.followed_by(&name),
                incident: flapping.incident,
                flip: flapping.last.clone(),
                flips: flapping.flips,
                over: *over,
            }))));
        }
        if let (0, Some(Reminder { id, number, at })) = (carried.flips, &carried.reminder) {
            let down = carried.last.clone();
            return Some(Box::new(Alert::Reminder { id: *id, number: *number, at: *at, down }.into()));
        }
        if let Some(was) = carried.was_down(entry.told_down.is_some()) {
            return Some(Box::new(Notice::WasDown(Box::new(was))));
        }
        // The original alert if it is that one, because the copy that is kept here is shortened.
        let whole = match original {
            Some(Notice::Alert(Alert::Flip(flip))) if flip.id == carried.last.id => flip,
            Some(_) | None => &carried.last,
        };
        Some(Box::new(Alert::Flip(whole.clone()).into()))
    }

    fn say_all(&self, id: DeliveryId, number: u64, from: EventTime, now: EventTime) -> Notice {
        let alert_id = own_alert(self.channel, number);
        Notice::Digest(Box::new(digest::digest(alert_id, id, from, now, &self.monitors)))
    }

    pub(super) fn entry(&mut self, monitor: MonitorId, label: MonitorLabel) -> &mut ChatEntry {
        self.changed.insert(monitor.as_uuid());
        let entry = self.monitors.entry(monitor).or_insert_with(|| ChatEntry::new(MonitorLabel::default()));
        entry.label = label;
        entry
    }

    /// How many messages went out within the window.
    fn recent(&mut self, now: EventTime) -> usize {
        self.head.recent.retain(|at| *at + WINDOW > now);
        self.head.recent.len()
    }

    /// Whether another message may go out by itself.
    fn may_go_alone(&mut self, now: EventTime) -> bool {
        let stuck = self.head.outstanding.values().any(|outstanding| outstanding.failed);
        !stuck && self.head.storm.is_none() && self.recent(now) < SINGLES
    }

    pub(super) fn goes_out(
        &mut self,
        id: DeliveryId,
        monitor: Option<MonitorId>,
        own: Option<u64>,
        now: EventTime,
    ) {
        self.head.recent.push(now);
        let surplus = self.head.recent.len().saturating_sub(SINGLES);
        self.head.recent.drain(..surplus);
        self.head.last_out = Some(now);
        self.head.clean_at.get_or_insert(now + WITHIN);
        self.head
            .outstanding
            .insert(id, OutstandingMessage { monitor, own, failed: false, from: now, sent_at: now });
    }

    /// Something is gathered; that may begin a storm.
    fn gathers(&mut self, flips: u32, now: EventTime) {
        self.head.gathered_from.get_or_insert(now);
        let full = self.recent(now) >= SINGLES;
        match &mut self.head.storm {
            Some(storm) => storm.flips += flips,
            None if full => self.head.storm = Some(StormWindow { until: now + WINDOW, flips }),
            None => {}
        }
    }

    /// When the desk has to be looked at next.
    pub(super) fn next_wake(&self) -> Option<EventTime> {
        let storm = self.head.storm.map(|storm| storm.until);
        let outstanding = &self.head.outstanding;
        let waits = |entry: &ChatEntry| match &entry.flaps.flapping {
            Some(flapping) => !flapping.announced,
            None => entry.untold.is_some(),
        };
        let next = if outstanding.is_empty() {
            let flapping = self.monitors.values().filter_map(|entry| entry.flaps.flapping.as_ref());
            flapping.map(|flapping| flapping.due_at()).min()
        } else if outstanding.values().all(|outstanding| outstanding.failed) {
            self.probe_at().filter(|_| self.monitors.values().any(waits))
        } else {
            // The messages on their way must end first.
            None
        };
        // A window of a storm must end first, too.
        let next = next.map(|at| storm.map_or(at, |until| at.max(until)));
        next.into_iter().chain(storm).chain(self.head.clean_at).min()
    }

    /// Monitors that the channel was told are down, and that are up, or gone, without a message about that.
    pub(super) fn ended(&mut self, monitors: &[(MonitorId, EventTime)]) {
        for (monitor, _) in monitors {
            if let Some(entry) = self.monitors.get_mut(monitor).filter(|entry| entry.carrier.is_none()) {
                entry.told_down = None;
                self.changed.insert(monitor.as_uuid());
            }
        }
    }

    /// Monitors that the channel was told are down.
    pub(super) fn down(&self) -> Vec<(MonitorId, EventTime)> {
        let down = |(id, entry): (&MonitorId, &ChatEntry)| Some((*id, entry.told_down.as_ref()?.at));
        self.monitors.iter().filter_map(down).collect()
    }

    /// Whether a review of the known monitors is due.
    pub(super) fn reviews(&self, now: EventTime) -> bool {
        self.head.clean_at.is_some_and(|at| at <= now)
    }

    pub(super) fn unfinished(&self, now: EventTime) -> Vec<Emit> {
        self.head.outstanding.keys().filter_map(|id| self.emit(*id, now)).collect()
    }

    /// Takes the queue's word for what was told: these deliveries are settled there. A ledger that was set
    /// back to an older state still waits for them.
    pub(super) fn settled(&mut self, ids: &HashSet<DeliveryId>, now: EventTime, effects: &mut Effects) {
        for (monitor, entry) in &mut self.monitors {
            let told = |untold: &UntoldChanges| {
                !untold.ids.is_empty() && untold.ids.iter().all(|(id, _)| ids.contains(id))
            };
            if let Some(untold) = entry.untold.take_if(|untold| told(untold)) {
                entry.told_down = (untold.last.to == State::Down).then_some(untold.last);
                self.changed.insert(monitor.as_uuid());
            }
        }
        let finished = self.head.outstanding.keys().filter(|id| ids.contains(*id)).copied();
        for id in finished.collect::<Vec<_>>() {
            self.finished(id, now, effects);
        }
    }

    /// The deliveries that the desk waits for, or has gathered.
    pub(super) fn open(&self) -> Vec<DeliveryId> {
        let untold = self.monitors.values().filter_map(|entry| entry.untold.as_ref());
        let gathered = untold.flat_map(|untold| untold.ids.iter().map(|(id, _)| *id));
        self.head.outstanding.keys().copied().chain(gathered).collect()
    }

    /// Deliveries that a message on its way carries, and whose records name another one.
    pub(super) fn refolded(&self) -> Vec<(DeliveryId, DeliveryId)> {
        let carried = self.monitors.values().filter_map(|entry| entry.carrier.zip(entry.carried.as_ref()));
        let told = carried.flat_map(|(carrier, carried)| carried.ids.iter().map(move |one| (*one, carrier)));
        let elsewhere = told.filter(|((_, said), carrier)| own_delivery(self.channel, *said) != *carrier);
        elsewhere.map(|((id, _), carrier)| (id, carrier)).collect()
    }

    /// The row for the ledger under a key; `None` = no row.
    pub(super) fn row(&self, key: Uuid) -> Option<Row> {
        if key == HEAD {
            return Some(Row::ChatHead(Box::new(self.head.clone())));
        }
        self.monitors.get(&MonitorId::from_uuid(key)).map(|entry| Row::Chat(Box::new(entry.clone())))
    }

    /// Under what it is in the ledger, the head apart.
    pub(super) fn keys(&self) -> Vec<Uuid> {
        self.monitors.keys().map(|id| id.as_uuid()).collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.head.outstanding.is_empty() && self.monitors.values().all(|entry| entry.untold.is_none())
    }
}
