//! A queue's index in memory agrees with its rows.

use std::sync::Arc;

use backend_sqlite::{SqliteBackend, SqliteOptions};
use ports::clock::ManualClock;
use ports::queue::{Claim, Outcome, Queue, QueueName};

use conformance::sample::{START, at};
use conformance::suite::queue::{body, claim, enqueue, id, message};

fn open(dir: &tempfile::TempDir) -> SqliteBackend {
    SqliteBackend::open(SqliteOptions::new(dir.path()), Arc::new(ManualClock::new(START))).expect("open")
}

#[tokio::test]
async fn a_claim_whose_caller_is_cancelled_goes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(&dir);
    let queue = backend.queue(QueueName::Deliveries);
    enqueue(&*queue, (0..5).map(|n| message(n, 1))).await;
    queue.changed().await;
    loop {
        // Polled once: the messages are claimed, and their bodies are being read. Sometimes they arrive at
        // once.
        tokio::select! {
            biased;
            claims = queue.claim(id(1), at(0), 10) => {
                let claims = claims.expect("claim");
                let back = |claim: Claim| (claim.id, Outcome::Retry { due_at: at(0), body: claim.body });
                queue.settle(claims.into_iter().map(back).collect()).await.expect("settle");
                queue.changed().await;
            }
            () = async {} => break,
        }
    }
    queue.changed().await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [0, 1, 2, 3, 4]);
    backend.close().await.expect("close");
}

#[tokio::test]
async fn settlements_that_contradict_each_other_leave_index_and_rows_agreed() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(&dir);
    let queue = backend.queue(QueueName::Deliveries);
    enqueue(&*queue, (0..40).map(|n| message(n, 1))).await;
    let claimed = claim(&*queue, 1, 0, 100).await;
    let retry = |n: u128| Outcome::Retry { due_at: at(0), body: body(n) };
    let contradictions = claimed.iter().flat_map(|n| {
        [(id(*n), retry(*n)), (id(*n), if n % 2 == 0 { Outcome::Complete } else { Outcome::Bury })]
    });
    let together: Vec<_> = contradictions.collect();
    let (one, other) = tokio::join!(queue.settle(together.clone()), queue.settle(together));
    one.and(other).expect("settle");
    let left = claim(&*queue, 1, 0, 100).await;
    let outcomes = left.iter().map(|n| (id(*n), Outcome::Complete)).collect();
    queue.settle(outcomes).await.expect("settle");
    backend.close().await.expect("close");
    let backend = open(&dir);
    let queue = backend.queue(QueueName::Deliveries);
    assert!(claim(&*queue, 1, 0, 100).await.is_empty(), "index and rows agree");
    backend.close().await.expect("close");
}
