//! Heartbeats a second from the log to Redis, and what they cost Redis.

use std::time::{Duration, Instant};

use backend_nats::NatsBackend;
use backend_redis::RedisBackend;
use servers::{NatsServer, RedisServer};

use super::past::{Past, committed};
use super::seed::seed;
use super::site::{RedisUse, Site};
use crate::aims::{Figure, measured};
use crate::monitors::{Seed, Seeded};
use crate::report::{Report, count, rate, seconds};
use crate::sections::Size;
use crate::server::processor_time;

const COLUMNS: [&str; 10] = [
    "history",
    "monitors heard",
    "heartbeats",
    "ready after",
    "time",
    "heartbeats/s",
    "states a heartbeat",
    "Redis CPU/100,000",
    "CPUs: scheduler, NATS, Redis",
    "Redis memory since",
];

/// The time within which every heartbeat must be committed.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) async fn measure(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(1_000_000, 20_000);
    let heartbeats = size.pick(2_000_000, 60_000);
    let mut nats = NatsServer::start();
    let mut redis = RedisServer::start();
    let site = Site::new(nats.url(), &redis);
    let (log, store) = (site.nats().await?, site.redis().await?);
    let empty = RedisUse::of(&redis)?.memory;
    let wanted = Seed { monitors, timeout: 7 * 86_400, heard: true, channels: 0 };
    let [seeded] = seed(&log, &store, [wanted]).await?;
    let states = RedisUse::of(&redis)?.memory - empty;
    measured(Figure::RedisMemory, states as f64 / monitors as f64);
    let title = format!(
        "Scheduler: from the log to Redis, {} monitors in 4 partitions; their states take {:.0} bytes each in Redis",
        count(monitors as f64),
        states as f64 / monitors as f64
    );
    let mut report = Report::new(title, &COLUMNS);
    let mut bench = Bench {
        site,
        log,
        store,
        past: Past::default(),
        nats: nats.process().pid(),
        redis: redis.process().pid(),
    };
    // The last has every list of its monitors full.
    let few = size.pick(4_000, 200);
    let full = &seeded[..few.min(seeded.len())];
    for (history, heard, heartbeats) in
        [("0", &seeded[..], heartbeats), ("200", &seeded[..], heartbeats), ("200", full, few * 250)]
    {
        bench.run(&redis, &mut report, history, heard, heartbeats).await?;
    }
    report.print();
    Ok(())
}

struct Bench {
    site: Site,
    log: NatsBackend,
    store: RedisBackend,
    past: Past,
    nats: u32,
    redis: u32,
}

impl Bench {
    async fn run(
        &mut self,
        redis: &RedisServer,
        report: &mut Report,
        history: &str,
        heard: &[Seeded],
        heartbeats: usize,
    ) -> anyhow::Result<()> {
        let ends = self.past.write(&self.log, heard, heartbeats).await?;
        let memory = RedisUse::of(redis)?.memory;
        let scheduler = self.site.role("scheduler", &["--history", history]).await?;
        let pid = scheduler.server.pid();
        let times = || -> anyhow::Result<[Duration; 3]> {
            Ok([processor_time(pid)?, processor_time(self.nats)?, processor_time(self.redis)?])
        };
        // Work before the scheduler held all of its partitions does not count.
        let began = Instant::now();
        let (before, redis_before) = (times()?, RedisUse::of(redis)?);
        let applied_before = scheduler.metric("lubdub_scheduler_heartbeats_total").await?;
        committed(&self.store, &ends, PATIENCE).await?;
        let took = began.elapsed();
        let (after, redis_after) = (times()?, RedisUse::of(redis)?);
        let applied = scheduler.metric("lubdub_scheduler_heartbeats_total").await?;
        let changes = scheduler.metric("lubdub_scheduler_committed_monitors_total").await?;
        let counted = (applied - applied_before) as usize;
        if history == "0" {
            measured(Figure::AppliedToRedis, rate(counted, took));
        }
        let of_redis = redis_after.processor.saturating_sub(redis_before.processor).as_secs_f64();
        let shares = [0, 1, 2].map(|process| {
            let used = after[process].saturating_sub(before[process]).as_secs_f64();
            format!("{:.2}", used / took.as_secs_f64())
        });
        report.row([
            history.to_owned(),
            count(heard.len() as f64),
            count(counted as f64),
            seconds(scheduler.started_in),
            seconds(took),
            count(rate(counted, took)),
            format!("{:.2}", changes / applied.max(1.0)),
            format!("{:.0} ms", of_redis * 1e8 / counted.max(1) as f64),
            shares.join(", "),
            {
                let more = redis_after.memory.saturating_sub(memory) as f64;
                format!("{:.1} MB, {:.0} B each", more / 1e6, more / heard.len() as f64)
            },
        ]);
        scheduler.stop()
    }
}
