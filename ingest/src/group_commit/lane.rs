//! The queue of one partition. It gives times of receipt and sealing under one lock, so they only grow (I3).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::heartbeat::Heartbeat;
use model::time::{APPEND_TIMEOUT, EventTime};
use model::wire::frame::{Frame, Listening};
use parking_lot::Mutex;
use ports::clock::Clock;
use tokio::sync::{Notify, oneshot};

use super::push::{Author, Refused};
use crate::answer::KeptOutput;
use crate::config::Limits;
use crate::tokens::Charge;

/// The bytes that a queued push takes besides its texts.
const BASE_WEIGHT: usize = 256;

/// The budget for waiting pushes, shared by the lanes of a node (I11).
#[derive(Debug)]
pub(super) struct PushBudget {
    pushes: AtomicUsize,
    bytes: AtomicUsize,
    max_pushes: usize,
    max_bytes: usize,
}

impl PushBudget {
    pub(super) const fn new(max_pushes: usize, max_bytes: usize) -> Self {
        Self { pushes: AtomicUsize::new(0), bytes: AtomicUsize::new(0), max_pushes, max_bytes }
    }

    /// Pushes that wait.
    pub(super) fn taken(&self) -> usize {
        self.pushes.load(Ordering::Relaxed)
    }

    fn take(&self, weight: usize) -> Result<(), Refused> {
        let pushes = self.pushes.fetch_add(1, Ordering::Relaxed);
        let bytes = self.bytes.fetch_add(weight, Ordering::Relaxed);
        if pushes < self.max_pushes && bytes.saturating_add(weight) <= self.max_bytes {
            return Ok(());
        }
        self.give_back(weight);
        Err(Refused)
    }

    fn give_back(&self, weight: usize) {
        self.pushes.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
    }
}

/// A push that waits for its answer. When it is dropped, the answer is 503 and the charge is given back.
pub(super) struct Waiter {
    receipt: Duration,
    weight: usize,
    charge: Charge,
    kept: KeptOutput,
    has_output: bool,
    answer: oneshot::Sender<KeptOutput>,
}

impl Waiter {
    /// When the push becomes overdue, by `clock.elapsed()`.
    pub(super) fn deadline(&self) -> Duration {
        self.receipt + APPEND_TIMEOUT
    }

    /// Its output is left out of the frame.
    pub(super) fn lose_output(&mut self) {
        if std::mem::take(&mut self.has_output) {
            self.kept = KeptOutput::Nothing;
            self.charge.forgo_output();
        }
    }

    /// Answers that the push is recorded, and how much of its output.
    pub(super) fn recorded(self, budget: &PushBudget) {
        budget.give_back(self.weight);
        self.charge.keep();
        // A client that went away needs no answer.
        let _ = self.answer.send(self.kept);
    }

    /// Answers that the push is not recorded, or not known to be.
    pub(super) fn refused(self, budget: &PushBudget) {
        budget.give_back(self.weight);
    }
}

struct QueuedPush {
    heartbeat: Heartbeat,
    waiter: Waiter,
}

/// The next frame to append, and the pushes that wait for it, in order of receipt.
pub(super) struct SealedFrame {
    pub(super) frame: Frame,
    pub(super) waiters: VecDeque<Waiter>,
    /// Pushes that were overdue before the frame was sealed.
    pub(super) overdue: Vec<Waiter>,
}

/// The queue of one partition.
#[derive(Default)]
pub(super) struct Lane {
    state: Mutex<LaneState>,
    pub(super) arrived: Notify,
}

#[derive(Default)]
struct LaneState {
    /// Whether a committer empties the queue.
    open: bool,
    queue: VecDeque<QueuedPush>,
    /// Refused pushes that no acknowledged frame has counted yet.
    refused: u64,
    /// The last time that a heartbeat or a frame got. Every further one is greater.
    last_stamp: EventTime,
    last_sealed: Option<EventTime>,
    number: u64,
}

impl LaneState {
    fn stamp(&mut self, clock: &dyn Clock) -> EventTime {
        self.last_stamp = clock.now().max(self.last_stamp.next());
        self.last_stamp
    }
}

impl Lane {
    /// Takes pushes until the guard is dropped.
    pub(super) fn open<'a>(&'a self, budget: &'a PushBudget) -> OpenLane<'a> {
        self.state.lock().open = true;
        OpenLane { lane: self, budget }
    }

    /// Queues a heartbeat. It gets its time of receipt here, under the lock, so that every frame that is
    /// sealed later carries a later time.
    pub(super) fn enter(
        &self,
        mut heartbeat: Heartbeat,
        kept: KeptOutput,
        charge: Charge,
        budget: &PushBudget,
        clock: &dyn Clock,
    ) -> Result<oneshot::Receiver<KeptOutput>, Refused> {
        let texts = heartbeat.message.as_ref().map_or(0, String::len)
            + heartbeat.output.as_ref().map_or(0, bytes::Bytes::len);
        let weight = BASE_WEIGHT + texts;
        let (answer, answered) = oneshot::channel();
        let was_empty = {
            let mut state = self.state.lock();
            if !state.open || budget.take(weight).is_err() {
                state.refused += 1;
                return Err(Refused);
            }
            heartbeat.received_at = state.stamp(clock);
            let has_output = heartbeat.output.is_some();
            let waiter = Waiter { receipt: clock.elapsed(), weight, charge, kept, has_output, answer };
            state.queue.push_back(QueuedPush { heartbeat, waiter });
            state.queue.len() == 1
        };
        if was_empty {
            self.arrived.notify_one();
        }
        Ok(answered)
    }

    /// Counts pushes that were answered 503.
    pub(super) fn refuse(&self, pushes: u64) {
        self.state.lock().refused += pushes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().queue.is_empty()
    }

    /// Closes the lane if no push waits; whether it is closed.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut state = self.state.lock();
        state.open = !state.queue.is_empty();
        !state.open
    }

    /// Seals what is queued, as much as fits into a frame.
    pub(super) fn seal(&self, author: &Author, limits: &Limits, clock: &dyn Clock) -> SealedFrame {
        let Author { node, boot } = author.clone();
        let mut state = self.state.lock();
        let overdue = overdue(&mut state, clock.elapsed());
        let fits = state.queue.len().min(limits.frame_heartbeats);
        let mut heartbeats = Vec::with_capacity(fits);
        let mut waiters = VecDeque::with_capacity(fits);
        let mut bytes = 0;
        while heartbeats.len() < fits
            && let Some(next) = state.queue.front()
            && (bytes == 0 || bytes + next.waiter.weight <= limits.frame_bytes)
            && let Some(QueuedPush { heartbeat, waiter }) = state.queue.pop_front()
        {
            bytes += waiter.weight;
            heartbeats.push(heartbeat);
            waiters.push_back(waiter);
        }
        // A frame vouches that everything received before it was sealed is in it or in an earlier frame, even
        // when some pushes must wait for the next: the watermark of one process relies on it.
        let sealed_at = match heartbeats.last() {
            Some(last) if !state.queue.is_empty() => last.received_at,
            Some(_) | None => state.stamp(clock),
        };
        state.number += 1;
        let listening = state.last_sealed.replace(sealed_at).map_or(Listening::First, Listening::Since);
        let refused = std::mem::take(&mut state.refused);
        let frame = Frame {
            node,
            boot,
            number: state.number,
            sealed_at,
            listening,
            refused,
            heartbeats,
            definitions: Vec::new(),
            imported: Vec::new(),
        };
        SealedFrame { frame, waiters, overdue }
    }

    /// Takes out the overdue pushes and counts them as refused.
    pub(super) fn take_overdue(&self, elapsed: Duration) -> Vec<Waiter> {
        overdue(&mut self.state.lock(), elapsed)
    }

    /// When the oldest push becomes overdue.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.state.lock().queue.front().map(|queued| queued.waiter.deadline())
    }
}

fn overdue(state: &mut LaneState, elapsed: Duration) -> Vec<Waiter> {
    let mut overdue = Vec::new();
    while let Some(queued) = state.queue.pop_front_if(|queued| queued.waiter.deadline() <= elapsed) {
        overdue.push(queued.waiter);
    }
    state.refused += overdue.len() as u64;
    overdue
}

/// A lane that a committer empties. When it is dropped, the pushes that still wait are refused.
pub(super) struct OpenLane<'a> {
    lane: &'a Lane,
    budget: &'a PushBudget,
}

impl Drop for OpenLane<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.lane.state.lock();
            state.open = false;
            std::mem::take(&mut state.queue)
        };
        for queued in left {
            queued.waiter.refused(self.budget);
        }
    }
}
