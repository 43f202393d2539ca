//! The phases of carrying a delivery, as types: each is made of the one before, so a wrong order does not compile.
//!
//! ```text
//! Claimed ──prepare──▶ Prepared ──attempt──▶ Attempted ──settle──▶ Settled ──▶ recorder
//!    └─ accepted before, channel gone or disabled ──────────────────▶ Settled
//!    └─ no request can be made of it ─────▶ Attempted
//! ```
//!
//! The recorder writes the history first and the queue second. Whoever dies in between leaves the message claimed; it comes
//! back with the same id, and a delivery that the history knows as accepted is not sent again.

pub(crate) mod dispatcher;
pub(crate) mod lanes;
pub(crate) mod recorder;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::clock::Clock;
use common::model::channel::{Channel, ChannelState};
use common::model::delivery::{Attempt, Delivery, DeliveryState, DeliveryTask};
use common::model::flip::Alert;
use common::model::ids::ChannelId;
use common::model::time::EventTime;
use common::ports::queue::{Claim, Outcome};
use common::wire::{self, WireError};
use uuid::Uuid;

use crate::metrics::AttemptResult;
use crate::retry::FailedAttempt;
use crate::transport::{Answer, Failure, Request, Transports};

/// A delivery in our hands.
pub(crate) struct Claimed {
    lane: Uuid,
    task: DeliveryTask,
}

/// A delivery with the request that carries it.
pub(crate) struct Prepared {
    lane: Uuid,
    task: DeliveryTask,
    record: Delivery,
    request: Request,
}

/// A delivery after an attempt.
pub(crate) struct Attempted {
    lane: Uuid,
    task: DeliveryTask,
    record: Delivery,
    began_at: EventTime,
    ended_at: EventTime,
    took: Duration,
    answer: Answer,
}

/// What became of a delivery this time.
pub(crate) struct Settled {
    /// The queue message's id.
    pub(crate) id: Uuid,
    /// Its lane.
    pub(crate) lane: Uuid,
    /// What the history is to hold; `None` = no change.
    pub(crate) record: Option<Delivery>,
    /// What is to become of the queue message.
    pub(crate) outcome: Outcome,
    /// The attempt that was made.
    pub(crate) attempted: Option<AttemptReport>,
}

/// What an attempt tells about its channel.
pub(crate) struct AttemptReport {
    pub(crate) channel: ChannelId,
    pub(crate) result: AttemptResult,
    pub(crate) took: Duration,
    pub(crate) verdict: Verdict,
}

/// What an attempt says about its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It works.
    Accepted,
    /// It did not work this time.
    Failed(String),
    /// It is not wanted any more.
    Gone(String),
}

/// What can be done with a claimed delivery.
pub(crate) enum Preparation {
    /// An attempt.
    Ready(Prepared),
    /// No request can be made of it: a failed attempt.
    Failed(Attempted),
    /// There is nothing to attempt.
    Settled(Settled),
}

impl Claimed {
    pub(crate) fn read(claim: &Claim) -> Result<Self, WireError> {
        Ok(Self { lane: claim.lane, task: wire::decode(&claim.body)? })
    }

    pub(crate) const fn channel(&self) -> ChannelId {
        self.task.channel
    }

    /// Makes the request. `known` is what the history holds of it, `channel` its channel.
    pub(crate) fn prepare(
        self,
        known: Option<Delivery>,
        channel: Option<&Channel>,
        transports: &Transports,
        now: EventTime,
    ) -> Preparation {
        let record = known.unwrap_or_else(|| self.task.pending(now));
        if record.state == DeliveryState::Delivered {
            // It was accepted and written down, but the queue was not told.
            return Preparation::Settled(self.finished());
        }
        let Some(channel) = channel else {
            return Preparation::Settled(self.dead(
                record,
                "the channel was deleted",
                Outcome::Complete,
                now,
            ));
        };
        if channel.state == ChannelState::Disabled && !is_test(&self.task) {
            return Preparation::Settled(self.dead(record, "the channel is disabled", Outcome::Bury, now));
        }
        let Self { lane, task } = self;
        match transports.prepare(&task, channel) {
            Ok(request) => Preparation::Ready(Prepared { lane, task, record, request }),
            Err(failure) => Preparation::Failed(Attempted {
                lane,
                task,
                record,
                began_at: now,
                ended_at: now,
                took: Duration::ZERO,
                answer: Answer::none(failure),
            }),
        }
    }

    fn finished(self) -> Settled {
        let id = self.task.id.as_uuid();
        Settled { id, lane: self.lane, record: None, outcome: Outcome::Complete, attempted: None }
    }

    fn dead(self, mut record: Delivery, error: &str, outcome: Outcome, now: EventTime) -> Settled {
        bury(&mut record, error.to_owned(), now);
        Settled {
            id: self.task.id.as_uuid(),
            lane: self.lane,
            record: Some(record),
            outcome,
            attempted: None,
        }
    }
}

impl Prepared {
    /// Sends the request.
    pub(crate) async fn attempt(self, transports: &Transports, clock: &Arc<dyn Clock>) -> Attempted {
        let (began_at, began) = (clock.now(), clock.elapsed());
        let answer = transports.send(&self.request, began_at).await;
        let Self { lane, task, record, request: _ } = self;
        let took = clock.elapsed().saturating_sub(began);
        Attempted { lane, task, record, began_at, ended_at: clock.now(), took, answer }
    }
}

impl Attempted {
    /// Decides what becomes of it; `random` is from 0 to 1.
    pub(crate) fn settle(self, random: f64) -> Settled {
        let is_test = is_test(&self.task);
        let Self { lane, mut task, mut record, began_at, ended_at, took, answer } = self;
        let Answer { status, retry_after, body, failure } = answer;
        task.attempts = task.attempts.saturating_add(1);
        let error = failure.as_ref().map(ToString::to_string);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        record.record(Attempt { at: began_at, ms, status, error: error.clone(), answer: body });

        let attempt = FailedAttempt { number: task.attempts, began_at, ended_at, retry_after };
        let next = if is_test { None } else { attempt.next_due(random) };
        let (state, due_at, verdict) = match (&failure, error.unwrap_or_default()) {
            (None, _) => (DeliveryState::Delivered, None, Verdict::Accepted),
            (Some(Failure::Gone), error) => (DeliveryState::Dead, None, Verdict::Gone(error)),
            (Some(_), error) => match next {
                Some(due_at) => (DeliveryState::Pending, Some(due_at), Verdict::Failed(error)),
                None => (DeliveryState::Dead, None, Verdict::Failed(error)),
            },
        };
        record.state = state;
        record.next_attempt_at = due_at;
        let outcome = match (state, due_at) {
            (DeliveryState::Pending, due_at) => {
                Outcome::Retry { due_at: due_at.unwrap_or(ended_at), body: wire::encode(&task) }
            }
            (DeliveryState::Dead, _) if !is_test => Outcome::Bury,
            // Nobody sends a test again.
            (DeliveryState::Delivered | DeliveryState::Dead, _) => Outcome::Complete,
        };
        let result = failure.as_ref().map_or(AttemptResult::Accepted, Failure::result);
        let report = AttemptReport { channel: task.channel, result, took, verdict };
        Settled { id: task.id.as_uuid(), lane, record: Some(record), outcome, attempted: Some(report) }
    }
}

impl Settled {
    /// A claim that is given back as it was, to be claimed again at `due_at`.
    pub(crate) const fn put_back(id: Uuid, lane: Uuid, body: Bytes, due_at: EventTime) -> Self {
        Self { id, lane, record: None, outcome: Outcome::Retry { due_at, body }, attempted: None }
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
        Self { id: claim.id, lane: claim.lane, record, outcome: Outcome::Bury, attempted: None }
    }
}

/// A test is attempted once, even if its channel is disabled.
const fn is_test(task: &DeliveryTask) -> bool {
    matches!(task.alert, Alert::Test { .. })
}

/// Ends a delivery without an attempt, saying why where the attempts stand.
pub(crate) fn bury(record: &mut Delivery, why: String, now: EventTime) {
    record.record(Attempt { at: now, ms: 0, status: None, error: Some(why), answer: None });
    record.state = DeliveryState::Dead;
    record.next_attempt_at = None;
}
