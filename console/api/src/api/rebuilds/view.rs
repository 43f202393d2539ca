//! The views of rebuilds.

use api::rebuilds::{
    DifferenceView, MonitorDifferenceView, RebuildBeginning, RebuildStage, RebuildView, ReportView,
};
use api::time::Time;
use model::rebuild::{Difference, Rebuild, RebuildFrom, RebuildReport, RebuildState};

/// The view of a rebuild.
pub(super) fn view(rebuild: &Rebuild) -> RebuildView {
    let mut view = RebuildView {
        id: rebuild.id.to_string(),
        partition: rebuild.partition.0,
        verify: rebuild.verify,
        history: rebuild.history,
        from: match rebuild.from {
            RebuildFrom::Oldest => RebuildBeginning::Oldest,
            RebuildFrom::Newest => RebuildBeginning::Newest,
        },
        requested_at: Time(rebuild.requested_at),
        requested_by: rebuild.requested_by.clone(),
        updated_at: Time(rebuild.updated_at),
        state: RebuildStage::Waiting,
        applied: None,
        through: None,
        why: None,
        report: None,
    };
    match &rebuild.state {
        RebuildState::Waiting => {}
        RebuildState::Running { applied, through } => {
            view.state = RebuildStage::Running;
            view.applied = Some(applied.0);
            view.through = Some(through.0);
        }
        RebuildState::Done(report) => {
            view.state = RebuildStage::Done;
            view.report = Some(report_view(report));
        }
        RebuildState::Failed { why } => {
            view.state = RebuildStage::Failed;
            view.why = Some(why.clone());
        }
    }
    view
}

fn report_view(report: &RebuildReport) -> ReportView {
    let monitor = |found: &model::rebuild::MonitorDifference| MonitorDifferenceView {
        monitor: found.monitor.to_string(),
        fields: found.fields.iter().map(difference).collect(),
    };
    ReportView {
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

fn difference(found: &Difference) -> DifferenceView {
    let Difference { field, rebuilt, live, stored } = found.clone();
    DifferenceView { field, rebuilt, live, stored }
}
