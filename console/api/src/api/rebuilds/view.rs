//! Rebuilds as they are shown.

use model::rebuild::{Difference, Rebuild, RebuildFrom, RebuildReport, RebuildState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::shown::Time;

/// A rebuild of a partition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rebuild)]
pub(super) struct RebuildView {
    #[schema(format = Uuid)]
    id: String,
    partition: u16,
    /// Compare only, and change nothing.
    verify: bool,
    /// Heartbeats are written to the history again.
    history: bool,
    #[schema(value_type = RebuildBeginning)]
    from: &'static str,
    requested_at: Time,
    /// The name of the key by which it was asked for.
    requested_by: String,
    updated_at: Time,
    #[schema(value_type = RebuildStage)]
    state: &'static str,
    /// While it runs: the log's entry that was read last.
    applied: Option<u64>,
    /// While it runs: the log's entry up to which it is read.
    through: Option<u64>,
    /// Why it failed.
    why: Option<String>,
    /// What came of it.
    report: Option<ReportView>,
}

/// Where a rebuild begins.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
pub(super) enum RebuildBeginning {
    Oldest,
    Newest,
}

/// How far a rebuild came.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
pub(super) enum RebuildStage {
    Waiting,
    Running,
    Done,
    Failed,
}

/// A rebuild that is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
pub(super) struct RebuildCreate {
    /// Which partition; all if not given.
    partition: Option<u16>,
    /// True compares only, false puts what the log says in place of the live state.
    verify: bool,
    /// Write the heartbeats of the log to the history again: after a lost Redis. Not together with `verify`.
    history: Option<bool>,
    /// `oldest` (if not given) begins as early as the log allows, `newest` at the newest checkpoint.
    from: Option<RebuildBeginning>,
}

/// What came of a rebuild.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RebuildReport)]
struct ReportView {
    /// Whether nothing differs.
    equal: bool,
    /// Monitors that were compared.
    monitors: u64,
    /// Monitors that differ.
    different: u64,
    /// The first 100 of them.
    differences: Vec<MonitorDifferenceView>,
    /// What differs of the partition itself.
    head: Vec<DifferenceView>,
    /// Heartbeats read.
    heartbeats: u64,
    /// Log entries that cannot be read, and were passed over.
    damaged: u64,
    /// The offsets of the first 100 of them.
    damaged_at: Vec<u64>,
    /// The log was read from behind this entry on; 0 = from its beginning.
    began_after: u64,
    /// Where it began at a checkpoint: what was before this time is taken from there, not computed again.
    known_since: Option<Time>,
    /// The entry behind which both were compared.
    applied: u64,
    /// Whether the live state was replaced.
    replaced: bool,
    /// Alerts that were told because the live state did not know of them; one that had been told before is told once.
    alerts: u64,
    /// Monitors whose live state was wrong and whose right alert is not known any more.
    untold: u64,
    /// How long the partition stood still to be compared.
    stood_still_ms: u64,
}

/// A monitor that differs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RebuildMonitorDifference)]
struct MonitorDifferenceView {
    #[schema(format = Uuid)]
    monitor: String,
    fields: Vec<DifferenceView>,
}

/// A field that differs; null where a side has nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RebuildDifference)]
struct DifferenceView {
    field: String,
    /// By the log.
    rebuilt: Option<String>,
    /// By what the scheduler has in memory.
    live: Option<String>,
    /// By what the state store has.
    stored: Option<String>,
}

impl RebuildView {
    pub(super) fn new(rebuild: &Rebuild) -> Self {
        let mut view = Self {
            id: rebuild.id.to_string(),
            partition: rebuild.partition.0,
            verify: rebuild.verify,
            history: rebuild.history,
            from: match rebuild.from {
                RebuildFrom::Oldest => "oldest",
                RebuildFrom::Newest => "newest",
            },
            requested_at: Time(rebuild.requested_at),
            requested_by: rebuild.requested_by.clone(),
            updated_at: Time(rebuild.updated_at),
            state: "waiting",
            applied: None,
            through: None,
            why: None,
            report: None,
        };
        match &rebuild.state {
            RebuildState::Waiting => {}
            RebuildState::Running { applied, through } => {
                view.state = "running";
                view.applied = Some(applied.0);
                view.through = Some(through.0);
            }
            RebuildState::Done(report) => {
                view.state = "done";
                view.report = Some(ReportView::new(report));
            }
            RebuildState::Failed { why } => {
                view.state = "failed";
                view.why = Some(why.clone());
            }
        }
        view
    }
}

impl ReportView {
    fn new(report: &RebuildReport) -> Self {
        let monitor = |found: &model::rebuild::MonitorDifference| MonitorDifferenceView {
            monitor: found.monitor.to_string(),
            fields: found.fields.iter().map(difference).collect(),
        };
        Self {
            equal: report.is_equal(),
            monitors: report.monitors,
            different: report.different,
            differences: report.differences.iter().map(monitor).collect(),
            head: report.head.iter().map(difference).collect(),
            heartbeats: report.heartbeats,
            damaged: report.damaged,
            damaged_at: report.damaged_at.iter().map(|offset| offset.0).collect(),
            began_after: report.began_after.0,
            known_since: report.known_since.map(Time),
            applied: report.applied.0,
            replaced: report.replaced,
            alerts: report.alerts,
            untold: report.untold,
            stood_still_ms: report.stood_still_ms,
        }
    }
}

fn difference(found: &Difference) -> DifferenceView {
    let Difference { field, rebuilt, live, stored } = found.clone();
    DifferenceView { field, rebuilt, live, stored }
}
