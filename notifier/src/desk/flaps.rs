//! Pure. When a monitor flaps: more than [`MOST`] flips in [`WITHIN`]. It flaps until it was quiet for as
//! long. People hear at the end of each such time how it stands, and sooner when it stays down.

use std::time::Duration;

use model::flip::{Flip, State};
use model::ids::AlertId;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

/// The most flips within [`WITHIN`] that are not flapping.
pub(super) const MOST: usize = 5;

/// The time in which flips are counted, between two summaries, and without a flip before a monitor is quiet.
pub(super) const WITHIN: Duration = Duration::from_secs(15 * 60);

/// How long a flapping monitor is down before people are told, without waiting for the next summary.
pub(super) const STAYS_DOWN: Duration = Duration::from_secs(110);

/// The newest flips of a monitor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Flaps {
    /// The times of the flips, the newest last; at most [`MOST`] + 1.
    pub(super) times: Vec<EventTime>,
    pub(super) flapping: Option<Flapping>,
}

/// A monitor that flaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Flapping {
    /// Names it on pagers.
    pub(super) incident: AlertId,
    /// When people are told the next summary.
    pub(super) next_at: EventTime,
    /// When people are told that it stays down; `None`: it is up, or they were told.
    pub(super) stays_down_at: Option<EventTime>,
    /// Flips since they were told.
    pub(super) flips: u32,
    /// Whether people were told that it flaps.
    pub(super) announced: bool,
    /// The newest flip.
    pub(super) last: Flip,
}

/// When a monitor that flips so stays down.
fn stays_down_at(flip: &Flip, now: EventTime) -> Option<EventTime> {
    (flip.to == State::Down).then(|| now + STAYS_DOWN)
}

impl Flapping {
    /// When people are told next.
    pub(super) fn due_at(&self) -> EventTime {
        self.stays_down_at.map_or(self.next_at, |at| at.min(self.next_at))
    }
}

impl Flaps {
    /// A flip happened; whether the monitor flaps from now on and did not before.
    pub(super) fn note(&mut self, flip: &Flip, incident: AlertId, now: EventTime) -> bool {
        self.times.push(flip.at);
        let surplus = self.times.len().saturating_sub(MOST + 1);
        self.times.drain(..surplus);
        if let Some(flapping) = &mut self.flapping {
            flapping.flips += 1;
            flapping.last = flip.clone();
            flapping.stays_down_at = stays_down_at(flip, now);
            return false;
        }
        let first = self.times.first().copied().unwrap_or(flip.at);
        if self.times.len() <= MOST || flip.at.since(first) > WITHIN {
            return false;
        }
        let flips = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        let (next_at, last) = (now + WITHIN, flip.clone());
        let stays_down_at = stays_down_at(flip, now);
        self.flapping = Some(Flapping { incident, next_at, stays_down_at, flips, announced: false, last });
        true
    }

    /// Whether there was no flip for [`WITHIN`].
    pub(super) fn is_quiet(&self, now: EventTime) -> bool {
        self.times.last().is_none_or(|last| *last + WITHIN <= now)
    }

    /// Whether people must be told now that it flaps.
    pub(super) fn is_due(&self, now: EventTime) -> bool {
        self.flapping.as_ref().is_some_and(|flapping| !flapping.announced || flapping.due_at() <= now)
    }

    /// People are told; how many flips, the newest, and whether it is over.
    pub(super) fn tell(&mut self, now: EventTime) -> Option<(Flapping, bool)> {
        let quiet = self.is_quiet(now);
        let flapping = self.flapping.as_mut()?;
        // A late announcement may be about flapping that is over. It is announced first all the same.
        let over = quiet && flapping.announced;
        let told = flapping.clone();
        let announces = !flapping.announced;
        flapping.announced = true;
        flapping.flips = 0;
        // Told at its last flip, it is down; told later, nothing more is to be said of that.
        let early = flapping.stays_down_at.filter(|at| *at <= now && now < flapping.next_at);
        flapping.next_at = early.map_or(now, |at| at - STAYS_DOWN) + WITHIN;
        flapping.stays_down_at = flapping.stays_down_at.filter(|at| *at > now && !announces);
        if over {
            self.flapping = None;
            self.times.clear();
        }
        Some((told, over))
    }
}
