//! The heartbeat log's oldest data are gone before a scheduler has read them.

use std::time::Duration;

use super::checker::Allowed;
use super::installation::{PARTITIONS, Plan};
use super::jetstream::JetStream;
use super::node::Role;
use super::scene::{Crowd, Scene};
use crate::harness::eventually;

/// Entries that were read shortly before a kill need not be committed yet.
const UNCOMMITTED_MS: i64 = 3_000;

#[test]
fn entries_that_are_gone_before_they_are_read_are_deaf_time_and_are_told_loudly() {
    let mut scene = Scene::start(Plan { scheduler: 1, ..Plan::USUAL }, Crowd::USUAL);
    let jetstream = JetStream::of(&scene.cluster);
    scene.silence(2);
    scene.go_on(Duration::from_secs(4));
    let from_ms = scene.now_ms() - UNCOMMITTED_MS;
    scene.cluster.node(Role::Scheduler, 0).kill();
    scene.go_on(Duration::from_secs(6));
    jetstream.purge(&jetstream.ends());
    let to_ms = scene.now_ms();
    scene.note("purged the heartbeat log");
    scene.go_on(Duration::from_secs(1));
    scene.cluster.node(Role::Scheduler, 0).launch();
    scene.until_well();
    let lost = scene.cluster.metric(Role::Scheduler, "lubdub_scheduler_lost_entries_total");
    assert!(lost >= f64::from(PARTITIONS), "{lost} entries were lost");
    scene.silence(4);
    scene.go_on(Duration::from_secs(2));
    let errors = &["the heartbeat log lost entries that were not read"];
    scene.check(&Allowed { deaf: true, lost: Some((from_ms, to_ms)), errors, ..Allowed::default() });
    scene.check_deliveries();
    let said = scene.cluster.nodes(Role::Scheduler).iter().map(super::node::Node::said).collect::<String>();
    let told = said.lines().filter(|line| line.contains("ERROR") && line.contains(errors[0])).count();
    assert_eq!(told, usize::from(PARTITIONS), "once for each partition");
}

#[test]
#[ignore = "long: make soak"]
fn a_checkpoint_stands_in_for_what_redis_and_the_log_have_lost() {
    let mut scene = Scene::usual();
    let jetstream = JetStream::of(&scene.cluster);
    scene.silence(2);
    scene.go_on(Duration::from_secs(10));
    let early = jetstream.ends();
    scene.silence(1);
    // The first ones are written half a minute after the partitions were taken.
    let written = |scene: &Scene| scene.cluster.metric(Role::Scheduler, "lubdub_scheduler_checkpoints_total");
    scene.go_on(Duration::from_secs(20));
    eventually("every partition has a checkpoint", || {
        (written(&scene) >= f64::from(PARTITIONS)).then_some(())
    });
    let history_from = Some(scene.now_ms());
    scene.note("every partition has a checkpoint");
    scene.go_on(Duration::from_secs(5));
    scene.silence(1);
    for index in 0..2 {
        scene.cluster.node(Role::Scheduler, index).kill();
    }
    assert_eq!(scene.cluster.redis.cli(&["FLUSHALL"]).trim(), "OK");
    jetstream.purge(&early);
    scene.note("FLUSHALL, and purged the heartbeat log");
    scene.go_on(Duration::from_secs(2));
    for index in 0..2 {
        scene.cluster.node(Role::Scheduler, index).launch();
    }
    scene.until_well();
    let sum = |name: &str| scene.cluster.metric(Role::Scheduler, name);
    assert_eq!(sum("lubdub_scheduler_restored_total"), f64::from(PARTITIONS));
    assert_eq!(sum("lubdub_scheduler_lost_entries_total"), 0.0);
    scene.silence(2);
    scene.go_on(Duration::from_secs(2));
    scene.check(&Allowed { history_from, counters_again: true, ..Allowed::default() });
    // The flips from before are in no history, but the states are known.
    let down = scene.cluster.api().list("/monitors?state=down");
    assert!(down.len() >= scene.load.mortals().count(), "{down:#?}");
}
