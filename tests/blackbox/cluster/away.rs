//! All nodes of ingest are down at once, for much longer than the timeouts. No monitor that pushes goes down
//! for that.

use std::time::Duration;

use super::checker::Allowed;
use super::installation::{Installation, Plan};
use super::node::Role;
use super::record::Record;
use super::scene::Scene;
use crate::harness::eventually_within;

/// Kills every node of ingest, lets time go by, starts them again. What was recorded in the end, and what
/// clients fell silent just before.
#[track_caller]
fn all_ingest_is_away(scene: &mut Scene, time: Duration, errors: &'static [&'static str]) -> Record {
    scene.silence(2);
    for index in 0..2 {
        scene.cluster.node(Role::Ingest, index).kill();
    }
    scene.note("killed all of ingest");
    scene.go_on(time);
    for index in 0..2 {
        scene.cluster.node(Role::Ingest, index).launch();
    }
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(8));
    let record = scene.check(&Allowed { deaf: true, errors, ..Allowed::default() });
    scene.check_deliveries();
    // Two clients fell silent just before.
    let downs =
        record.monitors.iter().flat_map(|monitor| &monitor.flips).filter(|flip| flip.reason == "missed");
    let deaf = downs.map(|flip| flip.deaf_seconds).max().unwrap_or(0);
    assert!((time.as_secs() - 1..=time.as_secs() + 30).contains(&deaf), "deaf for {deaf} s");
    let shown = scene.cluster.metric(Role::Scheduler, "lubdub_scheduler_deaf_seconds");
    assert!(shown > 0.0);
    record
}

#[test]
fn half_a_minute_without_ingest_pages_nobody_who_pushes() {
    let mut scene = Scene::usual();
    all_ingest_is_away(&mut scene, Duration::from_secs(30), &[]);
    assert!(scene.cluster.operator.requests().is_empty(), "it was no minute");
}

#[test]
fn of_two_schedulers_one_tells_the_operator_that_time_stands_still_and_why() {
    let mut cluster = Installation::start(Plan { ingest: 1, scheduler: 2, notifier: 1, ..Plan::USUAL });
    let until_both_say = |cluster: &Installation, what: &str| {
        eventually_within(Duration::from_secs(120), what, || {
            cluster.nodes(Role::Scheduler).iter().all(|node| node.said().contains(what)).then_some(())
        });
    };
    cluster.until_held();
    cluster.node(Role::Ingest, 0).kill();
    until_both_say(&cluster, "Lubdub stands still");
    cluster.node(Role::Ingest, 0).launch();
    until_both_say(&cluster, "Lubdub moves again");
    eventually_within(Duration::from_secs(30), "the operator hears of the end", || {
        (cluster.operator.requests().len() >= 2).then_some(())
    });
    let told: Vec<_> = cluster.operator.requests().iter().map(|request| request.json()).collect();
    let kinds: Vec<_> = told.iter().map(|told| told["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["lubdub.stalled", "lubdub.recovered"]);
    let why = told[0]["data"]["message"].as_str().unwrap_or_default();
    assert!(why.contains("The reason: event time of partition"), "{why}");
    assert!(why.ends_with("no ingest node vouches for time"), "{why}");
}

#[test]
#[ignore = "long: make soak"]
fn five_minutes_without_ingest_page_nobody_but_the_operator() {
    let mut scene = Scene::usual();
    all_ingest_is_away(&mut scene, Duration::from_secs(300), &["Lubdub stands still"]);
    let told: Vec<String> = scene
        .cluster
        .operator
        .requests()
        .iter()
        .map(|request| request.json()["type"].as_str().unwrap_or_default().to_owned())
        .collect();
    // One of the two schedulers tells.
    assert_eq!(told, ["lubdub.stalled", "lubdub.recovered"]);
}
