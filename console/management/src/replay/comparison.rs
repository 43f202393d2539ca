//! The past of monitors as it was, and as it would have been.

use std::collections::BTreeMap;

use machine::what_if::{Compared, Trials, WhatIf, unheard};
use model::gaps::Gaps;
use model::ids::{MonitorId, Offset};
use model::time::{EventTime, Interval, TimeRules};
use model::wire::frame::Frame;

use super::chosen::ChosenMonitors;
use super::source::Start;
use super::sweep::{Admission, Plan, Report, SweepError, Work};
use crate::app::App;

/// Replays the chosen monitors with what is tried on them.
///
/// # Errors
/// [`SweepError`].
pub async fn compare(
    app: &App,
    admission: &Admission,
    chosen: &ChosenMonitors,
    window: Interval,
    trials: Trials,
) -> Result<(BTreeMap<MonitorId, Compared>, Report), SweepError> {
    let count = app.ports.log.partitions();
    let in_partition = |partition| {
        let of_it = chosen.monitors.iter().filter(move |(id, _)| id.partition(count) == partition);
        of_it.map(|(id, monitor)| (*id, unheard(monitor.definition.clone(), window.start))).collect()
    };
    let plan = Plan { partitions: chosen.partitions(count), window, unheard: &in_partition };
    let work = Comparing { rules: app.replays.rules(), trials, window, now: None, done: BTreeMap::new() };
    let (work, report) = admission.sweep(&app.replays, &plan, work).await?;
    Ok((work.done, report))
}

struct Comparing {
    rules: TimeRules,
    trials: Trials,
    window: Interval,
    now: Option<WhatIf>,
    done: BTreeMap<MonitorId, Compared>,
}

impl Work for Comparing {
    fn begin(&mut self, start: Start) {
        let what_if = WhatIf::new(self.rules, start.head, start.states, self.trials.clone(), self.window);
        self.now = Some(what_if);
    }

    fn wants(&self, monitor: MonitorId) -> bool {
        self.trials.of(monitor).is_some()
    }

    fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame) {
        if let Some(now) = &mut self.now {
            now.apply(offset, logged_at, frame);
        }
    }

    fn skip(&mut self, offset: Offset) {
        if let Some(now) = &mut self.now {
            now.skip(offset);
        }
    }

    fn re_anchor(&mut self, incarnation: &str, applied: Offset) {
        if let Some(now) = &mut self.now {
            now.re_anchor(incarnation, applied);
        }
    }

    fn watermark(&self) -> Option<EventTime> {
        self.now.as_ref().and_then(WhatIf::watermark)
    }

    fn end(&mut self) -> Gaps {
        let Some(what_if) = self.now.take() else { return Gaps::default() };
        self.done.extend(what_if.compared().map(|compared| (compared.monitor, compared)));
        what_if.gaps().clone()
    }
}
