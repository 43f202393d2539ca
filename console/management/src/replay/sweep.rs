//! Reads the past of many monitors for one request, bounded in number, time and memory.
//!
//! Entries are read here and worked on by a thread of its own, of low priority, so that the live pipeline
//! keeps its processors. When the request goes away, both end. A few batches are on their way between them at
//! most.

mod feed;
mod report;
mod running;
mod work;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::MonitorState;
use model::time::Interval;
use ports::heartbeat_log::LogError;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::source::{Known, ReplayError, Replays};
use crate::slots::{NoSlot, SlotRules, Slots, Worker};
use feed::Feed;
pub use report::{Report, SkippedEntry};
use running::Running;
pub use work::Work;

/// Requests of this kind that are worked on at a time.
const AT_A_TIME: SlotRules = SlotRules { all: 2, one_key: 2, kept_for_admins: 1 };

/// After this long a request is given up.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Batches that wait for the thread.
const WAITING: usize = 2;

/// Why a request of the past was not answered.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The past cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The operating system gives no thread.
    #[error("start a thread for a replay")]
    Thread(#[source] std::io::Error),
    /// The thread ended before its time.
    #[error("the thread of a replay broke")]
    Broken,
    /// The sweep reached its time limit of 300 s.
    #[error("a replay took longer than {} s", TIME_LIMIT.as_secs())]
    TooLong,
    /// The role drains.
    #[error("the role is stopping")]
    Stopping,
    /// No client waits for the answer.
    #[error("the client has left")]
    Left,
}

/// Makes a future that ends when the client of a request has left.
pub type ClientLeft = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Lets a few requests at a time read the past.
pub struct Sweeps {
    slots: Slots,
    running: Gauge,
    stopping: CancellationToken,
}

/// The right of one request to read the past, for a bounded time. The thread that works for it holds it too.
pub struct Admission {
    running: Arc<Running>,
    until: Instant,
    stopping: CancellationToken,
    client_left: Option<ClientLeft>,
}

/// What a sweep reads.
pub struct Plan<'a> {
    /// The partitions, in this order.
    pub partitions: Vec<PartitionId>,
    /// The time that the sweep covers.
    pub window: Interval,
    /// States to begin with where a log is cut and nothing else is known of its monitors.
    pub unheard: &'a (dyn Fn(PartitionId) -> Vec<(MonitorId, MonitorState)> + Sync),
}

impl Sweeps {
    /// Admission to a few at a time; `running` counts them, `stopping` ends them.
    pub fn new(running: Gauge, stopping: CancellationToken) -> Self {
        Self { slots: Slots::new(AT_A_TIME), running, stopping }
    }

    /// Lets a request in. It is given up if its client leaves.
    ///
    /// # Errors
    /// [`NoSlot`] while too many others are worked on.
    pub fn admit(&self, worker: Worker, client_left: Option<ClientLeft>) -> Result<Admission, NoSlot> {
        let slot = self.slots.take(worker)?;
        let running = Arc::new(Running::new(self.running.clone(), slot));
        let until = Instant::now() + TIME_LIMIT;
        Ok(Admission { running, until, stopping: self.stopping.clone(), client_left })
    }
}

impl Admission {
    /// Lets `work` see the past of the partitions.
    ///
    /// # Errors
    /// [`SweepError`].
    pub async fn sweep<W: Work>(
        &self,
        replays: &Replays,
        plan: &Plan<'_>,
        work: W,
    ) -> Result<(W, Report), SweepError> {
        let left = async {
            match &self.client_left {
                Some(client_left) => client_left().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = self.feed(replays, plan, work) => done,
            () = left => Err(SweepError::Left),
            () = self.stopping.cancelled() => Err(SweepError::Stopping),
            () = tokio::time::sleep_until(self.until) => Err(SweepError::TooLong),
        }
    }

    async fn feed<W: Work>(
        &self,
        replays: &Replays,
        plan: &Plan<'_>,
        work: W,
    ) -> Result<(W, Report), SweepError> {
        let (to_thread, waiting) = mpsc::channel(WAITING);
        let thread = feed::Thread::new(work, plan.window, Arc::clone(&self.running));
        let done = thread.start(waiting).map_err(SweepError::Thread)?;
        for partition in &plan.partitions {
            read_partition(replays, plan, *partition, &to_thread).await?;
        }
        // The thread ends when nothing more can come.
        drop(to_thread);
        done.await.map_err(|_| SweepError::Broken)
    }
}

async fn read_partition(
    replays: &Replays,
    plan: &Plan<'_>,
    partition: PartitionId,
    to_thread: &mpsc::Sender<Feed>,
) -> Result<(), SweepError> {
    let send = async |feed| to_thread.send(feed).await.map_err(|_| SweepError::Broken);
    let mut start = replays.start(partition, plan.window.start).await?;
    if start.known == Known::Nothing {
        start.states = (plan.unheard)(partition);
    }
    let (mut after, through) = (start.head.applied, start.through);
    send(Feed::Begin(Box::new(start))).await?;
    let mut reading = None;
    // To the end of the log: a history that was imported is older than its entries.
    loop {
        let next = match &mut reading {
            None => replays.read(partition, after, through).await.map(|opened| {
                reading = Some(opened);
                Some(Vec::new())
            }),
            Some(reading) => reading.next().await,
        };
        match next {
            Ok(Some(entries)) => {
                if let Some(last) = entries.last() {
                    after = last.offset;
                    send(Feed::Entries(entries)).await?;
                }
            }
            Ok(None) => break,
            Err(ReplayError::Log(LogError::Expired { first })) if first > after.next() => {
                // The replay goes on as the owner of the partition would: missing entries are deaf time.
                after = Offset(first.0.saturating_sub(1));
                reading = None;
                let incarnation = replays.incarnation(partition).await?;
                send(Feed::Expired { incarnation, applied: after }).await?;
                if after >= through {
                    break;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    send(Feed::End).await
}
