//! Ticks cost the disk little, and folded ticks say the same as single ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::ids::{Offset, PartitionId};
use model::time::{EventTime, Interval, TimeRules};
use model::wire::frame::{Frame, Listening};
use ports::clock::{Clock, ManualClock};
use ports::heartbeat_log::{HeartbeatLog, LogEntry, LogError};
use proptest::prelude::*;

use crate::directory::image;
use conformance::sample::{START, at, frame, heartbeat, monitor, tick, with_output};
use doubles::eventually;

const P: PartitionId = PartitionId(0);
const HALF: Duration = Duration::from_millis(500);

fn open(dir: &Path, clock: &Arc<ManualClock>) -> SqliteBackend {
    SqliteBackend::open(SqliteOptions::new(dir), Arc::clone(clock) as _).expect("open")
}

async fn read(log: &dyn HeartbeatLog, after: Offset) -> Vec<LogEntry> {
    let last = log.extent(P).await.expect("extent").last;
    let mut reader = log.open(P, after).await.expect("open");
    let mut entries: Vec<LogEntry> = Vec::new();
    while entries.last().map_or(after, |entry| entry.offset) < last {
        entries.extend(reader.next(100).await.expect("read"));
    }
    entries
}

/// Appends vouching ticks, half a second apart; answers the last offset.
async fn append_ticks(log: &dyn HeartbeatLog, clock: &ManualClock, count: u64) -> Offset {
    let mut last = Offset::START;
    for number in 0..count {
        let since = clock.now();
        clock.advance(HALF);
        let frame = tick(number + 2, clock.now(), Listening::Since(since));
        last = log.append(P, Arc::new(frame)).await.expect("append");
    }
    last
}

#[tokio::test]
async fn ticks_are_not_written_one_by_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let backend = open(dir.path(), &clock);
    let log = backend.log();
    log.append(P, frame(1, START)).await.expect("append");
    let written = || std::fs::metadata(dir.path().join("log.db-wal")).expect("a file").len();
    let before = written();
    let last = append_ticks(&*log, &clock, 12).await;
    assert_eq!(written(), before, "nothing reached the disk");
    assert_eq!(read(&*log, Offset::START).await.len(), 13, "live readers see each");
    log.sync(P, last).await.expect("sync");
    let one_entry = written() - before;
    assert!(one_entry > 0 && one_entry <= 3 * 4_200, "one small transaction, {one_entry} bytes");
    backend.close().await.expect("close");
    let backend = open(dir.path(), &clock);
    let entries = read(&*backend.log(), Offset::START).await;
    let folded = entries[1].frame.as_ref().expect("a frame");
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].offset, folded.number, folded.sealed_at), (last, 13, at(6_000)));
    assert_eq!(folded.listening, Listening::Folded(START));
    backend.close().await.expect("close");
}

#[tokio::test]
async fn ticks_are_written_before_what_follows_them_and_at_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let backend = open(dir.path(), &clock);
    append_ticks(&*backend.log(), &clock, 3).await;
    let appended = backend.log().append(P, frame(9, clock.now())).await.expect("append");
    let copy = image(dir.path());
    let crashed = open(copy.path(), &clock);
    let offsets: Vec<Offset> =
        read(&*crashed.log(), Offset::START).await.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, [Offset(3), appended]);
    let last = append_ticks(&*backend.log(), &clock, 3).await;
    backend.close().await.expect("close");
    let backend = open(dir.path(), &clock);
    assert_eq!(backend.log().extent(P).await.expect("extent").last, last);
}

#[tokio::test]
async fn a_crash_loses_ticks_that_nobody_asked_for_and_gives_no_committed_offset_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let backend = open(dir.path(), &clock);
    let log = backend.log();
    log.append(P, frame(1, START)).await.expect("append");
    let committed = append_ticks(&*log, &clock, 4).await;
    log.sync(P, committed).await.expect("sync");
    append_ticks(&*log, &clock, 4).await;
    let copy = image(dir.path());
    let crashed = open(copy.path(), &clock);
    let extent = crashed.log().extent(P).await.expect("extent");
    assert_eq!(extent.last, committed);
    let next = crashed.log().append(P, frame(2, clock.now())).await.expect("append");
    assert!(next > committed);
    let entries = read(&*crashed.log(), committed).await;
    assert_eq!(entries[0].frame.as_ref().expect("a frame").number, 2);
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_passes() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let options = SqliteOptions {
        max_log_pages: Some(60),
        retention: Duration::from_secs(60),
        expire_every: Duration::from_millis(10),
        ..SqliteOptions::new(dir.path())
    };
    let backend = SqliteBackend::open(options, Arc::clone(&clock) as _).expect("open");
    let log = backend.log();
    let large = |number| {
        let mut frame = tick(number, clock.now(), Listening::First);
        frame.heartbeats.push(with_output(monitor(1), clock.now(), &[7; 10_000]));
        Arc::new(frame)
    };
    let mut kept = Vec::new();
    let error = loop {
        match log.append(P, large(kept.len() as u64 + 1)).await {
            Ok(appended) => kept.push(appended),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LogError::Full(_)), "{error:?}");
    assert!(error.is_transient() && kept.len() > 5);
    let refused = log.append(P, large(99)).await;
    assert!(matches!(refused, Err(LogError::Full(_))), "{refused:?}");
    let offsets = |entries: &[LogEntry]| entries.iter().map(|entry| entry.offset).collect::<Vec<_>>();
    assert_eq!(offsets(&read(&*log, Offset::START).await), kept, "nothing of the refused was recorded");
    clock.advance(Duration::from_secs(61));
    let again = eventually("there is room again", async || log.append(P, large(50)).await.ok()).await;
    assert!(again > *kept.last().expect("one"));
    backend.close().await.expect("close");
}

/// What a log says about listening, by the rules of one process: the time vouched for, and the newest seal.
fn said(entries: &[LogEntry]) -> (Vec<Interval>, Option<EventTime>) {
    let mut spans: Vec<Interval> = Vec::new();
    let mut newest = None;
    for entry in entries {
        let frame = entry.frame.as_ref().expect("a frame");
        newest = newest.max(Some(frame.sealed_at));
        let in_time = frame.refused == 0 && frame.sealed_at <= entry.logged_at;
        let since = match frame.listening {
            Listening::Since(since) if frame.sealed_at.since(since) <= TimeRules::EMBEDDED.silence => since,
            Listening::Folded(since) => since,
            Listening::Since(_) | Listening::First | Listening::No => continue,
        };
        if in_time && since < frame.sealed_at {
            spans.push(Interval { start: since, end: frame.sealed_at });
        }
    }
    spans.sort_by_key(|span| span.start);
    let mut union: Vec<Interval> = Vec::new();
    for span in spans {
        match union.last_mut().filter(|last| last.end >= span.start) {
            Some(last) => last.end = last.end.max(span.end),
            None => union.push(span),
        }
    }
    (union, newest)
}

fn within(inner: &[Interval], outer: &[Interval]) -> bool {
    inner.iter().all(|span| outer.iter().any(|other| other.start <= span.start && span.end <= other.end))
}

#[derive(Debug, Clone)]
struct Step {
    pause: u64,
    listening: u8,
    boot: u64,
    ahead: u64,
    heartbeats: bool,
    refused: bool,
    sync: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let often = prop_oneof![6 => Just(500_u64), 1 => 0..1_500_u64];
    let step = (often, 0..12_u8, 0..20_u64, 0..15_u64, 0..12_u8, 0..20_u8, 0..10_u8);
    let step = step.prop_map(|(pause, listening, boot, ahead, heartbeats, refused, sync)| Step {
        pause,
        listening,
        boot: u64::from(boot == 0),
        ahead: if ahead == 0 { 300 } else { 0 },
        heartbeats: heartbeats == 0,
        refused: refused == 0,
        sync: sync == 0,
    });
    prop::collection::vec(step, 1..80)
}

fn made(step: &Step, number: u64, now: EventTime, previous: EventTime) -> Frame {
    let sealed_at = now + Duration::from_millis(step.ahead);
    let listening = match step.listening {
        0 => Listening::First,
        1 => Listening::No,
        2 => Listening::Since(previous - Duration::from_millis(100)),
        _ => Listening::Since(previous),
    };
    let mut frame = tick(number, sealed_at, listening);
    frame.boot = step.boot;
    frame.refused = u64::from(step.refused);
    if step.heartbeats {
        frame.heartbeats.push(heartbeat(monitor(1), now));
    }
    frame
}

async fn folding_says_the_same(steps: Vec<Step>) {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let backend = open(dir.path(), &clock);
    let log = backend.log();
    let mut previous = START;
    for (number, step) in (1..).zip(&steps) {
        clock.advance(Duration::from_millis(step.pause));
        let frame = made(step, number, clock.now(), previous);
        previous = frame.sealed_at;
        let appended = log.append(P, Arc::new(frame)).await.expect("append");
        if step.sync {
            log.sync(P, appended).await.expect("sync");
        }
    }
    let single = read(&*log, Offset::START).await;
    assert_eq!(single.len(), steps.len());
    backend.close().await.expect("close");
    let backend = open(dir.path(), &clock);
    let log = backend.log();
    let stored = read(&*log, Offset::START).await;
    assert_eq!(said(&stored), said(&single));
    let offsets: BTreeSet<Offset> = single.iter().map(|entry| entry.offset).collect();
    assert!(stored.iter().all(|entry| offsets.contains(&entry.offset)));
    for (index, entry) in single.iter().enumerate().step_by(7) {
        let (rest, newest) = said(&read(&*log, entry.offset).await);
        let (expected, expected_newest) = said(&single[index + 1..]);
        assert!(within(&expected, &rest) && within(&rest, &said(&single).0), "after {}", entry.offset);
        assert!(newest >= expected_newest);
    }
    backend.close().await.expect("close");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folded_log_says_the_same_as_the_single_ticks(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(folding_says_the_same(steps));
    }
}
