//! Callers of a queue on NATS that are cancelled before they are answered.

use std::time::Duration;

use model::time::EventTime;
use ports::clock::{Clock, SystemClock};
use ports::queue::{Outcome, Queue, QueueMessage, QueueName};
use servers::NatsServer;

use crate::queue::{join_alone, options};
use conformance::suite::queue::{body, enqueue, id, message};

const NAME: QueueName = QueueName::Deliveries;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_claimed_for_somebody_who_went_away_goes_back() {
    let server = NatsServer::start();
    let queue = join_alone(options(server.url()), NAME).await;
    // Bodies of messages that are due later are not kept in memory, so they must be read.
    let due_at = SystemClock::new().now() + Duration::from_secs(3_600);
    enqueue(&*queue, (0..50).map(|number| QueueMessage { due_at, ..message(number, 1) })).await;
    for patience in (0..20).map(|tenths| Duration::from_micros(100 * tenths)) {
        let claims = tokio::time::timeout(patience, queue.claim(id(1), due_at, 50)).await;
        if let Ok(claims) = claims {
            let back = |number| (id(number), Outcome::Retry { due_at, body: body(number) });
            assert_eq!(claims.expect("claim").len(), 50);
            queue.settle((0..50).map(back).collect()).await.expect("settle");
        }
    }
    let claims = queue.claim(id(1), due_at, 50).await.expect("claim");
    assert_eq!(claims.len(), 50);
    assert!(claims.iter().all(|claim| claim.body == body(claim.id.as_uuid().as_u128())));
    queue.settle(claims.iter().map(|claim| (claim.id, Outcome::Complete)).collect()).await.expect("settle");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_whose_caller_went_away_is_written_or_not_and_can_be_made_again() {
    let server = NatsServer::start();
    let mut queue = join_alone(options(server.url()), NAME).await;
    let clock = SystemClock::new();
    let far = Duration::from_secs(3_600);
    enqueue(&*queue, (0..400).map(|number| message(number, 1))).await;
    for patience in (0..20_u32).map(|tenths| Duration::from_micros(200) * tenths) {
        let now = clock.now() + far;
        let claims = queue.claim(id(1), now, 20).await.expect("claim");
        let retry =
            claims.iter().map(|claim| (claim.id, Outcome::Retry { due_at: now, body: claim.body.clone() }));
        let _ = tokio::time::timeout(patience, queue.settle(retry.collect())).await;
        let complete = claims.iter().map(|claim| (claim.id, Outcome::Complete));
        queue.settle(complete.collect()).await.expect("settle again");
    }
    // The node's index agrees with the server.
    let now = clock.now() + far * 2;
    let mut thought = claim_all(&*queue, now).await;
    queue.close().await;
    queue = join_alone(options(server.url()), NAME).await;
    let mut left = claim_all(&*queue, now).await;
    thought.sort_unstable();
    left.sort_unstable();
    assert_eq!(thought, left);
    queue.close().await;
}

async fn claim_all(queue: &dyn Queue, now: EventTime) -> Vec<u128> {
    let claims = queue.claim(id(1), now, 1_000).await.expect("claim");
    claims.iter().map(|claim| claim.id.as_uuid().as_u128()).collect()
}
