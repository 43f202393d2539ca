//! The heartbeat log's contract.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use ports::heartbeat_log::{HeartbeatLog, LogEntry, LogError, LogReader};
use tokio::task::JoinSet;

use crate::sample::{at, frame, tick};
use crate::subject::Subject;

type Log = dyn Subject<dyn HeartbeatLog>;

const P: PartitionId = PartitionId(0);

#[macro_export]
macro_rules! heartbeat_log_suite {
    ($make:expr) => {
        $crate::run_suite!(
            heartbeat_log,
            $make,
            [
                what_is_appended_is_read_in_order,
                every_reader_sees_the_same_order,
                a_reader_begins_after_the_offset_it_names,
                a_reader_waits_for_the_next_entry,
                a_cancelled_read_loses_nothing,
                an_empty_log_says_so,
                the_extent_follows_the_log,
                opening_past_the_end_is_refused,
                what_is_expired_is_refused_by_name,
                offsets_go_on_after_everything_expired,
                acknowledged_frames_last,
                synced_ticks_last_and_no_offset_is_given_twice,
                ticks_are_read_live,
                partitions_are_apart,
            ]
        );
    };
}

async fn append(log: &Arc<dyn HeartbeatLog>, frame: Arc<Frame>) -> Offset {
    log.append(P, frame).await.expect("append")
}

async fn append_many(log: &Arc<dyn HeartbeatLog>, numbers: std::ops::RangeInclusive<u64>) -> Vec<Offset> {
    let mut offsets = Vec::new();
    for number in numbers {
        offsets.push(append(log, frame(number, sealed(number))).await);
    }
    offsets
}

fn sealed(number: u64) -> EventTime {
    at(i64::try_from(number).expect("small"))
}

async fn open(log: &Arc<dyn HeartbeatLog>, after: Offset) -> Box<dyn LogReader> {
    log.open(P, after).await.expect("open")
}

/// Reads up to the entry at `through`.
async fn read(reader: &mut Box<dyn LogReader>, through: Offset, limit: usize) -> Vec<LogEntry> {
    let mut entries: Vec<LogEntry> = Vec::new();
    while entries.last().is_none_or(|last| last.offset < through) {
        let next = tokio::time::timeout(Duration::from_secs(20), reader.next(limit)).await;
        let more = next.expect("an entry comes").expect("read");
        assert!((1..=limit).contains(&more.len()), "{} entries for a limit of {limit}", more.len());
        entries.extend(more);
    }
    entries
}

fn numbers(entries: &[LogEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.frame.as_ref().expect("a frame").number).collect()
}

pub async fn what_is_appended_is_read_in_order(subject: &mut Log) {
    let log = subject.port();
    let frames: Vec<Arc<Frame>> = (1..=25).map(|number| frame(number, sealed(number))).collect();
    let mut appended = Vec::new();
    for frame in &frames {
        appended.push(log.append(P, Arc::clone(frame)).await.expect("append"));
    }
    let last = *appended.last().expect("one");
    let entries = read(&mut open(&log, Offset::START).await, last, 4).await;
    assert_eq!(entries.len(), frames.len());
    for ((entry, frame), appended) in entries.iter().zip(&frames).zip(&appended) {
        assert_eq!(entry.frame.as_ref().expect("a frame"), frame);
        assert_eq!(entry.offset, *appended);
        let logged_at = log.logged_at(P, *appended).await.expect("logged at");
        assert_eq!(logged_at, Some(entry.logged_at));
    }
    assert!(entries.is_sorted_by(|a, b| a.offset < b.offset && a.logged_at <= b.logged_at));
}

pub async fn every_reader_sees_the_same_order(subject: &mut Log) {
    let log = subject.port();
    let mut early = open(&log, Offset::START).await;
    let mut writers = JoinSet::new();
    for number in 1..=64 {
        let log = Arc::clone(&log);
        writers.spawn(async move { append(&log, frame(number, sealed(number))).await });
    }
    let offsets: BTreeSet<Offset> = writers.join_all().await.into_iter().collect();
    assert_eq!(offsets.len(), 64, "each has its own offset");
    let last = *offsets.last().expect("one");
    let live = read(&mut early, last, 7).await;
    let late = read(&mut open(&log, Offset::START).await, last, 1_000).await;
    assert_eq!(numbers(&live), numbers(&late));
    assert_eq!(live.iter().map(|entry| entry.offset).collect::<BTreeSet<_>>(), offsets);
}

pub async fn a_reader_begins_after_the_offset_it_names(subject: &mut Log) {
    let log = subject.port();
    let offsets = append_many(&log, 1..=9).await;
    for (index, after) in offsets.iter().enumerate().take(8) {
        let entries = read(&mut open(&log, *after).await, offsets[8], 100).await;
        let first = u64::try_from(index).expect("small") + 2;
        assert_eq!(numbers(&entries), (first..=9).collect::<Vec<_>>());
    }
}

pub async fn a_reader_waits_for_the_next_entry(subject: &mut Log) {
    let log = subject.port();
    let [first] = append_many(&log, 1..=1).await[..] else { panic!("one") };
    let mut reader = open(&log, first).await;
    let waiting = async { reader.next(10).await.expect("read") };
    let writing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        append(&log, frame(2, sealed(2))).await
    };
    let (entries, offset) = tokio::join!(waiting, writing);
    assert_eq!(numbers(&entries), [2]);
    assert_eq!(entries[0].offset, offset);
}

pub async fn a_cancelled_read_loses_nothing(subject: &mut Log) {
    let log = subject.port();
    let mut reader = open(&log, Offset::START).await;
    let writer = Arc::clone(&log);
    let mut writing = JoinSet::new();
    writing.spawn(async move { append_many(&writer, 1..=200).await });
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let next = tokio::time::timeout(Duration::from_micros(200), reader.next(3)).await;
        if let Ok(entries) = next {
            seen.extend(numbers(&entries.expect("read")));
        }
    }
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
    writing.join_all().await;
}

pub async fn an_empty_log_says_so(subject: &mut Log) {
    let log = subject.port();
    let extent = log.extent(P).await.expect("extent");
    assert_eq!((extent.first, extent.last), (Offset(1), Offset::START));
    assert!(!extent.incarnation.is_empty());
    assert!(log.partitions() >= 1);
    let other = log.open(P, Offset(1)).await.err();
    assert!(matches!(other, Some(LogError::Ahead { last: Offset::START })), "{other:?}");
}

pub async fn the_extent_follows_the_log(subject: &mut Log) {
    let log = subject.port();
    let incarnation = log.extent(P).await.expect("extent").incarnation;
    append(&log, frame(1, sealed(900))).await;
    let last = append(&log, frame(2, sealed(300))).await;
    let extent = log.extent(P).await.expect("extent");
    assert_eq!(extent.last, last);
    subject.restart().await;
    let again = subject.port().extent(P).await.expect("extent");
    assert_eq!(again, extent);
    assert_eq!(again.incarnation, incarnation);
}

pub async fn opening_past_the_end_is_refused(subject: &mut Log) {
    let log = subject.port();
    let end = *append_many(&log, 1..=3).await.last().expect("one");
    assert!(log.open(P, end).await.is_ok());
    match log.open(P, end.next()).await.err() {
        Some(LogError::Ahead { last }) => assert_eq!(last, end),
        other => panic!("{other:?}"),
    }
}

pub async fn what_is_expired_is_refused_by_name(subject: &mut Log) {
    let log = subject.port();
    let old = append_many(&log, 1..=10).await;
    let mut behind = open(&log, old[3]).await;
    subject.expire_everything().await;
    let log = subject.port();
    let new = append_many(&log, 11..=12).await;
    for after in [Offset::START, old[0], old[8]] {
        match log.open(P, after).await.err() {
            Some(LogError::Expired { first }) => assert!(first > old[9] && first <= new[0]),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(behind.next(10).await, Err(LogError::Expired { .. })), "a reader that fell behind");
    let entries = read(&mut open(&log, old[9]).await, new[1], 10).await;
    assert_eq!(numbers(&entries), [11, 12]);
}

pub async fn offsets_go_on_after_everything_expired(subject: &mut Log) {
    let log = subject.port();
    let old = *append_many(&log, 1..=10).await.last().expect("one");
    subject.expire_everything().await;
    subject.restart().await;
    let log = subject.port();
    let extent = log.extent(P).await.expect("extent");
    assert_eq!((extent.first, extent.last), (old.next(), old));
    assert!(append(&log, frame(11, sealed(11))).await > old);
}

pub async fn acknowledged_frames_last(subject: &mut Log) {
    let log = subject.port();
    let before = append_many(&log, 1..=40).await;
    subject.restart().await;
    let log = subject.port();
    let after = append_many(&log, 41..=45).await;
    assert!(after[0] > before[39]);
    let entries = read(&mut open(&log, Offset::START).await, after[4], 16).await;
    assert_eq!(numbers(&entries), (1..=45).collect::<Vec<_>>());
    assert!(entries.is_sorted_by(|a, b| a.offset < b.offset));
}

pub async fn synced_ticks_last_and_no_offset_is_given_twice(subject: &mut Log) {
    let log = subject.port();
    append(&log, frame(1, sealed(0))).await;
    let mut last = Offset::START;
    for number in 2..=6 {
        let listening = Listening::Since(sealed((number - 2) * 500));
        last = append(&log, Arc::new(tick(number, sealed((number - 1) * 500), listening))).await;
    }
    log.sync(P, last).await.expect("sync");
    subject.restart().await;
    let log = subject.port();
    assert!(log.extent(P).await.expect("extent").last >= last);
    let next = append(&log, frame(7, sealed(3_000))).await;
    assert!(next > last);
    let entries = read(&mut open(&log, Offset::START).await, next, 100).await;
    let newest_tick = &entries[entries.len() - 2];
    assert_eq!(newest_tick.offset, last);
    assert_eq!(newest_tick.frame.as_ref().expect("a frame").sealed_at, sealed(2_500));
}

pub async fn ticks_are_read_live(subject: &mut Log) {
    let log = subject.port();
    let mut reader = open(&log, Offset::START).await;
    for number in 1..=4 {
        let appended = append(&log, Arc::new(tick(number, sealed(number * 500), Listening::First))).await;
        let entries = read(&mut reader, appended, 10).await;
        assert_eq!(entries.last().expect("one").offset, appended);
        assert_eq!(numbers(&entries), [number]);
    }
}

pub async fn partitions_are_apart(subject: &mut Log) {
    let log = subject.port();
    append_many(&log, 1..=3).await;
    if log.partitions() > 1 {
        let other = PartitionId(1);
        assert_eq!(log.extent(other).await.expect("extent").last, Offset::START);
        let appended = log.append(other, frame(9, sealed(9))).await.expect("append");
        let mut reader = log.open(other, Offset::START).await.expect("open");
        assert_eq!(numbers(&read(&mut reader, appended, 10).await), [9]);
    }
    let beyond = PartitionId(log.partitions());
    assert!(log.append(beyond, frame(1, sealed(1))).await.is_err());
}
