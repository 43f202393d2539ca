//! The metrics of the scheduler.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use model::flip::{Flip, Reason};
use model::ids::PartitionId;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Labels of the flip counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FlipLabels {
    reason: ReasonLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ReasonLabel(Reason);

impl EncodeLabelValue for ReasonLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0.as_str(), encoder)
    }
}

/// Labels of what is counted for each partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartitionLabels {
    /// The partition's number.
    pub partition: u32,
}

/// A histogram of seconds from 0.5 ms to 8 s.
#[derive(Debug, Clone)]
pub struct CommitSeconds(Histogram);

impl Default for CommitSeconds {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.000_5, 2.0, 15)))
    }
}

impl CommitSeconds {
    /// Counts one.
    pub fn observe(&self, seconds: f64) {
        self.0.observe(seconds);
    }
}

/// The outcome of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum RebuildOutcome {
    /// The partition is as its log says.
    Equal,
    /// The partition differs from its log.
    Different,
    /// The rebuilt partition took its place.
    Replaced,
    /// The rebuild failed.
    Failed,
}

impl RebuildOutcome {
    const ALL: [Self; 4] = [Self::Equal, Self::Different, Self::Replaced, Self::Failed];
}

/// Labels of the counter of rebuilds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RebuildLabels {
    outcome: RebuildOutcome,
}

/// A histogram of seconds from 0.1 s to 7 hours.
#[derive(Debug, Clone)]
pub struct RebuildSeconds(Histogram);

impl Default for RebuildSeconds {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.1, 4.0, 10)))
    }
}

/// The scheduler's metrics.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Heartbeats applied.
    pub heartbeats: Counter,
    /// Log entries applied.
    pub frames: Counter,
    /// Log entries that could not be read.
    pub damaged_frames: Counter,
    /// Commits.
    pub commits: Counter,
    /// Changed monitors in commits.
    pub committed_monitors: Counter,
    /// Commits that were refused because the lease was gone.
    pub fenced_commits: Counter,
    /// Leases that the state store forgot.
    pub forgotten_leases: Counter,
    /// Monitors that have a state and no definition, because the registry was lost.
    pub orphans: Gauge,
    /// Flips by reason.
    pub flips: Family<FlipLabels, Counter>,
    /// Alerts handed to the queue.
    pub alerts: Counter,
    /// Definitions that were in the registry only.
    pub reconciled_definitions: Counter,
    /// Partitions of the installation.
    pub all_partitions: Gauge,
    /// Partitions held.
    pub partitions: Gauge,
    /// Monitors held, for each partition.
    pub monitors: Family<PartitionLabels, Gauge>,
    /// Alerts that are committed and not in the alert queue yet, for each partition.
    pub outbox: Family<PartitionLabels, Gauge>,
    /// 1 while the alert queue is full.
    pub full_queue: Gauge,
    /// How long commits take.
    pub commit_seconds: CommitSeconds,
    /// Checkpoints written.
    pub checkpoints: Counter,
    /// Partitions whose state came from a checkpoint.
    pub restored: Counter,
    /// Log entries that were gone before they were read.
    pub lost_entries: Counter,
    /// Parts of imported histories that their monitors did not take.
    pub refused_imports: Counter,
    /// Rebuilds by outcome.
    pub rebuilds: Family<RebuildLabels, Counter>,
    /// How long rebuilds take.
    pub rebuild_seconds: RebuildSeconds,
    /// Seconds from the watermark to now, for each partition.
    pub watermark_lag: Family<PartitionLabels, Gauge<f64, AtomicU64>>,
    /// Deaf gaps that are remembered, for each partition.
    pub gaps: Family<PartitionLabels, Gauge>,
    /// Seconds of deaf time that are remembered, for each partition.
    pub deaf_seconds: Family<PartitionLabels, Gauge>,
    /// Seconds since the watermark of the newest checkpoint, for each partition; nothing while none is known.
    pub checkpoint_age: Family<PartitionLabels, Gauge<f64, AtomicU64>>,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = &metrics;
        let mut counter = |name, help, counter: &Counter| registry.register(name, help, counter.clone());
        counter("lubdub_scheduler_heartbeats", "Heartbeats applied", &m.heartbeats);
        counter("lubdub_scheduler_frames", "Log entries applied", &m.frames);
        counter("lubdub_scheduler_damaged_frames", "Log entries that could not be read", &m.damaged_frames);
        counter("lubdub_scheduler_commits", "Commits to the state store", &m.commits);
        counter("lubdub_scheduler_committed_monitors", "Changed monitors in commits", &m.committed_monitors);
        counter("lubdub_scheduler_fenced_commits", "Leases that were taken over", &m.fenced_commits);
        counter(
            "lubdub_scheduler_forgotten_leases",
            "Leases that the state store forgot, as after a wipe",
            &m.forgotten_leases,
        );
        counter("lubdub_scheduler_alerts", "Alerts handed to the alert queue", &m.alerts);
        counter(
            "lubdub_scheduler_reconciled_definitions",
            "Definitions that were in the registry and not in the log",
            &m.reconciled_definitions,
        );
        counter("lubdub_scheduler_checkpoints", "Checkpoints written", &m.checkpoints);
        counter("lubdub_scheduler_restored", "Partitions whose state came from a checkpoint", &m.restored);
        counter(
            "lubdub_scheduler_lost_entries",
            "Log entries that were gone before they were read",
            &m.lost_entries,
        );
        counter(
            "lubdub_scheduler_refused_imports",
            "Parts of imported histories that their monitors did not take",
            &m.refused_imports,
        );
        registry.register("lubdub_scheduler_commit_seconds", "Time of a commit", m.commit_seconds.0.clone());
        registry.register(
            "lubdub_scheduler_outbox_alerts",
            "Alerts committed and not yet in the queue",
            m.outbox.clone(),
        );
        registry.register(
            "lubdub_scheduler_full_queue",
            "1 while the alert queue takes no more alerts",
            m.full_queue.clone(),
        );
        // A counter that is there from the beginning is seen to rise.
        for outcome in RebuildOutcome::ALL {
            drop(m.rebuilds.get_or_create(&RebuildLabels { outcome }));
        }
        for reason in Reason::ALL {
            drop(m.flips.get_or_create(&FlipLabels { reason: ReasonLabel(reason) }));
        }
        registry.register("lubdub_scheduler_rebuilds", "Rebuilds by outcome", m.rebuilds.clone());
        registry.register(
            "lubdub_scheduler_rebuild_seconds",
            "Time of a rebuild",
            m.rebuild_seconds.0.clone(),
        );
        registry.register("lubdub_scheduler_flips", "Flips by reason", m.flips.clone());
        registry.register("lubdub_partitions", "Partitions of the installation", m.all_partitions.clone());
        registry.register("lubdub_scheduler_partitions", "Partitions held", m.partitions.clone());
        registry.register("lubdub_scheduler_monitors", "Monitors held", m.monitors.clone());
        registry.register(
            "lubdub_scheduler_orphans",
            "Monitors whose states are known while the registry knows of no monitor",
            m.orphans.clone(),
        );
        registry.register(
            "lubdub_scheduler_watermark_lag_seconds",
            "From the watermark to now",
            m.watermark_lag.clone(),
        );
        registry.register("lubdub_scheduler_deaf_gaps", "Deaf gaps remembered", m.gaps.clone());
        registry.register("lubdub_scheduler_deaf_seconds", "Deaf time remembered", m.deaf_seconds.clone());
        registry.register(
            "lubdub_scheduler_checkpoint_age_seconds",
            "From the watermark of the newest checkpoint to now",
            m.checkpoint_age.clone(),
        );
        metrics
    }

    /// Counts a rebuild.
    pub fn rebuilt(&self, outcome: RebuildOutcome, took: Duration) {
        self.rebuilds.get_or_create(&RebuildLabels { outcome }).inc();
        self.rebuild_seconds.0.observe(took.as_secs_f64());
    }

    /// The series of a partition that is taken.
    pub fn of_partition(&self, partition: PartitionId) -> PartitionSeries {
        PartitionSeries { metrics: self.clone(), labels: PartitionLabels { partition: partition.0.into() } }
    }

    /// Counts a flip.
    pub fn flip(&self, flip: &Flip) {
        self.flips.get_or_create(&FlipLabels { reason: ReasonLabel(flip.reason) }).inc();
    }
}

/// What a scheduler says of one partition that it holds. The series go when the partition is given away: a
/// figure that stands still would look like a partition that does.
#[derive(Debug)]
pub struct PartitionSeries {
    metrics: Metrics,
    labels: PartitionLabels,
}

/// The figures of a partition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartitionFigures {
    /// From the watermark to now, in seconds; `None` = there is no watermark yet.
    pub lag: Option<f64>,
    /// Deaf gaps that are remembered.
    pub gaps: i64,
    /// Their seconds.
    pub deaf_seconds: i64,
    /// Monitors.
    pub monitors: i64,
    /// Alerts that are committed and not in the alert queue yet.
    pub outbox: i64,
    /// From the watermark of the newest checkpoint to now, in seconds; `None` = none is known.
    pub checkpoint_age: Option<f64>,
}

impl PartitionSeries {
    /// Sets them.
    pub fn set(&self, figures: PartitionFigures) {
        let (of, labels) = (&self.metrics, &self.labels);
        if let Some(lag) = figures.lag {
            of.watermark_lag.get_or_create(labels).set(lag);
        }
        of.gaps.get_or_create(labels).set(figures.gaps);
        of.deaf_seconds.get_or_create(labels).set(figures.deaf_seconds);
        of.monitors.get_or_create(labels).set(figures.monitors);
        of.outbox.get_or_create(labels).set(figures.outbox);
        if let Some(age) = figures.checkpoint_age {
            of.checkpoint_age.get_or_create(labels).set(age);
        }
    }
}

impl Drop for PartitionSeries {
    fn drop(&mut self) {
        let (of, labels) = (&self.metrics, &self.labels);
        of.watermark_lag.remove(labels);
        of.checkpoint_age.remove(labels);
        for family in [&of.gaps, &of.deaf_seconds, &of.monitors, &of.outbox] {
            family.remove(labels);
        }
        // Whoever holds a partition still says so again, with its next alert.
        of.full_queue.set(0);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("text");
        text
    }

    #[test]
    fn what_did_not_happen_yet_is_counted_as_none() {
        let mut registry = Registry::default();
        drop(Metrics::register(&mut registry));
        let said = shown(&registry);
        for reason in Reason::ALL {
            let line = format!("lubdub_scheduler_flips_total{{reason=\"{}\"}} 0", reason.as_str());
            assert!(said.lines().any(|found| found == line), "{line} in\n{said}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_partition_that_was_given_away() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let figures = PartitionFigures {
            lag: Some(591.391),
            gaps: 1,
            deaf_seconds: 7,
            monitors: 5,
            outbox: 2,
            checkpoint_age: Some(12.5),
        };
        let (kept, given) = (metrics.of_partition(PartitionId(0)), metrics.of_partition(PartitionId(1)));
        kept.set(figures);
        given.set(figures);
        metrics.full_queue.set(1);
        let said = shown(&registry);
        assert!(said.contains("lubdub_scheduler_watermark_lag_seconds{partition=\"1\"} 591.391"), "{said}");
        drop(given);
        let said = shown(&registry);
        assert!(!said.contains("partition=\"1\""), "{said}");
        assert_eq!(said.matches("partition=\"0\"").count(), 6, "{said}");
        assert!(said.contains("lubdub_scheduler_full_queue 0"), "{said}");
    }
}
