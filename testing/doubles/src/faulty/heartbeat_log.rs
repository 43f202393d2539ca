//! A heartbeat log whose appends fare as the test says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::frame::Frame;
use parking_lot::Mutex;
use ports::heartbeat_log::{HeartbeatLog, LogError, LogExtent, LogReader, LogRoom};
use tokio::sync::Semaphore;

/// The fate of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFate {
    /// The append lands and is acknowledged.
    Lands,
    /// The append lands and is acknowledged after a while.
    LandsAfter(Duration),
    /// The append is refused and does not land.
    Fails,
    /// The append lands, but the caller hears that it failed.
    LandsUnheard,
    /// The append waits for a permit, then lands.
    Waits,
    /// The append lands if no heartbeat of the frame has an output; otherwise the log has no room for it.
    LandsBare,
}

/// A [`HeartbeatLog`] whose appends fare as the test says, and which remembers them.
pub struct FaultyHeartbeatLog {
    inner: Arc<dyn HeartbeatLog>,
    next: Mutex<VecDeque<AppendFate>>,
    usual: Mutex<AppendFate>,
    permits: Semaphore,
    attempted: Mutex<Vec<Arc<Frame>>>,
    landed: Mutex<Vec<Arc<Frame>>>,
    is_short: AtomicBool,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl FaultyHeartbeatLog {
    /// Wraps a log. At first every append lands.
    pub fn new(inner: Arc<dyn HeartbeatLog>) -> Self {
        Self {
            inner,
            next: Mutex::default(),
            usual: Mutex::new(AppendFate::Lands),
            permits: Semaphore::new(0),
            attempted: Mutex::default(),
            landed: Mutex::default(),
            is_short: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    /// Sets the fate of appends from now on.
    pub fn set(&self, usual: AppendFate) {
        *self.usual.lock() = usual;
    }

    /// Sets the fates of the next appends, after those that are set already; then the usual one counts again.
    pub fn set_next(&self, fates: impl IntoIterator<Item = AppendFate>) {
        self.next.lock().extend(fates);
    }

    /// Says from now on whether room runs short.
    pub fn set_short(&self, is_short: bool) {
        self.is_short.store(is_short, Ordering::SeqCst);
    }

    /// Lets appends go on that wait.
    pub fn permit(&self, appends: usize) {
        self.permits.add_permits(appends);
    }

    /// Frames that were given to the log, in order.
    pub fn attempted(&self) -> Vec<Arc<Frame>> {
        self.attempted.lock().clone()
    }

    /// Frames that landed, in order.
    pub fn landed(&self) -> Vec<Arc<Frame>> {
        self.landed.lock().clone()
    }

    /// The greatest number of appends that were under way at once.
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl HeartbeatLog for FaultyHeartbeatLog {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn room(&self) -> LogRoom {
        if self.is_short.load(Ordering::SeqCst) { LogRoom::Short } else { self.inner.room() }
    }

    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        self.attempted.lock().push(Arc::clone(&frame));
        let fate = self.next.lock().pop_front().unwrap_or(*self.usual.lock());
        match fate {
            AppendFate::Waits => {
                if let Ok(permit) = self.permits.acquire().await {
                    permit.forget();
                }
            }
            AppendFate::LandsAfter(time) => tokio::time::sleep(time).await,
            AppendFate::Lands | AppendFate::LandsBare | AppendFate::Fails | AppendFate::LandsUnheard => {
                tokio::task::yield_now().await;
            }
        }
        let failed = || LogError::Unavailable("the test lets this append fail".into());
        let mut outcome = Err(failed());
        if fate == AppendFate::LandsBare && frame.heartbeats.iter().any(|one| one.output.is_some()) {
            outcome = Err(LogError::Full("the test leaves no room".into()));
        } else if fate != AppendFate::Fails {
            outcome = self.inner.append(partition, Arc::clone(&frame)).await;
            self.landed.lock().push(frame);
        }
        if fate == AppendFate::LandsUnheard {
            outcome = Err(failed());
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError> {
        self.inner.logged_at(partition, offset).await
    }

    async fn sync(&self, partition: PartitionId, through: Offset) -> Result<(), LogError> {
        self.inner.sync(partition, through).await
    }

    async fn extent(&self, partition: PartitionId) -> Result<LogExtent, LogError> {
        self.inner.extent(partition).await
    }

    async fn open(&self, partition: PartitionId, after: Offset) -> Result<Box<dyn LogReader>, LogError> {
        self.inner.open(partition, after).await
    }
}
