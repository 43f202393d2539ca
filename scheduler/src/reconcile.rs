//! Appends definitions to the log that are in the registry only: a console may die between writing to the
//! two, and a registry that was set back gives its edits numbers that the log knows already.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::ids::{MonitorId, Offset, PartitionId, Revision};
use model::monitor::{DefinitionChange, Monitor};
use model::wire;
use model::wire::frame::{Frame, Listening};
use ports::registry::{RecordKey, RecordKind, RegistryError};
use tokio::task::JoinSet;

use crate::deps::Deps;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::orphans::PartitionOrphans;
use machine::partition::Partition;

/// The number of monitors compared in one step.
const STEP_MONITORS: usize = 500;
/// The pause between two passes, and what each thousand monitors add to it, so that a pass over a million
/// does not keep a processor busy.
const PASS_EVERY: Duration = Duration::from_secs(60);
const PASS_EVERY_THOUSAND: Duration = Duration::from_millis(500);
/// The time between listing the registry and comparing, in which consoles append what they have just written.
const SETTLE: Duration = Duration::from_secs(5);

/// Compares the registry with a partition's states, a step at a time between batches of the log.
pub(crate) struct Reconciler {
    boot: u64,
    frames: u64,
    /// When the next step may be made, by the clock's elapsed time.
    next_step: Duration,
    /// No pass begins before this entry was applied: an owner that is behind would miss definitions that are
    /// in the log.
    begins_after: Offset,
    stage: Stage,
    /// Records that change nothing in their monitor's definition (its name was changed), so that they are
    /// read once.
    read: HashMap<MonitorId, Revision>,
    /// Whether the registry gives numbers again that the log knows. Then even an equal number may be that of
    /// another definition.
    was_set_back: bool,
    orphans: PartitionOrphans,
}

enum Stage {
    /// Waiting until the next pass.
    Resting,
    /// Reading a million monitors from the registry takes seconds, and the partition does not wait for that.
    Listing(JoinSet<Result<Listed, RegistryError>>),
    Comparing(Pass),
}

/// The monitors of a partition as the registry has them.
struct Listed {
    monitors: Monitors,
    /// Whether the registry knows of no monitor at all, of whatever partition: it was lost.
    is_blank: bool,
}

type Monitors = Vec<(MonitorId, Revision)>;

struct Pass {
    /// The records of the registry that are not compared yet.
    listed: Monitors,
    /// Monitors that have a state and were not met in the registry.
    unmet: HashSet<MonitorId>,
}

impl Reconciler {
    /// The first pass begins as soon as everything up to `begins_after` is applied.
    pub(crate) fn new(now: Duration, begins_after: Offset, orphans: PartitionOrphans) -> Self {
        let stage = Stage::Resting;
        Self {
            boot: rand::random(),
            frames: 0,
            next_step: now,
            begins_after,
            stage,
            read: HashMap::new(),
            was_set_back: false,
            orphans,
        }
    }

    /// Whether the next step is due at once.
    pub(crate) fn is_busy(&self, now: Duration) -> bool {
        match self.stage {
            Stage::Resting => false,
            Stage::Listing(_) | Stage::Comparing(_) => now >= self.next_step,
        }
    }

    /// Does one step if one is due. A step that fails is repeated with the next pass.
    pub(crate) async fn step(
        &mut self,
        deps: &Deps,
        id: PartitionId,
        partition: &Partition,
        metrics: &Metrics,
    ) {
        let now = deps.clock.elapsed();
        if now < self.next_step || partition.head().applied < self.begins_after {
            return;
        }
        let stepped = match std::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Resting => Ok(list(deps, id)),
            Stage::Listing(listing) => self.listed(listing, deps, id, partition),
            Stage::Comparing(pass) => self.compare(pass, deps, id, partition, metrics).await,
        };
        match stepped {
            Ok(stage @ (Stage::Listing(_) | Stage::Comparing(_))) => self.stage = stage,
            Ok(Stage::Resting) => {
                let thousands = u32::try_from(partition.len() / 1_000).unwrap_or(u32::MAX);
                self.next_step = now + PASS_EVERY + PASS_EVERY_THOUSAND.saturating_mul(thousands);
            }
            Err(error) => {
                tracing::warn!(partition.id = %id, error = %Chain(&error), "failed to reconcile definitions; trying again");
                self.next_step = now + PASS_EVERY;
            }
        }
    }

    /// Goes on to comparing, if the registry has been read.
    fn listed(
        &mut self,
        mut listing: JoinSet<Result<Listed, RegistryError>>,
        deps: &Deps,
        id: PartitionId,
        partition: &Partition,
    ) -> Result<Stage, Error> {
        let listed = match listing.try_join_next() {
            None if listing.is_empty() => return Ok(Stage::Resting),
            None => return Ok(Stage::Listing(listing)),
            Some(Ok(listed)) => listed?,
            Some(Err(error)) => {
                tracing::error!(error = %Chain(&error), "the task that reads the registry panicked");
                return Ok(Stage::Resting);
            }
        };
        let mut unmet: HashSet<MonitorId> = partition.monitor_ids().collect();
        self.orphans.set(if listed.is_blank { unmet.len() } else { 0 });
        if listed.is_blank {
            if !unmet.is_empty() {
                tracing::error!(
                    partition.id = %id, monitors = unmet.len(),
                    "the registry knows of no monitor, and these have states: it was lost; nothing is removed"
                );
            }
            return Ok(Stage::Resting);
        }
        let listed = listed.monitors;
        for (monitor, _) in &listed {
            unmet.remove(monitor);
        }
        self.read.retain(|monitor, _| partition.monitor(*monitor).is_some());
        self.next_step = deps.clock.elapsed() + SETTLE;
        Ok(Stage::Comparing(Pass { listed, unmet }))
    }

    async fn compare(
        &mut self,
        mut pass: Pass,
        deps: &Deps,
        id: PartitionId,
        partition: &Partition,
        metrics: &Metrics,
    ) -> Result<Stage, Error> {
        let mut missing = Vec::new();
        let rest = pass.listed.len().saturating_sub(STEP_MONITORS);
        for (monitor, revision) in pass.listed.split_off(rest) {
            let known = partition.monitor(monitor).map(|state| state.revision).unwrap_or_default();
            let may_differ = revision != known || self.was_set_back;
            if may_differ && self.read.get(&monitor) != Some(&revision) {
                missing.extend(self.missing_definition(deps, partition, monitor).await?);
            }
        }
        if rest == 0 {
            let gone: Vec<MonitorId> = pass.unmet.iter().copied().take(STEP_MONITORS).collect();
            for monitor in gone {
                pass.unmet.remove(&monitor);
                let known = deps.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?;
                let revision = partition.monitor(monitor).map(|state| state.revision);
                if let (None, Some(revision)) = (known, revision) {
                    let at = deps.clock.now();
                    missing.push(DefinitionChange { monitor, revision, at, definition: None });
                }
            }
        }
        if !missing.is_empty() {
            metrics.reconciled_definitions.inc_by(missing.len() as u64);
            tracing::info!(partition.id = %id, definitions = missing.len(), "appended definitions that the log lacked");
            self.append(deps, id, missing).await?;
        }
        let complete = pass.listed.is_empty() && pass.unmet.is_empty();
        Ok(if complete { Stage::Resting } else { Stage::Comparing(pass) })
    }

    async fn missing_definition(
        &mut self,
        deps: &Deps,
        partition: &Partition,
        id: MonitorId,
    ) -> Result<Option<DefinitionChange>, Error> {
        let record = deps.registry.get(&RecordKey::new(RecordKind::Monitor, id)).await?;
        let Some(record) = record else { return Ok(None) };
        let monitor: Monitor = match wire::decode(&record.value) {
            Ok(monitor) => monitor,
            Err(error) => {
                tracing::error!(monitor.id = record.key.id, error = %Chain(&error), "failed to read a monitor from the registry");
                return Ok(None);
            }
        };
        let known = partition.monitor(id);
        self.was_set_back |= known.is_some_and(|state| record.revision < state.revision);
        if known.is_some_and(|state| state.definition.as_ref() == Some(&monitor.definition)) {
            self.read.insert(id, record.revision);
            return Ok(None);
        }
        let (mut revision, mut at) = (record.revision, monitor.updated_at);
        if let Some(state) = known
            && revision <= state.revision
        {
            // The registry was set back, and its numbers repeat. People see and edit what it says now.
            tracing::warn!(
                monitor.id = %id,
                record.revision = revision.0,
                "the log knows a later number of this monitor, as after a restore of the registry; appending its definition under a new one"
            );
            (revision, at) = (Revision(state.revision.0.saturating_add(1)), deps.clock.now());
        }
        Ok(Some(DefinitionChange { monitor: id, revision, at, definition: Some(monitor.definition) }))
    }

    async fn append(
        &mut self,
        deps: &Deps,
        id: PartitionId,
        definitions: Vec<DefinitionChange>,
    ) -> Result<(), Error> {
        self.frames += 1;
        let frame = Frame {
            node: deps.owner.clone(),
            boot: self.boot,
            number: self.frames,
            sealed_at: deps.clock.now(),
            listening: Listening::No,
            refused: 0,
            heartbeats: Vec::new(),
            definitions,
            imported: Vec::new(),
        };
        deps.log.append(id, Arc::new(frame)).await?;
        Ok(())
    }
}

/// Begins to read the registry.
fn list(deps: &Deps, id: PartitionId) -> Stage {
    let (registry, partitions) = (Arc::clone(&deps.registry), deps.log.partitions());
    let mut listing = JoinSet::new();
    listing.spawn(async move {
        let monitors = registry.revisions(id, partitions).await?;
        let is_blank = monitors.is_empty() && !registry.is_known(RecordKind::Monitor).await?;
        Ok(Listed { monitors, is_blank })
    });
    Stage::Listing(listing)
}
