//! NATS comes back without what it held, while Redis knows the monitors still.

use std::time::Duration;

use tempfile::TempDir;

use super::installation::{Installation, Plan};
use super::jetstream::JetStream;
use super::node::{Node, Role};
use crate::api::Monitor;
use crate::harness::{directory, eventually, eventually_within};
use crate::http::{Answer, Client};

/// The number of monitors' states in Redis.
fn known(cluster: &Installation) -> usize {
    let count = "local n = 0 for _, key in ipairs(redis.call('KEYS', 'lubdub:{p*}:h:*')) do \
                 n = n + redis.call('HLEN', key) end return n";
    cluster.redis.cli(&["EVAL", count, "0"]).trim().parse().expect("a number")
}

#[track_caller]
fn push(cluster: &Installation, monitor: &Monitor) {
    let answer = answer(cluster, monitor);
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[track_caller]
fn answer(cluster: &Installation, monitor: &Monitor) -> Answer {
    let ingest = cluster.nodes(Role::Ingest).first().expect("there is one").address();
    let line = format!("POST /api/push/{}", monitor.token);
    Client::new(ingest, Duration::from_secs(10)).ask(&line, "", b"").expect("an answer")
}

/// Whether the operator heard something with these words.
fn hears(cluster: &Installation, words: &[&str]) -> bool {
    let heard = cluster.operator.requests().into_iter();
    let mut told = heard.map(|one| String::from_utf8_lossy(&one.body).into_owned());
    told.any(|told| words.iter().all(|word| told.contains(word)))
}

/// A small installation with five monitors that have pushed.
fn with_five() -> (Installation, Vec<Monitor>) {
    let cluster = Installation::start(Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL });
    let monitors = five(&cluster);
    (cluster, monitors)
}

fn five(cluster: &Installation) -> Vec<Monitor> {
    let api = cluster.api();
    let monitors: Vec<_> = (0..5).map(|n| api.monitor(&format!("m{n}"), 3_600, None)).collect();
    for monitor in &monitors {
        eventually("it is known", || (answer(cluster, monitor).status == 200).then_some(()));
    }
    for monitor in &monitors {
        cluster.api().until_reasons(monitor, &["first"]);
    }
    eventually("every state is in Redis", || (known(cluster) == 5).then_some(()));
    monitors
}

fn an_empty_disk() -> TempDir {
    let disk = directory();
    std::fs::create_dir(disk.path().join("jetstream")).expect("a folder");
    disk
}

#[test]
fn a_nats_that_lost_its_disk_founds_nothing_and_redis_is_left_as_it_is() {
    let (mut cluster, monitors) = with_five();
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
    let anew = cluster.try_init(&["--new"]);
    assert!(anew.status.success() && anew.stdout.contains("emptied  Redis"), "{anew:?}");
    assert_eq!(known(&cluster), 0);
    cluster.every_node().for_each(Node::launch);
    cluster.until_ready();
    assert!(cluster.api().list("/monitors").is_empty());
}

#[test]
fn what_nats_lost_of_an_installation_is_not_made_anew_while_redis_knows_its_monitors() {
    let (cluster, _) = with_five();
    for lost in ["lubdub-registry-monitor", "lubdub-heartbeats-3"] {
        JetStream::of(&cluster).delete(lost);
        let refused = cluster.try_init(&[]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let words = ["this NATS lost", lost, "of installation", "Redis knows 5 monitors"];
        assert!(words.iter().all(|word| refused.stderr.contains(word)), "{refused:?}");
        assert_eq!(known(&cluster), 5, "Redis knows what it knew");
    }
    let anew = cluster.try_init(&["--new"]);
    assert!(anew.status.success() && anew.stdout.contains("made     lubdub-registry-monitor"), "{anew:?}");
    eventually("the monitors are forgotten", || cluster.api().list("/monitors").is_empty().then_some(()));
}

#[test]
fn a_registry_from_before_all_monitors_removes_none_and_is_told_of() {
    let mut cluster = Installation::start(Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL });
    let before = cluster.nats.only().snapshot();
    cluster.until_ready();
    let monitors = five(&cluster);
    let whole = cluster.nats.only().snapshot();
    cluster.until_ready();
    cluster.nats.only().restore(&before);
    let scheduler = cluster.nodes(Role::Scheduler).first().expect("there is one");
    eventually("it says so", || {
        let words = "this NATS knows of no monitor, and Redis knows 5: restore NATS";
        scheduler.readiness()?.body.contains(words).then_some(())
    });
    assert_eq!(scheduler.metric("lubdub_scheduler_orphans"), Some(5.0));
    eventually("the operator hears of it", || {
        hears(&cluster, &["lubdub.monitors_lost", "Redis knows 5"]).then_some(())
    });
    assert_eq!(known(&cluster), 5, "nothing was removed");
    cluster.nats.only().restore(&whole);
    cluster.until_ready();
    for monitor in &monitors {
        eventually("it is known again", || (answer(&cluster, monitor).status == 200).then_some(()));
        assert_eq!(cluster.api().reasons(monitor), ["first"], "{monitor:?}");
    }
}
