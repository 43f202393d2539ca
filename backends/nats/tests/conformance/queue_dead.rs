//! Dead letters on NATS: one node looks after each, and the server expires them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_nats::jetstream;
use backend_nats::NatsQueue;
use ports::clock::{Clock, SystemClock};
use ports::queue::{DeadLetters, Outcome, Queue, QueueName};
use servers::NatsServer;
use uuid::Uuid;

use crate::queue::{holds, join, join_alone, options};
use conformance::suite::queue::{enqueue, id, message};
use doubles::eventually;

const NAME: QueueName = QueueName::Deliveries;

async fn listed(queue: &NatsQueue) -> BTreeSet<u128> {
    let (mut listed, mut after) = (BTreeSet::new(), None);
    loop {
        let page = queue.dead_letters(after, 7).await.expect("dead letters");
        let Some(last) = page.last() else { return listed };
        after = Some(last.id);
        listed.extend(page.iter().map(|letter| letter.id.as_uuid().as_u128()));
    }
}

async fn bury(queue: &Arc<NatsQueue>, numbers: impl Iterator<Item = u128> + Clone) {
    enqueue(&**queue, numbers.clone().map(|number| message(number, number))).await;
    for number in numbers {
        let claims = queue.claim(id(number), SystemClock::new().now(), 1).await.expect("claim");
        queue.settle(claims.iter().map(|claim| (claim.id, Outcome::Bury)).collect()).await.expect("settle");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_listed_by_whoever_works_on_its_shard_and_by_nobody_else() {
    let server = NatsServer::start();
    let first = join_alone(options(server.url()), NAME).await;
    bury(&first, 0..60).await;
    assert_eq!(listed(&first).await, (0..60).collect());
    let second = join(options(server.url()), NAME).await;
    holds(&second, 8).await;
    holds(&first, 8).await;
    let (ones, others) = (listed(&first).await, listed(&second).await);
    assert!(ones.is_disjoint(&others), "{ones:?} and {others:?}");
    assert_eq!(&ones | &others, (0..60).collect());
    // A dead letter that the other node revived is listed no longer.
    let theirs = *others.first().expect("some are the second's");
    let now = SystemClock::new().now();
    assert!(first.revive(id(theirs), now, bytes::Bytes::new()).await.expect("revive"));
    assert!(!listed(&second).await.contains(&theirs));
    first.close().await;
    assert_eq!(listed(&first).await, BTreeSet::new(), "it works no longer");
    holds(&second, 16).await;
    assert_eq!(listed(&second).await, (0..60).filter(|number| *number != theirs).collect());
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_that_the_server_forgot_hide_no_others() {
    let server = NatsServer::start();
    let queue = join_alone(options(server.url()), NAME).await;
    bury(&queue, 0..40).await;
    let context = jetstream::new(async_nats::connect(server.url()).await.expect("connect"));
    let stream = context.get_stream("lubdub-deliveries").await.expect("the stream");
    // More than a page, beginning with the first.
    for number in 0..20 {
        let subject = format!("lubdub.deliveries.*.{}", id::<Uuid>(number).simple());
        let purged = stream.purge().filter(subject).await.expect("purge");
        assert_eq!(purged.purged, 1);
    }
    let left = async || (listed(&queue).await == (20..40).collect()).then_some(());
    eventually("the others are listed", left).await;
    queue.close().await;
}
