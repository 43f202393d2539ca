//! Pure. Histories on their way to a server: which deaf time is sent for each monitor.
//!
//! An export states deaf time by partition. It is sent for a monitor when its next event comes, and only what
//! ended after it was last heard: the rest changes nothing for it.

use std::collections::{HashMap, VecDeque};

use api::export::{Expected, HeartbeatLine, Micros};
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
    pub(super) expected: Expected,
}

/// The progress of sending.
#[derive(Debug, Default)]
pub(super) struct Past {
    gaps: HashMap<u16, VecDeque<Interval>>,
    monitors: HashMap<MonitorId, Known>,
}

#[derive(Debug)]
struct Known {
    /// Its id at the target.
    target: MonitorId,
    partition: u16,
    /// The time up to which deaf time was sent for the monitor.
    deaf_until: EventTime,
    heard: Option<EventTime>,
}

impl Past {
    /// A monitor of a partition, by its id there, and its id at the target.
    pub(super) fn monitor(&mut self, source: MonitorId, partition: u16, target: MonitorId) {
        let known = Known { target, partition, deaf_until: EventTime::EPOCH, heard: None };
        self.monitors.insert(source, known);
    }

    /// Deaf time of a partition, in order; a gap may come in pieces.
    pub(super) fn gap(&mut self, partition: u16, gap: Interval) {
        let gaps = self.gaps.entry(partition).or_default();
        match gaps.back_mut() {
            Some(last) if last.end >= gap.start => last.end = last.end.max(gap.end),
            Some(_) | None => gaps.push_back(gap),
        }
        if gaps.len() > MAX_GAPS {
            gaps.pop_front();
        }
    }

    pub(super) fn heartbeat(&mut self, mut line: HeartbeatLine, lines: &mut Vec<OutgoingLine>) {
        let Some(known) = self.monitors.get_mut(&line.monitor) else { return };
        // A first heartbeat may have been read after deaf time that came later.
        known.catch_up(&self.gaps, known.heard.or(Some(line.at.0)), lines);
        known.heard = known.heard.max(Some(line.at.0));
        line.monitor = known.target;
        lines.push(OutgoingLine::Heartbeat(line));
    }

    pub(super) fn defined(&mut self, monitor: MonitorId, defined: Defined, lines: &mut Vec<OutgoingLine>) {
        let Some(known) = self.monitors.get_mut(&monitor) else { return };
        known.catch_up(&self.gaps, known.heard, lines);
        let Defined { at, revision, settled, expected } = defined;
        lines.push(OutgoingLine::Monitor { id: known.target, at, revision, settled, expected });
    }

    /// The end of a monitor's history; `ends` says up to when each partition's reaches.
    pub(super) fn until(
        &mut self,
        monitor: MonitorId,
        ends: impl Fn(u16) -> EventTime,
        lines: &mut Vec<OutgoingLine>,
    ) {
        let Some(known) = self.monitors.get_mut(&monitor) else { return };
        known.catch_up(&self.gaps, known.heard, lines);
        lines.push(OutgoingLine::Until { monitor: known.target, at: Micros(ends(known.partition)) });
    }
}

impl Known {
    /// Tells of deaf time that ended after `counted_from`; of none if nothing is counted.
    fn catch_up(
        &mut self,
        gaps: &HashMap<u16, VecDeque<Interval>>,
        counted_from: Option<EventTime>,
        lines: &mut Vec<OutgoingLine>,
    ) {
        let (Some(gaps), Some(counted_from)) = (gaps.get(&self.partition), counted_from) else { return };
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

    #[test]
    fn a_monitor_is_told_of_deaf_time_that_matters_to_it_before_its_next_event() {
        let mut past = Past::default();
        past.monitor(id(1), 0, id(11));
        past.monitor(id(2), 0, id(12));
        past.monitor(id(3), 1, id(13));
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
        let defined = Defined { at: Micros(at(40)), revision: 2, settled: None, expected };
        past.defined(id(1), defined, &mut lines);
        for monitor in [1, 2, 3] {
            past.until(id(monitor), |partition| at(70 + i64::from(partition)), &mut lines);
        }
        assert_eq!(short(&mut lines), "g47-60 m40 u70 u70 u71");
    }

    #[test]
    fn of_many_gaps_the_newest_are_told() {
        let mut past = Past::default();
        past.monitor(id(1), 0, id(11));
        let mut lines = Vec::new();
        past.heartbeat(heartbeat(1, 1), &mut lines);
        for n in 1..=3_000 {
            past.gap(0, Interval { start: at(n * 10), end: at(n * 10 + 1) });
        }
        past.until(id(1), |_| at(40_000), &mut lines);
        assert_eq!(lines.len(), 1 + MAX_GAPS + 1);
    }
}
