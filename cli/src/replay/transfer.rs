//! An import on its way: lines in, batches out, each noted before it is sent.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::time::Duration;

use anyhow::{anyhow, bail};
use api::export::{Expected, HeartbeatLine, Line, Micros};
use model::ids::MonitorId;
use model::time::EventTime;

use super::super::api::ApiError;
use super::feed::{Feed, Step};
use super::journal::{Batch, Journal};
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

/// The longest time for which live heartbeats that have their stamps wait for further ones: a server takes
/// them for a minute.
const MOST_WAIT: Duration = Duration::from_secs(1);

/// Monitors that are named at most.
const NAMED: usize = 20;

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
    /// Of each line the monitor, where its bytes end, and its number in the file.
    lines: Vec<(MonitorId, usize, u64)>,
    bytes: Vec<u8>,
    stamps: Vec<EventTime>,
}

impl Packet {
    fn push(&mut self, number: u64, line: &OutgoingLine) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.bytes, line)?;
        self.bytes.write_all(b"\n")?;
        self.lines.push((line.monitor(), self.bytes.len(), number));
        Ok(())
    }

    const fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_LINES || self.bytes.len() >= BATCH_BYTES
    }

    /// Leaves out what is of these monitors.
    fn without(&mut self, skipped: &HashSet<MonitorId>) {
        let all = std::mem::take(self);
        let mut begin = 0;
        for (monitor, end, number) in all.lines {
            if !skipped.contains(&monitor) {
                self.bytes.extend_from_slice(&all.bytes[begin..end]);
                self.lines.push((monitor, self.bytes.len(), number));
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
            let first = feed.position() - u64::from(held.is_some());
            let mut packet = Packet::default();
            let mut stopped = false;
            while !packet.is_full() {
                let step = match held.take() {
                    Some(step) => step,
                    None => match next(feed, ends, !packet.stamps.is_empty()).await? {
                        Next::Step(step) => step,
                        Next::Later | Next::End => break,
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
                self.take(step, (due, now), &mut packet)?;
            }
            if stopped {
                return Ok(false);
            }
            if packet.steps == 0 {
                self.tell_never_heard();
                return Ok(true);
            }
            if packet.lines.is_empty() {
                continue;
            }
            self.journal.batch(packet.batch(first))?;
            if !self.send(packet, false).await? {
                return Ok(false);
            }
            self.progress.at(Some(feed.bytes()), "");
        }
    }

    /// Names the monitors that go on as new ones.
    fn tell_never_heard(&self) {
        let Some(names) = self.past.as_ref().map(Past::never_heard).filter(|names| !names.is_empty()) else {
            return;
        };
        let more = if names.len() > NAMED { ", …" } else { "" };
        let named: Vec<&str> = names.iter().take(NAMED).copied().collect();
        let those = if names.len() == 1 { "monitor" } else { "monitors" };
        self.terminal.warn(format_args!(
            "{} {those} without a known heartbeat: new here, and nothing is said of their silence until they are heard: {}{more}",
            names.len(),
            named.join(", ")
        ));
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
        while feed.position() < batch.first {
            let Some(step) = feed.next(ends).await? else { break };
            self.pass(step, &mut passed)?;
        }
        let stamps = stamps(batch);
        let mut packet = Packet::default();
        let mut given = stamps.iter().copied();
        for _ in 0..batch.lines {
            let Some(step) = feed.next(ends).await? else { break };
            packet.steps += 1;
            match (&mut self.past, step) {
                (None, Step::Line(number, Line::Heartbeat(line))) => {
                    if let Some(target) = self.pairs.get(&line.monitor) {
                        let Some(stamp) = given.next() else {
                            bail!("the progress file does not fit the export")
                        };
                        packet.push(number, &live(line, *target, stamp))?;
                    }
                }
                (None, step) => self.note_expected(&step),
                (Some(_), step) => self.tell(step, &mut packet)?,
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
    fn pass(&mut self, step: Step, passed: &mut Packet) -> anyhow::Result<()> {
        if self.past.is_none() {
            self.note_expected(&step);
            return Ok(());
        }
        self.tell(step, passed)?;
        *passed = Packet::default();
        Ok(())
    }

    fn due(&mut self, step: &Step, now: EventTime) -> EventTime {
        match step {
            Step::Line(_, Line::Heartbeat(line))
                if self.pairs.contains_key(&line.monitor) && !line.before =>
            {
                self.pace.due(line.at.0, now)
            }
            Step::Line(_, _) | Step::End(_) => now,
        }
    }

    /// Waits; `false` if a person stopped it.
    async fn wait(&mut self, span: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(span) => true,
            _ = tokio::signal::ctrl_c() => false,
        }
    }

    fn take(
        &mut self,
        step: Step,
        (due, now): (EventTime, EventTime),
        packet: &mut Packet,
    ) -> anyhow::Result<()> {
        packet.steps += 1;
        if self.past.is_some() {
            return self.tell(step, packet);
        }
        self.note_expected(&step);
        if let Step::Line(number, Line::Heartbeat(line)) = step
            && let Some(target) = self.pairs.get(&line.monitor)
        {
            let stamp = self.pace.stamp(due, now);
            packet.stamps.push(stamp);
            packet.push(number, &live(line, *target, stamp))?;
        }
        Ok(())
    }

    /// Tells a step of histories.
    fn tell(&mut self, step: Step, packet: &mut Packet) -> anyhow::Result<()> {
        self.note_expected(&step);
        let Some(past) = &mut self.past else { return Ok(()) };
        let mut lines = Vec::new();
        let number = match &step {
            Step::Line(number, _) => *number,
            Step::End(_) => 0,
        };
        match step {
            Step::Line(_, Line::Heartbeat(line)) => past.heartbeat(line, &mut lines),
            Step::Line(_, Line::Monitor(line)) => {
                if let (Some(id), Some(labels)) = (line.id, &line.labels) {
                    past.listed(id, labels, &mut lines);
                }
                if let (Some(id), Some(at), Some(expected)) = (line.id, line.at, line.expected) {
                    let revision = line.revision.unwrap_or(1);
                    past.defined(
                        id,
                        Defined { at, revision, settled: line.settled, moved: line.moved, expected },
                        &mut lines,
                    );
                }
            }
            Step::Line(_, Line::Gap(line)) => match (line.monitor, line.partition) {
                (Some(monitor), _) => past.gap_of(monitor, line.interval(), &mut lines),
                (None, partition) => past.gap(partition.unwrap_or(0), line.interval()),
            },
            Step::Line(_, Line::Summary(line)) => past.ended(&line),
            // They are made before anything is sent, or after.
            Step::Line(_, Line::Channel(_) | Line::Window(_) | Line::Key(_)) => {}
            Step::End(monitor) => past.until(monitor, &mut lines),
        }
        lines
            .iter()
            .filter(|line| !self.skipped.contains(&line.monitor()))
            .try_for_each(|line| packet.push(number, line))
    }

    fn note_expected(&mut self, step: &Step) {
        if let Step::Line(_, Line::Monitor(line)) = step
            && let (Some(id), Some(expected)) = (line.id, &line.expected)
            && let Some(known) = self.expected.get_mut(&id)
        {
            known.clone_from(expected);
        }
    }

    async fn send(&mut self, mut packet: Packet, mut again: bool) -> anyhow::Result<bool> {
        while !packet.lines.is_empty() {
            let sent = self.target.send(&packet.bytes, again, self.terminal, &self.progress).await;
            match sent.map_err(|error| by_file_lines(error, &packet))? {
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

/// The next step of a feed.
enum Next {
    Step(Step),
    /// Not yet, and what is in hand must not wait.
    Later,
    End,
}

async fn next(feed: &mut Feed, ends: Option<&[MonitorId]>, is_urgent: bool) -> anyhow::Result<Next> {
    let step = if is_urgent {
        match tokio::time::timeout(MOST_WAIT, feed.next(ends)).await {
            Ok(step) => step?,
            Err(_) => return Ok(Next::Later),
        }
    } else {
        feed.next(ends).await?
    };
    Ok(step.map_or(Next::End, Next::Step))
}

/// A refusal of lines, with their numbers in the file in place of those in the request.
fn by_file_lines(error: anyhow::Error, packet: &Packet) -> anyhow::Error {
    let Some(ApiError::Refused(problem)) = error.downcast_ref::<ApiError>() else { return error };
    let named = |(field, message): &(String, String)| {
        let place = field.strip_prefix("line ")?;
        let (number, field) = place.split_once('.').unwrap_or((place, ""));
        let (_, _, number) = packet.lines.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("line {number}: {field} {message}"))
    };
    let lines: Vec<String> = problem.errors().iter().filter_map(named).take(20).collect();
    match lines.is_empty() {
        true => error,
        false => anyhow!(
            "the server refuses these lines, and with them all that were sent at once:\n  {}",
            lines.join("\n  ")
        ),
    }
}

fn live(line: HeartbeatLine, target: MonitorId, stamp: EventTime) -> OutgoingLine {
    OutgoingLine::Heartbeat(HeartbeatLine {
        monitor: target,
        at: Micros(stamp),
        settled: None,
        imported: false,
        before: false,
        ..line
    })
}
