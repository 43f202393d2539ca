//! The phases of carrying a delivery, as types: each is made of the one before, so a wrong order does not
//! compile.
//!
//! ```text
//! Claimed ─open─▶ Opened ─(desk)─prepare─▶ Prepared ─attempt─▶ Attempted ─settle─▶ Settled ─▶ recorder
//!    └─ accepted before, channel gone or disabled ───────────────────────────────▶ Settled
//!                         └─ another message tells of it ────────────────────────▶ Settled
//!                                └─ no request can be made of it ─────▶ Attempted
//! ```
//!
//! A delivery that another message tells of stays in the queue until that message is settled, and asks now
//! and then: so nothing is lost with what the desks remember.
//!
//! The recorder writes the history first and the queue second. A notifier that dies in between leaves the
//! message claimed: it comes back with the same id, and a delivery that the history knows as accepted is not
//! sent again.

use std::sync::Arc;
use std::time::Duration;

use model::channel::{Channel, ChannelState};
use model::delivery::{Attempt, Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::Alert;
use model::ids::DeliveryId;
use model::notice::Notice;
use model::time::EventTime;
use model::wire;
use ports::clock::Clock;
use ports::queue::{LaneId, Outcome, Standing};

use super::settled::{AttemptReport, DeskNote, Settled, Verdict, bury};
use crate::desk::keeper::{Manner, folded};
use crate::desk::{self, Admission, Question};
use crate::message::Facts;
use crate::metrics::AttemptResult;
use crate::retry::{FailedAttempt, LONGEST_RETRY_AFTER};
use crate::transport::{self, Answer, Failure, Request, Transports, millis};

/// Attempts of what is only told again.
const REPOST_ATTEMPTS: u32 = 3;

/// The least time before a folded delivery asks whether it was told of: a little more than a digest is
/// gathered.
const FOLDED_AT_LEAST: Duration = Duration::from_secs(35);

/// The longest time before it asks.
const FOLDED_AT_MOST: Duration = Duration::from_secs(15 * 60);

/// A delivery in our hands.
pub(crate) struct Claimed {
    lane: LaneId,
    task: DeliveryTask,
}

/// A delivery that can be carried, as far as its channel goes.
pub(crate) struct Opened {
    lane: LaneId,
    task: DeliveryTask,
    record: Delivery,
    channel: Arc<Channel>,
    /// The kind of desk of its channel, if the channel has one.
    manner: Option<Manner>,
}

/// A delivery with the request that carries it.
pub(crate) struct Prepared {
    lane: LaneId,
    task: DeliveryTask,
    record: Delivery,
    manner: Option<Manner>,
    request: Request,
}

/// A delivery after an attempt.
pub(crate) struct Attempted {
    lane: LaneId,
    task: DeliveryTask,
    record: Delivery,
    manner: Option<Manner>,
    began_at: EventTime,
    ended_at: EventTime,
    took: Duration,
    answer: Answer,
}

/// The result of opening a claimed delivery.
pub(crate) enum Opening {
    /// The delivery can be carried.
    Open(Box<Opened>),
    /// The delivery needs no attempt.
    Settled(Box<Settled>),
}

/// The result of preparing an opened delivery.
pub(crate) enum Preparation {
    /// An attempt.
    Ready(Prepared),
    /// No request can be made of it: a failed attempt.
    Failed(Attempted),
}

impl Claimed {
    pub(crate) const fn new(lane: LaneId, task: DeliveryTask) -> Self {
        Self { lane, task }
    }

    /// Looks whether it can be carried. `known` is what the history holds of it, `channel` its channel.
    pub(crate) fn open(
        self,
        known: Option<Delivery>,
        channel: Option<Arc<Channel>>,
        now: EventTime,
    ) -> Opening {
        let record = known.unwrap_or_else(|| self.task.pending(now));
        let manner = channel.as_ref().and_then(|channel| manner(&self.task, channel));
        let finished = self.finished(channel.as_deref());
        // A folded one waits for its teller.
        if record.state.is_over() && record.state != DeliveryState::Folded {
            // The outcome was written down, but the queue was not told.
            return Opening::Settled(Box::new(self.over(None, Outcome::Complete, finished)));
        }
        let Some(channel) = channel else {
            return Opening::Settled(Box::new(self.dead(
                record,
                "the channel was deleted",
                Outcome::Complete,
                None,
                now,
            )));
        };
        if record.state == DeliveryState::Dead && record.note.is_some() {
            // The fan-out gave its alert up.
            let outcome = self.last_resort();
            return Opening::Settled(Box::new(self.over(Some(record), outcome, finished)));
        }
        if channel.state == ChannelState::Disabled && !is_test(&self.task) {
            let why = "the channel is disabled";
            return Opening::Settled(Box::new(self.dead(record, why, Outcome::Bury, finished, now)));
        }
        let Self { lane, task } = self;
        let record = Delivery { note: None, ..record };
        Opening::Open(Box::new(Opened { lane, task, record, channel, manner }))
    }

    /// Ends a delivery that is given up. `known` is what the history holds of it, `channel` its channel.
    pub(crate) fn give_up(
        self,
        known: Option<Delivery>,
        channel: Option<&Channel>,
        why: &str,
        now: EventTime,
    ) -> Settled {
        let record = known.unwrap_or_else(|| self.task.pending(now));
        let finished = self.finished(channel);
        match record.state {
            DeliveryState::Delivered | DeliveryState::Suppressed => {
                self.over(None, Outcome::Complete, finished)
            }
            DeliveryState::Pending | DeliveryState::Folded | DeliveryState::Dead => {
                let outcome = self.last_resort();
                let record = Delivery { folded_into: None, ..record };
                self.dead(record, why, outcome, finished, now)
            }
        }
    }

    /// How the queue message of a dead delivery is settled: a test and a repost are not sent again.
    const fn last_resort(&self) -> Outcome {
        let once = is_test(&self.task) || matches!(self.task.notice, Notice::Repost(_));
        if once { Outcome::Complete } else { Outcome::Bury }
    }

    /// What the channel's desk hears when this delivery is done with.
    fn finished(&self, channel: Option<&Channel>) -> Option<DeskNote> {
        let manner = channel.and_then(|channel| manner(&self.task, channel))?;
        Some(DeskNote { channel: self.task.channel, manner, note: desk::Note::Finished(self.task.id) })
    }

    /// The deliveries that it was folded into.
    pub(crate) fn tellers(&self, known: Option<&Delivery>) -> Vec<DeliveryId> {
        let folded = known.filter(|known| known.state == DeliveryState::Folded);
        let tellers = folded.and_then(|known| known.folded_into).into_iter().chain(self.task.folded_into);
        tellers.collect()
    }

    /// Another delivery, which is in the queue, tells of it: this one waits until that one is settled.
    pub(crate) fn follow(
        mut self,
        by: DeliveryId,
        standing: Standing,
        known: Option<Delivery>,
        now: EventTime,
    ) -> Settled {
        let record = match known {
            Some(known) if known.state == DeliveryState::Folded && known.folded_into == Some(by) => None,
            known => Some(folded(known.unwrap_or_else(|| self.task.pending(now)), by)),
        };
        let outcome = match standing {
            // It was told, or is a dead letter that people see.
            Standing::Settled => Outcome::Complete,
            Standing::Open => wait(&mut self.task, by, now),
        };
        self.over(record, outcome, None)
    }

    fn over(self, record: Option<Delivery>, outcome: Outcome, desk: Option<DeskNote>) -> Settled {
        let id = self.task.id.into();
        Settled { record, desk, ..Settled::with(id, self.lane, outcome) }
    }

    fn dead(
        self,
        mut record: Delivery,
        error: &str,
        outcome: Outcome,
        desk: Option<DeskNote>,
        now: EventTime,
    ) -> Settled {
        bury(&mut record, error.to_owned(), now);
        self.over(Some(record), outcome, desk)
    }
}

/// The kind of desk for an alert on a channel; `None`: the channel is told each alert by itself.
fn manner(task: &DeliveryTask, channel: &Channel) -> Option<Manner> {
    match &task.notice {
        Notice::Alert(Alert::Test { .. }) | Notice::ChannelFailing(_) => None,
        Notice::Alert(Alert::Flip(_) | Alert::Reminder { .. }) if task.at_desk => {
            Some(Manner::of(channel).unwrap_or(Manner::Chat))
        }
        Notice::Alert(Alert::Flip(_) | Alert::Reminder { .. }) => Manner::of(channel),
        // A desk made this notice, whatever kind the channel has now.
        Notice::WasDown(_)
        | Notice::Digest(_)
        | Notice::Storm(_)
        | Notice::Flapping(_)
        | Notice::Repost(_) => Some(Manner::of(channel).unwrap_or(Manner::Chat)),
    }
}

impl Opened {
    /// The question for the channel's desk, if it has one.
    pub(crate) fn question(&self) -> Option<(Manner, Question)> {
        let redriven = self.task.redriven && self.task.attempts == 0;
        self.manner.map(|manner| (manner, Question { task: self.task.clone(), redriven }))
    }

    /// Follows the desk: it says something else, or nothing.
    pub(crate) fn admitted(mut self, admission: Admission, now: EventTime) -> Result<Self, Box<Settled>> {
        let id = self.task.id.into();
        let settled = |lane, record, outcome| Settled { record, ..Settled::with(id, lane, outcome) };
        match admission {
            Admission::Send(said) => {
                // An alert that came to the desk goes there again as it was. A notice that the desk made is
                // kept as it is now.
                if !matches!(self.task.notice, Notice::Alert(Alert::Flip(_) | Alert::Reminder { .. })) {
                    self.task.notice = (*said).clone();
                }
                self.record.notice = *said;
                self.record.folded_into = None;
                self.task.folded_into = None;
                self.task.at_desk = true;
                Ok(self)
            }
            Admission::Folded(into) => {
                let said =
                    self.record.state == DeliveryState::Folded && self.record.folded_into == Some(into);
                let record = (!said).then(|| folded(self.record, into));
                let outcome = wait(&mut self.task, into, now);
                Err(Box::new(settled(self.lane, record, outcome)))
            }
            Admission::TakenOver(by) => {
                Err(Box::new(settled(self.lane, Some(folded(self.record, by)), Outcome::Complete)))
            }
            Admission::Dropped(why) => {
                let record = Delivery {
                    state: DeliveryState::Suppressed,
                    next_attempt_at: None,
                    note: Some(why.as_str().to_owned()),
                    ..self.record
                };
                let note = self.manner.map(|manner| DeskNote {
                    channel: self.task.channel,
                    manner,
                    note: desk::Note::Finished(self.task.id),
                });
                Err(Box::new(Settled { desk: note, ..settled(self.lane, Some(record), Outcome::Complete) }))
            }
            Admission::Later(wait) => {
                let body = wire::encode(&DeliveryMessage::from(self.task));
                Err(Box::new(settled(self.lane, None, Outcome::Retry { due_at: now + wait, body })))
            }
        }
    }

    /// The least time between two messages of its channel.
    pub(crate) fn interval(&self) -> Duration {
        transport::interval(&self.channel)
    }

    /// What it tells of.
    pub(crate) const fn notice(&self) -> &Notice {
        &self.record.notice
    }

    /// Makes the request.
    pub(crate) fn prepare(self, transports: &Transports, facts: &Facts, now: EventTime) -> Preparation {
        let Self { lane, task, record, channel, manner } = self;
        let said = DeliveryTask { notice: record.notice.clone(), ..task.clone() };
        match transports.prepare(&said, &channel, facts) {
            Ok(request) => Preparation::Ready(Prepared { lane, task, record, manner, request }),
            Err(failure) => Preparation::Failed(Attempted {
                lane,
                task,
                record,
                manner,
                began_at: now,
                ended_at: now,
                took: Duration::ZERO,
                answer: Answer::none(failure),
            }),
        }
    }
}

impl Prepared {
    /// Sends the request.
    pub(crate) async fn attempt(self, transports: &Transports, clock: &Arc<dyn Clock>) -> Attempted {
        let (began_at, began) = (clock.now(), clock.elapsed());
        let answer = transports.send(&self.request, began_at).await;
        let Self { lane, task, record, manner, request: _ } = self;
        let took = clock.elapsed().saturating_sub(began);
        Attempted { lane, task, record, manner, began_at, ended_at: clock.now(), took, answer }
    }
}

impl Attempted {
    /// Decides the outcome of the delivery; `random` is from 0 to 1.
    pub(crate) fn settle(self, random: f64) -> Settled {
        let is_test = is_test(&self.task);
        let Self { lane, mut task, mut record, manner, began_at, ended_at, took, answer } = self;
        let Answer { status, retry_after, body, failure, request, sent_to, moved } = answer;
        task.sent_to.extend(sent_to);
        task.attempts = task.attempts.saturating_add(1);
        let error = failure.as_ref().map(ToString::to_string);
        let before = moved.as_ref().map_or(Duration::ZERO, |moved| moved.took);
        if let Some(moved) = &moved {
            record.record(moved.attempt(began_at));
        }
        let ms = millis(took.saturating_sub(before));
        record.record(Attempt { at: began_at, ms, status, error: error.clone(), answer: body, request });
        // What did not arrive there may still arrive where the channel stands.
        let moved = moved.filter(|_| failure.is_none()).map(|moved| Box::new(moved.change));

        let permanent = failure.as_ref().is_some_and(Failure::is_permanent);
        let attempt = FailedAttempt { number: task.attempts, began_at, ended_at, retry_after, permanent };
        let is_repost = matches!(task.notice, Notice::Repost(_));
        // The next one will say the same, and say it sooner.
        let ends = is_test || (is_repost && task.attempts >= REPOST_ATTEMPTS);
        let result = failure.as_ref().map_or(AttemptResult::Accepted, Failure::result);
        let next = match (failure, error.unwrap_or_default()) {
            (None, _) => Next::Done,
            (Some(Failure::Gone), error) => Next::GiveUp(Verdict::Gone(error)),
            (Some(_), error) => match attempt.next_due(random).filter(|_| !ends) {
                Some(due_at) => Next::Retry { due_at, error },
                None => Next::GiveUp(Verdict::Failed(error)),
            },
        };
        let finished = desk::Note::Finished(task.id);
        let (state, outcome, verdict, note) = match next {
            Next::Done => (DeliveryState::Delivered, Outcome::Complete, Verdict::Accepted, finished),
            Next::Retry { due_at, error } => {
                let body = wire::encode(&DeliveryMessage::from(task.clone()));
                let alone = retry_after.map(|wait| ended_at + wait.min(LONGEST_RETRY_AFTER));
                let outcome = Outcome::Retry { due_at, body };
                (DeliveryState::Pending, outcome, Verdict::Failed(error), desk::Note::Failed(task.id, alone))
            }
            // A test and a repost are not sent again.
            Next::GiveUp(verdict) if is_test || is_repost => {
                (DeliveryState::Dead, Outcome::Complete, verdict, finished)
            }
            Next::GiveUp(verdict) => (DeliveryState::Dead, Outcome::Bury, verdict, finished),
        };
        record.state = state;
        record.next_attempt_at = match &outcome {
            Outcome::Retry { due_at, .. } | Outcome::Park { due_at, .. } => Some(*due_at),
            Outcome::Complete | Outcome::Bury | Outcome::Withdraw => None,
        };
        let report = AttemptReport {
            channel: task.channel,
            monitor: record.notice.monitor(),
            is_test,
            gave_up: state == DeliveryState::Dead,
            result,
            took,
            verdict,
            moved,
        };
        let desk = manner.map(|manner| DeskNote { channel: task.channel, manner, note });
        let settled = Settled::with(task.id.into(), lane, outcome);
        Settled { record: Some(record), attempted: Some(report), desk, ..settled }
    }
}

/// The step after an attempt.
enum Next {
    /// The delivery was accepted.
    Done,
    /// The attempt failed, and the next one is due then.
    Retry { due_at: EventTime, error: String },
    /// The attempt failed, and there is no next one.
    GiveUp(Verdict),
}

/// Waits for the delivery that tells of it. The older it is, the less often it asks.
fn wait(task: &mut DeliveryTask, by: DeliveryId, now: EventTime) -> Outcome {
    let due_at = now + now.since(task.created_at).clamp(FOLDED_AT_LEAST, FOLDED_AT_MOST);
    task.folded_into = Some(by);
    Outcome::Park { due_at, body: wire::encode(&DeliveryMessage::from(task.clone())) }
}

/// A test is attempted once, even if its channel is disabled.
const fn is_test(task: &DeliveryTask) -> bool {
    task.notice.is_test()
}
