//! The notifier as a whole.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ports::clock::Clock;
use ports::history::{DeliveryHistory, History};
use ports::ledger::Ledger;
use ports::queue::{Queue, QueueWithDeadLetters};
use ports::registry::{RecordKind, Registry, WatchGuard};
use ports::state_store::StateReader;
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::Readiness;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{ATTEMPT_TIMEOUT, Config, DRAIN, REVIEW_EVERY};
use crate::dead_letters::DeadLetterReview;
use crate::delivery::context::Context;
use crate::delivery::dispatcher::Dispatcher;
use crate::delivery::pace::Pace;
use crate::delivery::recorder::Recorder;
use crate::delivery::surplus::Surplus;
use crate::desk::keeper::Keeper;
use crate::directory::Directory;
use crate::error::Error;
use crate::facts::{FactFinder, TIME_LIMIT};
use crate::fanout::FanOut;
use crate::gate::Gate;
use crate::health::{Health, Part};
use crate::in_hand::{InHand, NEW_FOR, WAITS_AFTER};
use crate::metrics::Metrics;
use crate::transport::Transports;
use crate::trouble::Trouble;
use crate::waiting::WaitingAlerts;

/// Settled deliveries that wait to be written down: more than can be claimed at once, so no attempt waits to
/// hand one in.
const RECORDER_QUEUE: usize = 4_096;

/// Groups that were written down and not yet heard of by the dispatcher.
const SETTLED_QUEUE: usize = 64;

/// How long the last writes may take after the drain.
const LAST_WRITES: Duration = Duration::from_millis(1_500);

/// How often the age of the oldest pending delivery is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// The wait before a watch that could not begin is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The ports and means of the notifier.
pub struct Deps {
    /// Alerts from the schedulers, and tests from the console.
    pub alerts: Arc<dyn Queue>,
    /// Its own work.
    pub deliveries: Arc<dyn QueueWithDeadLetters>,
    /// Monitors and channels.
    pub registry: Arc<dyn Registry>,
    /// The outcomes of deliveries, for people.
    pub delivery_history: Arc<dyn DeliveryHistory>,
    /// The memory of channels and monitors beyond the queues.
    pub ledger: Arc<dyn Ledger>,
    /// The outputs of jobs; nothing else of it is read.
    pub history: Arc<dyn History>,
    /// The states of monitors, to look at.
    pub states: Arc<dyn StateReader>,
    /// How many partitions the monitors are spread over.
    pub partitions: u16,
    /// The node's clocks.
    pub clock: Arc<dyn Clock>,
}

impl Deps {
    fn gate(&self, directory: &Arc<Directory>) -> Gate {
        Gate {
            registry: Arc::clone(&self.registry),
            directory: Arc::clone(directory),
            states: Arc::clone(&self.states),
            partitions: self.partitions,
            ledger: Arc::clone(&self.ledger),
        }
    }

    fn in_hand(&self, health: &Health, limits: Limits) -> Arc<InHand> {
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        Arc::new(InHand::new(ledger, clock, health.clone(), limits.noted, limits.waits_after))
    }

    fn fact_finder(&self, time_limit: Duration) -> FactFinder {
        FactFinder {
            registry: Arc::clone(&self.registry),
            history: Arc::clone(&self.history),
            states: Arc::clone(&self.states),
            partitions: self.partitions,
            time_limit,
        }
    }
}

/// How long attempts, the look-up of facts and the drain may take, the time between two reviews of the dead
/// letters, how long what comes by a lane is noted, and after what time a call counts as a wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) attempt: Duration,
    pub(crate) facts: Duration,
    pub(crate) drain: Duration,
    pub(crate) review: Duration,
    pub(crate) noted: Duration,
    pub(crate) waits_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt: ATTEMPT_TIMEOUT,
            facts: TIME_LIMIT,
            drain: DRAIN,
            review: REVIEW_EVERY,
            noted: NEW_FOR,
            waits_after: WAITS_AFTER,
        }
    }
}

/// The notifier role.
pub struct Service {
    deps: Deps,
    transports: Transports,
    metrics: Metrics,
    readiness: Readiness,
    limits: Limits,
}

impl Service {
    /// Prepares the notifier; nothing is read or sent yet.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(config: Config, deps: Deps, metrics: &mut MetricsRegistry) -> Result<Self, Error> {
        Self::with_limits(config, deps, metrics, Limits::default())
    }

    pub(crate) fn with_limits(
        config: Config,
        deps: Deps,
        metrics: &mut MetricsRegistry,
        limits: Limits,
    ) -> Result<Self, Error> {
        config.validate()?;
        let transports =
            Transports::new(config.allow_private, config.mail, config.timezone.0, limits.attempt)?;
        let metrics = Metrics::new(metrics);
        Ok(Self { deps, transports, metrics, readiness: Readiness::new("notifier"), limits })
    }

    /// Ready when every channel is known and nothing that it needs is out of reach.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Fans alerts out and carries deliveries until `shutdown`; returns when attempts in hand are finished
    /// and written down, after ten seconds at the latest. What is left then stays claimed and comes back.
    ///
    /// # Errors
    /// [`Error::Task`] if a part ended by a defect.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self { deps, transports, metrics, readiness, limits } = self;
        let health = Health::new(readiness);
        let directory = Arc::new(Directory::new(Arc::clone(&deps.registry)));
        let begun = shutdown.run_until_cancelled(follow(&directory, deps.registry.as_ref(), &health)).await;
        // Held to the end: the channels are followed as long as the guard lives.
        let Some(_guard) = begun else { return Ok(()) };
        health.started();

        let facts = deps.fact_finder(limits.facts);
        let gate = deps.gate(&directory);
        let in_hand = deps.in_hand(&health, limits);
        let waiting =
            Arc::new(WaitingAlerts::new(Arc::clone(&deps.alerts), deps.clock.clone(), metrics.clone()));
        let fan_out = Arc::new(FanOut {
            alerts: deps.alerts,
            deliveries: deps.deliveries.clone(),
            registry: Arc::clone(&deps.registry),
            history: Arc::clone(&deps.delivery_history),
            directory: Arc::clone(&directory),
            gate,
            clock: Arc::clone(&deps.clock),
            metrics: metrics.clone(),
            health: health.clone(),
            in_hand: Arc::clone(&in_hand),
            waiting: Arc::clone(&waiting),
            defects: Mutex::default(),
        });
        let review = DeadLetterReview::new(
            deps.deliveries.clone(),
            Arc::clone(&deps.delivery_history),
            Arc::clone(&deps.clock),
            metrics.clone(),
        );
        let desks = Keeper {
            ledger: deps.ledger,
            deliveries: deps.deliveries.clone(),
            history: Arc::clone(&deps.delivery_history),
            registry: Arc::clone(&deps.registry),
            states: Arc::clone(&deps.states),
            partitions: deps.partitions,
            clock: Arc::clone(&deps.clock),
            slots: Mutex::default(),
        };
        let trouble = Trouble {
            registry: Arc::clone(&deps.registry),
            directory: Arc::clone(&directory),
            deliveries: deps.deliveries.clone(),
        };
        let context = Arc::new(Context {
            desks,
            trouble,
            pace: Pace::default(),
            settled: Mutex::default(),
            owed: Mutex::default(),
            dead_letters: deps.deliveries.clone(),
            deliveries: deps.deliveries,
            history: deps.delivery_history,
            directory,
            facts,
            transports,
            in_hand: Arc::clone(&in_hand),
            clock: deps.clock,
            metrics,
            health,
        });
        let (to_recorder, incoming) = mpsc::channel(RECORDER_QUEUE);
        let (to_dispatcher, settled) = mpsc::channel(SETTLED_QUEUE);
        let mut parts = JoinSet::new();
        parts.spawn(measure(Arc::clone(&context), shutdown.clone()));
        parts.spawn(waiting.run(shutdown.clone()));
        parts.spawn(review.run(limits.review, shutdown.clone()));
        parts.spawn(fan_out.run(shutdown.clone()));
        parts.spawn(Surplus::new(Arc::clone(&context)).run(shutdown.clone()));
        parts.spawn(Recorder::new(Arc::clone(&context), incoming, to_dispatcher).run());
        parts.spawn(Dispatcher::new(context, to_recorder, settled).run(shutdown.clone(), limits.drain));
        let outcome = finish(parts, shutdown, limits.drain + LAST_WRITES).await;
        in_hand.leave().await;
        outcome
    }
}

/// Looks now and then how long the oldest delivery has been waiting, and whether mail lacks its server.
async fn measure(context: Arc<Context>, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(MEASURE_EVERY)).await.is_some() {
        context.health.lacks_mail(context.directory.has_mail() && !context.transports.sends_mail());
        // Other tasks report a history that cannot be reached.
        let Ok(oldest) = context.history.oldest_pending().await else { continue };
        let age = oldest.map_or(0, |oldest| context.clock.now().since(oldest).as_secs());
        context.metrics.oldest_pending.set(i64::try_from(age).unwrap_or(i64::MAX));
    }
}

/// Watches the channels and waits until they are all known.
async fn follow(directory: &Arc<Directory>, registry: &dyn Registry, health: &Health) -> WatchGuard {
    let guard = loop {
        let observer = Arc::clone(directory);
        match registry.watch(&[RecordKind::Channel, RecordKind::Maintenance], observer).await {
            Ok(guard) => break guard,
            Err(error) => health.trouble(Part::Channels, &error),
        }
        tokio::time::sleep(RETRY_AFTER).await;
    };
    directory.loaded().await;
    health.well(Part::Channels);
    guard
}

/// Waits for the parts: for ever before `shutdown`, and for `limit` after it.
async fn finish(mut parts: JoinSet<()>, shutdown: CancellationToken, limit: Duration) -> Result<(), Error> {
    let stopping = shutdown.clone();
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(limit).await;
    };
    tokio::pin!(overdue);
    loop {
        tokio::select! {
            part = parts.join_next() => match part {
                None => return Ok(()),
                // A part that ends before its time is missed by the others: the role ends with it.
                Some(Ok(())) if !stopping.is_cancelled() => return Ok(()),
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(Error::Task(error)),
            },
            () = &mut overdue => {
                tracing::warn!("leaving what could not be written down in time to the next start");
                return Ok(());
            }
        }
    }
}
