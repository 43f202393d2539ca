//! Three NATS servers and a Redis with a replica: either may lose one.

use serde_json::Value;

use super::docker::Container;
use super::scene::Scene;
use super::stack::{Files, Stack};
use crate::cluster::checker::Allowed;
use crate::harness::eventually;

/// The URL at which a server of the cluster shows its streams.
const STREAMS: &str = "http://127.0.0.1:8222/jsz?streams=true&accounts=true";

/// The server that leads a partition's heartbeat log.
#[track_caller]
fn leader(stack: &Stack) -> Container {
    let name = eventually("the log has a leader", || {
        let said = stack.compose(&["exec", "-T", "nats", "wget", "-qO-", STREAMS]).output().ok()?;
        let said: Value = serde_json::from_slice(&said.stdout).ok()?;
        let streams = said["account_details"][0]["stream_detail"].as_array()?;
        let log = streams.iter().find(|stream| stream["name"] == "lubdub-heartbeats-0")?;
        Some(log["cluster"]["leader"].as_str()?.to_owned())
    });
    stack.one(&name)
}

/// The Redis that calls itself the primary.
fn primary(stack: &Stack) -> Option<Container> {
    let is_primary = |service: &&str| {
        let said = stack.compose(&["exec", "-T", service, "sh", "/lubdub/ask.sh", "ROLE"]).output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).starts_with("master"))
    };
    ["redis", "redis-replica"].iter().find(|service| is_primary(service)).map(|service| stack.one(service))
}

/// Whether a Redis has caught up with its primary.
fn follows(stack: &Stack, redis: &Container) -> bool {
    let said = stack.compose(&["exec", "-T", &redis.service, "sh", "/lubdub/ask.sh", "ROLE"]).output();
    said.is_ok_and(|said| {
        let said = String::from_utf8_lossy(&said.stdout);
        said.starts_with("slave") && said.lines().any(|line| line == "connected")
    })
}

/// Waits until it is another one.
#[track_caller]
fn until_promoted(scene: &Scene, before: &Container) -> Container {
    let promoted = eventually("the replica is promoted", || {
        primary(&scene.stack).filter(|primary| primary.service != before.service)
    });
    scene.note(&format!("{} is promoted", promoted.name));
    promoted
}

#[test]
#[ignore = "needs Docker: make compose-test"]
fn the_leader_of_nats_and_the_primary_of_redis_may_die() {
    let mut scene = Scene::start(Files::Available, 6);
    scene.go_on(3);

    let leader = leader(&scene.stack);
    scene.note(&format!("{} leads the log, and is killed", leader.name));
    leader.kill();
    scene.silence_one();
    // The others go on without it.
    scene.until_well();
    leader.start();
    scene.until_well();

    let first = primary(&scene.stack).expect("Redis has a primary");
    scene.note(&format!("{} is the primary, and is killed", first.name));
    first.kill();
    scene.silence_one();
    let second = until_promoted(&scene, &first);
    scene.until_well();
    first.start();
    scene.note(&format!("{} comes back", first.name));
    scene.until_well();
    eventually("who comes back is a replica", || {
        (primary(&scene.stack)?.service == second.service && follows(&scene.stack, &first)).then_some(())
    });

    second.kill();
    scene.note(&format!("{} is killed too", second.name));
    scene.silence_one();
    until_promoted(&scene, &second);
    scene.until_well();
    second.start();
    scene.until_well();
    // The last commits may be gone with a primary. They are computed again, under the counters of before.
    scene.check(Allowed { deaf: true, late_repeats: true, counters_again: true, ..Allowed::default() });
}
