//! NATS and Redis themselves: restarted, killed, frozen, cut off from one node. Under load.

use std::time::Duration;

use super::checker::Allowed;
use super::installation::Plan;
use super::node::Role;
use super::relay::Relay;
use super::scene::{Crowd, Scene};

/// Longer than the lease time.
const CUT_OFF: Duration = Duration::from_secs(8);

/// The errors of nodes that cannot reach NATS.
const WITHOUT_NATS: &[&str] =
    &["failed to append; pushes are answered 503", "failed to watch the registry; trying again"];

#[test]
fn a_restart_of_nats_loses_no_acknowledged_push() {
    let mut scene = Scene::usual();
    scene.silence(2);
    scene.cluster.nats.only().restart();
    scene.note("restarted nats-server");
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(2));
    scene.cluster.nats.only().kill();
    scene.note("killed nats-server");
    scene.go_on(Duration::from_secs(4));
    scene.cluster.nats.only().restart();
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(3));
    scene.check(&Allowed { deaf: true, errors: WITHOUT_NATS, ..Allowed::default() });
    scene.check_deliveries();
}

#[test]
fn a_restart_of_redis_loses_nothing() {
    let mut scene = Scene::usual();
    scene.silence(2);
    scene.cluster.redis.restart();
    scene.note("restarted redis-server");
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(2));
    scene.cluster.redis.kill();
    scene.note("killed redis-server");
    scene.go_on(Duration::from_secs(4));
    scene.cluster.redis.restart();
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(3));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}

#[test]
fn a_redis_that_answers_nobody_for_a_while_loses_nothing() {
    let mut scene = Scene::usual();
    scene.silence(3);
    scene.go_on(Duration::from_secs(2));
    freeze(&mut scene, rustix::process::Signal::STOP);
    scene.note("froze redis-server");
    scene.go_on(CUT_OFF);
    freeze(&mut scene, rustix::process::Signal::CONT);
    scene.note("thawed it");
    scene.until_well();
    scene.silence(3);
    scene.go_on(Duration::from_secs(3));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}

fn freeze(scene: &mut Scene, signal: rustix::process::Signal) {
    scene.cluster.redis.process().signal(signal);
}

#[test]
fn a_scheduler_that_is_cut_off_from_nats_is_back_when_it_is_mended() {
    cut_a_scheduler_off(|nats, redis| {
        let relay = Relay::start(port(nats));
        let nats = format!("nats://127.0.0.1:{}", relay.port());
        (relay, nats, redis.to_owned())
    });
}

#[test]
fn a_scheduler_that_is_cut_off_from_redis_is_replaced() {
    cut_a_scheduler_off(|nats, redis| {
        let relay = Relay::start(port(redis));
        let redis = format!("redis://127.0.0.1:{}", relay.port());
        (relay, nats.to_owned(), redis)
    });
}

/// One of two schedulers reaches its servers as `by` says of their URLs, and for a while not all of them.
fn cut_a_scheduler_off(by: impl FnOnce(&str, &str) -> (Relay, String, String)) {
    let plan = Plan { scheduler: 1, ..Plan::USUAL };
    let mut scene = Scene::start(plan, Crowd::USUAL);
    let (relay, nats, redis) = by(&scene.cluster.nats.url(), &scene.cluster.redis.url());
    let index = scene.cluster.add_by(Role::Scheduler, &nats, &redis);
    scene.cluster.node(Role::Scheduler, index).launch();
    scene.until_well();
    scene.silence(3);
    scene.go_on(Duration::from_secs(2));
    relay.cut();
    scene.note("cut the scheduler off");
    scene.go_on(CUT_OFF);
    relay.mend();
    scene.note("mended it");
    scene.until_well();
    scene.silence(3);
    scene.go_on(Duration::from_secs(3));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}

fn port(url: &str) -> u16 {
    url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("it ends with a port")
}
