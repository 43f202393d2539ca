//! Puts definitions into the log that are in the registry only: a console may die between writing the one and the other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::chain::Chain;
use common::model::ids::{MonitorId, PartitionId, Revision};
use common::model::monitor::{DefinitionChange, Monitor};
use common::ports::registry::{Record, RecordKey, RecordKind};
use common::wire;
use common::wire::frame::{Frame, Listening};

use crate::error::Error;
use crate::metrics::Metrics;
use crate::partition::Partition;
use crate::service::Deps;

/// Records compared in one step.
const STEP_RECORDS: usize = 500;
/// Pause between two passes, and what is added to it for each thousand monitors, so that a pass over a million does not
/// keep a processor busy.
const PASS_EVERY: Duration = Duration::from_secs(60);
const PASS_EVERY_THOUSAND: Duration = Duration::from_millis(500);

/// Compares the registry with a partition's states, a page at a time between batches of the log.
pub(crate) struct Reconciler {
    boot: u64,
    frames: u64,
    /// When the next pass may begin, by the clock's elapsed time.
    next_pass: Duration,
    pass: Option<Pass>,
}

struct Pass {
    after: Option<String>,
    /// Monitors that had a state when the pass began and were not met in the registry.
    unmet: HashSet<MonitorId>,
    listed: bool,
}

impl Reconciler {
    /// The first pass begins at once.
    pub(crate) fn new(now: Duration) -> Self {
        Self { boot: rand::random(), frames: 0, next_pass: now, pass: None }
    }

    /// Whether a pass is under way.
    pub(crate) const fn is_busy(&self) -> bool {
        self.pass.is_some()
    }

    /// Does one step if a pass is due or under way. A step that fails is repeated with the next call.
    pub(crate) async fn step(
        &mut self,
        deps: &Deps,
        id: PartitionId,
        partition: &Partition,
        metrics: &Metrics,
    ) {
        let now = deps.clock.elapsed();
        if self.pass.is_none() && now < self.next_pass {
            return;
        }
        let pass = self.pass.take().unwrap_or_else(|| Pass {
            after: None,
            unmet: partition.monitor_ids().collect(),
            listed: false,
        });
        match self.compare(pass, deps, id, partition, metrics).await {
            Ok(Some(pass)) => self.pass = Some(pass),
            Ok(None) => {
                let thousands = u32::try_from(partition.len() / 1_000).unwrap_or(u32::MAX);
                self.next_pass = now + PASS_EVERY + PASS_EVERY_THOUSAND.saturating_mul(thousands);
            }
            Err(error) => {
                tracing::warn!(partition = %id, error = %Chain(&error), "failed to reconcile definitions; trying again");
                self.next_pass = now + PASS_EVERY;
            }
        }
    }

    async fn compare(
        &mut self,
        mut pass: Pass,
        deps: &Deps,
        id: PartitionId,
        partition: &Partition,
        metrics: &Metrics,
    ) -> Result<Option<Pass>, Error> {
        let mut missing = Vec::new();
        if !pass.listed {
            let page = deps.registry.list(RecordKind::Monitor, pass.after.as_deref(), STEP_RECORDS).await?;
            pass.listed = page.len() < STEP_RECORDS;
            pass.after = page.last().map(|record| record.key.id.clone());
            for record in page {
                missing.extend(self.missing_definition(&record, deps, id, partition, &mut pass));
            }
        } else {
            let batch: Vec<MonitorId> = pass.unmet.iter().copied().take(STEP_RECORDS).collect();
            for monitor in batch {
                pass.unmet.remove(&monitor);
                let known = deps.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?;
                let revision = partition.monitor(monitor).map(|state| state.revision);
                if let (None, Some(revision)) = (known, revision) {
                    missing.push(DefinitionChange {
                        monitor,
                        revision,
                        at: deps.clock.now(),
                        definition: None,
                    });
                }
            }
        }
        if !missing.is_empty() {
            metrics.reconciled_definitions.inc_by(missing.len() as u64);
            tracing::info!(partition = %id, definitions = missing.len(), "put definitions into the log that it lacked");
            self.append(deps, id, missing).await?;
        }
        let complete = pass.listed && pass.unmet.is_empty();
        Ok((!complete).then_some(pass))
    }

    fn missing_definition(
        &self,
        record: &Record,
        deps: &Deps,
        id: PartitionId,
        partition: &Partition,
        pass: &mut Pass,
    ) -> Option<DefinitionChange> {
        let monitor: Monitor = match wire::decode(&record.value) {
            Ok(monitor) => monitor,
            Err(error) => {
                tracing::error!(monitor = record.key.id, error = %Chain(&error), "failed to read a monitor from the registry");
                // It exists, whatever it says.
                if let Ok(unreadable) = record.key.id.parse() {
                    pass.unmet.remove(&unreadable);
                }
                return None;
            }
        };
        if monitor.id.partition(deps.log.partitions()) != id {
            return None;
        }
        pass.unmet.remove(&monitor.id);
        let known = partition.monitor(monitor.id);
        let revision = known.map_or(Revision(0), |state| state.revision);
        let same = known.is_some_and(|state| state.definition.as_ref() == Some(&monitor.definition));
        (record.revision > revision && !same).then(|| DefinitionChange {
            monitor: monitor.id,
            revision: record.revision,
            at: monitor.updated_at,
            definition: Some(monitor.definition),
        })
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
        };
        deps.log.append(id, Arc::new(frame)).await?;
        Ok(())
    }
}
