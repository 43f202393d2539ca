//! Checks now and then whether a watch missed something, without disturbing it.
//!
//! Without it, a message that the consumer dropped, or a deletion marker that expired before it was read,
//! would be missed for ever. The review compares what the watch told with all records and looks up the
//! differences. What still differs once the watch has reached the moment of the look-up is told.

use model::chain::Chain;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::compact::CompactId;
use super::store::{Newest, is_marker};
use super::watch_state::WatchState;
use crate::follow::{Follower, Start};
use ports::BackendError;
use ports::registry::RecordKey;

const EVERY: Duration = Duration::from_secs(600);
/// Number of records beyond which reviews are hourly.
const MANY: usize = 200_000;
const EVERY_OF_MANY: Duration = Duration::from_secs(3_600);
/// Most differences that one review checks; the next one checks the others.
const MOST: usize = 10_000;
/// How long a review waits for the watch to catch up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A change that the watch missed.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: RecordKey,
    /// The revision that the watch told, if any.
    pub(super) known: Option<u64>,
    /// The present record.
    pub(super) newest: Newest,
}

impl Finding {
    /// Whether the present record was not told.
    const fn is_news(&self) -> bool {
        match (self.known, &self.newest) {
            (None, Newest::Nothing | Newest::Marker(_)) => false,
            (None, Newest::Value(..)) | (Some(_), Newest::Nothing) => true,
            (Some(known), Newest::Marker(sequence) | Newest::Value(sequence, _)) => *sequence > known,
        }
    }
}

/// The reviews of one watch.
pub(super) struct Review {
    shared: Arc<WatchState>,
    tell: mpsc::Sender<Finding>,
}

/// A record that may have been missed, and the revision that was told.
type Suspect = (RecordKey, Option<u64>);

impl Review {
    pub(super) const fn new(shared: Arc<WatchState>, tell: mpsc::Sender<Finding>) -> Self {
        Self { shared, tell }
    }

    pub(super) async fn run(self) {
        let mut reviewed_at = Instant::now();
        loop {
            sleep(EVERY).await;
            let is_many = self.shared.known.lock().len() > MANY;
            if is_many && reviewed_at.elapsed() < EVERY_OF_MANY {
                continue;
            }
            match self.review().await {
                Ok(0) => tracing::debug!("the watch of the registry has missed nothing"),
                Ok(missed) => tracing::warn!(missed, "the watch of the registry had missed something"),
                Err(error) => {
                    tracing::debug!(error = %Chain(error.as_ref()), "could not review the registry")
                }
            }
            reviewed_at = Instant::now();
        }
    }

    /// Makes one review; answers how many changes were missed.
    pub(super) async fn review(&self) -> Result<usize, BackendError> {
        let suspects = self.scan().await?;
        if suspects.is_empty() {
            return Ok(0);
        }
        // Usually the watch only lagged a little.
        self.watch_has_come_by_everything().await?;
        let suspects: Vec<Suspect> = {
            let mut known = self.shared.known.lock();
            let mut unchanged =
                |(key, told): &Suspect| known.revision(key.kind, &CompactId::new(&key.id)) == *told;
            suspects.into_iter().filter(|suspect| unchanged(suspect)).collect()
        };
        let keys: Vec<RecordKey> = suspects.iter().map(|(key, _)| key.clone()).collect();
        let newest = self.shared.store.newest_many(keys).await?;
        self.watch_has_come_by_everything().await?;
        let found = suspects.into_iter().zip(newest);
        let found = found.map(|((key, known), newest)| Finding { key, known, newest });
        let mut missed = 0;
        for finding in found.filter(Finding::is_news) {
            // The teller checks once more whether the watch still differs.
            missed += 1;
            self.tell.send(finding).await?;
        }
        Ok(missed)
    }

    /// Waits until a pulse that is sent from now on has come back through the watch.
    async fn watch_has_come_by_everything(&self) -> Result<(), BackendError> {
        let after = self.shared.pulses.last();
        let mut proven = self.shared.proven.subscribe();
        timeout(PATIENCE, proven.wait_for(|proven| *proven > after)).await??;
        Ok(())
    }

    /// The differences between all records and what was told.
    async fn scan(&self) -> Result<Vec<Suspect>, BackendError> {
        let WatchState { store, known, pulses, proven, .. } = &*self.shared;
        let mut follower =
            Follower::begin(&store.nats, &store.stream_name, self.shared.filters(), Start::Newest, true)
                .await?;
        let after = pulses.last();
        let scan = {
            let mut known = known.lock();
            // Zero before the watch begins a scan of its own, which must not be disturbed.
            if *proven.borrow() == 0 {
                return Err("the watch has not come by everything yet".into());
            }
            known.begin_scan()
        };
        let mut suspects: Vec<Suspect> = Vec::new();
        loop {
            let Some(message) = follower.next().await? else { continue };
            if let Some(pulse) = pulses.read(&message) {
                if pulse > after {
                    break;
                }
                continue;
            }
            let Some((kind, id)) = store.keys.read(&message.subject) else { continue };
            let told = {
                let mut known = known.lock();
                known.see(scan, kind, &id);
                known.revision(kind, &id)
            };
            let is_behind = match told {
                None => !is_marker(message.headers.as_ref()),
                Some(told) => told < message.sequence,
            };
            if is_behind && suspects.len() < MOST {
                suspects.push((RecordKey::new(kind, &id), told));
            }
        }
        let unseen = known.lock().unseen(scan).ok_or("the watch began anew meanwhile")?;
        suspects.extend(unseen.into_iter().take(MOST).map(|(key, told)| (key, Some(told))));
        Ok(suspects)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use parking_lot::Mutex;
    use servers::NatsServer;

    use super::*;
    use crate::NatsOptions;
    use crate::connection::Nats;
    use crate::registry::{NatsRegistry, stream_config, watch};
    use ports::clock::SystemClock;
    use ports::registry::{Expected, Record, RecordKind, Registry, RegistryObserver};

    #[derive(Default)]
    struct Recorder {
        told: Mutex<Vec<String>>,
        currents: AtomicUsize,
    }

    impl RegistryObserver for Recorder {
        fn put(&self, record: &Record) {
            self.told.lock().push(format!("{} {}", record.key.id, record.revision));
        }

        fn deleted(&self, key: &RecordKey) {
            self.told.lock().push(format!("{} gone", key.id));
        }

        fn current(&self) {
            self.currents.fetch_add(1, Ordering::AcqRel);
        }
    }

    async fn several_currents(recorder: &Recorder) {
        let before = recorder.currents.load(Ordering::Acquire);
        let more = async {
            while recorder.currents.load(Ordering::Acquire) < before + 2 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), more).await.expect("it is current again and again");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_review_finds_what_the_watch_missed() {
        let server = NatsServer::start();
        let nats = Nats::connect(NatsOptions::new(server.url(), "a node")).await.expect("connect");
        nats.create_stream(&stream_config(&nats, RecordKind::Channel))
            .await
            .expect("create")
            .expect("it is new");
        let clock = Arc::new(SystemClock::new());
        let registry = NatsRegistry::open(&nats, 1, Arc::clone(&clock) as _).await.expect("open");
        let key = |id: &str| RecordKey::new(RecordKind::Channel, id);
        let mut revisions = Vec::new();
        for id in ["a", "b", "c"] {
            let (key, value) = (key(id), Bytes::from_static(b"x"));
            revisions.push(registry.put(&key, Expected::Absent, value).await.expect("put"));
        }
        let recorder = Arc::new(Recorder::default());
        let begun = watch::begin(registry.channels.store.clone(), clock, Arc::clone(&recorder) as _);
        let watching = begun.await.expect("watch");
        several_currents(&recorder).await;
        let review = Review::new(Arc::clone(watching.shared()), watching.teller());
        assert_eq!(review.review().await.expect("review"), 0);
        {
            // As if the watch had missed the creation of a, a change of b, and the deletion of d.
            let mut known = watching.shared().known.lock();
            let id = CompactId::new;
            known.delete(RecordKind::Channel, &id("a"), u64::MAX);
            known.delete(RecordKind::Channel, &id("b"), u64::MAX);
            known.put(RecordKind::Channel, &id("b"), 0);
            known.put(RecordKind::Channel, &id("d"), 1);
        }
        recorder.told.lock().clear();
        assert_eq!(review.review().await.expect("review"), 3);
        several_currents(&recorder).await;
        let mut told = recorder.told.lock().clone();
        told.sort_unstable();
        let (a, b) = (revisions[0], revisions[1]);
        assert_eq!(told, [format!("a {a}"), format!("b {b}"), "d gone".to_owned()]);
        assert_eq!(review.review().await.expect("review"), 0);
    }
}
