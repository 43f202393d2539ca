//! Looks now and then whether a watch missed something, without disturbing it.
//!
//! A message that a consumer did not give, or a sign of deletion that was gone before it was read, would otherwise be missed for
//! ever. It compares what the watch was told with everything that there is; what seems to differ is looked up, and once the watch has
//! come by everything that there was *then* and still differs, it is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::compact::CompactId;
use super::store::{Newest, is_marker};
use super::watch::Shared;
use crate::backend::nats::follow::{Follower, Start};
use crate::ports::BackendError;
use crate::ports::registry::RecordKey;

const EVERY: Duration = Duration::from_secs(600);
/// With more records than this it is done hourly.
const MANY: usize = 200_000;
const EVERY_OF_MANY: Duration = Duration::from_secs(3_600);
/// Most differences that one review looks at; the next one sees to the others.
const MOST: usize = 10_000;
/// The watch is given so long to come by everything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that the watch missed.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: RecordKey,
    /// The revision that the watch told, if any.
    pub(super) known: Option<u64>,
    /// What there is.
    pub(super) newest: Newest,
}

impl Finding {
    /// Whether there is anything that was not told.
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
    shared: Arc<Shared>,
    tell: mpsc::Sender<Finding>,
}

/// Something that may have been missed, and the revision that was told.
type Suspect = (RecordKey, Option<u64>);

impl Review {
    pub(super) const fn new(shared: Arc<Shared>, tell: mpsc::Sender<Finding>) -> Self {
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
                Err(error) => tracing::debug!(%error, "could not review the registry"),
            }
            reviewed_at = Instant::now();
        }
    }

    /// One review; how much was missed.
    pub(super) async fn review(&self) -> Result<usize, BackendError> {
        let suspects = self.scan().await?;
        if suspects.is_empty() {
            return Ok(0);
        }
        // Mostly the watch was only a little behind.
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
            // The teller looks once more whether the watch differs still.
            missed += 1;
            self.tell.send(finding).await?;
        }
        Ok(missed)
    }

    /// Waits until a pulse has come back through the watch that is sent from now on.
    async fn watch_has_come_by_everything(&self) -> Result<(), BackendError> {
        let after = self.shared.pulses.last();
        let mut proven = self.shared.proven.subscribe();
        timeout(PATIENCE, proven.wait_for(|proven| *proven > after)).await??;
        Ok(())
    }

    /// What differs between everything that there is and what was told.
    async fn scan(&self) -> Result<Vec<Suspect>, BackendError> {
        let Shared { store, known, pulses, proven, .. } = &*self.shared;
        if *proven.borrow() == 0 {
            return Err("the watch has not come by everything yet".into());
        }
        let mut follower =
            Follower::begin(&store.nats, &store.stream_name, self.shared.filters(), Start::Newest, true)
                .await?;
        let after = pulses.last();
        let scan = known.lock().begin_scan();
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
