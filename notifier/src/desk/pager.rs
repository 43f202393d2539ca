//! Pure. The desk of a channel that pages.
//!
//! - One incident for each monitor, opened by its flip to down and closed by the one to up, each after the
//!   other. The queue keeps their order.
//! - More monitors down than the service's limit within [`WINDOW`] are one more incident for all that come
//!   beyond; it is closed when all of those are up.
//! - A monitor that flaps keeps one incident open until it is quiet and up.
//! - Receivers that forget are told again of what is down.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::{self, LabelledFlip, MAX_DIGEST_FLIPS, MonitorLabel, Notice, Repost, WasDown};
use model::time::EventTime;
use ports::queue::OrderKey;
use uuid::Uuid;

use super::flaps::WITHIN;
use super::outcome::{Admission, DropReason, Effects, Emit, closing_delivery, lean, own_alert, own_delivery};
use super::rows::{HEAD, Row};
use super::state::pager::{PagerEntry, PagerHead};
use super::timing::LOST_AFTER;
use crate::message::incident_of;

/// The time in which monitors that go down are counted, and between two messages of a storm.
pub(super) const WINDOW: Duration = Duration::from_secs(30);

/// How long after its beginning a storm is told, with the monitors that have come by then.
pub(super) const GATHER: Duration = Duration::from_secs(1);

/// How long a recovery waits for a repost on its way, which would undo the recovery if it came later.
const AFTER_REPOST: Duration = Duration::from_millis(500);

/// The rules that depend on the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PagerRules {
    /// How many monitors get an incident of their own within [`WINDOW`]; `None` = all.
    pub(crate) storm_limit: Option<usize>,
    /// How often monitors that are down are reported again.
    pub(crate) repost_every: Option<Duration>,
}

/// The desk of a pager.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pager {
    pub(super) channel: ChannelId,
    pub(super) rules: PagerRules,
    pub(super) head: PagerHead,
    pub(super) monitors: HashMap<MonitorId, PagerEntry>,
    pub(super) changed: BTreeSet<Uuid>,
    /// When it was read from the ledger. What was sent right before may not be known.
    pub(super) read_at: Option<EventTime>,
}

impl Pager {
    pub(super) fn new(
        channel: ChannelId,
        rules: PagerRules,
        head: PagerHead,
        monitors: HashMap<MonitorId, PagerEntry>,
    ) -> Self {
        Self { channel, rules, head, monitors, changed: BTreeSet::new(), read_at: None }
    }

    /// Whether, and in what words, an alert goes out.
    pub(super) fn admit(
        &mut self,
        task: &DeliveryTask,
        redriven: bool,
        now: EventTime,
        effects: &mut Effects,
    ) -> Admission {
        let as_it_is = || Admission::Send(Box::new(task.notice.clone()));
        match &task.notice {
            Notice::Alert(Alert::Flip(flip)) if !redriven && self.is_over(flip) => {
                Admission::Dropped(DropReason::UpAgain)
            }
            Notice::Alert(Alert::Flip(flip)) => {
                let label = task.monitor.clone().unwrap_or_default();
                self.flip(task.id, flip, label, redriven, now, effects)
            }
            Notice::Alert(Alert::Reminder { down, .. }) => match self.monitors.get(&down.monitor) {
                Some(entry) if down.sequence < entry.sequence => Admission::Dropped(DropReason::Over),
                Some(PagerEntry { in_storm: Some(by), found: false, down: Some(_), .. })
                | Some(PagerEntry { flapping_by: Some(by), .. }) => Admission::Folded(*by),
                Some(_) | None => as_it_is(),
            },
            Notice::Repost(due) => match self.repost(now, due.id, due.part, due.parts) {
                Some(repost) => Admission::Send(Box::new(Notice::Repost(Box::new(repost)))),
                None => Admission::Dropped(DropReason::NothingDown),
            },
            Notice::Alert(Alert::Test { .. })
            | Notice::WasDown(_)
            | Notice::Digest(_)
            | Notice::Storm(_)
            | Notice::Flapping(_)
            | Notice::ChannelFailing(_) => as_it_is(),
        }
    }

    fn flip(
        &mut self,
        id: DeliveryId,
        flip: &Flip,
        label: MonitorLabel,
        redriven: bool,
        now: EventTime,
        effects: &mut Effects,
    ) -> Admission {
        let reposting = self.is_reposting() && !self.head.stuck;
        let doubted = self.is_doubted();
        let entry = self.monitors.entry(flip.monitor).or_insert_with(|| PagerEntry::new(label.clone()));
        if flip.sequence <= entry.sequence {
            return entry.again(id, flip, redriven);
        }
        let is_down = flip.to == State::Down;
        if !is_down && reposting {
            return Admission::Later(AFTER_REPOST);
        }
        self.changed.insert(flip.monitor.as_uuid());
        let kept = lean(flip);
        entry.label = label;
        entry.sequence = flip.sequence;
        let begins = entry.flaps.note(&kept, incident_of(flip), now);
        entry.down = is_down.then_some(kept);
        // It may have an incident of its own, or the storm may be closed already.
        let leaves = entry.in_storm.is_some() && (entry.found || doubted);
        if leaves {
            (entry.in_storm, entry.found) = (None, false);
        }
        if is_down && !self.is_reposting() {
            let every = self.rules.repost_every;
            self.head.repost_at = every.map(|every| self.head.repost_at.unwrap_or(now + every));
        }
        self.head.clean_at.get_or_insert(now + WITHIN);
        let admission = self.changed_flip(id, flip, begins, now, effects);
        if leaves {
            self.storm_changed(now);
            self.end_storm(now, effects);
        }
        admission
    }

    /// A flip that is news: it goes out, or belongs to an incident that is open.
    fn changed_flip(
        &mut self,
        id: DeliveryId,
        flip: &Flip,
        begins: bool,
        now: EventTime,
        effects: &mut Effects,
    ) -> Admission {
        let is_down = flip.to == State::Down;
        let Some(entry) = self.monitors.get_mut(&flip.monitor) else {
            return Admission::Send(Box::new(Alert::Flip(flip.clone()).into()));
        };
        let stormy = entry.in_storm;
        if let (Some(by), None) = (entry.flapping_by, stormy) {
            return Admission::Folded(by);
        }
        if begins && stormy.is_none() {
            entry.flapping_by = Some(id);
            entry.flaps.tell(now);
            let admission = entry.again(id, flip, false);
            effects.opened.extend(self.open_flapping(flip.monitor));
            return admission;
        }
        if let Some(by) = stormy {
            self.storm_changed(now);
            self.end_storm(now, effects);
            return Admission::Folded(by);
        }
        if is_down && self.joins_storm(now) {
            return Admission::Folded(self.join_storm(flip.monitor, now));
        }
        Admission::Send(Box::new(Alert::Flip(flip.clone()).into()))
    }

    /// Whether a failure is over whose recovery went ahead: it was folded into a message that was lost, so
    /// nothing keeps it before its recovery. An incident that it opened now would never be closed.
    fn is_over(&self, down: &Flip) -> bool {
        let entry = self.monitors.get(&down.monitor).filter(|entry| entry.sequence > down.sequence);
        let alone = entry.filter(|entry| entry.in_storm.is_none() && entry.flapping_by.is_none());
        down.to == State::Down && alone.is_some()
    }

    fn is_reposting(&self) -> bool {
        self.head.outbox.values().any(|(notice, _)| matches!(notice, Notice::Repost(_)))
    }

    fn repost(&self, now: EventTime, id: AlertId, part: u32, parts: u32) -> Option<Repost> {
        let of_part =
            |monitor: MonitorId| monitor.as_uuid().as_u128() % u128::from(parts.max(1)) == u128::from(part);
        let down = self.monitors.iter().filter(|(monitor, _)| of_part(**monitor)).filter_map(|(_, entry)| {
            let monitor = entry.label.clone();
            Some(LabelledFlip { flip: entry.down.clone()?, monitor })
        });
        let mut down: Vec<LabelledFlip> = down.collect();
        down.sort_unstable_by_key(|one| (one.flip.at, one.flip.monitor));
        (!down.is_empty()).then_some(Repost { id, at: now, part, parts, down })
    }

    pub(super) fn send(
        &mut self,
        id: DeliveryId,
        notice: Notice,
        monitor: Option<MonitorLabel>,
        effects: &mut Effects,
        now: EventTime,
    ) {
        self.head.outbox.insert(id, (notice.clone(), monitor.clone()));
        effects.emits.push(emit(id, notice, monitor, now));
    }

    pub(super) fn finished(&mut self, id: DeliveryId, now: EventTime) {
        let reposted =
            self.head.outbox.remove(&id).is_some_and(|(notice, _)| matches!(notice, Notice::Repost(_)));
        if reposted && !self.is_reposting() {
            self.head.stuck = false;
            self.head.repost_at = self.rules.repost_every.map(|every| now + every);
        }
    }

    pub(super) fn failed(&mut self, id: DeliveryId) {
        // A repost that fails undoes nothing. It is made anew when it is tried again.
        self.head.stuck |=
            self.head.outbox.get(&id).is_some_and(|(notice, _)| matches!(notice, Notice::Repost(_)));
    }

    /// A moment has come that [`Self::next_wake`] named.
    pub(super) fn wake(&mut self, now: EventTime, effects: &mut Effects) {
        if self.head.storm.as_ref().and_then(|storm| storm.tell_at).is_some_and(|at| at <= now) {
            self.tell_storm(now, effects);
        }
        self.tell_quiet(now, effects);
        if self.head.repost_at.is_some_and(|at| at <= now) {
            self.head.repost_at = None;
            let down = self.monitors.values().filter(|entry| entry.down.is_some()).count();
            // Ids are not spread evenly, and no part may be too long.
            let parts = u32::try_from(down.div_ceil(MAX_DIGEST_FLIPS / 2)).unwrap_or(u32::MAX);
            for part in 0..parts {
                let number = self.head.number;
                if let Some(repost) = self.repost(now, own_alert(self.channel, number), part, parts) {
                    self.head.number += 1;
                    let id = own_delivery(self.channel, number);
                    // Each attempt looks up which monitors are down.
                    let due = Repost { down: Vec::new(), ..repost };
                    self.send(id, Notice::Repost(Box::new(due)), None, effects, now);
                }
            }
        }
        if self.head.clean_at.is_some_and(|at| at <= now) {
            let old = |(id, (notice, _)): (&DeliveryId, &(Notice, Option<MonitorLabel>))| {
                (notice.at() + LOST_AFTER <= now).then_some(*id)
            };
            for id in self.head.outbox.iter().filter_map(old).collect::<Vec<_>>() {
                self.finished(id, now);
            }
            let over = |entry: &PagerEntry| entry.is_over(now);
            let gone: Vec<MonitorId> =
                self.monitors.iter().filter(|(_, entry)| over(entry)).map(|(id, _)| *id).collect();
            for monitor in gone {
                self.monitors.remove(&monitor);
                self.changed.insert(monitor.as_uuid());
            }
            let more = !self.monitors.is_empty() || !self.head.outbox.is_empty();
            self.head.clean_at = more.then_some(now + WITHIN);
        }
    }

    /// Ends the incidents of monitors that flapped and do no more.
    fn tell_quiet(&mut self, now: EventTime, effects: &mut Effects) {
        let due = |entry: &PagerEntry| entry.flaps.is_due(now);
        let monitors: Vec<MonitorId> =
            self.monitors.iter().filter(|(_, entry)| due(entry)).map(|(id, _)| *id).collect();
        for monitor in monitors {
            let Some(entry) = self.monitors.get_mut(&monitor) else { continue };
            self.changed.insert(monitor.as_uuid());
            // While it goes on, the incident stands as it is.
            let Some((told, true)) = entry.flaps.tell(now) else { continue };
            let announced = entry.flapping_by.take().is_some();
            if entry.in_storm.is_some() || !announced {
                // The monitor belongs to the storm's incident, or the channel was not told.
                continue;
            }
            if told.last.to == State::Down && told.incident == told.last.id {
                // The incident is that of the flip that it stays down with.
                continue;
            }
            if told.last.to == State::Down {
                // From now on the monitor has an incident like any other.
                let label = entry.label.clone();
                let number = self.head.number;
                self.head.number += 1;
                let down = Alert::Flip(told.last.clone()).into();
                self.send(own_delivery(self.channel, number), down, Some(label), effects, now);
            }
            let Some(entry) = self.monitors.get(&monitor) else { continue };
            let notice = Notice::Flapping(Box::new(notice::Flapping {
                id: told.last.id.followed_by("flapping/true"),
                incident: told.incident,
                flip: told.last,
                flips: told.flips,
                over: true,
            }));
            let label = entry.label.clone();
            let id = closing_delivery(self.channel, told.incident);
            self.send(id, notice, Some(label), effects, now);
        }
    }

    /// Monitors whose incidents are open although they are up, or gone, since when: those are closed.
    pub(super) fn ended(
        &mut self,
        monitors: &[(MonitorId, EventTime)],
        now: EventTime,
        effects: &mut Effects,
    ) {
        for (monitor, since) in monitors {
            let Some(entry) = self.monitors.get_mut(monitor) else { continue };
            let Some(down) = entry.down.take() else { continue };
            self.changed.insert(monitor.as_uuid());
            let found = std::mem::take(&mut entry.found);
            if found {
                entry.in_storm = None;
            }
            if entry.in_storm.is_some() || entry.flapping_by.is_some() {
                continue;
            }
            let at = (*since).max(down.at);
            let up = Flip {
                id: down.id.followed_by("ended"),
                from: State::Down,
                to: State::Paused,
                reason: Reason::Paused,
                at,
                message: None,
                down_for: Some(at.since(down.at)),
                ..down.clone()
            };
            let was = WasDown { id: up.id, down, up, flips: 2 };
            let label = entry.label.clone();
            let number = self.head.number;
            self.head.number += 1;
            let notice = Notice::WasDown(Box::new(was));
            self.send(own_delivery(self.channel, number), notice, Some(label), effects, now);
        }
        self.end_storm(now, effects);
    }

    /// Monitors whose incidents are open.
    pub(super) fn down(&self) -> Vec<(MonitorId, EventTime)> {
        self.monitors.iter().filter_map(|(id, entry)| Some((*id, entry.down.as_ref()?.at))).collect()
    }

    /// Whether a review of the known monitors is due.
    pub(super) fn reviews(&self, now: EventTime) -> bool {
        self.head.clean_at.is_some_and(|at| at <= now)
    }

    /// When the desk has to be looked at next.
    pub(super) fn next_wake(&self) -> Option<EventTime> {
        let flapping = self.monitors.values().filter_map(|entry| entry.flaps.flapping.as_ref());
        let quiet = flapping.map(|flapping| flapping.next_at);
        let storm = self.head.storm.as_ref().and_then(|storm| storm.tell_at);
        quiet.chain(storm).chain(self.head.repost_at).chain(self.head.clean_at).min()
    }

    /// These messages of the desk's own are settled in the queue.
    pub(super) fn settled(&mut self, ids: &HashSet<DeliveryId>, now: EventTime) {
        let finished = self.head.outbox.keys().filter(|id| ids.contains(*id)).copied();
        for id in finished.collect::<Vec<_>>() {
            self.finished(id, now);
        }
    }

    pub(super) fn unfinished(&self) -> Vec<Emit> {
        let own = self
            .head
            .outbox
            .iter()
            .map(|(id, (notice, monitor))| emit(*id, notice.clone(), monitor.clone(), notice.at()));
        own.collect()
    }

    /// The row for the ledger under a key; `None` = no row.
    pub(super) fn row(&self, key: Uuid) -> Option<Row> {
        if key == HEAD {
            return Some(Row::PagerHead(Box::new(self.head.clone())));
        }
        self.monitors.get(&MonitorId::from_uuid(key)).map(|entry| Row::Pager(Box::new(entry.clone())))
    }

    /// Under what it is in the ledger, the head apart.
    pub(super) fn keys(&self) -> Vec<Uuid> {
        self.monitors.keys().map(|id| id.as_uuid()).collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        let flaps = self.monitors.values().any(|entry| entry.flapping_by.is_some());
        self.head.outbox.is_empty() && self.head.storm.is_none() && !flaps
    }
}

impl PagerEntry {
    /// A flip that came before: another attempt, or a repeat after a crash.
    fn again(&self, id: DeliveryId, flip: &Flip, redriven: bool) -> Admission {
        let as_it_is = || Admission::Send(Box::new(Alert::Flip(flip.clone()).into()));
        match (self.flapping_by, self.in_storm.filter(|_| !self.found)) {
            (Some(by), _) if by == id => match &self.flaps.flapping {
                Some(flapping) => Admission::Send(Box::new(Notice::Flapping(Box::new(notice::Flapping {
                    id: flip.id.followed_by("flapping/false"),
                    incident: flapping.incident,
                    flip: flip.clone(),
                    flips: u32::try_from(super::flaps::MOST + 1).unwrap_or(u32::MAX),
                    over: false,
                })))),
                None => as_it_is(),
            },
            (Some(_), _) | (None, Some(_)) if redriven => as_it_is(),
            (Some(by), _) | (None, Some(by)) => Admission::Folded(by),
            (None, None) => as_it_is(),
        }
    }
}

fn emit(id: DeliveryId, notice: Notice, monitor: Option<MonitorLabel>, due_at: EventTime) -> Emit {
    // A message about one monitor waits for the other messages of that monitor.
    let monitor_key = notice.monitor().map(OrderKey::from);
    let order_key = monitor_key.unwrap_or_else(|| crate::message::incident(&notice).into());
    Emit { id, notice, monitor, order_key, due_at }
}
