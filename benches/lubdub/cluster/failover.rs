//! From a scheduler's death to its successor's first commit.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use servers::{NatsServer, RedisServer};

use super::seed::seed;
use super::site::{PARTITIONS, Site, log_of};
use super::steady::Steady;
use crate::aims::{Figure, measured};
use crate::installation::Installation;
use crate::monitors::Seed;
use crate::report::{Report, Times, count, seconds};
use crate::sections::Size;

/// The key under which partition 0 keeps its holder and position.
const META: &str = "lubdub:{p0}:meta";

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let (monitors, rate) = (size.pick(100_000, 2_000), 1_000);
    let runs = size.pick(5, 1);
    let mut nats = NatsServer::start();
    let redis = RedisServer::start();
    let site = Site::new(nats.url(), &redis);
    let wanted = Seed { monitors, timeout: 86_400, heard: true, channels: 0 };
    let [seeded] = seed(&site.nats().await?, &site.redis().await?, [wanted]).await?;
    let tokens: Arc<[String]> = seeded.into_iter().map(|seeded| seeded.token).collect();
    nats.restart_with("sync_interval: always");
    let ingest = site.role("ingest", &["--push-limit", "0"]).await?;
    let steady = Steady::start(vec![ingest.server.address], tokens, 32, rate)?;
    let mut schedulers = vec![site.role("scheduler", &[]).await?, site.role("scheduler", &[]).await?];
    let mut times = Vec::new();
    for _ in 0..runs {
        for scheduler in &schedulers {
            let half = f64::from(PARTITIONS) / 2.0;
            scheduler.reaches("lubdub_scheduler_partitions", half, PATIENCE).await?;
        }
        times.push(kill_owner(&redis, &mut schedulers).await?);
        schedulers.push(site.role("scheduler", &[]).await?);
    }
    let times = Times::new(times);
    measured(Figure::FailOver, times.quantile(0.5).as_secs_f64());
    let title = format!(
        "kill -9 of one of two schedulers, {} monitors, {} pushes/s",
        count(monitors as f64),
        count(rate as f64)
    );
    let columns = ["runs", "first commit of the other after: median", "max", "pushes refused"];
    let mut report = Report::new(title, &columns);
    report.row([
        times.count().to_string(),
        seconds(times.quantile(0.5)),
        seconds(times.quantile(1.0)),
        steady.refused().to_string(),
    ]);
    report.print();
    steady.stop()?;
    ingest.stop()?;
    schedulers.into_iter().try_for_each(Installation::stop)
}

/// Kills the holder of partition 0; the time until another scheduler commits to it.
async fn kill_owner(redis: &RedisServer, schedulers: &mut Vec<Installation>) -> anyhow::Result<Duration> {
    let (owner, _) = held(redis)?;
    let log = |scheduler: &Installation| log_of(scheduler.server.address);
    let is_owner = |scheduler: &Installation| {
        fs::read_to_string(log(scheduler))
            .is_ok_and(|text| text.contains(&owner) && text.contains("scheduler listens"))
    };
    let index =
        schedulers.iter().position(is_owner).with_context(|| format!("no scheduler here is {owner}"))?;
    let victim = schedulers.remove(index);
    let log_of_victim = log(&victim);
    let killed = Instant::now();
    drop(victim);
    let (_, applied_then) = held(redis)?;
    loop {
        let (now_owner, applied) = held(redis)?;
        if now_owner != owner && applied > applied_then {
            fs::remove_file(log_of_victim)?;
            return Ok(killed.elapsed());
        }
        anyhow::ensure!(killed.elapsed() < PATIENCE, "no other scheduler commits to partition 0");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The holder of partition 0, and its position.
fn held(redis: &RedisServer) -> anyhow::Result<(String, u64)> {
    let text = redis.cli(&["HMGET", META, "owner", "applied"]);
    let (owner, applied) = text.trim().split_once('\n').context("the owner and the offset of partition 0")?;
    Ok((owner.trim().to_owned(), applied.trim().parse().unwrap_or(0)))
}
