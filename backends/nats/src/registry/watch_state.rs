//! The state that the tasks of a watch share.

use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::known::KnownRecords;
use super::pulse::Pulses;
use super::store::Store;

/// The state that the tasks of a watch share.
pub(super) struct WatchState {
    pub(super) store: Store,
    pub(super) pulses: Pulses,
    /// The records that the observer was told. Never locked during a call of the observer.
    pub(super) known: Mutex<KnownRecords>,
    /// The observer knows everything that was acknowledged before the pulse of this number; 0 while that is
    /// uncertain.
    pub(super) proven: watch::Sender<u64>,
    pub(super) ended: AtomicBool,
}

impl WatchState {
    /// The subjects that a watch follows.
    pub(super) fn filters(&self) -> Vec<String> {
        vec![self.store.keys.of_kind(self.store.kind), self.pulses.subject().to_owned()]
    }
}
