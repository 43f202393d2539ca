//! An export: what the log holds of monitors, in its order, made as it is read.
//!
//! Partitions are merged by the times of their entries. A part of each partition is in memory: what was read
//! at once.

mod settings;
mod source;

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use api::export::{Expected, Labels, Line, Micros, MonitorLine, PartitionEnd, Skipped, SummaryLine};
use bytes::Bytes;
use model::chain::Chain;
use model::ids::{MonitorId, Revision};
use model::maintenance::MaintenanceWindow;
use model::monitor::Monitor;
use model::time::EventTime;

use self::source::{Next, Source};
use crate::app::App;
use crate::records::Stored;
use crate::replay::source::ReplayError;
use crate::selection::Selection;
use crate::slots::Slot;
use crate::windows::MAX_WINDOWS;

/// About so much is handed over at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// An empty line is sent when there was nothing to say for this long, so that no proxy takes the connection
/// for dead.
const QUIET: Duration = Duration::from_secs(10);

/// What an export covers.
pub struct Request {
    /// The beginning of the exported time.
    pub since: EventTime,
    /// Its end; `None`: now.
    pub until: Option<EventTime>,
    /// The monitors.
    pub selection: Selection,
    /// Whether push tokens are part of it.
    pub with_tokens: bool,
}

/// Why an export breaks off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log or the checkpoints failed.
    #[error("read what is exported")]
    Replay(#[from] ReplayError),
    /// The role drains.
    #[error("the server is stopping")]
    Stopping,
    /// The registry failed.
    #[error("read the maintenance windows")]
    Windows,
    /// A line has no JSON form.
    #[error("write a line")]
    Line(#[from] serde_json::Error),
}

/// An export on its way.
pub struct Export {
    app: Arc<App>,
    request: Request,
    sources: Vec<Source>,
    step: Step,
    heartbeats: u64,
    told_at: Duration,
    _slot: Slot,
}

/// The position of an export.
enum Step {
    /// Before its beginning.
    Approach,
    /// At channels, windows and keys.
    Settings,
    /// At the monitors: the remaining ones, the next one last.
    Monitors(Vec<MonitorId>),
    Events,
    Done,
}

/// The place of the next line.
enum Place {
    /// In this partition.
    Of(usize),
    /// Not known yet.
    Later,
    End,
}

impl Export {
    /// Finds where it begins.
    pub async fn open(app: Arc<App>, request: Request, slot: Slot) -> Result<Self, ReplayError> {
        let mut sources = Vec::new();
        for partition in app.replays.partitions() {
            let source =
                Source::open(&app, partition, request.since, request.until, &request.selection).await?;
            sources.push(source);
        }
        let told_at = app.ports.clock.elapsed();
        Ok(Self { app, request, sources, step: Step::Approach, heartbeats: 0, told_at, _slot: slot })
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`ExportError`]: it is not whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ExportError> {
        let stopping = self.app.stopping.clone();
        let chunk = tokio::select! {
            () = stopping.cancelled() => Err(ExportError::Stopping),
            chunk = self.chunk() => chunk,
        };
        self.told_at = self.app.ports.clock.elapsed();
        if let Err(error) = &chunk {
            self.step = Step::Done;
            tracing::warn!(error = %Chain(error), "an export broke off");
        }
        chunk
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, ExportError> {
        let mut bytes = Vec::with_capacity(CHUNK_BYTES + 4_096);
        while bytes.len() < CHUNK_BYTES {
            match &mut self.step {
                Step::Approach => {
                    let mut more = false;
                    for source in &mut self.sources {
                        more |= source.approach().await?;
                        tokio::task::yield_now().await;
                    }
                    if !more {
                        self.sources.iter_mut().for_each(Source::begin);
                        self.step = Step::Settings;
                    } else if self.app.ports.clock.elapsed().saturating_sub(self.told_at) >= QUIET {
                        return Ok(Some(Bytes::from_static(b"\n")));
                    }
                }
                Step::Settings => {
                    for line in self.settings().await? {
                        write(&mut bytes, &line)?;
                    }
                    let mut ids = self.request.selection.sorted();
                    ids.reverse();
                    self.step = Step::Monitors(ids);
                }
                Step::Monitors(ids) => match ids.pop() {
                    None => self.step = Step::Events,
                    Some(id) => {
                        if let Some(held) = self.app.directory.monitor(id).and_then(|stored| stored.decode())
                        {
                            write(&mut bytes, &Line::Monitor(Box::new(self.monitor(held))))?;
                        }
                    }
                },
                Step::Events => match self.next_place().await? {
                    Place::Of(place) => {
                        if let Some(line) = self.sources.get_mut(place).and_then(Source::pop) {
                            self.heartbeats +=
                                u64::from(matches!(&line, Line::Heartbeat(line) if !line.before));
                            write(&mut bytes, &line)?;
                        }
                    }
                    Place::Later => {
                        if self.app.ports.clock.elapsed().saturating_sub(self.told_at) >= QUIET {
                            bytes.push(b'\n');
                            break;
                        }
                    }
                    Place::End => {
                        write(&mut bytes, &Line::Summary(self.summary()))?;
                        self.step = Step::Done;
                    }
                },
                Step::Done => break,
            }
        }
        Ok((!bytes.is_empty()).then(|| bytes.into()))
    }

    /// The partition whose line comes next by its time; of equal ones the first.
    async fn next_place(&mut self) -> Result<Place, ExportError> {
        let mut next: Option<(EventTime, usize)> = None;
        for (place, source) in self.sources.iter_mut().enumerate() {
            match source.peek().await? {
                Next::At(at) if next.is_none_or(|(earliest, _)| at < earliest) => next = Some((at, place)),
                Next::At(_) | Next::End => {}
                Next::Later => return Ok(Place::Later),
            }
        }
        Ok(next.map_or(Place::End, |(_, place)| Place::Of(place)))
    }

    /// The channels, windows and keys that belong to the monitors. What only admins may know is in the export
    /// of an admin key alone.
    async fn settings(&self) -> Result<Vec<Line>, ExportError> {
        let Self { app, request: Request { selection, with_tokens, .. }, .. } = self;
        let mut lines = Vec::new();
        let (mut used, mut tags) = (HashSet::new(), HashSet::new());
        if !selection.is_all {
            for id in selection.sorted() {
                if let Some(held) = app.directory.monitor(id).and_then(|stored| stored.decode()) {
                    used.extend(app.channels_of(&held.value));
                    tags.extend(held.value.tags);
                }
            }
        }
        if *with_tokens {
            let mut names = settings::SecretNames::default();
            let channels = app.directory.channels(None, usize::MAX);
            let wanted =
                channels.iter().filter(|(_, channel)| selection.is_all || used.contains(&channel.id));
            lines.extend(wanted.map(|(_, channel)| settings::channel(channel, &mut names)));
        }
        let windows = app.windows().list(None, MAX_WINDOWS).await.map_err(|_| ExportError::Windows)?;
        let concerns = |window: &MaintenanceWindow| {
            selection.is_all
                || window.monitors.iter().any(|id| selection.contains(*id))
                || window.tags.iter().any(|tag| tags.contains(tag))
        };
        let windows = windows.into_iter().map(|stored| stored.value).filter(concerns);
        lines.extend(windows.map(settings::window));
        if *with_tokens && selection.is_all {
            lines.extend(app.directory.keys(None, usize::MAX).iter().map(|key| settings::key(key)));
        }
        Ok(lines)
    }

    fn monitor(&self, held: Stored<Monitor>) -> MonitorLine {
        let monitor = held.value;
        let partitions = u16::try_from(self.sources.len()).unwrap_or(u16::MAX);
        let partition = monitor.id.partition(partitions);
        let source = self.sources.get(usize::from(partition.0));
        let in_force = source.and_then(|source| Some((source.from, source.in_force(monitor.id)?)));
        let channels = self.app.channels_of(&monitor).iter().map(ToString::to_string).collect();
        let own_grace = Some(monitor.has_own_grace());
        MonitorLine {
            id: Some(monitor.id),
            at: in_force.and_then(|(from, (revision, _))| revision.map(|_| Micros(from))),
            revision: in_force.and_then(|(_, (revision, _))| revision.map(|Revision(revision)| revision)),
            settled: None,
            moved: false,
            deleted: false,
            expected: Some(Expected::from(
                in_force.map_or(&monitor.definition, |(_, (_, definition))| definition),
            )),
            labels: Some(Labels {
                name: monitor.name,
                description: monitor.description,
                tags: monitor.tags,
                own_grace,
                interval: monitor.interval,
                channels,
                default_channels: monitor.channels.is_none(),
                parent: monitor.parent,
                token: self.request.with_tokens.then(|| monitor.token.expose().to_owned()),
                created_at: Some(Micros(monitor.created_at)),
                partition: partition.0,
            }),
        }
    }

    fn summary(&self) -> SummaryLine {
        let mut skipped = Skipped::default();
        for source in &self.sources {
            skipped.count += source.skipped().count;
            skipped.entries.extend(source.skipped().entries.iter().cloned());
        }
        skipped.entries.truncate(100);
        SummaryLine {
            from: Micros(self.sources.iter().map(|source| source.from).max().unwrap_or(self.request.since)),
            until: Micros(self.sources.iter().map(Source::reached).min().unwrap_or(self.request.since)),
            monitors: self.request.selection.count() as u64,
            heartbeats: self.heartbeats,
            skipped,
            partitions: self
                .sources
                .iter()
                .map(|source| PartitionEnd { partition: source.partition.0, until: Micros(source.reached()) })
                .collect(),
        }
    }
}

fn write(bytes: &mut Vec<u8>, line: &Line) -> Result<(), serde_json::Error> {
    serde_json::to_writer(&mut *bytes, line)?;
    bytes.write_all(b"\n").map_err(serde_json::Error::io)
}
