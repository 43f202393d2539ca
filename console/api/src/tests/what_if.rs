//! What-ifs over several partitions.

use std::sync::Arc;
use std::time::Duration;

use doubles::samples;
use model::ids::{MonitorId, PartitionId};
use model::wire::frame::{Frame, Listening};
use ports::heartbeat_log::HeartbeatLog;
use serde_json::json;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_that_is_tried_on_many_leaves_cron_monitors_alone_and_the_price_is_shown() {
    let bench = Bench::start().await;
    bench.monitor("loop").await;
    let nightly = r#"{"name": "nightly", "cron": "0 2 * * *", "grace": 600, "tags": ["t"]}"#;
    let nightly = bench.post("/monitors", nightly).await.id();
    bench.clock.advance(Duration::from_secs(60));
    let unnoticed = |answer: &serde_json::Value, name: &str| {
        let monitors = answer["monitors"].as_array().expect("a list");
        monitors.iter().find(|monitor| monitor["name"] == name).expect("it is there")["unnoticed"].clone()
    };
    let time = |typical: u64, worst: u64| json!({"typical_seconds": typical, "worst_seconds": worst});
    let a_day = time(87_000, 87_000);

    let all = bench.get("/replay/what-if?all=true&timeout=600&grace=30").await.json;
    assert_eq!(unnoticed(&all, "loop"), json!({"was": time(66, 66), "would_be": time(630, 630)}), "{all:#}");
    assert_eq!(unnoticed(&all, "nightly"), json!({"was": a_day, "would_be": a_day}), "{all:#}");
    assert_eq!(all["left_alone"], 1, "{all:#}");
    let notes = all["notes"].to_string();
    assert!(notes.contains("1 monitor is left as it was: the schedule is cron"), "{notes}");

    let tagged = bench.get("/replay/what-if?tag=t&timeout=600").await.json;
    assert_eq!(tagged["left_alone"], 1, "{tagged:#}");
    let pattern = bench.get("/replay/what-if?all=true&cron=0+3+*+*+*").await.json;
    assert_eq!(pattern["left_alone"], 1, "{pattern:#}");
    assert_eq!(unnoticed(&pattern, "loop")["would_be"], time(66, 66), "{pattern:#}");

    let named = bench.get(&format!("/replay/what-if?monitor={nightly}&timeout=600&grace=30")).await.json;
    assert_eq!((&named["left_alone"], &named["notes"].to_string().contains("left")), (&json!(0), &false));
    assert_eq!(unnoticed(&named, "nightly")["would_be"], time(630, 630), "{named:#}");

    let advice = bench.get("/replay/advise?all=true").await.json;
    assert_eq!(unnoticed(&advice, "nightly"), json!({"was": a_day, "would_be": a_day}), "{advice:#}");
}
