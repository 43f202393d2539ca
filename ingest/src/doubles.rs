//! What tests put in place of the world.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor::{Definition, Monitor, OldToken, Token};
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire::frame::Frame;
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogError, LogExtent, LogReader};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) const START: EventTime = EventTime::from_secs(1_795_341_600);

/// Follows tokio's time, which tests may pause, and can be frozen past it.
pub(crate) struct TokioClock {
    began: tokio::time::Instant,
    frozen_micros: AtomicU64,
}

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self { began: tokio::time::Instant::now(), frozen_micros: AtomicU64::new(0) }
    }

    /// Time passes, and nobody runs meanwhile.
    pub(crate) fn freeze(&self, time: Duration) {
        self.frozen_micros.fetch_add(u64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TokioClock {
    fn now(&self) -> EventTime {
        START + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed() + Duration::from_micros(self.frozen_micros.load(Ordering::SeqCst))
    }
}

/// What becomes of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lands and is acknowledged.
    Lands,
    /// It lands and is acknowledged after a while.
    LandsAfter(Duration),
    /// It is refused and does not land.
    Fails,
    /// It lands, but the caller hears that it failed.
    LandsUnheard,
    /// It waits for a permit, then lands.
    Waits,
}

/// A log whose appends fare as the test says.
pub(crate) struct FaultyLog {
    partitions: u16,
    clock: Arc<dyn Clock>,
    /// Fates of the next appends; then `usual`.
    pub(crate) next: Mutex<VecDeque<Fate>>,
    pub(crate) usual: Mutex<Fate>,
    pub(crate) permits: Semaphore,
    attempted: Mutex<Vec<Arc<Frame>>>,
    landed: Mutex<Vec<Arc<Frame>>>,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
}

impl FaultyLog {
    pub(crate) fn new(partitions: u16, clock: Arc<dyn Clock>) -> Self {
        Self {
            partitions,
            clock,
            next: Mutex::default(),
            usual: Mutex::new(Fate::Lands),
            permits: Semaphore::new(0),
            attempted: Mutex::default(),
            landed: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set(&self, usual: Fate) {
        *self.usual.lock() = usual;
    }

    /// Frames that were sealed, in order.
    pub(crate) fn attempted(&self) -> Vec<Arc<Frame>> {
        self.attempted.lock().clone()
    }

    /// Frames that can be read.
    pub(crate) fn landed(&self) -> Vec<Arc<Frame>> {
        self.landed.lock().clone()
    }
}

#[async_trait]
impl HeartbeatLog for FaultyLog {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    async fn append(&self, _partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        self.attempted.lock().push(Arc::clone(&frame));
        let fate = self.next.lock().pop_front().unwrap_or(*self.usual.lock());
        match fate {
            Fate::Waits => self.permits.acquire().await.unwrap().forget(),
            Fate::LandsAfter(time) => tokio::time::sleep(time).await,
            Fate::Lands | Fate::Fails | Fate::LandsUnheard => tokio::task::yield_now().await,
        }
        if fate != Fate::Fails {
            self.landed.lock().push(frame);
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match fate {
            Fate::Fails | Fate::LandsUnheard => Err(LogError::Unavailable("as the test says".into())),
            Fate::Lands | Fate::LandsAfter(_) | Fate::Waits => Ok(Offset(1)),
        }
    }

    async fn logged_at(
        &self,
        _partition: PartitionId,
        _offset: Offset,
    ) -> Result<Option<EventTime>, LogError> {
        Ok(Some(self.clock.now()))
    }

    async fn sync(&self, _partition: PartitionId, _through: Offset) -> Result<(), LogError> {
        Ok(())
    }

    async fn extent(&self, _partition: PartitionId) -> Result<LogExtent, LogError> {
        Err(LogError::Unavailable("ingest does not read".into()))
    }

    async fn open(&self, _partition: PartitionId, _after: Offset) -> Result<Box<dyn LogReader>, LogError> {
        Err(LogError::Unavailable("ingest does not read".into()))
    }
}

pub(crate) fn monitor_id(n: u128) -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(n))
}

/// A monitor with this token, and old ones that work for so many seconds after [`START`].
pub(crate) fn monitor(n: u128, token: &str, old: &[(&str, i64)]) -> Monitor {
    let old_token = |(token, secs): &(&str, i64)| OldToken {
        token: Token::parse(token).unwrap(),
        expires_at: EventTime::from_millis(START.as_millis() + secs * 1_000),
    };
    Monitor {
        id: monitor_id(n),
        name: format!("monitor {n}"),
        description: String::new(),
        tags: Vec::new(),
        definition: Definition {
            schedule: Schedule::Period { timeout: 60 },
            grace: 6,
            remind_every: 0,
            paused: false,
        },
        interval: None,
        channels: None,
        parent: None,
        token: Token::parse(token).unwrap(),
        old_tokens: old.iter().map(old_token).collect(),
        created_at: START,
        updated_at: START,
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(within: Duration, what: &str, condition: impl Fn() -> bool) {
    let held = tokio::time::timeout(within, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(held.await.is_ok(), "not within {within:?}: {what}");
}
