//! Partitions are computed again from their logs, under load.

use std::time::Duration;

use serde_json::{Value, json};

use super::checker::Allowed;
use super::installation::{PARTITIONS, Plan};
use super::node::Role;
use super::scene::{Crowd, Scene};
use crate::harness::eventually;

/// Asks for rebuilds of all partitions.
#[track_caller]
fn ask(scene: &Scene, body: &Value) {
    let asked = scene.cluster.api().api("POST /replay/rebuilds", body);
    assert_eq!(asked["items"].as_array().map(Vec::len), Some(usize::from(PARTITIONS)), "{asked}");
}

/// Waits until all are over, and answers their reports.
#[track_caller]
fn reports(scene: &Scene) -> Vec<Value> {
    let over = eventually("every rebuild is over", || {
        let shown = scene.cluster.api().rebuilds();
        let over = |one: &Value| one["state"] == "done" || one["state"] == "failed";
        (shown.len() == usize::from(PARTITIONS) && shown.iter().all(over)).then_some(shown)
    });
    let report = |one: Value| {
        assert_eq!(one["state"], "done", "{one:#}");
        one["report"].clone()
    };
    over.into_iter().map(report).collect()
}

#[track_caller]
fn check_equal(scene: &Scene) {
    ask(scene, &json!({"verify": true}));
    let mut monitors = 0;
    for report in reports(scene) {
        assert_eq!(report["equal"], true, "{report:#}");
        monitors += report["monitors"].as_u64().expect("a number");
        scene.note(&format!("equal; it stood still for {} ms", report["stood_still_ms"]));
    }
    assert!(monitors >= 26, "only {monitors} were compared");
}

#[test]
fn a_rebuild_finds_what_is_there_and_replacing_it_disturbs_nobody() {
    let mut scene = Scene::start(Plan { scheduler: 2, ..Plan::USUAL }, Crowd::USUAL);
    scene.silence(2);
    scene.go_on(Duration::from_secs(4));
    check_equal(&scene);
    scene.note("replacing, and killing a scheduler meanwhile");
    ask(&scene, &json!({"verify": false, "history": true}));
    eventually("one has begun", || {
        let shown = scene.cluster.api().rebuilds();
        shown.iter().any(|one| one["state"] != "waiting").then_some(())
    });
    scene.cluster.node(Role::Scheduler, 0).kill();
    scene.silence(1);
    scene.go_on(Duration::from_secs(1));
    scene.cluster.node(Role::Scheduler, 0).launch();
    scene.until_well();
    for report in reports(&scene) {
        assert_eq!((&report["replaced"], &report["alerts"]), (&json!(true), &json!(0)), "{report:#}");
    }
    scene.silence(1);
    scene.go_on(Duration::from_secs(2));
    check_equal(&scene);
    scene.check(&Allowed::default());
    scene.check_deliveries();
}

#[test]
fn a_rebuild_brings_back_what_a_lost_redis_knew() {
    let mut scene = Scene::start(Plan { scheduler: 2, ..Plan::USUAL }, Crowd::USUAL);
    scene.silence(2);
    scene.go_on(Duration::from_secs(6));
    assert_eq!(scene.cluster.redis.cli(&["FLUSHALL"]).trim(), "OK");
    scene.note("FLUSHALL");
    ask(&scene, &json!({"verify": false, "history": true}));
    scene.until_well();
    for report in reports(&scene) {
        assert_eq!(report["replaced"], true, "{report:#}");
    }
    scene.silence(2);
    check_equal(&scene);
    scene.check(&Allowed { counters_again: true, ..Allowed::default() });
}
