//! The steps of an import: lines of one or several exports, judged one by one, and after the last one the end
//! of each monitor's history.

use std::collections::{HashMap, HashSet, VecDeque};

use anyhow::bail;
use api::export::{HeartbeatLine, Line, Micros, MonitorLine, Skipped, SummaryLine};
use api::limits::{MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, MAX_TAGS};
use model::ids::MonitorId;
use model::time::EventTime;

use super::lines::Lines;
use super::refused::Refused;

/// The most exports in one file.
const MOST_EXPORTS: u32 = 1_000;

/// A step of an import.
#[derive(Debug)]
pub(super) enum Step {
    /// A line, and its number.
    Line(u64, Line),
    /// The end of a monitor's history.
    End(MonitorId),
}

/// What happens with lines that are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// They are left out, and kept to be reported.
    LeaveOut,
    /// The first one ends the import.
    Stop,
}

/// The rules that the lines are judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    /// For histories: the target's time, behind which nothing can have happened.
    pub(super) latest: Option<EventTime>,
}

/// Lines of exports, one after the other.
pub(super) struct Feed {
    lines: Lines,
    rules: Rules,
    /// Lines that were read ahead, with their numbers.
    ahead: VecDeque<(u64, Line)>,
    part: Part,
    /// Exports that ended.
    ended: u32,
    /// The newest heartbeat of each monitor in the exports that ended, and in this one too.
    newest: HashMap<MonitorId, (Option<EventTime>, EventTime)>,
    ends: Option<VecDeque<MonitorId>>,
    refused: Refused,
    /// Steps that were taken.
    position: u64,
}

/// The export that is being read.
#[derive(Debug, Default)]
struct Part {
    /// The monitors that have a line of their own.
    listed: HashSet<MonitorId>,
    /// It has channels, windows or keys.
    has_settings: bool,
    /// Something that happened was read.
    has_events: bool,
    heartbeats: u64,
    last_line: u64,
    latest: Option<EventTime>,
}

impl Feed {
    /// Reads the first monitors.
    ///
    /// # Errors
    /// Nothing can be read, or a line is not taken and none may be left out.
    pub(super) async fn open(lines: Lines, rules: Rules) -> anyhow::Result<Self> {
        let mut feed = Self {
            lines,
            rules,
            ahead: VecDeque::new(),
            part: Part::default(),
            ended: 0,
            newest: HashMap::new(),
            ends: None,
            refused: Refused::default(),
            position: 0,
        };
        let mut any = false;
        while let Some((number, line)) = feed.read().await? {
            any = true;
            let is_event = is_event(&line);
            feed.ahead.push_back((number, line));
            if is_event {
                break;
            }
        }
        if !any && feed.refused.count == 0 {
            bail!("there is nothing to import: no line is in it");
        }
        Ok(feed)
    }

    /// The monitors of the first lines.
    pub(super) fn first_monitors(&self) -> impl Iterator<Item = &MonitorLine> {
        self.ahead.iter().filter_map(|(_, line)| match line {
            Line::Monitor(line) if line.labels.is_some() => Some(&**line),
            Line::Monitor(_)
            | Line::Heartbeat(_)
            | Line::Gap(_)
            | Line::Summary(_)
            | Line::Channel(_)
            | Line::Window(_)
            | Line::Key(_) => None,
        })
    }

    /// The channels, windows and keys of the first lines.
    pub(super) fn first_settings(&self) -> impl Iterator<Item = &Line> {
        let is_one = |line: &&Line| matches!(line, Line::Channel(_) | Line::Window(_) | Line::Key(_));
        self.ahead.iter().map(|(_, line)| line).filter(is_one)
    }

    /// The lines that were not taken so far.
    pub(super) const fn refused(&self) -> &Refused {
        &self.refused
    }

    /// The lines that were not taken, at the end.
    pub(super) fn into_refused(self) -> Refused {
        self.refused
    }

    /// The number of steps that were taken.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes in all, if that is known.
    pub(super) const fn total(&self) -> Option<u64> {
        self.lines.total
    }

    /// Bytes that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.lines.read()
    }

    /// The next step; `None` at the end. With `ends` each of these monitors has one after the exports' own.
    /// Nothing is lost if the caller does not wait for it.
    ///
    /// # Errors
    /// A line cannot be read, or is not taken and none may be left out.
    pub(super) async fn next(&mut self, ends: Option<&[MonitorId]>) -> anyhow::Result<Option<Step>> {
        let step = self.step(ends).await?;
        self.position += u64::from(step.is_some());
        Ok(step)
    }

    async fn step(&mut self, ends: Option<&[MonitorId]>) -> anyhow::Result<Option<Step>> {
        loop {
            if let Some(waiting) = &mut self.ends {
                return Ok(waiting.pop_front().map(Step::End));
            }
            let next = match self.ahead.pop_front() {
                Some(next) => Some(next),
                None => self.read().await?,
            };
            match next {
                Some((_, Line::Heartbeat(line))) if self.is_told_before(&line) => {}
                Some((number, line)) => match self.judge(&line) {
                    Ok(()) => return Ok(Some(self.take(number, line))),
                    Err(Judgement::NotWhole) => {
                        self.ahead.push_front((number, line));
                        return self.cut_off().map(Some);
                    }
                    Err(Judgement::Refused(why)) => self.refuse(number, why)?,
                },
                None if self.part.is_begun() => {
                    return self.cut_off().map(Some);
                }
                None => self.ends = Some(ends.unwrap_or_default().to_vec().into()),
            }
        }
    }

    /// The next line that is one of an export.
    async fn read(&mut self) -> anyhow::Result<Option<(u64, Line)>> {
        while let Some(line) = self.lines.next().await? {
            let Some(text) = line.text else {
                self.refuse(line.number, "is not text in UTF-8".to_owned())?;
                continue;
            };
            match Line::parse(&text) {
                Ok(Some(read)) => return Ok(Some((line.number, read))),
                Ok(None) => {
                    self.refuse(line.number, "is of a type that this version does not know".to_owned())?
                }
                Err(error) => self.refuse(line.number, plain(&error))?,
            }
        }
        Ok(None)
    }

    fn refuse(&mut self, number: u64, why: String) -> anyhow::Result<()> {
        match self.rules.policy {
            Policy::LeaveOut => self.refused.add(number, why),
            Policy::Stop => bail!("line {number} {why}; leave such lines out with --lenient"),
        }
        Ok(())
    }

    /// The end of an export that has none.
    fn cut_off(&mut self) -> anyhow::Result<Step> {
        let number = self.part.last_line;
        self.refuse(number, "is the last one, and no summary: the export is not whole".to_owned())?;
        let until = Micros(self.part.latest.unwrap_or(EventTime::EPOCH));
        let summary = SummaryLine {
            from: until,
            until,
            monitors: self.part.listed.len() as u64,
            heartbeats: self.part.heartbeats,
            skipped: Skipped::default(),
            partitions: Vec::new(),
        };
        Ok(self.take(number, Line::Summary(summary)))
    }

    /// Whether a heartbeat from before the beginning of an export tells nothing here: the export before it in
    /// the file has the heartbeat, or heartbeats are sent as if they happened now.
    fn is_told_before(&self, line: &HeartbeatLine) -> bool {
        let known = self.newest.get(&line.monitor).and_then(|(before, _)| *before);
        line.before && (self.rules.latest.is_none() || Some(line.at.0) <= known)
    }

    fn judge(&self, line: &Line) -> Result<(), Judgement> {
        match line {
            Line::Monitor(line) if line.labels.is_some() => self.judge_listing(line),
            Line::Monitor(line) => {
                self.is_listed(line.id)?;
                if !line.deleted && (line.at.is_none() || line.revision.is_none()) {
                    return Err("is a change of a monitor, and needs `at` and `revision`".into());
                }
                if line.moved && line.settled.is_none() {
                    return Err("has `moved` without `settled`".into());
                }
                self.is_past(line.at)
            }
            Line::Heartbeat(line) => {
                self.is_listed(Some(line.monitor))?;
                self.is_past(Some(line.at))?;
                match self.newest.get(&line.monitor) {
                    Some((Some(before), _)) if line.at.0 <= *before => {
                        Err("is not newer than the monitor's heartbeats of the export before".into())
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Line::Gap(line) if line.to <= line.from => Err("has a `to` that is not after its `from`".into()),
            Line::Gap(line) => {
                if line.monitor.is_some() {
                    self.is_listed(line.monitor)?;
                }
                self.is_past(Some(line.to))
            }
            Line::Summary(_) if self.ended >= MOST_EXPORTS => {
                Err(format!("ends one more export than the {MOST_EXPORTS} that one file may hold").into())
            }
            Line::Channel(_) | Line::Window(_) | Line::Key(_) if self.part.has_events => {
                Err(Judgement::NotWhole)
            }
            Line::Summary(_) | Line::Channel(_) | Line::Window(_) | Line::Key(_) => Ok(()),
        }
    }

    fn judge_listing(&self, line: &MonitorLine) -> Result<(), Judgement> {
        if self.part.has_events {
            return Err(Judgement::NotWhole);
        }
        if line.id.is_some_and(|id| self.part.listed.contains(&id)) {
            return Err("names a monitor that a line before it names".into());
        }
        let Some(labels) = &line.labels else { return Ok(()) };
        let name = labels.name.chars().count();
        if labels.name.trim().is_empty() || name > MAX_NAME_CHARS {
            return Err(format!("has a `name` that is not of 1 to {MAX_NAME_CHARS} characters").into());
        }
        if labels.description.chars().count() > MAX_DESCRIPTION_CHARS || labels.tags.len() > MAX_TAGS {
            return Err("has a `description` or `tags` beyond what a monitor may have".into());
        }
        self.is_past(line.at)
    }

    fn is_listed(&self, id: Option<MonitorId>) -> Result<(), Judgement> {
        match id {
            Some(id) if self.part.listed.contains(&id) => Ok(()),
            Some(id) => Err(format!("is of {id}, a monitor that no line before it describes").into()),
            None => Err("names no monitor".into()),
        }
    }

    fn is_past(&self, at: Option<Micros>) -> Result<(), Judgement> {
        match (at, self.rules.latest) {
            (Some(Micros(at)), Some(latest)) if at > latest => {
                Err(format!("lies in the future: it is {} at the server", latest.to_rfc3339()).into())
            }
            (Some(_), Some(_) | None) | (None, _) => Ok(()),
        }
    }

    /// Notes a line that is taken.
    fn take(&mut self, number: u64, line: Line) -> Step {
        self.part.last_line = number;
        match &line {
            Line::Monitor(line) if line.labels.is_some() => self.part.listed.extend(line.id),
            Line::Monitor(line) => self.part.note(line.at),
            Line::Heartbeat(line) => {
                self.part.heartbeats += 1;
                self.part.note(Some(line.at));
                let (_, newest) = self.newest.entry(line.monitor).or_insert((None, line.at.0));
                *newest = (*newest).max(line.at.0);
            }
            Line::Gap(line) => self.part.note(Some(line.to)),
            Line::Channel(_) | Line::Window(_) | Line::Key(_) => self.part.has_settings = true,
            Line::Summary(_) => {
                for id in self.part.listed.drain() {
                    if let Some((before, newest)) = self.newest.get_mut(&id) {
                        *before = Some(*newest);
                    }
                }
                self.ended += 1;
                self.part = Part::default();
            }
        }
        Step::Line(number, line)
    }
}

/// Whether a line tells of something that happened, and not of what there is.
fn is_event(line: &Line) -> bool {
    match line {
        Line::Monitor(line) => line.labels.is_none(),
        Line::Channel(_) | Line::Window(_) | Line::Key(_) => false,
        Line::Heartbeat(_) | Line::Gap(_) | Line::Summary(_) => true,
    }
}

impl Part {
    fn is_begun(&self) -> bool {
        self.has_events || self.has_settings || !self.listed.is_empty()
    }

    fn note(&mut self, at: Option<Micros>) {
        self.has_events = true;
        self.latest = self.latest.max(at.map(|at| at.0));
    }
}

/// Why a line is not taken.
enum Judgement {
    /// Another export begins with it, and the one before has no end.
    NotWhole,
    Refused(String),
}

impl From<&str> for Judgement {
    fn from(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }
}

impl From<String> for Judgement {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

/// What is wrong with a line. Its number is that of the file: the parser knows of one line only.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" at line ").map_or(&*text, |(what, _)| what);
    if error.is_syntax() || error.is_eof() {
        format!("is not JSON: {text}")
    } else {
        format!("is not taken: {text}")
    }
}

#[cfg(test)]
mod tests;
