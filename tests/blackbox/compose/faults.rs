//! Containers killed, and cut off, under load.

use super::scene::Scene;
use super::stack::{Files, ROLES};
use crate::cluster::checker::Allowed;
use crate::harness::eventually;

#[test]
#[ignore = "needs Docker: make compose-test"]
fn every_container_may_be_killed_or_cut_off() {
    let mut scene = Scene::start(Files::Plain, 12);

    scene.stack.up(&["--scale", "ingest=4"]);
    scene.until_well();
    assert_eq!(scene.stack.of("ingest").len(), 4);
    scene.note("there are four of ingest");
    // The proxy brings pushes to the new ones too.
    eventually("every node of ingest is pushed to", || {
        let network = scene.stack.network("back");
        let nodes = scene.stack.of("ingest");
        let pushed = nodes.iter().filter_map(|node| node.metric(&network, "lubdub_ingest_heartbeats_total"));
        (pushed.filter(|count| *count > 0.0).count() == 4).then_some(())
    });

    for service in ROLES.into_iter().chain(["proxy", "nats", "redis"]) {
        let container = scene.stack.one(service);
        scene.kill_for(&container, 3);
    }
    for service in ["scheduler", "ingest"] {
        let container = scene.stack.one(service);
        scene.cut_off_for(&container, 8);
    }
    let nats = scene.stack.one("nats");
    scene.cut_off_for(&nats, 8);

    // Docker restarts a container that ends by accident.
    let scheduler = scene.stack.one("scheduler");
    scheduler.crash();
    scene.silence_one();
    eventually("the scheduler was started again", || {
        (scheduler.inspect("{{.RestartCount}} {{.State.Running}}") == "1 true").then_some(())
    });
    scene.until_well();
    scene.check(Allowed { deaf: true, late_repeats: true, ..Allowed::default() });
}
