//! Three NATS servers and a Redis with a replica: either may lose one.

use serde_json::Value;

use super::docker::Container;
use super::scene::Scene;
use super::stack::{Files, Stack};
use crate::cluster::checker::Allowed;
use crate::harness::eventually;

/// What a server of the cluster knows of its streams.
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

/// The Redis that the sentinels name.
#[track_caller]
fn primary(stack: &Stack) -> Container {
    let role = |service: &str| {
        let said = stack.compose(&["exec", "-T", service, "sh", "/lubdub/ask.sh", "ROLE"]).output().ok()?;
        Some(String::from_utf8_lossy(&said.stdout).lines().next()?.to_owned())
    };
    let service = eventually("Redis has a primary", || {
        ["redis", "redis-replica"].into_iter().find(|service| role(service).as_deref() == Some("master"))
    });
    stack.one(service)
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

    let first = primary(&scene.stack);
    scene.note(&format!("{} is the primary, and is killed", first.name));
    first.kill();
    scene.silence_one();
    scene.go_on(10);
    scene.until_well();
    let second = primary(&scene.stack);
    assert_ne!(second.service, first.service, "the replica was promoted");
    first.start();
    scene.note(&format!("{} comes back", first.name));
    scene.go_on(10);
    scene.until_well();
    assert_eq!(primary(&scene.stack).service, second.service, "who comes back is a replica");

    scene.note("and back again");
    second.kill();
    scene.silence_one();
    scene.go_on(10);
    scene.until_well();
    second.start();
    scene.until_well();
    // What was committed last may be gone with a primary; it is computed again, under the counters of before.
    scene.check(Allowed { deaf: true, late_repeats: true, counters_again: true, ..Allowed::default() });
}
