//! The delivery history's contract.

use common::model::delivery::{Delivery, DeliveryState};
use common::model::ids::DeliveryId;
use common::model::time::EventTime;
use common::ports::history::{DeliveryFilter, DeliveryHistory};

use crate::sample::{at, channel, delivery, monitor};
use crate::subject::Subject;

type Kept = dyn Subject<dyn DeliveryHistory>;

macro_rules! deliveries_suite {
    ($make:expr) => {
        $crate::subject::run_suite!(
            deliveries,
            $make,
            [
                a_delivery_is_what_was_put_last,
                lists_are_newest_first_and_paged,
                every_filter_that_is_given_holds,
                a_delivery_that_changes_its_state_changes_its_list,
                the_oldest_pending_one_is_known,
                the_newest_finished_and_all_open_ones_are_kept,
                deliveries_last,
            ]
        );
    };
}
pub(crate) use deliveries_suite;

const STATES: [DeliveryState; 3] = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead];

/// Every combination of three monitors, two channels and three states; several at each time.
fn many() -> Vec<Delivery> {
    let mut made = Vec::new();
    for n in 0..36_u8 {
        let state = STATES[usize::from(n % 3)];
        let (monitor, channel) = (monitor(u128::from(n / 3 % 3)), channel(u128::from(n / 9 % 2)));
        // Two share a time: the order is by id then.
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

pub(crate) async fn a_delivery_is_what_was_put_last(subject: &mut Kept) {
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

pub(crate) async fn lists_are_newest_first_and_paged(subject: &mut Kept) {
    let history = subject.port();
    let all = many();
    put(&*history, all.clone()).await;
    for limit in [1, 5, 100] {
        assert_eq!(list(&*history, DeliveryFilter::default(), limit).await, newest_first(all.clone()));
    }
}

pub(crate) async fn every_filter_that_is_given_holds(subject: &mut Kept) {
    let history = subject.port();
    let all = many();
    put(&*history, all.clone()).await;
    let monitors = [None, Some(monitor(1)), Some(monitor(99))];
    let channels = [None, Some(channel(0)), Some(channel(99))];
    let states = [None, Some(STATES[0]), Some(STATES[1]), Some(STATES[2])];
    for monitor in monitors {
        for channel in channels {
            for state in states {
                let filter = DeliveryFilter { monitor, channel, state };
                let holds = |delivery: &&Delivery| {
                    monitor.is_none_or(|monitor| delivery.alert.monitor() == Some(monitor))
                        && channel.is_none_or(|channel| delivery.channel == channel)
                        && state.is_none_or(|state| delivery.state == state)
                };
                let expected = newest_first(all.iter().filter(holds).cloned().collect());
                assert_eq!(list(&*history, filter, 2).await, expected, "{filter:?}");
            }
        }
    }
}

pub(crate) async fn a_delivery_that_changes_its_state_changes_its_list(subject: &mut Kept) {
    let history = subject.port();
    let mut sent = delivery(monitor(1), channel(1), at(1), DeliveryState::Dead);
    put(&*history, vec![sent.clone()]).await;
    let of = async |state| {
        let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
        list(&*history, filter, 10).await.len()
    };
    assert_eq!((of(DeliveryState::Dead).await, of(DeliveryState::Pending).await), (1, 0));
    sent.state = DeliveryState::Pending;
    put(&*history, vec![sent]).await;
    assert_eq!((of(DeliveryState::Dead).await, of(DeliveryState::Pending).await), (0, 1));
}

pub(crate) async fn the_oldest_pending_one_is_known(subject: &mut Kept) {
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

pub(crate) async fn the_newest_finished_and_all_open_ones_are_kept(subject: &mut Kept) {
    let history = subject.port();
    let open = [
        delivery(monitor(1), channel(1), at(0), DeliveryState::Pending),
        delivery(monitor(1), channel(2), at(0), DeliveryState::Dead),
    ];
    put(&*history, open.to_vec()).await;
    for round in 0..26 {
        let of_round = (0..500)
            .map(|n| delivery(monitor(2), channel(1), at(1 + round * 500 + n), DeliveryState::Delivered));
        put(&*history, of_round.collect()).await;
    }
    let all = list(&*history, DeliveryFilter::default(), 500).await;
    let finished: Vec<&Delivery> =
        all.iter().filter(|delivery| delivery.state == DeliveryState::Delivered).collect();
    assert!((10_000..=12_600).contains(&finished.len()), "{}", finished.len());
    assert_eq!(finished[9_999].created_at, at(3_001), "the newest are kept");
    for delivery in open {
        assert_eq!(history.get(delivery.id).await.expect("get"), Some(delivery));
    }
}

pub(crate) async fn deliveries_last(subject: &mut Kept) {
    let history = subject.port();
    put(&*history, many()).await;
    subject.restart().await;
    let history = subject.port();
    assert_eq!(list(&*history, DeliveryFilter::default(), 7).await, newest_first(many()));
}
