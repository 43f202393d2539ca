//! Reads a partition's log again, with a reader of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use machine::{Effects, Replayer};
use model::chain::Chain;
use model::flip::Flip;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{MonitorState, PartitionHead};
use model::rebuild::{MAX_NAMED, RebuildFrom, RebuildReport};
use model::time::TimeRules;
use ports::checkpoint_codec::Checkpoint;
use ports::checkpoints::CheckpointPlace;
use ports::heartbeat_log::{LogEntry, LogError, LogExtent, LogReader};
use ports::history::HistoryBatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ticket::{RecordChanged, Ticket};
use crate::checkpoints::{checkpoint_at, is_in};
use crate::deps::Deps;
use crate::error::Error;
use crate::text_bytes::text_bytes;

/// The most entries that are read at once.
const READ_ENTRIES: usize = 256;
/// The number of heartbeats after which other tasks get their turn.
const TURN_HEARTBEATS: usize = 2_000;
/// The number of history entries, and the bytes of their texts, that are written at once.
const HISTORY_ENTRIES: usize = 10_000;
const HISTORY_BYTES: usize = 16 << 20;
/// The pause before something that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Why a rebuild ended without a result.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The rebuild failed; the text is for the person who asked for it.
    Failed(String),
    /// The request was withdrawn, or another one took its place.
    Withdrawn,
}

impl From<RecordChanged> for Stopped {
    fn from(_: RecordChanged) -> Self {
        Self::Withdrawn
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(format!("failed to {}", Chain(&error)))
    }
}

/// A partition that is computed again, as far as it has come.
pub(crate) struct RebuiltPartition {
    pub(crate) ticket: Ticket,
    pub(crate) report: RebuildReport,
    pub(crate) replayer: Replayer,
    /// The last flip of every monitor among the flips that were computed again.
    pub(crate) last_flips: HashMap<MonitorId, Flip>,
    /// The number behind which alerts are numbered once the partition is in place.
    pub(crate) number: u64,
    reader: Box<dyn LogReader>,
    /// Read and not applied.
    waiting: VecDeque<LogEntry>,
    history: HistoryBatch,
    history_bytes: usize,
    _turn: OwnedSemaphorePermit,
}

/// Where a rebuild begins.
struct Beginning {
    head: PartitionHead,
    states: Vec<(MonitorId, MonitorState)>,
    from_checkpoint: bool,
}

impl RebuiltPartition {
    /// Reads the log again until the rebuild has come as far as the owner, which keeps its own position in
    /// `position`.
    ///
    /// # Errors
    /// [`Stopped`].
    pub(crate) async fn compute(
        deps: Deps,
        rules: TimeRules,
        mut ticket: Ticket,
        turn: Arc<Semaphore>,
        position: Arc<AtomicU64>,
    ) -> Result<Box<Self>, (Ticket, Stopped)> {
        let partition = ticket.asked().partition;
        let turn = match wait_for(turn, &mut ticket, &position).await {
            Ok(turn) => turn,
            Err(stopped) => return Err((ticket, stopped)),
        };
        let (beginning, reader) = match begin(&deps, partition, ticket.asked().from).await {
            Ok(begun) => begun,
            Err(stopped) => return Err((ticket, stopped)),
        };
        let Beginning { head, states, from_checkpoint } = beginning;
        let report = RebuildReport {
            began_after: head.applied,
            known_since: head.watermark.filter(|_| from_checkpoint),
            ..RebuildReport::default()
        };
        let mut rebuilt = Box::new(Self {
            ticket,
            report,
            replayer: Replayer::new(rules, head, states),
            last_flips: HashMap::new(),
            number: 0,
            reader,
            waiting: VecDeque::new(),
            history: HistoryBatch::default(),
            history_bytes: 0,
            _turn: turn,
        });
        match rebuilt.catch_up(&deps, &position).await {
            Ok(()) => Ok(rebuilt),
            Err(stopped) => Err((rebuilt.ticket, stopped)),
        }
    }

    async fn catch_up(&mut self, deps: &Deps, position: &AtomicU64) -> Result<(), Stopped> {
        loop {
            let through = Offset(position.load(Ordering::Relaxed));
            let (began, before) = (deps.clock.elapsed(), self.applied());
            let there = self.step(deps, through).await?;
            self.write_history(deps, there).await;
            self.ticket.reached(self.applied(), through).await?;
            if there {
                return Ok(());
            }
            // The live partition comes first: half of the time is left for it.
            let took = deps.clock.elapsed().saturating_sub(began);
            tokio::time::sleep(if self.applied() == before { RETRY } else { took }).await;
        }
    }

    /// The last entry that was applied.
    pub(crate) fn applied(&self) -> Offset {
        self.replayer.partition().head().applied
    }

    /// Applies some of the entries up to `through`; whether there are no more for now.
    ///
    /// The rebuild may be before `through` even then: an owner that read ticks one by one can be in the
    /// middle of what the log folded since.
    ///
    /// # Errors
    /// [`Stopped::Failed`] if the log cannot be read on.
    pub(crate) async fn step(&mut self, deps: &Deps, through: Offset) -> Result<bool, Stopped> {
        if self.applied() >= through {
            return Ok(true);
        }
        if self.waiting.is_empty() {
            match self.reader.next(READ_ENTRIES).await {
                Ok(entries) => self.waiting.extend(entries),
                Err(error) if error.is_transient() => {
                    tracing::debug!(error = %Chain(&error), "failed to read the log for a rebuild; opening it anew");
                    let opened = open(deps, self.ticket.asked().partition, self.applied()).await?;
                    // The old reader stays: it fails again, and is replaced then.
                    if let Some(opened) = opened {
                        self.reader = opened;
                    }
                    return Ok(false);
                }
                Err(error) => return Err(unreadable(&error)),
            }
        }
        let mut turn = 0;
        while let Some(entry) = self.waiting.pop_front_if(|entry| entry.offset <= through) {
            turn += entry.frame.as_ref().map_or(0, |frame| frame.heartbeats.len());
            self.apply(entry);
            if turn >= TURN_HEARTBEATS {
                turn = 0;
                self.write_history(deps, false).await;
                tokio::task::yield_now().await;
            }
        }
        Ok(self.applied() >= through || !self.waiting.is_empty())
    }

    fn apply(&mut self, entry: LogEntry) {
        let Ok(frame) = entry.frame else {
            self.report.damaged += 1;
            if self.report.damaged_at.len() < MAX_NAMED {
                self.report.damaged_at.push(entry.offset);
            }
            return self.replayer.skip(entry.offset);
        };
        self.report.heartbeats += frame.heartbeats.len() as u64;
        let mut effects = Effects::default();
        self.replayer.apply(entry.offset, entry.logged_at, &frame, &mut effects);
        for flip in &effects.flips {
            self.last_flips.insert(flip.monitor, flip.clone());
        }
        for removed in &effects.removed {
            self.last_flips.remove(removed);
        }
        let asked = self.ticket.asked();
        if asked.verify {
            return;
        }
        if asked.history {
            let heard = effects.imported.iter().chain(&frame.heartbeats);
            self.history_bytes += heard.clone().map(text_bytes).sum::<usize>();
            self.history.heartbeats.extend(heard.cloned());
        }
        self.history.flips.extend(effects.flips);
        self.history.removed.extend(effects.removed);
    }

    /// Writes the history if enough was gathered, or in any case.
    pub(crate) async fn write_history(&mut self, deps: &Deps, in_any_case: bool) {
        let HistoryBatch { heartbeats, flips, removed } = &self.history;
        let entries = heartbeats.len() + flips.len() + removed.len();
        let enough = entries >= HISTORY_ENTRIES || self.history_bytes >= HISTORY_BYTES;
        if entries == 0 || !(enough || in_any_case) {
            return;
        }
        let batch = std::mem::take(&mut self.history);
        self.history_bytes = 0;
        while let Err(error) = deps.history.append(batch.clone()).await {
            tracing::warn!(error = %Chain(&error), "failed to write history again; trying again");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Waits for the rebuild's turn, and meanwhile shows in the registry that it is not forgotten.
async fn wait_for(
    turn: Arc<Semaphore>,
    ticket: &mut Ticket,
    position: &AtomicU64,
) -> Result<OwnedSemaphorePermit, Stopped> {
    loop {
        let waiting = Arc::clone(&turn).acquire_owned();
        if let Ok(got) = tokio::time::timeout(RETRY, waiting).await {
            return got.map_err(|_closed| Stopped::Withdrawn);
        }
        ticket.reached(Offset::START, Offset(position.load(Ordering::Relaxed))).await?;
    }
}

async fn begin(
    deps: &Deps,
    id: PartitionId,
    from: RebuildFrom,
) -> Result<(Beginning, Box<dyn LogReader>), Stopped> {
    let log = deps.log.extent(id).await.map_err(Error::from)?;
    let places = deps.checkpoints.places(id).await.map_err(Error::from)?;
    let mut places: Vec<CheckpointPlace> = places.into_iter().filter(|place| is_in(&log, *place)).collect();
    let is_whole = log.first <= Offset::START.next();
    let beginning = match from {
        RebuildFrom::Oldest if is_whole => nothing(&log),
        RebuildFrom::Oldest => first_readable(deps, id, &log, places)
            .await?
            .ok_or_else(|| Stopped::Failed("the beginning of the log is gone, and the log holds no checkpoint to begin at; ask again once there is one".to_owned()))?,
        RebuildFrom::Newest => {
            places.reverse();
            match first_readable(deps, id, &log, places).await? {
                Some(found) => found,
                None if is_whole => nothing(&log),
                None => return Err(Stopped::Failed("there is no checkpoint to begin at, and the beginning of the log is gone".to_owned())),
            }
        }
    };
    loop {
        if let Some(reader) = open(deps, id, beginning.head.applied).await? {
            return Ok((beginning, reader));
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Opens the log; `None` if it cannot be reached now.
async fn open(deps: &Deps, id: PartitionId, after: Offset) -> Result<Option<Box<dyn LogReader>>, Stopped> {
    match deps.log.open(id, after).await {
        Ok(reader) => Ok(Some(reader)),
        Err(error) if error.is_transient() => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &LogError) -> Stopped {
    Stopped::Failed(match error {
        LogError::Expired { .. } => {
            "the log's oldest entries expired while they were read; ask again".to_owned()
        }
        LogError::Ahead { .. } | LogError::Unavailable(_) | LogError::Full(_) => {
            format!("failed to {}", Chain(error))
        }
    })
}

/// The state before the first entry of a whole log.
fn nothing(log: &LogExtent) -> Beginning {
    let head = PartitionHead { incarnation: log.incarnation.clone(), ..PartitionHead::default() };
    Beginning { head, states: Vec::new(), from_checkpoint: false }
}

async fn first_readable(
    deps: &Deps,
    id: PartitionId,
    log: &LogExtent,
    places: Vec<CheckpointPlace>,
) -> Result<Option<Beginning>, Error> {
    for place in places {
        let found = checkpoint_at(deps, id, place).await?;
        if let Some(Checkpoint { head, states }) =
            found.filter(|found| found.head.incarnation == log.incarnation)
        {
            return Ok(Some(Beginning { head, states, from_checkpoint: true }));
        }
    }
    Ok(None)
}
