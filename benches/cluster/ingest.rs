//! Pushes a second, beside a bare axum handler and one append per push in the same run.

use std::sync::Arc;
use std::time::Duration;

use testbed::{NatsCluster, NatsServer};

use crate::child;
use crate::installation::Installation;
use crate::load::{self, Outcome};
use crate::monitors::Seed;
use crate::report::{Report, count, millis};
use crate::sections::Size;
use crate::seed::registered;
use crate::server::Server;
use crate::site::Site;

const CONNECTIONS: [usize; 3] = [64, 512, 2_048];

/// Each is measured so often, in turns, so that a noisy neighbour meets all of them.
const ROUNDS: usize = 2;

const COLUMNS: [&str; 10] = [
    "server",
    "connections",
    "pushes/s",
    "ratio",
    "p50",
    "p99",
    "errors",
    "server µs/push",
    "NATS µs/push",
    "pushes/frame",
];

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let bare = child::start_bare()?;
    one_server(size, &bare).await?;
    three_servers(size, &bare).await
}

async fn one_server(size: Size, bare: &Server) -> anyhow::Result<()> {
    let monitors = size.pick(100_000, 2_000);
    // The registry is filled without syncing: it is not what is measured.
    let mut nats = NatsServer::start();
    let site = Site::without_redis(nats.url(), 1);
    let tokens = tokens(&site, monitors).await?;
    nats.restart_with("sync_interval: always");
    let naive = child::start_naive(&nats.url())?;
    let whole = site.role("ingest", &["--push-limit", "0"]).await?;
    let title =
        format!("Ingest, nats-server with sync_interval: always, {} monitors", count(monitors as f64));
    let mut report = Report::new(title, &COLUMNS);
    let bench = Bench { bare, naive: &naive, whole: &whole, nats: vec![nats.process().pid()], tokens, size };
    for connections in CONNECTIONS {
        bench.measure(&mut report, connections).await?;
    }
    report.print();
    whole.stop()
}

async fn three_servers(size: Size, bare: &Server) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 500);
    let mut cluster = NatsCluster::start();
    let site = Site::without_redis(cluster.url(), 3);
    let tokens = tokens(&site, monitors).await?;
    let naive = child::start_naive(&cluster.url())?;
    let whole = site.role("ingest", &["--push-limit", "0"]).await?;
    let title =
        format!("Ingest, three nats-servers, R3, sync_interval: always, {} monitors", count(monitors as f64));
    let mut report = Report::new(title, &COLUMNS);
    let nats = (0..3).map(|index| cluster.server(index).process().pid()).collect();
    let bench = Bench { bare, naive: &naive, whole: &whole, nats, tokens, size };
    bench.measure(&mut report, 512).await?;
    report.print();
    whole.stop()
}

async fn tokens(site: &Site, monitors: usize) -> anyhow::Result<Arc<[String]>> {
    let seed = Seed { monitors, timeout: 86_400, heard: false };
    let seeded = registered(&site.nats().await?, seed).await?;
    Ok(seeded.into_iter().map(|seeded| seeded.token).collect())
}

/// The servers that are compared.
struct Bench<'a> {
    bare: &'a Server,
    naive: &'a Server,
    whole: &'a Installation,
    nats: Vec<u32>,
    tokens: Arc<[String]>,
    size: Size,
}

impl Bench<'_> {
    async fn measure(&self, report: &mut Report, connections: usize) -> anyhow::Result<()> {
        let mut rounds = Vec::new();
        let mut frames = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let baseline = self.load(self.bare, connections)?;
            let before = self.appended().await?;
            let grouped = self.load(&self.whole.server, connections)?;
            let after = self.appended().await?;
            frames = (frames.0 + after.0 - before.0, frames.1 + after.1 - before.1);
            let naive = self.load(self.naive, connections)?;
            rounds.push([baseline, grouped, naive]);
        }
        let of = |server: usize| -> Vec<&Outcome> { rounds.iter().map(|round| &round[server]).collect() };
        let base = mean(&of(0), |outcome| outcome.rate);
        let nats = self.nats.len();
        row(report, "bare axum handler", connections, &of(0), base, 0, String::new());
        let per_frame = format!("{:.0}", frames.1 / frames.0.max(1.0));
        row(report, "lubdub ingest", connections, &of(1), base, nats, per_frame);
        row(report, "one append per push", connections, &of(2), base, nats, "1".to_owned());
        Ok(())
    }

    fn load(&self, server: &Server, connections: usize) -> anyhow::Result<Outcome> {
        let lasting = self.size.pick(Duration::from_secs(3), Duration::from_millis(500));
        let processes: Vec<u32> = std::iter::once(server.pid()).chain(self.nats.iter().copied()).collect();
        tokio::task::block_in_place(|| {
            load::run(server.address, &processes, &self.tokens, connections, lasting)
        })
    }

    /// Frames and heartbeats.
    async fn appended(&self) -> anyhow::Result<(f64, f64)> {
        let frames = self.whole.metric("lubdub_ingest_frames_total").await?;
        Ok((frames, self.whole.metric("lubdub_ingest_heartbeats_total").await?))
    }
}

fn mean(outcomes: &[&Outcome], of: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(|outcome| of(outcome)).sum::<f64>() / outcomes.len() as f64
}

fn row(
    report: &mut Report,
    server: &str,
    connections: usize,
    outcomes: &[&Outcome],
    base: f64,
    nats: usize,
    per_frame: String,
) {
    let rate = mean(outcomes, |outcome| outcome.rate);
    let quantile = |share| {
        Duration::from_secs_f64(mean(outcomes, |outcome| outcome.times.quantile(share).as_secs_f64()))
    };
    let errors: usize = outcomes.iter().map(|outcome| outcome.errors).sum();
    let micros = |process| mean(outcomes, |outcome| outcome.processor_per_push(process).as_secs_f64() * 1e6);
    let of_nats: f64 = (1..=nats).map(micros).sum();
    report.row([
        server.to_owned(),
        connections.to_string(),
        count(rate),
        format!("{:.2}", rate / base),
        millis(quantile(0.5)),
        millis(quantile(0.99)),
        errors.to_string(),
        format!("{:.1}", micros(0)),
        if nats == 0 { String::new() } else { format!("{of_nats:.1}") },
        per_frame,
    ]);
}
