//! The log's bound in bytes.

use std::sync::Arc;
use std::time::Duration;

use backend_sqlite::{SqliteBackend, SqliteHeartbeatLog, SqliteOptions};
use conformance::sample::{START, monitor, tick, with_output};
use conformance::suite::state_store::commit;
use doubles::eventually;
use model::ids::{Offset, PartitionId};
use model::wire::frame::{Frame, Listening};
use ports::clock::{Clock, ManualClock};
use ports::heartbeat_log::{HeartbeatLog, LogError, LogRoom};
use ports::state_store::{Lease, Leases, States};

const P: PartitionId = PartitionId(0);
const LIMIT: u64 = 2 << 20;

struct Small {
    backend: SqliteBackend,
    log: Arc<SqliteHeartbeatLog>,
    clock: Arc<ManualClock>,
    dir: tempfile::TempDir,
    number: u64,
}

impl Small {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new(START));
        let options = SqliteOptions {
            log_bytes: Some(LIMIT),
            expire_every: Duration::from_millis(5),
            ..SqliteOptions::new(dir.path())
        };
        let backend = SqliteBackend::open(options, Arc::clone(&clock) as _).expect("open");
        let log = backend.log();
        Self { backend, log, clock, dir, number: 0 }
    }

    fn frame(&mut self) -> Arc<Frame> {
        self.number += 1;
        let mut frame = tick(self.number, self.clock.now(), Listening::First);
        frame.heartbeats.push(with_output(monitor(1), self.clock.now(), &[7; 10_000]));
        Arc::new(frame)
    }

    async fn append(&mut self) -> Result<Offset, LogError> {
        let frame = self.frame();
        self.log.append(P, frame).await
    }

    async fn first(&self) -> Offset {
        self.log.extent(P).await.expect("extent").first
    }

    fn file_bytes(&self) -> u64 {
        std::fs::metadata(self.dir.path().join("log.db")).expect("it is there").len()
    }
}

async fn applied(small: &Small, lease: &Lease, from: Offset, to: Offset, number: u64) {
    let commit = commit(from.0, to.0, number, Vec::new());
    small.backend.state().commit(lease, &commit).await.expect("commit");
}

#[tokio::test]
async fn the_oldest_entries_go_when_the_log_takes_more_than_it_may() {
    let mut small = Small::open();
    let lease = small.backend.state().acquire(P, "owner").await.expect("acquire");
    let mut before = Offset::START;
    for number in 1..=50 {
        for _ in 0..20 {
            small.append().await.expect("there is always room");
        }
        let last = small.log.extent(P).await.expect("extent").last;
        applied(&small, &lease, before, last, number).await;
        before = last;
        // Twenty frames are as much as is written between two steps of the removal.
        eventually("the log is within its bound", async || {
            let kept = small.log.extent(P).await.expect("extent");
            ((kept.last.0 - kept.first.0) * 10_000 < LIMIT).then_some(())
        })
        .await;
    }
    assert!(small.first().await > Offset(700), "10 MB were appended: {:?}", small.first().await);
    let error = small.log.open(P, Offset::START).await.err().expect("it is told");
    assert!(matches!(error, LogError::Expired { .. }), "{error:?}");
    assert_eq!(small.log.room(), LogRoom::Enough);
    let bytes = small.file_bytes();
    assert!(bytes < LIMIT * 3 / 2, "free pages are used again: {bytes}");
    let (log, dir) = (small.log, small.dir);
    let extent = log.extent(P).await.expect("extent");
    small.backend.close().await.expect("close");
    // The state here is not computed from the log.
    let accepting = SqliteOptions { accept_torn: true, ..SqliteOptions::new(dir.path()) };
    let again = SqliteBackend::open(accepting, small.clock as _).expect("open");
    assert_eq!(again.log().extent(P).await.expect("extent"), extent);
}

#[tokio::test]
async fn nothing_goes_that_is_not_applied_and_a_log_full_of_it_says_so() {
    let mut small = Small::open();
    let lease = small.backend.state().acquire(P, "owner").await.expect("acquire");
    let mut last = Offset::START;
    let error = loop {
        match small.append().await {
            Ok(offset) => last = offset,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LogError::Full(_)), "{error:?}");
    assert_eq!(small.first().await, Offset(1), "everything is kept");
    assert_eq!(small.log.room(), LogRoom::Short);
    applied(&small, &lease, Offset::START, last, 1).await;
    eventually("what is applied makes room", async || small.append().await.ok()).await;
    eventually("the room is told", async || (small.log.room() == LogRoom::Enough).then_some(())).await;
    assert!(small.first().await > Offset(1));
}
