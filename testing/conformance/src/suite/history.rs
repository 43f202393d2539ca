//! The history's contract: heartbeats and flips.

use bytes::Bytes;
use model::heartbeat::Heartbeat;
use model::ids::MonitorId;
use model::time::EventTime;
use ports::history::{HeartbeatEntry, History, HistoryBatch};

use crate::sample::{at, flip, heartbeat, monitor, with_output};
use crate::subject::Subject;

type Kept = dyn Subject<dyn History>;

/// Number of entries of a monitor that the subject keeps.
pub const PER_MONITOR: usize = 40;

#[macro_export]
macro_rules! history_suite {
    ($make:expr) => {
        $crate::run_suite!(
            history,
            $make,
            [
                heartbeats_are_paged_newest_first,
                flips_are_paged_newest_first,
                an_entry_written_twice_is_one,
                outputs_are_apart,
                the_newest_heartbeats_come_in_the_order_asked_for,
                at_least_the_newest_are_kept_and_not_many_more,
                of_a_removed_monitor_nothing_is_left,
                the_history_lasts,
            ]
        );
    };
}

fn heartbeats(of: MonitorId, millis: impl IntoIterator<Item = i64>) -> HistoryBatch {
    let heartbeats = millis.into_iter().map(|millis| heartbeat(of, at(millis))).collect();
    HistoryBatch { heartbeats, ..HistoryBatch::default() }
}

fn flips(of: MonitorId, numbers: impl IntoIterator<Item = i64>) -> HistoryBatch {
    let flip = |n: i64| flip(of, at(n * 10), u64::try_from(n).expect("positive"));
    HistoryBatch { flips: numbers.into_iter().map(flip).collect(), ..HistoryBatch::default() }
}

async fn times(history: &dyn History, of: MonitorId, before: Option<EventTime>, limit: usize) -> Vec<i64> {
    let entries = history.heartbeats(of, before, limit).await.expect("heartbeats");
    let start = at(0).as_millis();
    entries.iter().map(|entry| entry.heartbeat.received_at.as_millis() - start).collect()
}

pub async fn heartbeats_are_paged_newest_first(subject: &mut Kept) {
    let history = subject.port();
    assert!(times(&*history, monitor(1), None, 10).await.is_empty());
    history.append(heartbeats(monitor(1), [3, 1, 2])).await.expect("append");
    history.append(heartbeats(monitor(2), [9])).await.expect("append");
    history.append(heartbeats(monitor(1), [5, 4])).await.expect("append");
    assert_eq!(times(&*history, monitor(1), None, 10).await, [5, 4, 3, 2, 1]);
    assert_eq!(times(&*history, monitor(1), None, 2).await, [5, 4]);
    assert_eq!(times(&*history, monitor(1), Some(at(4)), 2).await, [3, 2]);
    assert_eq!(times(&*history, monitor(1), Some(at(1)), 2).await, [0_i64; 0]);
    let entry = &history.heartbeats(monitor(1), None, 1).await.expect("heartbeats")[0];
    let expected = HeartbeatEntry { heartbeat: heartbeat(monitor(1), at(5)), has_output: false };
    assert_eq!(*entry, expected);
}

pub async fn flips_are_paged_newest_first(subject: &mut Kept) {
    let history = subject.port();
    history.append(flips(monitor(1), 1..=5)).await.expect("append");
    history.append(flips(monitor(2), 6..=6)).await.expect("append");
    let sequences = async |before, limit| -> Vec<u64> {
        let flips = history.flips(monitor(1), before, limit).await.expect("flips");
        flips.into_iter().map(|flip| flip.sequence).collect()
    };
    assert_eq!(sequences(None, 10).await, [5, 4, 3, 2, 1]);
    assert_eq!(sequences(Some(at(40)), 2).await, [3, 2]);
    let newest = history.flips(monitor(2), None, 9).await.expect("flips");
    assert_eq!(newest, [flip(monitor(2), at(60), 6)]);
    assert!(history.flips(monitor(3), None, 9).await.expect("flips").is_empty());
}

pub async fn an_entry_written_twice_is_one(subject: &mut Kept) {
    let history = subject.port();
    for _ in 0..3 {
        let mut batch = heartbeats(monitor(1), [1, 2, 2]);
        batch.flips = flips(monitor(1), 1..=2).flips;
        history.append(batch).await.expect("append");
    }
    assert_eq!(times(&*history, monitor(1), None, 10).await, [2, 1]);
    assert_eq!(history.flips(monitor(1), None, 10).await.expect("flips").len(), 2);
}

pub async fn outputs_are_apart(subject: &mut Kept) {
    let history = subject.port();
    let sent: Vec<Heartbeat> = vec![
        with_output(monitor(1), at(1), b"\x00\xff disk full"),
        heartbeat(monitor(1), at(2)),
        with_output(monitor(1), at(3), b""),
    ];
    history.append(HistoryBatch { heartbeats: sent, ..HistoryBatch::default() }).await.expect("append");
    let output = async |millis| history.output(monitor(1), at(millis)).await.expect("output");
    assert_eq!(output(1).await, Some(Bytes::from_static(b"\x00\xff disk full")));
    assert_eq!(output(2).await, None);
    assert_eq!(output(3).await, Some(Bytes::new()));
    assert_eq!(output(4).await, None);
    let entries = history.heartbeats(monitor(1), None, 10).await.expect("heartbeats");
    assert_eq!(entries.iter().map(|entry| entry.has_output).collect::<Vec<_>>(), [true, false, true]);
    assert!(entries.iter().all(|entry| entry.heartbeat.output.is_none()));
}

pub async fn the_newest_heartbeats_come_in_the_order_asked_for(subject: &mut Kept) {
    let history = subject.port();
    history.append(heartbeats(monitor(1), [1, 2])).await.expect("append");
    history.append(heartbeats(monitor(3), [9, 7])).await.expect("append");
    let asked = [monitor(3), monitor(2), monitor(1), monitor(3)];
    let newest = history.newest(&asked).await.expect("newest");
    let found: Vec<_> = newest.iter().map(|entry| entry.as_ref().map(|e| e.heartbeat.received_at)).collect();
    assert_eq!(found, [Some(at(9)), None, Some(at(2)), Some(at(9))]);
}

pub async fn at_least_the_newest_are_kept_and_not_many_more(subject: &mut Kept) {
    let history = subject.port();
    for round in 0..50 {
        let of_round = round * 10 + 1..=round * 10 + 10;
        let mut batch = heartbeats(monitor(1), of_round.clone());
        batch.flips = flips(monitor(1), of_round).flips;
        batch.heartbeats.push(with_output(monitor(1), at(round * 10 + 5), b"kept or not"));
        history.append(batch).await.expect("append");
    }
    history.append(heartbeats(monitor(2), [1])).await.expect("append");
    let not_many_more = PER_MONITOR * 2;
    let kept = times(&*history, monitor(1), None, 1_000).await;
    assert!((PER_MONITOR..=not_many_more).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[..PER_MONITOR], (461..=500).rev().collect::<Vec<_>>());
    let kept = history.flips(monitor(1), None, 1_000).await.expect("flips");
    assert!((PER_MONITOR..=not_many_more).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].sequence, 500);
    assert_eq!(history.output(monitor(1), at(5)).await.expect("output"), None, "its output goes with it");
    assert_eq!(times(&*history, monitor(2), None, 10).await, [1], "each monitor for itself");
}

pub async fn of_a_removed_monitor_nothing_is_left(subject: &mut Kept) {
    let history = subject.port();
    for of in [monitor(1), monitor(2)] {
        let mut batch = heartbeats(of, 1..=9);
        batch.flips = flips(of, 1..=9).flips;
        batch.heartbeats.push(with_output(of, at(10), b"an output"));
        history.append(batch).await.expect("append");
    }
    let mut last = heartbeats(monitor(1), [20]);
    last.removed = vec![monitor(1), monitor(7)];
    history.append(last).await.expect("append");
    assert!(times(&*history, monitor(1), None, 100).await.is_empty());
    assert!(history.flips(monitor(1), None, 100).await.expect("flips").is_empty());
    assert_eq!(history.output(monitor(1), at(10)).await.expect("output"), None);
    assert_eq!(history.newest(&[monitor(1)]).await.expect("newest"), [None]);
    assert_eq!(times(&*history, monitor(2), None, 100).await.len(), 10);
    assert_eq!(history.flips(monitor(2), None, 100).await.expect("flips").len(), 9);
}

pub async fn the_history_lasts(subject: &mut Kept) {
    let history = subject.port();
    let mut batch = heartbeats(monitor(1), 1..=3);
    batch.flips = flips(monitor(1), 1..=3).flips;
    batch.heartbeats.push(with_output(monitor(1), at(4), b"an output"));
    history.append(batch).await.expect("append");
    subject.restart().await;
    let history = subject.port();
    assert_eq!(times(&*history, monitor(1), None, 10).await, [4, 3, 2, 1]);
    assert_eq!(history.flips(monitor(1), None, 10).await.expect("flips").len(), 3);
    let output = history.output(monitor(1), at(4)).await.expect("output");
    assert_eq!(output, Some(Bytes::from_static(b"an output")));
}
