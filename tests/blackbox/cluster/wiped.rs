//! Redis forgets everything, or the last while.

use std::time::Duration;

use super::checker::Allowed;
use super::installation::Plan;
use super::load::Pace;
use super::node::Role;
use super::scene::{Crowd, Scene};
use crate::harness::eventually;

/// Clients that flap quickly, and the flips that they have made before Redis forgets them.
const FLAPPERS: usize = 20;
const FLIPS: usize = 300;
const QUICKLY: Duration = Duration::from_millis(150);

#[test]
fn what_redis_forgets_is_read_again_and_nobody_is_told_twice() {
    let plan = Plan { scheduler: 2, ..Plan::USUAL };
    let mut scene = Scene::start(plan, Crowd { flapping: 0, ..Crowd::USUAL });
    let api = scene.cluster.api();
    scene.load.add(&api, FLAPPERS, Pace::flapping(QUICKLY));
    scene.silence(2);
    until_events(&scene, FLIPS);
    assert_eq!(scene.cluster.redis.cli(&["FLUSHALL"]).trim(), "OK");
    let before = scene.cluster.receiver.requests().len();
    scene.note(&format!("FLUSHALL after {before} webhooks"));
    scene.silence(2);
    until_events(&scene, before + FLIPS / 3);
    scene.until_well();
    scene.silence(2);
    assert_is_told_as_forgotten(&scene);
    scene.check(&Allowed { counters_again: true, ..Allowed::default() });
}

#[test]
fn what_an_older_redis_does_not_know_is_read_again_and_nobody_is_told_twice() {
    let plan = Plan { appending: false, ..Plan::USUAL };
    let mut scene = Scene::start(plan, Crowd { flapping: 0, ..Crowd::USUAL });
    let api = scene.cluster.api();
    scene.load.add(&api, FLAPPERS, Pace::flapping(QUICKLY));
    scene.silence(2);
    until_events(&scene, FLIPS / 3);
    let snapshot = scene.cluster.redis.snapshot();
    scene.note("kept a snapshot");
    scene.silence(2);
    until_events(&scene, FLIPS);
    scene.cluster.redis.restore(&snapshot);
    let before = scene.cluster.receiver.requests().len();
    scene.note(&format!("went back to it after {before} webhooks"));
    until_events(&scene, before + FLIPS / 3);
    scene.until_well();
    scene.silence(2);
    assert_is_told_as_forgotten(&scene);
    scene.check(&Allowed { counters_again: true, ..Allowed::default() });
}

/// Redis went back, and no scheduler took anything over.
#[track_caller]
fn assert_is_told_as_forgotten(scene: &Scene) {
    let counted = |name: &str| scene.cluster.metric(Role::Scheduler, name);
    assert!(counted("lubdub_scheduler_forgotten_leases_total") > 0.0);
    assert_eq!(counted("lubdub_scheduler_fenced_commits_total"), 0.0);
}

/// Waits until this many webhooks came.
#[track_caller]
fn until_events(scene: &Scene, count: usize) {
    eventually(&format!("{count} webhooks came"), || {
        (scene.cluster.receiver.requests().len() >= count).then_some(())
    });
}
