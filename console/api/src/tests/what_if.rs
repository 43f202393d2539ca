//! What-ifs over several partitions.

use std::sync::Arc;
use std::time::Duration;

use doubles::samples;
use model::ids::{MonitorId, PartitionId};
use model::wire::frame::{Frame, Listening};
use ports::heartbeat_log::HeartbeatLog;

use super::bench::{Bench, start_time};

/// Long after the end of what is asked about.
const SECONDS: u64 = 6_000;

/// Lets every monitor be heard once, a second from now, and time pass in every partition.
async fn live_on(bench: &Bench, monitors: &[MonitorId]) {
    let start = start_time();
    bench.clock.advance(Duration::from_secs(SECONDS));
    for partition in (0..bench.log.partitions()).map(PartitionId) {
        for second in 1..SECONDS {
            let (since, sealed_at) =
                (start + Duration::from_secs(second - 1), start + Duration::from_secs(second));
            let heard = monitors.iter().filter(|id| second == 1 && id.partition(4) == partition);
            let frame = Frame {
                listening: if second == 1 { Listening::First } else { Listening::Since(since) },
                heartbeats: heard.map(|monitor| samples::heartbeat(*monitor, sealed_at)).collect(),
                ..samples::tick(second, sealed_at)
            };
            bench.log.append(partition, Arc::new(frame)).await.expect("room");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_partition_is_replayed_also_when_the_time_asked_about_ended_long_ago() {
    let bench = Bench::start().await;
    let mut monitors: Vec<MonitorId> = Vec::new();
    for number in 0..24 {
        monitors.push(bench.monitor(&format!("n{number}")).await.id().parse().expect("an id"));
    }
    live_on(&bench, &monitors).await;
    let path = "/replay/what-if?all=true&timeout=3600\
                &since=2026-11-22T10:00:00Z&until=2026-11-22T10:05:00Z";
    for round in 0..30 {
        let answer = bench.get(path).await;
        let downs = &answer.json["total"]["was"]["downs"];
        assert_eq!(*downs, monitors.len(), "round {round}: {}", answer.json);
        assert_eq!(answer.json["total"]["would_be"]["downs"], 0, "{}", answer.json);
    }
}
