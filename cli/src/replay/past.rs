//! Pure. Histories on their way to a server: which deaf time is sent for each monitor.
//!
//! An export states deaf time by partition. It is sent for a monitor when its next event comes, and only what
//! ended after it was last heard: the rest changes nothing for it.

use std::collections::{HashMap, HashSet, VecDeque};

use api::export::{Expected, HeartbeatLine, Labels, Micros, SummaryLine};
use model::ids::MonitorId;
use model::time::{EventTime, Interval};
use serde::Serialize;

/// Gaps of a partition that are kept: no more matter to a monitor.
const MAX_GAPS: usize = 2_048;

/// A line of an import.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum OutgoingLine {
    Heartbeat(HeartbeatLine),
    Monitor {
        id: MonitorId,
        at: Micros,
        revision: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        settled: Option<Micros>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        moved: bool,
        #[serde(flatten)]
        expected: Expected,
    },
    Gap {
        monitor: MonitorId,
        from: Micros,
        to: Micros,
    },
    Until {
        monitor: MonitorId,
        at: Micros,
    },
}

/// A definition, as an export tells of it.
#[derive(Debug, Clone)]
pub(super) struct Defined {
    pub(super) at: Micros,
    pub(super) revision: u64,
    pub(super) settled: Option<Micros>,
    pub(super) moved: bool,
    pub(super) expected: Expected,
}

/// The progress of sending.
#[derive(Debug)]
pub(super) struct Past {
    /// Nothing is told of what lies behind this: the target's time.
    latest: EventTime,
    /// The export that is being read, of several in a file.
    part: u32,
    gaps: HashMap<Origin, VecDeque<Interval>>,
    monitors: HashMap<MonitorId, Known>,
}

/// A partition of the installation that an export is from. Of two exports it may not be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Origin {
    part: u32,
    partition: u16,
}

#[derive(Debug)]
struct Known {
    /// Its id at the target.
    target: MonitorId,
    /// Where it was listed last.
    origin: Origin,
    /// Up to when the export in which it was listed last knows of it.
    until: EventTime,
    /// The time up to which deaf time was sent for the monitor.
    deaf_until: EventTime,
    heard: Option<EventTime>,
    /// Its name, where it was listed last.
    name: String,
    /// No heartbeat of it was told.
    is_new: bool,
}

impl Past {
    /// Nothing yet.
    fn new(latest: EventTime) -> Self {
        Self { latest, part: 0, gaps: HashMap::new(), monitors: HashMap::new() }
    }

    /// Nothing yet of these monitors: target by source.
    pub(super) fn of(latest: EventTime, pairs: &HashMap<MonitorId, MonitorId>) -> Self {
        let mut past = Self::new(latest);
        pairs.iter().for_each(|(id, target)| past.monitor(*id, *target));
        past
    }

    fn monitor(&mut self, source: MonitorId, target: MonitorId) {
        let (origin, until) = (Origin::default(), EventTime::EPOCH);
        let deaf_until = EventTime::EPOCH;
        let known =
            Known { target, origin, until, deaf_until, heard: None, name: String::new(), is_new: true };
        self.monitors.insert(source, known);
    }

    /// A monitor is listed in an export, with its partition there.
    pub(super) fn listed(&mut self, monitor: MonitorId, labels: &Labels, lines: &mut Vec<OutgoingLine>) {
        let Some(known) = self.monitors.get_mut(&monitor) else { return };
        known.name.clone_from(&labels.name);
        // What the export before knew of deaf time at its end.
        known.catch_up(&self.gaps, known.heard, lines);
        known.origin = Origin { part: self.part, partition: labels.partition };
    }

    /// The names of the monitors without a heartbeat: nothing is said of their silence until they are heard.
    pub(super) fn never_heard(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.monitors.values().filter(|known| known.is_new).map(|known| known.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The export ends.
    pub(super) fn ended(&mut self, summary: &SummaryLine) {
        let here = self.part;
        for known in self.monitors.values_mut().filter(|known| known.origin.part == here) {
            known.until = summary.until_of(known.origin.partition).min(self.latest);
        }
        let needed: HashSet<Origin> = self.monitors.values().map(|known| known.origin).collect();
        self.gaps.retain(|origin, _| needed.contains(origin));
        self.part += 1;
    }

    /// Deaf time of a partition, in order; a gap may come in pieces.
    pub(super) fn gap(&mut self, partition: u16, gap: Interval) {
        let gaps = self.gaps.entry(Origin { part: self.part, partition }).or_default();
        match gaps.back_mut() {
            Some(last) if last.end >= gap.start => last.end = last.end.max(gap.end),
            Some(_) | None => gaps.push_back(gap),
        }
        if gaps.len() > MAX_GAPS {
            gaps.pop_front();
        }
    }

    /// Deaf time of the installation in which a monitor was before.
    pub(super) fn gap_of(&mut self, monitor: MonitorId, gap: Interval, lines: &mut Vec<OutgoingLine>) {
        if let Some(known) = self.monitors.get(&monitor) {
            let (from, to) = (Micros(gap.start), Micros(gap.end));
            lines.push(OutgoingLine::Gap { monitor: known.target, from, to });
        }
    }

    pub(super) fn heartbeat(&mut self, mut line: HeartbeatLine, lines: &mut Vec<OutgoingLine>) {
        let Some(known) = self.monitors.get_mut(&line.monitor) else { return };
        // A first heartbeat may have been read after deaf time that came later. What was heard elsewhere has
        // deaf time of its own.
        if !std::mem::take(&mut line.imported) {
            known.catch_up(&self.gaps, known.heard.or(Some(line.at.0)), lines);
        }
        known.heard = known.heard.max(Some(line.at.0));
        known.is_new = false;
        line.before = false;
        line.monitor = known.target;
        lines.push(OutgoingLine::Heartbeat(line));
    }

    pub(super) fn defined(&mut self, monitor: MonitorId, defined: Defined, lines: &mut Vec<OutgoingLine>) {
        let Some(known) = self.monitors.get_mut(&monitor) else { return };
        let Defined { at, revision, settled, moved, expected } = defined;
        if moved {
            // From here on it counts whether the installation that tells of it listened.
            known.heard = known.heard.max(Some(at.0));
        }
        known.catch_up(&self.gaps, known.heard.filter(|_| !moved), lines);
        lines.push(OutgoingLine::Monitor { id: known.target, at, revision, settled, moved, expected });
    }

    /// The end of a monitor's history.
    pub(super) fn until(&mut self, monitor: MonitorId, lines: &mut Vec<OutgoingLine>) {
        let Some(known) = self.monitors.get_mut(&monitor) else { return };
        known.catch_up(&self.gaps, known.heard, lines);
        lines.push(OutgoingLine::Until { monitor: known.target, at: Micros(known.until) });
    }
}

impl Known {
    /// Tells of deaf time that ended after `counted_from`; of none if nothing is counted.
    fn catch_up(
        &mut self,
        gaps: &HashMap<Origin, VecDeque<Interval>>,
        counted_from: Option<EventTime>,
        lines: &mut Vec<OutgoingLine>,
    ) {
        let (Some(gaps), Some(counted_from)) = (gaps.get(&self.origin), counted_from) else { return };
        let news = gaps.partition_point(|gap| gap.end <= self.deaf_until.max(counted_from));
        for gap in gaps.range(news..) {
            let from = Micros(gap.start.max(self.deaf_until));
            lines.push(OutgoingLine::Gap { monitor: self.target, from, to: Micros(gap.end) });
            self.deaf_until = gap.end;
        }
    }
}

impl OutgoingLine {
    /// The monitor at the target.
    pub(super) const fn monitor(&self) -> MonitorId {
        match self {
            Self::Heartbeat(line) => line.monitor,
            Self::Monitor { id, .. } => *id,
            Self::Gap { monitor, .. } | Self::Until { monitor, .. } => *monitor,
        }
    }
}

#[cfg(test)]
mod tests {
    use api::export::{PartitionEnd, Skipped};
    use model::heartbeat::HeartbeatKind;
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> MonitorId {
        MonitorId::from_uuid(Uuid::from_u128(number))
    }

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn heartbeat(monitor: u128, secs: i64) -> HeartbeatLine {
        HeartbeatLine {
            monitor: id(monitor),
            at: Micros(at(secs)),
            status: HeartbeatKind::Up,
            msg: None,
            value: None,
            settled: None,
            imported: false,
            before: false,
        }
    }

    /// The lines, shortly: `h5` for a heartbeat at 5, `g3-4` for a gap.
    fn short(lines: &mut Vec<OutgoingLine>) -> String {
        let secs = |at: Micros| at.0.as_micros() / 1_000_000;
        let word = |line: OutgoingLine| match line {
            OutgoingLine::Heartbeat(line) => format!("h{}", secs(line.at)),
            OutgoingLine::Monitor { at, .. } => format!("m{}", secs(at)),
            OutgoingLine::Gap { from, to, .. } => format!("g{}-{}", secs(from), secs(to)),
            OutgoingLine::Until { at, .. } => format!("u{}", secs(at)),
        };
        lines.drain(..).map(word).collect::<Vec<_>>().join(" ")
    }

    fn labels(partition: u16) -> Labels {
        Labels { name: format!("of {partition}"), partition, ..Labels::default() }
    }

    /// A past of monitors, each with its partition.
    fn past_of(monitors: &[(u128, u16)]) -> Past {
        let mut past = Past::new(at(1_000_000));
        for (monitor, partition) in monitors {
            past.monitor(id(*monitor), id(monitor + 10));
            past.listed(id(*monitor), &labels(*partition), &mut Vec::new());
        }
        past
    }

    fn summary(secs: i64, partitions: &[(u16, i64)]) -> SummaryLine {
        let end =
            |(partition, secs): &(u16, i64)| PartitionEnd { partition: *partition, until: Micros(at(*secs)) };
        SummaryLine {
            from: Micros(at(0)),
            until: Micros(at(secs)),
            monitors: 0,
            heartbeats: 0,
            skipped: Skipped::default(),
            partitions: partitions.iter().map(end).collect(),
        }
    }

    #[test]
    fn a_monitor_is_told_of_deaf_time_that_matters_to_it_before_its_next_event() {
        let mut past = past_of(&[(1, 0), (2, 0), (3, 1)]);
        let mut lines = Vec::new();
        let gap = |start, end| Interval { start: at(start), end: at(end) };
        past.gap(0, gap(1, 2));
        past.gap(0, gap(3, 4));
        past.heartbeat(heartbeat(1, 3), &mut lines);
        assert_eq!(short(&mut lines), "g3-4 h3", "what ended before it was first heard is not sent");
        past.heartbeat(heartbeat(3, 6), &mut lines);
        past.gap(0, gap(10, 20));
        past.gap(0, gap(30, 40));
        past.heartbeat(heartbeat(1, 35), &mut lines);
        assert_eq!(short(&mut lines), "h6 g10-20 g30-40 h35");
        past.gap(0, gap(40, 45));
        past.heartbeat(heartbeat(1, 50), &mut lines);
        past.heartbeat(heartbeat(3, 51), &mut lines);
        past.heartbeat(heartbeat(9, 52), &mut lines);
        assert_eq!(short(&mut lines), "g40-45 h50 h51", "a piece more of the same gap");
        past.gap(0, gap(47, 49));
        past.gap(0, gap(49, 60));
        let expected = Expected { timeout: Some(60), grace: 5, paused: true, ..Expected::default() };
        let defined = Defined { at: Micros(at(40)), revision: 2, settled: None, moved: false, expected };
        past.defined(id(1), defined, &mut lines);
        past.ended(&summary(70, &[(0, 70), (1, 71)]));
        for monitor in [1, 2, 3] {
            past.until(id(monitor), &mut lines);
        }
        assert_eq!(short(&mut lines), "g47-60 m40 u70 u70 u71");
    }

    #[test]
    fn of_many_gaps_the_newest_are_told() {
        let mut past = past_of(&[(1, 0)]);
        let mut lines = Vec::new();
        past.heartbeat(heartbeat(1, 1), &mut lines);
        for n in 1..=3_000 {
            past.gap(0, Interval { start: at(n * 10), end: at(n * 10 + 1) });
        }
        past.ended(&summary(40_000, &[]));
        past.until(id(1), &mut lines);
        assert_eq!(lines.len(), 1 + MAX_GAPS + 1);
    }

    #[test]
    fn deaf_time_of_one_export_is_not_that_of_another() {
        let mut past = past_of(&[(1, 0)]);
        past.monitor(id(2), id(12));
        let mut lines = Vec::new();
        past.heartbeat(heartbeat(1, 5), &mut lines);
        past.gap(0, Interval { start: at(10), end: at(20) });
        past.ended(&summary(30, &[]));
        // Another installation, with a partition of the same number.
        past.listed(id(2), &labels(0), &mut lines);
        past.heartbeat(heartbeat(2, 6), &mut lines);
        past.gap(0, Interval { start: at(40), end: at(50) });
        past.ended(&summary(2_000_000, &[]));
        past.until(id(1), &mut lines);
        past.until(id(2), &mut lines);
        assert_eq!(short(&mut lines), "h5 h6 g10-20 u30 g40-50 u1000000");
        // The same installation later: the monitor hears of deaf time of both.
        let mut past = past_of(&[(1, 0)]);
        past.heartbeat(heartbeat(1, 5), &mut lines);
        past.gap(0, Interval { start: at(10), end: at(20) });
        past.ended(&summary(30, &[]));
        past.listed(id(1), &labels(3), &mut lines);
        past.gap(3, Interval { start: at(40), end: at(50) });
        past.heartbeat(heartbeat(1, 60), &mut lines);
        assert_eq!(short(&mut lines), "h5 g10-20 g40-50 h60");
    }
}
