//! Owns the scheduler's share of the partitions until shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::ids::PartitionId;
use model::time::TimeRules;
use parking_lot::Mutex;
use ports::state_store::{Holder, Lease, Leases, StateError};
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::{Cause, Readiness};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::concerns::{Concern, Forgotten, FullQueue};
use crate::config::Config;
use crate::deps::Deps;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::orphans::Orphans;
use crate::owner::{Ended, Owner, OwnerContext};
use crate::rebuild::{RebuiltPartition, Requests};
use crate::shares::{Shares, Taker};
use crate::watchdog::{Progress, Watchdog, Watched};

/// The pause before a partition that could not be taken, or was lost, is tried again.
const RETAKE: Duration = Duration::from_secs(1);
/// The pause between two tries to take a partition that its former owner is giving back.
const ASK_AGAIN: Duration = Duration::from_millis(150);
/// The interval between two beats of a scheduler on the roster.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// The interval between two searches for leases that carry this scheduler's name and that it does not hold.
const STRAYS_EVERY: Duration = Duration::from_secs(5);

/// The scheduler.
pub struct Service {
    deps: Deps,
    rules: TimeRules,
    metrics: Metrics,
    readiness: Readiness,
    progress: Arc<Progress>,
    shares: Arc<Shares>,
    orphans: Orphans,
    watchdog: Watchdog,
}

impl Service {
    /// Makes a scheduler; nothing runs yet.
    ///
    /// # Errors
    /// [`Error::MetaClient`], [`Error::MetaMail`].
    pub fn new(
        config: Config,
        rules: TimeRules,
        deps: Deps,
        metrics: &mut MetricsRegistry,
    ) -> Result<Self, Error> {
        let progress = Arc::new(Progress::default());
        let metrics = Metrics::register(metrics);
        let full_queue: Arc<dyn Concern> = Arc::new(FullQueue(metrics.full_queue.clone()));
        let orphans = Orphans::default();
        let forgotten: Arc<dyn Concern> = Arc::new(Forgotten(orphans.clone()));
        let concerns = deps.concerns.iter().cloned().chain([full_queue, forgotten]).collect();
        let readiness = Readiness::new("scheduler");
        let shares = Shares::new(deps.owner.clone(), deps.log.partitions(), Arc::clone(&deps.clock));
        let shares = Arc::new(shares);
        let others = (Arc::clone(&deps.roster), Arc::clone(&shares));
        let watched = Watched { progress: Arc::clone(&progress), readiness: readiness.clone(), concerns };
        let watchdog = Watchdog::new(Arc::clone(&deps.clock), watched, Some(others), config)?;
        Ok(Self { deps, rules, metrics, readiness, progress, shares, orphans, watchdog })
    }

    /// Ready while the scheduler holds its share of the partitions, which may be none.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Owns its share of the partitions until `shutdown`, then commits and gives them back.
    ///
    /// # Errors
    /// [`Error::Task`] if a part ended by a defect. A partition with which something goes wrong is taken
    /// anew.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self { deps, rules, metrics, readiness, progress, shares, orphans, watchdog } = self;
        let shutdown = shutdown.child_token();
        let partitions = deps.log.partitions();
        metrics.all_partitions.set(partitions.into());
        for index in 0..partitions {
            progress.expect(PartitionId(index), deps.clock.elapsed());
        }
        let held = Arc::new(HeldPartitions {
            metrics: metrics.clone(),
            partitions: Mutex::default(),
            changed: Notify::new(),
        });
        let mut holdings = Holdings {
            deps: deps.clone(),
            rules,
            held,
            shares,
            requests: Arc::default(),
            orphans,
            progress,
            readiness,
            shutdown: shutdown.clone(),
            mine: None,
            holding: BTreeMap::new(),
            looked_for_strays_at: deps.clock.elapsed(),
            tasks: JoinSet::new(),
        };
        let mut watching = JoinSet::new();
        watching.spawn(watchdog.run(shutdown.clone()));
        watching.spawn(Arc::clone(&holdings.requests).follow(Arc::clone(&deps.registry), shutdown.clone()));
        let ended = tokio::select! {
            () = holdings.share(&shutdown) => None,
            // Both run until the shutdown.
            Some(ended) = watching.join_next() => ended.err(),
        };
        shutdown.cancel();
        holdings.give_back().await;
        while watching.join_next().await.is_some() {}
        ended.map_or(Ok(()), |ended| Err(Error::Task(ended)))
    }
}

/// The partitions that are held.
struct HeldPartitions {
    metrics: Metrics,
    partitions: Mutex<BTreeSet<PartitionId>>,
    changed: Notify,
}

impl HeldPartitions {
    fn set(&self, partition: PartitionId, held: bool) {
        self.change(|partitions| {
            if held {
                partitions.insert(partition);
            } else {
                partitions.remove(&partition);
            }
        });
    }

    fn clear(&self) {
        self.change(BTreeSet::clear);
    }

    /// Changes the set, and the metric with it: under the one lock, for two partitions are often taken in the
    /// same moment, and the metric must not keep the count of the first.
    fn change(&self, change: impl FnOnce(&mut BTreeSet<PartitionId>)) {
        let mut partitions = self.partitions.lock();
        change(&mut partitions);
        self.metrics.partitions.set(i64::try_from(partitions.len()).unwrap_or(i64::MAX));
        drop(partitions);
        self.changed.notify_one();
    }
}

/// Hands partitions to their owners and calls them back, as schedulers come and go.
struct Holdings {
    deps: Deps,
    rules: TimeRules,
    held: Arc<HeldPartitions>,
    shares: Arc<Shares>,
    requests: Arc<Requests>,
    orphans: Orphans,
    progress: Arc<Progress>,
    readiness: Readiness,
    shutdown: CancellationToken,
    /// The partitions that should be held; `None` until the roster was read.
    mine: Option<BTreeSet<PartitionId>>,
    /// Ends each partition's task. A partition has one task at most, so no task takes what another gives
    /// back.
    holding: BTreeMap<PartitionId, CancellationToken>,
    looked_for_strays_at: Duration,
    tasks: JoinSet<PartitionId>,
}

impl Holdings {
    async fn share(&mut self, shutdown: &CancellationToken) {
        let mut beats = tokio::time::interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let held = Arc::clone(&self.held);
        let mut failing = None;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(ended) = self.tasks.join_next() => self.ended(ended).await,
                () = held.changed.notified() => {}
                _ = beats.tick() => match self.shares.beat(self.deps.roster.as_ref()).await {
                    Ok(mine) => {
                        failing = None;
                        self.assign(mine);
                    }
                    Err(error) => failing = Some(Chain(&error).to_string()),
                },
            }
            self.tell_readiness(failing.as_deref());
        }
    }

    fn assign(&mut self, mine: BTreeSet<PartitionId>) {
        for (partition, stop) in &self.holding {
            if !mine.contains(partition) && !stop.is_cancelled() {
                tracing::info!(partition.id = %partition, "handing a partition over");
                stop.cancel();
            }
        }
        for partition in (0..self.deps.log.partitions()).map(PartitionId) {
            if mine.contains(&partition) {
                self.progress.expect(partition, self.deps.clock.elapsed());
                self.hold(partition);
            } else {
                self.progress.forget(partition);
            }
        }
        self.give_back_strays(&mine);
        self.mine = Some(mine);
    }

    /// Gives back leases that the store has in this scheduler's name and that this scheduler does not know. A
    /// store has them that was restored to an older state, or that carried out a request late. No other
    /// scheduler could take them while this one lives.
    fn give_back_strays(&mut self, mine: &BTreeSet<PartitionId>) {
        let now = self.deps.clock.elapsed();
        if now.saturating_sub(self.looked_for_strays_at) < STRAYS_EVERY {
            return;
        }
        self.looked_for_strays_at = now;
        for partition in (0..self.deps.log.partitions()).map(PartitionId) {
            if mine.contains(&partition) || self.holding.contains_key(&partition) {
                continue;
            }
            // The task ends by itself.
            let stop = CancellationToken::new();
            stop.cancel();
            self.holding.insert(partition, stop);
            let (states, owner) = (Arc::clone(&self.deps.states), self.deps.owner.clone());
            self.tasks.spawn(async move {
                if let Err(error) = give_back_stray(states.as_ref(), partition, &owner).await {
                    tracing::debug!(%partition, error = %Chain(&error), "failed to look up the holder of a partition; trying again");
                }
                partition
            });
        }
    }

    fn hold(&mut self, partition: PartitionId) {
        if self.holding.contains_key(&partition) {
            return;
        }
        let stop = self.shutdown.child_token();
        self.holding.insert(partition, stop.clone());
        let task = PartitionTask {
            id: partition,
            context: OwnerContext {
                deps: self.deps.clone(),
                rules: self.rules,
                metrics: self.held.metrics.clone(),
                progress: Arc::clone(&self.progress),
                requests: Arc::clone(&self.requests),
                orphans: self.orphans.clone(),
            },
            held: Arc::clone(&self.held),
            taker: Taker::new(Arc::clone(&self.shares)),
        };
        self.tasks.spawn(async move {
            task.run(stop).await;
            partition
        });
    }

    async fn ended(&mut self, ended: Result<PartitionId, JoinError>) {
        match ended {
            Ok(partition) => drop(self.holding.remove(&partition)),
            // The error does not say which partition it was: all are taken anew. Leases in our own name are
            // no obstacle.
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the owner of a partition panicked; taking all partitions anew");
                // Until they have ended, they may say that they hold a partition.
                self.tasks.shutdown().await;
                self.held.clear();
                self.holding.clear();
            }
        }
    }

    fn tell_readiness(&self, failing: Option<&str>) {
        self.held.metrics.orphans.set(i64::try_from(self.orphans.count()).unwrap_or(i64::MAX));
        self.readiness.set(Cause::Registry, self.orphans.trouble());
        if let Some(why) = failing {
            self.readiness.set_not_ready(format!("the roster of schedulers cannot be used: {why}"));
            return;
        }
        let Some(mine) = &self.mine else { return };
        let held = self.held.partitions.lock();
        if let Some(missing) = mine.iter().find(|partition| !held.contains(partition)) {
            self.readiness.set_not_ready(format!("it does not hold partition {missing} yet"));
        } else if let Some(stalled) = self.progress.stalled_since(self.deps.clock.elapsed()) {
            self.readiness.set_not_ready(stalled);
        } else {
            self.readiness.set_ready();
        }
    }

    async fn give_back(mut self) {
        self.readiness.set_not_ready("it is stopping");
        while self.tasks.join_next().await.is_some() {}
        if let Err(error) = self.deps.roster.leave(&self.deps.owner).await {
            tracing::warn!(error = %Chain(&error), "failed to leave the roster; the other schedulers will notice");
        }
    }
}

async fn give_back_stray(
    leases: &dyn Leases,
    partition: PartitionId,
    own_name: &str,
) -> Result<(), StateError> {
    let Some(Holder { owner, token }) = leases.holder(partition).await? else { return Ok(()) };
    if owner != own_name {
        return Ok(());
    }
    tracing::warn!(partition.id = %partition, lease = token, "giving back a lease that this scheduler does not know of");
    leases.release(&Lease { partition, token }).await
}

/// Holds one partition until it is stopped, and takes it anew whenever it is lost.
struct PartitionTask {
    id: PartitionId,
    context: OwnerContext,
    held: Arc<HeldPartitions>,
    taker: Taker,
}

impl PartitionTask {
    async fn run(mut self, stop: CancellationToken) {
        let mut rebuilt = None;
        while !stop.is_cancelled() {
            // Must not be cancelled: a lease whose answer is lost would have no task.
            let lease = match self.taker.take(self.context.deps.states.as_ref(), self.id).await {
                Ok(lease) => lease,
                Err(error) => {
                    self.pause(&error.into(), &stop).await;
                    continue;
                }
            };
            match self.own(lease.clone(), rebuilt.take(), &stop).await {
                Ok(Ended::Stopped) => {}
                Ok(Ended::Rebuilt(partition)) => rebuilt = Some(partition),
                Err(error) => {
                    let error = self.judged(error, &lease).await;
                    self.release(&lease).await;
                    self.pause(&error, &stop).await;
                }
            }
        }
    }

    async fn own(
        &self,
        lease: Lease,
        rebuilt: Option<Box<RebuiltPartition>>,
        stop: &CancellationToken,
    ) -> Result<Ended, Error> {
        let owner = Owner::load(self.id, lease, self.context.clone(), rebuilt).await?;
        self.held.set(self.id, true);
        let outcome = owner.run(stop).await;
        self.held.set(self.id, false);
        outcome
    }

    /// Tells what the store forgot from a lease that another scheduler took over: any use of the lease may be
    /// the first that is refused.
    async fn judged(&self, error: Error, lease: &Lease) -> Error {
        let Error::State(refusal) = &error else { return error };
        let is_forgotten = match refusal {
            StateError::Fenced => match self.context.deps.states.holder(self.id).await {
                Ok(holder) => lease.was_forgotten(holder.as_ref()),
                Err(_) => false,
            },
            // The lease is in force, and its store is not where its holder left it.
            StateError::OutOfOrder { .. } => true,
            StateError::Held { .. } | StateError::TooLarge { .. } | StateError::Unavailable(_) => {
                return error;
            }
        };
        if is_forgotten {
            self.held.metrics.forgotten_leases.inc();
            return Error::Forgotten;
        }
        self.held.metrics.fenced_commits.inc();
        error
    }

    /// Gives the partition back, however long it takes: no other scheduler takes it over while this one
    /// lives.
    async fn release(&self, lease: &Lease) {
        while let Err(error) = self.context.deps.states.release(lease).await {
            tracing::warn!(partition.id = %self.id, error = %Chain(&error), "failed to give the partition back; trying again");
            tokio::time::sleep(RETAKE).await;
        }
    }

    async fn pause(&self, error: &Error, stop: &CancellationToken) {
        let pause = if matches!(error, Error::State(StateError::Held { .. })) {
            ASK_AGAIN
        } else {
            tracing::warn!(partition.id = %self.id, error = %Chain(error), "lost the partition; taking it anew");
            RETAKE
        };
        let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metric_counts_partitions_that_are_taken_at_once() {
        let metrics = Metrics::register(&mut MetricsRegistry::default());
        let held = HeldPartitions { metrics, partitions: Mutex::default(), changed: Notify::new() };
        let partitions = 0..8_u16;
        for _ in 0..500 {
            for taken in [true, false] {
                std::thread::scope(|scope| {
                    for partition in partitions.clone().map(PartitionId) {
                        let held = &held;
                        scope.spawn(move || held.set(partition, taken));
                    }
                });
                let expected = if taken { i64::from(partitions.end) } else { 0 };
                assert_eq!(held.metrics.partitions.get(), expected);
            }
        }
    }
}
