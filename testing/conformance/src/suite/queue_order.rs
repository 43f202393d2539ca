//! A queue's contract: order keys, retries, dead letters.

use bytes::Bytes;
use ports::queue::{DeadLetters, Outcome, QueueMessage, QueueWithDeadLetters, Standing};

use super::queue::{body, claim, enqueue, id, message, settle};
use crate::sample::at;
use crate::subject::Subject;

type Messages = dyn Subject<dyn QueueWithDeadLetters>;

#[macro_export]
macro_rules! queue_order_suite {
    ($make:expr) => {
        $crate::run_suite!(
            queue_order,
            $make,
            [
                the_later_of_an_order_key_waits_for_the_earlier,
                a_retry_keeps_its_place,
                a_buried_message_is_in_nobodys_way,
                a_parked_message_is_in_nobodys_way,
                how_a_message_stands_is_known,
                an_order_key_is_of_its_lane,
                the_later_waits_also_when_it_is_due_earlier,
                a_dead_letter_is_revived_once,
                dead_letters_are_listed_by_id,
                a_settlement_of_nothing_does_nothing,
                order_lasts,
            ]
        );
    };
}

fn ordered(number: u128, lane: u128, order_key: u128) -> QueueMessage {
    QueueMessage { order_key: id(order_key), ..message(number, lane) }
}

fn retry(number: u128, millis: i64) -> Outcome {
    Outcome::Retry { due_at: at(millis), body: body(number) }
}

pub async fn the_later_of_an_order_key_waits_for_the_earlier(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 1, 5), ordered(3, 1, 6), ordered(4, 1, 5)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1, 3]);
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "while the earlier is claimed");
    enqueue(&*queue, [ordered(5, 1, 5)]).await;
    assert!(claim(&*queue, 1, 0, 10).await.is_empty(), "one that came later still");
    for expected in [2, 4, 5] {
        let before = [1, 2, 4][[2, 4, 5].iter().position(|n| *n == expected).expect("listed")];
        settle(&*queue, before, Outcome::Complete).await;
        assert_eq!(claim(&*queue, 1, 0, 10).await, [expected]);
    }
}

pub async fn a_retry_keeps_its_place(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 1, 5)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1]);
    settle(&*queue, 1, retry(1, 500)).await;
    assert!(claim(&*queue, 1, 499, 10).await.is_empty(), "the later waits, though it is due");
    assert_eq!(claim(&*queue, 1, 500, 10).await, [1]);
    settle(&*queue, 1, retry(1, 600)).await;
    enqueue(&*queue, [ordered(3, 1, 5)]).await;
    assert_eq!(claim(&*queue, 1, 600, 10).await, [1]);
    settle(&*queue, 1, Outcome::Complete).await;
    assert_eq!(claim(&*queue, 1, 600, 10).await, [2]);
}

pub async fn a_buried_message_is_in_nobodys_way(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 1, 5)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1]);
    settle(&*queue, 1, Outcome::Bury).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [2]);
    settle(&*queue, 2, Outcome::Complete).await;
    assert!(claim(&*queue, 1, 1_000_000, 10).await.is_empty(), "it stays buried");
    assert!(queue.lanes(at(1_000_000)).await.expect("lanes").is_empty());
}

pub async fn a_parked_message_is_in_nobodys_way(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 1, 5)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1]);
    settle(&*queue, 1, Outcome::Park { due_at: at(500), body: body(11) }).await;
    assert_eq!(claim(&*queue, 1, 499, 10).await, [2], "the later goes on");
    settle(&*queue, 2, retry(2, 499)).await;
    subject.restart().await;
    let queue = subject.port();
    assert_eq!(claim(&*queue, 1, 499, 10).await, [2], "also after a restart");
    let claims = queue.claim(id(1), at(500), 10).await.expect("claim");
    assert_eq!((claims.len(), claims[0].id, &claims[0].body), (1, id(1), &body(11)));
    settle(&*queue, 1, Outcome::Complete).await;
    settle(&*queue, 2, Outcome::Complete).await;
    assert!(claim(&*queue, 1, 1_000_000, 10).await.is_empty());
}

pub async fn how_a_message_stands_is_known(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, (1..=5).map(|n| message(n, 1))).await;
    assert_eq!(claim(&*queue, 1, 0, 4).await, [1, 2, 3, 4]);
    settle(&*queue, 1, Outcome::Complete).await;
    settle(&*queue, 2, Outcome::Bury).await;
    settle(&*queue, 3, Outcome::Park { due_at: at(500), body: body(3) }).await;
    let (open, settled) = (Some(Standing::Open), Some(Standing::Settled));
    for when in ["now", "after a restart"] {
        let queue = subject.port();
        let asked: Vec<_> = (1..=6).map(id).collect();
        let standing = queue.standing(id(1), &asked).await.expect("standing");
        assert_eq!(standing, [settled, settled, open, open, open, None], "{when}");
        subject.restart().await;
    }
    let queue = subject.port();
    assert!(queue.revive(id(2), at(0), body(2)).await.expect("revive"));
    assert_eq!(queue.standing(id(1), &[id(2)]).await.expect("standing"), [open]);
}

#[macro_export]
macro_rules! queue_follows_suite {
    ($make:expr) => {
        $crate::run_suite!(queue_order, $make, [the_version_that_rows_follow_from_lasts]);
    };
}

/// Of stores that the ledger is not in.
pub async fn the_version_that_rows_follow_from_lasts(subject: &mut Messages) {
    let outcomes =
        [retry(1, 500), Outcome::Park { due_at: at(500), body: body(2) }, Outcome::Complete, Outcome::Bury];
    // Each way that a row is written, in a lane of its own.
    let lanes = 1..=5;
    let queue = subject.port();
    enqueue(&*queue, lanes.clone().map(|n| message(n, n))).await;
    for number in lanes.clone() {
        assert_eq!(claim(&*queue, number, 0, 10).await, [number]);
        assert_eq!(queue.followed(id(number)), 0);
        queue.follows(id(number), 70 + u64::try_from(number).expect("small"));
    }
    for (number, outcome) in (1..).zip(outcomes) {
        settle(&*queue, number, outcome).await;
    }
    enqueue(&*queue, [message(55, 5)]).await;
    assert!(queue.revive(id(4), at(500), body(4)).await.expect("revive"));
    for when in ["at once", "after a restart"] {
        let queue = subject.port();
        let more = if when == "at once" { 100 } else { 200 };
        enqueue(&*queue, lanes.clone().map(|n| message(more + n, n))).await;
        for number in lanes.clone() {
            let claimed = claim(&*queue, number, 0, 10).await;
            assert!(claimed.contains(&(more + number)), "{claimed:?}");
            let followed = queue.followed(id(number));
            assert_eq!(u128::from(followed), 70 + number, "of lane {number} {when}");
            queue.follows(id(number), 3);
        }
        subject.restart().await;
    }
}

pub async fn an_order_key_is_of_its_lane(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 2, 5)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1]);
    assert_eq!(claim(&*queue, 2, 0, 10).await, [2]);
}

pub async fn the_later_waits_also_when_it_is_due_earlier(subject: &mut Messages) {
    let queue = subject.port();
    let first = QueueMessage { due_at: at(500), ..ordered(1, 1, 5) };
    let second = QueueMessage { due_at: at(900), ..ordered(2, 1, 5) };
    enqueue(&*queue, [first, second, ordered(3, 1, 5)]).await;
    assert!(claim(&*queue, 1, 499, 10).await.is_empty());
    assert_eq!(claim(&*queue, 1, 500, 10).await, [1]);
    settle(&*queue, 1, Outcome::Complete).await;
    assert!(claim(&*queue, 1, 899, 10).await.is_empty(), "it has a time of its own");
    assert_eq!(claim(&*queue, 1, 900, 10).await, [2]);
    settle(&*queue, 2, Outcome::Complete).await;
    assert_eq!(claim(&*queue, 1, 900, 10).await, [3]);
}

pub async fn a_dead_letter_is_revived_once(subject: &mut Messages) {
    let queue = subject.port();
    assert!(!queue.revive(id(1), at(0), body(1)).await.expect("revive"), "there is none");
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 1, 5)]).await;
    assert!(!queue.revive(id(1), at(0), body(1)).await.expect("revive"), "it is not dead");
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1]);
    settle(&*queue, 1, Outcome::Bury).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [2]);
    assert!(queue.revive(id(1), at(300), body(77)).await.expect("revive"));
    assert!(!queue.revive(id(1), at(300), body(77)).await.expect("revive"), "it is dead no longer");
    settle(&*queue, 2, Outcome::Complete).await;
    assert!(claim(&*queue, 1, 299, 10).await.is_empty());
    let claims = queue.claim(id(1), at(300), 10).await.expect("claim");
    assert_eq!((claims[0].id, &claims[0].body), (id(1), &body(77)));
    settle(&*queue, 1, Outcome::Complete).await;
    assert!(!queue.revive(id(1), at(0), body(1)).await.expect("revive"), "it is completed");
}

/// Page by page: number, lane and body of each.
async fn dead_letters(queue: &dyn DeadLetters, limit: usize) -> Vec<(u128, u128, Bytes)> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = queue.dead_letters(after, limit).await.expect("dead letters");
        assert!(page.len() <= limit);
        let Some(last) = page.last() else { return listed };
        after = Some(last.id);
        listed.extend(
            page.into_iter()
                .map(|letter| (letter.id.as_uuid().as_u128(), letter.lane.as_uuid().as_u128(), letter.body)),
        );
    }
}

pub async fn dead_letters_are_listed_by_id(subject: &mut Messages) {
    let queue = subject.port();
    // Several lanes, neither enqueued nor buried in the order of their ids.
    enqueue(&*queue, (0..60).map(|n| message(n * 37 % 60, n % 7))).await;
    let lane_of = |number: u128| (0..60).find(|n| n * 37 % 60 == number).expect("it was enqueued") % 7;
    assert_eq!(dead_letters(&*queue, 10).await, [], "what waits is not dead");
    for lane in 0..7 {
        for number in claim(&*queue, lane, 0, 100).await {
            match number % 3 {
                0 => settle(&*queue, number, Outcome::Bury).await,
                1 => settle(&*queue, number, Outcome::Complete).await,
                _ => settle(&*queue, number, retry(number + 1_000, 500)).await,
            }
        }
    }
    let again = claim(&*queue, lane_of(2), 500, 1).await;
    settle(&*queue, again[0], Outcome::Bury).await;
    let mut expected: Vec<_> = (0..60).filter(|n| n % 3 == 0).map(|n| (n, lane_of(n), body(n))).collect();
    expected.push((again[0], lane_of(again[0]), body(again[0] + 1_000)));
    expected.sort_unstable();
    for limit in [1, 4, 100] {
        assert_eq!(dead_letters(&*queue, limit).await, expected, "in pages of {limit}");
    }
    subject.restart().await;
    let queue = subject.port();
    assert_eq!(dead_letters(&*queue, 10).await, expected, "after a restart");

    // A revived dead letter is not listed; its new body shows when it is dead again.
    for (number, outcome) in [(9, Outcome::Bury), (12, Outcome::Complete), (30, retry(30, 900))] {
        assert!(queue.revive(id(number), at(0), body(number + 2_000)).await.expect("revive"));
        let missing: Vec<_> = dead_letters(&*queue, 10).await;
        assert!(missing.iter().all(|(listed, _, _)| *listed != number), "{number} waits");
        assert_eq!(claim(&*queue, lane_of(number), 0, 10).await, [number]);
        settle(&*queue, number, outcome).await;
    }
    expected.retain(|(number, _, _)| ![12, 30].contains(number));
    for letter in expected.iter_mut().filter(|(number, _, _)| *number == 9) {
        letter.2 = body(2_009);
    }
    assert_eq!(dead_letters(&*queue, 10).await, expected);
    subject.restart().await;
    assert_eq!(dead_letters(&*subject.port(), 10).await, expected, "after another restart");
}

pub async fn a_settlement_of_nothing_does_nothing(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [message(1, 1)]).await;
    let outcomes = vec![(id(1), Outcome::Complete), (id(99), Outcome::Bury), (id(98), retry(98, 0))];
    queue.settle(outcomes).await.expect("settle");
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1], "it was not claimed then");
}

pub async fn order_lasts(subject: &mut Messages) {
    let queue = subject.port();
    enqueue(&*queue, [ordered(1, 1, 5), ordered(2, 1, 5), ordered(3, 1, 5)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1]);
    subject.restart().await;
    let queue = subject.port();
    for expected in [1, 2, 3] {
        let claimed = claim(&*queue, 1, 0, 10).await;
        // If a claim outlives its holder's restart for a while, the first is still claimed.
        assert!(claimed == [expected] || (expected == 1 && claimed.is_empty()), "{claimed:?}");
        settle(&*queue, expected, Outcome::Complete).await;
    }
}
