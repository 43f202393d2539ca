//! What the log of the program says of monitors and of deaf time.

use std::collections::HashSet;
use std::time::Duration;

use model::flip::Flip;
use model::ids::MonitorId;
use model::imported::Imported;
use model::monitor::Monitor;
use model::wire;
use ports::registry::{RecordKey, RecordKind, RegistryError};
use tokio::time::{Instant, timeout_at};

use super::state::Owner;

/// Flips of a batch whose monitors are named: the registry is asked for each of them.
const NAMED: usize = 20;

/// The longest that all names of a batch are waited for: flips are not committed before their lines are said.
const NAMED_WITHIN: Duration = Duration::from_millis(50);

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
        let (until, mut named) = (Instant::now() + NAMED_WITHIN, 0..NAMED);
        for flip in new {
            let name = match named.next() {
                Some(_) => timeout_at(until, self.name_of(flip.monitor)).await,
                None => Ok(Ok(None)),
            };
            // A registry that is away or slow is asked no more: alarms do not wait for it.
            let name = if let Ok(Ok(name)) = name {
                name
            } else {
                named = 0..0;
                None
            };
            tracing::info!(
                monitor.id = %flip.monitor, monitor.name = name, from = flip.from.as_str(), to = flip.to.as_str(),
                reason = flip.reason.as_str(), at = %flip.at,
                trace.id = flip.trace.map(|trace| trace.trace_id()), "flip"
            );
        }
    }

    /// The monitor's name now.
    async fn name_of(&self, monitor: MonitorId) -> Result<Option<String>, RegistryError> {
        let record = self.deps.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?;
        let monitor = record.and_then(|record| wire::decode::<Monitor>(&record.value).ok());
        Ok(monitor.map(|monitor| monitor.name))
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
