//! Pure. The state of a chat's desk: of its channel, and of each monitor. The ledger keeps it.

use std::collections::BTreeMap;

use model::flip::{Flip, State};
use model::ids::{ChannelId, DeliveryId, MonitorId};
use model::notice::MonitorLabel;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

use super::super::flaps::Flaps;
use super::super::gather::{UntoldChanges, gathered};
use super::super::outcome::own_delivery;
use super::super::timing::Timer;

/// The state of a channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChatHead {
    /// The number of the message that is being gathered.
    pub(in crate::desk) number: u64,
    /// When the newest messages went out, at most `chat::SINGLES`.
    pub(in crate::desk) recent: Vec<EventTime>,
    pub(in crate::desk) storm: Option<StormWindow>,
    /// The messages that went out and are not finished.
    pub(in crate::desk) outstanding: BTreeMap<DeliveryId, OutstandingMessage>,
    /// Messages that others have taken over, with those, the newest last; at most `chat::ADOPTED`.
    pub(in crate::desk) adopted: Vec<(DeliveryId, DeliveryId)>,
    /// When a message went out last.
    pub(in crate::desk) last_out: Option<EventTime>,
    /// The time until which the receiver asked to be left alone.
    pub(in crate::desk) alone_until: Option<EventTime>,
    /// When the first of what is gathered came.
    pub(in crate::desk) gathered_from: Option<EventTime>,
    /// When monitors of which there is nothing more to say are forgotten.
    pub(in crate::desk) clean_at: Option<EventTime>,
    pub(in crate::desk) timer: Timer,
}

/// A window of a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::desk) struct StormWindow {
    pub(in crate::desk) until: EventTime,
    /// Flips that came in it.
    pub(in crate::desk) flips: u32,
}

/// A message that went out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::desk) struct OutstandingMessage {
    /// The monitor that the message is about, if it is one.
    pub(in crate::desk) monitor: Option<MonitorId>,
    /// Its number, if the desk made it.
    pub(in crate::desk) own: Option<u64>,
    /// Whether the message waits for another attempt.
    pub(in crate::desk) failed: bool,
    /// When the first of what it tells of came.
    pub(in crate::desk) from: EventTime,
    pub(in crate::desk) sent_at: EventTime,
}

/// The state of a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChatEntry {
    pub(in crate::desk) label: MonitorLabel,
    /// The number of the newest flip that came here.
    pub(in crate::desk) sequence: u64,
    /// The flip to down that the channel was told, unless it was also told its end.
    pub(in crate::desk) told_down: Option<Flip>,
    /// The changes that a message on its way carries.
    pub(in crate::desk) carried: Option<UntoldChanges>,
    pub(in crate::desk) carrier: Option<DeliveryId>,
    /// The changes that the channel was not told.
    pub(in crate::desk) untold: Option<UntoldChanges>,
    /// The last message about the monitor.
    pub(in crate::desk) told_by: Option<DeliveryId>,
    pub(in crate::desk) flaps: Flaps,
}

impl ChatHead {
    /// The head of a desk that is made at `now`. Its messages are numbered from the time on, so that no
    /// number comes twice, even if an earlier desk of the channel was lost.
    pub(in crate::desk) fn new(now: EventTime) -> Self {
        Self { number: u64::try_from(now.as_micros()).unwrap_or_default(), ..Self::default() }
    }
}

impl ChatEntry {
    pub(in crate::desk) fn new(label: MonitorLabel) -> Self {
        Self {
            label,
            sequence: 0,
            told_down: None,
            carried: None,
            carrier: None,
            untold: None,
            told_by: None,
            flaps: Flaps::default(),
        }
    }

    /// Whether a change of the monitor has to be told now.
    pub(in crate::desk) fn is_ripe(&self, now: EventTime) -> bool {
        match &self.flaps.flapping {
            Some(_) => self.flaps.is_due(now),
            None => self.untold.is_some(),
        }
    }

    /// Whether nothing more is left to tell about the monitor.
    pub(in crate::desk) fn is_over(&self, now: EventTime) -> bool {
        let silent = self.told_down.is_none() && self.carried.is_none() && self.untold.is_none();
        silent && self.flaps.flapping.is_none() && self.flaps.is_quiet(now)
    }

    /// Moves the untold changes into the message `carrier`. Returns the deliveries whose records name another
    /// one.
    pub(in crate::desk) fn load(
        &mut self,
        carrier: DeliveryId,
        number: Option<u64>,
        now: EventTime,
    ) -> Vec<DeliveryId> {
        self.carrier = Some(carrier);
        self.told_by = Some(carrier);
        let mut later = self.untold.take();
        if self.flaps.is_due(now)
            && let Some((flapping, over)) = self.flaps.tell(now)
        {
            let untold = later.unwrap_or_else(|| UntoldChanges::still(&flapping.last));
            later = Some(UntoldChanges { flapping: Some((flapping, over)), ..untold });
        }
        let Some(later) = later else { return Vec::new() };
        let elsewhere = later.ids.iter().filter(|(_, said)| Some(*said) != number).map(|(id, _)| *id);
        let refolded = elsewhere.collect();
        self.carried = gathered(self.carried.take(), later);
        refolded
    }

    /// The content of the message counts as told.
    pub(in crate::desk) fn unload(&mut self) {
        self.carrier = None;
        let Some(carried) = self.carried.take() else { return };
        self.told_down = (carried.last.to == State::Down).then_some(carried.last);
    }
}

impl ChatEntry {
    /// The message that the record of an earlier delivery names.
    pub(in crate::desk) fn says_of(&self, id: DeliveryId, channel: ChannelId) -> Option<DeliveryId> {
        let waiting = self.untold.iter().flat_map(|untold| &untold.ids);
        let number = waiting.filter(|(one, _)| *one == id).map(|(_, number)| *number).next();
        number.map(|number| own_delivery(channel, number)).or(self.told_by)
    }

    /// The message that an alert waits for which came here before.
    pub(in crate::desk) fn waits_for(&self, id: DeliveryId, channel: ChannelId) -> Option<DeliveryId> {
        let has = |changes: &&UntoldChanges| changes.ids.iter().any(|(one, _)| *one == id);
        let carried = self.carrier.filter(|_| self.carried.as_ref().is_some_and(|one| has(&one)));
        let untold = self.untold.as_ref().filter(has);
        carried.or_else(|| untold.and_then(|_| self.says_of(id, channel)))
    }
}
