//! The delivery history's contract.

use model::delivery::{Delivery, DeliveryState};
use model::ids::DeliveryId;
use model::time::EventTime;
use ports::history::{DeliveryFilter, DeliveryHistory};

use crate::sample::{at, channel, delivery, monitor};
use crate::subject::Subject;

type Kept = dyn Subject<dyn DeliveryHistory>;

#[macro_export]
macro_rules! deliveries_suite {
    ($make:expr) => {
        $crate::run_suite!(
            deliveries,
            $make,
            [
                a_delivery_is_what_was_put_last,
                lists_are_newest_first_and_paged,
                every_filter_that_is_given_holds,
                a_delivery_that_changes_its_state_changes_its_list,
                the_oldest_pending_one_is_known,
                the_newest_finished_and_all_open_ones_are_kept,
                each_finished_state_is_kept_and_bounded_by_itself,
                deliveries_last,
            ]
        );
    };
}

/// Every combination of three monitors, two channels and all states; several at each time.
fn many() -> Vec<Delivery> {
    let mut made = Vec::new();
    for n in 0..60_u8 {
        let state = DeliveryState::ALL[usize::from(n % 5)];
        let (monitor, channel) = (monitor(u128::from(n / 5 % 3)), channel(u128::from(n / 15 % 2)));
        // Two share a time: they are ordered by id.
        made.push(delivery(monitor, channel, at(i64::from(n / 2)), state));
    }
    made.sort_by_key(|delivery| delivery.id);
    made.dedup_by_key(|delivery| delivery.id);
    made
}

async fn put(history: &dyn DeliveryHistory, deliveries: Vec<Delivery>) {
    history.put(deliveries).await.expect("put");
}

async fn list(history: &dyn DeliveryHistory, filter: DeliveryFilter, limit: usize) -> Vec<Delivery> {
    let mut listed: Vec<Delivery> = Vec::new();
    loop {
        let before: Option<(EventTime, DeliveryId)> = listed.last().map(|last| (last.created_at, last.id));
        let page = history.list(filter, before, limit).await.expect("list");
        assert!(page.len() <= limit);
        if page.is_empty() {
            return listed;
        }
        listed.extend(page);
    }
}

fn newest_first(mut deliveries: Vec<Delivery>) -> Vec<Delivery> {
    deliveries.sort_by_key(|delivery| std::cmp::Reverse((delivery.created_at, delivery.id)));
    deliveries
}

pub async fn a_delivery_is_what_was_put_last(subject: &mut Kept) {
    let history = subject.port();
    let mut sent = delivery(monitor(1), channel(1), at(1), DeliveryState::Pending);
    assert_eq!(history.get(sent.id).await.expect("get"), None);
    put(&*history, vec![sent.clone()]).await;
    assert_eq!(history.get(sent.id).await.expect("get"), Some(sent.clone()));
    sent.state = DeliveryState::Delivered;
    sent.next_attempt_at = None;
    sent.attempts.push(sent.attempts[0].clone());
    put(&*history, vec![sent.clone()]).await;
    assert_eq!(history.get(sent.id).await.expect("get"), Some(sent.clone()));
    assert_eq!(list(&*history, DeliveryFilter::default(), 10).await, [sent]);
}

pub async fn lists_are_newest_first_and_paged(subject: &mut Kept) {
    let history = subject.port();
    let all = many();
    put(&*history, all.clone()).await;
    for limit in [1, 5, 100] {
        assert_eq!(list(&*history, DeliveryFilter::default(), limit).await, newest_first(all.clone()));
    }
}

pub async fn every_filter_that_is_given_holds(subject: &mut Kept) {
    let history = subject.port();
    let all = many();
    put(&*history, all.clone()).await;
    let monitors = [None, Some(monitor(1)), Some(monitor(99))];
    let channels = [None, Some(channel(0)), Some(channel(99))];
    let states = || [None].into_iter().chain(DeliveryState::ALL.map(Some));
    for monitor in monitors {
        for channel in channels {
            for state in states() {
                let filter = DeliveryFilter { monitor, channel, state };
                let holds = |delivery: &&Delivery| {
                    monitor.is_none_or(|monitor| delivery.notice.monitor() == Some(monitor))
                        && channel.is_none_or(|channel| delivery.channel == channel)
                        && state.is_none_or(|state| delivery.state == state)
                };
                let expected = newest_first(all.iter().filter(holds).cloned().collect());
                assert_eq!(list(&*history, filter, 2).await, expected, "{filter:?}");
            }
        }
    }
}

pub async fn a_delivery_that_changes_its_state_changes_its_list(subject: &mut Kept) {
    let history = subject.port();
    let mut sent = delivery(monitor(1), channel(1), at(1), DeliveryState::Dead);
    for state in DeliveryState::ALL {
        sent.state = state;
        put(&*history, vec![sent.clone()]).await;
        for listed in DeliveryState::ALL {
            let filter = DeliveryFilter { state: Some(listed), ..DeliveryFilter::default() };
            let found = list(&*history, filter, 10).await.len();
            assert_eq!(found, usize::from(listed == state), "{state:?} among {listed:?}");
        }
    }
}

pub async fn the_oldest_pending_one_is_known(subject: &mut Kept) {
    let history = subject.port();
    assert_eq!(history.oldest_pending().await.expect("oldest"), None);
    let of = |n: u128, millis, state| delivery(monitor(n), channel(1), at(millis), state);
    let mut pending = vec![of(1, 500, DeliveryState::Pending), of(2, 300, DeliveryState::Pending)];
    let others = [of(3, 100, DeliveryState::Delivered), of(4, 200, DeliveryState::Dead)];
    put(&*history, pending.iter().chain(&others).cloned().collect()).await;
    assert_eq!(history.oldest_pending().await.expect("oldest"), Some(at(300)));
    pending[1].state = DeliveryState::Delivered;
    put(&*history, pending).await;
    assert_eq!(history.oldest_pending().await.expect("oldest"), Some(at(500)));
}

pub async fn the_newest_finished_and_all_open_ones_are_kept(subject: &mut Kept) {
    let history = subject.port();
    let open = [
        delivery(monitor(1), channel(1), at(0), DeliveryState::Pending),
        delivery(monitor(1), channel(2), at(0), DeliveryState::Dead),
    ];
    put(&*history, open.to_vec()).await;
    put_rounds(&*history, DeliveryState::Delivered, 26, 500).await;
    let finished = of_state(&*history, DeliveryState::Delivered).await;
    assert!((10_000..=12_600).contains(&finished.len()), "{}", finished.len());
    assert_eq!(finished[9_999].created_at, at(3_001), "the newest are kept");
    for delivery in open {
        assert_eq!(history.get(delivery.id).await.expect("get"), Some(delivery));
    }
}

/// Deliveries folded in a storm drive out no delivered ones; and their number is bounded though they come all
/// at once.
pub async fn each_finished_state_is_kept_and_bounded_by_itself(subject: &mut Kept) {
    let history = subject.port();
    put_rounds(&*history, DeliveryState::Delivered, 2, 500).await;
    put_rounds(&*history, DeliveryState::Suppressed, 1, 1_000).await;
    put_rounds(&*history, DeliveryState::Folded, 4, 8_000).await;
    put_rounds(&*history, DeliveryState::Suppressed, 4, 8_000).await;
    for (state, most) in [
        (DeliveryState::Delivered, 1_000),
        (DeliveryState::Folded, 20_000),
        (DeliveryState::Suppressed, 20_000),
    ] {
        let found = of_state(&*history, state).await;
        assert!((most.min(10_000)..=most).contains(&found.len()), "{state:?}: {}", found.len());
    }
    let folded = of_state(&*history, DeliveryState::Folded).await;
    assert_eq!(folded[9_999].created_at, at(22_001), "the newest are kept");
}

/// Puts rounds of deliveries, one each millisecond.
async fn put_rounds(history: &dyn DeliveryHistory, state: DeliveryState, rounds: i64, of: i64) {
    let to = channel(DeliveryState::ALL.iter().position(|known| *known == state).expect("known") as u128);
    for round in 0..rounds {
        let of_round = (0..of).map(|n| delivery(monitor(2), to, at(1 + round * of + n), state));
        put(history, of_round.collect()).await;
    }
}

async fn of_state(history: &dyn DeliveryHistory, state: DeliveryState) -> Vec<Delivery> {
    let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    list(history, filter, 500).await
}

pub async fn deliveries_last(subject: &mut Kept) {
    let history = subject.port();
    put(&*history, many()).await;
    subject.restart().await;
    let history = subject.port();
    assert_eq!(list(&*history, DeliveryFilter::default(), 7).await, newest_first(many()));
}
