//! Counts the requests that are worked on.

use prometheus_client::metrics::gauge::Gauge;

use crate::slots::Slot;

/// A request that is worked on. The next one may begin when this is dropped.
pub(super) struct Running {
    gauge: Gauge,
    _slot: Slot,
}

impl Running {
    /// Counts a request that has this slot.
    pub(super) fn new(gauge: Gauge, slot: Slot) -> Self {
        gauge.inc();
        Self { gauge, _slot: slot }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
