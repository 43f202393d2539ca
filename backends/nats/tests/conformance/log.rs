//! The heartbeat log on NATS while its server is killed, stopped or replaced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{ServerAddr, jetstream};
use backend_nats::{NatsBackend, NatsHeartbeatLog, NatsOptions};
use model::ids::{Offset, PartitionId};
use model::wire::frame::Frame;
use ports::clock::ManualClock;
use ports::heartbeat_log::{HeartbeatLog, LogEntry, LogError, LogReader, LogRoom};
use servers::{NatsCluster, NatsServer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::adapter::options;
use conformance::sample::{START, at, frame, monitor, with_output};
use doubles::eventually;

const P: PartitionId = PartitionId(0);
const STREAM: &str = "lubdub-heartbeats-0";

async fn log(options: NatsOptions) -> Arc<NatsHeartbeatLog> {
    backend_nats::init(options.clone()).await.expect("set up");
    let backend = NatsBackend::connect(options, Arc::new(ManualClock::new(START))).await;
    backend.expect("connect").log()
}

fn numbered(number: u64) -> Arc<Frame> {
    frame(number, at(i64::try_from(number).expect("small")))
}

async fn append_many(log: &NatsHeartbeatLog, numbers: std::ops::RangeInclusive<u64>) -> Offset {
    let mut last = Offset::START;
    for number in numbers {
        last = log.append(P, numbered(number)).await.expect("append");
    }
    last
}

/// The next entries, which must come soon.
async fn next(reader: &mut Box<dyn LogReader>) -> Result<Vec<LogEntry>, LogError> {
    tokio::time::timeout(Duration::from_secs(30), reader.next(1_000)).await.expect("in time")
}

/// Everything up to `through`, without a gap.
async fn read(reader: &mut Box<dyn LogReader>, after: Offset, through: Offset) -> Vec<LogEntry> {
    let mut entries: Vec<LogEntry> = Vec::new();
    let mut position = after;
    while position < through {
        for entry in next(reader).await.expect("read") {
            assert_eq!(entry.offset, position.next(), "neither a gap nor a repetition");
            position = entry.offset;
            entries.push(entry);
        }
    }
    entries
}

/// Appends frames until it is told to end; answers the acknowledged ones, and the longest call.
async fn append_until(
    log: Arc<NatsHeartbeatLog>,
    end: CancellationToken,
) -> (BTreeMap<Offset, u64>, Duration) {
    let mut acknowledged = BTreeMap::new();
    let mut longest = Duration::ZERO;
    let mut number = 0;
    while !end.is_cancelled() {
        number += 1;
        let began = Instant::now();
        match log.append(P, numbered(number)).await {
            Ok(offset) => assert_eq!(acknowledged.insert(offset, number), None, "an offset given twice"),
            Err(LogError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        longest = longest.max(began.elapsed());
    }
    (acknowledged, longest)
}

fn check_all_read(acknowledged: &BTreeMap<Offset, u64>, entries: &[LogEntry]) {
    let read: BTreeMap<Offset, u64> =
        entries.iter().map(|entry| (entry.offset, entry.frame.as_ref().expect("a frame").number)).collect();
    for (offset, number) in acknowledged {
        assert_eq!(read.get(offset), Some(number), "an acknowledged frame is read at its place");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_over_restarts_under_load() {
    let mut server = NatsServer::start_durable();
    let log = log(options(server.url())).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    let mut writing = JoinSet::new();
    let end = CancellationToken::new();
    writing.spawn(append_until(Arc::clone(&log), end.clone()));
    let mut entries = read(&mut reader, Offset::START, Offset(200)).await;
    for restart in 0..3 {
        if restart == 1 {
            server.kill();
        }
        tokio::task::block_in_place(|| server.restart());
        let position = entries.last().expect("one").offset;
        entries.extend(read(&mut reader, position, Offset(position.0 + 200)).await);
    }
    end.cancel();
    let (acknowledged, longest) = writing.join_next().await.expect("one").expect("it ends");
    assert!(longest < Duration::from_millis(4_500), "an append took {longest:?}");
    let position = entries.last().expect("one").offset;
    let last = log.extent(P).await.expect("extent").last;
    entries.extend(read(&mut reader, position, last).await);
    check_all_read(&acknowledged, &entries);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_though_each_call_is_cancelled_soon() {
    let mut server = NatsServer::start_durable();
    let log = log(options(server.url())).await;
    let last = append_many(&log, 1..=5).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    read(&mut reader, Offset::START, last).await;
    tokio::task::block_in_place(|| server.restart());
    let appended = append_many(&log, 6..=6).await;
    let entries = eventually("the reader goes on", async || {
        tokio::time::timeout(Duration::from_millis(2), reader.next(10)).await.ok()
    });
    let entries = entries.await.expect("read");
    assert_eq!(entries.first().map(|entry| entry.offset), Some(appended));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_waited_for() {
    let mut server = NatsServer::start_durable();
    let log = log(options(server.url())).await;
    let last = append_many(&log, 1..=5).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    read(&mut reader, Offset::START, last).await;
    tokio::task::block_in_place(|| server.process().freeze());
    let began = Instant::now();
    let refused = log.append(P, numbered(6)).await;
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
    assert!(began.elapsed() < Duration::from_millis(4_500), "{:?}", began.elapsed());
    let waiting = tokio::time::timeout(Duration::from_secs(3), reader.next(10)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    server.process().thaw();
    let appended = eventually("appends succeed again", async || log.append(P, numbered(7)).await.ok()).await;
    // The refused frame may have landed all the same.
    let entries = read(&mut reader, last, appended).await;
    assert!(entries.len() <= 2, "{entries:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_made_anew_is_noticed() {
    let server = NatsServer::start();
    let first = log(options(server.url())).await;
    let before = first.extent(P).await.expect("extent").incarnation;
    let last = append_many(&first, 1..=3).await;
    let mut reader = first.open(P, Offset::START).await.expect("open");
    read(&mut reader, Offset::START, last).await;
    let admin = jetstream::new(async_nats::connect(server.url()).await.expect("connect"));
    admin.delete_stream(STREAM).await.expect("delete");
    let gone = first.append(P, numbered(4)).await;
    assert!(matches!(gone, Err(LogError::Unavailable(_))), "{gone:?}");

    let second = log(options(server.url())).await;
    append_many(&second, 1..=9).await;
    let noticed = next(&mut reader).await.err();
    assert!(matches!(noticed, Some(LogError::Unavailable(_))), "{noticed:?}");
    assert_ne!(first.extent(P).await.expect("extent").incarnation, before);
    let mut reader = first.open(P, Offset::START).await.expect("open");
    assert_eq!(read(&mut reader, Offset::START, Offset(9)).await.len(), 9);
}

/// The server after it lost its newest five of fifteen entries, and a reader that has read them.
async fn after_a_lost_tail(server: &mut NatsServer) -> (Arc<NatsHeartbeatLog>, Box<dyn LogReader>) {
    let log = log(options(server.url())).await;
    append_many(&log, 1..=10).await;
    let snapshot = tokio::task::block_in_place(|| server.snapshot());
    let last = append_many(&log, 11..=15).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    read(&mut reader, Offset::START, last).await;
    tokio::task::block_in_place(|| server.restore(&snapshot));
    (log, reader)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_newest_entries_is_noticed() {
    let mut server = NatsServer::start_durable();
    let (log, mut reader) = after_a_lost_tail(&mut server).await;
    let noticed = next(&mut reader).await.err();
    assert!(matches!(noticed, Some(LogError::Ahead { last: Offset(10) })), "{noticed:?}");
    let refused = log.open(P, Offset(15)).await.err();
    assert!(matches!(refused, Some(LogError::Ahead { last: Offset(10) })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_entries_are_noticed_though_others_took_their_places() {
    let mut server = NatsServer::start_durable();
    let (log, mut reader) = after_a_lost_tail(&mut server).await;
    append_many(&log, 21..=30).await;
    let noticed = next(&mut reader).await.err();
    assert!(matches!(noticed, Some(LogError::Ahead { last: Offset(14) })), "{noticed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_log_is_noticed() {
    let server = NatsServer::start();
    let log = log(options(server.url())).await;
    append_many(&log, 1..=20).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    let admin = jetstream::new(async_nats::connect(server.url()).await.expect("connect"));
    let stream = admin.get_stream(STREAM).await.expect("a stream");
    stream.purge().sequence(8).await.expect("purge");
    let noticed = next(&mut reader).await.err();
    assert!(matches!(noticed, Some(LogError::Expired { first: Offset(8) })), "{noticed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_frame_is_given_to_the_reader() {
    let server = NatsServer::start();
    let log = log(options(server.url())).await;
    append_many(&log, 1..=1).await;
    let admin = jetstream::new(async_nats::connect(server.url()).await.expect("connect"));
    let published = admin.publish("lubdub.heartbeats.0", "no frame".into()).await.expect("publish");
    published.await.expect("an acknowledgement");
    append_many(&log, 3..=3).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    let entries = read(&mut reader, Offset::START, Offset(3)).await;
    let readable: Vec<bool> = entries.iter().map(|entry| entry.frame.is_ok()).collect();
    assert_eq!(readable, [true, false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_says_that_it_is_full() {
    let server = NatsServer::with_settings("max_file_store: 1MB");
    let log = log(NatsOptions { log_bytes: Some(-1), ..options(server.url()) }).await;
    let mut large = Frame::clone(&numbered(1));
    large.node = "n".repeat(100_000);
    let large = Arc::new(large);
    let mut refused = None;
    for _ in 0..20 {
        refused = refused.or(log.append(P, Arc::clone(&large)).await.err());
    }
    assert!(matches!(refused, Some(LogError::Full(_))), "{refused:?}");
    assert_eq!(log.room(), LogRoom::Short);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_without_room_for_outputs_is_spared_them_and_takes_the_rest() {
    let users = "accounts { A { jetstream: { max_file: 1MB }, users: [{ user: a, password: a }] } }\nno_auth_user: a\n";
    let server = NatsServer::configured(users);
    let log = log(NatsOptions { log_bytes: Some(-1), ..options(server.url()) }).await;
    let mut large = Frame::clone(&numbered(1));
    large.heartbeats.push(with_output(monitor(1), START, &[7; 100_000]));
    let large = Arc::new(large);
    assert_eq!(log.room(), LogRoom::Enough);
    let mut refused = None;
    for _ in 0..20 {
        refused = refused.or(log.append(P, Arc::clone(&large)).await.err());
    }
    assert!(matches!(refused, Some(LogError::Full(_))), "{refused:?}");
    append_many(&log, 2..=20).await;
    assert_eq!(log.room(), LogRoom::Short, "the next output would be refused as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_the_server_does_not_take_is_refused() {
    let server = NatsServer::start();
    let log = log(options(server.url())).await;
    let mut large = Frame::clone(&numbered(1));
    large.node = "n".repeat(2 << 20);
    let began = Instant::now();
    let refused = log.append(P, Arc::new(large)).await;
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "at once");
    append_many(&log, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_without_a_server_gives_up_in_time() {
    let mut server = NatsServer::start();
    let log = log(options(server.url())).await;
    server.kill();
    for _ in 0..2 {
        let began = Instant::now();
        let refused = log.append(P, numbered(1)).await;
        assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
        assert!(began.elapsed() < Duration::from_millis(4_500), "{:?}", began.elapsed());
    }
}

/// Which of the three servers leads the stream.
async fn leader(cluster: &NatsCluster) -> usize {
    let servers: Vec<ServerAddr> = cluster.url().split(',').map(|url| url.parse().expect("a URL")).collect();
    let admin = jetstream::new(async_nats::connect(servers).await.expect("connect"));
    eventually("the stream has a leader", async || {
        let stream = admin.get_stream(STREAM).await.ok()?;
        let name = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        name.strip_prefix('n')?.parse().ok()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_costs_no_acknowledged_entry() {
    let mut cluster = NatsCluster::start();
    let log = log(NatsOptions { replicas: 3, ..options(cluster.url()) }).await;
    let mut reader = log.open(P, Offset::START).await.expect("open");
    let mut writing = JoinSet::new();
    let end = CancellationToken::new();
    writing.spawn(append_until(Arc::clone(&log), end.clone()));
    let mut entries = read(&mut reader, Offset::START, Offset(50)).await;
    for _ in 0..2 {
        let leader = leader(&cluster).await;
        cluster.server(leader).kill();
        let position = entries.last().expect("one").offset;
        entries.extend(read(&mut reader, position, Offset(position.0 + 50)).await);
        tokio::task::block_in_place(|| cluster.server(leader).restart());
        let position = entries.last().expect("one").offset;
        entries.extend(read(&mut reader, position, Offset(position.0 + 50)).await);
    }
    end.cancel();
    let (acknowledged, longest) = writing.join_next().await.expect("one").expect("it ends");
    assert!(longest < Duration::from_millis(4_500), "an append took {longest:?}");
    let position = entries.last().expect("one").offset;
    let last = *acknowledged.keys().last().expect("one");
    entries.extend(read(&mut reader, position, last).await);
    check_all_read(&acknowledged, &entries);
}
