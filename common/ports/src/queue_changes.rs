//! Tells that a queue changed.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Wakes the task that waits for changes of a queue. A change that is announced while no task waits is not
/// lost.
#[derive(Debug)]
pub struct Changes {
    made: watch::Sender<u64>,
    told: AtomicU64,
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

impl Changes {
    /// A queue that has not changed yet.
    #[must_use]
    pub fn new() -> Self {
        Self { made: watch::Sender::new(0), told: AtomicU64::new(0) }
    }

    /// Announces a change.
    pub fn announce(&self) {
        self.made.send_modify(|made| *made += 1);
    }

    /// Waits until there is a change that no earlier wait returned for.
    pub async fn wait(&self) {
        let mut made = self.made.subscribe();
        let told = self.told.load(Ordering::Acquire);
        // The sender lives in `self`, so waiting cannot fail.
        let now = made.wait_for(|made| *made > told).await.map_or(told, |made| *made);
        self.told.fetch_max(now, Ordering::AcqRel);
    }
}
