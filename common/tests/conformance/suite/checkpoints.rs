//! The contract of the checkpoints.

use std::time::Duration;

use bytes::Bytes;
use common::model::ids::PartitionId;
use common::ports::checkpoints::CheckpointStore;
use tokio::task::JoinSet;

use crate::subject::Subject;

type Checkpoints = dyn Subject<dyn CheckpointStore>;

const P: PartitionId = PartitionId(0);

macro_rules! checkpoints_suite {
    ($make:expr) => {
        $crate::subject::run_suite!(
            checkpoints,
            $make,
            [
                what_was_never_put_is_not_there,
                what_is_put_is_got,
                the_newest_takes_the_place_of_the_earlier,
                partitions_have_checkpoints_of_their_own,
                large_checkpoints_come_back_whole,
                checkpoints_last,
                whoever_reads_meanwhile_finds_a_whole_one,
                a_put_that_is_given_up_leaves_a_whole_one,
            ]
        );
    };
}
pub(crate) use checkpoints_suite;

/// Bytes that no compression hides and that differ by their seed everywhere.
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

pub(crate) async fn what_was_never_put_is_not_there(subject: &mut Checkpoints) {
    assert_eq!(subject.port().get(P).await.expect("get"), None);
}

pub(crate) async fn what_is_put_is_got(subject: &mut Checkpoints) {
    let store = subject.port();
    for length in [0, 1, 1_000] {
        store.put(P, bytes(1, length)).await.expect("put");
        assert_eq!(store.get(P).await.expect("get"), Some(bytes(1, length)));
    }
}

pub(crate) async fn the_newest_takes_the_place_of_the_earlier(subject: &mut Checkpoints) {
    let store = subject.port();
    for (seed, length) in [(1, 400_000), (2, 10), (3, 300_000)] {
        store.put(P, bytes(seed, length)).await.expect("put");
        assert_eq!(store.get(P).await.expect("get"), Some(bytes(seed, length)));
    }
}

pub(crate) async fn partitions_have_checkpoints_of_their_own(subject: &mut Checkpoints) {
    let store = subject.port();
    store.put(P, bytes(1, 100)).await.expect("put");
    assert_eq!(store.get(PartitionId(1)).await.expect("get"), None);
    store.put(PartitionId(1), bytes(2, 100)).await.expect("put");
    assert_eq!(store.get(P).await.expect("get"), Some(bytes(1, 100)));
    assert_eq!(store.get(PartitionId(1)).await.expect("get"), Some(bytes(2, 100)));
}

pub(crate) async fn large_checkpoints_come_back_whole(subject: &mut Checkpoints) {
    let store = subject.port();
    let large = bytes(7, 8 << 20);
    store.put(P, large.clone()).await.expect("put");
    assert!(store.get(P).await.expect("get") == Some(large), "other bytes");
}

pub(crate) async fn checkpoints_last(subject: &mut Checkpoints) {
    let kept = bytes(5, 200_000);
    subject.port().put(P, kept.clone()).await.expect("put");
    subject.restart().await;
    assert!(subject.port().get(P).await.expect("get") == Some(kept), "other bytes");
}

pub(crate) async fn whoever_reads_meanwhile_finds_a_whole_one(subject: &mut Checkpoints) {
    const LENGTH: usize = 700_000;
    let store = subject.port();
    let known: Vec<Bytes> = (0..12).map(|seed| bytes(seed, LENGTH)).collect();
    store.put(P, known[0].clone()).await.expect("put");
    let mut writer = JoinSet::new();
    let (writing, written) = (std::sync::Arc::clone(&store), known.clone());
    writer.spawn(async move {
        for checkpoint in written {
            writing.put(P, checkpoint).await.expect("put");
        }
    });
    while writer.try_join_next().is_none() {
        let read = store.get(P).await.expect("get").expect("one");
        assert!(known.contains(&read), "a mixture of {} bytes", read.len());
    }
    assert!(store.get(P).await.expect("get").as_ref() == known.last(), "not the last");
}

pub(crate) async fn a_put_that_is_given_up_leaves_a_whole_one(subject: &mut Checkpoints) {
    let store = subject.port();
    let known: Vec<Bytes> = (0..6).map(|seed| bytes(seed, 3 << 20)).collect();
    store.put(P, known[0].clone()).await.expect("put");
    for (checkpoint, millis) in known.iter().zip([0, 1, 3, 10, 30, 100]) {
        let writing = store.put(P, checkpoint.clone());
        // Whether it is done by then does not matter.
        drop(tokio::time::timeout(Duration::from_millis(millis), writing).await);
        let read = store.get(P).await.expect("get").expect("one");
        assert!(known.contains(&read), "a mixture of {} bytes", read.len());
    }
}
