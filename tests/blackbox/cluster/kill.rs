//! kill -9 of each role in turn, under load.

use std::time::{Duration, Instant};

use super::checker::Allowed;
use super::installation::PARTITIONS;
use super::node::Role;
use super::scene::Scene;
use crate::harness::eventually;

/// After the beat of a dead scheduler stood still for the lease time, another one takes over. Generous: the
/// machine may be busy.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(10);
/// The time between a kill and the next start.
const AWAY: Duration = Duration::from_secs(2);

#[test]
fn a_killed_node_of_ingest_costs_nothing() {
    let mut scene = Scene::usual();
    scene.silence(2);
    scene.cluster.node(Role::Ingest, 0).kill();
    scene.note("killed a node of ingest");
    scene.go_on(AWAY);
    scene.silence(2);
    scene.cluster.node(Role::Ingest, 0).launch();
    scene.until_well();
    scene.go_on(Duration::from_secs(3));
    scene.cluster.node(Role::Ingest, 1).kill();
    scene.note("killed the other one");
    scene.cluster.node(Role::Ingest, 1).launch();
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(5));
    // A node's clients are refused at once and go to the other.
    scene.check(&Allowed { deaf: true, ..Allowed::default() });
    scene.check_deliveries();
}

#[test]
fn a_node_of_ingest_whose_listener_ends_leaves_and_costs_nothing() {
    let mut scene = Scene::usual();
    scene.silence(2);
    let Some(ended) = scene.cluster.node(Role::Ingest, 0).lose_listener() else {
        println!("this user may not reach into another process: nothing is tested");
        return scene.load.end();
    };
    scene.note("a node of ingest left without its listener");
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    scene.go_on(AWAY);
    scene.silence(2);
    scene.cluster.node(Role::Ingest, 0).launch();
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(5));
    let errors = &["the listener is gone", "a task ended; stopping"];
    scene.check(&Allowed { deaf: true, errors, ..Allowed::default() });
    scene.check_deliveries();
    let said = scene.cluster.node(Role::Ingest, 0).said();
    assert!(said.contains("the listener ended by itself"), "{said}");
}

#[test]
fn a_killed_scheduler_is_replaced_and_nothing_is_lost_or_told_twice() {
    let mut scene = Scene::usual();
    scene.silence(3);
    scene.go_on(Duration::from_secs(5));
    let begin = Instant::now();
    scene.cluster.node(Role::Scheduler, 0).kill();
    scene.note("killed a scheduler; silence is to be noticed meanwhile");
    eventually("the other one holds every partition", || {
        let held = scene.cluster.metric(Role::Scheduler, "lubdub_scheduler_partitions");
        (held == f64::from(PARTITIONS)).then_some(())
    });
    let took = begin.elapsed();
    scene.note(&format!("taken over after {took:?}"));
    assert!(took < TAKEN_OVER_WITHIN, "{took:?}");
    scene.silence(3);
    scene.cluster.node(Role::Scheduler, 0).launch();
    scene.until_well();
    // Both at once: no scheduler is left to take over.
    scene.cluster.node(Role::Scheduler, 0).kill();
    scene.cluster.node(Role::Scheduler, 1).kill();
    scene.note("killed both");
    scene.go_on(AWAY);
    scene.cluster.node(Role::Scheduler, 0).launch();
    scene.cluster.node(Role::Scheduler, 1).launch();
    scene.until_well();
    scene.go_on(Duration::from_secs(3));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}

#[test]
fn a_killed_notifier_or_console_costs_nothing() {
    let mut scene = Scene::usual();
    scene.silence(3);
    scene.go_on(Duration::from_secs(6));
    // In the midst of the alerts about the silent ones.
    for index in [0, 1] {
        scene.cluster.node(Role::Notifier, index).kill();
        scene.note("killed a notifier");
        scene.go_on(AWAY);
        scene.cluster.node(Role::Notifier, index).launch();
    }
    scene.cluster.node(Role::Console, 0).kill();
    scene.note("killed the console");
    scene.go_on(Duration::from_secs(1));
    scene.cluster.node(Role::Console, 0).launch();
    scene.until_well();
    scene.silence(3);
    scene.go_on(Duration::from_secs(3));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}
