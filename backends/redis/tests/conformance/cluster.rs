//! A Redis Cluster of three: the keys of a partition are on one node, and no command needs two nodes.

use std::sync::Arc;

use backend_redis::{RedisBackend, RedisOptions};
use model::delivery::DeliveryState;
use model::ids::PartitionId;
use ports::clock::ManualClock;
use ports::history::{DeliveryFilter, DeliveryHistory, History, HistoryBatch};
use ports::ledger::Ledger;
use ports::roster::Roster;
use ports::state_store::{Leases, Outbox, StateReader, States};
use servers::RedisServer;
use uuid::Uuid;

use crate::adapter::connect;
use conformance::sample::{START, at, channel, delivery, flip, head, heartbeat, monitor, state, with_output};
use conformance::suite::state_store::commit;
use doubles::eventually;

/// Three nodes, each with a third of the slots.
async fn cluster() -> (Vec<RedisServer>, RedisBackend) {
    let bus_ports: Vec<String> = (0..3).map(|_| servers::free_port().to_string()).collect();
    let start = |bus_port: &String| {
        RedisServer::with_settings(&["--cluster-enabled", "yes", "--cluster-port", bus_port, "--save", ""])
    };
    let nodes: Vec<RedisServer> = bus_ports.iter().map(start).collect();
    let slots = [("1", "0", "5460"), ("2", "5461", "10922"), ("3", "10923", "16383")];
    for (node, (epoch, first, last)) in nodes.iter().zip(slots) {
        node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", epoch]);
        node.cli(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        node.cli(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port().to_string(), &bus_ports[0]]);
    }
    eventually("the nodes know each other", async || {
        let agreed = nodes.iter().all(|node| {
            let info = node.cli(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_slots_assigned:16384")
        });
        agreed.then_some(())
    })
    .await;
    let urls: Vec<String> = nodes.iter().map(RedisServer::url).collect();
    let backend = connect(urls.join(",")).await;
    (nodes, backend)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_be_kept_in_a_cluster() {
    let (nodes, backend) = cluster().await;
    partitions(&backend).await;
    histories(&backend).await;
    for scope in (0..8).map(Uuid::from_u128) {
        let rows = vec![(scope, Some("a row".into()))];
        let version = backend.ledger().write(scope, 0, rows).await.expect("write");
        assert_eq!(backend.ledger().load(scope).await.expect("load").version, version);
    }
    let roster = backend.roster("scheduler").await.expect("connect");
    assert_eq!(roster.beat("a").await.expect("beat").len(), 1);
    assert_eq!(roster.beat("b").await.expect("beat").len(), 2);
    roster.leave("a").await.expect("leave");
    for node in &nodes {
        assert_ne!(node.cli(&["DBSIZE"]).trim(), "0", "every node has a part");
    }
    // One node's address is enough: the node says that it is one of several.
    let store = connect(nodes[1].url()).await.state();
    for partition in (0..8).map(PartitionId) {
        assert_eq!(store.head(partition).await.expect("head"), head(9));
    }
}

async fn partitions(backend: &RedisBackend) {
    let store = backend.state();
    for partition in (0..8).map(PartitionId) {
        let lease = store.acquire(partition, "owner").await.expect("acquire");
        let states = (0..300_u32).map(|n| (monitor(n.into()), Some(state(1, Some(at(n.into())))))).collect();
        store.commit(&lease, &commit(0, 7, 1, states)).await.expect("commit");
        store.reset(&lease).await.expect("reset");
        let states = (0..300_u32).map(|n| (monitor(n.into()), Some(state(1, Some(at(n.into())))))).collect();
        store.commit(&lease, &commit(0, 9, 2, states)).await.expect("commit");
        assert_eq!(store.load_states(&lease, None, 1_000).await.expect("states").len(), 300);
        assert_eq!(store.due(&lease, at(100), 1_000).await.expect("due").len(), 100);
        let read = store.states(partition, &[monitor(7), monitor(999)]).await.expect("states");
        assert_eq!(read, [Some(state(1, Some(at(7)))), None]);
        store.trim_outbox(&lease, 1).await.expect("trim");
        assert!(store.outbox(&lease, 10).await.expect("outbox").is_empty());
    }
}

async fn histories(backend: &RedisBackend) {
    let history = backend.history();
    let ids: Vec<_> = (0..200).map(monitor).collect();
    let batch = HistoryBatch {
        heartbeats: ids.iter().map(|id| with_output(*id, at(1), b"an output")).collect(),
        flips: ids.iter().map(|id| flip(*id, at(1), 1)).collect(),
        removed: Vec::new(),
    };
    history.append(batch).await.expect("append");
    let later = ids.iter().map(|id| heartbeat(*id, at(2))).collect();
    let batch = HistoryBatch { heartbeats: later, flips: Vec::new(), removed: ids[..100].to_vec() };
    history.append(batch).await.expect("append");
    let newest = history.newest(&ids).await.expect("newest");
    let found: Vec<_> =
        newest.iter().map(|entry| entry.as_ref().map(|entry| entry.heartbeat.received_at)).collect();
    assert_eq!(found, [vec![None; 100], vec![Some(at(2)); 100]].concat());
    assert!(history.output(ids[150], at(1)).await.expect("output").is_some());
    assert_eq!(history.flips(ids[150], None, 10).await.expect("flips").len(), 1);

    let deliveries = backend.deliveries();
    let sent: Vec<_> =
        (0..20).map(|n| delivery(monitor(1), channel(1), at(n), DeliveryState::Pending)).collect();
    deliveries.put(sent.clone()).await.expect("put");
    let filter = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
    assert_eq!(deliveries.list(filter, None, 100).await.expect("list").len(), 20);
    assert_eq!(deliveries.get(sent[3].id).await.expect("get"), Some(sent[3].clone()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_is_taken_by_a_client_of_a_cluster_while_it_works() {
    let (nodes, _) = cluster().await;
    let on_all = |command: &[&str]| nodes.iter().for_each(|node| drop(node.cli(command)));
    let user = |passwords: &[&'static str]| {
        on_all(&[&["ACL", "SETUSER", "scheduler", "reset", "on", "~*", "&*", "+@all"], passwords].concat());
    };
    user(&[">one"]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "one\n").expect("write");
    let urls: Vec<String> = nodes.iter().map(RedisServer::url).collect();
    let options = RedisOptions {
        user: Some("scheduler".to_owned()),
        password_file: Some(file.path().to_owned()),
        ..RedisOptions::new(urls.join(","))
    };
    let backend = RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await.expect("connect");
    let works = async || backend.state().head(PartitionId(0)).await.is_ok();
    std::fs::write(file.path(), "two\n").expect("write");
    eventually("the new password is looked at, and refused", async || {
        assert!(works().await, "the former one stays in use");
        nodes.iter().any(|node| node.cli(&["ACL", "LOG"]).contains("auth")).then_some(())
    })
    .await;
    user(&[">one", ">two"]);
    user(&[">two"]);
    on_all(&["CLIENT", "KILL", "USER", "scheduler"]);
    eventually("it works by the new password alone", async || works().await.then_some(())).await;
}
