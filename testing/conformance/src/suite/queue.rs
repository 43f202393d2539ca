//! A queue's contract: what goes in comes out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::ids::PartitionId;
use ports::queue::{Backlog, Claim, Outcome, Queue, QueueError, QueueMessage, QueueWithDeadLetters};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::sample::at;
use crate::subject::Subject;

type Messages = dyn Subject<dyn QueueWithDeadLetters>;

/// Number of unfinished messages that the subject holds.
pub const CAPACITY: usize = 2_000;

#[macro_export]
macro_rules! queue_suite {
    ($make:expr) => {
        $crate::run_suite!(
            queue,
            $make,
            [
                what_is_enqueued_is_claimed,
                an_id_enqueued_twice_is_one_message,
                nothing_is_claimed_before_it_is_due,
                what_is_due_and_not_finished_is_the_backlog,
                lanes_are_apart,
                a_claimed_message_is_nobody_elses,
                many_claimers_get_each_message_once,
                the_last_number_is_remembered,
                a_full_queue_takes_all_or_nothing,
                a_change_wakes_whoever_waits,
                unfinished_messages_last_and_come_back,
            ]
        );
    };
}

/// A message with a number for its id, due at once, with an order key of its own.
pub fn message(number: u128, lane: u128) -> QueueMessage {
    QueueMessage {
        id: id(number),
        lane: id(lane),
        order_key: id(number),
        due_at: at(0),
        origin: None,
        body: body(number),
    }
}

/// An id of any of the queue's kinds.
pub fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

pub fn body(number: u128) -> Bytes {
    Bytes::from(format!("message {number}"))
}

pub async fn enqueue(queue: &dyn Queue, messages: impl IntoIterator<Item = QueueMessage>) {
    queue.enqueue(messages.into_iter().collect()).await.expect("enqueue");
}

/// Claims and answers the numbers.
pub async fn claim(queue: &dyn Queue, lane: u128, millis: i64, limit: usize) -> Vec<u128> {
    let claims = queue.claim(id(lane), at(millis), limit).await.expect("claim");
    assert!(claims.len() <= limit);
    claims.into_iter().map(|claim| claim.id.as_uuid().as_u128()).collect()
}

pub async fn settle(queue: &dyn Queue, number: u128, outcome: Outcome) {
    queue.settle(vec![(id(number), outcome)]).await.expect("settle");
}

async fn lanes(queue: &dyn Queue, millis: i64) -> BTreeSet<u128> {
    let lanes = queue.lanes(at(millis)).await.expect("lanes");
    let distinct: BTreeSet<u128> = lanes.iter().map(|lane| lane.as_uuid().as_u128()).collect();
    assert_eq!(distinct.len(), lanes.len(), "each lane once");
    distinct
}

pub async fn what_is_enqueued_is_claimed(subject: &mut Messages) {
    let queue = subject.port();
    assert!(claim(&*queue, 1, 0, 10).await.is_empty());
    enqueue(&*queue, [message(10, 1), message(11, 1)]).await;
    let claims = queue.claim(id(1), at(0), 10).await.expect("claim");
    let expected = [10, 11].map(|number| Claim { id: id(number), lane: id(1), body: body(number) });
    assert_eq!(claims, expected);
    settle(&*queue, 10, Outcome::Complete).await;
    settle(&*queue, 11, Outcome::Complete).await;
    assert!(claim(&*queue, 1, 1_000_000, 10).await.is_empty());
    settle(&*queue, 11, Outcome::Retry { due_at: at(0), body: body(11) }).await;
    assert!(claim(&*queue, 1, 1_000_000, 10).await.is_empty(), "what is completed stays completed");
}

pub async fn an_id_enqueued_twice_is_one_message(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [message(10, 1), message(10, 1)]).await;
    enqueue(&*queue, [message(10, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [10]);
    enqueue(&*queue, [message(10, 1)]).await;
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "while it is claimed");
    settle(&*queue, 10, Outcome::Complete).await;
    enqueue(&*queue, [message(10, 1), message(11, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [11], "after it was completed");
    settle(&*queue, 11, Outcome::Bury).await;
    enqueue(&*queue, [message(11, 1)]).await;
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "after it was buried");
    subject.restart().await;
    let queue = subject.port();
    enqueue(&*queue, [message(10, 1), message(11, 1)]).await;
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "after a restart");
}

pub async fn nothing_is_claimed_before_it_is_due(subject: &mut Messages) {
    let queue = subject.port();
    let due = |number, millis| QueueMessage { due_at: at(millis), ..message(number, 1) };
    enqueue(&*queue, [due(10, 300), due(11, 100), due(12, 200), due(13, 100)]).await;
    assert!(claim(&*queue, 1, 99, 10).await.is_empty());
    assert_eq!(lanes(&*queue, 99).await, BTreeSet::new());
    assert_eq!(lanes(&*queue, 100).await, BTreeSet::from([1]));
    assert_eq!(claim(&*queue, 1, 250, 2).await, [11, 13], "earliest due first, then in their order");
    assert_eq!(claim(&*queue, 1, 1_000, 10).await, [12, 10]);
}

pub async fn what_is_due_and_not_finished_is_the_backlog(subject: &mut Messages) {
    let queue = subject.port();
    let backlog = async |queue: &dyn Queue, millis| queue.backlog(at(millis)).await.expect("backlog");
    let of = |due, oldest: Option<i64>| Backlog { due, oldest: oldest.map(at) };
    assert_eq!(backlog(&*queue, 1_000).await, of(0, None));
    let due = |number, lane, millis| QueueMessage { due_at: at(millis), ..message(number, lane) };
    let behind = QueueMessage { order_key: id(10), ..due(13, 1, 400) };
    enqueue(&*queue, [due(10, 1, 300), due(11, 2, 100), due(12, 1, 900), behind]).await;
    assert_eq!(backlog(&*queue, 99).await, of(0, None));
    assert_eq!(backlog(&*queue, 350).await, of(2, Some(100)));
    assert_eq!(backlog(&*queue, 400).await, of(3, Some(100)), "what waits behind another one counts");
    assert_eq!(claim(&*queue, 2, 1_000, 10).await, [11]);
    assert_eq!(backlog(&*queue, 1_000).await, of(4, Some(100)), "so does what is claimed");
    settle(&*queue, 11, Outcome::Complete).await;
    assert_eq!(backlog(&*queue, 1_000).await, of(3, Some(300)));
    assert_eq!(claim(&*queue, 1, 1_000, 1).await, [10]);
    settle(&*queue, 10, Outcome::Retry { due_at: at(2_000), body: body(10) }).await;
    assert_eq!(backlog(&*queue, 1_000).await, of(2, Some(400)));
}

pub async fn lanes_are_apart(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (0..30).map(|n| message(100 + n, n % 3))).await;
    let later = QueueMessage { due_at: at(500), ..message(900, 7) };
    enqueue(&*queue, [later]).await;
    assert_eq!(lanes(&*queue, 0).await, BTreeSet::from([0, 1, 2]));
    assert_eq!(claim(&*queue, 1, 0, 100).await, (0..10).map(|n| 101 + 3 * n).collect::<Vec<_>>());
    assert_eq!(lanes(&*queue, 0).await, BTreeSet::from([0, 2]), "a lane with nothing left is not listed");
    assert_eq!(lanes(&*queue, 500).await, BTreeSet::from([0, 2, 7]));
}

pub async fn a_claimed_message_is_nobody_elses(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (0..6).map(|n| message(n, 1))).await;
    assert_eq!(claim(&*queue, 1, 0, 4).await, [0, 1, 2, 3]);
    assert_eq!(claim(&*queue, 1, 0, 4).await, [4, 5]);
    assert!(claim(&*queue, 1, 1_000_000, 4).await.is_empty());
}

pub async fn many_claimers_get_each_message_once(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (0..500).map(|n| message(n, 1))).await;
    let mut claimers = JoinSet::new();
    for _ in 0..8 {
        let queue: Arc<dyn Queue> = queue.clone();
        claimers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = claim(&*queue, 1, 0, 7).await;
                if claimed.is_empty() {
                    return mine;
                }
                let outcomes = claimed.iter().map(|number| (id(*number), Outcome::Complete)).collect();
                queue.settle(outcomes).await.expect("settle");
                mine.extend(claimed);
            }
        });
    }
    let mut claimed = claimers.join_all().await.concat();
    claimed.sort_unstable();
    assert_eq!(claimed, (0..500).collect::<Vec<_>>());
}

pub async fn the_last_number_is_remembered(subject: &mut Messages) {
    let queue = subject.port();
    let numbered = |n: u128, partition, number| QueueMessage {
        origin: Some((PartitionId(partition), number)),
        ..message(n, 1)
    };
    let last =
        async |queue: &dyn Queue, partition| queue.last_number(PartitionId(partition)).await.expect("last");
    assert_eq!(last(&*queue, 0).await, 0);
    enqueue(&*queue, [numbered(1, 0, 1), numbered(2, 0, 7), numbered(3, 1, 3)]).await;
    enqueue(&*queue, [numbered(4, 0, 5), message(5, 1)]).await;
    assert_eq!((last(&*queue, 0).await, last(&*queue, 1).await, last(&*queue, 2).await), (7, 3, 0));
    for number in claim(&*queue, 1, 0, 10).await {
        settle(&*queue, number, Outcome::Complete).await;
    }
    subject.restart().await;
    assert_eq!(last(&*subject.port(), 0).await, 7, "though all are completed");
}

pub async fn a_full_queue_takes_all_or_nothing(subject: &mut Messages) {
    let queue = subject.port();
    let capacity = CAPACITY as u128;
    enqueue(&*queue, (1..capacity).map(|n| message(n, 1))).await;
    let mut two = vec![message(capacity, 1), message(capacity + 1, 1)];
    two[1].origin = Some((PartitionId(0), 9));
    let refused = queue.enqueue(two).await;
    assert!(matches!(refused, Err(QueueError::Full)), "{refused:?}");
    assert_eq!(queue.last_number(PartitionId(0)).await.expect("last"), 0, "nothing of it was taken");
    enqueue(&*queue, [message(capacity, 1), message(1, 1)]).await;
    let full = queue.enqueue(vec![message(capacity + 1, 1)]).await;
    assert!(matches!(full, Err(QueueError::Full)), "{full:?}");
    enqueue(&*queue, [message(7, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, CAPACITY * 2).await.len(), CAPACITY);
    settle(&*queue, 1, Outcome::Complete).await;
    settle(&*queue, 2, Outcome::Bury).await;
    enqueue(&*queue, [message(capacity + 1, 1), message(capacity + 2, 1)]).await;
}

pub async fn a_change_wakes_whoever_waits(subject: &mut Messages) {
    let queue = subject.port();
    let soon = Duration::from_secs(20);
    let woken = async |queue: &dyn Queue| tokio::time::timeout(soon, queue.changed()).await.expect("woken");
    enqueue(&*queue, [message(1, 1)]).await;
    woken(&*queue).await;
    assert_eq!(claim(&*queue, 1, 0, 1).await, [1]);
    settle(&*queue, 1, Outcome::Retry { due_at: at(0), body: body(1) }).await;
    woken(&*queue).await;
    assert_eq!(claim(&*queue, 1, 0, 1).await, [1]);
    settle(&*queue, 1, Outcome::Bury).await;
    woken(&*queue).await;
    let waiter = Arc::clone(&queue);
    let mut waiting = JoinSet::new();
    waiting.spawn(async move {
        while claim(&*waiter, 1, 0, 1).await.is_empty() {
            waiter.changed().await
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(queue.revive(id(1), at(0), body(1)).await.expect("revive"));
    tokio::time::timeout(soon, waiting.join_all()).await.expect("woken while it waits");
}

pub async fn unfinished_messages_last_and_come_back(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (1..=5).map(|n| message(n, 1))).await;
    assert_eq!(claim(&*queue, 1, 0, 4).await, [1, 2, 3, 4]);
    settle(&*queue, 1, Outcome::Complete).await;
    settle(&*queue, 2, Outcome::Bury).await;
    settle(&*queue, 3, Outcome::Retry { due_at: at(700), body: body(33) }).await;
    settle(&*queue, 4, Outcome::Retry { due_at: at(600), body: body(44) }).await;
    subject.restart().await;
    let queue = subject.port();
    assert_eq!(claim(&*queue, 1, 0, 10).await, [5]);
    assert!(claim(&*queue, 1, 599, 10).await.is_empty());
    let claims = queue.claim(id(1), at(700), 10).await.expect("claim");
    let bodies: Vec<Bytes> = claims.into_iter().map(|claim| claim.body).collect();
    assert_eq!(bodies, [body(44), body(33)]);
    assert!(queue.revive(id(2), at(0), body(2)).await.expect("revive"));
    assert_eq!(claim(&*queue, 1, 0, 10).await, [2]);
}
