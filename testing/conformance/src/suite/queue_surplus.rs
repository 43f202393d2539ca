//! A queue's contract: lanes that hold too much, and what is taken out of them.

use ports::queue::{Outcome, Queue, QueueMessage, QueueWithDeadLetters, SurplusWalk};

use super::queue::{CAPACITY, body, claim, enqueue, id, message, settle};
use crate::sample::at;
use crate::subject::Subject;

type Messages = dyn Subject<dyn QueueWithDeadLetters>;

#[macro_export]
macro_rules! queue_surplus_suite {
    ($make:expr) => {
        $crate::run_suite!(
            queue_surplus,
            $make,
            [
                a_withdrawn_message_was_never_there,
                what_is_given_back_is_as_it_was,
                lanes_with_more_than_half_of_their_share_are_crowded,
                the_middle_of_long_order_keys_is_surplus_first,
                then_what_is_due_last,
                what_is_claimed_is_no_surplus,
                what_is_left_of_an_order_key_keeps_its_order,
            ]
        );
    };
}

fn ordered(number: u128, order_key: u128) -> QueueMessage {
    QueueMessage { order_key: id(order_key), ..message(number, 1) }
}

/// The surplus of lane 1, at most `limit`, as it is claimed call by call until the walk ends.
async fn surplus(queue: &dyn Queue, limit: usize) -> Vec<Vec<u128>> {
    let mut calls = Vec::new();
    let mut walk = Some(SurplusWalk::default());
    while let Some(from) = walk {
        let found = queue.claim_surplus(id(1), from, limit).await.expect("claim");
        assert!(found.claims.len() <= limit);
        walk = found.next;
        let numbers = found.claims.iter().map(|claim| {
            let number = claim.id.as_uuid().as_u128();
            assert_eq!((claim.lane, &claim.body), (id(1), &body(number)));
            number
        });
        calls.push(numbers.collect());
    }
    calls.retain(|claims: &Vec<u128>| !claims.is_empty());
    calls
}

pub async fn a_withdrawn_message_was_never_there(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 5), ordered(2, 5), message(3, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1, 3]);
    settle(&*queue, 1, Outcome::Withdraw).await;
    settle(&*queue, 3, Outcome::Withdraw).await;
    assert_eq!(claim(&*queue, 1, 1_000_000, 10).await, [2], "the next of the order key moves up");
    let standing = queue.standing(id(1), &[id(1), id(3)]).await.expect("standing");
    assert_eq!(standing, [None, None]);
    assert!(!queue.revive(id(1), at(0), body(1)).await.expect("revive"), "it is no dead letter");
    enqueue(&*queue, [message(1, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1], "it can be enqueued again");
    settle(&*queue, 1, Outcome::Complete).await;
    settle(&*queue, 2, Outcome::Complete).await;
    subject.restart().await;
    let queue = subject.port();
    enqueue(&*queue, [message(1, 1), message(3, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [3], "after a restart");
}

pub async fn what_is_given_back_is_as_it_was(subject: &mut Messages) {
    let queue = subject.port();
    let later = QueueMessage { due_at: at(500), ..ordered(1, 5) };
    enqueue(&*queue, [later, ordered(2, 5), message(3, 1)]).await;
    assert_eq!(claim(&*queue, 1, 500, 10).await, [3, 1]);
    queue.give_back(&[id(1), id(3), id(2), id(9)]).await;
    assert_eq!(claim(&*queue, 1, 499, 10).await, [3]);
    let claims = queue.claim(id(1), at(500), 10).await.expect("claim");
    assert_eq!((claims.len(), claims[0].id, &claims[0].body), (1, id(1), &body(1)));
    settle(&*queue, 1, Outcome::Complete).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [2]);
}

pub async fn lanes_with_more_than_half_of_their_share_are_crowded(subject: &mut Messages) {
    let queue = subject.port();
    let loads = async |queue: &dyn Queue| {
        let mut loads = queue.crowded().await.expect("crowded");
        loads.sort_unstable_by_key(|load| load.lane);
        loads.iter().map(|load| (load.lane.as_uuid().as_u128(), load.held, load.share)).collect::<Vec<_>>()
    };
    assert!(loads(&*queue).await.is_empty());
    enqueue(&*queue, (0..400).map(|n| message(n, 1))).await;
    enqueue(&*queue, (400..500).map(|n| message(n, 2))).await;
    let share = (CAPACITY - 500) / 3;
    assert_eq!(loads(&*queue).await, [(1, 400, share)]);
    assert_eq!(claim(&*queue, 1, 0, 200).await.len(), 200);
    assert_eq!(loads(&*queue).await, [(1, 400, share)], "what is claimed counts");
    let outcomes = (0..200).map(|number| (id(number), Outcome::Complete)).collect();
    queue.settle(outcomes).await.expect("settle");
    assert!(loads(&*queue).await.is_empty());
    enqueue(&*queue, (500..1_200).map(|n| message(n, 2))).await;
    assert_eq!(loads(&*queue).await, [(1, 200, (CAPACITY - 1_000) / 3), (2, 800, (CAPACITY - 1_000) / 3)]);
}

pub async fn the_middle_of_long_order_keys_is_surplus_first(subject: &mut Messages) {
    let queue = subject.port();
    // Keys in the order in which the walk comes by.
    enqueue(&*queue, (0..5).map(|n| ordered(10 + n, 1))).await;
    enqueue(&*queue, (0..3).map(|n| ordered(20 + n, 2))).await;
    enqueue(&*queue, (0..6).map(|n| ordered(30 + n, 3))).await;
    let found = queue.claim_surplus(id(1), SurplusWalk::default(), 100).await.expect("claim");
    let numbers: Vec<u128> = found.claims.iter().map(|claim| claim.id.as_uuid().as_u128()).collect();
    assert_eq!(numbers, [11, 12, 13, 14, 31, 32, 33, 34, 35]);
    queue.give_back(&numbers.iter().map(|number| id(*number)).collect::<Vec<_>>()).await;
    let calls = surplus(&*queue, 3).await;
    assert_eq!(calls[..2], [vec![11, 12, 13], vec![31, 32, 33]], "no key is begun twice");
}

pub async fn then_what_is_due_last(subject: &mut Messages) {
    let queue = subject.port();
    let due = |number, millis| QueueMessage { due_at: at(millis), ..message(number, 1) };
    enqueue(&*queue, [due(1, 100), due(2, 300), due(3, 200)]).await;
    enqueue(&*queue, [ordered(4, 7), ordered(5, 7), ordered(6, 7)]).await;
    enqueue(&*queue, [QueueMessage { lane: id(2), ..due(9, 900) }]).await;
    assert_eq!(surplus(&*queue, 2).await, [vec![2, 3], vec![1, 6]], "the last of an order key first");
    assert_eq!(claim(&*queue, 1, 1_000, 10).await, [4], "what is surplus is claimed");
    queue.give_back(&[id(1), id(2), id(3), id(6)]).await;
    assert_eq!(claim(&*queue, 1, 1_000, 10).await, [1, 3, 2]);
    assert_eq!(claim(&*queue, 2, 1_000, 10).await, [9], "other lanes are left alone");
}

pub async fn what_is_claimed_is_no_surplus(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (1..=5).map(|n| ordered(n, 7))).await;
    enqueue(&*queue, [message(8, 1), message(9, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 2).await, [1, 8]);
    assert_eq!(surplus(&*queue, 10).await, [vec![2, 3, 4, 5], vec![9]]);
    assert!(surplus(&*queue, 10).await.is_empty(), "nobody else gets it");
    assert!(claim(&*queue, 1, 1_000_000, 10).await.is_empty());
    settle(&*queue, 1, Outcome::Complete).await;
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "the next one is in other hands");
    let outcomes = [2, 3].map(|number| (id(number), Outcome::Withdraw)).into();
    queue.settle(outcomes).await.expect("settle");
    queue.give_back(&[id(5)]).await;
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "the one before is in other hands");
    queue.give_back(&[id(4)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [4]);
    settle(&*queue, 4, Outcome::Complete).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [5]);
}

pub async fn what_is_left_of_an_order_key_keeps_its_order(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (1..=5).map(|n| ordered(n, 7))).await;
    assert_eq!(surplus(&*queue, 10).await, [vec![2, 3, 4, 5], vec![1]]);
    settle(&*queue, 2, Outcome::Withdraw).await;
    queue.give_back(&[id(1), id(3), id(4), id(5)]).await;
    subject.restart().await;
    let queue = subject.port();
    for expected in [1, 3, 4, 5] {
        assert_eq!(claim(&*queue, 1, 0, 10).await, [expected]);
        settle(&*queue, expected, Outcome::Complete).await;
    }
    assert!(queue.crowded().await.expect("crowded").is_empty());
}
