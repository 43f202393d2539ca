//! From a deadline, or a push that says down, to the webhook, through every role.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use model::time::TimeRules;
use serde_json::json;
use servers::{NatsServer, RedisServer};

use super::seed::seed;
use super::site::Site;
use super::steady::Steady;
use crate::installation::Installation;
use crate::load;
use crate::monitors::{Seed, Seeded};
use crate::receiver::{Event, Receiver};
use crate::report::{Report, Times, count, millis, seconds};
use crate::sections::Size;

/// The receiver is on this machine.
const LOCAL: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

/// No webhook takes longer in any of this.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let (monitors, rate) = (size.pick(100_000, 2_000), size.pick(2_000, 200));
    let few = size.pick(200, 10);
    let mut nats = NatsServer::start();
    let redis = RedisServer::start();
    let site = Site::new(nats.url(), &redis);
    let day = |monitors| Seed { monitors, timeout: 86_400, heard: true, channels: 0 };
    let silent = Seed { monitors: few, timeout: 5, heard: false, channels: 0 };
    let [many, silent, speaking] =
        seed(&site.nats().await?, &site.redis().await?, [day(monitors), silent, day(few)]).await?;
    nats.restart_with("sync_interval: always");
    let ingest = site.role("ingest", &["--push-limit", "0"]).await?;
    let roles = [
        site.role("scheduler", &[]).await?,
        site.role("notifier", &LOCAL).await?,
        site.role("console", &LOCAL).await?,
    ];
    let receiver = Receiver::start().await?;
    let channel = json!({"name": "receiver", "kind": "webhook", "url": receiver.url()});
    roles[2].post("/api/v1/channels", &channel).await.context("make a channel")?;
    let tokens: Vec<String> = many.into_iter().map(|seeded| seeded.token).collect();
    // Every monitor is heard once, so that no state is still as it was seeded.
    tokio::task::block_in_place(|| {
        load::push_each(ingest.server.address, &tokens[..tokens.len().min(10_000)])
    })?;
    let steady = Steady::start(vec![ingest.server.address], Arc::from(tokens), 64, rate)?;
    tokio::time::sleep(size.pick(Duration::from_secs(5), Duration::from_secs(1))).await;

    let title = format!(
        "Alerts through every role, {} monitors, {} pushes/s; by design a missed deadline takes L = {} and up to a tick",
        count(monitors as f64),
        count(rate as f64),
        seconds(TimeRules::CLUSTER.lateness)
    );
    let mut report = Report::new(title, &["what", "number", "p50", "p99", "max"]);
    missed(&ingest, &receiver, &silent, &mut report).await?;
    reported(&ingest, &receiver, &speaking, few, &mut report).await?;
    report.print();
    println!("{} pushes meanwhile, {} refused", count(steady.recorded() as f64), steady.refused());
    steady.stop()?;
    ingest.stop()?;
    roles.into_iter().try_for_each(Installation::stop)
}

/// Monitors fall silent one after the other.
async fn missed(
    ingest: &Installation,
    receiver: &Receiver,
    silent: &[Seeded],
    report: &mut Report,
) -> anyhow::Result<()> {
    for monitor in silent {
        ingest.push(&monitor.token, "").await?;
        // Between two ticks as well as on them.
        tokio::time::sleep(Duration::from_millis(20 + u64::from(rand::random::<u8>() / 4))).await;
    }
    let events = receiver.wait_for("monitor.down", silent.len(), PATIENCE).await?;
    let after = |event: &Event| {
        let deadline = event.deadline.context("an alert of a missed deadline names it")?;
        anyhow::Ok(event.received_at.since(deadline))
    };
    let times: anyhow::Result<Vec<Duration>> = events.iter().map(after).collect();
    row(report, "missed deadline → webhook", times?);
    Ok(())
}

/// Lets monitors report down, and up again. `down_before` is the number of monitors that are down already.
async fn reported(
    ingest: &Installation,
    receiver: &Receiver,
    speaking: &[Seeded],
    down_before: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (query, kind, before, what) in [
        ("?status=down", "monitor.down", down_before, "push that says down → webhook"),
        ("?status=up", "monitor.up", 0, "push that says up again → webhook"),
    ] {
        let mut sent = HashMap::new();
        for monitor in speaking {
            sent.insert(monitor.id.to_string(), Instant::now());
            ingest.push(&monitor.token, query).await?;
            tokio::time::sleep(Duration::from_millis(10 + u64::from(rand::random::<u8>() / 8))).await;
        }
        let events = receiver.wait_for(kind, before + speaking.len(), PATIENCE).await?;
        let since = |event: &Event| {
            sent.get(&event.monitor).map(|sent| event.received.saturating_duration_since(*sent))
        };
        row(report, what, events.iter().filter_map(since).collect());
    }
    Ok(())
}

fn row(report: &mut Report, what: &str, times: Vec<Duration>) {
    let times = Times::new(times);
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| millis(times.quantile(share)));
    report.row([what.to_owned(), times.count().to_string(), p50, p99, max]);
}
