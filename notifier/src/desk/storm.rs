//! Pure. One incident for all monitors that went down beyond the limit.

use model::ids::{AlertId, DeliveryId, MonitorId};
use model::natural::compare;
use model::notice::{Brief, Group, MAX_NAMES, Notice, Storm};
use model::time::EventTime;

use super::outcome::{Effects, closing_alert, closing_delivery, own_alert, own_delivery};
use super::pager::{GATHER, Pager, WINDOW};
use super::state::pager::OpenStorm;
use crate::message::message_of;

impl Pager {
    /// Counts a monitor that went down; whether it is one too many.
    pub(super) fn joins_storm(&mut self, now: EventTime) -> bool {
        let Some(limit) = self.rules.storm_limit else { return false };
        let doubted = self.is_doubted();
        let recent = &mut self.head.recent;
        recent.retain(|at| *at + WINDOW > now);
        // A storm that may be closed already takes no further monitor in.
        let too_many = recent.len() >= limit && !doubted;
        recent.push(now);
        let surplus = recent.len().saturating_sub(limit);
        recent.drain(..surplus);
        too_many
    }

    pub(super) fn join_storm(&mut self, monitor: MonitorId, now: EventTime) -> DeliveryId {
        let number = self.head.number;
        let channel = self.channel;
        let storm = self.head.storm.get_or_insert_with(|| OpenStorm {
            incident: own_alert(channel, number).followed_by("storm"),
            opens: number,
            since: now,
            members: 0,
            tell_at: Some(now + GATHER),
            announced: false,
            doubted: false,
        });
        self.head.number = self.head.number.max(storm.opens + 1);
        storm.members += 1;
        let by = own_delivery(channel, storm.opens);
        if let Some(entry) = self.monitors.get_mut(&monitor) {
            entry.in_storm = Some(by);
            // A notifier that died may have opened an incident for it without a trace. Then its recovery
            // closes that one, too.
            let read_at = self.read_at;
            entry.found = entry.down.as_ref().is_some_and(|down| read_at.is_some_and(|read| down.at <= read));
        }
        self.storm_changed(now);
        by
    }

    pub(super) fn storm_changed(&mut self, now: EventTime) {
        if let Some(storm) = &mut self.head.storm {
            storm.tell_at.get_or_insert(now + WINDOW);
        }
    }

    pub(super) fn is_doubted(&self) -> bool {
        self.head.storm.as_ref().is_some_and(|storm| storm.doubted)
    }

    /// Whether none of its monitors is down that the desk knows.
    pub(super) fn storm_is_over(&self) -> bool {
        !self.monitors.values().any(|entry| entry.in_storm.is_some() && entry.down.is_some())
    }

    /// Closes the storm's incident if all of its monitors are up.
    pub(super) fn end_storm(&mut self, now: EventTime, effects: &mut Effects) {
        if !self.storm_is_over() || self.is_doubted() {
            return;
        }
        self.tell_storm(now, effects);
        let Some(storm) = self.head.storm.take() else { return };
        for (monitor, entry) in &mut self.monitors {
            if entry.in_storm.take().is_some() {
                entry.found = false;
                self.changed.insert(monitor.as_uuid());
            }
        }
        let notice = self.storm_notice(&storm, closing_alert(storm.incident), true, now);
        self.send(closing_delivery(self.channel, storm.incident), notice, None, effects, now);
    }

    /// Opens the storm's incident if it is not open yet, or says how it stands; unless it is over.
    pub(super) fn tell_storm(&mut self, now: EventTime, effects: &mut Effects) {
        let Some(mut storm) = self.head.storm.clone() else { return };
        if storm.announced && self.storm_is_over() {
            return;
        }
        let opens = !storm.announced;
        let number = if opens { storm.opens } else { self.head.number };
        self.head.number = self.head.number.max(number + 1);
        storm.announced = true;
        storm.tell_at = None;
        let notice = self.storm_notice(&storm, own_alert(self.channel, number), false, now);
        self.head.storm = Some(storm);
        if opens {
            effects.opened.extend(self.open_storm());
        }
        self.send(own_delivery(self.channel, number), notice, None, effects, now);
    }

    pub(super) fn storm_notice(&self, storm: &OpenStorm, id: AlertId, over: bool, now: EventTime) -> Notice {
        let members = self.monitors.iter().filter(|(_, entry)| entry.in_storm.is_some());
        let mut first: Vec<Brief> = members
            .filter_map(|(monitor, entry)| {
                let down = entry.down.as_ref()?;
                Some(Brief {
                    monitor: *monitor,
                    name: entry.label.name.clone(),
                    since: Some(down.at),
                    until: None,
                    message: message_of(down, now),
                    flips: 1,
                })
            })
            .collect();
        first.sort_unstable_by(|a, b| compare(&a.name, &b.name).then_with(|| a.monitor.cmp(&b.monitor)));
        let count = u32::try_from(first.len()).unwrap_or(u32::MAX);
        first.truncate(MAX_NAMES);
        Notice::Storm(Box::new(Storm {
            id,
            incident: storm.incident,
            since: storm.since,
            at: now,
            over,
            members: storm.members,
            down: Group { count, first },
        }))
    }
}
