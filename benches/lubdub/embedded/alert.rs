//! From a deadline, or a push that says down, to the webhook.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use model::time::{EventTime, TimeRules};
use ports::clock::{Clock, SystemClock};
use serde_json::json;

use super::seed::seed;
use super::up;
use super::up::directory;
use crate::aims::{Figure, measured};
use crate::installation::Installation;
use crate::load;
use crate::monitors::{Seed, Seeded};
use crate::receiver::Receiver;
use crate::report::{Report, Times, count, millis, seconds};
use crate::sections::Size;

/// The receiver is on this machine.
const LOCAL: [&str; 4] = ["--allow-private", "127.0.0.0/8", "--push-limit", "0"];

/// No webhook takes longer in any of this.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let mut report = Report::new("Alerts one at a time", &["what", "number", "p50", "p99", "max"]);
    missed(size, &mut report).await?;
    reported(size, &mut report).await?;
    report.print();
    storm(size).await
}

/// An installation whose only channel is a receiver.
async fn start(wanted: Seed) -> anyhow::Result<(tempfile::TempDir, Vec<Seeded>, Installation, Receiver)> {
    let dir = directory()?;
    let seeded = seed(dir.path(), wanted).await?;
    let installation = up::start(dir.path(), &LOCAL).await?;
    let receiver = Receiver::start().await?;
    let channel = json!({"name": "receiver", "kind": "webhook", "url": receiver.url()});
    installation.post("/api/v1/channels", &channel).await.context("make a channel")?;
    Ok((dir, seeded, installation, receiver))
}

fn row(report: &mut Report, what: &str, times: Vec<Duration>) {
    let times = Times::new(times);
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| millis(times.quantile(share)));
    report.row([what.to_owned(), times.count().to_string(), p50, p99, max]);
}

/// Monitors fall silent one after the other.
async fn missed(size: Size, report: &mut Report) -> anyhow::Result<()> {
    let monitors = size.pick(300, 20);
    let (_dir, seeded, installation, receiver) =
        start(Seed { monitors, timeout: 3, heard: false, channels: 0 }).await?;
    for monitor in &seeded {
        installation.push(&monitor.token, "").await?;
        // Between two ticks as well as on them.
        tokio::time::sleep(Duration::from_millis(20 + u64::from(rand::random::<u8>() / 4))).await;
    }
    let events = receiver.wait_for("monitor.down", monitors, PATIENCE).await?;
    let after = events.iter().map(|event| after_deadline(event.received_at, event.deadline));
    row(report, "missed deadline → webhook", after.collect::<anyhow::Result<_>>()?);
    installation.stop()
}

fn after_deadline(at: EventTime, deadline: Option<EventTime>) -> anyhow::Result<Duration> {
    Ok(at.since(deadline.context("an alert of a missed deadline names it")?))
}

/// Monitors say down, and up again.
async fn reported(size: Size, report: &mut Report) -> anyhow::Result<()> {
    let monitors = size.pick(300, 20);
    let (_dir, seeded, installation, receiver) =
        start(Seed { monitors, timeout: 86_400, heard: true, channels: 0 }).await?;
    for (query, kind, what) in [
        ("?status=down", "monitor.down", "push that says down → webhook"),
        ("?status=up", "monitor.up", "push that says up again → webhook"),
    ] {
        let mut sent = HashMap::new();
        for monitor in &seeded {
            sent.insert(monitor.id.to_string(), Instant::now());
            installation.push(&monitor.token, query).await?;
            tokio::time::sleep(Duration::from_millis(10 + u64::from(rand::random::<u8>() / 8))).await;
        }
        let events = receiver.wait_for(kind, monitors, PATIENCE).await?;
        let since = |event: &crate::receiver::Event| {
            sent.get(&event.monitor).map(|sent| event.received.saturating_duration_since(*sent))
        };
        row(report, what, events.iter().filter_map(since).collect());
    }
    installation.stop()
}

/// Monitors whose deadlines all fall in one second.
async fn storm(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 500);
    let (_dir, seeded, installation, receiver) =
        start(Seed { monitors, timeout: 15, heard: false, channels: 0 }).await?;
    let tokens: Vec<String> = seeded.into_iter().map(|seeded| seeded.token).collect();
    tokio::task::block_in_place(|| load::push_each(installation.server.address, &tokens))?;
    installation.reaches("lubdub_scheduler_heartbeats_total", monitors as f64, PATIENCE).await?;
    // An alert is counted when its flip is committed.
    installation.reaches("lubdub_scheduler_alerts_total", monitors as f64, PATIENCE).await?;
    let committed_at = SystemClock::new().now();
    let events = receiver.wait_for("monitor.down", monitors, PATIENCE).await?;
    let deadlines = || events.iter().filter_map(|event| event.deadline);
    let (first, last) = deadlines().min().zip(deadlines().max()).context("deadlines in the alerts")?;
    let accepted_at = events.iter().map(|event| event.received_at).max().context("webhooks")?;
    let lateness = TimeRules::EMBEDDED.lateness;
    let mut report = Report::new(
        format!("{} deadlines within {}", count(monitors as f64), seconds(last.since(first))),
        &["until", "after the last deadline", "of it L", "the rest"],
    );
    for (until, at, figure) in [
        ("the last flip was committed", committed_at, Figure::LastFlip),
        ("the last webhook was accepted", accepted_at, Figure::LastWebhook),
    ] {
        let after = at.since(last);
        measured(figure, after.as_secs_f64());
        report.row([
            until.to_owned(),
            seconds(after),
            seconds(lateness),
            seconds(after.saturating_sub(lateness)),
        ]);
    }
    report.print();
    installation.stop()
}
