//! Owns partitions until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use common::chain::Chain;
use common::clock::Clock;
use common::http::Readiness;
use common::model::ids::PartitionId;
use common::model::time::TimeRules;
use common::ports::heartbeat_log::HeartbeatLog;
use common::ports::history::History;
use common::ports::queue::Queue;
use common::ports::registry::Registry;
use common::ports::state_store::StateStore;
use prometheus_client::registry::Registry as MetricsRegistry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::watchdog::{Progress, Watchdog};

/// Pause before a partition that could not be taken, or was lost, is tried again.
const RETAKE: Duration = Duration::from_secs(1);

/// What the scheduler stands on.
#[derive(Clone)]
pub struct Deps {
    /// This scheduler's name, for people.
    pub owner: String,
    /// Read, and given definitions that it lacks.
    pub log: Arc<dyn HeartbeatLog>,
    /// Compared with the definitions in the log.
    pub registry: Arc<dyn Registry>,
    /// Committed to.
    pub states: Arc<dyn StateStore>,
    /// Written before each commit.
    pub history: Arc<dyn History>,
    /// Given the alerts after each commit.
    pub alerts: Arc<dyn Queue>,
    /// Used for waiting and for the watchdog, never for a decision about a monitor.
    pub clock: Arc<dyn Clock>,
}

/// The scheduler.
pub struct Service {
    deps: Deps,
    rules: TimeRules,
    metrics: Metrics,
    readiness: Readiness,
    progress: Arc<Progress>,
    watchdog: Watchdog,
}

impl Service {
    /// Makes a scheduler; nothing runs yet.
    ///
    /// # Errors
    /// [`Error::MetaClient`].
    pub fn new(
        config: Config,
        rules: TimeRules,
        deps: Deps,
        metrics: &mut MetricsRegistry,
    ) -> Result<Self, Error> {
        let progress = Arc::new(Progress::default());
        let watchdog = Watchdog::new(Arc::clone(&deps.clock), Arc::clone(&progress), config.meta_webhook)?;
        Ok(Self {
            deps,
            rules,
            metrics: Metrics::register(metrics),
            readiness: Readiness::new("scheduler"),
            progress,
            watchdog,
        })
    }

    /// Whether every partition is held.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Owns every partition until `shutdown`, then commits and gives them back.
    ///
    /// # Errors
    /// None at present: what goes wrong with a partition is overcome by taking it anew.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut tasks = JoinSet::new();
        let partitions = self.deps.log.partitions();
        let held = Arc::new(Held { metrics: self.metrics.clone(), readiness: self.readiness, partitions });
        for index in 0..partitions {
            let id = PartitionId(index);
            self.progress.expect(id, self.deps.clock.elapsed());
            tasks.spawn(hold(
                id,
                self.deps.clone(),
                self.rules,
                Arc::clone(&held),
                Arc::clone(&self.progress),
                shutdown.clone(),
            ));
        }
        tasks.spawn(self.watchdog.run(shutdown));
        while tasks.join_next().await.is_some() {}
        Ok(())
    }
}

/// Counts the partitions that are held.
struct Held {
    metrics: Metrics,
    readiness: Readiness,
    partitions: u16,
}

impl Held {
    fn took(&self) {
        if self.metrics.partitions.inc() + 1 == i64::from(self.partitions) {
            self.readiness.set_ready();
        }
    }

    fn lost(&self) {
        self.metrics.partitions.dec();
        self.readiness.set_not_ready("it does not hold every partition");
    }
}

async fn hold(
    id: PartitionId,
    deps: Deps,
    rules: TimeRules,
    held: Arc<Held>,
    progress: Arc<Progress>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        let taken = Owner::take(id, deps.clone(), rules, held.metrics.clone(), Arc::clone(&progress)).await;
        let outcome = match taken {
            Ok(owner) => {
                held.took();
                let outcome = owner.run(&shutdown).await;
                held.lost();
                outcome
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(partition = %id, error = %Chain(&error), "lost the partition; taking it anew");
            let _ = shutdown.run_until_cancelled(tokio::time::sleep(RETAKE)).await;
        }
    }
}
