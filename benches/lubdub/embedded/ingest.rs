//! Pushes a second, beside a bare axum handler in the same run.

use std::sync::Arc;
use std::time::Duration;

use super::seed::seed;
use super::up::directory;
use super::{child, up};
use crate::aims::{Figure, measured};
use crate::child::start_bare;
use crate::installation::Installation;
use crate::load::{self, Outcome};
use crate::monitors::{Seed, Seeded};
use crate::report::{Report, count, millis};
use crate::sections::Size;
use crate::server::Server;

const CONNECTIONS: [usize; 3] = [64, 256, 1_024];

/// The number of measurements of each server, in turns, so that a noisy neighbour meets all of them.
const ROUNDS: usize = 2;

/// A day, seconds: no monitor falls silent meanwhile.
const TIMEOUT: u32 = 86_400;

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(100_000, 2_000);
    let lasting = size.pick(Duration::from_secs(4), Duration::from_millis(500));
    let (whole_dir, alone_dir) = (directory()?, directory()?);
    let wanted = Seed { monitors, timeout: TIMEOUT, heard: true, channels: 0 };
    let whole_tokens = tokens(seed(whole_dir.path(), wanted).await?);
    let alone_tokens = tokens(seed(alone_dir.path(), wanted).await?);

    let bare = start_bare()?;
    let alone = child::start_ingest(alone_dir.path())?;
    let whole = up::start(whole_dir.path(), &["--push-limit", "0"]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;

    let mut report = Report::new(
        format!("Ingest, fsync on every frame, {} monitors", count(monitors as f64)),
        &[
            "server",
            "connections",
            "pushes/s",
            "ratio",
            "p50",
            "p99",
            "errors",
            "server µs/push",
            "applied/s",
        ],
    );
    for connections in CONNECTIONS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let baseline = measure_one(&bare, &whole_tokens, connections, lasting)?;
            let by_itself = measure_one(&alone, &alone_tokens, connections, lasting)?;
            let applied_before = applied(&whole).await?;
            let everything = measure_one(&whole.server, &whole_tokens, connections, lasting)?;
            let applied_meanwhile = applied(&whole).await? - applied_before;
            catch_up(&whole).await?;
            rounds.push((baseline, by_itself, everything, applied_meanwhile));
        }
        let baseline: Vec<&Outcome> = rounds.iter().map(|round| &round.0).collect();
        let by_itself: Vec<&Outcome> = rounds.iter().map(|round| &round.1).collect();
        let everything: Vec<&Outcome> = rounds.iter().map(|round| &round.2).collect();
        let applied: f64 = rounds.iter().map(|round| round.3).sum();
        let applied_rate = applied / (ROUNDS as f64 * (lasting.as_secs_f64() + load::WARM_UP.as_secs_f64()));
        let base = mean(&baseline, |outcome| outcome.rate);
        row(&mut report, "bare axum handler", connections, &baseline, base, String::new());
        row(&mut report, "ingest alone", connections, &by_itself, base, String::new());
        if connections == 256 {
            measured(Figure::EmbeddedPushes, mean(&everything, |outcome| outcome.rate) / base);
        }
        row(&mut report, "lubdub up", connections, &everything, base, count(applied_rate));
    }
    report.print();
    whole.stop()
}

fn tokens(seeded: Vec<Seeded>) -> Arc<[String]> {
    seeded.into_iter().map(|seeded| seeded.token).collect()
}

fn measure_one(
    server: &Server,
    tokens: &Arc<[String]>,
    connections: usize,
    lasting: Duration,
) -> anyhow::Result<Outcome> {
    tokio::task::block_in_place(|| load::run(server.address, &[server.pid()], tokens, connections, lasting))
}

async fn applied(whole: &Installation) -> anyhow::Result<f64> {
    whole.metric("lubdub_scheduler_heartbeats_total").await
}

/// Waits until the scheduler has applied what was recorded: it must not take processor time from the server
/// that is measured next.
async fn catch_up(whole: &Installation) -> anyhow::Result<()> {
    let recorded = whole.metric("lubdub_ingest_heartbeats_total").await?;
    whole.reaches("lubdub_scheduler_heartbeats_total", recorded, Duration::from_secs(120)).await?;
    // Its last commit.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Ok(())
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
    applied: String,
) {
    let rate = mean(outcomes, |outcome| outcome.rate);
    let quantile = |share| {
        Duration::from_secs_f64(mean(outcomes, |outcome| outcome.times.quantile(share).as_secs_f64()))
    };
    let errors: usize = outcomes.iter().map(|outcome| outcome.errors).sum();
    let processor = mean(outcomes, |outcome| outcome.processor_per_push(0).as_secs_f64() * 1e6);
    report.row([
        server.to_owned(),
        connections.to_string(),
        count(rate),
        format!("{:.2}", rate / base),
        millis(quantile(0.5)),
        millis(quantile(0.99)),
        errors.to_string(),
        format!("{processor:.1}"),
        applied,
    ]);
}
