//! Faults of Redis: it is wiped, set back, too old, or several servers.

use std::sync::Arc;

use backend_redis::{RedisBackend, RedisError, RedisOptions};
use model::ids::{Offset, PartitionId};
use model::monitor_state::PartitionHead;
use ports::clock::ManualClock;
use ports::history::{History, HistoryBatch};
use ports::ledger::{Ledger, LedgerError};
use ports::roster::Roster;
use ports::state_store::{Commit, Lease, Leases, Outbox, StateError, StateReader, States};
use rustix::process::Signal;
use servers::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::adapter::connect;
use conformance::sample::{START, at, flip, head, heartbeat, monitor, state, with_output};
use conformance::suite::state_store::commit;
use doubles::eventually;

const P: PartitionId = PartitionId(0);

fn armed(millis: i64) -> Option<model::monitor_state::MonitorState> {
    Some(state(1, Some(at(millis))))
}

#[tokio::test]
async fn a_wiped_server_fences_every_lease_and_can_be_taken_anew() {
    let server = RedisServer::start();
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let first = commit(0, 7, 1, vec![(monitor(1), armed(100))]);
    store.commit(&lease, &first).await.expect("commit");
    server.cli(&["FLUSHALL"]);
    let refused = [
        store.load_head(&lease).await.err(),
        store.load_states(&lease, None, 10).await.err(),
        store.due(&lease, START.next(), 10).await.err(),
        store.commit(&lease, &commit(7, 8, 2, Vec::new())).await.err(),
        store.commit(&lease, &first).await.err(),
        store.outbox(&lease, 10).await.err(),
        store.trim_outbox(&lease, 10).await.err(),
        store.reset(&lease).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StateError::Fenced)), "{error:?}");
    }
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "0", "nothing was written");
    let again = store.acquire(P, "owner").await.expect("acquire");
    assert_ne!(again.token, lease.token, "though its counter began anew");
    assert_eq!(store.load_head(&again).await.expect("head"), PartitionHead::default());
    // The memo of the old lease is not taken for stored data.
    store.commit(&again, &first).await.expect("commit");
    assert_eq!(store.states(P, &[monitor(1)]).await.expect("states"), [armed(100)]);
    assert_eq!(store.due(&again, at(101), 10).await.expect("due"), [monitor(1)]);
}

#[tokio::test]
async fn a_server_that_is_set_back_refuses_the_next_commit() {
    let mut server = RedisServer::with_settings(&["--save", ""]);
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    store.commit(&lease, &commit(0, 7, 1, vec![(monitor(1), armed(100))])).await.expect("commit");
    let snapshot = server.snapshot();
    store.commit(&lease, &commit(7, 8, 2, vec![(monitor(1), armed(200))])).await.expect("commit");
    store.commit(&lease, &commit(8, 8, 3, vec![(monitor(2), armed(300))])).await.expect("commit");
    server.restore(&snapshot);
    let next = commit(8, 9, 4, vec![(monitor(3), armed(400))]);
    let refused = eventually("it answers", async || match store.commit(&lease, &next).await {
        Err(StateError::Unavailable(_)) => None,
        other => Some(other),
    });
    assert!(matches!(refused.await, Err(StateError::OutOfOrder { found: Offset(7) })));
    // Even if the offsets agree: commits that were acknowledged since are missing.
    let next = commit(7, 9, 4, vec![(monitor(3), armed(400))]);
    assert!(matches!(store.commit(&lease, &next).await, Err(StateError::OutOfOrder { found: Offset(7) })));
    let lease = store.acquire(P, "owner").await.expect("acquire");
    assert_eq!(store.load_head(&lease).await.expect("head"), head(7));
    store.commit(&lease, &commit(7, 8, 1, vec![(monitor(1), armed(200))])).await.expect("commit");
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(1)]);
}

#[tokio::test]
async fn a_server_that_is_set_back_before_the_lease_fences_it() {
    let mut server = RedisServer::with_settings(&["--save", ""]);
    let store = connect(server.url()).await.state();
    store.acquire(P, "owner").await.expect("acquire");
    let snapshot = server.snapshot();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    server.restore(&snapshot);
    let refused =
        eventually("it answers", async || match store.commit(&lease, &commit(0, 1, 1, Vec::new())).await {
            Err(StateError::Unavailable(_)) => None,
            other => Some(other),
        });
    assert!(matches!(refused.await, Err(StateError::Fenced)));
}

#[tokio::test]
async fn a_ledger_that_is_set_back_comes_to_no_version_twice() {
    let mut server = RedisServer::with_settings(&["--save", ""]);
    let ledger = connect(server.url()).await.ledger();
    let (scope, row) = (Uuid::from_u128(7), |text: &'static str| vec![(Uuid::nil(), Some(text.into()))]);
    let first = ledger.write(scope, 0, row("first")).await.expect("write");
    let snapshot = server.snapshot();
    let lost = ledger.write(scope, first, row("lost")).await.expect("write");
    server.restore(&snapshot);
    let refused = eventually("it answers", async || match ledger.write(scope, lost, row("late")).await {
        Err(LedgerError::Unavailable(_)) => None,
        other => Some(other),
    });
    let refused = refused.await;
    assert!(matches!(refused, Err(LedgerError::Conflict { found }) if found == first), "{refused:?}");
    let instead = ledger.write(scope, first, row("instead")).await.expect("write");
    let refused = ledger.write(scope, lost, row("late")).await;
    assert!(matches!(refused, Err(LedgerError::Conflict { found }) if found == instead), "{refused:?}");
    server.cli(&["FLUSHALL"]);
    let refused = ledger.write(scope, instead, row("late")).await;
    assert!(matches!(refused, Err(LedgerError::Conflict { found: 0 })), "{refused:?}");
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "0", "nothing was written");
}

/// Resets a part of the partition, like the store; answers the script's answer.
fn reset_part(server: &RedisServer, lease: &Lease, first: u32) -> String {
    let script = include_str!("../../src/reset.lua");
    let (first, last) = (first.to_string(), (first + 511).to_string());
    let (meta, outbox) = ("lubdub:{p0}:meta", "lubdub:{p0}:outbox");
    let arguments = [lease.token.as_str(), "lubdub:{p0}:", &first, &last, "16", "4096"];
    server.cli(&[&["EVAL", script, "2", meta, outbox], &arguments[..]].concat()).trim().to_owned()
}

#[tokio::test]
async fn a_server_that_is_set_back_into_a_reset_refuses_commits_until_there_was_a_whole_one() {
    let mut server = RedisServer::with_settings(&["--save", ""]);
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let states = (0..2_000_u32).map(|n| (monitor(n.into()), armed(100))).collect();
    store.commit(&lease, &commit(0, 7, 1, states)).await.expect("commit");
    let lease = store.acquire(P, "owner").await.expect("acquire");
    assert_eq!(reset_part(&server, &lease, 0), "done");
    assert_eq!(reset_part(&server, &lease, 512), "done");
    let snapshot = server.snapshot();
    store.reset(&lease).await.expect("reset");
    server.restore(&snapshot);
    let stale = async || store.load_states(&lease, None, 10_000).await.ok();
    assert!(!eventually("it answers", stale).await.is_empty(), "parts of the reset were lost");
    let first = commit(0, 5, 1, vec![(monitor(1), armed(200))]);
    let refused = store.commit(&lease, &first).await;
    assert!(matches!(refused, Err(StateError::OutOfOrder { found: Offset::START })), "{refused:?}");
    assert_eq!(reset_part(&server, &lease, 1_536), "lost", "the one before it is missing");
    assert_eq!(store.load_head(&lease).await.expect("head"), PartitionHead::default());
    // Like the owner, which takes the partition anew and finds nothing.
    let lease = store.acquire(P, "owner").await.expect("acquire");
    assert!(matches!(store.commit(&lease, &first).await, Err(StateError::OutOfOrder { .. })));
    store.reset(&lease).await.expect("reset");
    store.commit(&lease, &first).await.expect("commit");
    assert_eq!(store.load_head(&lease).await.expect("head"), head(5));
    assert_eq!(store.load_states(&lease, None, 10).await.expect("states").len(), 1);
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(1)]);
}

#[tokio::test]
async fn what_a_broken_off_restore_left_is_not_committed_to_when_its_reset_is_lost() {
    let mut server = RedisServer::with_settings(&["--save", ""]);
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let part = Commit { head: PartitionHead::default(), ..commit(0, 0, 1, vec![(monitor(1), armed(100))]) };
    store.commit(&lease, &part).await.expect("commit");
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let snapshot = server.snapshot();
    store.reset(&lease).await.expect("reset");
    server.restore(&snapshot);
    let first = commit(0, 5, 1, vec![(monitor(2), armed(200))]);
    let refused = eventually("it answers", async || match store.commit(&lease, &first).await {
        Err(StateError::Unavailable(_)) => None,
        other => Some(other),
    });
    assert!(matches!(refused.await, Err(StateError::OutOfOrder { found: Offset::START })));
    store.reset(&lease).await.expect("reset");
    store.commit(&lease, &first).await.expect("commit");
    assert_eq!(store.load_states(&lease, None, 10).await.expect("states").len(), 1);
}

#[tokio::test]
async fn a_full_server_takes_a_commit_whole_or_not_at_all() {
    let server = RedisServer::start();
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let states = (0..2_000_u32).map(|n| (monitor(n.into()), armed(100))).collect();
    let large = commit(0, 7, 1, states);
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(store.commit(&lease, &large).await, Err(StateError::Unavailable(_))));
    assert_eq!(store.load_head(&lease).await.expect("head"), PartitionHead::default());
    assert!(store.load_states(&lease, None, 10).await.expect("states").is_empty());
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    store.commit(&lease, &large).await.expect("the same again");
    assert_eq!(store.due(&lease, at(101), 10_000).await.expect("due").len(), 2_000);
}

#[tokio::test]
async fn a_connection_comes_back_by_itself_and_a_commit_may_be_repeated() {
    let mut server = RedisServer::start();
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    store.commit(&lease, &commit(0, 1, 1, vec![(monitor(1), armed(100))])).await.expect("commit");
    server.stop();
    let next = commit(1, 2, 2, vec![(monitor(1), armed(200))]);
    assert!(matches!(store.commit(&lease, &next).await, Err(StateError::Unavailable(_))));
    server.restart();
    let committed = async || store.commit(&lease, &next).await.ok();
    eventually("it is committed", committed).await;
    store.commit(&lease, &next).await.expect("the same again");
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(1)]);
    assert_eq!(store.states(P, &[monitor(1)]).await.expect("states"), [armed(200)]);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let mut server = RedisServer::start();
    let store = connect(server.url()).await.state();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    server.process().signal(Signal::STOP);
    let asked = tokio::time::Instant::now();
    assert!(matches!(store.load_head(&lease).await, Err(StateError::Unavailable(_))));
    assert!(asked.elapsed().as_secs() < 7, "{:?}", asked.elapsed());
    server.process().signal(Signal::CONT);
    eventually("it answers", async || store.load_head(&lease).await.ok()).await;
}

#[tokio::test]
async fn nobody_there_is_an_error_that_says_so() {
    let port = servers::free_port();
    let connect = async |url: String| {
        RedisBackend::connect(RedisOptions::new(url), Arc::new(ManualClock::new(START))).await.err()
    };
    assert!(matches!(connect(format!("redis://127.0.0.1:{port}")).await, Some(RedisError::Connect(_))));
    assert!(matches!(connect("http://127.0.0.1".into()).await, Some(RedisError::Address(_))));
    assert!(matches!(connect(String::new()).await, Some(RedisError::Connect(_))));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let server = RedisServer::start();
    let url = server.url().replace("redis://", "rediss://");
    let refused =
        RedisBackend::connect(RedisOptions::new(url), Arc::new(ManualClock::new(START))).await.err();
    assert!(matches!(refused, Some(RedisError::Silent(_))), "{refused:?}");
}

#[tokio::test]
async fn heartbeats_that_come_late_are_put_in_order() {
    let server = RedisServer::start();
    let history = connect(server.url()).await.history();
    // Shuffled by a step that has no divisor in common with 60, in batches, some of them twice.
    let order: Vec<i64> = (0..60).map(|n| n * 17 % 60).collect();
    for batch in order.chunks(7).chain(order.chunks(7).take(3)) {
        let heartbeats = batch.iter().map(|millis| heartbeat(monitor(1), at(*millis))).collect();
        history.append(HistoryBatch { heartbeats, ..HistoryBatch::default() }).await.expect("append");
    }
    let kept = history.heartbeats(monitor(1), None, 1_000).await.expect("heartbeats");
    let times: Vec<_> = kept.iter().map(|entry| entry.heartbeat.received_at).collect();
    let expected: Vec<_> = (0..60).rev().map(at).take(times.len()).collect();
    assert_eq!(times, expected);
    assert!(times.len() >= conformance::suite::history::PER_MONITOR);
}

#[tokio::test]
async fn without_a_history_of_heartbeats_flips_are_kept() {
    let server = RedisServer::start();
    let options = RedisOptions { history_per_monitor: 0, ..RedisOptions::new(server.url()) };
    let backend = RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await.expect("connect");
    let batch = HistoryBatch {
        heartbeats: vec![with_output(monitor(1), at(1), b"an output")],
        flips: vec![flip(monitor(1), at(1), 1)],
        removed: Vec::new(),
    };
    let history = backend.history();
    history.append(batch).await.expect("append");
    assert!(history.heartbeats(monitor(1), None, 10).await.expect("heartbeats").is_empty());
    assert_eq!(history.newest(&[monitor(1)]).await.expect("newest"), [None]);
    assert_eq!(history.output(monitor(1), at(1)).await.expect("output"), None);
    assert_eq!(history.flips(monitor(1), None, 10).await.expect("flips").len(), 1);
}

#[tokio::test]
async fn who_was_silent_for_a_day_is_forgotten() {
    let server = RedisServer::start();
    let backend = connect(server.url()).await;
    let roster = backend.roster("scheduler").await.expect("connect");
    server.cli(&["HSET", "lubdub:{roster}:scheduler", "yesterday", "7 1000000000", "damaged", "?"]);
    let members = roster.beat("a").await.expect("beat");
    assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(server.cli(&["HLEN", "lubdub:{roster}:scheduler"]).trim(), "1");
    let elsewhere = backend.roster("notifier").await.expect("connect");
    assert_eq!(elsewhere.beat("b").await.expect("beat").len(), 1, "each role for itself");
}

#[tokio::test]
async fn installations_with_different_prefixes_share_a_server() {
    let server = RedisServer::start();
    let one = connect(server.url()).await.state();
    let options = RedisOptions { prefix: "other".into(), ..RedisOptions::new(server.url()) };
    let other =
        RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await.expect("connect").state();
    let lease = one.acquire(P, "one").await.expect("acquire");
    let elsewhere = other.acquire(P, "other").await.expect("acquire");
    one.commit(&lease, &commit(0, 1, 1, vec![(monitor(1), armed(100))])).await.expect("commit");
    other.reset(&elsewhere).await.expect("reset");
    assert_eq!(one.load_head(&lease).await.expect("head"), head(1));
    assert!(other.load_states(&elsewhere, None, 10).await.expect("states").is_empty());
}

#[tokio::test]
async fn a_partition_in_another_number_of_buckets_is_refused() {
    let server = RedisServer::start();
    let store = connect(server.url()).await.state();
    server.cli(&["HSET", "lubdub:{p0}:meta", "buckets", "64"]);
    let refused = store.acquire(P, "owner").await.expect_err("refused");
    assert!(format!("{refused:?}").contains("64 buckets"), "{refused:?}");
}

/// Answers a client's first questions like a server of this version.
async fn pretend(version: &'static str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        let info = format!("# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n");
        let mut said = vec![0; 4_096];
        while let Ok(length @ 1..) = client.read(&mut said).await {
            let said = String::from_utf8_lossy(&said[..length]).into_owned();
            for command in said.split_inclusive('*').filter(|command| command.contains('$')) {
                let answer = if command.contains("INFO\r\n*") || command.ends_with("INFO\r\n") {
                    format!("${}\r\n{info}\r\n", info.len())
                } else {
                    "+OK\r\n".to_owned()
                };
                client.write_all(answer.as_bytes()).await.expect("answer");
            }
        }
    });
    (url, tasks)
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_by_its_version() {
    for version in ["6.2.14", "2.8.0", "unknown"] {
        let (url, _tasks) = pretend(version).await;
        let refused =
            RedisBackend::connect(RedisOptions::new(url), Arc::new(ManualClock::new(START))).await.err();
        let error = refused.expect("it is refused");
        assert!(matches!(&error, RedisError::Version { found } if found == version), "{error:?}");
        assert!(error.to_string().contains("7.0"), "{error}");
    }
}
