//! Cost of a monitor on Redis: time, memory, and the server's own processor time.
//!
//! `cargo bench -p backend-redis --bench redis -- [monitors] [heartbeats of history a monitor]`. It starts a
//! redis-server of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backend_redis::{RedisBackend, RedisOptions, RedisStateStore};
use model::flip::State;
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{MonitorId, Offset, PartitionId, Revision};
use model::monitor::Definition;
use model::monitor_state::{MonitorState, PartitionHead, StateChange};
use model::schedule::Schedule;
use model::time::EventTime;
use ports::clock::SystemClock;
use ports::history::{History, HistoryBatch};
use ports::state_store::{Commit, Lease, Leases, States};
use servers::RedisServer;
use tokio::task::JoinSet;
use uuid::Uuid;

const PARTITIONS: u16 = 4;
const COMMIT: usize = 2_000;
const START: EventTime = EventTime::from_secs(1_795_341_600);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let monitors = numbers.next().unwrap_or(100_000);
    let per_monitor = numbers.next().unwrap_or(20);
    for settings in [["--appendonly", "no", "--save", ""].as_slice(), &["--appendonly", "yes", "--save", ""]]
    {
        let server = RedisServer::with_settings(settings);
        println!("redis-server {}", settings.join(" "));
        let options = RedisOptions { history_per_monitor: 200, ..RedisOptions::new(server.url()) };
        let backend =
            RedisBackend::connect(options, Arc::new(SystemClock::default())).await.expect("connect");
        let ids = ids(monitors);
        states(&server, &backend, &ids).await;
        if per_monitor > 0 {
            history(&server, &backend, &ids, per_monitor).await;
        }
    }
}

/// Random ids by partition, like those of version 7: equal first bytes, random last ones.
fn ids(count: usize) -> Vec<Vec<MonitorId>> {
    let mut ids: Vec<Vec<MonitorId>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    for n in 0..count as u128 {
        let random = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 64;
        let id = MonitorId::from_uuid(Uuid::from_u128(((0x0199_0000_0000 + n / 1_000) << 80) | random));
        ids[usize::from(id.partition(PARTITIONS).0)].push(id);
    }
    ids
}

fn state(heard_at: EventTime, armed_at: EventTime) -> MonitorState {
    MonitorState {
        revision: Revision(1_000_000),
        definition: Some(Definition {
            schedule: Schedule::Period { timeout: 3_600 },
            grace: 360,
            remind_every: 0,
            paused: false,
        }),
        state: State::Up,
        since: START,
        sequence: 3,
        heard_at: Some(heard_at),
        counted_from: Some(heard_at),
        incident: None,
        armed_at: Some(armed_at),
        imported: None,
    }
}

/// The holder of a partition.
struct Owner {
    states: Arc<RedisStateStore>,
    lease: Lease,
    number: u64,
    ids: Vec<MonitorId>,
}

impl Owner {
    async fn take(backend: &RedisBackend, partition: usize, ids: Vec<MonitorId>) -> Self {
        let (states, partition) = (backend.state(), PartitionId(u16::try_from(partition).expect("few")));
        let lease = states.acquire(partition, "bench").await.expect("acquire");
        Self { states, lease, number: 0, ids }
    }

    async fn commit(&mut self, states: impl Iterator<Item = (MonitorId, MonitorState)>) {
        let commit = Commit {
            follows: Offset(self.number),
            number: self.number + 1,
            head: PartitionHead { applied: Offset(self.number + 1), ..PartitionHead::default() },
            states: states.map(|(monitor, state)| StateChange { monitor, state: Some(state) }).collect(),
            outbox: Vec::new(),
        };
        self.states.commit(&self.lease, &commit).await.expect("commit");
        self.number += 1;
    }

    /// Commits definitions, with wake-ups spread over an hour.
    async fn define(&mut self) {
        let ids = self.ids.clone();
        for (n, monitors) in ids.chunks(COMMIT).enumerate() {
            let armed_at =
                |m: usize| START + Duration::from_millis((n * COMMIT + m) as u64 * 7_919 % 3_960_000);
            let of = |(m, monitor): (usize, &MonitorId)| (*monitor, state(START, armed_at(m)));
            self.commit(monitors.iter().enumerate().map(of)).await;
        }
    }

    /// Commits heartbeats of monitors in different buckets.
    async fn hear(&mut self, rounds: usize) {
        let ids = self.ids.clone();
        for round in 1..=rounds {
            for (n, monitors) in ids.chunks(COMMIT).enumerate() {
                let armed_at =
                    |m: usize| START + Duration::from_millis((n * COMMIT + m) as u64 * 7_919 % 3_960_000);
                let heard_at = START + Duration::from_millis(round as u64 * 7_001);
                let of = |(m, monitor): (usize, &MonitorId)| (*monitor, state(heard_at, armed_at(m)));
                self.commit(monitors.iter().enumerate().map(of)).await;
            }
        }
    }

    async fn load(&self) {
        let (mut after, mut count) = (None, 0);
        while count < self.ids.len() {
            let page = self.states.load_states(&self.lease, after, 10_000).await.expect("states");
            assert!(!page.is_empty());
            count += page.len();
            after = page.last().map(|(monitor, _)| *monitor);
        }
    }

    async fn ask_due(&self, up_to: EventTime) -> usize {
        self.states.due(&self.lease, up_to, 1_000).await.expect("due").len()
    }
}

/// Commits for every partition at the same time, each in a task as in the scheduler; `rounds` of heartbeats,
/// or definitions.
async fn each_in_a_task(owners: Vec<Owner>, rounds: usize) -> Vec<Owner> {
    let mut tasks = JoinSet::new();
    for mut owner in owners {
        tasks.spawn(async move {
            if rounds == 0 {
                owner.define().await
            } else {
                owner.hear(rounds).await
            }
            owner
        });
    }
    tasks.join_all().await
}

/// Every partition at the same time.
async fn all(owners: &mut [Owner], work: impl AsyncFn(&mut Owner)) {
    futures_util::future::join_all(owners.iter_mut().map(|owner| work(owner))).await;
}

async fn states(server: &RedisServer, backend: &RedisBackend, ids: &[Vec<MonitorId>]) {
    let count: usize = ids.iter().map(Vec::len).sum();
    let mut owners = Vec::new();
    for (partition, ids) in ids.iter().enumerate() {
        owners.push(Owner::take(backend, partition, ids.clone()).await);
    }
    let before = info(server, "memory", "used_memory:");
    let measured = Measured::start(server);
    owners = each_in_a_task(owners, 0).await;
    measured.end("new states committed", count);
    println!(
        "    memory: {:.0} bytes a monitor",
        (info(server, "memory", "used_memory:") - before) / count as f64
    );

    let rounds = (1_000_000 / count).max(1);
    let measured = Measured::start(server);
    owners = each_in_a_task(owners, rounds).await;
    measured.end("heartbeats committed", count * rounds);

    let measured = Measured::start(server);
    all(&mut owners, async |owner| owner.load().await).await;
    measured.end("states loaded", count);

    let measured = Measured::start(server);
    all(&mut owners, async |owner| assert_eq!(owner.ask_due(START).await, 0)).await;
    measured.end("empty polls", owners.len());
    let measured = Measured::start(server);
    all(&mut owners, async |owner| {
        assert_eq!(owner.ask_due(START + Duration::from_secs(9_999)).await, 1_000)
    })
    .await;
    measured.end("due monitors read", owners.len() * 1_000);

    let measured = Measured::start(server);
    futures_util::future::join_all(
        owners.iter().map(|owner| async { owner.states.reset(&owner.lease).await }),
    )
    .await;
    measured.end("partitions reset", owners.len());
}

async fn history(server: &RedisServer, backend: &RedisBackend, ids: &[Vec<MonitorId>], per_monitor: usize) {
    let ids = ids.concat();
    let history = backend.history();
    let before = info(server, "memory", "used_memory:");
    let heartbeat = |monitor: MonitorId, n: usize| Heartbeat {
        monitor,
        received_at: START + Duration::from_micros(n as u64 * 60_000_003),
        kind: HeartbeatKind::Up,
        message: None,
        value: None,
        source: Some([192, 0, 2, 7].into()),
        output: None,
        trace: None,
    };
    let rounds = async |rounds: std::ops::Range<usize>| {
        for n in rounds {
            for monitors in ids.chunks(5_000) {
                let heartbeats = monitors.iter().map(|monitor| heartbeat(*monitor, n)).collect();
                history.append(HistoryBatch { heartbeats, ..HistoryBatch::default() }).await.expect("append");
            }
        }
    };
    let measured = Measured::start(server);
    rounds(0..per_monitor).await;
    measured.end("heartbeats kept", ids.len() * per_monitor);
    let memory = (info(server, "memory", "used_memory:") - before) / ids.len() as f64;
    println!("    memory: {memory:.0} bytes a monitor with {per_monitor} heartbeats");
    let measured = Measured::start(server);
    rounds(0..1).await;
    measured.end("heartbeats kept again", ids.len());
    let measured = Measured::start(server);
    for monitors in ids.chunks(500) {
        history.newest(monitors).await.expect("newest");
    }
    measured.end("newest heartbeats read", ids.len());
}

/// A span of time, and the server's work in it.
struct Measured<'a> {
    server: &'a RedisServer,
    began: Instant,
    cpu: f64,
}

impl<'a> Measured<'a> {
    fn start(server: &'a RedisServer) -> Self {
        server.cli(&["CONFIG", "RESETSTAT"]);
        Self { server, began: Instant::now(), cpu: cpu(server) }
    }

    fn end(self, what: &str, count: usize) {
        let (wall, cpu) = (self.began.elapsed().as_secs_f64(), cpu(self.server) - self.cpu);
        println!(
            "  {what}: {count} in {wall:.2} s, {:.0}/s; Redis {:.2} s of processor for each 100,000",
            count as f64 / wall,
            cpu * 100_000.0 / count as f64
        );
        let stats = self.server.cli(&["INFO", "latencystats"]);
        stats
            .lines()
            .filter(|line| line.contains("evalsha"))
            .for_each(|line| println!("    {}", line.trim()));
    }
}

fn cpu(server: &RedisServer) -> f64 {
    info(server, "cpu", "used_cpu_user:") + info(server, "cpu", "used_cpu_sys:")
}

fn info(server: &RedisServer, section: &str, name: &str) -> f64 {
    let answer = server.cli(&["INFO", section]);
    let value = answer.lines().find_map(|line| line.strip_prefix(name)).expect("known");
    value.trim().parse().expect("a number")
}
