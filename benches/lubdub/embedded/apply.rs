//! Heartbeats a second through the scheduler.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use backend_sqlite::{SqliteBackend, SqliteOptions};
use doubles::{InMemoryCheckpoints, InMemoryRoster};
use machine::partition::{Effects, Partition};
use model::flip::State;
use model::ids::{MonitorId, Offset, PartitionId, Revision};
use model::monitor::Definition;
use model::monitor_state::{MonitorState, PartitionHead};
use model::schedule::Schedule;
use model::time::{EventTime, TimeRules};
use model::wire::frame::{Frame, Listening};
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::queue::QueueName;
use ports::state_store::StateReader;
use prometheus_client::registry::Registry as MetricsRegistry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::seed::seed;
use super::up::directory;
use crate::aims::{Figure, measured};
use crate::frames::{FRAME, frame, heartbeat};
use crate::monitors::{Seed, Seeded};
use crate::report::{Report, count, rate, seconds};
use crate::sections::Size;

/// The number of frames after which a tick comes.
const TICK_EVERY: usize = 10;

/// Due monitors asked for at once, and changed monitors after which changes are taken, as the scheduler does
/// it.
const BATCH: usize = 1_000;

/// Event time begins here.
const START: EventTime = EventTime::from_secs(1_700_000_000);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let heartbeats = size.pick(3_000_000, 100_000);
    let mut report = Report::new(
        "Scheduler: applying and settling, one core, no I/O",
        &[
            "monitors",
            "timeout",
            "heartbeats",
            "re-armed",
            "heartbeats/s",
            "with the changes taken, heartbeats/s",
        ],
    );
    for monitors in [size.pick(100_000, 10_000), size.pick(1_000_000, 50_000)] {
        for timeout in [86_400, 60] {
            let alone = tokio::task::block_in_place(|| apply(monitors, timeout, heartbeats, false));
            let taken = tokio::task::block_in_place(|| apply(monitors, timeout, heartbeats, true));
            if timeout == 86_400 {
                measured(Figure::AppliedOnOneCore, rate(heartbeats, alone.took));
            }
            report.row([
                count(monitors as f64),
                format!("{timeout} s"),
                count(heartbeats as f64),
                count(alone.rearmed as f64),
                count(rate(heartbeats, alone.took)),
                count(rate(heartbeats, taken.took)),
            ]);
        }
    }
    report.print();
    with_commits(size).await
}

struct Applied {
    took: Duration,
    /// Entries of the sorted set that fired and were armed anew.
    rearmed: usize,
}

/// A partition and its sorted set, driven as the scheduler drives them.
struct Driver {
    partition: Partition,
    armed: HashMap<MonitorId, EventTime>,
    wake_ups: BTreeSet<(EventTime, MonitorId)>,
    /// Whether changes are taken as soon as a commit of the scheduler would take them; else only when the set
    /// must know.
    eager: bool,
    rearmed: usize,
}

fn apply(monitors: usize, timeout: u32, heartbeats: usize, eager: bool) -> Applied {
    let ids: Vec<MonitorId> = (0..monitors).map(|_| MonitorId::from_uuid(Uuid::now_v7())).collect();
    let mut driver = Driver::new(&ids, timeout, eager);
    let mut frames = Frames::new(ids, timeout);
    let mut took = Duration::ZERO;
    let mut applied = 0;
    while applied < heartbeats {
        // Made outside the time that counts, a few at once so that they fit into memory.
        let made: Vec<Frame> = (0..100).map(|_| frames.next()).collect();
        applied += made.iter().map(|frame| frame.heartbeats.len()).sum::<usize>();
        let began = Instant::now();
        for frame in &made {
            driver.apply(frame);
        }
        took += began.elapsed();
    }
    // The last frames go a little beyond.
    Applied { took: took.mul_f64(heartbeats as f64 / applied as f64), rearmed: driver.rearmed }
}

/// Makes frames in which each monitor is heard once before any is heard again, three times in four timeouts.
struct Frames {
    ids: Vec<MonitorId>,
    next: usize,
    made: usize,
    sealed_at: EventTime,
    apart: Duration,
}

impl Frames {
    fn new(mut ids: Vec<MonitorId>, timeout: u32) -> Self {
        shuffle(&mut ids);
        // A frame at least every 2 ms of event time, so that a long timeout stands for a backlog read at
        // once.
        let per_second = (ids.len() as f64 / f64::from(timeout.min(60)) / 0.75).max(1.0);
        let apart = Duration::from_secs_f64((FRAME as f64 / per_second).min(0.3));
        Self { ids, next: 0, made: 0, sealed_at: START, apart }
    }

    fn next(&mut self) -> Frame {
        let since = self.sealed_at;
        self.sealed_at = since + self.apart;
        self.made += 1;
        let many = if self.made.is_multiple_of(TICK_EVERY) { 0 } else { FRAME };
        let heartbeats = (0..many)
            .map(|_| {
                let monitor = self.ids[self.next];
                self.next = (self.next + 1) % self.ids.len();
                heartbeat(monitor, self.sealed_at)
            })
            .collect();
        frame(self.made, self.sealed_at, Listening::Since(since), heartbeats)
    }
}

fn shuffle(ids: &mut [MonitorId]) {
    for at in (1..ids.len()).rev() {
        ids.swap(at, rand::random_range(0..=at));
    }
}

impl Driver {
    fn new(ids: &[MonitorId], timeout: u32, eager: bool) -> Self {
        let mut partition = Partition::new(TimeRules::EMBEDDED, PartitionHead::default());
        let mut driver_armed = HashMap::new();
        let mut wake_ups = BTreeSet::new();
        for id in ids {
            // As if heard at any time within the last timeout.
            let heard_at = START - Duration::from_secs_f64(f64::from(timeout) * 0.1 * rand::random::<f64>());
            let armed_at = heard_at + Duration::from_secs(timeout.into());
            partition.restore(*id, state(heard_at, timeout, armed_at));
            driver_armed.insert(*id, armed_at);
            wake_ups.insert((armed_at, *id));
        }
        Self { partition, armed: driver_armed, wake_ups, eager, rearmed: 0 }
    }

    fn apply(&mut self, frame: &Frame) {
        if self.eager && self.partition.changed() >= BATCH {
            self.take_changes();
        }
        let offset = Offset(frame.number);
        let mut effects = Effects::default();
        self.partition.apply(offset, frame.sealed_at, frame, &mut effects);
        if let Some(watermark) = self.partition.settle_up_to() {
            self.settle(watermark, &mut effects);
        }
        assert!(effects.is_empty(), "no monitor falls silent here");
    }

    fn settle(&mut self, watermark: EventTime, effects: &mut Effects) {
        loop {
            if self.partition.has_uncommitted_wake(watermark) {
                self.take_changes();
            }
            let due: Vec<MonitorId> = self
                .wake_ups
                .iter()
                .take_while(|(at, _)| *at < watermark)
                .take(BATCH)
                .map(|(_, id)| *id)
                .collect();
            let complete = due.len() < BATCH;
            self.partition.due(&due, complete, effects);
            self.rearmed += due.len();
            if !due.is_empty() {
                self.take_changes();
            }
            if complete {
                break;
            }
        }
        self.partition.mark_settled();
    }

    fn take_changes(&mut self) {
        for change in self.partition.take_changes() {
            let Some(at) = change.state.and_then(|state| state.armed_at) else { continue };
            let before = self.armed.insert(change.monitor, at);
            if before != Some(at) {
                if let Some(before) = before {
                    self.wake_ups.remove(&(before, change.monitor));
                }
                self.wake_ups.insert((at, change.monitor));
            }
        }
    }
}

fn state(heard_at: EventTime, timeout: u32, armed_at: EventTime) -> MonitorState {
    MonitorState {
        revision: Revision(1),
        definition: Some(Definition {
            schedule: Schedule::Period { timeout },
            grace: 0,
            remind_every: 0,
            paused: false,
        }),
        state: State::Up,
        since: heard_at,
        sequence: 1,
        heard_at: Some(heard_at),
        counted_from: Some(heard_at),
        incident: None,
        armed_at: Some(armed_at),
        imported: None,
    }
}

/// The service on SQLite reads a log that was written before.
async fn with_commits(size: Size) -> anyhow::Result<()> {
    let (monitors, heartbeats) = (size.pick(100_000, 2_000), size.pick(500_000, 10_000));
    let dir = directory()?;
    let seeded = seed(dir.path(), Seed { monitors, timeout: 86_400, heard: true, channels: 0 }).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let last = write_backlog(dir.path(), Arc::clone(&clock), &seeded, heartbeats).await?;
    let backend = SqliteBackend::open(SqliteOptions::new(dir.path()), Arc::clone(&clock))?;
    let service = scheduler::Service::new(
        scheduler::Config::default(),
        TimeRules::EMBEDDED,
        scheduler::Deps {
            owner: "bench".to_owned(),
            log: backend.log(),
            registry: backend.registry(),
            states: backend.state(),
            roster: Arc::new(InMemoryRoster::default()),
            checkpoints: Arc::new(InMemoryCheckpoints::new()),
            checkpoint_every: scheduler::CHECKPOINTS_IN_CLUSTER,
            concerns: Vec::new(),
            history: backend.history(),
            alerts: backend.queue(QueueName::Alerts),
            clock,
        },
        &mut MetricsRegistry::default(),
    )?;
    let readiness = service.readiness();
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(service.run(stop.clone()));
    while readiness.check().is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    while backend.state().head(PartitionId(0)).await?.applied < last {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(120), "the backlog is not applied");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    let mut report = Report::new(
        "Scheduler: a backlog read from SQLite, applied and committed with its history",
        &["monitors", "heartbeats", "time", "heartbeats/s"],
    );
    report.row([
        count(monitors as f64),
        count(heartbeats as f64),
        seconds(took),
        count(rate(heartbeats, took)),
    ]);
    report.print();
    stop.cancel();
    running.join_next().await.context("the scheduler")???;
    backend.close().await.map_err(|error| anyhow::anyhow!("close the data directory: {error}"))
}

/// Appends frames of heartbeats of random monitors; the offset of the last.
async fn write_backlog(
    dir: &Path,
    clock: Arc<dyn Clock>,
    seeded: &[Seeded],
    heartbeats: usize,
) -> anyhow::Result<Offset> {
    let frames = heartbeats / FRAME;
    let apart = Duration::from_millis(20);
    let mut sealed_at = clock.now() - apart * u32::try_from(frames)?;
    let backend = SqliteBackend::open(SqliteOptions::new(dir), clock)?;
    let log = backend.log();
    let mut last = Offset::START;
    for number in 1..=frames {
        let listening = if number == 1 { Listening::First } else { Listening::Since(sealed_at) };
        sealed_at = sealed_at + apart;
        let random = || seeded[rand::random_range(0..seeded.len())].id;
        let heard = (0..FRAME as u64)
            .map(|nth| heartbeat(random(), sealed_at - Duration::from_micros(FRAME as u64 - nth)))
            .collect();
        let frame = frame(number, sealed_at, listening, heard);
        last = log.append(PartitionId(0), Arc::new(frame)).await?;
    }
    drop(log);
    backend.close().await.map_err(|error| anyhow::anyhow!("close the data directory: {error}"))?;
    Ok(last)
}
