//! The contract of the checkpoints.

use std::time::Duration;

use bytes::Bytes;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use ports::checkpoints::{CheckpointPlace, CheckpointStore};
use tokio::task::JoinSet;

use crate::subject::Subject;

type Checkpoints = dyn Subject<dyn CheckpointStore>;

const P: PartitionId = PartitionId(0);
const PLACE: CheckpointPlace = place(1_000);

const fn place(applied: u64) -> CheckpointPlace {
    CheckpointPlace { applied: Offset(applied), watermark: EventTime::from_secs(1_795_000_000) }
}

#[macro_export]
macro_rules! checkpoints_suite {
    ($make:expr) => {
        $crate::run_suite!(
            checkpoints,
            $make,
            [
                what_was_never_put_is_not_there,
                what_is_put_is_got,
                one_at_the_same_place_is_replaced,
                partitions_have_checkpoints_of_their_own,
                places_are_told_oldest_first,
                what_is_removed_is_gone_and_nothing_else,
                large_checkpoints_come_back_whole,
                checkpoints_last,
                whoever_reads_meanwhile_finds_a_whole_one,
                a_put_that_is_given_up_leaves_a_whole_one,
            ]
        );
    };
}

/// Incompressible bytes, which differ everywhere by their seed.
fn bytes(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub async fn what_was_never_put_is_not_there(subject: &mut Checkpoints) {
    assert_eq!(subject.port().get(P, PLACE).await.expect("get"), None);
}

pub async fn what_is_put_is_got(subject: &mut Checkpoints) {
    let store = subject.port();
    for length in [0, 1, 1_000] {
        store.put(P, PLACE, bytes(1, length)).await.expect("put");
        assert_eq!(store.get(P, PLACE).await.expect("get"), Some(bytes(1, length)));
    }
}

pub async fn one_at_the_same_place_is_replaced(subject: &mut Checkpoints) {
    let store = subject.port();
    for (seed, length) in [(1, 400_000), (2, 10), (3, 300_000)] {
        store.put(P, PLACE, bytes(seed, length)).await.expect("put");
        assert_eq!(store.get(P, PLACE).await.expect("get"), Some(bytes(seed, length)));
    }
}

pub async fn partitions_have_checkpoints_of_their_own(subject: &mut Checkpoints) {
    let store = subject.port();
    store.put(P, PLACE, bytes(1, 100)).await.expect("put");
    assert_eq!(store.get(PartitionId(1), PLACE).await.expect("get"), None);
    store.put(PartitionId(1), PLACE, bytes(2, 100)).await.expect("put");
    assert_eq!(store.get(P, PLACE).await.expect("get"), Some(bytes(1, 100)));
    assert_eq!(store.get(PartitionId(1), PLACE).await.expect("get"), Some(bytes(2, 100)));
}

pub async fn places_are_told_oldest_first(subject: &mut Checkpoints) {
    let store = subject.port();
    assert_eq!(store.places(P).await.expect("places"), []);
    for applied in [9, 100, 20] {
        store.put(P, place(applied), bytes(applied, 50)).await.expect("put");
    }
    store.put(PartitionId(1), place(5), bytes(5, 50)).await.expect("put");
    store.put(PartitionId(11), place(6), bytes(6, 50)).await.expect("put");
    assert_eq!(store.places(P).await.expect("places"), [9, 20, 100].map(place));
    assert_eq!(store.places(PartitionId(1)).await.expect("places"), [place(5)]);
    for applied in [9, 20, 100] {
        assert_eq!(store.get(P, place(applied)).await.expect("get"), Some(bytes(applied, 50)));
    }
    subject.restart().await;
    assert_eq!(subject.port().places(P).await.expect("places"), [9, 20, 100].map(place));
}

pub async fn what_is_removed_is_gone_and_nothing_else(subject: &mut Checkpoints) {
    let store = subject.port();
    for applied in [1, 2] {
        store.put(P, place(applied), bytes(applied, 300_000)).await.expect("put");
    }
    store.put(PartitionId(1), place(1), bytes(9, 50)).await.expect("put");
    store.remove(P, place(1)).await.expect("remove");
    store.remove(P, place(1)).await.expect("remove again");
    assert_eq!(store.get(P, place(1)).await.expect("get"), None);
    assert_eq!(store.places(P).await.expect("places"), [place(2)]);
    assert!(store.get(P, place(2)).await.expect("get") == Some(bytes(2, 300_000)), "other bytes");
    assert_eq!(store.get(PartitionId(1), place(1)).await.expect("get"), Some(bytes(9, 50)));
}

pub async fn large_checkpoints_come_back_whole(subject: &mut Checkpoints) {
    let store = subject.port();
    let large = bytes(7, 8 << 20);
    store.put(P, PLACE, large.clone()).await.expect("put");
    assert!(store.get(P, PLACE).await.expect("get") == Some(large), "other bytes");
}

pub async fn checkpoints_last(subject: &mut Checkpoints) {
    let kept = bytes(5, 200_000);
    subject.port().put(P, PLACE, kept.clone()).await.expect("put");
    subject.restart().await;
    assert!(subject.port().get(P, PLACE).await.expect("get") == Some(kept), "other bytes");
}

pub async fn whoever_reads_meanwhile_finds_a_whole_one(subject: &mut Checkpoints) {
    const LENGTH: usize = 700_000;
    let store = subject.port();
    let known: Vec<Bytes> = (0..12).map(|seed| bytes(seed, LENGTH)).collect();
    store.put(P, PLACE, known[0].clone()).await.expect("put");
    let mut writer = JoinSet::new();
    let (writing, written) = (std::sync::Arc::clone(&store), known.clone());
    writer.spawn(async move {
        for checkpoint in written {
            writing.put(P, PLACE, checkpoint).await.expect("put");
        }
    });
    while writer.try_join_next().is_none() {
        let read = store.get(P, PLACE).await.expect("get").expect("one");
        assert!(known.contains(&read), "a mixture of {} bytes", read.len());
    }
    assert!(store.get(P, PLACE).await.expect("get").as_ref() == known.last(), "not the last");
}

pub async fn a_put_that_is_given_up_leaves_a_whole_one(subject: &mut Checkpoints) {
    let store = subject.port();
    let known: Vec<Bytes> = (0..6).map(|seed| bytes(seed, 3 << 20)).collect();
    store.put(P, PLACE, known[0].clone()).await.expect("put");
    for (checkpoint, millis) in known.iter().zip([0, 1, 3, 10, 30, 100]) {
        let writing = store.put(P, PLACE, checkpoint.clone());
        // The outcome is not checked here, because the write may or may not be done by then.
        drop(tokio::time::timeout(Duration::from_millis(millis), writing).await);
        let read = store.get(P, PLACE).await.expect("get").expect("one");
        assert!(known.contains(&read), "a mixture of {} bytes", read.len());
    }
}
