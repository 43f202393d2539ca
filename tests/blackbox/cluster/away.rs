//! All nodes of ingest are down at once, for much longer than the timeouts. No monitor that pushes goes down
//! for that.

use std::time::Duration;

use super::checker::Allowed;
use super::node::Role;
use super::record::Record;
use super::scene::Scene;

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
    // Each scheduler tells for itself.
    assert_eq!(told.iter().filter(|kind| **kind == "lubdub.stalled").count(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|kind| **kind == "lubdub.recovered").count(), 2, "{told:?}");
}
