//! One watch of the records of a kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::compact::CompactId;
use super::pulse::Pulses;
use super::review::{Finding, Review};
use super::store::{Newest, Store, is_marker};
use super::tail::{Heard, Tail};
use super::watch_state::WatchState;
use crate::follow::Followed;
use model::chain::Chain;
use model::ids::Revision;
use ports::BackendError;
use ports::clock::Clock;
use ports::registry::{Record, RecordKey, RecordKind, RegistryObserver};

/// Age of a pulse beyond which it does not prove that nothing is missing *now*.
const FRESH: Duration = Duration::from_secs(2);
/// The most apparently deleted records that are looked up one by one.
const LOOKED_UP: usize = 10_000;
/// Most findings of a review that wait to be told.
const FINDINGS: usize = 64;

/// Ends the watch when it is dropped.
pub(super) struct Watching {
    shared: Arc<WatchState>,
    #[cfg(test)]
    tell: mpsc::Sender<Finding>,
    _tasks: JoinSet<()>,
}

#[cfg(test)]
impl Watching {
    pub(super) const fn shared(&self) -> &Arc<WatchState> {
        &self.shared
    }

    /// The channel for a review's findings.
    pub(super) fn teller(&self) -> mpsc::Sender<Finding> {
        self.tell.clone()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // The tasks stop at their next wait; nothing more is told until then.
        self.shared.ended.store(true, Ordering::Release);
    }
}

/// Begins a watch.
pub(super) async fn begin(
    store: Store,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn RegistryObserver>,
) -> Result<Watching, BackendError> {
    let shared = Arc::new(WatchState {
        pulses: Pulses::new(store.clone(), Arc::clone(&clock)),
        known: Mutex::default(),
        proven: watch::Sender::new(0),
        ended: AtomicBool::new(false),
        store,
    });
    let tail = Tail::begin(shared.store.clone(), clock, shared.filters(), false).await?;
    let (tell, findings) = mpsc::channel(FINDINGS);
    let mut teller =
        Teller { shared: Arc::clone(&shared), observer, tail, findings, scan: None, buried_at: 0 };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _noticed = Noticed;
        teller.run().await;
    });
    let pulsing = Arc::clone(&shared);
    tasks.spawn(async move { pulsing.pulses.run().await });
    let review = Review::new(Arc::clone(&shared), tell.clone());
    tasks.spawn(review.run());
    Ok(Watching {
        shared,
        #[cfg(test)]
        tell,
        _tasks: tasks,
    })
}

/// Reports a panic of an observer: no caller waits for the telling task.
struct Noticed;

impl Drop for Noticed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a watch of the registry has ended: its observer panicked");
        }
    }
}

/// A pass over all records, made by the tail itself.
#[derive(Debug, Clone, Copy)]
struct Scan {
    number: u64,
    /// The last pulse before it.
    after: u64,
    other_stream: bool,
}

/// The one task that calls the observer.
struct Teller {
    shared: Arc<WatchState>,
    observer: Arc<dyn RegistryObserver>,
    tail: Tail,
    findings: mpsc::Receiver<Finding>,
    scan: Option<Scan>,
    /// The last pulse that may have been sent before a record was told as gone ahead of its message.
    buried_at: u64,
}

impl Teller {
    async fn run(&mut self) {
        loop {
            match self.tail.next().await {
                Heard::Anew { other_stream } => self.begin_scan(other_stream).await,
                Heard::Message(message) => self.message(message).await,
                Heard::Nothing => {}
            }
        }
    }

    async fn begin_scan(&mut self, other_stream: bool) {
        self.shared.proven.send_replace(0);
        let other_stream = other_stream || self.scan.is_some_and(|scan| scan.other_stream);
        let number = {
            let mut known = self.shared.known.lock();
            if other_stream {
                known.forget_revisions();
            }
            known.begin_scan()
        };
        self.scan = Some(Scan { number, after: self.shared.pulses.last(), other_stream });
        self.shared.pulses.send().await;
    }

    async fn message(&mut self, message: Followed) {
        if let Some(pulse) = self.shared.pulses.read(&message) {
            return self.pulse(pulse).await;
        }
        let Some((kind, id)) = self.shared.store.keys.read(&message.subject) else { return };
        if is_marker(message.headers.as_ref()) {
            self.deleted(kind, &id, message.sequence);
        } else {
            let (revision, value) = (self.revision(message.sequence), message.payload);
            self.put(kind, &id, |key| Record { key, revision, value }, message.sequence);
        }
    }

    fn put(&self, kind: RecordKind, id: &CompactId, record: impl FnOnce(RecordKey) -> Record, revision: u64) {
        if self.shared.known.lock().put(kind, id, revision) && !self.has_ended() {
            self.observer.put(&record(RecordKey::new(kind, id)));
        }
    }

    fn deleted(&self, kind: RecordKind, id: &CompactId, revision: u64) {
        if self.shared.known.lock().delete(kind, id, revision) && !self.has_ended() {
            self.observer.deleted(&RecordKey::new(kind, id));
        }
    }

    /// The revision of a message of the stream that the tail follows.
    fn revision(&self, sequence: u64) -> Revision {
        self.shared.store.incarnation.revision(sequence)
    }

    fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    async fn pulse(&mut self, pulse: u64) {
        if let Some(scan) = self.scan {
            // A pulse from before the scan, met again.
            if pulse <= scan.after {
                return;
            }
            if let Err(error) = self.finish(scan).await {
                // The next pulse tries again.
                tracing::debug!(error = %Chain(error.as_ref()), "failed to look up deleted records of the registry");
                return;
            }
            self.scan = None;
            self.buried_at = self.shared.pulses.last();
        } else if pulse > self.buried_at {
            self.shared.known.lock().forget_buried();
        }
        while let Ok(finding) = self.findings.try_recv() {
            self.found(finding);
            self.buried_at = self.shared.pulses.last();
        }
        self.shared.proven.send_if_modified(|proven| {
            let is_later = pulse > *proven;
            *proven = pulse.max(*proven);
            is_later
        });
        if self.shared.pulses.age(pulse) <= FRESH && !self.has_ended() {
            self.observer.current();
        }
    }

    /// The scan has met all records: tells the deletions.
    async fn finish(&mut self, scan: Scan) -> Result<(), BackendError> {
        let Some(unseen) = self.shared.known.lock().unseen(scan.number) else { return Ok(()) };
        // A record that was rewritten behind the scan was not met either: a look-up tells it from a deleted
        // one. If there are too many, or the stream was replaced, the scan is believed: such a record is told
        // again at once.
        let believed = scan.other_stream || unseen.len() > LOOKED_UP;
        let keys: Vec<RecordKey> = unseen.into_iter().map(|(key, _)| key).collect();
        let found = if believed { None } else { Some(self.shared.store.newest_many(keys.clone()).await?) };
        let Some(found) = found else {
            keys.iter().for_each(|key| self.gone(key, u64::MAX));
            return Ok(());
        };
        for (key, newest) in keys.into_iter().zip(found) {
            match newest {
                Newest::Nothing => self.gone(&key, u64::MAX),
                Newest::Marker(revision) => self.gone(&key, revision),
                Newest::Value(revision, value) => {
                    let id = CompactId::new(&key.id);
                    let record = |key| Record { key, revision: self.revision(revision), value };
                    self.put(key.kind, &id, record, revision);
                }
            }
        }
        Ok(())
    }

    fn gone(&self, key: &RecordKey, revision: u64) {
        let is_news = self.shared.known.lock().bury(key.kind, &CompactId::new(&key.id), revision);
        if is_news && !self.has_ended() {
            self.observer.deleted(key);
        }
    }

    /// Tells a finding of a review, if it still differs.
    fn found(&self, finding: Finding) {
        let Finding { key, known, newest } = finding;
        let id = CompactId::new(&key.id);
        if self.shared.known.lock().revision(key.kind, &id) != known {
            return;
        }
        match newest {
            Newest::Nothing => self.gone(&key, u64::MAX),
            Newest::Marker(revision) => self.gone(&key, revision),
            Newest::Value(revision, value) => {
                let record = |key| Record { key, revision: self.revision(revision), value };
                self.put(key.kind, &id, record, revision);
            }
        }
    }
}
