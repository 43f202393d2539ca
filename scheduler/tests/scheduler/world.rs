//! A scheduler on ports in memory that fail now and then.

use std::sync::Arc;
use std::time::Duration;

use doubles::{
    FaultyHistory, FaultyQueue, FaultyStateStore, InMemoryCheckpoints, InMemoryHeartbeatLog, InMemoryHistory,
    InMemoryQueue, InMemoryRoster, InMemoryStateStore, SeededFaults,
};
use model::flip::Alert;
use model::ids::{Offset, PartitionId};
use model::time::{EventTime, TimeRules};
use model::wire;
use ports::checkpoint_codec;
use ports::checkpoints::CheckpointStore;
use ports::clock::{Clock, ManualClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::queue::{Outcome, Queue};
use ports::registry::Registry;
use ports::state_store::StateReader;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use scheduler::{Deps, Service};
use tokio_util::sync::CancellationToken;

use histories::driver::Entry;
use histories::{START, ops, write};

pub(crate) const PARTITION: PartitionId = PartitionId(0);

/// One partition with its ports in memory, which fail now and then.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    /// The log's own: time that passes for a scheduler does not pass for what is logged.
    pub(crate) log_clock: Arc<ManualClock>,
    pub(crate) log: Arc<InMemoryHeartbeatLog>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) states: Arc<InMemoryStateStore>,
    pub(crate) checkpoints: Arc<InMemoryCheckpoints>,
    pub(crate) checkpoint_every: Duration,
    pub(crate) history: Arc<InMemoryHistory>,
    pub(crate) alerts: Arc<InMemoryQueue>,
    pub(crate) faults: SeededFaults,
}

impl World {
    pub(crate) fn new(seed: u64, registry: Arc<dyn Registry>) -> Self {
        let log_clock = Arc::new(ManualClock::new(START));
        Self {
            log: Arc::new(InMemoryHeartbeatLog::new(Arc::clone(&log_clock) as Arc<dyn Clock>)),
            clock: Arc::new(ManualClock::new(START)),
            log_clock,
            registry,
            states: Arc::new(InMemoryStateStore::new()),
            checkpoints: Arc::new(InMemoryCheckpoints::new()),
            checkpoint_every: scheduler::CHECKPOINTS_IN_CLUSTER,
            history: Arc::new(InMemoryHistory::new(10_000)),
            alerts: Arc::new(InMemoryQueue::new(100_000)),
            faults: SeededFaults::new(seed),
        }
    }

    pub(crate) async fn append(&self, log: &[Entry]) {
        for entry in log {
            self.log_clock.advance(entry.logged_at.since(self.log_clock.now()));
            self.log.append(PARTITION, Arc::new(entry.frame.clone())).await.expect("memory takes it");
        }
    }

    pub(crate) fn service(&self) -> Service {
        self.measured().0
    }

    /// A scheduler with its metrics.
    pub(crate) fn measured(&self) -> (Service, prometheus_client::registry::Registry) {
        let deps = Deps {
            owner: "test".to_owned(),
            log: Arc::clone(&self.log) as Arc<dyn HeartbeatLog>,
            registry: Arc::clone(&self.registry),
            states: Arc::new(FaultyStateStore::new(Arc::clone(&self.states) as _, self.faults.clone())),
            roster: Arc::new(InMemoryRoster::new()),
            checkpoints: Arc::clone(&self.checkpoints) as _,
            checkpoint_every: self.checkpoint_every,
            concerns: Vec::new(),
            history: Arc::new(FaultyHistory::new(Arc::clone(&self.history) as _, self.faults.clone())),
            alerts: Arc::new(FaultyQueue::new(Arc::clone(&self.alerts) as _, self.faults.clone())),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let service = Service::new(scheduler::Config::default(), TimeRules::CLUSTER, deps, &mut metrics);
        (service.expect("an HTTP client"), metrics)
    }

    /// Runs a scheduler for a while, then drops it where it stands.
    pub(crate) async fn run_and_kill(&self) {
        let steps = self.faults.random() % 400;
        let service = self.service();
        tokio::select! {
            biased;
            outcome = service.run(CancellationToken::new()) => outcome.expect("it runs"),
            () = async { for _ in 0..steps { tokio::task::yield_now().await } } => {}
        }
    }

    /// Runs a scheduler until it has committed and published everything, and drains it.
    pub(crate) async fn run_to_the_end(&self, alerts: u64) {
        let stop = CancellationToken::new();
        let last = self.log.extent(PARTITION).await.expect("it is there").last;
        let done = async {
            loop {
                self.clock.advance(Duration::from_secs(2));
                tokio::time::sleep(Duration::from_millis(50)).await;
                let applied = self.states.head(PARTITION).await.expect("it is there").applied;
                let published = self.alerts.last_number(PARTITION).await.expect("it is there");
                if applied >= last && published >= alerts {
                    break stop.cancel();
                }
            }
        };
        let both = async { tokio::join!(self.service().run(stop.clone()), done) };
        let (outcome, ()) = tokio::time::timeout(Duration::from_secs(600), both).await.expect("it ends");
        outcome.expect("it drains");
    }

    /// Runs a scheduler while so much time passes by its clock, and drains it.
    pub(crate) async fn run_for(&self, time: Duration) {
        let stop = CancellationToken::new();
        let passing = async {
            let until = self.clock.elapsed() + time;
            while self.clock.elapsed() < until {
                self.clock.advance(Duration::from_secs(2));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            stop.cancel();
        };
        let (outcome, ()) = tokio::join!(self.service().run(stop.clone()), passing);
        outcome.expect("it drains");
    }

    /// Runs a scheduler until it has written a checkpoint of everything; its offset.
    pub(crate) async fn run_to_a_checkpoint(&self) -> Offset {
        let stop = CancellationToken::new();
        let last = self.log.extent(PARTITION).await.expect("it is there").last;
        let written = async {
            loop {
                self.clock.advance(Duration::from_secs(2));
                tokio::time::sleep(Duration::from_millis(50)).await;
                let Some(place) = self.checkpoints.places(PARTITION).await.expect("it is there").pop() else {
                    continue;
                };
                let Some(bytes) = self.checkpoints.get(PARTITION, place).await.expect("it is there") else {
                    continue;
                };
                let applied = checkpoint_codec::decode(&bytes).expect("a checkpoint").head.applied;
                if applied >= last {
                    stop.cancel();
                    break applied;
                }
            }
        };
        let both = async { tokio::join!(self.service().run(stop.clone()), written) };
        let (outcome, applied) =
            tokio::time::timeout(Duration::from_secs(3_600), both).await.expect("it ends");
        outcome.expect("it drains");
        applied
    }

    pub(crate) async fn published(&self) -> Vec<Alert> {
        let later = EventTime::from_micros(i64::MAX);
        let mut published = Vec::new();
        loop {
            let lanes = self.alerts.lanes(later).await.expect("it is there");
            let Some(lane) = lanes.first() else { return published };
            let claims = self.alerts.claim(*lane, later, 1_000).await.expect("it is there");
            let done = claims.iter().map(|claim| (claim.id, Outcome::Complete)).collect();
            published
                .extend(claims.iter().map(|claim| wire::decode::<Alert>(&claim.body).expect("an alert")));
            self.alerts.settle(done).await.expect("it is there");
        }
    }
}

/// A history that no monitor is deleted from: deleting forgets, and forgetting is another test's business.
pub(crate) fn history(seed: u64) -> Vec<Entry> {
    let log = history_with_deletions(seed);
    log.into_iter()
        .filter(|entry| entry.frame.definitions.iter().all(|change| change.definition.is_some()))
        .collect()
}

pub(crate) fn history_with_deletions(seed: u64) -> Vec<Entry> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let ops = ops(2).new_tree(&mut runner).expect("a history").current();
    write(2, &ops)
}
