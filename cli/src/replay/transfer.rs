//! An import on its way: lines in, batches out, each noted before it is sent.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Write;

use anyhow::bail;
use api::export::{Expected, HeartbeatLine, Line, Micros, MonitorLine, SummaryLine};
use model::ids::MonitorId;
use model::time::EventTime;

use super::journal::{Batch, Journal};
use super::lines::Lines;
use super::pace::Pace;
use super::past::{Defined, OutgoingLine, Past};
use super::progress::Progress;
use super::target::{Sent, Target};
use crate::terminal::Terminal;

/// The approximate number of lines in a request. One line of an export may become two thousand more, of deaf
/// time, and a server takes 10,000.
const BATCH_LINES: usize = 5_000;

/// The approximate size of a request in bytes; a server takes 8 MiB.
const BATCH_BYTES: usize = 4 << 20;

/// Lines of an export, its monitors' first, and after its end, for histories, that of each monitor.
pub(super) struct Feed {
    lines: Lines,
    monitors: VecDeque<MonitorLine>,
    next: Option<Line>,
    ends: Option<VecDeque<MonitorId>>,
    summary: Option<SummaryLine>,
    /// Steps that were taken.
    position: u64,
}

/// A step of an import.
enum Step {
    Line(Line),
    End(MonitorId),
}

impl Feed {
    /// Reads the monitors.
    pub(super) async fn open(mut lines: Lines) -> anyhow::Result<Self> {
        let mut monitors = VecDeque::new();
        let mut number = 0_u64;
        let next = loop {
            let Some(text) = lines.next().await? else { break None };
            number += 1;
            match Line::parse(&text) {
                Ok(Some(Line::Monitor(line))) if line.labels.is_some() => monitors.push_back(*line),
                Ok(Some(line)) => break Some(line),
                Ok(None) => {}
                Err(error) => bail!("line {number} is not one of an export: {error}"),
            }
        };
        if monitors.is_empty() && next.is_none() {
            bail!("there is nothing to import: no line is in it");
        }
        Ok(Self { lines, monitors, next, ends: None, summary: None, position: 0 })
    }

    pub(super) const fn monitors(&self) -> &VecDeque<MonitorLine> {
        &self.monitors
    }

    /// The next line; `None` behind the summary.
    pub(super) async fn line_only(&mut self) -> anyhow::Result<Option<Line>> {
        match self.next(None).await? {
            Some(Step::Line(line)) => Ok(Some(line)),
            Some(Step::End(_)) | None => Ok(None),
        }
    }

    /// The next step; `None` at the end. With `ends` each of these monitors has one after the export's own.
    async fn next(&mut self, ends: Option<&[MonitorId]>) -> anyhow::Result<Option<Step>> {
        let step = self.step(ends).await?;
        self.position += u64::from(step.is_some());
        Ok(step)
    }

    async fn step(&mut self, ends: Option<&[MonitorId]>) -> anyhow::Result<Option<Step>> {
        if let Some(line) = self.monitors.pop_front() {
            return Ok(Some(Step::Line(Line::Monitor(Box::new(line)))));
        }
        loop {
            if let Some(waiting) = &mut self.ends {
                return Ok(waiting.pop_front().map(Step::End));
            }
            match self.line().await? {
                Some(Line::Summary(summary)) => {
                    self.summary = Some(summary);
                    self.ends = Some(ends.unwrap_or_default().to_vec().into());
                }
                Some(line) => return Ok(Some(Step::Line(line))),
                None => bail!(
                    "this export is not whole: it ends without a summary. What was in it is imported{}",
                    if ends.is_some() { ", but the histories are not complete" } else { "" }
                ),
            }
        }
    }

    async fn line(&mut self) -> anyhow::Result<Option<Line>> {
        if let Some(line) = self.next.take() {
            return Ok(Some(line));
        }
        loop {
            let Some(text) = self.lines.next().await? else { return Ok(None) };
            match Line::parse(&text) {
                Ok(Some(line)) => return Ok(Some(line)),
                // A later version may tell more.
                Ok(None) => {}
                Err(error) => bail!("after {} lines: not a line of an export: {error}", self.position),
            }
        }
    }
}

/// How an import goes.
pub(super) struct Transfer<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) target: Target,
    pub(super) journal: Journal,
    pub(super) progress: Progress,
    pub(super) pace: Pace,
    /// Target by source.
    pub(super) pairs: HashMap<MonitorId, MonitorId>,
    /// The histories; `None` for live heartbeats.
    pub(super) past: Option<Past>,
    /// Monitors that get nothing more, by their ids at the target.
    pub(super) skipped: HashSet<MonitorId>,
    /// The definitions of monitors that are made here, as of the end of the import.
    pub(super) expected: HashMap<MonitorId, Expected>,
}

/// Lines that are sent at once.
#[derive(Default)]
struct Packet {
    steps: u64,
    lines: Vec<(MonitorId, usize)>,
    bytes: Vec<u8>,
    stamps: Vec<EventTime>,
}

impl Packet {
    fn push(&mut self, line: &OutgoingLine) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.bytes, line)?;
        self.bytes.write_all(b"\n")?;
        self.lines.push((line.monitor(), self.bytes.len()));
        Ok(())
    }

    const fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_LINES || self.bytes.len() >= BATCH_BYTES
    }

    /// Leaves out what is of these monitors.
    fn without(&mut self, skipped: &HashSet<MonitorId>) {
        let all = std::mem::take(self);
        let mut begin = 0;
        for (monitor, end) in all.lines {
            if !skipped.contains(&monitor) {
                self.bytes.extend_from_slice(&all.bytes[begin..end]);
                self.lines.push((monitor, self.bytes.len()));
            }
            begin = end;
        }
        self.steps = all.steps;
        self.stamps = all.stamps;
    }

    fn batch(&self, first: u64) -> Batch {
        let mut before = 0;
        let stamps = self.stamps.iter().map(|stamp| {
            let micros = stamp.as_micros();
            micros - std::mem::replace(&mut before, micros)
        });
        Batch { first, lines: self.steps, stamps: stamps.collect() }
    }
}

/// The stamps of a batch.
pub(super) fn stamps(batch: &Batch) -> Vec<EventTime> {
    let mut at = 0_i64;
    let stamp = |delta: &i64| {
        at = at.saturating_add(*delta);
        EventTime::from_micros(at)
    };
    batch.stamps.iter().map(stamp).collect()
}

impl Transfer<'_> {
    /// Sends everything; `false` if a person stopped it.
    ///
    /// # Errors
    /// The export is not whole, the server refuses, or the notes cannot be written.
    pub(super) async fn run(&mut self, feed: &mut Feed) -> anyhow::Result<bool> {
        let ends = self.past.is_some().then(|| {
            let mut ids: Vec<MonitorId> = self.pairs.keys().copied().collect();
            ids.sort_unstable();
            ids
        });
        let ends = ends.as_deref();
        if let Some(batch) = self.journal.noted().batch.clone()
            && !self.resume(feed, &batch, ends).await?
        {
            return Ok(false);
        }
        let mut held: Option<Step> = None;
        loop {
            let first = feed.position - u64::from(held.is_some());
            let mut packet = Packet::default();
            let mut stopped = false;
            while !packet.is_full() {
                let step = match held.take() {
                    Some(step) => step,
                    None => match feed.next(ends).await? {
                        Some(step) => step,
                        None => break,
                    },
                };
                let mut now = self.target.now();
                let due = self.due(&step, now);
                if due > now {
                    if packet.steps > 0 {
                        held = Some(step);
                        break;
                    }
                    if !self.wait(due.since(now)).await {
                        stopped = true;
                        break;
                    }
                    now = self.target.now();
                }
                self.take(step, feed.summary.as_ref(), (due, now), &mut packet)?;
            }
            if stopped {
                return Ok(false);
            }
            if packet.steps == 0 {
                return Ok(true);
            }
            if packet.lines.is_empty() {
                continue;
            }
            self.journal.batch(packet.batch(first))?;
            if !self.send(packet, false).await? {
                return Ok(false);
            }
            self.progress.at(Some(feed.lines.read()), "");
        }
    }

    /// Goes on where it was killed: what was noted last is sent again, as it was.
    async fn resume(
        &mut self,
        feed: &mut Feed,
        batch: &Batch,
        ends: Option<&[MonitorId]>,
    ) -> anyhow::Result<bool> {
        self.terminal.note(format_args!("going on after {} lines", batch.first));
        self.progress.resume(batch.first);
        let mut passed = Packet::default();
        while feed.position < batch.first {
            let Some(step) = feed.next(ends).await? else { break };
            self.pass(step, feed.summary.as_ref(), &mut passed)?;
        }
        let stamps = stamps(batch);
        let mut packet = Packet::default();
        let mut given = stamps.iter().copied();
        for _ in 0..batch.lines {
            let Some(step) = feed.next(ends).await? else { break };
            packet.steps += 1;
            match (&mut self.past, step) {
                (None, Step::Line(Line::Heartbeat(line))) => {
                    if let Some(target) = self.pairs.get(&line.monitor) {
                        let Some(stamp) = given.next() else {
                            bail!("the progress file does not fit the export")
                        };
                        packet.push(&live(line, *target, stamp))?;
                    }
                }
                (None, step) => self.note_expected(&step),
                (Some(_), step) => self.tell(step, feed.summary.as_ref(), &mut packet)?,
            }
        }
        if packet.steps != batch.lines || given.next().is_some() {
            bail!("the progress file does not fit the export: it was another, or is shorter now");
        }
        if let Some(last) = stamps.last() {
            self.pace.stamped_until(*last);
        }
        self.send(packet, true).await
    }

    /// Lets a step pass that was sent before.
    fn pass(&mut self, step: Step, summary: Option<&SummaryLine>, passed: &mut Packet) -> anyhow::Result<()> {
        if self.past.is_none() {
            self.note_expected(&step);
            return Ok(());
        }
        self.tell(step, summary, passed)?;
        *passed = Packet::default();
        Ok(())
    }

    fn due(&mut self, step: &Step, now: EventTime) -> EventTime {
        match step {
            Step::Line(Line::Heartbeat(line)) if self.pairs.contains_key(&line.monitor) => {
                self.pace.due(line.at.0, now)
            }
            Step::Line(Line::Heartbeat(_) | Line::Monitor(_) | Line::Gap(_) | Line::Summary(_))
            | Step::End(_) => now,
        }
    }

    /// Waits; `false` if a person stopped it.
    async fn wait(&mut self, span: std::time::Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(span) => true,
            _ = tokio::signal::ctrl_c() => false,
        }
    }

    fn take(
        &mut self,
        step: Step,
        summary: Option<&SummaryLine>,
        (due, now): (EventTime, EventTime),
        packet: &mut Packet,
    ) -> anyhow::Result<()> {
        packet.steps += 1;
        if self.past.is_some() {
            return self.tell(step, summary, packet);
        }
        self.note_expected(&step);
        if let Step::Line(Line::Heartbeat(line)) = step
            && let Some(target) = self.pairs.get(&line.monitor)
        {
            let stamp = self.pace.stamp(due, now);
            packet.stamps.push(stamp);
            packet.push(&live(line, *target, stamp))?;
        }
        Ok(())
    }

    /// Tells a step of histories.
    fn tell(&mut self, step: Step, summary: Option<&SummaryLine>, packet: &mut Packet) -> anyhow::Result<()> {
        self.note_expected(&step);
        let Some(past) = &mut self.past else { return Ok(()) };
        let mut lines = Vec::new();
        match step {
            Step::Line(Line::Heartbeat(line)) => past.heartbeat(line, &mut lines),
            Step::Line(Line::Monitor(line)) => {
                if let (Some(id), Some(at), Some(expected)) = (line.id, line.at, line.expected) {
                    let revision = line.revision.unwrap_or(1);
                    past.defined(id, Defined { at, revision, settled: line.settled, expected }, &mut lines);
                }
            }
            Step::Line(Line::Gap(line)) => past.gap(line.partition, line.interval()),
            Step::Line(Line::Summary(_)) => {}
            Step::End(monitor) => {
                let until =
                    |partition| summary.map_or(EventTime::EPOCH, |summary| summary.until_of(partition));
                past.until(monitor, until, &mut lines);
            }
        }
        lines
            .iter()
            .filter(|line| !self.skipped.contains(&line.monitor()))
            .try_for_each(|line| packet.push(line))
    }

    fn note_expected(&mut self, step: &Step) {
        if let Step::Line(Line::Monitor(line)) = step
            && let (Some(id), Some(expected)) = (line.id, &line.expected)
            && let Some(known) = self.expected.get_mut(&id)
        {
            known.clone_from(expected);
        }
    }

    async fn send(&mut self, mut packet: Packet, mut again: bool) -> anyhow::Result<bool> {
        while !packet.lines.is_empty() {
            match self.target.send(&packet.bytes, again, self.terminal, &self.progress).await? {
                Sent::Yes => break,
                Sent::Stopped => return Ok(false),
                Sent::Refused(monitors) => {
                    for (monitor, why) in monitors {
                        self.progress.aside(|| {
                            self.terminal.warn(format_args!("{why}; the rest of its history is left out"))
                        });
                        self.journal.skip(monitor)?;
                        self.skipped.insert(monitor);
                    }
                    packet.without(&self.skipped);
                    again = true;
                }
            }
        }
        self.progress.add(packet.steps);
        Ok(true)
    }
}

fn live(line: HeartbeatLine, target: MonitorId, stamp: EventTime) -> OutgoingLine {
    OutgoingLine::Heartbeat(HeartbeatLine { monitor: target, at: Micros(stamp), settled: None, ..line })
}
