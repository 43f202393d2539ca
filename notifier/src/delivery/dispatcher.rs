//! Claims deliveries and makes their attempts.
//!
//! One task decides, each attempt is a task of its own, and the recorder writes the outcomes down. So only a
//! receiver's own deliveries wait when it is slow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::ids::ChannelId;
use ports::queue::{Claim, LaneId};
use tokio::sync::mpsc;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::carrying::{PUT_BACK_LONG, carry, give_up};
use super::context::Context;
use super::lanes::Lanes;
use super::settled::Settled;
use crate::config::POLL;
use crate::defects::{Defects, GivenUp, MOST_TRIES};
use crate::health::Part;
use crate::transport::host;

/// Looking for lanes with work costs a query, and every settled delivery may have made some: not more often
/// than this.
const SCAN_PAUSE: Duration = Duration::from_millis(10);

/// Claims deliveries and makes their attempts.
pub(crate) struct Dispatcher {
    context: Arc<Context>,
    lanes: Lanes<Claim>,
    /// Lanes that had more to claim than there was room for.
    unexhausted: HashSet<LaneId>,
    attempts: JoinSet<()>,
    /// The claim of each attempt, in case the attempt panics.
    attempted: HashMap<task::Id, Claim>,
    defects: Defects,
    recorder: mpsc::Sender<Settled>,
    settled: mpsc::Receiver<Vec<LaneId>>,
}

impl Dispatcher {
    /// `recorder` takes the outcomes of attempts, `settled` gives the lanes of those that were written down.
    pub(crate) fn new(
        context: Arc<Context>,
        recorder: mpsc::Sender<Settled>,
        settled: mpsc::Receiver<Vec<LaneId>>,
    ) -> Self {
        Self {
            context,
            lanes: Lanes::new(),
            unexhausted: HashSet::new(),
            attempts: JoinSet::new(),
            attempted: HashMap::new(),
            defects: Defects::default(),
            recorder,
            settled,
        }
    }

    /// Works until `shutdown`, then gives back what waits and lets attempts finish for at most `drain`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken, drain: Duration) {
        let queue = Arc::clone(&self.context.deliveries);
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut scan_wanted, mut next_scan) = (true, Instant::now());
        loop {
            self.start_attempts();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.attempts.join_next_with_id() => self.attempt_ended(ended).await,
                Some(lanes) = self.settled.recv() => self.settled(lanes).await,
                () = tokio::time::sleep_until(next_scan), if scan_wanted => {
                    self.scan().await;
                    (scan_wanted, next_scan) = (false, Instant::now() + SCAN_PAUSE);
                }
                () = queue.changed(), if !scan_wanted => scan_wanted = true,
                _ = poll.tick() => scan_wanted = true,
            }
        }
        self.drain(drain).await;
    }

    fn start_attempts(&mut self) {
        while let Some(claim) = self.lanes.next() {
            let attempt = carry(Arc::clone(&self.context), claim.clone(), self.recorder.clone());
            self.spawn(claim, attempt);
        }
        self.show();
    }

    fn spawn(&mut self, claim: Claim, attempt: impl Future<Output = ()> + Send + 'static) {
        let span = tracing::info_span!("notifier.attempt", delivery.id = %claim.id);
        let handle = self.attempts.spawn(attempt.instrument(span));
        self.attempted.insert(handle.id(), claim);
    }

    async fn attempt_ended(&mut self, ended: Result<(task::Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(claim) = self.attempted.remove(&id) else { return };
        let Err(error) = ended else {
            if self.defects.of(claim.id) >= MOST_TRIES {
                self.defects.forget(claim.id);
            }
            return self.lanes.attempted(claim.lane);
        };
        // The process lives.
        self.context.in_hand.try_to_let_go(claim.id).await;
        let panics = self.defects.note(claim.id);
        tracing::error!(error = %Chain(&error), delivery.id = %claim.id, panics, "an attempt ended by a defect of ours");
        if panics == MOST_TRIES {
            // It keeps its place among the attempts.
            let (context, recorder, given_up) =
                (Arc::clone(&self.context), self.recorder.clone(), claim.clone());
            return self.spawn(claim, async move {
                let settled = give_up(&context, given_up, GivenUp::Panicked).await;
                let _ = recorder.send(settled).await;
            });
        }
        self.lanes.attempted(claim.lane);
        let settled = if panics < MOST_TRIES {
            let due_at = self.context.clock.now() + PUT_BACK_LONG;
            Settled::put_back(claim.id, claim.lane, claim.body, due_at)
        } else {
            self.defects.forget(claim.id);
            Settled::buried(claim.id, claim.lane)
        };
        self.record(settled).await;
    }

    async fn settled(&mut self, lanes: Vec<LaneId>) {
        let mut wanting = HashSet::new();
        for lane in lanes {
            self.lanes.settled(lane);
            if self.unexhausted.contains(&lane) {
                wanting.insert(lane);
            }
        }
        for lane in wanting {
            if self.lanes.wants_more(lane) {
                self.claim(lane).await;
            }
        }
    }

    /// Claims from every lane that has something due.
    async fn scan(&mut self) {
        let lanes = match self.context.deliveries.lanes(self.context.clock.now()).await {
            Ok(lanes) => lanes,
            Err(error) => return self.context.health.trouble(Part::Claims, &error),
        };
        self.context.health.well(Part::Claims);
        self.unexhausted = lanes.iter().copied().collect();
        for lane in lanes {
            if self.lanes.wants_more(lane) {
                self.claim(lane).await;
            }
        }
    }

    async fn claim(&mut self, lane: LaneId) {
        let room = self.lanes.room(lane);
        let claims = match self.context.deliveries.claim(lane, self.context.clock.now(), room).await {
            Ok(claims) => claims,
            Err(error) => return self.context.health.trouble(Part::Claims, &error),
        };
        if claims.len() < room {
            self.unexhausted.remove(&lane);
        }
        if !claims.is_empty() {
            let channel = self.context.directory.known(ChannelId::from_uuid(lane.as_uuid()));
            self.lanes.leads_to(lane, channel.and_then(|channel| host(&channel)).as_deref());
        }
        for claim in claims {
            self.lanes.add(lane, claim);
        }
        self.start_attempts();
    }

    async fn drain(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        // The recorder's answers are not read from here on.
        self.settled.close();
        let now = self.context.clock.now();
        for claim in self.lanes.take_waiting() {
            self.record(Settled::put_back(claim.id, claim.lane, claim.body, now)).await;
        }
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.attempts.join_next_with_id()).await
        {
            self.attempt_ended(ended).await;
            self.show();
        }
        let left = self.attempts.len();
        if left > 0 {
            tracing::warn!(attempts = left, "leaving attempts that did not end in time to the next start");
            self.attempts.shutdown().await;
        }
    }

    async fn record(&self, settled: Settled) {
        // The recorder goes last, unless the process is going anyway.
        let _ = self.recorder.send(settled).await;
    }

    fn show(&self) {
        let gauge = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        self.context.metrics.attempts_in_flight.set(gauge(self.lanes.attempting()));
        self.context.metrics.deliveries_claimed.set(gauge(self.lanes.claimed()));
    }
}
