//! Servers and streams that go away under a watch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use backend_nats::NatsOptions;
use futures_util::TryStreamExt;
use model::ids::Revision;
use ports::registry::{Expected, RecordKind, Registry, RegistryError, WatchGuard};
use rustix::process::Signal;
use servers::{NatsCluster, NatsServer};
use tokio::time::sleep;

use super::{connect, connect_with};
use conformance::suite::registry::{create, key, value};
use conformance::suite::registry_watch::{Heard, Recorder, told};
use doubles::eventually;

const STREAM: &str = "lubdub-registry-monitor";

async fn watched(registry: &Arc<dyn Registry>) -> (Arc<Recorder>, WatchGuard) {
    let recorder = Arc::new(Recorder::default());
    let guard = registry.watch(&[RecordKind::Monitor], Arc::clone(&recorder) as _).await.expect("watch");
    is_current(&recorder).await;
    (recorder, guard)
}

fn currents(recorder: &Recorder) -> usize {
    recorder.heard().into_iter().filter(|heard| *heard == Heard::Current).count()
}

/// Waits until the recorder is told that it is current.
async fn is_current(recorder: &Recorder) {
    let before = currents(recorder);
    eventually("it is current", async || (currents(recorder) > before).then_some(())).await;
}

async fn knows(recorder: &Recorder, registry: &Arc<dyn Registry>) {
    let records = registry.list(RecordKind::Monitor, None, 1_000).await.expect("list");
    let expected: BTreeMap<String, Revision> =
        records.into_iter().map(|record| (record.key.id, record.revision)).collect();
    eventually("the watcher knows everything", async || (told(recorder) == expected).then_some(())).await;
}

async fn jetstream(server: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(server.url()).await.expect("connect"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_misses_nothing_over_a_restart_of_the_server() {
    let mut server = NatsServer::start_durable();
    let registry = connect(server.url()).await;
    let kept = create(&registry, &key("kept"), "x").await;
    let gone = create(&registry, &key("gone"), "x").await;
    let (recorder, _guard) = watched(&registry).await;
    for round in 0..3 {
        server.restart();
        let other = connect(server.url()).await;
        create(&other, &key(&format!("new{round}")), "x").await;
        if round == 0 {
            other.delete(&key("gone"), gone).await.expect("delete");
            other.put(&key("kept"), Expected::At(kept), value("y")).await.expect("put");
        }
        knows(&recorder, &registry).await;
        is_current(&recorder).await;
    }
    let deleted = recorder.changes().into_iter().filter(|heard| *heard == Heard::Deleted("gone".into()));
    assert_eq!(deleted.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_and_a_list_recover_from_lost_consumers() {
    let server = NatsServer::start();
    let registry = connect(server.url()).await;
    create(&registry, &key("first"), "x").await;
    let (recorder, _guard) = watched(&registry).await;
    knows(&recorder, &registry).await;
    let stream = jetstream(&server).await.get_stream(STREAM).await.expect("the stream");
    for round in 0..3 {
        let consumers: Vec<String> = stream.consumer_names().try_collect().await.expect("consumers");
        assert!(!consumers.is_empty());
        for consumer in consumers {
            stream.delete_consumer(&consumer).await.expect("delete the consumer");
        }
        create(&registry, &key(&format!("new{round}")), "x").await;
        knows(&recorder, &registry).await;
        is_current(&recorder).await;
    }
    assert_eq!(recorder.changes().len(), 4, "nothing was told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_registry_is_wiped_everything_is_told_to_be_gone() {
    let server = NatsServer::start();
    let registry = connect(server.url()).await;
    let mut before = Revision(0);
    for id in ["a", "b", "c"] {
        before = create(&registry, &key(id), "x").await;
    }
    let (recorder, _guard) = watched(&registry).await;
    knows(&recorder, &registry).await;
    let heard = recorder.changes().len();
    jetstream(&server).await.delete_stream(STREAM).await.expect("delete the stream");
    let other = connect(server.url()).await;
    let again = create(&other, &key("b"), "y").await;
    let new = create(&other, &key("d"), "y").await;
    let expected = [
        Heard::Deleted("a".into()),
        Heard::Deleted("c".into()),
        Heard::Put("b".into(), again),
        Heard::Put("d".into(), new),
    ];
    eventually("it hears of all of it", async || {
        let mut changes = recorder.changes().split_off(heard);
        // Between the new stream and its first record it may have looked, and found nothing at all.
        changes.retain(|change| *change != Heard::Deleted("b".into()));
        (changes.len() >= expected.len()).then(|| {
            assert!(expected.iter().all(|expected| changes.contains(expected)), "{changes:?}");
            assert_eq!(changes.len(), expected.len(), "{changes:?}");
        })
    })
    .await;
    is_current(&recorder).await;
    assert!(again > before && new > again, "revisions go on: {before:?}, then {again:?} and {new:?}");
    let late = registry.put(&key("b"), Expected::At(before), value("z")).await;
    assert!(matches!(late, Err(RegistryError::Conflict)), "{late:?}");
    let listed = registry.list(RecordKind::Monitor, None, 10).await.expect("list");
    assert_eq!(listed.into_iter().map(|record| record.key.id).collect::<Vec<_>>(), ["b", "d"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_stands_still_nothing_is_current() {
    let mut server = NatsServer::start();
    let registry = connect(server.url()).await;
    let first = create(&registry, &key("a"), "x").await;
    let (recorder, _guard) = watched(&registry).await;
    server.process().signal(Signal::STOP);
    // Earlier events may still be on their way.
    sleep(Duration::from_secs(1)).await;
    let before = currents(&recorder);
    sleep(Duration::from_secs(3)).await;
    let unavailable = registry.get(&key("a")).await;
    assert!(matches!(unavailable, Err(RegistryError::Unavailable(_))), "{unavailable:?}");
    assert_eq!(currents(&recorder), before);
    server.process().signal(Signal::CONT);
    is_current(&recorder).await;
    let second = eventually("it can be written again", async || {
        registry.put(&key("a"), Expected::At(first), value("y")).await.ok()
    })
    .await;
    eventually("the watcher hears of it", async || (told(&recorder).get("a") == Some(&second)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_acknowledgement_is_late_is_no_conflict_with_itself() {
    let mut server = NatsServer::start();
    let registry = connect(server.url()).await;
    for frozen_ms in [1_000, 2_200, 2_600, 3_500] {
        let key = key(&format!("for{frozen_ms}"));
        server.process().signal(Signal::STOP);
        let (put, ()) = tokio::join!(registry.put(&key, Expected::Absent, value("x")), async {
            sleep(Duration::from_millis(frozen_ms)).await;
            server.process().signal(Signal::CONT);
        });
        let there = eventually("it can be read", async || registry.get(&key).await.ok()).await;
        match put {
            Ok(revision) => assert_eq!(there.map(|record| record.revision), Some(revision)),
            // The record may have been written, or not.
            Err(RegistryError::Unavailable(_)) => {}
            Err(RegistryError::Conflict) => panic!("there was nothing before"),
        }
    }
}

/// Puts new records until it is told to stop; answers the acknowledged ones.
async fn write_on(registry: &Arc<dyn Registry>, stop: &AtomicBool) -> BTreeMap<String, Revision> {
    let mut acknowledged = BTreeMap::new();
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        number += 1;
        let id = format!("r{number}");
        match registry.put(&key(&id), Expected::Absent, value(&id)).await {
            Ok(revision) => drop(acknowledged.insert(id, revision)),
            // The outcome of the write is unknown, so the next record gets another id.
            Err(RegistryError::Unavailable(_)) => sleep(Duration::from_millis(50)).await,
            Err(RegistryError::Conflict) => panic!("nobody else writes {id}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_costs_no_acknowledged_record() {
    let mut cluster = NatsCluster::start();
    let options = || NatsOptions { replicas: 3, ..NatsOptions::new(cluster.url(), "a node") };
    let registry = connect_with(options()).await;
    let watcher = connect_with(options()).await;
    let (recorder, _guard) = watched(&watcher).await;
    let servers: Vec<String> = cluster.url().split(',').map(str::to_owned).collect();
    let client = async_nats::connect(servers).await.expect("connect");
    let leader = async || {
        let stream = jetstream::new(client.clone()).get_stream(STREAM).await.ok()?;
        stream.cached_info().cluster.as_ref()?.leader.clone()
    };
    let stop = AtomicBool::new(false);
    let (acknowledged, ()) = tokio::join!(write_on(&registry, &stop), async {
        sleep(Duration::from_secs(2)).await;
        let leader = eventually("there is a leader", leader).await;
        let index = leader.trim_start_matches('n').parse().expect("a number");
        cluster.server(index).kill();
        sleep(Duration::from_secs(8)).await;
        cluster.server(index).restart();
        sleep(Duration::from_secs(2)).await;
        stop.store(true, Ordering::Release);
    });
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let has_all = |known: &BTreeMap<String, Revision>| {
        acknowledged.iter().all(|(id, revision)| known.get(id) == Some(revision))
    };
    eventually("the watcher knows all that was acknowledged", async || {
        has_all(&told(&recorder)).then_some(())
    })
    .await;
    is_current(&recorder).await;
    for (id, revision) in &acknowledged {
        let record = registry.get(&key(id)).await.expect("get").expect("a record");
        assert_eq!((record.revision, record.value), (*revision, value(id)));
    }
}
