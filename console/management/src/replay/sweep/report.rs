//! The report of what a sweep read.

use std::time::Duration;

use model::gaps::Gaps;
use model::ids::{MonitorId, Offset, PartitionId};
use model::imported::PastEvent;
use model::time::{EventTime, Interval};
use model::wire::frame::Frame;

use crate::replay::source::{Known, Start};

/// Damaged entries that are named.
const NAMED: usize = 100;

/// A damaged entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedEntry {
    /// The partition.
    pub partition: PartitionId,
    /// The entry.
    pub offset: Offset,
}

/// The report of what was read.
#[derive(Debug)]
pub struct Report {
    window: Interval,
    /// Heartbeats of the wanted monitors within the window, those of imported histories included.
    pub heartbeats: u64,
    /// The earliest and the latest heartbeat of the wanted monitors' imported histories.
    imported: Option<(EventTime, EventTime)>,
    /// Damaged entries, and the first of them.
    pub skipped: u64,
    /// The first entries that could not be read.
    pub skipped_entries: Vec<SkippedEntry>,
    /// Whether a part expired while it was read.
    pub expired: bool,
    /// Deaf time within the window, of any partition.
    deaf: Vec<Interval>,
    /// Where each partition's past begins.
    begins: Vec<(Known, EventTime)>,
    now: Option<Partition>,
}

/// The partition that is being read.
#[derive(Debug)]
struct Partition {
    id: PartitionId,
    known: Known,
    began: Option<EventTime>,
}

impl Report {
    /// A report of nothing yet.
    pub const fn new(window: Interval) -> Self {
        Self {
            window,
            heartbeats: 0,
            imported: None,
            skipped: 0,
            skipped_entries: Vec::new(),
            expired: false,
            deaf: Vec::new(),
            begins: Vec::new(),
            now: None,
        }
    }

    /// A partition begins.
    pub fn begin(&mut self, start: &Start) {
        let began = match start.known {
            Known::Since(at) => Some(at),
            Known::Everything | Known::Nothing => None,
        };
        self.now = Some(Partition { id: start.partition, known: start.known, began });
    }

    /// An entry was applied; `watermark` is how far the partition is decided after it.
    pub fn applied(
        &mut self,
        frame: &Frame,
        watermark: Option<EventTime>,
        wants: impl Fn(MonitorId) -> bool,
    ) {
        let window = self.window;
        let is_within = |at: EventTime| at >= window.start && at <= window.end;
        let heard = frame.heartbeats.iter().filter(|heartbeat| wants(heartbeat.monitor));
        self.heartbeats += heard.filter(|heartbeat| is_within(heartbeat.received_at)).count() as u64;
        let imported = frame.imported.iter().filter(|imported| wants(imported.monitor));
        for event in imported.flat_map(|imported| &imported.events) {
            if let PastEvent::Heard { heartbeat, .. } = event {
                let at = heartbeat.received_at;
                self.heartbeats += u64::from(is_within(at));
                let (from, to) = self.imported.unwrap_or((at, at));
                self.imported = Some((from.min(at), to.max(at)));
            }
        }
        if let Some(now) = &mut self.now {
            now.began = now.began.or(watermark);
        }
    }

    /// An entry could not be read.
    pub fn skipped(&mut self, offset: Offset) {
        self.skipped += 1;
        if let Some(now) = self.now.as_ref().filter(|_| self.skipped_entries.len() < NAMED) {
            self.skipped_entries.push(SkippedEntry { partition: now.id, offset });
        }
    }

    /// Entries are gone from the log.
    pub const fn expired(&mut self) {
        self.expired = true;
    }

    /// The partition ended, with this deaf time.
    pub fn end(&mut self, gaps: &Gaps) {
        let window = self.window;
        let cut =
            |gap: &Interval| Interval { start: gap.start.max(window.start), end: gap.end.min(window.end) };
        self.deaf.extend(gaps.as_slice().iter().map(cut).filter(|gap| gap.end > gap.start));
        self.deaf = joined(std::mem::take(&mut self.deaf));
        let Some(now) = self.now.take() else { return };
        match (now.known, now.began) {
            (known, Some(began)) => self.begins.push((known, began)),
            // Everything is gone.
            (Known::Nothing, None) => self.begins.push((Known::Nothing, window.end)),
            (Known::Everything | Known::Since(_), None) => {}
        }
    }

    /// The time from which everything within the window is known.
    pub fn begins(&self) -> EventTime {
        let latest = self.begins.iter().map(|(_, at)| *at).max();
        latest.unwrap_or(self.window.start).clamp(self.window.start, self.window.end)
    }

    /// How many spans of deaf time there are within the window, and how much in all. What several partitions
    /// were deaf for at the same time counts once.
    pub fn deaf(&self) -> (usize, Duration) {
        (self.deaf.len(), self.deaf.iter().map(|gap| gap.length()).sum())
    }

    /// Remarks for people, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let begins = self.begins();
        if begins > self.window.start {
            let cut = |known: &Known| self.begins.iter().any(|(found, _)| found == known);
            let gone = self
                .begins
                .iter()
                .any(|(known, at)| matches!(known, Known::Since(_)) && *at > self.window.start);
            let imported_from = self.imported.map(|(from, _)| from).filter(|from| *from < begins);
            let except = imported_from.map_or_else(String::new, |from| {
                format!(" The histories that were imported reach back to {from}.")
            });
            notes.push(if cut(&Known::Nothing) {
                format!(
                    "The log begins at {begins}. What was before is not known, nor the settings of then: monitors began \
                     as if they had not been heard yet, with the settings that they have now.{except}"
                )
            } else if gone {
                format!("What was before {begins} is no longer kept.{except}")
            } else {
                format!("There is no history before {begins}.{except}")
            });
        }
        if let Some((from, to)) = self.imported.filter(|_| self.heartbeats == 0) {
            notes.push(format!(
                "No heartbeat lies in this time. The histories that were imported hold heartbeats from {from} to {to}: \
                 choose the time by since and until."
            ));
        }
        if self.expired {
            notes.push(
                "While the log was read its oldest part expired. What is missing counts as deaf time."
                    .to_owned(),
            );
        }
        if self.skipped > 0 {
            let entries = if self.skipped == 1 { "entry was" } else { "entries were" };
            notes.push(format!("{} damaged {entries} passed over.", self.skipped));
        }
        let (gaps, deaf) = self.deaf();
        if gaps > 0 {
            let times = if gaps == 1 { "once".to_owned() } else { format!("{gaps} times") };
            let secs = deaf.as_secs_f64();
            notes.push(format!(
                "Lubdub itself was deaf {times}, for {secs:.1} s in all; that does not count against monitors."
            ));
        }
        notes
    }
}

/// Sorted, and what overlaps or touches made one.
fn joined(mut spans: Vec<Interval>) -> Vec<Interval> {
    spans.sort_unstable_by_key(|span| span.start);
    let mut joined: Vec<Interval> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.end >= span.start => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaf_time_of_several_partitions_counts_once() {
        let at = EventTime::from_secs;
        let span = |start, end| Interval { start: at(start), end: at(end) };
        let mut report = Report::new(span(100, 200));
        let mut gaps = Gaps::default();
        for (start, end) in [(10, 20), (90, 110), (150, 160), (195, 300)] {
            gaps.push(span(start, end));
        }
        report.end(&gaps);
        let mut others = Gaps::default();
        others.push(span(155, 165));
        others.push(span(170, 171));
        report.end(&others);
        assert_eq!(report.deaf(), (4, Duration::from_secs(10 + 15 + 1 + 5)));
    }
}
