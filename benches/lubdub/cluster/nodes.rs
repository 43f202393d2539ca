//! Processor time of a push with more and more ingest nodes at the same load.

use std::sync::Arc;
use std::time::Duration;

use servers::NatsServer;

use super::seed::registered;
use super::site::Site;
use super::steady::Steady;
use crate::aims::{Figure, measured};
use crate::installation::Installation;
use crate::monitors::Seed;
use crate::report::{Report, count};
use crate::sections::Size;
use crate::server::processor_time;

const NODES: [usize; 3] = [1, 2, 4];
const ROUNDS: usize = 2;
/// Pushes a second in all, and over how many connections: both well below what one node takes.
const LOADS: [(usize, usize); 2] = [(5_000, 64), (20_000, 512)];

const COLUMNS: [&str; 9] = [
    "load, pushes/s",
    "connections",
    "ingest nodes",
    "pushes/s",
    "refused",
    "ingest µs/push",
    "ratio",
    "NATS µs/push",
    "pushes/frame",
];

/// The time at the beginning that is not measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// The usage of a number of nodes.
#[derive(Default, Clone, Copy)]
struct NodeUse {
    pushes: usize,
    refused: usize,
    seconds: f64,
    ingest: Duration,
    nats: Duration,
    frames: f64,
}

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let lasting = size.pick(Duration::from_secs(6), Duration::from_secs(1));
    let mut nats = NatsServer::start();
    let site = Site::without_redis(nats.url(), 1);
    let seed = Seed { monitors: size.pick(100_000, 2_000), timeout: 86_400, heard: false, channels: 0 };
    let seeded = registered(&site.nats().await?, seed).await?;
    let tokens: Arc<[String]> = seeded.into_iter().map(|seeded| seeded.token).collect();
    nats.restart_with("sync_interval: always");
    let mut all = Vec::new();
    for _ in 0..NODES.into_iter().max().unwrap_or(1) {
        all.push(site.role("ingest", &["--push-limit", "0"]).await?);
    }
    let mut report = Report::new("Processor time of a push with 1, 2 and 4 ingest nodes", &COLUMNS);
    for (rate, connections) in LOADS {
        let bench =
            Bench { nats: nats.process().pid(), tokens: Arc::clone(&tokens), rate, connections, lasting };
        bench.measure(&all, &mut report).await?;
    }
    report.print();
    all.into_iter().try_for_each(Installation::stop)
}

/// One load on more and more nodes.
struct Bench {
    nats: u32,
    tokens: Arc<[String]>,
    rate: usize,
    connections: usize,
    lasting: Duration,
}

impl Bench {
    async fn measure(&self, all: &[Installation], report: &mut Report) -> anyhow::Result<()> {
        let mut used = NODES.map(|_| NodeUse::default());
        for _ in 0..ROUNDS {
            for (nodes, used) in NODES.into_iter().zip(&mut used) {
                self.measure_one(&all[..nodes], used).await?;
            }
        }
        let micros = |time: Duration, used: &NodeUse| time.as_secs_f64() * 1e6 / used.pushes.max(1) as f64;
        let of_one_node = micros(used[0].ingest, &used[0]);
        if let (20_000, Some(most)) = (self.rate, used.last()) {
            measured(Figure::PushOnFourNodes, micros(most.ingest, most) / of_one_node);
        }
        for (nodes, one) in NODES.into_iter().zip(&used) {
            report.row([
                count(self.rate as f64),
                self.connections.to_string(),
                nodes.to_string(),
                count(one.pushes as f64 / one.seconds),
                one.refused.to_string(),
                format!("{:.1}", micros(one.ingest, one)),
                format!("{:.2}", micros(one.ingest, one) / of_one_node),
                format!("{:.1}", micros(one.nats, one)),
                format!("{:.1}", one.pushes as f64 / one.frames.max(1.0)),
            ]);
        }
        Ok(())
    }

    async fn measure_one(&self, nodes: &[Installation], used: &mut NodeUse) -> anyhow::Result<()> {
        let addresses = nodes.iter().map(|node| node.server.address).collect();
        let steady = Steady::start(addresses, Arc::clone(&self.tokens), self.connections, self.rate)?;
        tokio::time::sleep(WARM_UP).await;
        let before = look(nodes, self.nats, &steady).await?;
        let began = std::time::Instant::now();
        tokio::time::sleep(self.lasting).await;
        let after = look(nodes, self.nats, &steady).await?;
        used.seconds += began.elapsed().as_secs_f64();
        used.pushes += after.pushes - before.pushes;
        used.refused += after.refused - before.refused;
        used.ingest += after.ingest.saturating_sub(before.ingest);
        used.nats += after.nats.saturating_sub(before.nats);
        used.frames += after.frames - before.frames;
        steady.stop()
    }
}

/// The usage up to now.
async fn look(nodes: &[Installation], nats: u32, steady: &Steady) -> anyhow::Result<NodeUse> {
    let (mut ingest, mut frames) = (Duration::ZERO, 0.0);
    for node in nodes {
        frames += node.metric("lubdub_ingest_frames_total").await?;
    }
    for node in nodes {
        ingest += node.server.processor_time()?;
    }
    Ok(NodeUse {
        pushes: steady.recorded(),
        refused: steady.refused(),
        seconds: 0.0,
        ingest,
        nats: processor_time(nats)?,
        frames,
    })
}
