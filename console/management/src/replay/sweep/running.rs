//! Counts the requests that are worked on.

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::OwnedSemaphorePermit;

/// A request that is worked on. The next one may begin when this is dropped.
pub(super) struct Running {
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Running {
    /// Counts a request that has this permit.
    pub(super) fn new(gauge: Gauge, permit: OwnedSemaphorePermit) -> Self {
        gauge.inc();
        Self { gauge, _permit: permit }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
