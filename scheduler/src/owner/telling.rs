//! What the log of the program says of monitors and of deaf time.

use std::collections::HashSet;
use std::time::Duration;

use model::flip::Flip;
use model::ids::MonitorId;
use model::imported::Imported;
use model::monitor::Monitor;
use model::wire;
use ports::registry::{RecordKey, RecordKind};

use super::state::Owner;

/// Flips of a batch whose monitors are named: the registry is asked for each of them.
const NAMED: usize = 20;

/// Deaf time that is shorter is no news: a restart in order takes as long.
const LONG: Duration = Duration::from_secs(10);

impl Owner {
    /// Says each flip, those of an imported past in one line.
    pub(super) async fn tell_flips(&self, flips: &[Flip], imported: &[Imported]) {
        let past: HashSet<MonitorId> = imported.iter().map(|part| part.monitor).collect();
        let (old, new): (Vec<&Flip>, Vec<&Flip>) =
            flips.iter().partition(|flip| past.contains(&flip.monitor));
        if !old.is_empty() {
            let (flips, monitors) = (old.len(), past.len());
            tracing::info!(partition.id = %self.id, monitors, flips, "replayed an imported past");
        }
        for (place, flip) in new.into_iter().enumerate() {
            let name = if place < NAMED { self.name_of(flip.monitor).await } else { None };
            tracing::info!(
                monitor.id = %flip.monitor, monitor.name = name, from = flip.from.as_str(), to = flip.to.as_str(),
                reason = flip.reason.as_str(), at = %flip.at,
                trace.id = flip.trace.map(|trace| trace.trace_id()), "flip"
            );
        }
    }

    /// The monitor's name now. A registry that is away costs the line its name only.
    async fn name_of(&self, monitor: MonitorId) -> Option<String> {
        let record = self.deps.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await.ok()??;
        wire::decode::<Monitor>(&record.value).ok().map(|monitor| monitor.name)
    }

    /// Says once when a long time is over for which no frame vouches.
    pub(super) fn tell_deaf_time(&mut self) {
        let head = self.partition.head();
        let Some(gap) = head.gaps.as_slice().last() else { return };
        let is_over = head.watermark.is_some_and(|watermark| watermark > gap.end);
        if !is_over || self.told_deaf_until.is_some_and(|told| gap.end <= told) {
            return;
        }
        if gap.length() >= LONG {
            tracing::warn!(
                partition.id = %self.id, from = %gap.start, to = %gap.end, seconds = gap.length().as_secs(),
                "was not listening; no monitor is judged by that time"
            );
        }
        self.told_deaf_until = Some(gap.end);
    }
}
