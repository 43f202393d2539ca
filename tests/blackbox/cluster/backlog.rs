//! A scheduler is down while a million heartbeats come. The test appends them as a node of ingest does, by
//! the same adapter, in frames of a thousand: a million pushes would take minutes, and test ingest.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use backend_nats::{NatsBackend, NatsOptions};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{MonitorId, PartitionId};
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use parking_lot::Mutex;
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;

use super::checker::Allowed;
use super::installation::{PARTITIONS, Plan};
use super::node::Role;
use super::scene::{Crowd, Scene};
use crate::api::Monitor;

const BACKLOG: u64 = 1_000_000;
const FRAME: u64 = 1_000;
const MONITORS: usize = 2_000;
/// Timeout and grace of those monitors, seconds.
const TIMEOUT: (u32, u32) = (10, 5);
/// The interval between heartbeats of each monitor once the backlog is there.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
struct Written {
    heartbeats: u64,
    over: bool,
}

/// Appends to all partitions until it is stopped.
struct Writer {
    written: Arc<Mutex<Written>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(nats: &str, monitors: &[Monitor]) -> Self {
        let written = Arc::new(Mutex::new(Written::default()));
        let monitors: Vec<MonitorId> = monitors.iter().map(|one| one.id.parse().expect("an id")).collect();
        let (nats, shared) = (nats.to_owned(), Arc::clone(&written));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(write(&nats, &monitors, &shared));
        });
        Self { written, thread: Some(thread) }
    }

    fn heartbeats(&self) -> u64 {
        self.written.lock().heartbeats
    }

    fn stop(&mut self) {
        self.written.lock().over = true;
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking(), "the writer does not panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn write(nats: &str, monitors: &[MonitorId], written: &Mutex<Written>) {
    let clock = Arc::new(SystemClock::new());
    let backend = NatsBackend::connect(NatsOptions::new(nats, "backlog"), clock.clone()).await;
    let log = backend.expect("a connection").log();
    let lane = |partition: u16| {
        let of = |monitor: &&MonitorId| monitor.partition(PARTITIONS) == PartitionId(partition);
        let monitors: Vec<MonitorId> = monitors.iter().filter(of).copied().collect();
        Lane {
            partition: PartitionId(partition),
            monitors,
            next: 0,
            number: 0,
            sealed_at: None,
            log: log.as_ref(),
            clock: clock.as_ref(),
        }
    };
    futures_util::future::join_all((0..PARTITIONS).map(|partition| lane(partition).run(written))).await;
}

/// The work of an ingest node for one partition.
struct Lane<'a> {
    partition: PartitionId,
    monitors: Vec<MonitorId>,
    next: usize,
    number: u64,
    sealed_at: Option<EventTime>,
    log: &'a dyn HeartbeatLog,
    clock: &'a SystemClock,
}

impl Lane<'_> {
    async fn run(mut self, written: &Mutex<Written>) {
        while !written.lock().over {
            let full = written.lock().heartbeats >= BACKLOG;
            let count = if full { self.monitors.len() as u64 } else { FRAME };
            self.append(count).await;
            written.lock().heartbeats += count;
            if full {
                tokio::time::sleep(KEEP_ALIVE).await;
            }
        }
    }

    async fn append(&mut self, count: u64) {
        let sealed_at = self.clock.now();
        let earliest = self.sealed_at.unwrap_or(EventTime::EPOCH);
        let heartbeats = (0..count).rev().map(|before| {
            self.next = (self.next + 1) % self.monitors.len();
            Heartbeat {
                monitor: self.monitors[self.next],
                received_at: (sealed_at - Duration::from_micros(before)).max(earliest),
                kind: HeartbeatKind::Up,
                message: None,
                value: None,
                source: None,
                output: None,
                trace: None,
            }
        });
        let heartbeats = heartbeats.collect();
        self.number += 1;
        // Keep-alive frames are further apart than what a frame may vouch for: the others vouch.
        let frame = Frame {
            node: "backlog".to_owned(),
            boot: 1,
            number: self.number,
            sealed_at,
            listening: self.sealed_at.map_or(Listening::First, Listening::Since),
            refused: 0,
            heartbeats,
            definitions: Vec::new(),
            imported: Vec::new(),
        };
        self.sealed_at = Some(sealed_at);
        self.log.append(self.partition, Arc::new(frame)).await.expect("it is appended");
    }
}

#[test]
#[ignore = "long: make soak"]
fn a_backlog_of_a_million_heartbeats_is_read_and_pages_nobody() {
    let plan = Plan { history: 200, ..Plan::USUAL };
    let mut scene = Scene::start(plan, Crowd::USUAL);
    let api = scene.cluster.api();
    let monitors: Vec<Monitor> =
        (0..MONITORS).map(|n| api.monitor(&format!("bulk-{n}"), TIMEOUT.0, TIMEOUT.1)).collect();
    scene.note("every monitor is made");
    scene.silence(2);
    for index in 0..2 {
        scene.cluster.node(Role::Scheduler, index).kill();
    }
    let mut writer = Writer::start(&scene.cluster.nats.url(), &monitors);
    while writer.heartbeats() < BACKLOG {
        scene.go_on(Duration::from_millis(100));
    }
    scene.silence(2);
    scene.note("the backlog is there");
    // Longer than every timeout.
    scene.go_on(Duration::from_secs(20));
    let begin = Instant::now();
    for index in 0..2 {
        scene.cluster.node(Role::Scheduler, index).launch();
    }
    scene.until_well();
    let applied = |scene: &Scene| scene.cluster.metric(Role::Scheduler, "lubdub_scheduler_heartbeats_total");
    while applied(&scene) < BACKLOG as f64 {
        assert!(begin.elapsed() < Duration::from_secs(300), "{} are applied", applied(&scene));
        scene.go_on(Duration::from_millis(200));
    }
    let took = begin.elapsed();
    scene.note(&format!("{BACKLOG} heartbeats are read {took:?} after the start of the schedulers"));
    scene.silence(2);
    scene.go_on(Duration::from_secs(10));
    scene.check(&Allowed::default());
    for monitor in monitors.iter().step_by(20) {
        assert_eq!(api.reasons(monitor), ["first"], "{} has flapped", monitor.name);
    }
    let down = api.list("/monitors?state=down");
    let bulk =
        down.iter().filter(|monitor| monitor["name"].as_str().is_some_and(|name| name.starts_with("bulk")));
    assert_eq!(bulk.count(), 0, "{down:#?}");
    writer.stop();
}
