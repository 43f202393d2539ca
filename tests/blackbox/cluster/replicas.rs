//! Three NATS servers that keep three copies.

use std::time::Duration;

use super::checker::Allowed;
use super::installation::Plan;
use super::jetstream::JetStream;
use super::scene::{Crowd, Scene};

/// A new leader is elected in 5 to 7 s. Generous: the machine may be busy.
const ELECTED_WITHIN_MS: i64 = 15_000;

#[test]
fn a_killed_leader_of_a_heartbeat_log_loses_no_acknowledged_push() {
    let mut scene = Scene::start(Plan { replicated: true, ..Plan::USUAL }, Crowd::USUAL);
    scene.silence(2);
    let leader = JetStream::of(&scene.cluster).leader(0);
    scene.cluster.nats.three().server(leader).kill();
    scene.note(&format!("killed n{leader}, the leader of partition 0"));
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(2));
    scene.cluster.nats.three().server(leader).restart();
    scene.note("started it again");
    scene.go_on(Duration::from_secs(4));
    scene.until_well();
    scene.silence(2);
    let errors = &["failed to append; pushes are answered 503", "failed to watch the registry; trying again"];
    scene.check(&Allowed { deaf: true, errors, ..Allowed::default() });
    scene.check_deliveries();
    let longest_ms = scene.load.longest_wait_ms();
    assert!(longest_ms < ELECTED_WITHIN_MS, "a push was answered 200 after {longest_ms} ms only");
}
