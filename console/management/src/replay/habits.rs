//! Habits: what monitors usually do, and the settings that follow from that.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use machine::advise::{Advice, Habit, Habits, Seen, Wish, advise};
use model::gaps::Gaps;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor::Definition;
use model::time::{EventTime, Interval, TimeRules};
use model::wire::frame::Frame;

use super::chosen::ChosenMonitors;
use super::source::{Known, Start};
use super::sweep::{Admission, Plan, SweepError, Work};
use crate::app::App;

/// Advises on each of the chosen monitors.
///
/// # Errors
/// [`SweepError`].
pub async fn look(
    app: &App,
    admission: &Admission,
    chosen: &ChosenMonitors,
    window: Interval,
    wish: Wish,
) -> Result<HashMap<MonitorId, Advice>, SweepError> {
    let partitions = app.ports.log.partitions();
    let settings: HashMap<MonitorId, Definition> =
        chosen.monitors.iter().map(|(id, monitor)| (*id, monitor.definition.clone())).collect();
    let nothing = |_: PartitionId| Vec::new();
    let plan = Plan { partitions: chosen.partitions(partitions), window, unheard: &nothing };
    let wanted = Arc::new(settings.keys().copied().collect());
    let rules = app.replays.rules();
    let work = Looking {
        rules,
        partitions,
        window,
        wish,
        settings,
        wanted,
        now: None,
        cut: None,
        advice: HashMap::new(),
    };
    let (work, _) = admission.sweep(&app.replays, &plan, work).await?;
    Ok(work.advice)
}

struct Looking {
    rules: TimeRules,
    partitions: u16,
    window: Interval,
    wish: Wish,
    settings: HashMap<MonitorId, Definition>,
    wanted: Arc<HashSet<MonitorId>>,
    now: Option<(PartitionId, Habits)>,
    /// Of the partition: where what is known begins, if what was before is not kept any more.
    cut: Option<Cut>,
    advice: HashMap<MonitorId, Advice>,
}

/// Where the log of a partition was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    At(EventTime),
    /// At its first entry.
    AtTheFirst,
}

impl Looking {
    fn habits(&mut self) -> Option<&mut Habits> {
        self.now.as_mut().map(|(_, habits)| habits)
    }
}

impl Work for Looking {
    fn begin(&mut self, start: Start) {
        let wanted = Arc::clone(&self.wanted);
        let habits = Habits::new(self.rules, start.head, start.states, wanted, self.window);
        self.cut = match start.known {
            Known::Everything => None,
            Known::Since(at) => (at > self.window.start).then_some(Cut::At(at)),
            Known::Nothing => Some(Cut::AtTheFirst),
        };
        self.now = Some((start.partition, habits));
    }

    fn wants(&self, monitor: MonitorId) -> bool {
        self.wanted.contains(&monitor)
    }

    fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame) {
        if let Some(habits) = self.habits() {
            habits.apply(offset, logged_at, frame);
        }
        if self.cut == Some(Cut::AtTheFirst) {
            self.cut = Some(Cut::At(logged_at));
        }
    }

    fn skip(&mut self, offset: Offset) {
        if let Some(habits) = self.habits() {
            habits.skip(offset);
        }
    }

    fn re_anchor(&mut self, incarnation: &str, applied: Offset) {
        if let Some(habits) = self.habits() {
            habits.re_anchor(incarnation, applied);
        }
    }

    fn watermark(&self) -> Option<EventTime> {
        self.now.as_ref().and_then(|(_, habits)| habits.watermark())
    }

    fn end(&mut self) -> Gaps {
        let Some((partition, habits)) = self.now.take() else { return Gaps::default() };
        let gaps = habits.gaps().clone();
        let found = habits.end();
        let unheard = Habit::default();
        let end = self.window.end;
        let log_reaches_back = self.cut.take().map(|cut| match cut {
            Cut::At(at) => end.since(at),
            Cut::AtTheFirst => std::time::Duration::ZERO,
        });
        for (id, settings) in &self.settings {
            if id.partition(self.partitions) != partition {
                continue;
            }
            let habit = found.get(id).unwrap_or(&unheard);
            // A monitor that is younger than the window had less time for alarms.
            let span = end.since(habit.first().unwrap_or(self.window.start));
            let seen = Seen { span, span_asked: self.window.length(), log_reaches_back };
            self.advice.insert(*id, advise(habit, settings, &self.wish, &seen));
        }
        gaps
    }
}
