//! A node that is told to stop behind a balancer that asks /readyz.

use std::time::Duration;

use super::installation::{Installation, Plan};
use super::node::Role;
use crate::harness::eventually;
use crate::http::Client;

#[test]
fn a_node_says_that_it_is_draining_and_takes_pushes_until_balancers_know() {
    let mut cluster = Installation::start(Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL });
    let monitor = cluster.api().monitor("backup", 3_600, None);
    let index = cluster.add(Role::Ingest);
    let node = cluster.node(Role::Ingest, index);
    node.set("LUBDUB_DRAIN_DELAY", "4s");
    node.launch();
    node.until_ready();
    let line = format!("POST /api/push/{}", monitor.token);
    let push = |address| Client::new(address, Duration::from_secs(10)).ask(&line, "", b"");
    eventually("it knows the monitor", || (push(node.address()).ok()?.status == 200).then_some(()));
    node.terminate();
    eventually("it says so", || {
        let answer = node.readiness()?;
        assert!(answer.status == 200 || answer.body.contains("it is draining"), "{answer:?}");
        (answer.status == 503).then_some(())
    });
    // Who has not asked since comes with a new connection.
    assert_eq!(push(node.address()).expect("an answer").status, 200);
    assert!(node.ends().success());
    let said = node.said();
    assert!(said.contains("draining"), "{said}");
}
