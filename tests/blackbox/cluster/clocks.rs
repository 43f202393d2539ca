//! The clocks of two nodes of ingest are 3 s apart.

use std::path::PathBuf;
use std::time::Duration;

use super::checker::Allowed;
use super::installation::{Installation, Plan};
use super::node::Role;
use super::scene::{Crowd, Scene};
use crate::harness::eventually;
use crate::http::Client;

/// The error of a node whose clock is off.
const WRONG_CLOCK: &[&str] = &["this node's clock is at least"];

/// The library of the package `faketime`.
#[track_caller]
fn faketime() -> PathBuf {
    let places = ["/usr/lib", "/usr/local/lib", "/usr/lib64"];
    let in_place = |place: &str| {
        let folders = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders: Vec<PathBuf> = std::iter::once(PathBuf::from(place)).chain(folders).collect();
        folders.into_iter().map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.exists())
    };
    let found = places.into_iter().find_map(in_place);
    found.expect("libfaketime is missing: run `make tools`, or install the package faketime")
}

#[test]
fn a_node_of_ingest_with_a_wrong_clock_says_so_and_takes_nothing() {
    let mut cluster = Installation::start(Plan { ingest: 1, ..Plan::USUAL });
    let skewed = cluster.add(Role::Ingest);
    let library = faketime();
    for (offset, monotonic) in
        [("FAKETIME", "-3s"), ("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
    {
        cluster.node(Role::Ingest, skewed).set(offset, monotonic);
    }
    cluster.node(Role::Ingest, skewed).set("LD_PRELOAD", library.to_str().expect("a text"));
    cluster.node(Role::Ingest, skewed).launch();
    let mut scene = Scene::on(cluster, Crowd::USUAL);
    check_is_not_ready(&mut scene, skewed, -3.0);
    scene.silence(3);
    scene.go_on(Duration::from_secs(5));
    scene.cluster.node(Role::Ingest, skewed).kill();
    scene.cluster.node(Role::Ingest, skewed).set("FAKETIME", "+3s");
    scene.cluster.node(Role::Ingest, skewed).launch();
    scene.note("its clock is ahead now");
    check_is_not_ready(&mut scene, skewed, 3.0);
    scene.silence(3);
    scene.go_on(Duration::from_secs(5));
    scene.check(&Allowed { errors: WRONG_CLOCK, ..Allowed::default() });
    scene.check_deliveries();
    let refused =
        scene.load.loaders().iter().flat_map(super::load::Loader::tries).filter(|one| one.status == 503);
    println!("the wrong clock refused {} pushes", refused.count());
}

/// Waits until the node says what is wrong with its clock, and checks that it takes no push.
#[track_caller]
fn check_is_not_ready(scene: &mut Scene, skewed: usize, expected: f64) {
    let token = scene.load.loaders()[0].monitor.token.clone();
    let node = scene.cluster.node(Role::Ingest, skewed);
    let why = eventually("it says that its clock is wrong", || {
        let answer = node.readiness()?;
        (answer.status == 503 && answer.body.contains("its clock is at least")).then_some(answer.body)
    });
    let address = node.address();
    let offset = node.metric("lubdub_ingest_clock_offset_seconds").expect("it answers");
    assert!((expected - 0.5..expected + 0.5).contains(&offset), "{offset}, not {expected}");
    let direction =
        if expected < 0.0 { "s behind the heartbeat log's" } else { "s ahead of the heartbeat log's" };
    assert!(why.contains(direction), "{why}");
    let said = node.said();
    let told = |line: &&str| {
        line.contains("ERROR") && line.contains("clock is at least") && line.contains(direction)
    };
    assert_eq!(said.lines().filter(told).count(), 1, "{said}");
    let mut client = Client::new(address, Duration::from_secs(5));
    let answer = client.ask(&format!("POST /api/push/{token}?msg=wrong"), "", b"").expect("an answer");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    scene.note(why.trim());
}
