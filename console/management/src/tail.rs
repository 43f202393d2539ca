//! Heartbeats and flips as they come. Nothing is asked of the scheduler: each tail replays the log for
//! itself, beginning with the states as they were committed last.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use api::export::{HeartbeatLine, Micros};
use bytes::Bytes;
use machine::{Effects, Replayer};
use model::chain::Chain;
use model::flip::Flip;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::MonitorState;
use ports::heartbeat_log::{LogEntry, LogError, LogExtent, LogReader};
use sending::words;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::App;
use crate::refusal::Refusal;
use crate::replay::source::ReplayError;
use crate::selection::Selection;
use crate::slots::Slot;

/// Most monitors of one tail: it holds their states.
pub const MAX_MONITORS: usize = 100_000;

/// Entries read at once.
const ENTRIES: usize = 256;

/// Portions of lines that wait for the client. A client that reads more slowly is behind, and then behind the
/// log's retention.
const WAITING: usize = 64;

/// An empty line is sent when nothing happened for this long.
const QUIET: Duration = Duration::from_secs(10);

/// The log is asked again after this.
const RETRY: Duration = Duration::from_millis(500);

/// The number of states that are loaded at once.
const STATES: usize = 1_000;

/// The content of a tail.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The monitors.
    pub selection: Selection,
    /// Leave heartbeats out.
    pub flips_only: bool,
}

impl Wanted {
    /// Monitors that are made later belong to all monitors.
    fn shows(&self, monitor: MonitorId) -> bool {
        self.selection.is_all || self.selection.contains(monitor)
    }
}

/// A tail on its way.
pub struct Tail {
    app: Arc<App>,
    portions: mpsc::Receiver<Bytes>,
    _followers: JoinSet<()>,
    _slot: Slot,
}

impl Tail {
    /// Begins behind the last entry of each partition.
    pub async fn open(app: Arc<App>, wanted: Wanted, slot: Slot) -> Result<Self, Refusal> {
        let (sender, portions) = mpsc::channel(WAITING);
        let mut followers = JoinSet::new();
        let partitions = app.ports.log.partitions();
        let named: Option<Vec<MonitorId>> = (!wanted.selection.is_all).then(|| wanted.selection.sorted());
        for partition in app.replays.partitions() {
            let ids: Vec<MonitorId> = named
                .clone()
                .unwrap_or_else(|| wanted.selection.sorted())
                .into_iter()
                .filter(|id| id.partition(partitions) == partition)
                .collect();
            if named.is_some() && ids.is_empty() {
                continue;
            }
            let mut follower = Follower {
                app: Arc::clone(&app),
                partition,
                ids,
                wanted: wanted.clone(),
                through: Offset::START,
                sender: sender.clone(),
            };
            let replayer = follower.anchor().await?;
            followers.spawn(follower.run(replayer));
        }
        Ok(Self { app, portions, _followers: followers, _slot: slot })
    }

    /// The next lines; `None` when the role drains.
    pub async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            () = self.app.stopping.cancelled() => None,
            portion = tokio::time::timeout(QUIET, self.portions.recv()) => match portion {
                Ok(portion) => portion,
                Err(_) => Some(Bytes::from_static(b"\n")),
            },
        }
    }
}

/// A line of a tail.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'a> {
    Heartbeat(HeartbeatLine),
    Flip(FlipLine<'a>),
    /// Something that a watching person should know.
    Note {
        partition: u16,
        message: &'a str,
    },
}

#[derive(Serialize)]
struct FlipLine<'a> {
    monitor: MonitorId,
    at: Micros,
    sequence: u64,
    from: &'static str,
    to: &'static str,
    reason: &'static str,
    message: Option<Cow<'a, str>>,
    deaf_seconds: u64,
}

impl<'a> From<&'a Flip> for FlipLine<'a> {
    fn from(flip: &'a Flip) -> Self {
        Self {
            monitor: flip.monitor,
            at: Micros(flip.at),
            sequence: flip.sequence,
            from: flip.from.as_str(),
            to: flip.to.as_str(),
            reason: flip.reason.as_str(),
            message: words::flip_text(flip),
            deaf_seconds: flip.deaf.as_secs(),
        }
    }
}

/// Follows one partition.
struct Follower {
    app: Arc<App>,
    partition: PartitionId,
    /// Monitors whose states it begins with.
    ids: Vec<MonitorId>,
    wanted: Wanted,
    /// The last entry that is not shown.
    through: Offset,
    sender: mpsc::Sender<Bytes>,
}

impl Follower {
    async fn run(mut self, mut replayer: Replayer) {
        let mut is_well = true;
        loop {
            let trouble =
                match self.app.ports.log.open(self.partition, replayer.partition().head().applied).await {
                    Ok(reader) => {
                        if !is_well && !self.note("the heartbeat log is followed again").await {
                            return;
                        }
                        is_well = true;
                        match self.follow(&mut replayer, reader).await {
                            None => return,
                            Some(trouble) => trouble,
                        }
                    }
                    Err(trouble) => trouble,
                };
            if is_well {
                tracing::warn!(error = %Chain(&trouble), partition.id = %self.partition, "a tail was interrupted");
                if !self.note("the heartbeat log cannot be followed; trying again").await {
                    return;
                }
            }
            is_well = false;
            // If the tail cannot begin anew yet, that was logged where it was found, and the next try ends
            // here again.
            if !trouble.is_transient()
                && let Ok(anchored) = self.anchor().await
            {
                replayer = anchored;
                if !self.note("what came in between is not shown").await {
                    return;
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Begins behind the log's end, with the states as they stand. They are read before the log's end is:
    /// what they know of is not behind it, and an entry that they know of already changes nothing.
    async fn anchor(&mut self) -> Result<Replayer, Refusal> {
        let mut head = self.app.ports.states.head(self.partition).await?;
        let mut states: Vec<(MonitorId, MonitorState)> = Vec::new();
        for ids in self.ids.chunks(STATES) {
            let found = self.app.ports.states.states(self.partition, ids).await?;
            states.extend(ids.iter().zip(found).filter_map(|(id, state)| Some((*id, state?))));
        }
        let extent = self.app.ports.log.extent(self.partition).await.map_err(ReplayError::from)?;
        let LogExtent { incarnation, first, last } = extent;
        let in_log = head.applied.next() >= first && head.applied <= last;
        if head.incarnation != incarnation || !in_log {
            // The scheduler knows another log, or is far behind: heartbeats are shown, and flips as far as
            // they are known.
            head.incarnation = incarnation;
            head.applied = last;
            head.applied_at = None;
        }
        self.through = last;
        let replayer = Replayer::new(self.app.replays.rules(), head, states);
        if self.wanted.selection.is_all {
            return Ok(replayer);
        }
        let selection = self.wanted.selection.clone();
        Ok(replayer.only(move |id| selection.contains(id)))
    }

    /// The next lines; `None` when the client has left.
    async fn follow(&mut self, replayer: &mut Replayer, mut reader: Box<dyn LogReader>) -> Option<LogError> {
        loop {
            let read = tokio::select! {
                () = self.sender.closed() => return None,
                read = reader.next(ENTRIES) => read,
            };
            let entries = match read {
                Ok(entries) => entries,
                Err(error) => return Some(error),
            };
            let mut bytes = Vec::new();
            for entry in entries {
                self.show(replayer, &entry, &mut bytes);
            }
            if !bytes.is_empty() && self.sender.send(bytes.into()).await.is_err() {
                return None;
            }
        }
    }

    fn show(&mut self, replayer: &mut Replayer, entry: &LogEntry, bytes: &mut Vec<u8>) {
        let shown = entry.offset > self.through;
        self.through = self.through.max(entry.offset);
        let Ok(frame) = &entry.frame else {
            replayer.skip(entry.offset);
            if shown {
                let message = format!("the log's entry at offset {} is damaged", entry.offset);
                write(bytes, &Line::Note { partition: self.partition.0, message: &message });
            }
            return;
        };
        let mut effects = Effects::default();
        replayer.apply(entry.offset, entry.logged_at, frame, &mut effects);
        if !shown {
            return;
        }
        if !self.wanted.flips_only {
            for heartbeat in frame.heartbeats.iter().filter(|heartbeat| self.wanted.shows(heartbeat.monitor))
            {
                write(bytes, &Line::Heartbeat(HeartbeatLine::of(heartbeat, None)));
            }
        }
        for flip in &effects.flips {
            write(bytes, &Line::Flip(flip.into()));
        }
    }

    async fn note(&self, message: &str) -> bool {
        let mut bytes = Vec::new();
        write(&mut bytes, &Line::Note { partition: self.partition.0, message });
        self.sender.send(bytes.into()).await.is_ok()
    }
}

fn write(bytes: &mut Vec<u8>, line: &Line<'_>) {
    let before = bytes.len();
    if serde_json::to_writer(&mut *bytes, line)
        .and_then(|()| bytes.write_all(b"\n").map_err(serde_json::Error::io))
        .is_err()
    {
        // Texts, numbers and times all have a JSON form.
        bytes.truncate(before);
    }
}
