//! Pure. When a monitor flaps: more than [`MOST`] flips in [`WITHIN`]. It flaps until it was quiet for as
//! long.

use std::time::Duration;

use model::flip::Flip;
use model::ids::AlertId;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

/// The most flips within [`WITHIN`] that are not flapping.
pub(super) const MOST: usize = 5;

/// The time in which flips are counted, between two summaries, and without a flip before a monitor is quiet.
pub(super) const WITHIN: Duration = Duration::from_secs(15 * 60);

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
    /// When people are told again.
    pub(super) next_at: EventTime,
    /// Flips since they were told.
    pub(super) flips: u32,
    /// Whether people were told that it flaps.
    pub(super) announced: bool,
    /// The newest flip.
    pub(super) last: Flip,
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
            return false;
        }
        let first = self.times.first().copied().unwrap_or(flip.at);
        if self.times.len() <= MOST || flip.at.since(first) > WITHIN {
            return false;
        }
        let flips = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        let (next_at, last) = (now + WITHIN, flip.clone());
        self.flapping = Some(Flapping { incident, next_at, flips, announced: false, last });
        true
    }

    /// Whether there was no flip for [`WITHIN`].
    pub(super) fn is_quiet(&self, now: EventTime) -> bool {
        self.times.last().is_none_or(|last| *last + WITHIN <= now)
    }

    /// Whether people must be told now that it flaps.
    pub(super) fn is_due(&self, now: EventTime) -> bool {
        self.flapping.as_ref().is_some_and(|flapping| !flapping.announced || flapping.next_at <= now)
    }

    /// People are told; how many flips, the newest, and whether it is over.
    pub(super) fn tell(&mut self, now: EventTime) -> Option<(Flapping, bool)> {
        let quiet = self.is_quiet(now);
        let flapping = self.flapping.as_mut()?;
        // A late announcement may be about flapping that is over. It is announced first all the same.
        let over = quiet && flapping.announced;
        let told = flapping.clone();
        flapping.announced = true;
        flapping.flips = 0;
        flapping.next_at = now + WITHIN;
        if over {
            self.flapping = None;
            self.times.clear();
        }
        Some((told, over))
    }
}
