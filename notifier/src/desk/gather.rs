//! Pure. The changes of one monitor that a chat has not been told yet.

use model::flip::{Flip, State};
use model::ids::{AlertId, DeliveryId};
use model::notice::WasDown;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

use super::flaps::Flapping;

/// Most deliveries of a monitor whose records can still be put right; of a monitor with more flips the oldest
/// are left.
const MAX_IDS: usize = 64;

/// Changes that the channel was not told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UntoldChanges {
    /// The first flip to down among them.
    pub(super) first_down: Option<Flip>,
    /// The newest flip: of these changes, or, if there are none, the one that a reminder speaks of.
    pub(super) last: Flip,
    /// How many flips.
    pub(super) flips: u32,
    /// The newest reminder among them.
    pub(super) reminder: Option<Reminder>,
    /// The flapping of the monitor, and whether it is over.
    pub(super) flapping: Option<(Flapping, bool)>,
    /// The deliveries of these alerts that went no further, and the number of the message that is said to
    /// tell of them.
    pub(super) ids: Vec<(DeliveryId, u64)>,
}

/// A reminder that the channel did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reminder {
    pub(super) id: AlertId,
    pub(super) number: u32,
    pub(super) at: EventTime,
}

impl UntoldChanges {
    pub(super) fn flip(flip: &Flip) -> Self {
        let first_down = (flip.to == State::Down).then(|| flip.clone());
        Self { first_down, last: flip.clone(), flips: 1, reminder: None, flapping: None, ids: Vec::new() }
    }

    /// Nothing but that it is still so.
    pub(super) fn still(last: &Flip) -> Self {
        Self {
            first_down: None,
            last: last.clone(),
            flips: 0,
            reminder: None,
            flapping: None,
            ids: Vec::new(),
        }
    }

    /// An earlier flip comes after a later one; whether it fits in.
    pub(super) fn take_earlier(&mut self, id: DeliveryId, flip: &Flip, number: u64) -> bool {
        if self.ids.len() >= MAX_IDS {
            return false;
        }
        self.ids.push((id, number));
        self.flips += 1;
        if flip.to == State::Down {
            self.first_down = Some(flip.clone());
        }
        true
    }

    /// These changes, and then those.
    pub(super) fn then(self, later: Self) -> Self {
        let mut ids = self.ids;
        ids.extend(later.ids);
        let surplus = ids.len().saturating_sub(MAX_IDS);
        ids.drain(..surplus);
        let flapping = match (self.flapping, later.flapping) {
            (_, Some(told)) => Some(told),
            // The monitor was quiet, and flaps again.
            (Some((_, true)), None) if later.flips > 0 => None,
            (Some((told, false)), None) => {
                Some((Flapping { flips: told.flips + later.flips, last: later.last.clone(), ..told }, false))
            }
            (over_or_none, None) => over_or_none,
        };
        Self {
            first_down: self.first_down.or(later.first_down),
            last: later.last,
            flips: self.flips + later.flips,
            // A reminder of an incident that is over, or begun anew, reminds of nothing.
            reminder: later.reminder.or(self.reminder.filter(|_| later.flips == 0)),
            flapping,
            ids,
        }
    }

    /// The incident that began and ended within these changes, for a channel that was not told that the
    /// monitor is down.
    pub(super) fn was_down(&self, told_down: bool) -> Option<WasDown> {
        let down = self.first_down.as_ref().filter(|_| !told_down && self.last.to != State::Down)?;
        Some(WasDown {
            id: down.id.followed_by("was down"),
            down: down.clone(),
            up: self.last.clone(),
            flips: self.flips,
        })
    }
}

/// Puts one after the other.
pub(super) fn gathered(before: Option<UntoldChanges>, later: UntoldChanges) -> Option<UntoldChanges> {
    Some(match before {
        Some(before) => before.then(later),
        None => later,
    })
}
