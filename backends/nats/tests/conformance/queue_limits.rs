//! A queue on NATS that is full, or whose stream is gone.

use std::sync::Arc;

use async_nats::jetstream::{self, Context};
use backend_nats::{self, NatsBackend, NatsOptions, NatsQueue};
use bytes::Bytes;
use futures_util::TryStreamExt;
use model::ids::PartitionId;
use ports::clock::{Clock, SystemClock};
use ports::queue::{Claim, DeadLetters, Outcome, Queue, QueueError, QueueMessage, QueueName, Standing};
use servers::{NatsCluster, NatsServer};

use crate::queue::{holds, join_alone, options};
use conformance::suite::queue::{enqueue, id, message};
use doubles::eventually;

const NAME: QueueName = QueueName::Alerts;

async fn context(url: &str) -> Context {
    jetstream::new(async_nats::connect(url.split(',').collect::<Vec<_>>()).await.expect("connect"))
}

async fn producer(options: NatsOptions) -> Arc<NatsQueue> {
    backend_nats::init(options.clone()).await.expect("set up");
    let backend = NatsBackend::connect(options, Arc::new(SystemClock::new())).await.expect("connect");
    backend.queue(NAME)
}

/// Four times as many messages come and go as the queue may have rows.
async fn a_queue_with_many_completed_messages(options: NatsOptions) {
    let options = NatsOptions { queue_capacity: 40, ..options };
    let queue = join_alone(options.clone(), NAME).await;
    let producer = producer(options.clone()).await;
    let now = SystemClock::new().now();
    for round in 0..32 {
        let numbers = round * 20..round * 20 + 20;
        let enqueued = producer.enqueue(numbers.clone().map(|number| message(number, 1)).collect()).await;
        assert!(enqueued.is_ok(), "round {round}: {enqueued:?}");
        let mut claims = Vec::new();
        eventually("all are claimed", async || {
            claims.extend(queue.claim(id(1), now, 100).await.expect("claim"));
            (claims.len() == 20).then_some(())
        })
        .await;
        queue
            .settle(claims.iter().map(|claim| (claim.id, Outcome::Complete)).collect())
            .await
            .expect("settle");
    }
    let standing = queue.standing(id(1), &[id(0), id(639)]).await.expect("standing");
    assert_eq!(standing[0], Some(Standing::Settled), "what was completed while there was room is remembered");
    eventually("what was completed without room is forgotten", async || {
        let standing = queue.standing(id(1), &[id(639)]).await.expect("standing");
        (standing == [None]).then_some(())
    })
    .await;
    enqueue(&*producer, (1_000..1_040).map(|number| message(number, 1))).await;
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completed_messages_never_fill_a_queue() {
    let server = NatsServer::start();
    a_queue_with_many_completed_messages(options(server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completed_messages_never_fill_a_queue_in_a_cluster() {
    let cluster = NatsCluster::start();
    a_queue_with_many_completed_messages(NatsOptions { replicas: 3, ..options(cluster.url()) }).await;
}

/// Dead letters count.
async fn a_queue_full_of_rows(options: NatsOptions) {
    // Four rows for each.
    let options = NatsOptions { queue_capacity: 10, ..options };
    let queue = join_alone(options.clone(), NAME).await;
    let producer = producer(options.clone()).await;
    let now = SystemClock::new().now();
    for round in 0..4 {
        enqueue(&*producer, (round * 10..round * 10 + 10).map(|number| message(number, 1))).await;
        let mut claims = Vec::new();
        eventually("all are claimed", async || {
            claims.extend(queue.claim(id(1), now, 100).await.expect("claim"));
            (claims.len() == 10).then_some(())
        })
        .await;
        if round == 3 {
            let full = producer.enqueue(vec![message(40, 1)]).await;
            assert!(matches!(full, Err(QueueError::Full)), "{full:?}");
            let full = queue.enqueue(vec![message(40, 1)]).await;
            assert!(matches!(full, Err(QueueError::Full)), "{full:?}");
        }
        // The existing messages can be worked on all the same.
        let retry = |claim: &Claim| (claim.id, Outcome::Retry { due_at: now, body: claim.body.clone() });
        queue.settle(claims.iter().map(retry).collect()).await.expect("settle");
        let claims = queue.claim(id(1), now, 100).await.expect("claim");
        assert_eq!(claims.len(), 10);
        queue.settle(claims.iter().map(|claim| (claim.id, Outcome::Bury)).collect()).await.expect("settle");
    }
    assert!(queue.revive(id(7), now, Bytes::new()).await.expect("revive"));
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_full_of_rows_takes_nothing_new_and_is_worked_on() {
    let server = NatsServer::start();
    a_queue_full_of_rows(options(server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_in_a_cluster() {
    let cluster = NatsCluster::start();
    a_queue_full_of_rows(NatsOptions { replicas: 3, ..options(cluster.url()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_were_lost_and_made_again_are_worked_on_again() {
    let server = NatsServer::start();
    let queue = join_alone(options(server.url()), NAME).await;
    let numbered = |number: u64| QueueMessage {
        origin: Some((PartitionId(0), number)),
        ..message(u128::from(number), 1)
    };
    enqueue(&*queue, (1..=9).map(numbered)).await;
    let now = SystemClock::new().now();
    assert_eq!(queue.claim(id(1), now, 4).await.expect("claim").len(), 4);
    let context = context(&server.url()).await;
    let streams: Vec<String> = context.stream_names().try_collect().await.expect("streams");
    for stream in streams {
        context.delete_stream(stream).await.expect("delete");
    }
    let lost = queue.enqueue(vec![numbered(10)]).await;
    assert!(matches!(lost, Err(QueueError::Unavailable(_))), "{lost:?}");
    backend_nats::init(options(server.url())).await.expect("make them again");
    eventually("it has lost its shards", async || (queue.shards_held() == 0).then_some(())).await;
    holds(&queue, usize::from(NatsQueue::shards())).await;
    assert!(queue.lanes(now).await.expect("lanes").is_empty(), "nothing is left of what was");
    assert_eq!(queue.last_number(PartitionId(0)).await.expect("last"), 0);
    enqueue(&*queue, (3..=5).map(numbered)).await;
    assert_eq!(queue.last_number(PartitionId(0)).await.expect("last"), 5);
    let claims = queue.claim(id(1), now, 10).await.expect("claim");
    assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [3, 4, 5].map(id));
    queue.close().await;
}
