//! A new image, one role after the other, under load.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::docker;
use super::scene::Scene;
use super::stack::Files;
use crate::cluster::checker::Allowed;

/// The same program under another name and with a mark.
const NEXT: &str = "lubdub:compose-test-next";

#[track_caller]
fn make_next() {
    let mut command = Command::new("docker");
    command.args(["build", "--quiet", "--tag", NEXT, "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut build = command.spawn().expect("docker starts");
    let mut stdin = build.stdin.take().expect("it is piped");
    stdin.write_all(b"FROM lubdub:compose-test\nLABEL next=true\n").expect("docker reads");
    drop(stdin);
    assert!(build.wait().expect("it is our child").success(), "the next image is built");
}

#[test]
#[ignore = "needs Docker: make compose-test"]
fn an_upgrade_under_load_loses_nothing() {
    make_next();
    let mut scene = Scene::start(Files::Plain, 4);
    scene.go_on(3);
    scene.silence_one();
    scene.stack.set("LUBDUB_IMAGE", NEXT);
    let mut upgrade = Command::new("deploy/upgrade");
    scene.stack.settle(&mut upgrade);
    let said = docker::done(&mut upgrade);
    println!("{}", String::from_utf8_lossy(&said.stdout));
    scene.silence_one();
    scene.until_well();
    scene.stack.follow();
    let counts = [("ingest", 2), ("scheduler", 2), ("notifier", 2), ("console", 1)];
    for (role, count) in counts {
        let nodes = scene.stack.of(role);
        assert_eq!(nodes.len(), count, "{nodes:?}");
        for node in nodes {
            assert_eq!(node.inspect("{{.Config.Image}}"), NEXT, "{}", node.name);
        }
    }
    scene.go_on(3);
    // No time was deaf. A push may have to be repeated, as the contract has it.
    let record = scene.check(Allowed::default());
    let tries = record.monitors.iter().flat_map(|monitor| &monitor.tries);
    for refused in tries.filter(|one| one.status != 200) {
        println!("not answered 200 at once: {refused:?}");
    }
}
