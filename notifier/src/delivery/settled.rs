//! The outcome of a delivery, for the recorder.

use std::time::Duration;

use bytes::Bytes;
use model::delivery::{Attempt, Delivery, DeliveryState};
use model::ids::{ChannelId, MonitorId};
use model::time::EventTime;
use model::wire::WireError;
use ports::queue::{Claim, LaneId, MessageId, Outcome};
use tokio::sync::oneshot;

use crate::desk;
use crate::desk::keeper::Manner;
use crate::metrics::AttemptResult;
use crate::transport::SettingChange;

/// The outcome of a delivery this time.
pub(crate) struct Settled {
    /// The queue message's id.
    pub(crate) id: MessageId,
    /// Its lane.
    pub(crate) lane: LaneId,
    /// The record for the history; `None` = no change.
    pub(crate) record: Option<Delivery>,
    /// How the queue message is settled.
    pub(crate) outcome: Outcome,
    /// The attempt that was made.
    pub(crate) attempted: Option<AttemptReport>,
    /// The note that the channel's desk hears before the queue does.
    pub(crate) desk: Option<DeskNote>,
    /// Hears when all of this is written down.
    pub(crate) written: Option<oneshot::Sender<()>>,
}

/// A note for a desk.
#[derive(Debug, Clone)]
pub(crate) struct DeskNote {
    pub(crate) channel: ChannelId,
    pub(crate) manner: Manner,
    pub(crate) note: desk::Note,
}

/// The report of an attempt about its channel.
pub(crate) struct AttemptReport {
    pub(crate) channel: ChannelId,
    /// The monitor that it was about, if it was one.
    pub(crate) monitor: Option<MonitorId>,
    /// Whether the delivery was a test of the channel.
    pub(crate) is_test: bool,
    /// Whether the delivery is given up.
    pub(crate) gave_up: bool,
    pub(crate) result: AttemptResult,
    pub(crate) took: Duration,
    pub(crate) verdict: Verdict,
    /// The setting of the channel that its service gave another value, by which the delivery arrived.
    pub(crate) moved: Option<Box<SettingChange>>,
}

/// The verdict of an attempt about its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The channel works.
    Accepted,
    /// The channel did not work this time.
    Failed(String),
    /// The receiver wants no more messages.
    Gone(String),
}

impl Settled {
    /// A message of which nothing is to be written but how it is settled.
    pub(crate) const fn with(id: MessageId, lane: LaneId, outcome: Outcome) -> Self {
        Self { id, lane, record: None, outcome, attempted: None, desk: None, written: None }
    }

    /// A claim that is given back as it was, to be claimed again at `due_at`.
    pub(crate) const fn put_back(id: MessageId, lane: LaneId, body: Bytes, due_at: EventTime) -> Self {
        Self::with(id, lane, Outcome::Retry { due_at, body })
    }

    /// A message that is done with, and was no delivery.
    pub(crate) const fn done(id: MessageId, lane: LaneId) -> Self {
        Self::with(id, lane, Outcome::Complete)
    }

    /// A message of which nothing can be said: a dead letter without a record.
    pub(crate) const fn buried(id: MessageId, lane: LaneId) -> Self {
        Self::with(id, lane, Outcome::Bury)
    }

    /// A message that cannot be read: a dead letter, and so it stands in the history if that knows it.
    pub(crate) fn unreadable(
        claim: &Claim,
        known: Option<Delivery>,
        error: &WireError,
        now: EventTime,
    ) -> Self {
        let record = known.map(|mut record| {
            bury(&mut record, error.to_string(), now);
            record
        });
        Self { record, ..Self::with(claim.id, claim.lane, Outcome::Bury) }
    }
}

/// Ends a delivery without an attempt, saying why where the attempts stand.
pub(crate) fn bury(record: &mut Delivery, why: String, now: EventTime) {
    record.record(Attempt { at: now, ms: 0, status: None, error: Some(why), answer: None, request: None });
    record.state = DeliveryState::Dead;
    record.next_attempt_at = None;
}
