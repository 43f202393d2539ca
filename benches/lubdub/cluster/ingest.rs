//! Pushes a second, beside a bare axum handler and one append per push in the same run.

use std::sync::Arc;
use std::time::Duration;

use servers::{NatsCluster, NatsServer};

use super::child;
use super::seed::registered;
use super::site::Site;
use crate::aims::{Figure, measured};
use crate::child::start_bare;
use crate::installation::Installation;
use crate::load::{self, Outcome};
use crate::monitors::Seed;
use crate::report::{Report, count, millis};
use crate::sections::Size;
use crate::server::Server;

const CONNECTIONS: [usize; 3] = [64, 512, 2_048];

/// The number of measurements of each server, in turns, so that a noisy neighbour meets all of them.
const ROUNDS: usize = 2;

const DURABLE: &str = "sync_interval: always";

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
    let bare = start_bare()?;
    one_server(size, &bare).await?;
    three_servers(size, &bare).await
}

async fn one_server(size: Size, bare: &Server) -> anyhow::Result<()> {
    let monitors = size.pick(100_000, 2_000);
    let (mut usual, mut single) = (NatsServer::start(), NatsServer::start());
    let site_of = |nats: &NatsServer| Site::without_redis(nats.url(), 1);
    let sites = [site_of(&usual), site_of(&single).with_partitions(1)];
    let known = [tokens(&sites[0], monitors).await?, tokens(&sites[1], monitors).await?];
    // The registry was filled without syncing: it is not what is measured.
    usual.restart_with(DURABLE);
    single.restart_with(DURABLE);
    let naive = child::start_naive(&usual.url())?;
    let [whole, narrow] = [ingest(&sites[0]).await?, ingest(&sites[1]).await?];
    let [usual, single] = [vec![usual.process().pid()], vec![single.process().pid()]];
    let title =
        format!("Ingest, nats-server with sync_interval: always, {} monitors", count(monitors as f64));
    let mut report = Report::new(title, &COLUMNS);
    let all = [
        MeasuredServer::bare(bare, &known[0]),
        MeasuredServer::ingest("lubdub ingest, 4 partitions", &whole, &usual, &known[0]),
        MeasuredServer::ingest("lubdub ingest, 1 partition", &narrow, &single, &known[1]),
        MeasuredServer::naive(&naive, &usual, &known[0]),
    ];
    for connections in CONNECTIONS {
        let ratios = compare(&all, connections, size, &mut report).await?;
        if connections == 512 {
            measured(Figure::ClusterPushes, ratios[1]);
        }
    }
    report.print();
    whole.stop()?;
    narrow.stop()
}

async fn three_servers(size: Size, bare: &Server) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 500);
    let mut cluster = NatsCluster::start();
    let site = Site::without_redis(cluster.url(), 3);
    let known = tokens(&site, monitors).await?;
    let naive = child::start_naive(&cluster.url())?;
    let whole = ingest(&site).await?;
    let title =
        format!("Ingest, three nats-servers, R3, sync_interval: always, {} monitors", count(monitors as f64));
    let mut report = Report::new(title, &COLUMNS);
    let nats: Vec<u32> = (0..3).map(|index| cluster.server(index).process().pid()).collect();
    let measured = [
        MeasuredServer::bare(bare, &known),
        MeasuredServer::ingest("lubdub ingest, 4 partitions", &whole, &nats, &known),
        MeasuredServer::naive(&naive, &nats, &known),
    ];
    compare(&measured, 512, size, &mut report).await?;
    report.print();
    whole.stop()
}

async fn ingest(site: &Site) -> anyhow::Result<Installation> {
    site.role("ingest", &["--push-limit", "0"]).await
}

async fn tokens(site: &Site, monitors: usize) -> anyhow::Result<Arc<[String]>> {
    let seed = Seed { monitors, timeout: 86_400, heard: false, channels: 0 };
    let seeded = registered(&site.nats().await?, seed).await?;
    Ok(seeded.into_iter().map(|seeded| seeded.token).collect())
}

/// One of the servers that are compared.
struct MeasuredServer<'a> {
    name: &'static str,
    server: &'a Server,
    /// The installation that counts its frames.
    ingest: Option<&'a Installation>,
    nats: &'a [u32],
    tokens: &'a Arc<[String]>,
}

impl<'a> MeasuredServer<'a> {
    const fn bare(server: &'a Server, tokens: &'a Arc<[String]>) -> Self {
        Self { name: "bare axum handler", server, ingest: None, nats: &[], tokens }
    }

    const fn naive(server: &'a Server, nats: &'a [u32], tokens: &'a Arc<[String]>) -> Self {
        Self { name: "one append per push", server, ingest: None, nats, tokens }
    }

    const fn ingest(
        name: &'static str,
        ingest: &'a Installation,
        nats: &'a [u32],
        tokens: &'a Arc<[String]>,
    ) -> Self {
        Self { name, server: &ingest.server, ingest: Some(ingest), nats, tokens }
    }

    fn load(&self, connections: usize, lasting: Duration) -> anyhow::Result<Outcome> {
        let processes: Vec<u32> =
            std::iter::once(self.server.pid()).chain(self.nats.iter().copied()).collect();
        tokio::task::block_in_place(|| {
            load::run(self.server.address, &processes, self.tokens, connections, lasting)
        })
    }

    /// Frames and heartbeats.
    async fn appended(&self) -> anyhow::Result<(f64, f64)> {
        let Some(ingest) = self.ingest else { return Ok((0.0, 0.0)) };
        let frames = ingest.metric("lubdub_ingest_frames_total").await?;
        Ok((frames, ingest.metric("lubdub_ingest_heartbeats_total").await?))
    }
}

/// Measures all in turns; the rates of their pushes, as shares of the first's.
async fn compare(
    all: &[MeasuredServer<'_>],
    connections: usize,
    size: Size,
    report: &mut Report,
) -> anyhow::Result<Vec<f64>> {
    let lasting = size.pick(Duration::from_secs(3), Duration::from_millis(500));
    let mut outcomes: Vec<Vec<Outcome>> = all.iter().map(|_| Vec::new()).collect();
    let mut appended = vec![(0.0, 0.0); all.len()];
    for _ in 0..ROUNDS {
        for (index, measured) in all.iter().enumerate() {
            let before = measured.appended().await?;
            outcomes[index].push(measured.load(connections, lasting)?);
            let after = measured.appended().await?;
            appended[index].0 += after.0 - before.0;
            appended[index].1 += after.1 - before.1;
        }
    }
    let base = mean(&outcomes[0], |outcome| outcome.rate);
    for ((measured, outcomes), (frames, heartbeats)) in all.iter().zip(&outcomes).zip(appended) {
        let per_frame = if frames > 0.0 { format!("{:.0}", heartbeats / frames) } else { String::new() };
        row(report, measured, connections, outcomes, base, per_frame);
    }
    Ok(outcomes.iter().map(|outcomes| mean(outcomes, |outcome| outcome.rate) / base).collect())
}

fn mean(outcomes: &[Outcome], of: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64
}

fn row(
    report: &mut Report,
    measured: &MeasuredServer<'_>,
    connections: usize,
    outcomes: &[Outcome],
    base: f64,
    per_frame: String,
) {
    let rate = mean(outcomes, |outcome| outcome.rate);
    let quantile = |share| {
        Duration::from_secs_f64(mean(outcomes, |outcome| outcome.times.quantile(share).as_secs_f64()))
    };
    let errors: usize = outcomes.iter().map(|outcome| outcome.errors).sum();
    let micros = |process| mean(outcomes, |outcome| outcome.processor_per_push(process).as_secs_f64() * 1e6);
    let of_nats: f64 = (1..=measured.nats.len()).map(micros).sum();
    report.row([
        measured.name.to_owned(),
        connections.to_string(),
        count(rate),
        format!("{:.2}", rate / base),
        millis(quantile(0.5)),
        millis(quantile(0.99)),
        errors.to_string(),
        format!("{:.1}", micros(0)),
        if measured.nats.is_empty() { String::new() } else { format!("{of_nats:.1}") },
        per_frame,
    ]);
}
