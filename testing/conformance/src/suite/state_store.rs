//! The state store's contract: what is written and read.

use model::flip::Alert;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{Incident, MonitorState, OutboxAlert, PartitionHead, StateChange};
use ports::state_store::{Commit, MAX_COMMIT_MONITORS, StateError, StateReader, StateStore};

use crate::sample::{at, flip, head, monitor, state};
use crate::subject::Subject;

/// A state store as owners and as readers see it.
pub trait OwnedAndRead: StateStore + StateReader {}
impl<S: StateStore + StateReader> OwnedAndRead for S {}

type Store = dyn Subject<dyn OwnedAndRead>;

const P: PartitionId = PartitionId(0);

#[macro_export]
macro_rules! state_store_suite {
    ($make:expr) => {
        $crate::run_suite!(
            state_store,
            $make,
            [
                nothing_is_known_at_first,
                a_commit_is_seen_whole,
                a_repeated_commit_changes_nothing,
                a_commit_that_does_not_follow_is_refused,
                several_commits_may_stand_at_one_offset,
                a_commit_that_is_too_large_is_refused,
                what_is_due_comes_earliest_first,
                a_later_state_moves_its_wake_up,
                states_are_loaded_in_order_and_paged,
                the_outbox_is_trimmed_from_the_front,
                everything_lasts,
                a_reset_partition_is_empty_and_its_lease_goes_on,
                a_monitor_may_change_again_and_again,
                more_than_the_earliest_are_asked_for_at_once,
            ]
        );
    };
}

type Change = (MonitorId, Option<MonitorState>);

pub fn commit(follows: u64, applied: u64, number: u64, states: Vec<Change>) -> Commit {
    let states = states.into_iter().map(|(monitor, state)| StateChange { monitor, state }).collect();
    Commit { follows: Offset(follows), number, head: head(applied), states, outbox: Vec::new() }
}

fn alert(number: u64) -> OutboxAlert {
    OutboxAlert { number, alert: Alert::Flip(flip(monitor(number.into()), at(0), number)) }
}

fn armed(millis: i64) -> Option<MonitorState> {
    Some(state(1, Some(at(millis))))
}

fn unarmed(revision: u64) -> Option<MonitorState> {
    Some(state(revision, None))
}

pub async fn nothing_is_known_at_first(subject: &mut Store) {
    let store = subject.port();
    assert_eq!(store.head(P).await.expect("head"), PartitionHead::default());
    assert_eq!(store.states(P, &[monitor(1), monitor(2)]).await.expect("states"), [None, None]);
    let lease = store.acquire(P, "owner").await.expect("acquire");
    assert_eq!(store.load_head(&lease).await.expect("head"), PartitionHead::default());
    assert!(store.load_states(&lease, None, 10).await.expect("states").is_empty());
    assert!(store.due(&lease, at(1_000_000), 10).await.expect("due").is_empty());
    assert!(store.outbox(&lease, 10).await.expect("outbox").is_empty());
}

pub async fn a_commit_is_seen_whole(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let mut first = commit(0, 7, 1, vec![(monitor(1), unarmed(1)), (monitor(2), armed(500))]);
    first.outbox = vec![alert(1), alert(2)];
    store.commit(&lease, &first).await.expect("commit");
    assert_eq!(store.load_head(&lease).await.expect("head"), head(7));
    assert_eq!(store.head(P).await.expect("head"), head(7));
    let asked = [monitor(2), monitor(9), monitor(1)];
    assert_eq!(store.states(P, &asked).await.expect("states"), [armed(500), None, unarmed(1)]);
    assert_eq!(store.due(&lease, at(501), 10).await.expect("due"), [monitor(2)]);
    assert_eq!(store.outbox(&lease, 10).await.expect("outbox"), [alert(1), alert(2)]);

    store
        .commit(&lease, &commit(7, 9, 2, vec![(monitor(2), None), (monitor(3), None)]))
        .await
        .expect("commit");
    assert_eq!(store.states(P, &asked).await.expect("states"), [None, None, unarmed(1)]);
    assert!(store.due(&lease, at(501), 10).await.expect("due").is_empty());
    assert_eq!(store.outbox(&lease, 10).await.expect("outbox").len(), 2, "the outbox stays");
}

pub async fn a_repeated_commit_changes_nothing(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let mut first = commit(0, 7, 1, vec![(monitor(1), armed(100))]);
    first.outbox = vec![alert(1)];
    store.commit(&lease, &first).await.expect("commit");
    store.trim_outbox(&lease, 1).await.expect("trim");
    store.commit(&lease, &first).await.expect("the same again");
    assert!(store.outbox(&lease, 10).await.expect("outbox").is_empty(), "what was trimmed stays away");
    let second = commit(7, 7, 2, vec![(monitor(1), armed(200))]);
    store.commit(&lease, &second).await.expect("commit");
    store.commit(&lease, &second).await.expect("the same again");
    store.commit(&lease, &first).await.expect("an older one again");
    assert_eq!(store.states(P, &[monitor(1)]).await.expect("states"), [armed(200)]);
    assert_eq!(store.load_head(&lease).await.expect("head"), head(7));
}

pub async fn a_commit_that_does_not_follow_is_refused(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    store.commit(&lease, &commit(0, 7, 1, Vec::new())).await.expect("commit");
    for follows in [0, 6, 8] {
        let mut wrong = commit(follows, 9, 2, vec![(monitor(1), armed(100))]);
        wrong.outbox = vec![alert(1)];
        match store.commit(&lease, &wrong).await {
            Err(StateError::OutOfOrder { found }) => assert_eq!(found, Offset(7)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.load_head(&lease).await.expect("head"), head(7));
    assert_eq!(store.states(P, &[monitor(1)]).await.expect("states"), [None]);
    assert!(store.due(&lease, at(200), 10).await.expect("due").is_empty());
    assert!(store.outbox(&lease, 10).await.expect("outbox").is_empty());
    let right = commit(7, 9, 2, vec![(monitor(1), armed(100))]);
    store.commit(&lease, &right).await.expect("the refused ones used up no number");
    assert_eq!(store.load_head(&lease).await.expect("head"), head(9));
}

pub async fn several_commits_may_stand_at_one_offset(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    for number in 1..=3 {
        let change = vec![(monitor(number.into()), unarmed(number))];
        let follows = if number == 1 { 0 } else { 5 };
        store.commit(&lease, &commit(follows, 5, number, change)).await.expect("commit");
    }
    assert_eq!(store.load_states(&lease, None, 10).await.expect("states").len(), 3);
}

pub async fn a_commit_that_is_too_large_is_refused(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let of_size = |count: usize| {
        let changes = (0..count).map(|n| (monitor(n as u128), armed(100))).collect();
        commit(0, 1, 1, changes)
    };
    let most = store.max_commit_monitors();
    assert!(most >= MAX_COMMIT_MONITORS, "every store takes so many");
    match store.commit(&lease, &of_size(most + 1)).await {
        Err(StateError::TooLarge { found, most: told }) => assert_eq!((found, told), (most + 1, most)),
        other => panic!("{other:?}"),
    }
    assert!(store.load_states(&lease, None, 10).await.expect("states").is_empty());
    store.commit(&lease, &of_size(most)).await.expect("commit");
    let due = store.due(&lease, at(101), usize::MAX).await.expect("due");
    assert_eq!(due.len(), most);
}

pub async fn what_is_due_comes_earliest_first(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let times = [(1, 300), (2, 100), (3, 500), (4, 200), (5, 400)];
    let mut changes: Vec<Change> = times.iter().map(|(n, millis)| (monitor(*n), armed(*millis))).collect();
    changes.push((monitor(6), unarmed(1)));
    store.commit(&lease, &commit(0, 1, 1, changes)).await.expect("commit");
    let due = async |up_to: i64, limit| store.due(&lease, at(up_to), limit).await.expect("due");
    assert!(due(100, 10).await.is_empty(), "before, not at");
    assert_eq!(due(101, 10).await, [monitor(2)]);
    assert_eq!(due(400, 10).await, [monitor(2), monitor(4), monitor(1)]);
    assert_eq!(due(1_000, 2).await, [monitor(2), monitor(4)]);
    assert_eq!(due(1_000, 10).await.len(), 5);
    assert_eq!(due(1_000, 10).await.len(), 5, "asking takes nothing away");
}

pub async fn a_later_state_moves_its_wake_up(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let changes = vec![(monitor(1), armed(100)), (monitor(2), armed(200)), (monitor(3), armed(300))];
    store.commit(&lease, &commit(0, 1, 1, changes)).await.expect("commit");
    let changes = vec![(monitor(1), armed(400)), (monitor(2), unarmed(2)), (monitor(3), armed(50))];
    store.commit(&lease, &commit(1, 2, 2, changes)).await.expect("commit");
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(3), monitor(1)]);
    store.commit(&lease, &commit(2, 3, 3, vec![(monitor(3), None)])).await.expect("commit");
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(1)]);
}

pub async fn states_are_loaded_in_order_and_paged(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let ids = [9_u128, 2, 1 << 100, 40, 7, 1 << 64];
    let changes = ids.iter().map(|n| (monitor(*n), unarmed(1))).collect();
    store.commit(&lease, &commit(0, 1, 1, changes)).await.expect("commit");
    let mut ordered = ids.map(monitor);
    ordered.sort_unstable();
    for limit in [1, 4, 100] {
        let mut loaded: Vec<MonitorId> = Vec::new();
        loop {
            let page = store.load_states(&lease, loaded.last().copied(), limit).await.expect("states");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            loaded.extend(page.into_iter().map(|(monitor, _)| monitor));
        }
        assert_eq!(loaded, ordered, "pages of {limit}");
    }
}

pub async fn the_outbox_is_trimmed_from_the_front(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let mut first = commit(0, 1, 1, Vec::new());
    first.outbox = (1..=3).map(alert).collect();
    let mut second = commit(1, 2, 2, Vec::new());
    second.outbox = (4..=12).map(alert).collect();
    store.commit(&lease, &first).await.expect("commit");
    store.commit(&lease, &second).await.expect("commit");
    let numbers = async |limit| -> Vec<u64> {
        let alerts = store.outbox(&lease, limit).await.expect("outbox");
        alerts.into_iter().map(|alert| alert.number).collect()
    };
    assert_eq!(numbers(100).await, (1..=12).collect::<Vec<_>>());
    assert_eq!(numbers(2).await, [1, 2]);
    store.trim_outbox(&lease, 0).await.expect("trim");
    store.trim_outbox(&lease, 9).await.expect("trim");
    assert_eq!(numbers(100).await, [10, 11, 12]);
    store.trim_outbox(&lease, 99).await.expect("trim");
    assert!(numbers(100).await.is_empty());
}

pub async fn everything_lasts(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let mut first = commit(0, 7, 1, vec![(monitor(1), armed(300)), (monitor(2), armed(100))]);
    first.outbox = vec![alert(1), alert(2)];
    store.commit(&lease, &first).await.expect("commit");
    store.commit(&lease, &commit(7, 8, 2, vec![(monitor(1), armed(50))])).await.expect("commit");
    store.trim_outbox(&lease, 1).await.expect("trim");
    subject.restart().await;
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    assert_eq!(store.load_head(&lease).await.expect("head"), head(8));
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(1), monitor(2)]);
    assert_eq!(
        store.load_states(&lease, None, 1).await.expect("states"),
        [(monitor(1), armed(50).expect("one"))]
    );
    assert_eq!(store.outbox(&lease, 10).await.expect("outbox"), [alert(2)]);
    store.commit(&lease, &commit(8, 9, 1, Vec::new())).await.expect("a new lease counts from 1");
    assert_eq!(store.head(P).await.expect("head"), head(9));
}

pub async fn a_reset_partition_is_empty_and_its_lease_goes_on(subject: &mut Store) {
    let store = subject.port();
    let other = store.acquire(PartitionId(1), "owner").await.expect("acquire");
    let elsewhere = commit(0, 3, 1, vec![(monitor(9), armed(100))]);
    store.commit(&other, &elsewhere).await.expect("commit");
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let mut first = commit(0, 7, 1, vec![(monitor(1), armed(100)), (monitor(2), armed(200))]);
    first.outbox = vec![alert(1)];
    store.commit(&lease, &first).await.expect("commit");
    store.reset(&lease).await.expect("reset");
    assert_eq!(store.load_head(&lease).await.expect("head"), PartitionHead::default());
    assert!(store.load_states(&lease, None, 10).await.expect("states").is_empty());
    assert!(store.due(&lease, at(1_000), 10).await.expect("due").is_empty());
    assert!(store.outbox(&lease, 10).await.expect("outbox").is_empty());
    assert_eq!(store.states(P, &[monitor(1)]).await.expect("states"), [None]);
    store.commit(&lease, &first).await.expect("answered like the first time");
    assert!(store.load_states(&lease, None, 10).await.expect("states").is_empty(), "it was made before");
    store.commit(&lease, &commit(0, 5, 2, vec![(monitor(2), armed(200))])).await.expect("from the start");
    assert_eq!(store.due(&lease, at(1_000), 10).await.expect("due"), [monitor(2)]);
    assert_eq!(store.load_head(&lease).await.expect("head"), head(5));
    assert_eq!(store.head(PartitionId(1)).await.expect("head"), head(3), "the others are left alone");
    assert_eq!(store.due(&other, at(1_000), 10).await.expect("due"), [monitor(9)]);
}

pub async fn a_monitor_may_change_again_and_again(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    let with_incident = |millis| {
        let down = flip(monitor(1), at(millis), 1);
        let incident = Some(Box::new(Incident { down, reminders: 0, reminded_at: at(millis) }));
        Some(MonitorState { incident, ..armed(millis).expect("a state") })
    };
    let undefined = || Some(MonitorState { definition: None, ..unarmed(0).expect("a state") });
    let changes =
        [armed(100), armed(200), with_incident(200), armed(300), unarmed(1), undefined(), None, armed(50)];
    for (number, state) in (1..).zip(changes) {
        let change = commit(number - 1, number, number, vec![(monitor(1), state.clone())]);
        store.commit(&lease, &change).await.expect("commit");
        let read = store.states(P, &[monitor(1)]).await.expect("states");
        assert_eq!(read, std::slice::from_ref(&state), "change {number}");
        let loaded = store.load_states(&lease, None, 10).await.expect("states");
        assert_eq!(loaded.into_iter().map(|(_, state)| Some(state)).next().unwrap_or(None), state);
        let due = store.due(&lease, at(1_000), 10).await.expect("due");
        let is_armed = state.is_some_and(|state| state.armed_at.is_some());
        assert_eq!(due.len(), usize::from(is_armed), "change {number}");
    }
}

pub async fn more_than_the_earliest_are_asked_for_at_once(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "owner").await.expect("acquire");
    // Many at the same time: they come in the order of their ids.
    let changes: Vec<Change> =
        (0..1_000).map(|n: i64| (monitor(n.unsigned_abs().into()), armed(100 + n % 3))).collect();
    store.commit(&lease, &commit(0, 1, 1, changes)).await.expect("commit");
    let mut expected: Vec<(i64, MonitorId)> =
        (0..1_000).map(|n: i64| (n % 3, monitor(n.unsigned_abs().into()))).collect();
    expected.sort_unstable();
    let expected: Vec<MonitorId> = expected.into_iter().map(|(_, monitor)| monitor).collect();
    for limit in [1, 7, 100, 333, 334, 335, 999, 1_000, 1_001] {
        let due = store.due(&lease, at(1_000), limit).await.expect("due");
        assert_eq!(due, expected[..limit.min(1_000)], "the first {limit}");
    }
}
