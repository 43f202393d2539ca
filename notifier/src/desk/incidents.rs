//! Pure. The incidents that a pager's desk opened for many flips: storms, and monitors that flap. The
//! delivery queue holds each of them as long as it is open. So a desk that has lost its ledger hears of it,
//! and closes it in time.

use model::delivery::{IncidentSubject, OpenIncident};
use model::flip::{Alert, Flip, Reason, State};
use model::ids::MonitorId;
use model::notice::{self, MonitorLabel, Notice};
use model::time::EventTime;

use super::flaps::{Flaps, MOST, WITHIN};
use super::outcome::{
    Effects, FoundDown, IncidentNews, IncidentStanding, MonitorNow, closing_delivery, lean, own_delivery,
};
use super::pager::Pager;
use super::state::pager::{OpenStorm, PagerEntry};

impl Pager {
    /// How the desk stands to an incident that the queue holds as open, after this news of it.
    pub(super) fn incident(
        &mut self,
        open: &OpenIncident,
        news: &IncidentNews,
        now: EventTime,
        effects: &mut Effects,
    ) -> IncidentStanding {
        match (news, &open.of) {
            (IncidentNews::Asked, _) => {}
            (IncidentNews::Closed, _) => self.closed(open),
            (IncidentNews::Found(found), IncidentSubject::Storm { opens, members }) => {
                let storm = self.head.storm.get_or_insert(OpenStorm {
                    incident: open.incident,
                    opens: *opens,
                    since: open.since,
                    members: *members,
                    tell_at: None,
                    announced: true,
                    doubted: true,
                });
                if storm.incident == open.incident && storm.doubted {
                    found.iter().for_each(|one| self.found_down(one));
                    self.head.clean_at.get_or_insert(now + WITHIN);
                }
            }
            (IncidentNews::FoundAll, IncidentSubject::Storm { .. }) => {
                let storm = self.head.storm.as_mut().filter(|storm| storm.incident == open.incident);
                if let Some(storm) = storm {
                    storm.doubted = false;
                    self.end_storm(now, effects);
                }
            }
            (IncidentNews::Stands(monitor), IncidentSubject::Flapping { flip, monitor: label }) => {
                if self.standing(open) == IncidentStanding::Forgotten {
                    self.end_forgotten_flapping(open, flip, label, monitor, now, effects);
                }
                return IncidentStanding::Over;
            }
            // They belong to the other kind.
            (IncidentNews::Found(_) | IncidentNews::FoundAll, IncidentSubject::Flapping { .. })
            | (IncidentNews::Stands(_), IncidentSubject::Storm { .. }) => {}
        }
        self.standing(open)
    }

    fn standing(&self, open: &OpenIncident) -> IncidentStanding {
        let known = match &open.of {
            IncidentSubject::Storm { .. } => match &self.head.storm {
                Some(storm) if storm.incident != open.incident => return IncidentStanding::Later,
                Some(storm) if storm.doubted => return IncidentStanding::Forgotten,
                Some(_) => self.open_storm(),
                None => None,
            },
            IncidentSubject::Flapping { flip, .. } => {
                self.open_flapping(flip.monitor).filter(|known| known.incident == open.incident)
            }
        };
        known.map_or(IncidentStanding::Forgotten, |known| IncidentStanding::Open(Box::new(known)))
    }

    /// The storm, if its incident is open or about to be.
    pub(super) fn open_storm(&self) -> Option<OpenIncident> {
        let storm = self.head.storm.as_ref().filter(|storm| storm.announced || storm.doubted)?;
        let of = IncidentSubject::Storm { opens: storm.opens, members: storm.members };
        Some(OpenIncident {
            channel: self.channel,
            incident: storm.incident,
            since: storm.since,
            of,
            forgotten_at: None,
        })
    }

    /// The incident of a monitor that flaps.
    pub(super) fn open_flapping(&self, monitor: MonitorId) -> Option<OpenIncident> {
        let entry = self.monitors.get(&monitor).filter(|entry| entry.flapping_by.is_some())?;
        let flapping = entry.flaps.flapping.as_ref()?;
        let of =
            IncidentSubject::Flapping { flip: Box::new(flapping.last.clone()), monitor: entry.label.clone() };
        Some(OpenIncident {
            channel: self.channel,
            incident: flapping.incident,
            since: flapping.last.at,
            of,
            forgotten_at: None,
        })
    }

    /// All incidents that the queue is to hold: they may have been lost on their way there.
    pub(super) fn opened(&self, now: EventTime) -> Vec<OpenIncident> {
        let flapping = self.monitors.keys().filter_map(|monitor| self.open_flapping(*monitor));
        let mut opened: Vec<OpenIncident> = flapping.collect();
        opened.extend(self.open_storm().map(|storm| {
            // The queue may have dealt with the one that it had.
            let forgotten_at = self.is_doubted().then_some(now);
            OpenIncident { forgotten_at, ..storm }
        }));
        opened
    }

    /// The ledger was set back: monitors may have joined the storm since, and it may be over. How a monitor
    /// that flaps stands is not known either: its incident is one that the desk has forgotten.
    pub(super) fn doubt(&mut self) {
        if let Some(storm) = &mut self.head.storm {
            storm.doubted = true;
        }
        for (monitor, entry) in &mut self.monitors {
            if entry.flapping_by.take().is_some() {
                // What it is down with was not told by itself.
                entry.sequence = entry.sequence.saturating_sub(u64::from(entry.down.take().is_some()));
                entry.flaps = Flaps::default();
                self.changed.insert(monitor.as_uuid());
            }
        }
    }

    /// A monitor is down that may belong to the storm. The desk may hear of the flip still.
    fn found_down(&mut self, FoundDown { down, monitor }: &FoundDown) {
        let Some(by) = self.head.storm.as_ref().map(|storm| own_delivery(self.channel, storm.opens)) else {
            return;
        };
        let entry = self.monitors.entry(down.monitor).or_insert_with(|| PagerEntry::new(monitor.clone()));
        if entry.sequence >= down.sequence || entry.flapping_by.is_some() {
            return;
        }
        self.changed.insert(down.monitor.as_uuid());
        entry.label = monitor.clone();
        entry.sequence = entry.sequence.max(down.sequence.saturating_sub(1));
        entry.down = Some(lean(down));
        entry.in_storm = Some(by);
        entry.found = true;
    }

    /// The queue knows a message that closes the incident.
    fn closed(&mut self, open: &OpenIncident) {
        if self.head.storm.take_if(|storm| storm.incident == open.incident && storm.doubted).is_none() {
            return;
        }
        for (monitor, entry) in &mut self.monitors {
            if entry.in_storm.take().is_some() {
                (entry.found, entry.down) = (false, None);
                self.changed.insert(monitor.as_uuid());
            }
        }
    }

    /// The incident of a monitor that flapped is closed; if the monitor is down, it has one like any other
    /// from now on.
    fn end_forgotten_flapping(
        &mut self,
        open: &OpenIncident,
        flip: &Flip,
        label: &MonitorLabel,
        monitor: &MonitorNow,
        now: EventTime,
        effects: &mut Effects,
    ) {
        let last = match monitor {
            MonitorNow::Down(down) => {
                let entry =
                    self.monitors.entry(down.monitor).or_insert_with(|| PagerEntry::new(label.clone()));
                if entry.sequence < down.sequence {
                    entry.sequence = down.sequence;
                    entry.down = Some(lean(down));
                    self.changed.insert(down.monitor.as_uuid());
                    self.head.clean_at.get_or_insert(now + WITHIN);
                    if down.id != open.incident {
                        let number = self.head.number;
                        self.head.number += 1;
                        let (id, told) = (own_delivery(self.channel, number), lean(down));
                        self.send(id, Alert::Flip(told).into(), Some(label.clone()), effects, now);
                    }
                }
                if down.id == open.incident {
                    // The incident is that of the flip that it stays down with.
                    return;
                }
                lean(down)
            }
            MonitorNow::NotDown { state, since } if flip.to == State::Down => {
                let reason = if *state == State::Up { Reason::Recovered } else { Reason::Paused };
                let id = flip.id.followed_by("ended");
                let down_for = Some(since.since(flip.at));
                Flip { id, from: State::Down, to: *state, reason, at: *since, down_for, ..flip.clone() }
            }
            MonitorNow::NotDown { .. } => flip.clone(),
        };
        let notice = Notice::Flapping(Box::new(notice::Flapping {
            id: last.id.followed_by("flapping/true"),
            incident: open.incident,
            flip: last,
            // At least as many as it takes.
            flips: u32::try_from(MOST + 1).unwrap_or(u32::MAX),
            over: true,
        }));
        let id = closing_delivery(self.channel, open.incident);
        self.send(id, notice, Some(label.clone()), effects, now);
    }
}
