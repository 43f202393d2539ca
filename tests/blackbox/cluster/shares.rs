//! Schedulers come and go, under load.

use std::time::{Duration, Instant};

use super::checker::Allowed;
use super::node::Role;
use super::scene::Scene;
use crate::harness::eventually;

/// The time for a hand-over, which waits for no lease to expire. Generous: the machine may be busy.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(8);

/// The partitions that each scheduler holds.
fn held(scene: &Scene) -> Vec<u32> {
    let schedulers = scene.cluster.nodes(Role::Scheduler).iter();
    let count = |held: f64| format!("{held:.0}").parse::<u32>().expect("a count");
    schedulers.map(|node| node.metric("lubdub_scheduler_partitions").map_or(0, count)).collect()
}

/// Waits until the partitions are spread like this; the time that it took.
#[track_caller]
fn until_spread(scene: &Scene, spread: impl Fn(&[u32]) -> bool) -> Duration {
    let begin = Instant::now();
    eventually("the partitions are spread", || spread(&held(scene)).then_some(()));
    let took = begin.elapsed();
    scene.note(&format!("spread after {took:?}: {:?}", held(scene)));
    assert!(took < HANDED_OVER_WITHIN, "{took:?}");
    took
}

#[test]
fn partitions_follow_schedulers_that_come_and_go() {
    let mut scene = Scene::usual();
    until_spread(&scene, |held| held == [2, 2]);
    scene.silence(2);
    let third = scene.cluster.add(Role::Scheduler);
    scene.cluster.node(Role::Scheduler, third).launch();
    scene.note("a third scheduler joins");
    until_spread(&scene, |held| {
        held.iter().sum::<u32>() == 4 && held.iter().all(|count| (1..=2).contains(count))
    });
    scene.silence(2);
    scene.go_on(Duration::from_secs(3));
    let status = scene.cluster.node(Role::Scheduler, 0).stop();
    scene.note("the first one leaves");
    assert_eq!(status.code(), Some(0));
    until_spread(&scene, |held| held == [0, 2, 2]);
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(4));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}
