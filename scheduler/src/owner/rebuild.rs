//! The owner's part in rebuilding its partition.
//!
//! A task beside the owner reads the log again. When the task has caught up, the owner brings the rebuild to
//! exactly its own position, commits and publishes everything, and compares; the partition stands still
//! meanwhile. A rebuilt partition that is to take this one's place is returned from the owner's run, and put
//! in place under another lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use machine::Partition;
use model::chain::Chain;
use model::flip::{Alert, Flip, State};
use model::ids::MonitorId;
use model::monitor_state::{MonitorState, PartitionHead};
use model::rebuild::{MAX_NAMED, MonitorDifference, RebuildState};

use super::publish;
use super::state::{Owner, RETRY};
use crate::error::Error;
use crate::metrics::RebuildOutcome;
use crate::rebuild::{RebuiltPartition, Sides, Stopped, Ticket, head_differences, monitor_differences};

/// The most states that are loaded from the state store at once.
const COMPARE_STATES: usize = 10_000;
/// The most alerts that are enqueued at once.
const TELL_ALERTS: usize = 500;
/// The most batches of entries that the owner reads to bring a rebuild to its own position.
const LAST_STEPS: usize = 4;
/// The time that a reader has to bring entries that the owner has read already; after it the owner goes on
/// and asks again later.
const LAST_STEP: Duration = Duration::from_secs(1);
/// The age up to which a recovery is published of a monitor that the live state did not know. The queue still
/// recognises an alert of that age if it was published before.
const REMEMBERED: Duration = Duration::from_secs(20 * 3_600);

/// The result of comparing.
#[derive(Default)]
struct Comparison {
    differences: BTreeMap<MonitorId, MonitorDifference>,
    different: u64,
    monitors: u64,
    /// Monitors whose live state differs from the rebuilt one, or began at another time: people were told
    /// something wrong.
    told_wrong: Vec<MonitorId>,
}

impl Owner {
    /// Takes the next steps of a rebuild; the rebuilt partition, once it is to take this one's place.
    ///
    /// # Errors
    /// As for a commit.
    pub(super) async fn rebuild(&mut self) -> Result<Option<Box<RebuiltPartition>>, Error> {
        let rebuilds = &mut self.rebuilds;
        rebuilds.position.store(self.partition.head().applied.0, Ordering::Relaxed);
        while rebuilds.finishing.try_join_next().is_some() {}
        if let Some(done) = rebuilds.computing.try_join_next() {
            match done {
                Ok(Ok(rebuilt)) => rebuilds.computed = Some(rebuilt),
                Ok(Err((ticket, stopped))) => self.give_up(ticket, stopped),
                Err(error) => {
                    tracing::error!(partition.id = %self.id, error = %Chain(&error), "a rebuild panicked");
                }
            }
        }
        self.begin_rebuild();
        let Some(mut rebuilt) = self.rebuilds.computed.take() else { return Ok(None) };
        match self.align(&mut rebuilt).await {
            Ok(true) => self.conclude(rebuilt).await,
            Ok(false) => {
                self.rebuilds.computed = Some(rebuilt);
                Ok(None)
            }
            Err(stopped) => {
                self.give_up(rebuilt.ticket, stopped);
                Ok(None)
            }
        }
    }

    /// Begins the rebuild that is asked for, unless one is under way.
    fn begin_rebuild(&mut self) {
        let rebuilds = &mut self.rebuilds;
        if !rebuilds.computing.is_empty() || rebuilds.computed.is_some() {
            return;
        }
        let asked = rebuilds.requests.open(self.id);
        let Some((revision, rebuild)) = asked.filter(|(_, asked)| rebuilds.newest != Some(asked.id)) else {
            return;
        };
        tracing::info!(
            partition.id = %self.id, verify = rebuild.verify, by = rebuild.requested_by, "rebuilding the partition from its log"
        );
        rebuilds.newest = Some(rebuild.id);
        rebuilds.began_at = self.deps.clock.elapsed();
        let (registry, clock) = (Arc::clone(&self.deps.registry), Arc::clone(&self.deps.clock));
        let ticket = Ticket::new(registry, clock, (revision, rebuild));
        let (deps, position) = (self.deps.clone(), Arc::clone(&rebuilds.position));
        let turn = rebuilds.requests.turn();
        rebuilds.computing.spawn(RebuiltPartition::compute(deps, rebuilds.rules, ticket, turn, position));
    }

    fn give_up(&mut self, ticket: Ticket, stopped: Stopped) {
        match stopped {
            Stopped::Withdrawn => {
                tracing::info!(partition.id = %self.id, "the rebuild was withdrawn or replaced by another request")
            }
            Stopped::Failed(why) => {
                tracing::warn!(partition.id = %self.id, why, "failed to rebuild the partition");
                self.metrics.rebuilt(RebuildOutcome::Failed, self.rebuild_took());
                self.rebuilds.finish(ticket, RebuildState::Failed { why });
            }
        }
    }

    fn rebuild_took(&self) -> Duration {
        self.deps.clock.elapsed().saturating_sub(self.rebuilds.began_at)
    }

    /// Brings a rebuild to exactly this owner's position; whether it got there.
    async fn align(&self, rebuilt: &mut RebuiltPartition) -> Result<bool, Stopped> {
        let applied = self.partition.head().applied;
        for _ in 0..LAST_STEPS {
            match tokio::time::timeout(LAST_STEP, rebuilt.step(&self.deps, applied)).await {
                Ok(there) => {
                    if there? {
                        break;
                    }
                }
                Err(_late) => break,
            }
        }
        rebuilt.ticket.reached(rebuilt.applied(), applied).await?;
        Ok(rebuilt.applied() == applied)
    }

    /// Commits and publishes everything, then compares a rebuild that is at this owner's position.
    async fn conclude(
        &mut self,
        mut rebuilt: Box<RebuiltPartition>,
    ) -> Result<Option<Box<RebuiltPartition>>, Error> {
        let began = self.deps.clock.elapsed();
        self.commit().await?;
        self.publisher.publish(&self.deps, &self.lease, &self.metrics).await?;
        if !self.publisher.is_done() {
            self.rebuilds.computed = Some(rebuilt);
            return Ok(None);
        }
        let verify = rebuilt.ticket.asked().verify;
        if !verify {
            rebuilt.write_history(&self.deps, true).await;
        }
        let found = self.compare(rebuilt.replayer.partition()).await?;
        let stored = self.load_head().await?;
        let report = &mut rebuilt.report;
        report.applied = self.partition.head().applied;
        let head = rebuilt.replayer.partition().head();
        report.head = head_differences(Sides { rebuilt: head, live: self.partition.head(), stored: &stored });
        report.monitors = found.monitors;
        report.different = found.different;
        report.differences = found.differences.into_values().collect();
        if verify {
            report.stood_still_ms = millis(self.deps.clock.elapsed().saturating_sub(began));
            self.say_verified(*rebuilt);
            return Ok(None);
        }
        match self.tell_wrongly_told(&mut rebuilt, &found.told_wrong).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(partition.id = %self.id, error = %Chain(&error), "failed to enqueue the alerts that a rebuild found; trying again");
                tokio::time::sleep(RETRY).await;
                self.rebuilds.computed = Some(rebuilt);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        rebuilt.report.stood_still_ms = millis(self.deps.clock.elapsed().saturating_sub(began));
        self.metrics.rebuilt(RebuildOutcome::Replaced, self.rebuild_took());
        rebuilt.number = self.partition.head().last_number.max(self.known_number.known);
        Ok(Some(rebuilt))
    }

    fn say_verified(&mut self, rebuilt: RebuiltPartition) {
        let RebuiltPartition { ticket, report, .. } = rebuilt;
        let (monitors, different, still_ms) = (report.monitors, report.different, report.stood_still_ms);
        if report.is_equal() {
            tracing::info!(partition.id = %self.id, monitors, still_ms, "the partition agrees with its log");
            self.metrics.rebuilt(RebuildOutcome::Equal, self.rebuild_took());
        } else {
            tracing::warn!(partition.id = %self.id, monitors, different, still_ms, "the partition differs from its log");
            self.metrics.rebuilt(RebuildOutcome::Different, self.rebuild_took());
        }
        self.rebuilds.finish(ticket, RebuildState::Done(Box::new(report)));
    }

    /// Compares, monitor by monitor, the rebuilt state, the one in memory and the one in the state store.
    async fn compare(&self, by_log: &Partition) -> Result<Comparison, Error> {
        let mut ids: Vec<MonitorId> = by_log.monitor_ids().chain(self.partition.monitor_ids()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut ids = ids.into_iter().peekable();
        let mut found = Comparison::default();
        let mut after = None;
        loop {
            let page = self.load_states(after).await?;
            let complete = page.len() < COMPARE_STATES;
            after = page.last().map(|(monitor, _)| *monitor);
            for (monitor, stored) in &page {
                while let Some(absent) = ids.next_if(|id| id < monitor) {
                    self.compare_monitor(by_log, absent, None, &mut found);
                }
                ids.next_if_eq(monitor);
                self.compare_monitor(by_log, *monitor, Some(stored), &mut found);
            }
            if complete {
                ids.for_each(|absent| self.compare_monitor(by_log, absent, None, &mut found));
                return Ok(found);
            }
        }
    }

    fn compare_monitor(
        &self,
        by_log: &Partition,
        monitor: MonitorId,
        stored: Option<&MonitorState>,
        found: &mut Comparison,
    ) {
        let live = self.partition.monitor(monitor);
        found.monitors += 1;
        let fields = monitor_differences(by_log, monitor, live, stored);
        if fields.is_empty() {
            return;
        }
        found.different += 1;
        if found.differences.len() < MAX_NAMED {
            found.differences.insert(monitor, MonitorDifference { monitor, fields });
        }
        let told = |state: &MonitorState| (state.state, state.since);
        if by_log.monitor(monitor).is_some_and(|state| live.map(told) != Some(told(state))) {
            found.told_wrong.push(monitor);
        }
    }

    async fn load_states(&self, after: Option<MonitorId>) -> Result<Vec<(MonitorId, MonitorState)>, Error> {
        loop {
            match self.deps.states.load_states(&self.lease, after, COMPARE_STATES).await {
                Ok(page) => return Ok(page),
                Err(error) if error.is_transient() => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn load_head(&self) -> Result<PartitionHead, Error> {
        loop {
            match self.deps.states.load_head(&self.lease).await {
                Ok(head) => return Ok(head),
                Err(error) if error.is_transient() => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Enqueues the alerts of the flips that led to states that the live partition did not have. They carry
    /// no running number, because numbers follow from the log alone. An alert that was published before has
    /// the same id, so the queue drops it.
    async fn tell_wrongly_told(
        &self,
        rebuilt: &mut RebuiltPartition,
        monitors: &[MonitorId],
    ) -> Result<(), Error> {
        let mut alerts = Vec::new();
        let mut untold = 0;
        for monitor in monitors {
            let state = rebuilt.replayer.partition().monitor(*monitor);
            let Some(state) = state.cloned() else { continue };
            let computed = rebuilt.last_flips.get(monitor).cloned();
            match self.flip_that_led_to(*monitor, state, computed).await? {
                StateAlert::Flip(flip) => alerts.push(Alert::Flip(*flip)),
                StateAlert::None => {}
                StateAlert::Unknown => untold += 1,
            }
        }
        alerts.sort_by_key(Alert::at);
        for some in alerts.chunks(TELL_ALERTS) {
            let messages = some.iter().map(|alert| publish::message(self.id, alert, None)).collect();
            self.deps.alerts.enqueue(messages).await?;
        }
        rebuilt.report.alerts = alerts.len() as u64;
        rebuilt.report.untold = untold;
        Ok(())
    }

    /// The flip that led to a monitor's state. `last` is the last flip that was computed.
    async fn flip_that_led_to(
        &self,
        monitor: MonitorId,
        state: MonitorState,
        last: Option<Flip>,
    ) -> Result<StateAlert, Error> {
        let led_here = |flip: &Flip| flip.to == state.state && flip.at == state.since;
        let down = || state.incident.as_deref().map(|incident| incident.down.clone());
        let computed = last.filter(led_here).or_else(down);
        let flip = match (computed, state.state) {
            (Some(flip), _) => flip,
            (None, State::New | State::Paused) => return Ok(StateAlert::None),
            (None, State::Up | State::Down) => {
                let newest = self.deps.history.flips(monitor, None, MAX_NAMED).await?;
                match newest.into_iter().find(led_here) {
                    Some(flip) => flip,
                    None => return Ok(StateAlert::Unknown),
                }
            }
        };
        let is_news = self.partition.monitor(monitor).is_some()
            || flip.to == State::Down
            || self.deps.clock.now().since(flip.at) < REMEMBERED;
        Ok(if flip.pages() && is_news { StateAlert::Flip(Box::new(flip)) } else { StateAlert::None })
    }
}

/// The alert that a state should have led to.
enum StateAlert {
    Flip(Box<Flip>),
    /// The state leads to no alert.
    None,
    /// The flip is not known any more.
    Unknown,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
