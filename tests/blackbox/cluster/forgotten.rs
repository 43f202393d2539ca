//! NATS comes back without what it held, while Redis knows the monitors still.

use std::time::Duration;

use tempfile::TempDir;

use super::installation::{Installation, Plan};
use super::node::{Node, Role};
use crate::api::Monitor;
use crate::harness::{directory, eventually, eventually_within};
use crate::http::Client;

/// The number of monitors' states in Redis.
fn known(cluster: &Installation) -> usize {
    let count = "local n = 0 for _, key in ipairs(redis.call('KEYS', 'lubdub:{p*}:h:*')) do \
                 n = n + redis.call('HLEN', key) end return n";
    cluster.redis.cli(&["EVAL", count, "0"]).trim().parse().expect("a number")
}

#[track_caller]
fn push(cluster: &Installation, monitor: &Monitor) {
    let ingest = cluster.nodes(Role::Ingest).first().expect("there is one").address();
    let line = format!("POST /api/push/{}", monitor.token);
    let answer = Client::new(ingest, Duration::from_secs(10)).ask(&line, "", b"").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Whether the operator heard something with these words.
fn hears(cluster: &Installation, words: &[&str]) -> bool {
    let heard = cluster.operator.requests().into_iter();
    let mut told = heard.map(|one| String::from_utf8_lossy(&one.body).into_owned());
    told.any(|told| words.iter().all(|word| told.contains(word)))
}

fn an_empty_disk() -> TempDir {
    let disk = directory();
    std::fs::create_dir(disk.path().join("jetstream")).expect("a folder");
    disk
}

#[test]
fn a_nats_that_lost_its_disk_founds_nothing_and_redis_is_left_as_it_is() {
    let mut cluster = Installation::start(Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL });
    let api = cluster.api();
    let monitors: Vec<_> = (0..5).map(|n| api.monitor(&format!("m{n}"), 3_600, None)).collect();
    for monitor in &monitors {
        push(&cluster, monitor);
    }
    for monitor in &monitors {
        cluster.api().until_reasons(monitor, &["first"]);
    }
    eventually("every state is in Redis", || (known(&cluster) == 5).then_some(()));
    let whole = cluster.nats.only().snapshot();
    cluster.until_ready();

    cluster.nats.only().restore(&an_empty_disk());
    for node in cluster.every_node() {
        assert!(!node.ends().success(), "{node} stands on nothing");
        let said = node.said();
        assert!(said.contains("and holds none now: restore NATS"), "{node}: {said}");
    }
    let refused = cluster.try_init(&[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("this NATS holds no installation, and Redis knows 5 monitors of one"),
        "{refused:?}"
    );
    cluster.every_node().for_each(Node::launch);
    for node in cluster.all_nodes() {
        eventually("it waits", || node.readiness()?.body.contains("is missing").then_some(()));
    }
    eventually_within(Duration::from_secs(90), "the operator hears why", || {
        hears(&cluster, &["lubdub.waiting", "is missing"]).then_some(())
    });
    assert_eq!(known(&cluster), 5, "Redis knows what it knew");

    cluster.nats.only().restore(&whole);
    cluster.until_ready();
    for monitor in &monitors {
        push(&cluster, monitor);
        assert_eq!(cluster.api().reasons(monitor), ["first"], "{monitor:?}");
    }

    eventually("the operator hears that it is over", || {
        hears(&cluster, &[r#""ended":"lubdub.waiting""#]).then_some(())
    });

    // Who has no back-up begins anew, and says so.
    cluster.nats.only().restore(&an_empty_disk());
    for node in cluster.every_node() {
        node.ends();
    }
    assert!(cluster.try_init(&["--new"]).status.success());
    cluster.every_node().for_each(Node::launch);
    cluster.until_ready();
    assert!(cluster.api().list("/monitors").is_empty());
}
