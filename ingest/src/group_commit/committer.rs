//! Empties one partition's queue into the log.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::ids::{Offset, PartitionId};
use model::time::{APPEND_TIMEOUT, TICK_EVERY};
use model::wire::frame::Frame;
use ports::heartbeat_log::LogError;
use ports::repeats::Repeats;
use serving::KnownLapses;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lane::{Lane, SealedFrame, Waiter};
use super::node::Node;
use crate::health::Acknowledged;
use crate::metrics::OutputCut;

/// The shortest interval between two sweeps for overdue pushes.
const SWEEP_EVERY: Duration = Duration::from_millis(10);

/// Appends work again when none has failed for this long: on a full disk, frames without heartbeats still go
/// through.
const WORKS_AFTER: Duration = Duration::from_secs(5);

/// Appends that fail.
struct Failing {
    repeats: Repeats,
    last: Instant,
}

/// Empties one partition's queue into the log.
pub(super) struct Committer<'a> {
    node: &'a Node,
    lane: &'a Lane,
    partition: PartitionId,
    failing: Option<Failing>,
    lapses: KnownLapses,
}

impl<'a> Committer<'a> {
    pub(super) fn new(node: &'a Node, lane: &'a Lane, partition: PartitionId) -> Self {
        Self { node, lane, partition, failing: None, lapses: KnownLapses::default() }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let _open = self.lane.open(&self.node.budget);
        // The first frame goes out at once: only the second can vouch for anything.
        let mut next_tick = Instant::now();
        while !shutdown.is_cancelled() {
            if self.lane.is_empty() {
                tokio::select! {
                    () = self.lane.arrived.notified() => {}
                    () = tokio::time::sleep_until(next_tick) => {}
                    () = shutdown.cancelled() => break,
                }
            }
            if self.lane.is_empty() && Instant::now() < next_tick {
                continue;
            }
            next_tick = Instant::now() + TICK_EVERY;
            self.append_next().await;
        }
        while !self.lane.close_if_empty() {
            self.append_next().await;
        }
        self.append_next().await;
    }

    async fn append_next(&mut self) {
        if !self.node.health.clock_agrees() {
            // Every push would have been refused, so this frame must not vouch that every push was taken.
            self.lane.refuse(1);
        }
        if self.node.health.is_full() {
            // The node says that it is not ready, and so a balancer sends it no pushes.
            self.lane.refuse(1);
        }
        if !self.node.entrance.vouches(&mut self.lapses) {
            // Nobody was known to be able to get in: whoever tried counts as refused.
            self.lane.refuse(1);
            self.node.metrics.deaf_frames.inc();
        }
        let SealedFrame { frame, waiters, overdue } =
            self.lane.seal(&self.node.author, &self.node.limits, &*self.node.clock);
        self.answer_refused(overdue);
        let mut frame = Arc::new(frame);
        let (sealed_at, began) = (frame.sealed_at, self.node.clock.elapsed());
        let (mut result, mut in_time) = self.append(&frame, waiters).await;
        if let Err(LogError::Full(_)) = result
            && let Some(bare) = self.without_outputs(&frame)
        {
            // Nothing was recorded, so the same frame may be appended without the outputs.
            frame = bare;
            in_time.iter_mut().for_each(Waiter::lose_output);
            (result, in_time) = self.append(&frame, in_time).await;
        }
        let handled = self.node.clock.elapsed();
        match result {
            Ok(offset) => {
                self.answer_recorded(in_time, handled);
                self.node.metrics.acknowledged(frame.heartbeats.len(), handled.saturating_sub(began));
                self.node.health.acknowledged(
                    self.partition,
                    Acknowledged { offset, sealed_at, handled_at: self.node.clock.now(), handled },
                );
                self.recovered();
            }
            Err(error) => {
                // The next frame repeats the count: this one may not have landed.
                self.lane.refuse(frame.refused);
                self.refuse(in_time.into());
                self.failed(&error);
            }
        }
        self.node.metrics.queued.set(i64::try_from(self.node.budget.taken()).unwrap_or(i64::MAX));
    }

    /// The frame without its outputs; `None` if it has none.
    fn without_outputs(&self, frame: &Frame) -> Option<Arc<Frame>> {
        let outputs = frame.heartbeats.iter().filter(|heartbeat| heartbeat.output.is_some()).count();
        if outputs == 0 {
            return None;
        }
        (0..outputs).for_each(|_| self.node.metrics.output_cut(OutputCut::NoRoom));
        let mut bare = frame.clone();
        bare.heartbeats.iter_mut().for_each(|heartbeat| heartbeat.output = None);
        Some(Arc::new(bare))
    }

    /// Awaits the append to its end, however long, and meanwhile answers the pushes that become overdue.
    /// Returns the other waiters.
    async fn append(
        &self,
        frame: &Arc<Frame>,
        mut waiters: VecDeque<Waiter>,
    ) -> (Result<Offset, LogError>, VecDeque<Waiter>) {
        let mut append = pin!(self.node.log.append(self.partition, Arc::clone(frame)));
        loop {
            let first = waiters.front().map(Waiter::deadline).or_else(|| self.lane.next_deadline());
            let elapsed = self.node.clock.elapsed();
            // Pushes that come later have longer.
            let wait = first.map_or(APPEND_TIMEOUT, |at| at.saturating_sub(elapsed)).max(SWEEP_EVERY);
            tokio::select! {
                biased;
                result = &mut append => return (result, waiters),
                () = tokio::time::sleep(wait) => {}
            }
            let elapsed = self.node.clock.elapsed();
            let mut overdue = Vec::new();
            while let Some(waiter) = waiters.pop_front_if(|waiter| waiter.deadline() <= elapsed) {
                overdue.push(waiter);
            }
            self.refuse(overdue);
            self.answer_refused(self.lane.take_overdue(elapsed));
        }
    }

    fn answer_recorded(&self, waiters: VecDeque<Waiter>, handled: Duration) {
        let mut overdue = Vec::new();
        for waiter in waiters {
            if handled < waiter.deadline() {
                waiter.recorded(&self.node.budget);
            } else {
                overdue.push(waiter);
            }
        }
        self.refuse(overdue);
    }

    /// Counts waiters as refused, then answers them: the count must come first.
    fn refuse(&self, waiters: Vec<Waiter>) {
        if !waiters.is_empty() {
            self.lane.refuse(waiters.len() as u64);
            self.answer_refused(waiters);
        }
    }

    /// Answers waiters that are counted as refused already.
    fn answer_refused(&self, waiters: Vec<Waiter>) {
        self.node.metrics.refused.inc_by(waiters.len() as u64);
        for waiter in waiters {
            waiter.refused(&self.node.budget);
        }
    }

    fn failed(&mut self, error: &LogError) {
        self.node.metrics.failed_appends.inc();
        // Other errors may pass at once; whether they do is seen by the acknowledgements.
        if let LogError::Full(_) = error {
            self.node.health.full(self.partition, Some(Chain(error).to_string()));
        }
        let now = Instant::now();
        let failing = self.failing.get_or_insert_with(|| Failing { repeats: Repeats::default(), last: now });
        failing.last = now;
        if let Some(failures) = failing.repeats.news(now.into_std()) {
            tracing::error!(
                partition.id = self.partition.0,
                failures,
                error = %Chain(error),
                "failed to append; pushes are answered 503"
            );
        }
    }

    fn recovered(&mut self) {
        if self.failing.take_if(|failing| failing.last.elapsed() >= WORKS_AFTER).is_some() {
            self.node.health.full(self.partition, None);
            tracing::info!(partition.id = self.partition.0, "appending again");
        }
    }
}
