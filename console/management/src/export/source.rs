//! One partition of an export: its log, replayed to know which definitions were in force, which time was
//! deaf, and up to when silence was settled.

use std::collections::VecDeque;

use api::export::{Expected, GapLine, HeartbeatLine, Line, Micros, MonitorLine, Skipped, SkippedEntry};
use machine::what_if::unheard;
use machine::{Effects, Partition, Replayer};
use model::heartbeat::Heartbeat;
use model::ids::{MonitorId, PartitionId, Revision};
use model::monitor::{Definition, DefinitionChange};
use model::monitor_state::MonitorState;
use model::time::EventTime;
use ports::heartbeat_log::LogEntry;

use crate::app::App;
use crate::replay::source::{Known, Reading, ReplayError, Start};
use crate::selection::Selection;

/// The most entries that could not be read whose position is named.
const MAX_SKIPPED: usize = 100;

/// Reads that may bring nothing before the export says that it lives.
const READS: usize = 64;

/// The next event of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A line of an entry of this time.
    At(EventTime),
    /// Nothing yet.
    Later,
    /// Nothing more.
    End,
}

/// A partition on its way into an export.
pub(crate) struct Source {
    pub partition: PartitionId,
    /// The time from which everything is known.
    pub from: EventTime,
    until: Option<EventTime>,
    replayer: Replayer,
    reading: Reading,
    /// Entries that were read and not applied.
    entries: VecDeque<LogEntry>,
    selection: Selection,
    ended: bool,
    /// The time up to which deaf time was written.
    deaf_until: EventTime,
    /// Lines in the order of the log, each with the time of its entry.
    ready: VecDeque<(EventTime, Line)>,
    skipped: Skipped,
}

impl Source {
    /// Opens a partition for what happened from `since` on.
    pub(crate) async fn open(
        app: &App,
        partition: PartitionId,
        since: EventTime,
        until: Option<EventTime>,
        selection: &Selection,
    ) -> Result<Self, ReplayError> {
        let Start { known, head, states, through, .. } = app.replays.start(partition, since).await?;
        let (from, states) = match known {
            Known::Everything => (since, states),
            Known::Since(known) => (since.max(known), states),
            // Nothing says what was in force then: what is in force now has to do.
            Known::Nothing => (since, in_force_now(app, partition, selection)),
        };
        let reading = app.replays.read(partition, head.applied, through).await?;
        let mut replayer = Replayer::new(app.replays.rules(), head, states);
        if !selection.is_all {
            let wanted = selection.clone();
            replayer = replayer.only(move |id| wanted.contains(id));
        }
        let mut source = Self {
            partition,
            from,
            until,
            replayer,
            reading,
            entries: VecDeque::new(),
            selection: selection.clone(),
            ended: false,
            deaf_until: from,
            ready: VecDeque::new(),
            skipped: Skipped::default(),
        };
        if known == Known::Nothing {
            source.fetch().await?;
            if let Some(first) = source.entries.front() {
                source.from = since.max(first.logged_at);
                source.deaf_until = source.from;
            }
        }
        Ok(source)
    }

    /// Reads more; `false` at the end.
    async fn fetch(&mut self) -> Result<bool, ReplayError> {
        match self.reading.next().await? {
            Some(entries) => {
                self.entries.extend(entries);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Replays a part of what lies before the beginning; `false` when it is done.
    pub(crate) async fn approach(&mut self) -> Result<bool, ReplayError> {
        if self.entries.is_empty() && !self.fetch().await? {
            return Ok(false);
        }
        while let Some(entry) = self.entries.pop_front() {
            if entry.logged_at >= self.from {
                self.entries.push_front(entry);
                return Ok(false);
            }
            self.apply(&entry);
        }
        Ok(true)
    }

    /// Leaves the beginning, where the monitors' own lines give the definitions in force.
    pub(crate) fn begin(&mut self) {
        self.ready.retain(|(_, line)| matches!(line, Line::Heartbeat(_)));
    }

    /// The definition in force for a monitor where the export is now.
    pub(crate) fn in_force(&self, monitor: MonitorId) -> Option<(Revision, &Definition)> {
        let state = self.replayer.partition().monitor(monitor)?;
        // Any revision of the log is newer than one that is not known.
        Some((state.revision.max(Revision(1)), state.definition.as_ref()?))
    }

    /// The next event, after reading on a little.
    pub(crate) async fn peek(&mut self) -> Result<Next, ReplayError> {
        for _ in 0..READS {
            if let Some((at, _)) = self.ready.front() {
                return Ok(Next::At(*at));
            }
            if self.ended {
                return Ok(Next::End);
            }
            if self.entries.is_empty() && !self.fetch().await? {
                self.ended = true;
                continue;
            }
            while let Some(entry) = self.entries.pop_front() {
                self.apply(&entry);
                if self.is_past_until() {
                    self.ended = true;
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(Next::Later)
    }

    /// The next line, if it is there already.
    pub(crate) fn pop(&mut self) -> Option<Line> {
        self.ready.pop_front().map(|(_, line)| line)
    }

    /// The time up to which the export has settled silence.
    pub(crate) fn reached(&self) -> EventTime {
        let settled = self.replayer.partition().head().settled.unwrap_or(self.from);
        self.until.map_or(settled, |until| until.min(settled)).max(self.from)
    }

    pub(crate) const fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn is_past_until(&self) -> bool {
        let watermark = self.replayer.partition().head().watermark;
        self.until.is_some_and(|until| watermark.is_some_and(|watermark| watermark >= until))
    }

    fn apply(&mut self, entry: &LogEntry) {
        let Ok(frame) = &entry.frame else {
            self.replayer.skip(entry.offset);
            self.skipped.count += 1;
            if self.skipped.entries.len() < MAX_SKIPPED {
                let place = SkippedEntry { partition: self.partition.0, offset: entry.offset.0 };
                self.skipped.entries.push(place);
            }
            return;
        };
        for change in &frame.definitions {
            let line = self.changed(change);
            self.ready.extend(line.map(|line| (entry.logged_at, Line::Monitor(Box::new(line)))));
        }
        let Self { replayer, selection, ready, from, until, .. } = self;
        let heard = |partition: &Partition, heartbeat: &Heartbeat| {
            let at = heartbeat.received_at;
            let is_within = at >= *from && until.is_none_or(|until| at < until);
            if is_within && selection.contains(heartbeat.monitor) {
                let settled = partition.settled_before(heartbeat.monitor, at);
                ready.push_back((entry.logged_at, Line::Heartbeat(HeartbeatLine::of(heartbeat, settled))));
            }
        };
        replayer.apply_observed(entry.offset, entry.logged_at, frame, heard, &mut Effects::default());
        self.tell_gaps(entry.logged_at);
    }

    /// The line of a change that is about to be applied.
    fn changed(&self, change: &DefinitionChange) -> Option<MonitorLine> {
        if !self.selection.contains(change.monitor) || self.until.is_some_and(|until| change.at >= until) {
            return None;
        }
        let partition = self.replayer.partition();
        let known = partition.monitor(change.monitor);
        let line =
            MonitorLine { id: Some(change.monitor), at: Some(Micros(change.at)), ..MonitorLine::default() };
        let Some(definition) = &change.definition else {
            return known.map(|_| MonitorLine { deleted: true, ..line });
        };
        known.is_none_or(|known| change.revision > known.revision).then(|| MonitorLine {
            revision: Some(change.revision.0),
            settled: partition.head().watermark.map(Micros),
            expected: Some(Expected::from(definition)),
            ..line
        })
    }

    /// Tells of deaf time as soon as it is known, before what is settled after it.
    fn tell_gaps(&mut self, logged_at: EventTime) {
        let gaps = self.replayer.partition().head().gaps.as_slice();
        let news = gaps.partition_point(|gap| gap.end <= self.deaf_until);
        for gap in &gaps[news..] {
            let end = self.until.map_or(gap.end, |until| until.min(gap.end));
            let (from, to) = (Micros(gap.start.max(self.deaf_until)), Micros(end));
            if to > from {
                let line = Line::Gap(GapLine { partition: self.partition.0, from, to });
                self.ready.push_back((logged_at, line));
            }
            self.deaf_until = gap.end;
        }
    }
}

/// New monitors with the definitions of the registry: any change in the log is newer.
fn in_force_now(app: &App, partition: PartitionId, selection: &Selection) -> Vec<(MonitorId, MonitorState)> {
    let partitions = app.ports.log.partitions();
    let of_here = selection.sorted().into_iter().filter(|id| id.partition(partitions) == partition);
    let known = of_here.filter_map(|id| Some((id, app.directory.monitor(id)?.decode()?)));
    known.map(|(id, held)| (id, unheard(held.value.definition, held.value.created_at))).collect()
}
