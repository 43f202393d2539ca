//! The state store's contract: who may write.

use model::ids::{Offset, PartitionId};
use ports::state_store::{Holder, Lease, StateError};

use super::state_store::{OwnedAndRead, commit};
use crate::sample::{START, head, monitor, state};
use crate::subject::Subject;

type Store = dyn Subject<dyn OwnedAndRead>;

const P: PartitionId = PartitionId(0);

#[macro_export]
macro_rules! leases_suite {
    ($make:expr) => {
        $crate::run_suite!(
            leases,
            $make,
            [
                a_partition_has_one_holder,
                its_own_holder_takes_it_anew_and_fences_itself,
                a_released_partition_is_free,
                a_stale_lease_can_do_nothing,
                whoever_asks_is_told_who_holds_a_partition,
                releasing_a_stale_lease_changes_nothing,
                partitions_are_held_apart,
                a_holder_comes_back_after_a_restart,
                the_dead_are_passed_over_by_the_token_of_their_lease,
                a_lease_that_was_renewed_meanwhile_is_not_passed_over,
            ]
        );
    };
}

pub async fn a_partition_has_one_holder(subject: &mut Store) {
    let store = subject.port();
    store.acquire(P, "first").await.expect("acquire");
    match store.acquire(P, "second").await {
        Err(StateError::Held { owner, .. }) => assert_eq!(owner, "first"),
        other => panic!("{other:?}"),
    }
}

pub async fn its_own_holder_takes_it_anew_and_fences_itself(subject: &mut Store) {
    let store = subject.port();
    let old = store.acquire(P, "first").await.expect("acquire");
    let new = store.acquire(P, "first").await.expect("acquire");
    assert_ne!(old.token, new.token);
    assert!(matches!(store.load_head(&old).await, Err(StateError::Fenced)));
    assert!(store.load_head(&new).await.is_ok());
}

pub async fn a_released_partition_is_free(subject: &mut Store) {
    let store = subject.port();
    let lease = store.acquire(P, "first").await.expect("acquire");
    store.release(&lease).await.expect("release");
    assert!(matches!(store.load_head(&lease).await, Err(StateError::Fenced)));
    store.acquire(P, "second").await.expect("acquire");
}

pub async fn whoever_asks_is_told_who_holds_a_partition(subject: &mut Store) {
    let store = subject.port();
    assert_eq!(store.holder(P).await.expect("holder"), None, "nobody ever did");
    let old = store.acquire(P, "first").await.expect("acquire");
    let lease = store.acquire(P, "first").await.expect("acquire");
    let holder = Some(Holder { owner: "first".into(), token: lease.token.clone() });
    assert_eq!(store.holder(P).await.expect("holder"), holder);
    assert_eq!(store.holder(PartitionId(1)).await.expect("holder"), None, "each for itself");
    store.release(&old).await.expect("release");
    assert_eq!(store.holder(P).await.expect("holder"), holder, "that one was no longer in force");
    store.release(&lease).await.expect("release");
    assert_eq!(store.holder(P).await.expect("holder"), None);
}

pub async fn a_stale_lease_can_do_nothing(subject: &mut Store) {
    let store = subject.port();
    let stale = store.acquire(P, "first").await.expect("acquire");
    store
        .commit(&stale, &commit(0, 1, 1, vec![(monitor(1), Some(state(1, Some(START))))]))
        .await
        .expect("commit");
    let lease = store.acquire(P, "first").await.expect("acquire");
    let made_up = Lease { partition: P, token: "1-made-up".into() };
    for lease in [&stale, &made_up] {
        let refused = [
            store.load_head(lease).await.err(),
            store.load_states(lease, None, 10).await.err(),
            store.due(lease, START.next(), 10).await.err(),
            store.commit(lease, &commit(1, 2, 2, Vec::new())).await.err(),
            store.outbox(lease, 10).await.err(),
            store.trim_outbox(lease, 10).await.err(),
            store.reset(lease).await.err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(StateError::Fenced)), "{error:?}");
        }
    }
    assert_eq!(store.load_head(&lease).await.expect("head"), head(1), "nothing was written");
}

pub async fn releasing_a_stale_lease_changes_nothing(subject: &mut Store) {
    let store = subject.port();
    let stale = store.acquire(P, "first").await.expect("acquire");
    let lease = store.acquire(P, "first").await.expect("acquire");
    store.release(&stale).await.expect("release");
    assert!(store.load_head(&lease).await.is_ok());
    assert!(matches!(store.acquire(P, "second").await, Err(StateError::Held { .. })));
}

pub async fn partitions_are_held_apart(subject: &mut Store) {
    let store = subject.port();
    let zero = store.acquire(P, "first").await.expect("acquire");
    let one = store.acquire(PartitionId(1), "second").await.expect("acquire");
    store.commit(&zero, &commit(0, 5, 1, vec![(monitor(1), Some(state(1, None)))])).await.expect("commit");
    assert_eq!(store.load_head(&one).await.expect("head").applied, Offset::START);
    assert!(store.load_states(&one, None, 10).await.expect("states").is_empty());
}

pub async fn a_holder_comes_back_after_a_restart(subject: &mut Store) {
    let store = subject.port();
    let old = store.acquire(P, "first").await.expect("acquire");
    subject.restart().await;
    let store = subject.port();
    let new = store.acquire(P, "first").await.expect("acquire");
    assert_ne!(old.token, new.token);
    assert!(matches!(store.commit(&old, &commit(0, 1, 1, Vec::new())).await, Err(StateError::Fenced)));
    assert!(store.commit(&new, &commit(0, 1, 1, Vec::new())).await.is_ok());
}

pub async fn the_dead_are_passed_over_by_the_token_of_their_lease(subject: &mut Store) {
    let store = subject.port();
    let dead = store.acquire(P, "first").await.expect("acquire");
    store.commit(&dead, &commit(0, 1, 1, Vec::new())).await.expect("commit");
    let Err(StateError::Held { owner, token }) = store.acquire(P, "second").await else {
        panic!("it is held")
    };
    assert_eq!((owner.as_str(), &token), ("first", &dead.token));
    let lease = store.take_over(P, &token, "second").await.expect("take over");
    assert!(matches!(store.commit(&dead, &commit(1, 2, 2, Vec::new())).await, Err(StateError::Fenced)));
    assert_eq!(store.load_head(&lease).await.expect("head"), head(1), "what the dead committed is there");
    store.commit(&lease, &commit(1, 2, 1, Vec::new())).await.expect("a new lease counts from 1");
    match store.acquire(P, "first").await {
        Err(StateError::Held { owner, token }) => {
            assert_eq!((owner.as_str(), token), ("second", lease.token))
        }
        other => panic!("{other:?}"),
    }
}

pub async fn a_lease_that_was_renewed_meanwhile_is_not_passed_over(subject: &mut Store) {
    let store = subject.port();
    let old = store.acquire(P, "first").await.expect("acquire");
    let renewed = store.acquire(P, "first").await.expect("acquire");
    match store.take_over(P, &old.token, "second").await {
        Err(StateError::Held { owner, token }) => {
            assert_eq!((owner.as_str(), &token), ("first", &renewed.token))
        }
        other => panic!("{other:?}"),
    }
    assert!(store.load_head(&renewed).await.is_ok());
    store.release(&renewed).await.expect("release");
    let lease = store.take_over(P, &old.token, "second").await.expect("nobody holds it");
    assert!(store.load_head(&lease).await.is_ok());
}
