//! One partition of an export: its log, replayed to know which definitions were in force, which time was
//! deaf, and up to when silence was settled.

use std::collections::{HashMap, VecDeque};

use api::export::{Expected, GapLine, HeartbeatLine, Line, Micros, MonitorLine, Skipped, SkippedEntry};
use machine::partition::takes_imports;
use machine::what_if::unheard;
use machine::{Effects, Partition, Replayer};
use model::flip::State;
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{MonitorId, PartitionId, Revision};
use model::imported::{Imported, PastEvent};
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
    /// Definitions of monitors to which nothing has happened yet: a history that is imported comes before
    /// them, and they judge nothing until the monitor is heard.
    held: HashMap<MonitorId, Vec<MonitorLine>>,
    /// The newest revision in the lines of each monitor that has a history from elsewhere. Its revisions
    /// there say nothing about those here.
    revisions: HashMap<MonitorId, u64>,
    /// Whether the beginning is reached.
    begun: bool,
    /// The newest heartbeats from before the beginning that were read and not told yet.
    before: HashMap<MonitorId, HeartbeatLine>,
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
            held: HashMap::new(),
            revisions: HashMap::new(),
            begun: false,
            before: HashMap::new(),
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
        self.held.clear();
        self.begun = true;
        self.tell_before();
        for (id, state) in self.replayer.partition().states() {
            if let Some(definition) = state.definition.as_ref().filter(|_| takes_imports(state))
                && self.selection.contains(id)
            {
                let line = MonitorLine {
                    id: Some(id),
                    at: Some(Micros(self.from)),
                    revision: Some(state.revision.max(Revision(1)).0),
                    expected: Some(Expected::from(definition)),
                    ..MonitorLine::default()
                };
                self.held.insert(id, vec![line]);
            }
        }
    }

    /// Tells of the newest heartbeat of each monitor from before the beginning: without it the monitor would
    /// be new elsewhere, and nothing would be said of its silence. Then tells of the deaf time since.
    fn tell_before(&mut self) {
        let mut known = std::mem::take(&mut self.before);
        let states = self.replayer.partition().states();
        let mut heard: Vec<(HeartbeatLine, &MonitorState)> = states
            .filter(|(id, state)| self.selection.contains(*id) && !takes_imports(state))
            .filter_map(|(id, state)| {
                let at = state.heard_at.filter(|at| *at < self.from)?;
                let read = known.remove(&id).filter(|line| line.at.0 == at);
                Some((read.unwrap_or_else(|| last_heard(id, at, state)), state))
            })
            .collect();
        // The same export, made again, has the same order.
        heard.sort_unstable_by_key(|(line, _)| line.monitor);
        for (line, state) in heard {
            let (id, at) = (line.monitor, line.at.0);
            self.deaf_until = self.deaf_until.min(at);
            self.ready.push_back((self.from, Line::Heartbeat(line)));
            if let (Some(later), Some(definition)) = (counted_later(state), &state.definition) {
                let revision = state.revision.max(Revision(1)).0;
                self.ready
                    .push_back((self.from, changed_there(id, later, revision, Some(at), definition, true)));
            }
        }
        self.tell_gaps(self.from);
    }

    /// The definition in force for a monitor where the export is now; its revision is `None` if a line that
    /// follows says from when.
    pub(crate) fn in_force(&self, monitor: MonitorId) -> Option<(Option<Revision>, &Definition)> {
        let state = self.replayer.partition().monitor(monitor).filter(|state| !takes_imports(state))?;
        // Any revision of the log is newer than one that is not known.
        let revision = state.revision.max(Revision(1));
        let is_said_here = counted_later(state).is_none() || state.heard_at >= Some(self.from);
        Some((is_said_here.then_some(revision), state.definition.as_ref()?))
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
                self.end();
                continue;
            }
            // Also what was recorded after the end: a history that is imported is older than its entry.
            while let Some(entry) = self.entries.pop_front() {
                self.apply(&entry);
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
            if let Some(line) = self.changed(change) {
                self.hold_or_tell(change, line, entry.logged_at);
            }
        }
        for imported in &frame.imported {
            let id = imported.monitor;
            if self.selection.contains(id) && self.replayer.partition().monitor(id).is_none_or(takes_imports)
            {
                self.tell_imported(imported, entry.logged_at);
            }
        }
        let Self { replayer, selection, ready, held, from, until, begun, before, .. } = self;
        let heard = |partition: &Partition, heartbeat: &Heartbeat| {
            let (id, at) = (heartbeat.monitor, heartbeat.received_at);
            if !selection.contains(id) || until.is_some_and(|until| at >= until) {
                return;
            }
            let is_before = at < *from;
            if is_before && !*begun {
                before.insert(id, HeartbeatLine { before: true, ..HeartbeatLine::of(heartbeat, None) });
                return;
            }
            for line in held.remove(&id).unwrap_or_default() {
                ready.push_back((entry.logged_at, Line::Monitor(Box::new(line))));
            }
            let settled = partition.settled_before(id, at);
            let line = HeartbeatLine { before: is_before, ..HeartbeatLine::of(heartbeat, settled) };
            ready.push_back((entry.logged_at, Line::Heartbeat(line)));
        };
        replayer.apply_observed(entry.offset, entry.logged_at, frame, heard, &mut Effects::default());
        self.tell_gaps(entry.logged_at);
    }

    /// Tells of a change, or keeps it while nothing has happened to its monitor.
    fn hold_or_tell(&mut self, change: &DefinitionChange, mut line: MonitorLine, logged_at: EventTime) {
        let id = change.monitor;
        if let (Some(last), Some(revision)) = (self.revisions.get_mut(&id), &mut line.revision) {
            *revision = (*revision).max(*last + 1);
            *last = *revision;
        }
        let is_new = self.replayer.partition().monitor(id).is_none_or(takes_imports);
        if is_new && change.definition.as_ref().is_some_and(|definition| !definition.paused) {
            self.held.entry(id).or_default().push(line);
            return;
        }
        let held = self.held.remove(&id).unwrap_or_default();
        let lines = held.into_iter().chain([line]);
        self.ready.extend(lines.map(|line| (logged_at, Line::Monitor(Box::new(line)))));
    }

    /// Tells of a part of a history that was imported with its times, as it came.
    fn tell_imported(&mut self, imported: &Imported, logged_at: EventTime) {
        let id = imported.monitor;
        self.held.remove(&id);
        let mut revision = self.revisions.get(&id).copied().unwrap_or(0);
        let known = self.replayer.partition().monitor(id).and_then(|state| state.definition.clone());
        let (from, end) = (self.from, self.until);
        let is_told = |at: EventTime| end.is_none_or(|end| at < end);
        let known_until = |at: EventTime| Some(end.map_or(at, |end| at.min(end)));
        for event in &imported.events {
            let mut is_before = false;
            let line = match event {
                PastEvent::Heard { heartbeat, settled } => {
                    let at = heartbeat.received_at;
                    let line = HeartbeatLine { imported: true, ..HeartbeatLine::of(heartbeat, *settled) };
                    is_before = at < from;
                    if is_before {
                        self.before.insert(id, HeartbeatLine { before: true, ..line.clone() });
                    }
                    (!is_before && is_told(at)).then_some(Line::Heartbeat(line))
                }
                PastEvent::Defined { at, revision: its, definition, settled } => {
                    is_before = *at < from;
                    revision = revision.max(its.0);
                    is_told(*at).then(|| changed_there(id, *at, its.0, *settled, definition, false))
                }
                PastEvent::Moved { until, at, revision: its, definition } => {
                    revision = revision.max(its.0);
                    Some(changed_there(id, *at, its.0, known_until(*until), definition, true))
                }
                // Deaf time before the beginning matters to what was heard before it.
                PastEvent::Deaf(gap) => {
                    is_before = true;
                    let gap_end = end.map_or(gap.end, |end| gap.end.min(end));
                    let (from, to) = (Micros(gap.start), Micros(gap_end));
                    let line = Line::Gap(GapLine { partition: None, monitor: Some(id), from, to });
                    (gap.start < gap_end).then_some(line)
                }
                PastEvent::Until(until) => known.as_ref().map(|definition| {
                    revision += 1;
                    changed_there(id, imported.at, revision, known_until(*until), definition, true)
                }),
            };
            // Where the beginning is not reached yet, the state there says what comes before it.
            if self.begun && !is_before {
                let heard = self.before.remove(&id);
                self.ready.extend(heard.map(|line| (logged_at, Line::Heartbeat(line))));
            }
            self.ready.extend(line.map(|line| (logged_at, line)));
        }
        self.revisions.insert(id, revision);
    }

    /// The end, and what was kept until then.
    fn end(&mut self) {
        self.ended = true;
        let at = self.ready.back().map_or(self.from, |(at, _)| *at);
        let mut held: Vec<(MonitorId, Vec<MonitorLine>)> = self.held.drain().collect();
        held.sort_unstable_by_key(|(id, _)| *id);
        let lines = held.into_iter().flat_map(|(_, lines)| lines);
        self.ready.extend(lines.map(|line| (at, Line::Monitor(Box::new(line)))));
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
                let partition = Some(self.partition.0);
                let line = Line::Gap(GapLine { partition, monitor: None, from, to });
                self.ready.push_back((logged_at, line));
            }
            self.deaf_until = gap.end;
        }
    }
}

/// From when the deadline of a monitor that is up is counted, if that is later than its newest heartbeat: it
/// was resumed, or came from another installation.
fn counted_later(state: &MonitorState) -> Option<EventTime> {
    let later = state.counted_from.filter(|from| Some(*from) > state.heard_at);
    later.filter(|_| state.state == State::Up)
}

/// The newest heartbeat of a monitor, as far as its state tells of it.
fn last_heard(monitor: MonitorId, at: EventTime, state: &MonitorState) -> HeartbeatLine {
    // Silence that was missed is told by its length, what a job reported is not.
    let reported =
        state.incident.as_ref().map(|incident| &incident.down).filter(|down| down.silent_for.is_none());
    HeartbeatLine {
        monitor,
        at: Micros(at),
        status: if reported.is_some() { HeartbeatKind::Down } else { HeartbeatKind::Up },
        msg: reported.and_then(|down| down.message.clone()),
        value: reported.and_then(|down| down.value),
        settled: None,
        imported: false,
        before: true,
    }
}

/// The line of a change in the installation that a history came from.
fn changed_there(
    id: MonitorId,
    at: EventTime,
    revision: u64,
    settled: Option<EventTime>,
    definition: &Definition,
    moved: bool,
) -> Line {
    Line::Monitor(Box::new(MonitorLine {
        id: Some(id),
        at: Some(Micros(at)),
        revision: Some(revision),
        settled: settled.map(Micros),
        moved,
        expected: Some(Expected::from(definition)),
        ..MonitorLine::default()
    }))
}

/// New monitors with the definitions of the registry: any change in the log is newer.
fn in_force_now(app: &App, partition: PartitionId, selection: &Selection) -> Vec<(MonitorId, MonitorState)> {
    let partitions = app.ports.log.partitions();
    let of_here = selection.sorted().into_iter().filter(|id| id.partition(partitions) == partition);
    let known = of_here.filter_map(|id| Some((id, app.directory.monitor(id)?.decode()?)));
    known.map(|(id, held)| (id, unheard(held.value.definition, held.value.created_at))).collect()
}
