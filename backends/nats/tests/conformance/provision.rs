//! Which streams are made on a NATS server, by whom, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use backend_nats::{NatsBackend, NatsError, NatsOptions, init};
use model::ids::{Offset, PartitionId};
use ports::clock::ManualClock;
use ports::heartbeat_log::HeartbeatLog;
use ports::registry::{RecordKey, RecordKind, Registry};
use servers::{NatsCluster, NatsServer};

use crate::adapter::options;
use conformance::sample::{START, frame};
use futures_util::StreamExt as _;

async fn find(options: NatsOptions) -> Result<NatsBackend, NatsError> {
    NatsBackend::connect(options, Arc::new(ManualClock::new(START))).await
}

/// What `lubdub init` and a node after it do.
async fn connect(options: NatsOptions) -> Result<NatsBackend, NatsError> {
    init(options.clone()).await?;
    find(options).await
}

fn with_partitions(server: &NatsServer, partitions: Option<u16>) -> NatsOptions {
    NatsOptions { partitions, ..options(server.url()) }
}

async fn incarnation(backend: &NatsBackend) -> String {
    backend.log().extent(PartitionId(0)).await.expect("extent").incarnation
}

async fn admin(server: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.url()).await.expect("connect"))
}

/// An error as an operator sees it, with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain).unwrap_or_default();
    format!("{error}: {source}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starters_at_once_find_one_installation() {
    let server = NatsServer::start();
    let starting = (0..4).map(|_| connect(with_partitions(&server, Some(3))));
    let started = futures_util::future::join_all(starting).await;
    let mut found = Vec::new();
    for backend in started {
        let backend = backend.expect("connect");
        assert_eq!(backend.partitions(), 3);
        found.push(incarnation(&backend).await);
    }
    found.dedup();
    assert_eq!(found.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_makes_nothing() {
    let server = NatsServer::start();
    let refused = find(options(server.url())).await.err().expect("a refusal");
    assert!(matches!(refused, NatsError::Missing { .. }), "{refused}");
    assert!(refused.may_pass() && refused.to_string().contains("lubdub init"), "{refused}");
    let admin = admin(&server).await;
    assert_eq!(admin.stream_names().count().await, 0);
    // Nor what is missing of an installation.
    init(options(server.url())).await.expect("init");
    for gone in ["lubdub-heartbeats-1", "lubdub-deliveries"] {
        admin.delete_stream(gone).await.expect("delete");
        let refused = find(options(server.url())).await.err().expect("a refusal");
        assert!(refused.to_string().contains(gone), "{refused}");
        init(options(server.url())).await.expect("init");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_holds_is_looked_at_before_a_new_connection_is_used() {
    let mut server = NatsServer::start_durable();
    let first = connect(options(server.url())).await.expect("connect");
    let append = async || first.log().append(PartitionId(0), frame(0, START)).await;
    append().await.expect("append");
    let whole = server.snapshot();
    let empty = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(empty.path().join("jetstream")).expect("a folder");
    server.restore(&empty);
    let second = connect(options(server.url())).await.expect("connect");
    assert_ne!(first.installation(), second.installation());
    for _ in 0..3 {
        let refused = append().await.expect_err("it is another installation's log");
        assert!(chain(&refused).contains("does not hold installation"), "{}", chain(&refused));
    }
    let key = RecordKey::new(RecordKind::Monitor, "x");
    assert!(first.registry().get(&key).await.is_err(), "nor is it read");
    let extent = second.log().extent(PartitionId(0)).await.expect("extent");
    assert_eq!(extent.last, Offset::START, "nothing was written");
    server.restore(&whole);
    let append = append().await.expect("it is the installation again");
    assert_eq!(append, Offset(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_starters_with_different_numbers_of_partitions_one_wins() {
    let server = NatsServer::start();
    let (two, five) =
        tokio::join!(connect(with_partitions(&server, Some(2))), connect(with_partitions(&server, Some(5))));
    let (won, lost) = match (two, five) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        (Ok(_), Ok(_)) => panic!("both were let in"),
        (Err(two), Err(five)) => panic!("nobody was let in: {two}; {five}"),
    };
    assert!(matches!(lost, NatsError::Partitions { found, .. } if found == won.partitions()), "{lost}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_partitions_is_found_and_never_changed() {
    let server = NatsServer::start();
    assert_eq!(connect(with_partitions(&server, None)).await.expect("connect").partitions(), 4);
    assert_eq!(connect(with_partitions(&server, None)).await.expect("connect").partitions(), 4);
    for refused in [
        find(with_partitions(&server, Some(8))).await.err(),
        init(with_partitions(&server, Some(8))).await.err(),
    ] {
        let refused = refused.expect("a refusal");
        assert!(matches!(refused, NatsError::Partitions { found: 4, wanted: 8, .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installations_share_a_server_by_their_prefixes() {
    let server = NatsServer::start();
    let other = NatsOptions { prefix: "staging".to_owned(), ..with_partitions(&server, Some(1)) };
    let (one, other) = (connect(with_partitions(&server, Some(2))).await, connect(other).await);
    let (one, other) = (one.expect("connect"), other.expect("connect"));
    assert_eq!((one.partitions(), other.partitions()), (2, 1));
    assert_ne!(incarnation(&one).await, incarnation(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_stream_is_refused_by_name() {
    let server = NatsServer::start();
    let theirs = jetstream::stream::Config { name: "lubdub-heartbeats-0".to_owned(), ..Default::default() };
    admin(&server).await.create_stream(theirs).await.expect("a stream");
    let refused = connect(options(server.url())).await.err().expect("a refusal");
    assert!(
        matches!(&refused, NatsError::NotOurs { stream } if stream == "lubdub-heartbeats-0"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_changes_settings_and_a_role_does_not() {
    let server = NatsServer::start();
    let first = options(server.url());
    let made = init(first.clone()).await.expect("init");
    assert!(made.made.contains(&"lubdub-heartbeats-1".to_owned()), "{made:?}");
    assert_eq!((made.partitions, made.changed.len()), (2, 0));
    let again = init(first.clone()).await.expect("init");
    assert_eq!((again.made.len(), again.changed.len()), (0, 0), "{again:?}");

    let longer = NatsOptions { retention: Duration::from_secs(99_000), log_bytes: Some(300 << 20), ..first };
    let before = incarnation(&find(longer.clone()).await.expect("connect")).await;
    let admin = admin(&server).await;
    let settings = async || {
        let stream = admin.get_stream("lubdub-heartbeats-1").await.expect("a stream");
        (stream.cached_info().config.max_age, stream.cached_info().config.max_bytes)
    };
    assert_eq!(settings().await, (Duration::from_secs(90 * 24 * 3_600), 256 << 20), "a role keeps them");
    let changed = init(longer.clone()).await.expect("init");
    assert_eq!(changed.changed, ["lubdub-heartbeats-0", "lubdub-heartbeats-1"]);
    assert_eq!(settings().await, (Duration::from_secs(99_000), 300 << 20));
    let after = incarnation(&connect(longer).await.expect("connect")).await;
    assert_eq!(after, before, "it is the same log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_jetstream_is_told_what_to_do() {
    let server = NatsServer::with_settings("enabled: false");
    let refused = connect(options(server.url())).await.err().expect("a refusal");
    assert!(matches!(refused, NatsError::NoJetStream(_)), "{refused}");
    assert!(refused.to_string().contains("jetstream {}"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_the_server_has_no_room_for_is_refused() {
    let server = NatsServer::with_settings("max_file_store: 100MB");
    let refused = connect(options(server.url())).await.err().expect("a refusal");
    assert!(matches!(refused, NatsError::NoRoom { .. }), "{}", chain(&refused));
}

/// Size limits of the two streams of a log.
async fn sizes(server: &NatsServer) -> [i64; 2] {
    let admin = admin(server).await;
    let size = async |name: &str| {
        let stream = admin.get_stream(name).await.expect("a stream");
        stream.cached_info().config.max_bytes
    };
    [size("lubdub-heartbeats-0").await, size("lubdub-heartbeats-1").await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starters_at_once_give_the_log_the_room_that_there_is() {
    let server = NatsServer::with_settings("max_file_store: 1100MB");
    let unsized_log = || NatsOptions { log_bytes: None, ..options(server.url()) };
    for started in futures_util::future::join_all((0..4).map(|_| connect(unsized_log()))).await {
        if let Err(refused) = started {
            panic!("{}", chain(&refused));
        }
    }
    assert_eq!(sizes(&server).await, [512 << 20, 512 << 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_would_fill_the_server_leaves_room_for_the_queues() {
    let server = NatsServer::with_settings("max_file_store: 1GB");
    let unsized_log = NatsOptions { log_bytes: None, ..options(server.url()) };
    if let Err(refused) = connect(unsized_log).await {
        panic!("{}", chain(&refused));
    }
    assert_eq!(sizes(&server).await, [256 << 20, 256 << 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starter_goes_on_where_one_died_with_all_the_room_taken() {
    let server = NatsServer::with_settings("max_file_store: 1100MB");
    let unsized_log = || NatsOptions { log_bytes: None, ..options(server.url()) };
    connect(unsized_log()).await.map(drop).expect("connect");
    let admin = admin(&server).await;
    admin.delete_stream("lubdub-heartbeats-1").await.expect("delete");
    let config =
        admin.get_stream("lubdub-heartbeats-0").await.expect("a stream").cached_info().config.clone();
    // And a little for the queues.
    let room = 2 * config.max_bytes + (64 << 20);
    let all = jetstream::stream::Config { max_bytes: room, ..config };
    admin.update_stream(all).await.expect("update");
    connect(unsized_log()).await.map(drop).expect("connect");
    assert_eq!(sizes(&server).await, [512 << 20, 512 << 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_finds_the_room_that_there_is() {
    let cluster = NatsCluster::start();
    let unsized_log = NatsOptions { log_bytes: None, replicas: 3, ..options(cluster.url()) };
    // More than any disk can hold.
    let huge = NatsOptions { log_bytes: Some(1 << 50), prefix: "huge".to_owned(), ..unsized_log.clone() };
    let refused = connect(huge).await.err().expect("a refusal");
    assert!(matches!(refused, NatsError::NoRoom { .. }), "{}", chain(&refused));
    if let Err(refused) = connect(unsized_log).await {
        panic!("{}", chain(&refused));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_replicas_than_servers_are_refused_in_the_servers_words() {
    let server = NatsServer::start();
    let refused =
        connect(NatsOptions { replicas: 3, ..options(server.url()) }).await.err().expect("a refusal");
    assert!(chain(&refused).contains("replicas > 1 not supported"), "{}", chain(&refused));
}
